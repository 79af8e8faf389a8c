/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which files there are.
 *
 *     glob  app.log -> inode 7      known as inode 7, app.log          nothing has happened
 *                                   known as inode 5, app.log          5 has lost its name to 7: it is read to its end first
 *                                   inode 7 not known                  a new file, read from its beginning
 *     5 is known, nobody found it   it is open                          renamed or deleted: read on; it ends when nothing comes any more
 *                                   it is not                           looked for by its inode in the folders; else it is lost
 *
 * Nothing is forgotten in a scan that could not look everywhere: a folder that is not mounted for a minute would be read again as a whole.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/cleanup.h"
#include "common/base/clock.h"
#include "common/base/error.h"
#include "worker/sources/file_list.h"
#include "worker/sources/follow_priv.h"

#define SCAN_PAUSES 10u /* of the time that one takes; many names may change at once: one look for all of them */
#define SCAN_PAUSE_NS_MIN NS_PER_MS

static uint32_t file_find(const struct follow_files *files, uint64_t device, uint64_t inode)
{
	uint32_t at = 0, i;

	while ((i = follow_index_next(&files->by_inode, hash_inode(device, inode), &at)) != FOLLOW_INDEX_NONE)
		if (follow_table_is_used(&files->table, i) && files->table.entries[i].inode == inode &&
		    files->table.entries[i].device == device)
			return i;
	return FOLLOW_NO_FILE;
}

/* Who held the name before? Of a file that only earlier workers have seen there is but the hash of its name. */
static uint32_t file_before(const struct follow_files *files, const char *name, uint32_t but)
{
	uint32_t found = follow_files_named(files, name);
	uint64_t hash = hash_name(name);

	for (uint32_t i = 0; found == FOLLOW_NO_FILE && files->nameless && i < files->table.n; i++)
		if (i != but && follow_table_is_used(&files->table, i) && !files->files[i].name &&
		    files->table.entries[i].path_hash == hash && !follow_table_spot(&files->table, i)->ended)
			found = i;
	return found == but ? FOLLOW_NO_FILE : found;
}

/* One that is lost makes room for one that is there. */
static bool forget_one(struct follow_files *files)
{
	for (uint32_t i = 0; i < files->table.n; i++)
		if (follow_table_is_used(&files->table, i) && files->files[i].lost) {
			follow_files_forget(files, i);
			return true;
		}
	return false;
}

/* Where a new file's first line begins that is not taken for read: behind the last newline that is there. */
static uint64_t end_of_lines(int fd, uint64_t size_bytes)
{
	char tail[65536];

	for (uint64_t end = size_bytes; end;) {
		size_t n = end < sizeof(tail) ? (size_t)end : sizeof(tail);
		const char *newline =
			pread(fd, tail, n, (off_t)(end - n)) == (ssize_t)n ? memrchr(tail, '\n', n) : NULL;

		if (newline)
			return end - n + (uint64_t)(newline - tail) + 1;
		end -= n;
	}
	return 0;
}

static int file_new(struct follow_files *files, const char *name, const struct follow_look *look, uint32_t *ret_file)
{
	int r = follow_table_add(&files->table, look, hash_name(name), ret_file);

	if (r == -ENOSPC && forget_one(files))
		r = follow_table_add(&files->table, look, hash_name(name), ret_file);
	if (r == -ENOSPC) {
		follow_files_say(
			files,
			"there are more than %u files to follow, and those that are left are not read: narrow `path`",
			FOLLOW_FILES_MAX);
		return 1;
	}
	if (r == 0)
		r = follow_files_grow(files);
	if (r != 0)
		return r;
	files->files[*ret_file].after = file_before(files, name, *ret_file);
	return 0;
}

/* The very first scan, where only what comes from now on is wanted. */
static void file_skip(struct follow_files *files, uint32_t file, const struct follow_look *look)
{
	struct line_position position = { 0 };

	if (follow_files_take(files, file) != 0)
		return;
	position.offset = end_of_lines(files->files[file].fd, look->size_bytes);
	if (position.offset)
		follow_files_move(files, file, &position, false);
}

static int file_name(struct follow_files *files, uint32_t file, const char *name)
{
	struct followed *followed = &files->files[file];
	bool renamed = followed->name;

	if (renamed && !strcmp(followed->name, name)) {
		followed->leaves_ns = followed->missing ? 0 : followed->leaves_ns; /* it has its name back */
		return 0;
	}
	free(followed->name);
	followed->name = strdup(name);
	if (!followed->name)
		return error_origin(-ENOMEM);
	files->table.entries[file].path_hash = hash_name(name);
	if (renamed && !follow_table_spot(&files->table, file)->ended)
		follow_files_leaves(files, file);
	return 0;
}

