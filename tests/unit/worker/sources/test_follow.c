/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "tests/unit/worker/fake_host.h"
#include "tests/unit/worker/stage_test.h"
#include "worker/builtin.h"
#include "worker/sources/follow_table.h"

#define SECONDS_MAX 20 /* nothing here takes so long, unless it hangs */

static const char *paths[3];

static void source_init(struct fake_host *host, const char *first, const char *second)
{
	static char copies[2][256];

	fake_host_init(host, &file_source_callbacks);
	snprintf(copies[0], sizeof(copies[0]), "%s", folder_path(first));
	snprintf(copies[1], sizeof(copies[1]), "%s", second ? folder_path(second) : "");
	paths[0] = copies[0];
	paths[1] = second ? copies[1] : NULL;
	fake_host_option_list(host, "path", paths);
	fake_host_option_number(host, "follow", 1);
	fake_host_option_number(host, "rotated_wait", 200 * NS_PER_MS);
	fake_host_option_number(host, "open_files", 100);
}

static void append(const char *name, const char *text)
{
	FILE *file = fopen(folder_path(name), "ae");

	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static void move(const char *from, const char *to)
{
	char old[256];

	snprintf(old, sizeof(old), "%s", folder_path(from));
	assert_int_equal(rename(old, folder_path(to)), 0);
}

static void wait_for_watch(const struct fake_host *host, uint64_t until_ns)
{
	struct pollfd fd = { .fd = host->watch_fd, .events = host->watch_events };

	poll(&fd, 1, deadline_poll_ms(deadline_earlier(host->watch_wake_ns, until_ns), clock_now_ns(), 1000));
}

/* Turns until there are n items, and then until there is nothing to do. */
static void follow_until(struct fake_host *host, uint64_t n)
{
	uint64_t until_ns = clock_now_ns() + SECONDS_MAX * NS_PER_S;

	while (fake_host_run_source(host, false) == WEIR_WAIT && fake_host_items(host) < n) {
		if (clock_now_ns() > until_ns)
			fail_msg("%llu items instead of %llu", (unsigned long long)fake_host_items(host),
				 (unsigned long long)n);
		wait_for_watch(host, until_ns);
	}
	if (fake_host_items(host) != n)
		fail_msg("%llu items instead of %llu", (unsigned long long)fake_host_items(host),
			 (unsigned long long)n);
}

/* For so long nothing comes. */
static void follow_for(struct fake_host *host, uint64_t time_ns)
{
	uint64_t until_ns = clock_now_ns() + time_ns;

	while (clock_now_ns() < until_ns) {
		assert_int_equal(fake_host_run_source(host, false), WEIR_WAIT);
		wait_for_watch(host, until_ns);
	}
}

static void kill_and_open(struct fake_host *host)
{
	fake_host_kill(host);
	assert_int_equal(fake_host_open(host), 0);
}

static void assert_items(struct fake_host *host, uint64_t from, const char *const *texts, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!fake_host_item_is(host, from + i, texts[i]))
			fail_msg("item %zu is '%.*s', not '%s'", (size_t)from + i,
				 (int)fake_host_item(host, from + i).size_bytes, fake_host_item(host, from + i).data,
				 texts[i]);
}

#define assert_items_are(host_, from_, ...)                              \
	assert_items(host_, from_, (const char *const[]){ __VA_ARGS__ }, \
		     sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(const char *))

/* A line waits for its newline, through kills too. */
static void test_grows(void **state)
{
	struct fake_host host;

	(void)state;
	file_write_text("grows.log", "one\ntw");
	source_init(&host, "grows.log", NULL);
	assert_int_equal(fake_host_open(&host), 0);
	follow_until(&host, 1);
	append("grows.log", "o\nthree\nfo");
	follow_until(&host, 3);
	kill_and_open(&host);
	append("grows.log", "ur\n");
	follow_until(&host, 4);
	assert_items_are(&host, 0, "one", "two", "three", "four");
	fake_host_deinit(&host);
}

