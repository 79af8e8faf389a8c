/* SPDX-License-Identifier: Apache-2.0 */
/* The scopes that have been cancelled, by id, on the board: the supervisor writes, every worker looks things up. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/memory/board_layout.h"

#define SCOPES_MAX (SCOPES_PLACES / 2) /* that are cancelled at a time */

/* Any process: why the scope was cancelled (cause.def), or 0. Wait-free. Complete as of the epoch that was loaded before. */
uint32_t scope_table_find(const struct board *board, uint64_t id);

/*
 * Supervisor: cancels a scope. Returns 0; SCOPE_TABLE_E_ALREADY: it was, and its cause stays; SCOPE_TABLE_E_FULL: SCOPES_MAX are.
 * *ret_place: where it stands, below SCOPES_PLACES, until it is removed. The epoch moves on with a 0.
 */
enum { SCOPE_TABLE_E_ALREADY = 1, SCOPE_TABLE_E_FULL = 2 };
int scope_table_add(struct board *board, uint64_t id, uint32_t cause, uint32_t *ret_place);
/* Supervisor: its time is over. The epoch stays: nobody has to hear of it. */
void scope_table_remove(struct board *board, uint32_t place);
