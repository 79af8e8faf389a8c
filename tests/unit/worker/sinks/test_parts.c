/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zlib.h>

#include "common/base/clock.h"
#include "tests/unit/worker/fake_host.h"
#include "tests/unit/worker/stage_test.h"
#include "worker/builtin.h"

static void sink_init(struct fake_host *host, const char *path)
{
	fake_host_init(host, &file_sink_callbacks);
	fake_host_option_string(host, "path", folder_path(path));
	fake_host_option_string(host, "existing", "replace");
	fake_host_option_string(host, "on_full", "fail");
}

/* Each test has a folder of its own. */
static void folder_new(const char *name)
{
	assert_int_equal(mkdir(folder_path(name), 0700), 0);
}

static void put(struct fake_host *host, const char *item)
{
	assert_int_equal(fake_host_process(host, item, strlen(item)), 0);
}

/* What the worker does when a watch fires. */
static void turn(struct fake_host *host)
{
	assert_int_equal(fake_host_turn_end(host), 0);
	if (!host->watch_wake_ns || host->watch_wake_ns > clock_now_ns())
		return;
	host->watch_wake_ns = 0;
	assert_int_equal(fake_host_produce(host), 0);
	assert_int_equal(fake_host_turn_end(host), 0);
}

static void finish(struct fake_host *host)
{
	int r = fake_host_finish(host);

	while (r == WEIR_MORE) {
		assert_int_equal(fake_host_turn_end(host), 0);
		r = fake_host_produce(host);
	}
	assert_int_equal(r, 0);
	assert_int_equal(fake_host_turn_end(host), 0);
}

static void again(struct fake_host *host)
{
	fake_host_kill(host);
	host->watch_wake_ns = 0;
	assert_int_equal(fake_host_open(host), 0);
}

static unsigned files_in(const char *folder, bool hidden)
{
	DIR *open_folder = opendir(folder_path(folder));
	struct dirent *entry;
	unsigned n = 0;

	assert_non_null(open_folder);
	while ((entry = readdir(open_folder)))
		n += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
		     (entry->d_name[0] == '.') == hidden;
	closedir(open_folder);
	return n;
}

static void test_rotated_by_size(void **state)
{
	struct fake_host host;

	(void)state;
	folder_new("size");
	file_write_text("size/out-000007.log", "mine\n");
	sink_init(&host, "size/out-{n}.log");
	fake_host_option_number(&host, "rotate_size", 10);
	assert_int_equal(fake_host_open(&host), 0);
	assert_int_equal(files_in("size", true), 0);
	put(&host, "one");
	put(&host, "two");
	turn(&host);
	assert_int_equal(files_in("size", false), 1); /* not before it is whole */
	assert_int_equal(files_in("size", true), 1);
	put(&host, "three");
	turn(&host);
	assert_file_is("size/out-000008.log", "one\ntwo\nthree\n");
	put(&host, "four");
	turn(&host);
	file_write_text("size/out-000009.log", "somebody else\n");
	finish(&host);
	assert_file_is("size/out-000010.log", "four\n");
	assert_file_is("size/out-000009.log", "somebody else\n");
	assert_file_is("size/out-000007.log", "mine\n");
	assert_int_equal(files_in("size", true), 0);
	fake_host_deinit(&host);
}

static void test_rotated_by_time(void **state)
{
	struct fake_host host;

	(void)state;
	folder_new("time");
	sink_init(&host, "time/{time}.log");
	fake_host_option_number(&host, "rotate_every", 50 * NS_PER_MS);
	assert_int_equal(fake_host_open(&host), 0);
	put(&host, "one");
	turn(&host);
	assert_int_equal(files_in("time", false), 0);
	assert_true(host.watch_wake_ns > clock_now_ns());
	usleep(60000);
	host.watch_wake_ns = 0;
	again(&host); /* the age outlives a worker */
	assert_int_equal(fake_host_produce(&host), 0);
	turn(&host);
	assert_int_equal(files_in("time", false), 1);
	put(&host, "two"); /* in the same second, perhaps */
	turn(&host);
	finish(&host);
	assert_int_equal(files_in("time", false), 2);
	assert_int_equal(files_in("time", true), 0);
	fake_host_deinit(&host);
}

