/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files that go on growing, and give their names away.
 *
 *      news (inotify), looks ---> follow_files ---> queue ---> the current file ---> line_feed ---> items
 *                                      |                             |
 *                                      +------- follow_table <-------+        its spot; the turn goes into the cursor
 *
 * One file is read at a time, to its end or for FAIR_BYTES while others wait, so one that grows for ever keeps nobody from being read.
 * A file whose name has gone to another one is read to its end before that one is begun, and then for rotated_wait longer, since who
 * writes to it may not have noticed. Only then its last line is given out, if it lacks its newline; until then such a line waits to
 * become whole.
 *
 * The stage sleeps on inotify's descriptor and wakes up by itself to look, seldom: an idle one costs nothing. A drain or a cancel is the
 * runtime's to hear; here nothing ever waits.
 */
#include "worker/sources/follow.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/cleanup.h"
#include "common/base/clock.h"
#include "common/base/error.h"
#include "worker/sources/file_list.h"
#include "worker/sources/follow_files.h"
#include "worker/sources/line_feed.h"

#define BUDGET 1024u
#define FAIR_BYTES (UINT64_C(8) << 20)
#define HEAR_EVERY_NS (100 * NS_PER_MS)

enum { FOLLOW_E_NOTHING = 210 }; /* the file that was to be read has nothing, or is not there */

static_assert(sizeof(struct follow_cursor) <= WEIR_CURSOR_SIZE_MAX, "the cursor must fit");

struct follow_source {
	struct follow_files files;
	struct line_feed feed;
	bool refuse_binary;
	bool repeats_header;
	uint32_t current; /* FOLLOW_NO_FILE: none */
	struct line_position position;
	uint64_t begun_bytes; /* where reading began when it became the current one */
	uint64_t heard_ns;
};

void follow_close(struct weir_context *context, void *data)
{
	struct follow_source *state = data;

	(void)context;
	if (!state)
		return;
	follow_files_close(&state->files);
	line_feed_deinit(&state->feed);
	free(state);
}

/* ---- opening ---- */

static int ask_same(void *data, uint64_t read_to)
{
	struct follow_source *state = data;

	return follow_files_ask_same(&state->files, state->current, read_to);
}

/* What a person can put right is said before the run begins; files that are not there may come. */
static int check_path(struct follow_source *state, struct weir_context *context, const char *path)
{
	char head[LINE_FEED_BINARY_BYTES];
	_cleanup_(close) int fd = -1;
	uint64_t size;
	ssize_t n;
	int r;

	if (file_list_is_pattern(path))
		return 0;
	if (access(path, F_OK) != 0 && errno == ENOENT) {
		weir_log(WEIR_LOG_NOTICE, "%s is not there yet; it is read from its beginning when it comes", path);
		return 0;
	}
	r = file_list_open(context, path, &fd, &size);
	if (r != 0 || !state->refuse_binary)
		return r;
	n = pread(fd, head, sizeof(head), 0);
	return n > 0 ? line_feed_check_binary(context, path, head, (size_t)n, 0) : 0;
}

static int check_folders(struct weir_context *context, const char *const *paths)
{
	struct file_list list = FILE_LIST_NULL;
	char unreadable[512];
	int r = file_list_look(&list, paths, unreadable, sizeof(unreadable));

	if (r == 0 && *unreadable) {
		weir_fail(context, "cannot look for files in %s; give the user who runs weir the right to read it",
			  unreadable);
		r = WEIR_FAILED;
	} else if (r == 0 && !list.n_names) {
		weir_log(WEIR_LOG_NOTICE, "nothing is called so yet; what comes is read from its beginning");
	}
	file_list_deinit(&list);
	return r;
}

static int follow_start(struct follow_source *state, struct weir_context *context)
{
	const char *start = weir_option_string(context, "start");
	const char *const *paths = weir_option_list(context, "path");
	const struct follow_cursor *cursor = weir_cursor(context);
	int r = 0;

	for (size_t i = 0; r == 0 && paths[i]; i++)
		r = check_path(state, context, paths[i]);
	if (r == 0)
		r = check_folders(context, paths);
	/* What the last run has left stays; whatever a start has left that was given up goes. */
	if (r == 0 && !cursor->started && ftruncate(weir_spool(context, 0), 0))
		r = error_origin(-errno);
	state->files.at_end = !cursor->started && start && !strcmp(start, "end");
	return r;
}