/* What an earlier worker has seen of it may be more than what it lived to commit: so at first each may have something to read. */
static void queue_changed(struct follow_files *files, uint32_t file, const struct follow_look *look, bool first)
{
	const struct follow_entry *entry = &files->table.entries[file];

	if (first || look->size_bytes != entry->seen_bytes || entry->seen_ns != look->changed_ns)
		follow_files_queue(files, file);
}

static bool is_there(struct follow_files *files, const char *name, struct follow_look *look)
{
	int r = follow_look_at(AT_FDCWD, name, look);

	if (r != 0) {
		if (r == -ENOENT || r == -ENOTDIR)
			return false;
		files->unsure = true;
		follow_files_say(files, "cannot look at %s: %s; it is tried again", name, strerror(-r));
		return false;
	}
	if (S_ISREG(look->mode))
		return true;
	follow_files_say(files, "%s is %s, and is not followed", name,
			 S_ISDIR(look->mode)  ? "a folder" :
			 S_ISFIFO(look->mode) ? "a FIFO" :
						"no regular file");
	return false;
}

/* It has gone while nobody had it open. */
static void file_lose(struct follow_files *files, uint32_t file)
{
	const struct follow_entry *entry = &files->table.entries[file];
	uint64_t offset = follow_table_spot(&files->table, file)->position.offset;

	if (files->files[file].lost)
		return;
	files->files[file].lost = true;
	if (entry->seen_bytes > offset)
		weir_log(
			WEIR_LOG_WARNING,
			"%s has gone while no worker had it open: of its %llu bytes, %llu had been read; what was behind them is not read",
			files->files[file].name ? files->files[file].name : "a followed file",
			(unsigned long long)entry->seen_bytes, (unsigned long long)offset);
}

/*
 * Of a file that has gone, while nobody had it open, the inode may be another one's now. Of one that is open it is not: what its file
 * system says of births (shares that make them up of other times) is not to be relied on, then, and its first bytes have to do.
 */
static uint32_t file_known(struct follow_files *files, const struct follow_look *look)
{
	uint32_t file = file_find(files, look->device, look->inode);

	if (file == FOLLOW_NO_FILE || follow_files_is(files, file, look))
		return file;
	if (files->files[file].fd >= 0) {
		files->table.entries[file].born_ns = 0;
		return file;
	}
	file_lose(files, file);
	follow_files_forget(files, file);
	return FOLLOW_NO_FILE;
}

static int scan_name(struct follow_files *files, const char *name, const struct follow_look *look, bool first)
{
	struct stat link;
	uint32_t file = file_known(files, look);
	bool fresh = file == FOLLOW_NO_FILE;
	int r = 0;

	if (fresh) {
		r = file_new(files, name, look, &file);
		if (r != 0)
			return r < 0 ? r : 0;
		follow_index_add(&files->by_inode, hash_inode(look->device, look->inode), file);
	}
	if (files->files[file].found) /* under another name */
		return 0;
	files->files[file].found = true;
	files->files[file].lost = false;
	r = file_name(files, file, name);
	files->files[file].missing = false;
	if (r != 0)
		return r;
	if (lstat(name, &link) == 0 && S_ISLNK(link.st_mode))
		follow_watch_target(&files->watch, name);
	if (fresh && first && files->at_end)
		file_skip(files, file, look);
	queue_changed(files, file, look, first);
	return 0;
}

/* A file that was not open when it lost its name, under another one of the same folder. */
static void adopt(struct follow_files *files, uint32_t file, int folder, const char *path, const char *name)
{
	struct followed *followed = &files->files[file];
	_cleanup_(close) int fd = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	char full[4096 + NAME_MAX + 1];
	struct follow_look look;

	if (fd < 0 || follow_look(fd, &look) != 0 || !S_ISREG(look.mode) || !follow_files_is(files, file, &look) ||
	    look.size_bytes < follow_table_spot(&files->table, file)->position.offset ||
	    !follow_files_is_print(fd, follow_table_spot(&files->table, file)))
		return;
	snprintf(full, sizeof(full), "%s%s", path, name);
	free(followed->name);
	followed->name = strdup(full);
	followed->fd = steal_fd(&fd);
	follow_files_leaves(files, file);
	followed->lost = false;
	files->n_open++;
	follow_files_queue(files, file);
}

