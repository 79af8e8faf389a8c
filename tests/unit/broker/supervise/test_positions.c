/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What one run leaves to the next: cursor and spool, only after an end in which all has arrived, and nothing of a file that is not whole.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "broker/supervise/positions.h"
#include "broker/supervise/supervisor_priv.h"
#include "common/flow/commit.h"

static char folder[64], file[128], said[512];

static void log_to_us(void *data, enum weir_log_level level, const char *stage, int worker, pid_t pid,
		      const struct log_item *item, const char *line)
{
	(void)data;
	(void)level;
	(void)stage;
	(void)worker;
	(void)pid;
	(void)item;
	snprintf(said, sizeof(said), "%s", line);
}

/* A supervisor with one seat, of a stage that keeps its position. */
struct run {
	struct supervisor supervisor;
	struct plan plan;
	struct plan_stage stage;
	struct seat seat;
};

static void begin(struct run *run)
{
	static char name[] = "read";
	struct segment_geometry geometry;

	*run = (struct run){ .stage = { .name = name, .keeps = true, .n_spools = 1 },
			     .plan = { .n_slots = 1 },
			     .supervisor = { .callbacks.log = log_to_us } };
	run->seat.supervisor = &run->supervisor;
	run->seat.stage = &run->stage;
	run->supervisor.plan = &run->plan;
	run->supervisor.seats = &run->seat;
	run->supervisor.positions = folder;
	segment_plan(&geometry, 0, 0, 0, NULL, NULL);
	assert_int_equal(segment_create(&geometry, "weir-read", &run->seat.segment_fd), 0);
	assert_int_equal(segment_attach(&run->seat.segment, run->seat.segment_fd, &geometry, SEGMENT_READ), 0);
	assert_int_equal(memfd_new("weir-spool", &run->seat.spool_fds[0]), 0);
	said[0] = '\0';
}

static void end(struct run *run)
{
	segment_detach(&run->seat.segment);
	close(run->seat.segment_fd);
	close(run->seat.spool_fds[0]);
}

/* What its worker has committed. */
static void stand_at(struct run *run, const char *cursor, const char *spool)
{
	off_t at = (off_t)((const unsigned char *)&run->seat.segment.cursors[0] - run->seat.segment.base) +
		   (off_t)offsetof(struct cursor, stage);

	assert_int_equal(pwrite(run->seat.segment_fd, cursor, strlen(cursor) + 1, at), strlen(cursor) + 1);
	if (*spool)
		assert_int_equal(pwrite(run->seat.spool_fds[0], spool, strlen(spool), 0), strlen(spool));
}

static void assert_stands_at(struct run *run, const char *cursor, const char *spool)
{
	char bytes[64] = "";

	/* Whichever of the two copies its first commit takes for the one before. */
	for (unsigned i = 0; i < 2; i++)
		assert_string_equal((const char *)run->seat.segment.cursors[i].stage, cursor);
	assert_true(pread(run->seat.spool_fds[0], bytes, sizeof(bytes) - 1, 0) >= 0);
	assert_string_equal(bytes, spool);
}

/* A run that ends so. */
static void leave(const char *cursor, const char *spool, const struct outcome *outcome)
{
	struct run run;

	begin(&run);
	if (outcome)
		run.supervisor.lifecycle.outcome = *outcome;
	stand_at(&run, cursor, spool);
	supervisor_save_positions(&run.supervisor);
	end(&run);
}

static void assert_next_stands_at(const char *cursor, const char *spool)
{
	struct run run;

	begin(&run);
	assert_int_equal(positions_load(&run.supervisor), 0);
	assert_stands_at(&run, cursor, spool);
	end(&run);
}

static int set_up(void **state)
{
	(void)state;
	strcpy(folder, "/tmp/weir-positions-XXXXXX");
	assert_non_null(mkdtemp(folder));
	strcat(folder, "/a/b");
	snprintf(file, sizeof(file), "%s/read", folder);
	return 0;
}

