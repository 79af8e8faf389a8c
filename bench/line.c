/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/line.h"

#include <sys/mman.h>
#include <unistd.h>

#include "common/base/atomic.h"

#define PAGE_BYTES 4096u

double line_round_trip_ns(const struct run *run)
{
	atomic_u64 *line =
		mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	uint64_t begun_ns, n_warm_up = run->count / WARM_UP_PART;
	pid_t pid;

	if (line == MAP_FAILED || (pid = fork()) < 0)
		die("cannot fork");
	if (pid == 0) {
		run_pin(run, CPU_CONSUMER);
		for (uint64_t i = 0; i < run->count; i++) {
			while (load_acquire(line) != 2 * i + 1)
				;
			store_release(line, 2 * i + 2);
		}
		_exit(0);
	}
	run_pin(run, CPU_PRODUCER);
	begun_ns = 0;
	for (uint64_t i = 0; i < run->count; i++) {
		if (i == n_warm_up)
			begun_ns = time_now_ns();
		store_release(line, 2 * i + 1);
		while (load_acquire(line) != 2 * i + 2)
			;
	}
	begun_ns = time_now_ns() - begun_ns;
	run_reap(1);
	munmap((void *)line, PAGE_BYTES);
	return (double)begun_ns / (double)(run->count - n_warm_up);
}
