/* SPDX-License-Identifier: Apache-2.0 */
/* Loading a plugin: only a worker does it, or `weir-worker --describe`. The supervisor never has foreign code in it. */
#pragma once

#include <weir/stage.h>

struct text;
enum { LOADER_E_REFUSED = 1 };

/*
 * Loads the shared object at the absolute path and checks what it exports. It stays loaded until the process ends. Returns 0 and
 * the stage, whose pointers point into the plugin; LOADER_E_REFUSED with one sentence appended to *why: what, where, what to do.
 */
int loader_open(const char *path, struct weir_stage *ret_stage, struct text *why);
