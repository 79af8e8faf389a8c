/* SPDX-License-Identifier: Apache-2.0 */
/* What is outside the measured loops: command line, processes, results. */
#include <errno.h>
#include <getopt.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench/transport.h"
#include "common/base/atomic.h"

static const char *program;
static struct {
	atomic_u32 done;
	atomic_u32 bound[CHANNELS_MAX];
} * shared;

void die(const char *format, ...)
{
	int error = errno;
	va_list arguments;

	fprintf(stderr, "%s: ", program);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fprintf(stderr, error ? ": %s\n" : "\n", strerror(error));
	_exit(1);
}

static uint64_t read_number(const char *option, const char *text)
{
	char *end;
	uint64_t value;

	errno = 0;
	value = strtoull(text, &end, 10);
	if (errno || *end || end == text || *text == '-')
		die("--%s takes a whole number, not '%s'", option, text);
	return value;
}

static enum shape read_shape(const char *text)
{
	static const char *const names[] = { "one-way", "round-trip", "fan", "many" };

	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(text, names[i]) == 0)
			return (enum shape)i;
	errno = 0;
	die("--shape is one-way, round-trip, fan or many, not '%s'", text);
}

/* Takes one option into the run; false: it is none of ours. */
static bool read_option(struct run *run, int option, const char *text)
{
	switch (option) {
	case 's':
		run->shape = read_shape(text);
		return true;
	case 'b':
		run->size_bytes = read_number("size", text);
		return true;
	case 'n':
		run->count = read_number("count", text);
		return true;
	case 'k':
		run->batch = (uint32_t)read_number("batch", text);
		return true;
	case 'c':
		run->capacity_bytes = read_number("capacity", text);
		return true;
	case 'p':
		run->spins = (uint32_t)read_number("spins", text);
		return true;
	case 't':
		run->think_ns = read_number("think", text);
		return true;
	case 'l':
		run->poll = true;
		return true;
	case 'u':
		run->pinned = false;
		return true;
	case 'o':
		run->one_processor = true;
		return true;
	case 'f':
		run->folder = text;
		return true;
	default:
		return false;
	}
}

void run_read(int argc, char **argv, const char *name, struct run *ret_run)
{
	static const struct option options[] = {
		{ "shape", required_argument, NULL, 's' },    { "size", required_argument, NULL, 'b' },
		{ "count", required_argument, NULL, 'n' },    { "batch", required_argument, NULL, 'k' },
		{ "capacity", required_argument, NULL, 'c' }, { "spins", required_argument, NULL, 'p' },
		{ "think", required_argument, NULL, 't' },    { "poll", no_argument, NULL, 'l' },
		{ "unpinned", no_argument, NULL, 'u' },       { "folder", required_argument, NULL, 'f' },
		{ "one-processor", no_argument, NULL, 'o' },  { NULL, 0, NULL, 0 },
	};
	struct run run = {
		.size_bytes = 64,
		.count = 100000,
		.batch = 1,
		.capacity_bytes = 512 * 1024,
		.spins = 4096,
		.pinned = true,
		.folder = "/tmp",
	};
	int option;

	program = name;
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
		if (!read_option(&run, option, optarg))
			exit(2);
	errno = 0;
	if (run.size_bytes < sizeof(uint64_t) || run.size_bytes > (64u << 20) || !run.batch ||
	    run.count < 2 * WARM_UP_PART)
		die("needs --size of 8 to 64 Mi, --batch of at least 1 and --count of at least %u", 2 * WARM_UP_PART);
	*ret_run = run;
}

void run_pin(const struct run *run, int cpu)
{
	cpu_set_t set;

	if (!run->pinned)
		return;
	CPU_ZERO(&set);
	CPU_SET((size_t)(run->one_processor ? CPU_PRODUCER : cpu), &set);
	if (sched_setaffinity(0, sizeof(set), &set) < 0)
		die("cannot run on processor %d", cpu);
}

uint64_t time_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint64_t time_pass(uint64_t pause_ns)
{
	uint64_t now_ns = time_now_ns(), end_ns = now_ns + pause_ns;

	while (now_ns < end_ns) {
		cpu_relax();
		now_ns = time_now_ns();
	}
	return now_ns;
}

unsigned char *message_new(size_t size_bytes)
{
	unsigned char *message =
		aligned_alloc(MESSAGE_LINE, (size_bytes + MESSAGE_LINE - 1) & ~(size_t)(MESSAGE_LINE - 1));

	if (!message)
		die("no memory for a message of %zu bytes", size_bytes);
	for (size_t i = 0; i < size_bytes; i++)
		message[i] = (unsigned char)(i / MESSAGE_LINE * 7 + 1);
	return message;
}

uint64_t message_sum(size_t size_bytes)
{
	uint64_t sum = 0;

	for (size_t at = MESSAGE_LINE; at < size_bytes; at += MESSAGE_LINE)
		sum += (unsigned char)(at / MESSAGE_LINE * 7 + 1);
	return sum;
}

void run_share(void)
{
	shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		die("no shared page");
}

void run_done(void)
{
	store_release(&shared->done, 1);
}

bool run_is_done(void)
{
	return load_acquire(&shared->done);
}

void run_wait_done(void)
{
	while (!run_is_done())
		usleep(1000);
}

void run_bound(uint32_t index)
{
	store_release(&shared->bound[index], 1);
}

void run_wait_bound(uint32_t index)
{
	while (!load_acquire(&shared->bound[index]))
		usleep(100);
}

void run_reap(uint32_t n_children)
{
	for (uint32_t i = 0; i < n_children; i++) {
		int status;

		if (wait(&status) < 0)
			die("cannot wait for a child");
		errno = 0;
		if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
			die("a child failed");
	}
}

void report_rate(const struct run *run, uint64_t n_messages, uint64_t elapsed_ns)
{
	double rate = (double)n_messages * 1e9 / (double)elapsed_ns;

	printf("{\"rate\": %.0f, \"bytes_per_s\": %.0f}\n", rate, rate * (double)run->size_bytes);
}

static int compare_samples(const void *left, const void *right)
{
	uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;

	return a < b ? -1 : a > b;
}

void report_round_trips(uint32_t *samples_ns, uint64_t n_samples)
{
	qsort(samples_ns, n_samples, sizeof(*samples_ns), compare_samples);
	printf("{\"p50\": %u, \"p99\": %u, \"p999\": %u}\n", samples_ns[n_samples / 2],
	       samples_ns[n_samples * 99 / 100], samples_ns[n_samples * 999 / 1000]);
}