/* What an old file still has comes before what the new one has; who writes may go on with the old one for a while. */
static void test_renamed(void **state)
{
	for (int kill = 0; kill < 2; kill++) {
		struct fake_host host;

		(void)state;
		file_write_text("app.log", "1\n2\n");
		source_init(&host, "app.log", NULL);
		assert_int_equal(fake_host_open(&host), 0);
		follow_until(&host, 2);
		append("app.log", "3\n4\n");
		move("app.log", "app.log.1");
		file_write_text("app.log", "5\n");
		append("app.log.1", "4a\n");
		if (kill)
			kill_and_open(&host);
		follow_until(&host, 6);
		assert_items_are(&host, 0, "1", "2", "3", "4", "4a", "5");
		append("app.log.1", "late\nwithout newline");
		follow_until(&host, 7);
		append("app.log", "6\n");
		follow_until(&host, 8);
		follow_until(&host, 9); /* once nothing has come for rotated_wait */
		assert_items_are(&host, 6, "late", "6", "without newline");
		kill_and_open(&host);
		append("app.log", "7\n");
		follow_until(&host, 10);
		assert_items_are(&host, 9, "7");
		fake_host_deinit(&host);
	}
}

/* Under a pattern that fits the new name, too, a file is one file. */
static void test_renamed_in_sight(void **state)
{
	struct fake_host host;

	(void)state;
	mkdir(folder_path("sight"), 0700);
	file_write_text("sight/a.log", "1\n");
	source_init(&host, "sight/a.log*", NULL);
	assert_int_equal(fake_host_open(&host), 0);
	follow_until(&host, 1);
	append("sight/a.log", "2\n3");
	move("sight/a.log", "sight/a.log.1");
	file_write_text("sight/a.log", "4\n");
	follow_until(&host, 4); /* the last line of the old one, too: it has lost its name */
	assert_items_are(&host, 1, "2", "4", "3");
	move("sight/a.log.1", "sight/a.log.2");
	move("sight/a.log", "sight/a.log.1");
	file_write_text("sight/a.log", "5\n");
	follow_until(&host, 5);
	append("sight/a.log.2", "\nlate\n");
	follow_until(&host, 7);
	kill_and_open(&host);
	follow_for(&host, 300 * NS_PER_MS);
	follow_until(&host, 7);
	assert_items_are(&host, 4, "5", "", "late");
	fake_host_deinit(&host);
}

static void test_truncated(void **state)
{
	struct fake_host host;

	(void)state;
	file_write_text("cut.log", "1\n2\n3\n");
	source_init(&host, "cut.log", NULL);
	assert_int_equal(fake_host_open(&host), 0);
	follow_until(&host, 3);
	assert_int_equal(truncate(folder_path("cut.log"), 0), 0);
	append("cut.log", "4\n");
	follow_until(&host, 4);
	/* longer than it was, so that only its first bytes tell */
	file_write_text("cut.log", "five\nsix\nseven\n");
	follow_until(&host, 7);
	kill_and_open(&host);
	file_write_text("cut.log", "eight\nnine\nten\neleven\n");
	follow_until(&host, 11);
	assert_items_are(&host, 3, "4", "five", "six", "seven", "eight", "nine", "ten", "eleven");
	fake_host_deinit(&host);
}

/* An open file is read to its end, though nobody can find it any more; its inode may come again with another file. */
static void test_deleted(void **state)
{
	struct fake_host host;
	char text[64];

	(void)state;
	file_write_text("gone.log", "1\n");
	source_init(&host, "gone.log", NULL);
	assert_int_equal(fake_host_open(&host), 0);
	follow_until(&host, 1);
	append("gone.log", "2\n3");
	assert_int_equal(unlink(folder_path("gone.log")), 0);
	follow_until(&host, 2);
	follow_until(&host, 3);
	for (uint64_t i = 0; i < 5; i++) {
		snprintf(text, sizeof(text), "%llu\nnext\n", (unsigned long long)i);
		file_write_text("gone.log", text);
		follow_until(&host, 5 + 2 * i);
		assert_int_equal(unlink(folder_path("gone.log")), 0);
		follow_for(&host, 400 * NS_PER_MS);
	}
	assert_items_are(&host, 1, "2", "3", "0", "next", "1", "next");
	fake_host_deinit(&host);
}