static int tear_down(void **state)
{
	char command[160];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %.26s", folder);
	return system(command);
}

static void test_from_run_to_run(void **state)
{
	struct stat st;
	struct run run;

	(void)state;
	assert_next_stands_at("", ""); /* the first */
	assert_string_equal(said, "");
	leave("here", "and these files", NULL);
	assert_int_equal(stat(file, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_next_stands_at("here", "and these files");
	leave("there", "", NULL);
	assert_next_stands_at("there", "");
	assert_string_equal(said, "");
	/* One that keeps nothing neither finds nor leaves anything. */
	begin(&run);
	run.stage.keeps = false;
	stand_at(&run, "elsewhere", "");
	supervisor_save_positions(&run.supervisor);
	end(&run);
	assert_next_stands_at("there", "");
}

static void test_not_all_has_arrived(void **state)
{
	static const struct outcome ends[] = {
		{ .corrupt = true },
		{ .start_failed = true },
		{ .in_lanes = 1, .ledger[LEDGER_EMITTED] = 1 },
		{ .ledger = { [LEDGER_EMITTED] = 1, [LEDGER_TAKEN] = 1, [LEDGER_HELD] = 1 } },
		{ .ledger = { [LEDGER_EMITTED] = 1, [LEDGER_TAKEN] = 1, [LEDGER_CANCELLED] = 1 } },
		{ .ledger = { [LEDGER_EMITTED] = 2, [LEDGER_TAKEN] = 1, [LEDGER_DELIVERED] = 1 } },
	};

	(void)state;
	leave("here", "", NULL);
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		leave("too far", "", &ends[i]);
		assert_non_null(strstr(said, "not everything that 'read' has read has arrived"));
		assert_next_stands_at("here", "");
	}
}

/* Each byte of it counts, and so does its length. */
static void test_damaged(void **state)
{
	(void)state;
	for (off_t at = 0;; at += 37) {
		unsigned char byte;
		int fd;

		leave("here", "a spool of some length, with bytes that matter", NULL);
		fd = open(file, O_RDWR);
		if (pread(fd, &byte, 1, at) != 1) {
			assert_int_equal(ftruncate(fd, at - 74), 0);
			close(fd);
			assert_next_stands_at("", "");
			break;
		}
		byte ^= 0x20;
		assert_int_equal(pwrite(fd, &byte, 1, at), 1);
		close(fd);
		assert_next_stands_at("", "");
		assert_non_null(strstr(
			said, "it is damaged, or another version of weir has written it; it begins as in a first run"));
	}
}

static void test_no_place(void **state)
{
	(void)state;
	leave("here", "", NULL);
	assert_int_equal(unlink(file), 0);
	assert_int_equal(mkdir(file, 0700), 0); /* nothing can be renamed to that */
	leave("there", "", NULL);
	assert_non_null(strstr(said, "cannot keep what 'read' has read"));
	strcat(file, ".new");
	assert_int_equal(access(file, F_OK), -1); /* and nothing half done is left */
}

/* A stage without a spool has a cursor all the same; one that comes after a stage of its name that had one gets the cursor alone. */
static void test_without_a_spool(void **state)
{
	struct run run;
	int spool;

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		if (i)
			leave("here", "and these files", NULL);
		begin(&run);
		spool = run.seat.spool_fds[0];
		run.seat.spool_fds[0] = -1;
		run.stage.n_spools = 0;
		if (!i) {
			stand_at(&run, "here", "");
			supervisor_save_positions(&run.supervisor);
			stand_at(&run, "there", "");
		}
		assert_int_equal(positions_load(&run.supervisor), 0);
		assert_string_equal((const char *)run.seat.segment.cursors[0].stage, "here");
		assert_string_equal(said, "");
		run.seat.spool_fds[0] = spool;
		end(&run);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_from_run_to_run, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_not_all_has_arrived, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_damaged, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_no_place, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_without_a_spool, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
