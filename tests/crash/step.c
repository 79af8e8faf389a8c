/* SPDX-License-Identifier: Apache-2.0 */
/*
 * After each PTRACE_SINGLESTEP the child is stopped between two instructions: what shared memory holds then is what it
 * would hold had SIGKILL struck there. SIGSTOP, which the child sends itself, marks where a walk begins and ends.
 */
#include "tests/crash/step.h"

#include <elf.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

static pid_t self;

void step_mark(void)
{
	kill(self, SIGSTOP);
}

/* A stop of its own is the mark; one from elsewhere, of somebody who halts the machine's processes for a while, is not. */
static bool is_mark(pid_t pid)
{
	siginfo_t info;

	return ptrace(PTRACE_GETSIGINFO, pid, NULL, &info) == 0 && info.si_pid == pid;
}

/* Lets it run until it stops for something else than a signal from elsewhere. */
static bool go_on(pid_t pid, int *status)
{
	do
		if (ptrace(PTRACE_CONT, pid, NULL, NULL) || waitpid(pid, status, 0) != pid || !WIFSTOPPED(*status))
			return false;
	while (WSTOPSIG(*status) == SIGCONT || (WSTOPSIG(*status) == SIGSTOP && !is_mark(pid)));
	return true;
}

pid_t step_spawn(void (*body)(void *argument), void *argument)
{
	pid_t pid = fork();
	int status;

	if (pid < 0)
		return -errno;
	if (!pid) {
		if (prctl(PR_SET_PDEATHSIG, SIGKILL) || ptrace(PTRACE_TRACEME, 0, NULL, NULL))
			_exit(1);
		self = getpid();
		body(argument);
		_exit(0);
	}
	if (waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status))
		return -EPERM;
	if (WSTOPSIG(status) != SIGTRAP && !is_mark(pid) && !go_on(pid, &status))
		return -ECHILD;
	if (WSTOPSIG(status) == SIGSTOP)
		return pid;
	step_kill(pid);
	return -ECHILD;
}

uint64_t step_address(pid_t pid)
{
#ifdef __aarch64__
	struct user_regs_struct registers;
	struct iovec all = { .iov_base = &registers, .iov_len = sizeof(registers) };

	return ptrace(PTRACE_GETREGSET, pid, NT_PRSTATUS, &all) ? 0 : registers.pc;
#else
	/* one word: this is asked before every step */
	return (uint64_t)ptrace(PTRACE_PEEKUSER, pid, offsetof(struct user_regs_struct, rip), NULL);
#endif
}

enum step_outcome step_once(pid_t pid)
{
	int status;

	if (ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL) || waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status))
		return STEP_GONE;
	if (WSTOPSIG(status) == SIGTRAP)
		return STEP_DONE;
	if (WSTOPSIG(status) == SIGSTOP)
		return is_mark(pid) ? STEP_MARK : STEP_DONE;
	if (WSTOPSIG(status) == SIGCONT || WSTOPSIG(status) == SIGWINCH) /* of a terminal: not ours */
		return STEP_DONE;
	fprintf(stderr, "crash: the stepped process gets signal %d at %#lx\n", WSTOPSIG(status),
		(unsigned long)step_address(pid));
	step_kill(pid);
	return STEP_GONE;
}

enum step_outcome step_on(pid_t pid)
{
	int status;

	return go_on(pid, &status) && WSTOPSIG(status) == SIGSTOP ? STEP_MARK : STEP_GONE;
}

#ifdef __x86_64__
#define BREAKPOINT 0xccul
#define BREAKPOINT_MASK 0xfful
#define BREAKPOINT_SIZE 1u
#else
#define BREAKPOINT 0xd4200000ul
#define BREAKPOINT_MASK 0xfffffffful
#define BREAKPOINT_SIZE 0u
#endif

static bool step_jump(pid_t pid, uint64_t address)
{
	struct user_regs_struct registers;
	struct iovec all = { .iov_base = &registers, .iov_len = sizeof(registers) };

	if (ptrace(PTRACE_GETREGSET, pid, NT_PRSTATUS, &all))
		return false;
#ifdef __aarch64__
	registers.pc = address;
#else
	registers.rip = address;
#endif
	return ptrace(PTRACE_SETREGSET, pid, NT_PRSTATUS, &all) == 0;
}

enum step_outcome step_until(pid_t pid, uint64_t address, uint32_t times)
{
	uint64_t word;
	int status;

	errno = 0;
	word = (uint64_t)ptrace(PTRACE_PEEKTEXT, pid, address, NULL);
	if (errno)
		return STEP_GONE;
	while (times--) {
		enum step_outcome step;

		/* It may stand on the place itself. */
		step = step_once(pid);
		if (step != STEP_DONE)
			return step;
		if (step_address(pid) == address)
			continue;
		if (ptrace(PTRACE_POKETEXT, pid, address, (word & ~BREAKPOINT_MASK) | BREAKPOINT))
			return STEP_GONE;
		if (!go_on(pid, &status))
			return STEP_GONE;
		if (ptrace(PTRACE_POKETEXT, pid, address, word))
			return STEP_GONE;
		if (WSTOPSIG(status) != SIGTRAP)
			return STEP_MARK;
		if (step_address(pid) - BREAKPOINT_SIZE != address || !step_jump(pid, address))
			return STEP_GONE;
	}
	return STEP_DONE;
}

void step_kill(pid_t pid)
{
	int status;

	kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) == pid && !WIFEXITED(status) && !WIFSIGNALED(status))
		continue;
}
