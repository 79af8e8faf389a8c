/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files that appear when they are whole, and are never written again.
 *
 *      turns     NONE -----> OPEN -----> OPEN -----> FULL ====> NONE -----> OPEN        state, in the cursor
 *      folder    -           .x.part     .x.part     .x.part    x-000001.log            rename, between two commits
 *
 * A part is written under a hidden name, as any file of this sink: its committed length moves with the items, and what a killed worker
 * has written behind it is cut off. When it has the size or the age, or the stream ends, the turn's flush completes it, and the cursor
 * says FULL: from then on nobody writes to it. In a later turn it goes onto the disk and gets its name, which it takes from nobody; only
 * then the cursor says so. A worker killed in between is no matter: the next one finds FULL, and either the hidden file, or one with its
 * inode under a name that it would get, and goes on from there.
 */
#include "worker/sinks/parts.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/cleanup.h"
#include "common/base/clock.h"
#include "common/base/error.h"
#include "worker/sinks/part_name.h"
#include "worker/sinks/squeeze.h"
#include "worker/sinks/writer.h"

enum part_state { PART_NONE, PART_OPEN, PART_FULL };

struct parts_cursor {
	struct writer_cursor file; /* first: the writer's own; of the part at work */
	uint64_t begun;            /* 1: what follows is set */
	uint64_t state;            /* enum part_state */
	uint64_t run_ns;           /* when the run began: the hidden names are this run's alone */
	uint64_t index;            /* parts before this one */
	uint64_t number;           /* the least that the next finished file may have for {n} */
	uint64_t began_ns;         /* when the part's first item came (CLOCK_MONOTONIC) ... */
	uint64_t began_realtime_ns;
	uint64_t crc, raw_bytes; /* gzip: of what was put in */
};

static_assert(sizeof(struct parts_cursor) <= WEIR_CURSOR_SIZE_MAX, "the cursor must fit");

struct parts {
	struct weir_context *context;
	char *path;
	struct writer writer;
	struct squeeze squeeze;
	bool gzip, single; /* single: no mark in the path, so there is one finished file */
	bool replaces;     /* single: an older file of that name */
	bool wait_when_full;
	bool due; /* this turn is the part's last */
	uint64_t rotate_size_bytes, rotate_every_ns;
};

static struct parts_cursor *cursor_of(const struct parts *parts)
{
	return weir_cursor(parts->context);
}

bool parts_are_wanted(struct weir_context *context, const char *path)
{
	const char *compress = weir_option_string(context, "compress");

	return weir_option_boolean(context, "atomic") || weir_option_integer(context, "rotate_size") ||
	       weir_option_integer(context, "rotate_every") || (compress && strcmp(compress, "none") != 0) ||
	       part_has_mark(path, PART_MARK_NUMBER) || part_has_mark(path, PART_MARK_TIME);
}

/* ---- opening ---- */

static bool has_any_mark(const char *path)
{
	return part_has_mark(path, PART_MARK_NUMBER) || part_has_mark(path, PART_MARK_TIME);
}

static int refuse(const struct parts *parts, const char *why, const char *advice)
{
	weir_fail(parts->context, "cannot write to %s: %s; %s", parts->path, why, advice);
	return WEIR_FAILED;
}

/* What is wrong with the folder is said before the run begins; nothing is made there yet. */
static int check_folder(struct parts *parts)
{
	const char *base = part_base(parts->path);
	_cleanup_(free) char *folder = strndup(parts->path, (size_t)(base - parts->path));
	struct dirent *entry;
	unsigned n = 0;
	DIR *open_folder;

	if (!folder)
		return error_origin(-ENOMEM);
	if (!*base)
		return refuse(parts, "it ends with a slash", "name a file in that folder");
	if (has_any_mark(folder))
		return refuse(parts, "{n} or {time} stands for a folder", "use it in the name of the file");
	if (access(*folder ? folder : ".", W_OK | X_OK))
		return refuse(parts, strerror(errno),
			      errno == ENOENT ?
				      "create its folder first" :
				      "give the user who runs weir the right to write there, or choose another path");
	open_folder = opendir(*folder ? folder : ".");
	while (open_folder && (entry = readdir(open_folder)))
		n += part_is_left_over(parts->path, cursor_of(parts)->run_ns, entry->d_name);
	if (open_folder)
		closedir(open_folder);
	if (n)
		weir_log(
			WEIR_LOG_WARNING,
			"%u files '%s.%s.*.part' are left of runs that did not come to their end: what those delivered last is in them",
			n, folder, base);
	return 0;
}

