/* SPDX-License-Identifier: Apache-2.0 */
/* The built-in stage kinds, as descriptors. The callbacks are filled in by the worker alone. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <weir/stage.h>

/* All descriptors of built-in kinds (callbacks NULL), in the order in which they are documented. Static. */
extern const struct weir_stage *const stage_descriptors[];
extern const size_t n_stage_descriptors;

/* The descriptor of that role and name ("file", "exec"), NULL if there is none. */
const struct weir_stage *stage_descriptor_find(enum weir_role role, const char *name);
/* "source", "operator", "sink". */
const char *stage_role_name(enum weir_role role);
/* "string", "size", ...: what a person is told about an option's type. */
const char *stage_option_type_name(enum weir_option_type type);

/*
 * Checks one value, given as the spec's text, against the option: type, choices, bounds. Returns 0 and the number for
 * INTEGER, BOOLEAN (0/1), SIZE, DURATION, RATE, CHOICE (index; ret_number may be NULL); STAGE_E_BAD_VALUE with the
 * reason, worded for the user ("expected a size such as 64KiB"), appended to *why.
 */
struct text;
enum { STAGE_E_BAD_VALUE = 1 };
int stage_option_check(const struct weir_option *option, const char *value, int64_t *ret_number, struct text *why);

/* Appends the option's bounds in its own notation ("64KiB to 64MiB"); nothing if it has none. A LIST with bounds holds whole numbers. */
void stage_option_bounds(const struct weir_option *option, struct text *ret_text);
