/* SPDX-License-Identifier: Apache-2.0 */
/*
 * After each step the child is stopped between two instructions: what shared memory holds then is what it would hold had SIGKILL
 * struck there. A step is a run into the next breakpoint (code.c), or PTRACE_SINGLESTEP where there is none. SIGSTOP, which the
 * child sends itself, marks where a walk begins and ends.
 */
#include "tests/crash/step.h"

#include <elf.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/crash/code.h"

#ifdef __x86_64__
#define BREAKPOINT 0xccul
#define BREAKPOINT_MASK 0xfful
#define BREAKPOINT_SIZE 1u
#else
#define BREAKPOINT 0xd4200000ul
#define BREAKPOINT_MASK 0xfffffffful
#define BREAKPOINT_SIZE 0u
#endif

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

/* Until it stops. False: it has ended, and is reaped. */
static bool wait_for_stop(struct step_child *child, int *status)
{
	if (waitpid(child->pid, status, 0) != child->pid || !WIFSTOPPED(*status)) {
		child->pid = 0;
		return false;
	}
	return true;
}

/* Lets it run until it stops for something else than a signal from elsewhere. */
static bool go_on(struct step_child *child, int *status)
{
	do
		if (ptrace(PTRACE_CONT, child->pid, NULL, NULL) || !wait_for_stop(child, status))
			return false;
	while (WSTOPSIG(*status) == SIGCONT || (WSTOPSIG(*status) == SIGSTOP && !is_mark(child->pid)));
	return true;
}

static uint64_t address_of(pid_t pid)
{
#ifdef __aarch64__
	struct user_regs_struct registers;
	struct iovec all = { .iov_base = &registers, .iov_len = sizeof(registers) };

	return ptrace(PTRACE_GETREGSET, pid, NT_PRSTATUS, &all) ? 0 : registers.pc;
#else
	/* one word: this is asked after every step */
	return (uint64_t)ptrace(PTRACE_PEEKUSER, pid, offsetof(struct user_regs_struct, rip), NULL);
#endif
}

static bool jump(pid_t pid, uint64_t address)
{
#ifdef __aarch64__
	struct user_regs_struct registers;
	struct iovec all = { .iov_base = &registers, .iov_len = sizeof(registers) };

	if (ptrace(PTRACE_GETREGSET, pid, NT_PRSTATUS, &all))
		return false;
	registers.pc = address;
	return ptrace(PTRACE_SETREGSET, pid, NT_PRSTATUS, &all) == 0;
#else
	return ptrace(PTRACE_POKEUSER, pid, offsetof(struct user_regs_struct, rip), address) == 0;
#endif
}

int step_spawn(struct step_child *ret_child, void (*body)(void *argument), void *argument, bool own_code)
{
	struct step_child child = { .code = own_code ? code_new() : NULL };
	int status;

	child.pid = fork();
	if (child.pid < 0) {
		int r = -errno;

		code_free(child.code);
		return r;
	}
	if (!child.pid) {
		if (prctl(PR_SET_PDEATHSIG, SIGKILL) || ptrace(PTRACE_TRACEME, 0, NULL, NULL))
			_exit(1);
		code_enter(child.code);
		self = getpid();
		body(argument);
		_exit(0);
	}
	if (!wait_for_stop(&child, &status)) {
		step_kill(&child);
		return -EPERM;
	}
	if ((WSTOPSIG(status) != SIGTRAP && !is_mark(child.pid) && !go_on(&child, &status)) ||
	    WSTOPSIG(status) != SIGSTOP) {
		step_kill(&child);
		return -ECHILD;
	}
	child.address = address_of(child.pid);
	if (child.code)
		code_stop_everywhere(child.code, true);
	*ret_child = child;
	return 0;
}

/* ---- one step ---- */

