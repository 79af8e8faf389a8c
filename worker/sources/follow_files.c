/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The files that are known: which are open, whether each is what it was, when it has ended, and what inotify says of it. Which there
 * are, and under what names, is found out by follow_scan.c.
 *
 * A file is its device, its inode and its time of birth, and its first bytes, as far as they were read: an inode is given again, often at
 * once, to the next file, and not every file system knows births. So before items are made of bytes, but after these were
 * read, the first bytes are hashed again: what was truncated and written anew, or is another file altogether, is read from its beginning.
 */
#include "worker/sources/follow_files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "common/base/cleanup.h"
#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/base/hash.h"
#include "common/base/must.h"
#include "worker/sources/follow_priv.h"
#include "worker/sources/open_limit.h"

#define LOOK_SELDOM_NS (30 * NS_PER_S)
#define LOOK_OFTEN_NS NS_PER_S

void follow_files_say(struct follow_files *files, const char *what, ...)
{
	char text[1024];
	uint64_t hash;
	va_list arguments;

	va_start(arguments, what);
	vsnprintf(text, sizeof(text), what, arguments);
	va_end(arguments);
	hash = hash_name(text);
	for (uint32_t i = 0; i < 64 && i < files->n_said; i++)
		if (files->said[i] == hash)
			return;
	files->said[files->n_said++ % 64] = hash;
	weir_log(WEIR_LOG_WARNING, "%s", text);
}

/* ---- memory ---- */

int follow_files_grow(struct follow_files *files)
{
	uint32_t capacity = files->table.capacity, old = files->capacity, n = 0;
	struct followed *grown;
	uint32_t *queue;

	if (capacity <= old)
		return 0;
	grown = realloc(files->files, capacity * sizeof(*grown));
	if (!grown)
		return error_origin(-ENOMEM);
	files->files = grown;
	for (uint32_t i = old; i < capacity; i++)
		grown[i] = (struct followed){ .fd = -1, .after = FOLLOW_NO_FILE };
	queue = malloc((capacity + 1) * sizeof(*queue));
	if (!queue)
		return error_origin(-ENOMEM);
	for (; files->queue_first != files->queue_end; files->queue_first = (files->queue_first + 1) % (old + 1))
		queue[n++] = files->queue[files->queue_first];
	free(files->queue);
	files->queue = queue;
	files->queue_first = 0;
	files->queue_end = n;
	files->capacity = capacity;
	return 0;
}

int follow_files_open(struct follow_files *files, struct weir_context *context, uint64_t turn)
{
	int r = follow_table_open(&files->table, weir_spool(context, 0), turn);

	files->context = context;
	files->paths = weir_option_list(context, "path");
	files->rotated_wait_ns = (uint64_t)weir_option_integer(context, "rotated_wait");
	files->look_every_ns = (uint64_t)weir_option_integer(context, "look_every");
	files->open_max = open_limit((uint64_t)weir_option_integer(context, "open_files"));
	files->scan_due_ns = files->leave_ns = UINT64_MAX;
	follow_watch_open(&files->watch);
	return r == 0 ? follow_files_grow(files) : r;
}

void follow_files_close(struct follow_files *files)
{
	for (uint32_t i = 0; i < files->capacity; i++) {
		free(files->files[i].name);
		fd_close(files->files[i].fd);
	}
	free(files->files);
	free(files->queue);
	free(files->by_inode.slots);
	free(files->by_name.slots);
	follow_watch_close(&files->watch);
	follow_table_close(&files->table);
}

void follow_files_forget(struct follow_files *files, uint32_t i)
{
	follow_files_put_away(files, i);
	free(files->files[i].name);
	files->files[i] = (struct followed){ .fd = -1, .after = FOLLOW_NO_FILE, .queued = files->files[i].queued };
	follow_table_remove(&files->table, i);
	for (uint32_t j = 0; j < files->table.n; j++)
		if (files->files[j].after == i)
			files->files[j].after = FOLLOW_NO_FILE;
}

/* ---- the queue ---- */

void follow_files_queue(struct follow_files *files, uint32_t file)
{
	if (files->files[file].queued)
		return;
	files->files[file].queued = true;
	files->queue[files->queue_end] = file;
	files->queue_end = (files->queue_end + 1) % (files->capacity + 1);
}

uint32_t follow_files_next(struct follow_files *files)
{
	while (files->queue_first != files->queue_end) {
		uint32_t file = files->queue[files->queue_first];

		files->queue_first = (files->queue_first + 1) % (files->capacity + 1);
		files->files[file].queued = false;
		if (follow_table_is_used(&files->table, file))
			return file;
	}
	return FOLLOW_NO_FILE;
}