static int check_single(const struct parts *parts)
{
	const char *existing = weir_option_string(parts->context, "existing");
	struct stat st;

	if (lstat(parts->path, &st))
		return 0;
	if (S_ISDIR(st.st_mode))
		return refuse(parts, strerror(EISDIR), "name a file in it");
	if (!S_ISREG(st.st_mode))
		return refuse(parts, "it is no regular file, and would be replaced by one", "choose another path");
	if (parts->replaces)
		return 0;
	weir_fail(
		parts->context, "%s exists; %s", parts->path,
		existing && !strcmp(existing, "append") ?
			"a finished file is never written again, so nothing can be appended: use {n} or {time} in `path`" :
			"move it away, or set `existing: replace`");
	return WEIR_FAILED;
}

static int parts_start(struct parts *parts)
{
	struct parts_cursor *cursor = cursor_of(parts);
	int r = 0;

	*cursor = (struct parts_cursor){ .run_ns = clock_realtime_ns() };
	if (!has_any_mark(part_base(parts->path)) && (parts->rotate_size_bytes || parts->rotate_every_ns))
		return refuse(parts, "rotation makes many files of it",
			      "put {n} or {time} into the name, for example out-{n}.log");
	r = check_folder(parts);
	if (r == 0 && parts->single)
		r = check_single(parts);
	cursor->number = part_next_number(parts->path);
	cursor->begun = r == 0;
	return r;
}

/* Opens the hidden file of the part at work. Returns 0; -ENOENT: it is not there; WEIR_FAILED; -ENOMEM. */
static int part_attach(struct parts *parts, bool create)
{
	const struct parts_cursor *cursor = cursor_of(parts);
	_cleanup_(text_deinit) struct text name = TEXT_NULL;
	int fd, r;

	part_hidden_name(parts->path, cursor->run_ns, cursor->index, &name);
	fd = open(text_get(&name), O_WRONLY | O_CLOEXEC | O_NOCTTY | (create ? O_CREAT : 0), 0666);
	if (fd < 0 && errno == ENOENT && !create)
		return -ENOENT;
	if (fd < 0)
		return refuse(parts, strerror(errno),
			      errno == ENOSPC || errno == EDQUOT ? "make room and run again" : "look at its folder");
	r = writer_init(&parts->writer, parts->context, text_get(&name), fd, true);
	parts->writer.wait_when_full = parts->wait_when_full;
	if (r == 0 && parts->gzip)
		r = squeeze_open(&parts->squeeze, cursor->crc, cursor->raw_bytes);
	return r;
}

static void part_detach(struct parts *parts)
{
	squeeze_close(&parts->squeeze);
	if (parts->writer.fd >= 0)
		writer_abandon(&parts->writer);
}

static int parts_resume(struct parts *parts)
{
	const struct parts_cursor *cursor = cursor_of(parts);
	struct stat st;
	int r;

	if (cursor->state == PART_NONE)
		return 0;
	r = part_attach(parts, false);
	if (r == -ENOENT && cursor->state == PART_FULL)
		return 0; /* it has its name, perhaps: see part_publish() */
	if (r == -ENOENT) {
		weir_fail(
			parts->context,
			"the unfinished file of %s has been removed while the pipeline ran; what was written is gone with it",
			parts->path);
		return WEIR_FAILED;
	}
	if (r == 0 && fstat(parts->writer.fd, &st))
		r = error_origin(-errno);
	return r == 0 ? writer_resume(&parts->writer, &st) : r;
}

int parts_open(struct weir_context *context, const char *path, struct parts **ret_parts)
{
	const char *existing = weir_option_string(context, "existing"),
		   *on_full = weir_option_string(context, "on_full"),
		   *compress = weir_option_string(context, "compress");
	struct parts *parts = calloc(1, sizeof(*parts));
	int r = parts ? 0 : error_origin(-ENOMEM);

	if (r != 0)
		return r;
	*parts = (struct parts){
		.context = context,
		.path = strdup(path),
		.writer = { .fd = -1 },
		.gzip = compress && !strcmp(compress, "gzip"),
		.single = !has_any_mark(part_base(path)),
		.replaces = !existing || !strcmp(existing, "replace"),
		.wait_when_full = on_full && !strcmp(on_full, "wait"),
		.rotate_size_bytes = (uint64_t)weir_option_integer(context, "rotate_size"),
		.rotate_every_ns = (uint64_t)weir_option_integer(context, "rotate_every"),
	};
	if (!parts->path)
		r = error_origin(-ENOMEM);
	else
		r = cursor_of(parts)->begun ? parts_resume(parts) : parts_start(parts);
	if (r == 0) {
		*ret_parts = parts;
		return 0;
	}
	part_detach(parts);
	free(parts->path);
	free(parts);
	return r;
}

