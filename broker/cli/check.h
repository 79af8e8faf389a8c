/* SPDX-License-Identifier: Apache-2.0 */
/* weir check */
#pragma once

/* argv[0] is the verb. Returns the exit code of weir. */
int check_command(int argc, char **argv);