/* ---- open files ---- */

void follow_files_put_away(struct follow_files *files, uint32_t file)
{
	if (files->files[file].fd < 0)
		return;
	files->files[file].fd = fd_close(files->files[file].fd);
	files->n_open--;
}

/* One that has its name can be opened again; one that has lost it can't. */
static void make_room(struct follow_files *files, uint32_t but)
{
	for (uint32_t n = 0; files->n_open > files->open_max && n < files->table.n; n++) {
		uint32_t i = files->hand++ % files->table.n;

		if (i != but && files->files[i].fd >= 0 && !files->files[i].leaves_ns)
			follow_files_put_away(files, i);
	}
}

bool follow_files_is(const struct follow_files *files, uint32_t file, const struct follow_look *look)
{
	const struct follow_entry *entry = &files->table.entries[file];
	bool known = look->born_ns && entry->born_ns;

	return look->inode == entry->inode && look->device == entry->device &&
	       (!known || look->born_ns == entry->born_ns);
}

static void scan_soon(struct follow_files *files)
{
	uint64_t soon_ns = files->scanned_ns + files->scan_pause_ns;

	if (files->scan_due_ns > soon_ns)
		files->scan_due_ns = soon_ns;
}

int follow_files_take(struct follow_files *files, uint32_t file)
{
	struct followed *followed = &files->files[file];
	struct follow_look look;
	int fd;

	if (followed->fd >= 0)
		return 0;
	if (!followed->name)
		return 1;
	fd = open(followed->name, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0) {
		if (errno != ENOENT && errno != ENOTDIR)
			follow_files_say(files, "cannot read %s: %s; it is tried again", followed->name,
					 strerror(errno));
		files->unsure |= errno != ENOENT && errno != ENOTDIR;
		scan_soon(files);
		return 1;
	}
	if (follow_look(fd, &look) != 0 || !follow_files_is(files, file, &look)) { /* it has lost its name just now */
		fd_close(fd);
		scan_soon(files);
		return 1;
	}
	(void)posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
	followed->fd = fd;
	files->n_open++;
	make_room(files, file);
	return 0;
}

/* It has lost its name: it ends when nothing has come for a while. */
void follow_files_leaves(struct follow_files *files, uint32_t file)
{
	uint64_t leaves_ns = clock_now_ns() + files->rotated_wait_ns;

	files->files[file].leaves_ns = leaves_ns;
	files->leave_ns = leaves_ns < files->leave_ns ? leaves_ns : files->leave_ns;
}

/* ---- is it the same? ---- */

/* The hash of the first n bytes. Returns 0; -1: there are not so many. */
static int print_of(int fd, uint64_t n, uint64_t *ret_print)
{
	char head[FOLLOW_PRINT_BYTES];

	must(n <= sizeof(head));
	if (pread(fd, head, (size_t)n, 0) != (ssize_t)n)
		return -1;
	*ret_print = hash_bytes(0, head, (size_t)n);
	return 0;
}

bool follow_files_is_print(int fd, const struct follow_spot *spot)
{
	uint64_t print;

	return !spot->print_bytes || (print_of(fd, spot->print_bytes, &print) == 0 && print == spot->print);
}

int follow_files_ask_same(struct follow_files *files, uint32_t file, uint64_t read_to)
{
	struct follow_look look;

	if (follow_look(files->files[file].fd, &look) != 0 || look.size_bytes < read_to)
		return LINE_FEED_CHANGED;
	return follow_files_is_print(files->files[file].fd, follow_table_spot(&files->table, file)) ? 0 :
												      LINE_FEED_CHANGED;
}

void follow_files_move(struct follow_files *files, uint32_t file, const struct line_position *position, bool ended)
{
	const struct follow_spot *now = follow_table_spot(&files->table, file);
	struct follow_spot spot = { .position = *position, .ended = ended };
	uint64_t n = position->offset < FOLLOW_PRINT_BYTES ? position->offset : FOLLOW_PRINT_BYTES;

	if (n > now->print_bytes || position->offset < now->position.offset) {
		if (n && print_of(files->files[file].fd, n, &spot.print) == 0)
			spot.print_bytes = n;
	} else {
		spot.print = now->print;
		spot.print_bytes = now->print_bytes;
	}
	follow_table_put(&files->table, file, &spot);
	files->moved = true;
}