static uint64_t born_ns(const char *name, uint64_t *ret_inode)
{
	struct statx at;

	assert_int_equal(statx(AT_FDCWD, folder_path(name), 0, STATX_INO | STATX_BTIME, &at), 0);
	*ret_inode = at.stx_ino;
	return at.stx_mask & STATX_BTIME ? (uint64_t)at.stx_btime.tv_sec * NS_PER_S + at.stx_btime.tv_nsec : 0;
}

/* Logs that begin with the same banner: one that has come in the place of a deleted one, inode and all, while no worker ran. */
static void test_born_again(void **state)
{
	struct fake_host host;
	uint64_t inode, next_inode;
	uint64_t born, next_born, until_ns = clock_now_ns() + 2 * NS_PER_S; /* most give it again at once */

	(void)state;
	file_write_text("twin.log", "banner\n1\n");
	born = born_ns("twin.log", &inode);
	source_init(&host, "twin.log", NULL);
	assert_int_equal(fake_host_open(&host), 0);
	follow_until(&host, 2);
	host.stage->close(&host.context, host.state);
	host.state = NULL;
	do {
		assert_int_equal(unlink(folder_path("twin.log")), 0);
		file_write_text("twin.log", "banner\n1\n");
		next_born = born_ns("twin.log", &next_inode);
	} while ((next_inode != inode || (born && next_born == born)) && clock_now_ns() < until_ns);
	assert_int_equal(fake_host_open(&host), 0);
	if (born || next_inode != inode)
		follow_until(&host, 4);
	assert_int_equal(fake_host_run_source(&host, false), WEIR_WAIT);
	fake_host_deinit(&host);
}

/* What is known of the first file, as a worker before this one might have written it. */
static struct follow_entry *first_entry(struct fake_host *host)
{
	char *table = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, weir_spool(&host->context, 0), 0);

	assert_true(table != MAP_FAILED);
	return (struct follow_entry *)(void *)(table + 64); /* behind its head */
}

/* A share that makes births up of other times: a file that is open is no other for that, and neither is it later. */
static void test_births_that_wander(void **state)
{
	struct follow_entry *entry;
	struct fake_host host;

	(void)state;
	file_write_text("wander.log", "1\n2\n");
	source_init(&host, "wander.log", "other.log");
	assert_int_equal(fake_host_open(&host), 0);
	follow_until(&host, 2);
	entry = first_entry(&host);
	entry->born_ns = 4711;
	file_write_text("other.log", "a\n"); /* a look at all */
	follow_until(&host, 3);
	append("wander.log", "3\n");
	follow_until(&host, 4);
	kill_and_open(&host);
	append("wander.log", "4\n");
	follow_until(&host, 5);
	assert_items_are(&host, 0, "1", "2", "a", "3", "4");
	assert_int_equal(munmap((char *)entry - 64, 4096), 0);
	fake_host_deinit(&host);
}

static void test_later(void **state)
{
	struct fake_host host;

	(void)state;
	mkdir(folder_path("later"), 0700);
	source_init(&host, "later/*/x.log", "absent.log");
	assert_int_equal(fake_host_open(&host), 0);
	follow_until(&host, 0);
	mkdir(folder_path("later/one"), 0700);
	file_write_text("later/one/x.log", "1\n");
	follow_until(&host, 1);
	file_write_text("absent.log", "2\n");
	follow_until(&host, 2);
	append("later/one/x.log", "3\n");
	follow_until(&host, 3);
	file_write_text("later/one/y.log", "no\n");
	follow_for(&host, 300 * NS_PER_MS);
	follow_until(&host, 3);
	fake_host_deinit(&host);
}