void parts_close(struct parts *parts)
{
	const struct parts_cursor *cursor = cursor_of(parts);

	if (cursor->state == PART_OPEN && parts->writer.fd >= 0)
		weir_log(WEIR_LOG_NOTICE, "%s was not finished: what was delivered into it is in %s", parts->path,
			 parts->writer.name);
	squeeze_close(&parts->squeeze);
	if (parts->writer.fd >= 0)
		writer_deinit(&parts->writer);
	free(parts->path);
	free(parts);
}

/* ---- a part ---- */

static int part_begin(struct parts *parts)
{
	struct parts_cursor *cursor = cursor_of(parts);
	struct stat st;
	int r;

	cursor->file = (struct writer_cursor){ .started = 1, .cut = 1 };
	cursor->crc = cursor->raw_bytes = 0;
	cursor->began_ns = weir_now_ns(parts->context);
	cursor->began_realtime_ns = clock_realtime_ns();
	r = part_attach(parts, true);
	if (r != 0)
		return r;
	if (fstat(parts->writer.fd, &st))
		return error_origin(-errno);
	cursor->file.device = st.st_dev;
	cursor->file.inode = st.st_ino;
	cursor->state = PART_OPEN;
	return parts->gzip ? squeeze_begin(&parts->squeeze, &parts->writer) : 0;
}

static int sync_folder(const struct parts *parts)
{
	const char *base = part_base(parts->path);
	_cleanup_(free) char *folder = strndup(parts->path, (size_t)(base - parts->path));
	_cleanup_(close) int fd = folder ? open(*folder ? folder : ".", O_RDONLY | O_CLOEXEC | O_DIRECTORY) : -1;

	return fd >= 0 && fsync(fd) && errno != EINVAL && errno != ENOTSUP ? -errno : 0;
}

/* Takes the name only if nobody has it. Returns 0 or -errno, -EEXIST among them. */
static int rename_to_free(const char *from, const char *to)
{
	if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0)
		return 0;
	if (errno != EINVAL && errno != ENOSYS)
		return -errno;
	return link(from, to) || unlink(from) ? -errno : 0; /* a file system that can't do it at once */
}

/* Its bytes are on the disk before it has a name. */
static int part_settle(struct parts *parts)
{
	const struct parts_cursor *cursor = cursor_of(parts);

	if (ftruncate(parts->writer.fd, (off_t)cursor->file.committed) ||
	    (fsync(parts->writer.fd) && errno != EINVAL && errno != EROFS && errno != ENOTSUP)) {
		weir_fail(parts->context, "cannot bring %s onto the disk: %s; it is complete but for that",
			  parts->writer.name, strerror(errno));
		return WEIR_FAILED;
	}
	return 0;
}

/* One name. Returns 0: it is the part's; -EEXIST: somebody else's; WEIR_FAILED. */
static int part_name(struct parts *parts, const char *name)
{
	const struct parts_cursor *cursor = cursor_of(parts);
	struct stat st;
	bool there = lstat(name, &st) == 0;
	int r;

	if (there && st.st_dev == cursor->file.device && st.st_ino == cursor->file.inode)
		return 0; /* an earlier worker has come so far */
	if (there && !(parts->single && parts->replaces))
		return -EEXIST;
	if (parts->writer.fd < 0) {
		weir_fail(parts->context, "the finished file of %s has been removed before it had its name",
			  parts->path);
		return WEIR_FAILED;
	}
	if (parts->single && parts->replaces)
		r = rename(parts->writer.name, name) ? -errno : 0;
	else
		r = rename_to_free(parts->writer.name, name);
	if (r == 0 || r == -EEXIST)
		return r;
	weir_fail(parts->context, "cannot give %s its name, %s: %s; it is complete but for that", parts->writer.name,
		  name, strerror(-r));
	return WEIR_FAILED;
}