static void file_see(struct follow_files *files, uint32_t file, const struct follow_look *look)
{
	files->table.entries[file].seen_bytes = look->size_bytes;
	files->table.entries[file].seen_ns = look->changed_ns;
}

void follow_files_see(struct follow_files *files, uint32_t file)
{
	struct follow_look look;

	if (follow_look(files->files[file].fd, &look) == 0)
		file_see(files, file, &look);
}

void follow_files_rest(struct follow_files *files, uint32_t file, uint64_t read_to)
{
	struct followed *followed = &files->files[file];
	struct follow_look look;

	if (followed->fd < 0 || follow_look(followed->fd, &look) != 0)
		return;
	if (followed->leaves_ns && look.size_bytes != files->table.entries[file].seen_bytes)
		follow_files_leaves(files, file);
	if (look.size_bytes != read_to)
		follow_files_queue(files, file);
	else
		file_see(files, file, &look);
}

bool follow_files_is_read(const struct follow_files *files, uint32_t file)
{
	const struct followed *followed = &files->files[file];
	struct follow_look look;

	return !followed->queued && (followed->fd < 0 || follow_look(followed->fd, &look) != 0 ||
				     look.size_bytes == files->table.entries[file].seen_bytes);
}

void follow_files_retry(struct follow_files *files, uint32_t file)
{
	files->unsure = true;
	files->table.entries[file].seen_ns = 0;
	follow_files_put_away(files, file);
}

/* ---- news ---- */

/* Several may have been seen under one name: the one that has it comes before those that have lost it. */
uint32_t follow_files_named(const struct follow_files *files, const char *name)
{
	uint32_t at = 0, i, found = FOLLOW_NO_FILE;

	while ((i = follow_index_next(&files->by_name, hash_name(name), &at)) != FOLLOW_INDEX_NONE)
		if (follow_table_is_used(&files->table, i) && files->files[i].name &&
		    !strcmp(files->files[i].name, name) && (found == FOLLOW_NO_FILE || !files->files[i].leaves_ns))
			found = i;
	return found;
}

static void hear(void *data, const char *path, bool names)
{
	struct follow_files *files = data;
	uint32_t file = path ? follow_files_named(files, path) : FOLLOW_NO_FILE;

	if (file != FOLLOW_NO_FILE)
		follow_files_queue(files, file);
	else
		files->unknown = true;
	if (names)
		scan_soon(files);
}

/* What is told of a file that nobody knows may be of one that has lost the name under which it is known. */
void follow_files_news(struct follow_files *files)
{
	files->unknown = false;
	follow_watch_read(&files->watch, hear, files);
	for (uint32_t i = 0; files->unknown && files->leave_ns != UINT64_MAX && i < files->table.n; i++)
		if (files->files[i].leaves_ns)
			follow_files_queue(files, i);
}

/* ---- times ---- */

static uint64_t look_every_ns(const struct follow_files *files)
{
	if (files->look_every_ns)
		return files->look_every_ns;
	return files->watch.blind || files->unsure ? LOOK_OFTEN_NS : LOOK_SELDOM_NS;
}

bool follow_files_scan_is_due(const struct follow_files *files, uint64_t now_ns)
{
	return files->scan_due_ns <= now_ns || files->scanned_ns + look_every_ns(files) <= now_ns;
}

bool follow_files_is_leaving(const struct follow_files *files, uint32_t file, uint64_t now_ns)
{
	uint64_t leaves_ns = files->files[file].leaves_ns;

	return leaves_ns && leaves_ns <= now_ns && follow_files_is_read(files, file);
}

void follow_files_left(struct follow_files *files, uint32_t file)
{
	files->files[file].leaves_ns = 0;
	follow_files_put_away(files, file);
	scan_soon(files);
}

void follow_files_leave(struct follow_files *files, uint64_t now_ns)
{
	if (now_ns < files->leave_ns)
		return;
	files->leave_ns = UINT64_MAX;
	for (uint32_t i = 0; i < files->table.n; i++) {
		uint64_t leaves_ns = files->files[i].leaves_ns;

		if (leaves_ns && leaves_ns <= now_ns)
			follow_files_queue(files, i);
		else if (leaves_ns && leaves_ns < files->leave_ns)
			files->leave_ns = leaves_ns;
	}
}

uint64_t follow_files_wake_ns(const struct follow_files *files)
{
	uint64_t look_ns = files->scanned_ns + look_every_ns(files);

	look_ns = files->leave_ns < look_ns ? files->leave_ns : look_ns;
	return files->scan_due_ns < look_ns ? files->scan_due_ns : look_ns;
}
