/* SPDX-License-Identifier: Apache-2.0 */
/* Where the program is that runs the stages. */
#pragma once

struct display;

/*
 * It stands beside weir, or where WEIR_WORKER says. Returns 0 and its path, which the caller frees; EXIT_TRY_AGAIN: there
 * is none, which has been said.
 */
int worker_program_find(struct display *display, char **ret_path);
