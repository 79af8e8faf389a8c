/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the machine gives: the round trip of one cache line between two processors, memcpy on one, a fence, a system call. Prints one
 * line of JSON, in nanoseconds and bytes per second. --count is the number of round trips.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bench/line.h"
#include "common/base/atomic.h"

#define COPY_BYTES (UINT64_C(1) << 29) /* copied for each block size */
#define LANE_BYTES (4u << 20)          /* a lane for items of 1 MiB */
#define N_FENCES 1000000u
#define N_CALLS 200000u

/* Blocks that follow each other through room_bytes, as they do through a lane; room_bytes = block_bytes: always the same one. */
static double copy_bytes_per_s(size_t block_bytes, size_t room_bytes)
{
	unsigned char *from = message_new(room_bytes), *to = message_new(room_bytes);
	uint64_t begun_ns, n = COPY_BYTES / block_bytes;

	begun_ns = time_now_ns();
	for (uint64_t i = 0; i < n; i++) {
		size_t at = i * block_bytes % room_bytes;

		memcpy(to + at, from + at, block_bytes);
		__asm__ volatile("" : : "r"(to), "r"(from) : "memory");
	}
	begun_ns = time_now_ns() - begun_ns;
	free(from);
	free(to);
	return (double)(n * block_bytes) * 1e9 / (double)begun_ns;
}

static double fence_ns(void)
{
	uint64_t begun_ns = time_now_ns();

	for (uint32_t i = 0; i < N_FENCES; i++)
		fence_seq_cst();
	return (double)(time_now_ns() - begun_ns) / N_FENCES;
}

static double system_call_ns(void)
{
	uint64_t begun_ns = time_now_ns();

	for (uint32_t i = 0; i < N_CALLS; i++)
		(void)syscall(SYS_getppid);
	return (double)(time_now_ns() - begun_ns) / N_CALLS;
}

int main(int argc, char **argv)
{
	struct run run;

	run_read(argc, argv, "bench hardware", &run);
	printf("{\"line_round_trip_ns\": %.1f, ", line_round_trip_ns(&run));
	printf("\"memcpy_16_KiB\": %.0f, \"memcpy_512_KiB\": %.0f, \"memcpy_16_MiB\": %.0f, \"memcpy_lane\": %.0f, ",
	       copy_bytes_per_s(16 << 10, 16 << 10), copy_bytes_per_s(512 << 10, 512 << 10),
	       copy_bytes_per_s(16 << 20, 16 << 20), copy_bytes_per_s(1 << 20, LANE_BYTES));
	printf("\"fence_ns\": %.2f, \"system_call_ns\": %.1f}\n", fence_ns(), system_call_ns());
	return 0;
}
