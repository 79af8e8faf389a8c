/* SPDX-License-Identifier: Apache-2.0 */
/* A dead worker's memory is mapped for its repair, though the supervisor may have no more address space. */
#undef NDEBUG
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>
#include <cmocka.h>

#include "broker/supervise/supervisor_priv.h"
#include "tests/unit/broker/supervise/trial.h"

#define STORE 1

static void on_log(void *data, enum weir_log_level level, const char *stage, int worker, pid_t pid,
		   const struct log_item *item, const char *line)
{
	(void)data;
	(void)level;
	(void)stage;
	(void)worker;
	(void)pid;
	(void)item;
	(void)line;
}

/* What it has now is all that it may have. */
static void be_short_of_room(void)
{
	struct rlimit limit;
	char line[128] = "";
	int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_true(read(fd, line, sizeof(line) - 1) > 0);
	close(fd);
	assert_return_code(getrlimit(RLIMIT_AS, &limit), 0);
	limit.rlim_cur = strtoul(line, NULL, 10) * (unsigned long)sysconf(_SC_PAGESIZE);
	assert_return_code(setrlimit(RLIMIT_AS, &limit), 0);
}

static void have_room(void)
{
	struct rlimit limit;

	assert_return_code(getrlimit(RLIMIT_AS, &limit), 0);
	limit.rlim_cur = limit.rlim_max;
	assert_return_code(setrlimit(RLIMIT_AS, &limit), 0);
}

static void test_a_repair_finds_room_again_and_again(void **state)
{
	const struct supervisor_settings settings = { .worker_path = "/nowhere", .endpoint = "ipc:///nowhere" };
	const struct supervisor_callbacks callbacks = { .log = on_log };
	static struct made_plan made;
	struct segment segment = SEGMENT_NULL;
	struct supervisor *supervisor = NULL;
	struct text why = TEXT_NULL;
	sd_event *event = NULL;
	const struct seat *seat;
	int plain, repairs[3];

	(void)state;
	make_plan(&made, "run", "run", 1);
	assert_return_code(sd_event_new(&event), 0);
	assert_int_equal(supervisor_new(&made.plan, event, &settings, &callbacks, &supervisor, &why), 0);
	seat = &supervisor->seats[STORE];
	be_short_of_room();
	plain = segment_attach(&segment, seat->segment_fd, &seat->segment.geometry, SEGMENT_WRITE);
	for (unsigned i = 0; i < 3; i++) {
		be_short_of_room();
		repairs[i] = seat_open_for_repair(seat, &segment);
		if (repairs[i] == 0)
			seat_close_after_repair(seat, &segment);
	}
	have_room();
	if (plain != -ENOMEM)
		skip(); /* a limit of the address space is none here: a sanitizer has taken all of it before */
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(repairs[i], 0);
	supervisor_free(supervisor);
	sd_event_unref(event);
	text_deinit(&why);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_repair_finds_room_again_and_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