static void search_folder(struct follow_files *files, const struct follow_folder *at)
{
	DIR *folder = opendir(*at->path ? at->path : ".");
	struct dirent *entry;
	struct stat st;

	if (!folder || fstat(dirfd(folder), &st)) {
		files->unsure |= errno != ENOENT && errno != ENOTDIR;
		if (folder)
			closedir(folder);
		return;
	}
	while ((entry = readdir(folder))) {
		uint32_t file = file_find(files, st.st_dev, entry->d_ino);

		if (file == FOLLOW_NO_FILE || files->files[file].found || files->files[file].fd >= 0 ||
		    follow_table_spot(&files->table, file)->ended)
			continue;
		if (files->n_open >= files->open_max) /* those that are open end soon */
			files->unsure = true;
		else
			adopt(files, file, dirfd(folder), at->path, entry->d_name);
	}
	closedir(folder);
}

static void scan_missing(struct follow_files *files)
{
	bool searched = false;

	for (uint32_t i = 0; i < files->table.n; i++) {
		struct followed *followed = &files->files[i];

		if (!follow_table_is_used(&files->table, i) || followed->found)
			continue;
		followed->missing = true;
		if (followed->fd >= 0) {
			if (!followed->leaves_ns)
				follow_files_leaves(files, i);
			follow_files_queue(files, i);
			continue;
		}
		if (follow_table_spot(&files->table, i)->ended) {
			if (!files->unsure)
				follow_files_forget(files, i);
			continue;
		}
		if (followed->lost)
			continue;
		for (size_t j = 0; !searched && j < files->watch.n; j++)
			if (files->watch.folders[j].holds)
				search_folder(files, &files->watch.folders[j]);
		searched = true;
		if (followed->fd < 0 && !files->unsure)
			file_lose(files, i);
	}
}

/* With room for more, which the scan may find. */
static int index_files(struct follow_files *files, struct follow_index *index, bool by_name, size_t more)
{
	size_t n = files->table.n + more;

	if (follow_index_clear(index, n < FOLLOW_FILES_MAX ? (uint32_t)n : FOLLOW_FILES_MAX) != 0)
		return error_origin(-ENOMEM);
	files->nameless = false;
	for (uint32_t i = 0; i < files->table.n; i++) {
		const struct follow_entry *entry = &files->table.entries[i];
		const char *name = files->files[i].name;

		if (!follow_table_is_used(&files->table, i))
			continue;
		if (!by_name)
			follow_index_add(index, hash_inode(entry->device, entry->inode), i);
		else if (name)
			follow_index_add(index, hash_name(name), i);
		files->nameless |= !name;
	}
	return 0;
}

struct sight {
	const char *name;
	struct follow_look look;
};

/* Of several that nobody has read yet, the one that was written to first comes first, as logs that were rotated do. */
static int compare_sights(const void *a_, const void *b_)
{
	const struct sight *a = a_, *b = b_;
	uint64_t a_ns = a->look.changed_ns, b_ns = b->look.changed_ns;

	return a_ns < b_ns ? -1 : a_ns > b_ns ? 1 : strcmp(a->name, b->name);
}

static int scan_list(struct follow_files *files, const struct file_list *list, bool first)
{
	struct sight *sights = calloc(list->n_names + 1, sizeof(*sights));
	size_t n = 0;
	int r = sights ? index_files(files, &files->by_inode, false, list->n_names) : error_origin(-ENOMEM);

	for (size_t i = 0; r == 0 && i < list->n_names; i++) {
		sights[n].name = list->names[i];
		n += is_there(files, list->names[i], &sights[n].look);
	}
	if (n)
		qsort(sights, n, sizeof(*sights), compare_sights);
	for (size_t i = 0; r == 0 && i < n; i++)
		r = scan_name(files, sights[i].name, &sights[i].look, first);
	free(sights);
	return r;
}

static int scan_names(struct follow_files *files, bool first)
{
	struct file_list list = FILE_LIST_NULL;
	char unreadable[512];
	int r = file_list_look(&list, files->paths, unreadable, sizeof(unreadable));

	if (*unreadable) {
		files->unsure = true;
		follow_files_say(files, "cannot look for files in %s; it is tried again", unreadable);
	}
	if (r == 0)
		r = scan_list(files, &list, first);
	file_list_deinit(&list);
	return r;
}

int follow_files_scan(struct follow_files *files)
{
	uint64_t from_ns = clock_now_ns();
	bool first = !files->scanned_ns;
	int r = follow_watch_paths(&files->watch,
				   files->paths); /* before the look, so that nothing happens between them */

	files->unsure = false;
	for (uint32_t i = 0; i < files->table.n; i++)
		files->files[i].found = false;
	if (r == 0)
		r = scan_names(files, first);
	if (r != 0)
		return r;
	scan_missing(files);
	files->scanned_ns = clock_now_ns();
	files->scan_pause_ns = (files->scanned_ns - from_ns) * SCAN_PAUSES + SCAN_PAUSE_NS_MIN;
	files->scan_due_ns = UINT64_MAX;
	return index_files(files, &files->by_name, true, 0);
}