static int follow_attach(struct follow_source *state, struct weir_context *context)
{
	struct follow_cursor *cursor = weir_cursor(context);
	int r = cursor->started && weir_generation(context) > 0 ? 0 : follow_start(state, context);

	if (r == 0)
		r = follow_files_open(&state->files, context, cursor->turn);
	if (r != 0)
		return r;
	follow_table_turn(&state->files.table, cursor->turn + 1);
	r = follow_files_scan(&state->files);
	cursor->started = 1;
	cursor->turn += state->files.moved;
	return r;
}

int follow_open(struct weir_context *context, void **ret_state)
{
	struct follow_source *state = calloc(1, sizeof(*state));
	int r;

	if (!state)
		return error_origin(-ENOMEM);
	state->current = FOLLOW_NO_FILE;
	state->files.watch.fd = -1;
	r = line_feed_init(&state->feed, context);
	state->refuse_binary = state->feed.refuse_binary;
	state->feed.refuse_binary = false; /* one such file is left out; it does not end the others */
	state->feed.ask_same = ask_same;
	state->feed.ask_data = state;
	state->repeats_header =
		state->feed.cutting == WEIR_CUT_RECORDS && weir_option_integer(context, "decode.header");
	if (r == 0)
		r = follow_attach(state, context);
	if (r != 0) {
		follow_close(context, state);
		return r;
	}
	*ret_state = state;
	return 0;
}

/* ---- the current file ---- */

/* Its bytes are others than those that were read: it was truncated, or its inode belongs to another file now. */
static void start_over(struct follow_source *state)
{
	const char *name = state->files.files[state->current].name;
	uint64_t seen = state->files.table.entries[state->current].seen_bytes, read = state->position.offset;

	if (seen > read)
		weir_log(
			WEIR_LOG_WARNING,
			"%s was truncated or written anew, when at least %llu bytes behind line %llu had not been read; what is there now is read",
			name, (unsigned long long)(seen - read), (unsigned long long)state->position.line);
	else
		weir_log(WEIR_LOG_NOTICE,
			 "%s was truncated or written anew behind line %llu; what is there now is read", name,
			 (unsigned long long)state->position.line);
	state->position = (struct line_position){ 0 };
	state->files.table.entries[state->current].seen_bytes = 0;
	follow_files_move(&state->files, state->current, &state->position, false);
}

static bool is_binary(struct follow_source *state)
{
	const struct followed *followed = &state->files.files[state->current];
	char head[LINE_FEED_BINARY_BYTES];
	ssize_t n = state->refuse_binary && !state->position.offset ? pread(followed->fd, head, sizeof(head), 0) : 0;
	const char *nul = n > 0 ? memchr(head, '\0', (size_t)n) : NULL;

	if (!nul)
		return false;
	follow_files_say(
		&state->files,
		"%s: binary file (NUL at byte %llu) where lines were expected: it is left out. Narrow `path`, or set `binary: accept`; behind "
		"copytruncate such bytes are the hole that a program leaves which does not append (O_APPEND)",
		followed->name, (unsigned long long)(nul - head));
	follow_files_rest(&state->files, state->current, (uint64_t)lseek(followed->fd, 0, SEEK_END));
	return true;
}

static void set_feed(struct follow_source *state)
{
	const struct followed *followed = &state->files.files[state->current];

	line_feed_set(&state->feed, followed->name, followed->fd, 0,
		      follow_files_is_leaving(&state->files, state->current, clock_now_ns()));
}

/* ---- a turn ---- */

static void end_of_file(struct follow_source *state, int r)
{
	uint32_t file = state->current;

	state->current = FOLLOW_NO_FILE;
	if (r == WEIR_WAIT) {
		follow_files_rest(&state->files, file, state->feed.offset + state->feed.filled);
	} else if (r == WEIR_CLOSED) {
		follow_files_move(&state->files, file, &state->position, true);
		follow_files_left(&state->files, file);
	} else if (r == LINE_FEED_CHANGED) {
		state->current = file;
		start_over(state);
		state->current = FOLLOW_NO_FILE;
		follow_files_queue(&state->files, file);
	} else {
		follow_files_say(&state->files, "cannot read %s at line %llu: %s; it is tried again",
				 state->files.files[file].name, (unsigned long long)state->position.line + 1,
				 strerror(state->feed.read_error));
		follow_files_retry(&state->files, file);
	}
}

