/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Landlock by its system calls: libc has no functions for them, and Debian 12's headers know the first versions only.
 *
 *      ABI 1  files    2  renames between folders    3  truncate    6  signals and abstract sockets
 *
 * All that the kernel can restrict is restricted, but for ioctl() of devices (5), which terminals are used through.
 */
#include "worker/sandbox/files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/base/cleanup.h"
#include "common/base/error.h"
#include "common/base/landlock.h"

/* Later than the headers. */
#define ACCESS_REFER (UINT64_C(1) << 13)
#define ACCESS_TRUNCATE (UINT64_C(1) << 14)
#define SCOPE_ABSTRACT_UNIX (UINT64_C(1) << 0)
#define SCOPE_SIGNAL (UINT64_C(1) << 1)
struct ruleset {
	uint64_t handled_access_fs, handled_access_net, scoped;
};

#define READ (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define READ_AND_EXECUTE (READ | LANDLOCK_ACCESS_FS_EXECUTE)
#define MAKE                                                                                        \
	(LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SOCK | \
	 LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_SYM)
#define REMOVE (LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE)
#define WRITE (READ | LANDLOCK_ACCESS_FS_WRITE_FILE | MAKE | REMOVE | ACCESS_REFER | ACCESS_TRUNCATE)
#define DEVICES (LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_BLOCK)
#define OF_A_FILE \
	(LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_EXECUTE | ACCESS_TRUNCATE)

static uint64_t handled(int abi)
{
	uint64_t all = READ_AND_EXECUTE | WRITE | DEVICES;

	if (abi < 2)
		all &= ~ACCESS_REFER;
	if (abi < 3)
		all &= ~ACCESS_TRUNCATE;
	return all;
}

int files_begin(bool network)
{
	int abi = landlock_abi();
	struct ruleset ruleset = { .handled_access_fs = handled(abi) };
	long fd;

	if (abi >= 6)
		ruleset.scoped = SCOPE_SIGNAL | (network ? 0 : SCOPE_ABSTRACT_UNIX);
	/* An older kernel takes what is behind its own struct as long as it is zero. */
	fd = syscall(SYS_landlock_create_ruleset, &ruleset, sizeof(ruleset), 0);
	return fd < 0 ? error_origin(-errno) : (int)fd;
}

int files_allow(int ruleset_fd, const char *path, enum files_access access)
{
	_cleanup_(close) int fd = open(path, O_PATH | O_CLOEXEC);
	struct landlock_path_beneath_attr rule = {
		.allowed_access = (access == FILES_WRITE ? WRITE : READ_AND_EXECUTE) & handled(landlock_abi()),
		.parent_fd = fd,
	};
	struct stat status;

	if (fd < 0 || fstat(fd, &status))
		return error_origin(-errno);
	if (!S_ISDIR(status.st_mode))
		rule.allowed_access &= OF_A_FILE;
	if (syscall(SYS_landlock_add_rule, ruleset_fd, LANDLOCK_RULE_PATH_BENEATH, &rule, 0))
		return error_origin(-errno);
	return 0;
}

int files_restrict(int ruleset_fd)
{
	return syscall(SYS_landlock_restrict_self, ruleset_fd, 0) ? error_origin(-errno) : 0;
}