static void test_atomic(void **state)
{
	struct fake_host host;

	(void)state;
	folder_new("atomic");
	file_write_text("atomic/out", "old\n");
	sink_init(&host, "atomic/out");
	fake_host_option_number(&host, "atomic", 1);
	assert_int_equal(fake_host_open(&host), 0);
	put(&host, "new");
	turn(&host);
	assert_file_is("atomic/out", "old\n");
	finish(&host);
	assert_file_is("atomic/out", "new\n");
	fake_host_deinit(&host);
	/* nothing came: nothing is what it is */
	sink_init(&host, "atomic/out");
	fake_host_option_number(&host, "atomic", 1);
	assert_int_equal(fake_host_open(&host), 0);
	finish(&host);
	assert_file_is("atomic/out", "");
	assert_int_equal(files_in("atomic", true), 0);
	fake_host_deinit(&host);
}

/* One that is killed behind step `when` of a run: behind a call, or behind a commit. */
struct deadly {
	struct fake_host host;
	unsigned step, when;
};

static bool dies(struct deadly *deadly)
{
	if (deadly->step++ != deadly->when)
		return false;
	again(&deadly->host);
	return true;
}

static void put_items(struct deadly *deadly, unsigned n)
{
	struct fake_host *host = &deadly->host;
	char text[16];

	for (unsigned i = 0; i < n;) {
		for (unsigned j = i; j < i + 2; j++) {
			snprintf(text, sizeof(text), "item %u", j);
			put(host, text);
		}
		if (dies(deadly))
			continue;
		i += 2;
		assert_int_equal(fake_host_turn_end(host), 0);
		(void)dies(deadly);
		if (!host->watch_wake_ns || deadly->step % 3 == 0) /* else the next item does it */
			continue;
		assert_int_equal(fake_host_produce(host), 0);
		if (!dies(deadly))
			assert_int_equal(fake_host_turn_end(host), 0);
	}
}

static void end_deadly(struct deadly *deadly)
{
	(void)dies(deadly);
	if (fake_host_finish(&deadly->host) == WEIR_MORE) {
		if (!dies(deadly))
			assert_int_equal(fake_host_turn_end(&deadly->host), 0);
		if (deadly->step == deadly->when)
			(void)fake_host_produce(&deadly->host);
		(void)dies(deadly);
	}
	finish(&deadly->host);
}

/* All finished files, one behind the other; gzread() reads what is not compressed, too. The caller frees. */
static char *read_parts(const char *folder)
{
	char name[64], buffer[4096], *all = NULL;
	size_t size = 0;
	FILE *to = open_memstream(&all, &size);
	gzFile file;

	for (unsigned number = 1;; number++) {
		int got;

		snprintf(name, sizeof(name), "%s/%06u.log", folder, number);
		file = gzopen(folder_path(name), "rb");
		if (!file)
			break;
		got = gzread(file, buffer, sizeof(buffer));
		assert_true(got >= 0);
		assert_int_equal(gzclose(file), Z_OK); /* its sum, and its end */
		fwrite(buffer, 1, (size_t)got, to);
	}
	fclose(to);
	return all;
}

static void run_deadly(unsigned when, bool gzip, const char *expected)
{
	struct deadly deadly = { .when = when };
	char folder[32], path[64], *all;

	snprintf(folder, sizeof(folder), "kill%u-%u", gzip, when);
	folder_new(folder);
	snprintf(path, sizeof(path), "%s/{n}.log", folder);
	sink_init(&deadly.host, path);
	fake_host_option_number(&deadly.host, "rotate_size", gzip ? 40 : 25);
	if (gzip)
		fake_host_option_string(&deadly.host, "compress", "gzip");
	assert_int_equal(fake_host_open(&deadly.host), 0);
	put_items(&deadly, 12);
	end_deadly(&deadly);
	fake_host_deinit(&deadly.host);
	all = read_parts(folder);
	assert_string_equal(all, expected);
	assert_int_equal(files_in(folder, true), 0);
	free(all);
}

static void test_kills(void **state)
{
	char expected[256];
	size_t n = 0;

	(void)state;
	for (unsigned i = 0; i < 12; i++)
		n += (size_t)snprintf(expected + n, sizeof(expected) - n, "item %u\n", i);
	for (unsigned when = 0; when < 40; when++) {
		run_deadly(when, false, expected);
		run_deadly(when, true, expected);
	}
}