/* What it has stopped for. */
static enum step_outcome outcome_of(struct step_child *child, int status)
{
	child->address = address_of(child->pid);
	if (WSTOPSIG(status) == SIGTRAP)
		return STEP_DONE;
	if (WSTOPSIG(status) == SIGSTOP)
		return is_mark(child->pid) ? STEP_MARK : STEP_DONE;
	if (WSTOPSIG(status) == SIGCONT || WSTOPSIG(status) == SIGWINCH) /* of a terminal: not ours */
		return STEP_DONE;
	fprintf(stderr, "crash: the stepped process gets signal %d at %#" PRIx64 "\n", WSTOPSIG(status),
		child->address);
	kill(child->pid, SIGKILL);
	return STEP_GONE;
}

/* Runs into a breakpoint: of its copy, or the only one. */
static enum step_outcome run_into_stop(struct step_child *child)
{
	enum step_outcome outcome;
	int status;

	if (ptrace(PTRACE_CONT, child->pid, NULL, NULL) || !wait_for_stop(child, &status))
		return STEP_GONE;
	outcome = outcome_of(child, status);
	if (WSTOPSIG(status) != SIGTRAP)
		return outcome;
	child->address -= BREAKPOINT_SIZE;
	return jump(child->pid, child->address) ? STEP_DONE : STEP_GONE;
}

static enum step_outcome step_by_flag(struct step_child *child)
{
	int status;

	if (ptrace(PTRACE_SINGLESTEP, child->pid, NULL, NULL) || !wait_for_stop(child, &status))
		return STEP_GONE;
	return outcome_of(child, status);
}

#ifdef __x86_64__

/* rep movs, rep stos: its length with all prefixes; 0: it is another instruction. */
static unsigned string_length(const struct step_child *child, unsigned *ret_width_bytes)
{
	unsigned char code[sizeof(long)];
	unsigned wide;
	long word;

	errno = 0;
	word = ptrace(PTRACE_PEEKTEXT, child->pid, child->address, NULL);
	memcpy(code, &word, sizeof(code));
	if (errno || code[0] != 0xf3)
		return 0;
	wide = (code[1] & 0xf8) == 0x48;
	*ret_width_bytes = !(code[1 + wide] & 1) ? 1 : wide ? 8 : 4;
	return (code[1 + wide] & 0xfe) == 0xa4 || (code[1 + wide] & 0xfe) == 0xaa ? 2 + wide : 0;
}

/* Nobody else sees the memory from `begin` to `end`. */
static bool is_private(pid_t pid, uint64_t begin, uint64_t end)
{
	char path[64], line[512], access[5] = "";
	uint64_t from, to;
	FILE *maps;

	snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
	maps = fopen(path, "r");
	/* ascending; it may be more than one */
	while (maps && begin < end && fgets(line, sizeof(line), maps))
		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s", &from, &to, access) == 3 && from <= begin &&
		    begin < to && access[3] == 'p')
			begin = to;
	if (maps)
		fclose(maps);
	return begin >= end;
}

/* It stands before a string instruction, or between two of its rounds, that writes to private memory alone. */
static bool is_private_string(struct step_child *child)
{
	struct user_regs_struct registers;
	unsigned width_bytes;

	if (child->address == child->shared_from || !string_length(child, &width_bytes))
		return false;
	if (ptrace(PTRACE_GETREGS, child->pid, NULL, &registers) == 0 &&
	    is_private(child->pid, registers.rdi, registers.rdi + registers.rcx * width_bytes))
		return true;
	child->shared_from = child->address;
	return false;
}

static enum step_outcome run_string(struct step_child *child)
{
	unsigned width_bytes;
	uint64_t behind = child->address + string_length(child, &width_bytes);
	enum step_outcome outcome;
	uint64_t word;

	if (child->code && code_kind(behind))
		return run_into_stop(child);
	errno = 0;
	word = (uint64_t)ptrace(PTRACE_PEEKTEXT, child->pid, behind, NULL);
	if (errno || ptrace(PTRACE_POKETEXT, child->pid, behind, (word & ~BREAKPOINT_MASK) | BREAKPOINT))
		return STEP_GONE;
	outcome = run_into_stop(child);
	return ptrace(PTRACE_POKETEXT, child->pid, behind, word) ? STEP_GONE : outcome;
}