static bool is_end_of_file(int r)
{
	return r == WEIR_WAIT || r == WEIR_CLOSED || r == LINE_FEED_CHANGED || r == LINE_FEED_UNREADABLE;
}

/* What decodes knows one header, that of the last stream that began. */
static int repeat_header(struct follow_source *state)
{
	struct line_position head = { 0 };
	unsigned one = 1;
	int r;

	if (!state->repeats_header || !state->position.offset)
		return 0;
	r = line_feed_produce(&state->feed, &head, &one);
	if (!is_end_of_file(r))
		return r == WEIR_MORE ? 0 : r;
	end_of_file(state, r);
	return FOLLOW_E_NOTHING;
}

/* Makes it the current one. Returns 0; FOLLOW_E_NOTHING; else what produce() returns. */
static int begin(struct follow_source *state, uint32_t file)
{
	uint32_t after = state->files.files[file].after;

	if (after != FOLLOW_NO_FILE && !follow_files_is_read(&state->files, after)) {
		follow_files_queue(&state->files, after);
		follow_files_queue(&state->files, file);
		return FOLLOW_E_NOTHING;
	}
	state->files.files[file].after = FOLLOW_NO_FILE;
	if (follow_files_take(&state->files, file) != 0)
		return FOLLOW_E_NOTHING;
	state->current = file;
	state->position = follow_table_spot(&state->files.table, file)->position;
	if (follow_files_ask_same(&state->files, file, state->position.offset) != 0)
		start_over(state);
	follow_files_see(&state->files, file);
	state->begun_bytes = state->position.offset;
	if (is_binary(state)) {
		state->current = FOLLOW_NO_FILE;
		return FOLLOW_E_NOTHING;
	}
	set_feed(state);
	return repeat_header(state);
}

/* Returns 0: the current file has nothing more, or others have their turn; else what produce() returns. */
static int read_current(struct follow_source *state, unsigned *budget)
{
	struct line_position before = state->position;
	int r = line_feed_produce(&state->feed, &state->position, budget);

	if (memcmp(&before, &state->position, sizeof(before)) != 0)
		follow_files_move(&state->files, state->current, &state->position, false);
	if (is_end_of_file(r)) {
		end_of_file(state, r);
		return 0;
	}
	if (r == WEIR_MORE && !*budget && state->position.offset - state->begun_bytes > FAIR_BYTES) {
		follow_files_queue(&state->files, state->current);
		state->current = FOLLOW_NO_FILE;
	}
	return r;
}

/* At the beginning of a turn, when all that was read is committed. */
static int hear(struct follow_source *state)
{
	uint64_t now_ns = clock_now_ns();
	int r = 0;

	if (state->current != FOLLOW_NO_FILE && now_ns < state->heard_ns + HEAR_EVERY_NS)
		return 0;
	state->heard_ns = now_ns;
	follow_files_news(&state->files);
	follow_files_leave(&state->files, now_ns);
	if (follow_files_scan_is_due(&state->files, now_ns))
		r = follow_files_scan(&state->files);
	if (state->current != FOLLOW_NO_FILE) /* under another name, perhaps */
		state->feed.name = state->files.files[state->current].name;
	return r;
}

static int wait_for_news(struct follow_source *state, struct weir_context *context)
{
	weir_watch(context, state->files.watch.fd, state->files.watch.fd < 0 ? 0 : POLLIN,
		   follow_files_wake_ns(&state->files));
	return WEIR_WAIT;
}

static int next_file(struct follow_source *state, struct weir_context *context)
{
	uint32_t file = follow_files_next(&state->files);

	return file == FOLLOW_NO_FILE ? wait_for_news(state, context) : begin(state, file);
}

int follow_produce(struct weir_context *context, void *data)
{
	struct follow_source *state = data;
	struct follow_cursor *cursor = weir_cursor(context);
	unsigned budget = BUDGET;
	int r;

	state->files.moved = false;
	follow_table_turn(&state->files.table, cursor->turn + 1);
	r = hear(state);
	while (r == 0 && budget) {
		r = state->current == FOLLOW_NO_FILE ? next_file(state, context) : 0;
		if (r == 0)
			r = read_current(state, &budget);
		r = r == FOLLOW_E_NOTHING ? 0 : r;
		budget -= budget && r == 0; /* a file costs something, too */
	}
	cursor->turn += state->files.moved;
	return r == 0 ? WEIR_MORE : r;
}