/* FULL is committed: the file gets its name. In the next turn, and nothing else is done to it any more. */
static int part_publish(struct parts *parts)
{
	struct parts_cursor *cursor = cursor_of(parts);
	int r = parts->writer.fd >= 0 ? part_settle(parts) : 0;

	for (uint64_t number = cursor->number; r == 0; number++) {
		_cleanup_(text_deinit) struct text name = TEXT_NULL;

		part_final_name(parts->path, number, cursor->began_realtime_ns, &name);
		r = part_name(parts, text_get(&name));
		if (r == -EEXIST && parts->single) {
			weir_fail(parts->context,
				  "%s has come to exist while the pipeline ran; what was to be it is in %s",
				  parts->path, parts->writer.name);
			return WEIR_FAILED;
		}
		if (r == -EEXIST) {
			r = 0;
			continue;
		}
		if (r == 0)
			cursor->number = part_has_mark(parts->path, PART_MARK_NUMBER) ? number + 1 : 1;
		break;
	}
	if (r != 0)
		return r;
	if (sync_folder(parts) != 0)
		weir_log(WEIR_LOG_WARNING, "cannot bring the folder of %s onto the disk: %s", parts->path,
			 strerror(errno));
	part_detach(parts);
	cursor->index++;
	cursor->state = PART_NONE;
	return 0;
}

static bool is_old(const struct parts *parts)
{
	return parts->rotate_every_ns &&
	       weir_now_ns(parts->context) >= cursor_of(parts)->began_ns + parts->rotate_every_ns;
}

static bool is_large(const struct parts *parts)
{
	return parts->rotate_size_bytes &&
	       parts->writer.end + (parts->writer.used - parts->writer.sent) >= parts->rotate_size_bytes;
}

/* ---- turns ---- */

int parts_process(struct parts *parts, const struct weir_item *item)
{
	struct parts_cursor *cursor = cursor_of(parts);
	int r = cursor->state == PART_FULL ? part_publish(parts) : 0;

	if (r == 0 && cursor->state == PART_NONE)
		r = part_begin(parts);
	if (r == 0)
		r = parts->gzip ? squeeze_add(&parts->squeeze, &parts->writer, item->data, item->size_bytes) :
				  writer_add(&parts->writer, item->data, item->size_bytes);
	if (r == 0 && (is_large(parts) || is_old(parts)))
		parts->due = true;
	return r;
}

static int part_flush(struct parts *parts)
{
	struct parts_cursor *cursor = cursor_of(parts);
	int r = 0;

	if (parts->gzip)
		r = parts->due ? squeeze_finish(&parts->squeeze, &parts->writer) :
				 squeeze_flush(&parts->squeeze, &parts->writer);
	if (r == 0)
		r = writer_flush(&parts->writer);
	if (r != 0)
		return r;
	cursor->crc = parts->squeeze.crc;
	cursor->raw_bytes = parts->squeeze.size_bytes;
	if (parts->due)
		cursor->state = PART_FULL;
	parts->due = false;
	return 0;
}

/* In the turn after the commit, or when the part is old: whichever comes first. */
static void watch(struct parts *parts)
{
	const struct parts_cursor *cursor = cursor_of(parts);

	if (cursor->state == PART_FULL)
		weir_watch(parts->context, -1, 0, 1);
	else if (cursor->state == PART_OPEN && parts->rotate_every_ns)
		weir_watch(parts->context, -1, 0, cursor->began_ns + parts->rotate_every_ns);
}

int parts_flush(struct parts *parts)
{
	int r = cursor_of(parts)->state == PART_OPEN ? part_flush(parts) : 0;

	if (r == 0)
		watch(parts);
	return r;
}

int parts_produce(struct parts *parts)
{
	struct parts_cursor *cursor = cursor_of(parts);

	if (cursor->state == PART_FULL)
		return part_publish(parts);
	if (cursor->state == PART_OPEN && is_old(parts))
		parts->due = true;
	return 0;
}

int parts_finish(struct parts *parts)
{
	struct parts_cursor *cursor = cursor_of(parts);
	int r;

	if (cursor->state == PART_FULL)
		return part_publish(parts);
	if (cursor->state == PART_NONE && !(parts->single && !cursor->index))
		return 0;
	r = cursor->state == PART_NONE ? part_begin(parts) : 0; /* nothing came: a whole file of nothing */
	parts->due = true;
	return r == 0 ? WEIR_MORE : r;
}
