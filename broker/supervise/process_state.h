/* SPDX-License-Identifier: Apache-2.0 */
/* What the kernel says of a process that does not move. Reads /proc; does not block. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define PROCESS_NAME_SIZE 64 /* 15 bytes, each as \xHH at worst */

/*
 * 'R' running or ready to, 'S' asleep, 'D' asleep and not to be woken by signals, 'T' stopped, by a signal or a debugger; 0: not known.
 * *ret_starved_ns: how long it was ready and got no processor since it began; 0 where the kernel does not count that.
 */
char process_state(pid_t pid, uint64_t *ret_starved_ns);
/* The kernel's function that it sleeps in, "" if that is not told. */
void process_where(pid_t pid, char *where, size_t size_bytes);
/*
 * When it began, in the kernel's ticks since boot: tells it from a later one of the same number. 0: it is not there, or that is not told.
 */
uint64_t process_began_ticks(pid_t pid);
/* Filters of system calls that it is under, and this process is not; -1: not known, or there is no such process. */
int process_filters(pid_t pid);
/* Memory of it that is in use, and what of that is neither shared memory nor pages of files; 0: there is no such process. */
struct process_memory {
	uint64_t resident_bytes, private_bytes;
};
struct process_memory process_memory_of(pid_t pid);
/* Descriptors that this process has open; as long as counting them takes. 0: not known. */
uint64_t process_open_files(void);
/* Whose child it is; 0: it is not there. */
pid_t process_parent(pid_t pid);
/* Its first child, whose name is what it likes: what a terminal would obey is \xHH. 0 if it has none, or that is not told. */
pid_t process_child(pid_t pid, char ret_name[static PROCESS_NAME_SIZE]);
/* It sleeps in a read of its standard input; false: it does not, or that is not told. */
bool process_reads_input(pid_t pid);