#else

static bool is_private_string(struct step_child *child)
{
	(void)child;
	return false;
}

static enum step_outcome run_string(struct step_child *child)
{
	return step_by_flag(child);
}

#endif

enum step_outcome step_once(struct step_child *child)
{
	uint64_t address = child->address;
	enum code_kind kind = child->code ? code_kind(address) : CODE_NONE;
	enum step_outcome outcome;

	if (kind != CODE_NONE)
		code_stop_at(child->code, address, false);
	outcome = kind == CODE_PLAIN       ? run_into_stop(child) :
		  is_private_string(child) ? run_string(child) :
					     step_by_flag(child);
	if (kind != CODE_NONE)
		code_stop_at(child->code, address, true);
	if (child->address != address)
		child->shared_from = 0;
	if (kind == CODE_PLAIN && outcome == STEP_DONE && code_kind(child->address) == CODE_NONE) {
		fprintf(stderr, "crash: from %#" PRIx64 " it has run on to %#" PRIx64 "\n", address, child->address);
		return STEP_GONE;
	}
	return outcome;
}

/* ---- many steps ---- */

/* The only breakpoint from now on, or none again. */
static bool stop_only_at(struct step_child *child, uint64_t address, uint64_t word, bool stop)
{
	if (!child->code)
		return ptrace(PTRACE_POKETEXT, child->pid, address,
			      stop ? (word & ~BREAKPOINT_MASK) | BREAKPOINT : word) == 0;
	code_stop_at(child->code, address, stop);
	return true;
}

/* From outside the copy's breakpoints. */
static enum step_outcome run_until(struct step_child *child, uint64_t address, uint32_t times)
{
	enum step_outcome outcome = STEP_DONE;
	uint64_t word;

	errno = 0;
	word = (uint64_t)ptrace(PTRACE_PEEKTEXT, child->pid, address, NULL);
	if (errno)
		return STEP_GONE;
	while (times-- && outcome == STEP_DONE) {
		int status;

		/* It may stand on the place itself. */
		outcome = step_by_flag(child);
		if (outcome != STEP_DONE || child->address == address)
			continue;
		if (!stop_only_at(child, address, word, true) || !go_on(child, &status) ||
		    !stop_only_at(child, address, word, false))
			return STEP_GONE;
		child->address = address_of(child->pid);
		if (WSTOPSIG(status) != SIGTRAP)
			return STEP_MARK;
		if (child->address - BREAKPOINT_SIZE != address || !jump(child->pid, address))
			return STEP_GONE;
		child->address = address;
	}
	return outcome;
}

enum step_outcome step_until(struct step_child *child, uint64_t address, uint32_t times)
{
	enum step_outcome outcome;

	if (child->code)
		code_stop_everywhere(child->code, false);
	outcome = run_until(child, address, times);
	if (child->code)
		code_stop_everywhere(child->code, true);
	return outcome;
}

enum step_outcome step_on(struct step_child *child)
{
	bool runs;
	int status;

	if (child->code)
		code_stop_everywhere(child->code, false);
	runs = go_on(child, &status);
	if (child->code)
		code_stop_everywhere(child->code, true);
	child->address = runs ? address_of(child->pid) : 0;
	return runs && WSTOPSIG(status) == SIGSTOP ? STEP_MARK : STEP_GONE;
}

void step_kill(struct step_child *child)
{
	int status;

	if (child->pid)
		kill(child->pid, SIGKILL);
	while (child->pid && waitpid(child->pid, &status, 0) == child->pid && !WIFEXITED(status) &&
	       !WIFSIGNALED(status))
		continue;
	code_free(child->code);
	*child = (struct step_child){ 0 };
}
