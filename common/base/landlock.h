/* SPDX-License-Identifier: Apache-2.0 */
/* Whether this kernel can restrict files by Landlock, asked in workers and by whoever shows them. */
#pragma once

#include <linux/landlock.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The version of its ABI, from 1; 0: it has none, or it is switched off or forbidden. */
static inline int landlock_abi(void)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

	return abi < 0 ? 0 : (int)abi;
}
