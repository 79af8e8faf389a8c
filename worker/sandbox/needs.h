/* SPDX-License-Identifier: Apache-2.0 */
/* What a stage in a sandbox needs for its kind and its options. */
#pragma once

#include <stdbool.h>

#include "common/wire/heritage.h"

/* Does a stage of this kind talk to other hosts? Pure. */
bool needs_network(const struct heritage *heritage);
/* Does it start programs? Pure. */
bool needs_processes(const struct heritage *heritage);

/* Adds rules for all files that it needs to the ruleset (files.h). Returns 0 or -errno. Reads the disk. */
int needs_files(const struct heritage *heritage, int ruleset_fd);
