/* SPDX-License-Identifier: Apache-2.0 */
/* weir stages */
#pragma once

/* argv[0] is the verb. Returns the exit code of weir. */
int stages_command(int argc, char **argv);