/* What zcat makes of a file that many workers have written. */
static void test_gzip_large(void **state)
{
	struct fake_host host;
	size_t size, got = 0;
	char *text = lines_make(3000, &size), *at = text, *read_back = malloc(size + 1);
	gzFile file;
	int n;

	(void)state;
	folder_new("gzip");
	sink_init(&host, "gzip/out.gz");
	fake_host_option_string(&host, "compress", "gzip");
	assert_int_equal(fake_host_open(&host), 0);
	for (unsigned i = 0; at < text + size; i++) {
		char *newline = memchr(at, '\n', size - (size_t)(at - text));

		assert_int_equal(fake_host_process(&host, at, (size_t)(newline - at)), 0);
		at = newline + 1;
		if (i % 50 == 0)
			turn(&host);
		if (i % 500 == 0)
			again(&host);
	}
	finish(&host);
	fake_host_deinit(&host);
	file = gzopen(folder_path("gzip/out.gz"), "rb");
	assert_non_null(file);
	while ((n = gzread(file, read_back + got, (unsigned)(size + 1 - got))) > 0)
		got += (size_t)n;
	assert_int_equal(n, 0);
	assert_int_equal(gzclose(file), Z_OK);
	assert_int_equal(got, size);
	assert_memory_equal(read_back, text, size);
	free(read_back);
	free(text);
}

static void assert_refused(struct fake_host *host, const char *words)
{
	assert_int_equal(fake_host_open(host), WEIR_FAILED);
	if (!strstr(host->reason, words))
		fail_msg("'%s' does not say '%s'", host->reason, words);
	fake_host_deinit(host);
}

/* A start that is given up leaves nothing; a run that was ended leaves what it has delivered, and the next one says so. */
static void test_unfinished(void **state)
{
	struct fake_host host;

	(void)state;
	folder_new("left");
	sink_init(&host, "left/{n}.log");
	assert_int_equal(fake_host_open(&host), 0);
	fake_host_deinit(&host);
	assert_int_equal(files_in("left", true), 0);
	sink_init(&host, "left/{n}.log");
	assert_int_equal(fake_host_open(&host), 0);
	put(&host, "delivered");
	turn(&host);
	put(&host, "not delivered");
	fake_host_deinit(&host);
	assert_int_equal(files_in("left", true), 1);
	assert_int_equal(files_in("left", false), 0);
	sink_init(&host, "left/{n}.log");
	assert_int_equal(fake_host_open(&host), 0);
	put(&host, "next");
	turn(&host);
	finish(&host);
	fake_host_deinit(&host);
	assert_file_is("left/000001.log", "next\n");
	assert_int_equal(files_in("left", true), 1);
	{
		DIR *folder = opendir(folder_path("left"));
		struct dirent *entry;
		char name[512];

		while ((entry = readdir(folder)))
			if (strstr(entry->d_name, ".part")) {
				snprintf(name, sizeof(name), "left/%s", entry->d_name);
				assert_file_is(name, "delivered\n");
			}
		closedir(folder);
	}
}

static void test_refused(void **state)
{
	struct fake_host host;

	(void)state;
	folder_new("refused");
	folder_new("refused/folder");
	file_write_text("refused/file", "old\n");
	sink_init(&host, "refused/absent/{n}.log");
	assert_refused(&host, "No such file or directory; create its folder first");
	sink_init(&host, "refused/{n}/x.log");
	assert_refused(&host, "{n} or {time} stands for a folder");
	sink_init(&host, "refused/file");
	fake_host_option_number(&host, "rotate_size", 10);
	assert_refused(&host, "put {n} or {time} into the name");
	sink_init(&host, "refused/folder");
	fake_host_option_number(&host, "atomic", 1);
	assert_refused(&host, "Is a directory; name a file in it");
	fake_host_init(&host, &file_sink_callbacks);
	fake_host_option_string(&host, "path", folder_path("refused/file"));
	fake_host_option_string(&host, "existing", "refuse");
	fake_host_option_number(&host, "atomic", 1);
	assert_refused(&host, "exists; move it away, or set `existing: replace`");
}

/* Somebody takes the hidden file away. */
static void test_removed(void **state)
{
	struct fake_host host;
	DIR *folder;
	struct dirent *entry;
	char name[512];

	(void)state;
	folder_new("removed");
	sink_init(&host, "removed/{n}.log");
	assert_int_equal(fake_host_open(&host), 0);
	put(&host, "one");
	turn(&host);
	folder = opendir(folder_path("removed"));
	while ((entry = readdir(folder)))
		if (strstr(entry->d_name, ".part")) {
			snprintf(name, sizeof(name), "removed/%s", entry->d_name);
			assert_int_equal(unlink(folder_path(name)), 0);
		}
	closedir(folder);
	fake_host_kill(&host);
	assert_refused(&host, "has been removed while the pipeline ran");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rotated_by_size), cmocka_unit_test(test_rotated_by_time),
		cmocka_unit_test(test_atomic),          cmocka_unit_test(test_kills),
		cmocka_unit_test(test_gzip_large),      cmocka_unit_test(test_unfinished),
		cmocka_unit_test(test_refused),         cmocka_unit_test(test_removed),
	};

	return cmocka_run_group_tests(tests, folder_setup, folder_teardown);
}
