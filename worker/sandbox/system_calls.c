/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An allow-list. What is not in it traps, and the handler says what it was: "killed by SIGSYS" alone would send people to strace.
 *
 *      in the list              allowed
 *      socket(AF_UNIX)          allowed; others: with `network`, else EAFNOSUPPORT, as where the kernel has no such family
 *      clone(CLONE_THREAD)      allowed; others: with `processes`, but for new namespaces, else EPERM
 *      process_vm_readv         allowed of itself
 *      clone3                   ENOSYS: its flags can't be seen by a filter, and libc falls back to clone
 *      execve, fork ...         with `processes`, else EPERM
 *      everything else          SIGSYS
 */
#include "worker/sandbox/system_calls.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/text.h"
#include "worker/sandbox/seccomp_library.h"

#define NAMESPACES \
	(CLONE_NEWNS | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP)
#define CALLS_MAX 512

enum who { EVERYBODY, STARTERS, BECOMERS };

static const struct {
	const char *name;
	enum who who;
} calls[] = {
#define SYSTEM_CALL(name_, who_) { #name_, who_ },
#include "worker/sandbox/system_calls.def"
#ifdef __SANITIZE_ADDRESS__ /* its own needs, at the end of a process */
	{ "ptrace", EVERYBODY },
	{ "personality", EVERYBODY },
#endif
};

static char *names[CALLS_MAX]; /* by number: the handler may not allocate */

static void remember_names(void)
{
	for (int number = 0; number < CALLS_MAX && !names[number]; number++)
		names[number] = libseccomp.syscall_resolve_num_arch(SCMP_ARCH_NATIVE, number);
}

/* Says which call it was, and dies of it all the same. */
static void handle_sigsys(int signal_number, siginfo_t *info, void *context)
{
	int number = info->si_syscall;
	const char *name = number >= 0 && number < CALLS_MAX && names[number] ? names[number] : "unknown";
	char line[200];
	int n = snprintf(
		line, sizeof(line),
		"<3>system call %s (%d) is not in the sandbox of this stage; if it has to be, system_calls: [%s]\n",
		name, number, name);
	ssize_t written = write(STDERR_FILENO, line, (size_t)n);

	(void)context;
	(void)written;
	signal(signal_number, SIG_DFL);
	raise(signal_number);
	_exit(128 + SIGSYS); /* blocked: it comes when the handler returns, which must not be */
}

static int allow(scmp_filter_ctx filter, const char *name)
{
	int number = libseccomp.syscall_resolve_name(name);

	/* Not of this machine, or newer than the library: then nobody here calls it. */
	return number < 0 ? 0 : libseccomp.rule_add_array(filter, SCMP_ACT_ALLOW, number, 0, NULL);
}

static int add_list(scmp_filter_ctx filter, const struct system_calls *allowed)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < sizeof(calls) / sizeof(calls[0]); i++) {
		if (calls[i].who == BECOMERS && !allowed->users)
			continue;
		if (calls[i].who == STARTERS && !allowed->processes) {
			int number = libseccomp.syscall_resolve_name(calls[i].name);

			r = number < 0 ? 0 : libseccomp.rule_add_array(filter, SCMP_ACT_ERRNO(EPERM), number, 0, NULL);
		} else {
			r = allow(filter, calls[i].name);
		}
	}
	return r;
}

static int add_clone(scmp_filter_ctx filter, bool processes)
{
	uint64_t mask = processes ? NAMESPACES : CLONE_THREAD | NAMESPACES, wanted = processes ? 0 : CLONE_THREAD;
	const struct scmp_arg_cmp good = SCMP_CMP64(0, SCMP_CMP_MASKED_EQ, mask, wanted);
	int r = libseccomp.rule_add_array(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0, NULL);

	if (r == 0)
		r = libseccomp.rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1, &good);
	/* Each bit that is wrong is a rule of its own: a filter has no "else". */
	for (uint64_t bit = 1; r == 0 && bit && bit <= mask; bit <<= 1) {
		const struct scmp_arg_cmp bad = SCMP_CMP64(0, SCMP_CMP_MASKED_EQ, bit, ~wanted & bit);

		if (mask & bit)
			r = libseccomp.rule_add_array(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(clone), 1, &bad);
	}
	return r;
}

static int add_socket(scmp_filter_ctx filter, bool network)
{
	const struct scmp_arg_cmp local = SCMP_CMP64(0, SCMP_CMP_EQ, AF_UNIX),
				  other = SCMP_CMP64(0, SCMP_CMP_NE, AF_UNIX);
	int r;

	if (network)
		return libseccomp.rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(socket), 0, NULL);
	r = libseccomp.rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1, &local);
	return r ? r : libseccomp.rule_add_array(filter, SCMP_ACT_ERRNO(EAFNOSUPPORT), SCMP_SYS(socket), 1, &other);
}

/* A backtrace reads its own stack so, which may be no stack any more (worker/backtrace.c). */
static int add_own_memory(scmp_filter_ctx filter)
{
	const struct scmp_arg_cmp own = SCMP_CMP64(0, SCMP_CMP_EQ, (scmp_datum_t)getpid());

	return libseccomp.rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(process_vm_readv), 1, &own);
}

static int add_more(scmp_filter_ctx filter, const char *const *more, struct text *why)
{
	int r = 0;

	for (; r == 0 && more && *more; more++) {
		if (libseccomp.syscall_resolve_name(*more) == __NR_SCMP_ERROR) {
			text_printf(why, "there is no system call '%s'; man syscalls has the list", *more);
			return SYSTEM_CALLS_E_BAD;
		}
		r = allow(filter, *more);
	}
	return r;
}

static int fill(scmp_filter_ctx filter, const struct system_calls *allowed, struct text *why)
{
	int r = libseccomp.attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);

	(void)libseccomp.attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE,
				  2); /* a tree: with a list each call would be compared with hundreds */
	if (r == 0)
		r = add_list(filter, allowed);
	if (r == 0)
		r = add_clone(filter, allowed->processes);
	if (r == 0)
		r = add_socket(filter, allowed->network);
	if (r == 0)
		r = add_own_memory(filter);
	return r == 0 ? add_more(filter, allowed->more, why) : r;
}

int system_calls_restrict(const struct system_calls *allowed, struct text *why)
{
	struct sigaction action = { .sa_sigaction = handle_sigsys, .sa_flags = SA_SIGINFO | SA_NODEFER };
	const char *said;
	scmp_filter_ctx filter;
	int r = seccomp_library_load(&said);

	if (r != 0) {
		text_printf(why, "libseccomp, which system calls are filtered by, can't be loaded: %s", said);
		return SYSTEM_CALLS_E_MISSING;
	}
	filter = libseccomp.init(SCMP_ACT_TRAP);
	if (!filter)
		return -ENOMEM;
	r = fill(filter, allowed, why);
	if (r == 0) {
		remember_names();
		sigemptyset(&action.sa_mask);
		sigaction(SIGSYS, &action, NULL);
		r = libseccomp.load(filter);
		if (r < 0) {
			text_printf(why, "the kernel takes no filter of system calls: %s", strerror(-r));
			r = SYSTEM_CALLS_E_MISSING;
		}
	}
	libseccomp.release(filter);
	return r;
}
