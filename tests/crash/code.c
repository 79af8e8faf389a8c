/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A step by the processor's trap flag is a debug exception, and in a virtual machine that costs some 30 us; a breakpoint costs a
 * fifth of it. So a child executes a copy of this program's instructions, in memory that it shares with the one who steps it, and in
 * which each instruction begins with a breakpoint. Where it stands the first byte is put back for as long as that one instruction takes:
 *
 *      parent   copy, writable     ...  cc e5  [48] 89 ..  cc 8b ..      a store each to take a breakpoint away and to put it back
 *      child    the same, at the   ...  cc e5  [48] 89 ..  cc 8b ..      runs from [ ] into the next cc, wherever that is
 *               program's address
 *
 * Where instructions begin is what objdump says. Those after which comes no breakpoint (a return, an indirect jump, a call into libc)
 * are stepped over by the flag, and so is what lies outside the program.
 */
#include "tests/crash/code.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#ifdef __x86_64__

#include <link.h>

#define BREAKPOINT 0xcc

static uint64_t loaded_at;   /* what is added to the addresses in the file */
static unsigned char *begin; /* of the program's executable segment, whole pages */
static size_t size_bytes;
static unsigned char *kinds;   /* enum code_kind by offset; NULL: not known */
static unsigned char *stopped; /* the segment, with all breakpoints */

static uint64_t offset_of(uint64_t address)
{
	return address - (uint64_t)(uintptr_t)begin;
}

static int find_segment(struct dl_phdr_info *info, size_t size, void *unused)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	(void)size;
	(void)unused;
	loaded_at = info->dlpi_addr;
	for (int i = 0; i < info->dlpi_phnum; i++)
		if (info->dlpi_phdr[i].p_type == PT_LOAD && info->dlpi_phdr[i].p_flags & PF_X) {
			begin = (unsigned char *)(info->dlpi_addr + info->dlpi_phdr[i].p_vaddr / page * page);
			size_bytes = (info->dlpi_phdr[i].p_vaddr % page + info->dlpi_phdr[i].p_memsz + page - 1) /
				     page * page;
		}
	return 1; /* the first is the program */
}

/* Of an instruction as objdump writes it. */
static enum code_kind kind_of(const char *text)
{
	static const char *const others[] = { "ret", "rep", "bnd ", "syscall", "hlt", "int", "iret", "pushf", "popf" };

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (!strncmp(text, others[i], strlen(others[i])))
			return CODE_OTHER;
	return (strstr(text, "call") || strstr(text, "jmp")) && strchr(text, '*') ? CODE_OTHER : CODE_PLAIN;
}

/* "  1189:\tmov    %rsp,%rbp": addresses as in the file. */
static bool read_instructions(void)
{
	char command[80], *line = NULL;
	size_t n_line = 0;
	FILE *pipe;

	snprintf(command, sizeof(command), "exec objdump -d --no-show-raw-insn /proc/%d/exe 2>&1", (int)getpid());
	pipe = popen(command, "r");
	while (pipe && getline(&line, &n_line, pipe) > 0) {
		char *end;
		uint64_t offset = offset_of(loaded_at + strtoull(line, &end, 16));

		if (line[0] == ' ' && end[0] == ':' && end[1] == '\t' && offset < size_bytes)
			kinds[offset] = (unsigned char)kind_of(end + 2);
	}
	free(line);
	return pipe && pclose(pipe) == 0;
}

/* Some machines forbid to execute what was written. */
static bool may_execute(void)
{
	unsigned char *code = code_new();
	bool may = code && !mprotect(code, size_bytes, PROT_READ | PROT_EXEC);

	code_free(code);
	return may;
}

void code_begin(void)
{
	dl_iterate_phdr(find_segment, NULL);
	kinds = calloc(1, size_bytes);
	stopped = malloc(size_bytes);
	if (!kinds || !stopped || !may_execute() || !read_instructions()) {
		fprintf(stderr, "crash: no copy of this program's code can be made: its steps are slower\n");
		free(kinds);
		kinds = NULL;
		return;
	}
	memcpy(stopped, begin, size_bytes);
	for (size_t i = 0; i < size_bytes; i++)
		if (kinds[i])
			stopped[i] = BREAKPOINT;
}

unsigned char *code_new(void)
{
	unsigned char *code =
		kinds ? mmap(NULL, size_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0) : MAP_FAILED;

	if (code == MAP_FAILED)
		return NULL;
	memcpy(code, begin, size_bytes);
	return code;
}

void code_free(unsigned char *code)
{
	if (code)
		munmap(code, size_bytes);
}

void code_enter(unsigned char *code)
{
	if (code && (mprotect(code, size_bytes, PROT_READ | PROT_EXEC) ||
		     mremap(code, size_bytes, size_bytes, MREMAP_MAYMOVE | MREMAP_FIXED, begin) != begin))
		_exit(1);
}

enum code_kind code_kind(uint64_t address)
{
	return kinds && offset_of(address) < size_bytes ? (enum code_kind)kinds[offset_of(address)] : CODE_NONE;
}

void code_stop_everywhere(unsigned char *code, bool stop)
{
	memcpy(code, stop ? stopped : begin, size_bytes);
}

void code_stop_at(unsigned char *code, uint64_t address, bool stop)
{
	*(volatile unsigned char *)&code[offset_of(address)] = stop ? BREAKPOINT : begin[offset_of(address)];
}

#else

void code_begin(void)
{
}

unsigned char *code_new(void)
{
	return NULL;
}

void code_free(unsigned char *code)
{
	(void)code;
}

void code_enter(unsigned char *code)
{
	(void)code;
}

enum code_kind code_kind(uint64_t address)
{
	(void)address;
	return CODE_NONE;
}

void code_stop_everywhere(unsigned char *code, bool stop)
{
	(void)code;
	(void)stop;
}

void code_stop_at(unsigned char *code, uint64_t address, bool stop)
{
	(void)code;
	(void)address;
	(void)stop;
}

#endif
