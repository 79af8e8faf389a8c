/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The system's calls themselves, for a child between fork and exec may not allocate, as libcap does; nor trace where an error came from.
 *
 *      permitted, effective, inheritable, ambient, bounding = keep      what root's exec gives back is cut to the bounding set,
 *                                                                       what anybody else's does to the ambient one
 */
#include "common/base/privileges.h"

#include <errno.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CAPABILITIES_MAX 64

typedef struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3];

static struct __user_cap_header_struct own(void)
{
	return (struct __user_cap_header_struct){ .version = _LINUX_CAPABILITY_VERSION_3 };
}

static uint64_t join(uint32_t low, uint32_t high)
{
	return (uint64_t)high << 32 | low;
}

static int read_sets(uint64_t *ret_permitted, uint64_t *ret_effective)
{
	struct __user_cap_header_struct header = own();
	sets now = { 0 };

	if (syscall(SYS_capget, &header, now))
		return -errno;
	*ret_permitted = join(now[0].permitted, now[1].permitted);
	*ret_effective = join(now[0].effective, now[1].effective);
	return 0;
}

static int write_sets(uint64_t keep)
{
	struct __user_cap_header_struct header = own();
	sets next;

	for (int i = 0; i < _LINUX_CAPABILITY_U32S_3; i++)
		next[i].permitted = next[i].effective = next[i].inheritable = (uint32_t)(keep >> 32 * i);
	return syscall(SYS_capset, &header, next) ? -errno : 0;
}

/* Only who has CAP_SETPCAP may: without it there is nothing that an exec could give back, since nothing may be gained. */
static int cut_bounding_set(uint64_t keep)
{
	for (int i = 0; i < CAPABILITIES_MAX && prctl(PR_CAPBSET_READ, i, 0, 0, 0) >= 0; i++)
		if (!(keep & PRIVILEGE(i)) && prctl(PR_CAPBSET_DROP, i, 0, 0, 0))
			return -errno;
	return 0;
}

static int set_ambient(uint64_t keep)
{
	for (int i = 0; i < CAPABILITIES_MAX; i++)
		if (keep & PRIVILEGE(i) && prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, i, 0, 0))
			return -errno;
	return 0;
}

int privileges_give_up(uint64_t keep)
{
	uint64_t permitted = 0, effective = 0;
	int r = read_sets(&permitted, &effective);

	if (r < 0)
		return r;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0))
		return -errno;
	keep &= permitted;
	if (effective & PRIVILEGE(CAP_SETPCAP))
		r = cut_bounding_set(keep);
	if (r == 0)
		r = write_sets(keep);
	return r < 0 ? r : set_ambient(keep);
}

bool privileges_have(int capability)
{
	uint64_t permitted = 0, effective = 0;

	return read_sets(&permitted, &effective) == 0 && effective & PRIVILEGE(capability);
}