static void test_start_at_end(void **state)
{
	struct fake_host host;

	(void)state;
	mkdir(folder_path("end"), 0700);
	file_write_text("end/old.log", "no\nno\nbegun");
	source_init(&host, "end/*.log", NULL);
	fake_host_option_string(&host, "start", "end");
	assert_int_equal(fake_host_open(&host), 0);
	follow_until(&host, 0);
	kill_and_open(&host);
	append("end/old.log", " and ended\n");
	file_write_text("end/new.log", "new\n");
	follow_until(&host, 2);
	assert_true(fake_host_item_is(&host, 0, "begun and ended"));
	assert_true(fake_host_item_is(&host, 1, "new"));
	fake_host_deinit(&host);
}

static unsigned open_fds(void)
{
	DIR *folder = opendir("/proc/self/fd");
	unsigned n = 0;

	assert_non_null(folder);
	while (readdir(folder))
		n++;
	closedir(folder);
	return n;
}

static void test_many(void **state)
{
	enum { FILES = 300, OPEN = 5 };
	struct fake_host host;
	char name[64];

	(void)state;
	mkdir(folder_path("many"), 0700);
	for (int i = 0; i < FILES; i++) {
		snprintf(name, sizeof(name), "many/%d.log", i);
		file_write_text(name, "1\n2\n");
	}
	source_init(&host, "many/*.log", NULL);
	fake_host_option_number(&host, "open_files", OPEN);
	{
		unsigned before = open_fds();

		assert_int_equal(fake_host_open(&host), 0);
		follow_until(&host, 2 * FILES);
		assert_true(open_fds() <= before + OPEN + 2); /* and inotify */
	}
	for (int i = 0; i < FILES; i++) {
		snprintf(name, sizeof(name), "many/%d.log", i);
		append(name, "3\n");
		if (i == FILES / 2)
			kill_and_open(&host);
	}
	follow_until(&host, 3 * FILES);
	/* all lose their names at once, and are found by their inodes, so many at a time */
	for (int i = 0; i < FILES; i++) {
		char to[64];

		snprintf(name, sizeof(name), "many/%d.log", i);
		snprintf(to, sizeof(to), "many/%d.old", i);
		append(name, "4\n5");
		move(name, to);
	}
	fake_host_option_number(&host, "rotated_wait", NS_PER_MS);
	fake_host_option_number(&host, "look_every", 20 * NS_PER_MS);
	kill_and_open(&host);
	follow_until(&host, 5 * FILES);
	fake_host_deinit(&host);
}

static void test_symlink(void **state)
{
	struct fake_host host;
	char to[256];

	(void)state;
	mkdir(folder_path("links"), 0700);
	file_write_text("target", "1\n");
	snprintf(to, sizeof(to), "%s", folder_path("target"));
	assert_int_equal(symlink(to, folder_path("links/a.log")), 0);
	assert_int_equal(link(to, folder_path("links/b.log")), 0); /* the same file again */
	source_init(&host, "links/*.log", NULL);
	assert_int_equal(fake_host_open(&host), 0);
	follow_until(&host, 1);
	append("target", "2\n");
	follow_until(&host, 2);
	follow_for(&host, 200 * NS_PER_MS);
	follow_until(&host, 2);
	fake_host_deinit(&host);
}

static void assert_refused(const char *name, const char *words)
{
	struct fake_host host;

	source_init(&host, name, NULL);
	assert_int_equal(fake_host_open(&host), WEIR_FAILED);
	if (!strstr(host.reason, words))
		fail_msg("'%s' does not say '%s'", host.reason, words);
	fake_host_deinit(&host);
}

