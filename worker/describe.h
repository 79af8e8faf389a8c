/* SPDX-License-Identifier: Apache-2.0 */
/* weir-worker --describe PATH: what a plugin is, for the supervisor, which never loads one itself. */
#pragma once

/*
 * Loads the plugin and writes its descriptor to standard output (common/stage/describe.h has the format). If it can't be used,
 * writes one line with the reason to standard error instead. Returns the exit status: 0 or 1.
 */
int describe_plugin(const char *path);
