/* SPDX-License-Identifier: Apache-2.0 */
/* Where sources stand, from one run to the next: cursor and first spool of stages whose plan says so, in files of the state folder. */
#pragma once

struct supervisor;

/*
 * Before the first worker: gives each such stage what the last run has left of it; what can't be read is said, and taken for nothing.
 * Supervisor, may block on the disk. Returns 0 or -errno: there is no memory for it.
 */
int positions_load(struct supervisor *supervisor);