/* What a person can put right ends the start; what a pattern finds besides files is left out. */
static void test_no_files(void **state)
{
	struct fake_host host;

	(void)state;
	mkdir(folder_path("odd"), 0700);
	mkdir(folder_path("odd/folder.log"), 0700);
	assert_int_equal(mkfifo(folder_path("odd/fifo.log"), 0600), 0);
	file_write("odd/zip.log", "a\0b\n", 4);
	file_write_text("odd/text.log", "1\n");
	assert_refused("odd", "is a folder");
	assert_refused("odd/fifo.log", "is not a regular file");
	assert_refused("odd/zip.log", "binary file (NUL at byte 1)");
	source_init(&host, "odd/*.log", NULL);
	assert_int_equal(fake_host_open(&host), 0);
	follow_until(&host, 1);
	append("odd/text.log", "2\n");
	follow_until(&host, 2);
	fake_host_deinit(&host);
}

/* Killed behind each commit and in the middle of each turn, while files are written and renamed: each line once. */
static void test_kills(void **state)
{
	enum { LINES = 2000 };
	struct fake_host host;
	bool seen[LINES] = { false };
	char line[32], to[32];

	(void)state;
	mkdir(folder_path("k"), 0700);
	file_write_text("k/k.log", "");
	source_init(&host, "k/k.log", NULL);
	fake_host_option_number(&host, "rotated_wait", 20 * NS_PER_MS);
	host.full_after = host.room = 3;
	assert_int_equal(fake_host_open(&host), 0);
	for (int i = 0; i < LINES; i++) {
		snprintf(line, sizeof(line), "%d\n", i);
		append("k/k.log", line);
		if (i % 97 == 0) {
			snprintf(to, sizeof(to), "k/k.log.%d", i);
			move("k/k.log", to);
		}
		if (i % 5 == 0) {
			(void)fake_host_produce(&host);
			if (i % 10 == 0)
				fake_host_turn_end(&host);
			kill_and_open(&host);
		}
	}
	follow_until(&host, LINES);
	for (uint64_t i = 0; i < LINES; i++) {
		int n;

		snprintf(line, sizeof(line), "%.*s", (int)fake_host_item(&host, i).size_bytes,
			 fake_host_item(&host, i).data);
		n = atoi(line);
		assert_true(n >= 0 && n < LINES && !seen[n]);
		seen[n] = true;
	}
	fake_host_deinit(&host);
}

/* One that grows faster than it is read keeps nobody else waiting. */
static void test_fair(void **state)
{
	struct fake_host host;
	size_t size = (size_t)20 << 20;
	char *text = malloc(size);

	(void)state;
	memset(text, 'x', size);
	for (size_t i = 999; i < size; i += 1000)
		text[i] = '\n';
	mkdir(folder_path("fair"), 0700);
	file_write("fair/a.log", text, size);
	file_write_text("fair/b.log", "b\n");
	source_init(&host, "fair/*.log", NULL);
	assert_int_equal(fake_host_open(&host), 0);
	for (uint64_t i = 0; i < 12; i++) {
		assert_int_equal(fake_host_produce(&host), WEIR_MORE);
		assert_int_equal(fake_host_turn_end(&host), 0);
	}
	{
		bool b = false;

		for (uint64_t i = 0; i < fake_host_items(&host) && !b; i++)
			b = fake_host_item(&host, i).size_bytes == 1;
		assert_true(b);
	}
	free(text);
	fake_host_deinit(&host);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_grows),
		cmocka_unit_test(test_renamed),
		cmocka_unit_test(test_renamed_in_sight),
		cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_deleted),
		cmocka_unit_test(test_born_again),
		cmocka_unit_test(test_births_that_wander),
		cmocka_unit_test(test_later),
		cmocka_unit_test(test_start_at_end),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_symlink),
		cmocka_unit_test(test_no_files),
		cmocka_unit_test(test_kills),
		cmocka_unit_test(test_fair),
	};

	return cmocka_run_group_tests(tests, folder_setup, folder_teardown);
}
