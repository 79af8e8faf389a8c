/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The files of control groups. All are reached from one descriptor by openat(), so that a test can put a folder there.
 *
 *      cgroup.controllers         what the group itself has        memory.max       bytes
 *      cgroup.subtree_control     what its children have           cpu.max          microseconds in each period
 *      cgroup.procs               who is in it; written: who enters    cpu.weight.nice  as nice, among siblings
 *                                                                  memory.swap.max  0: memory.max is all that it gets
 *                                                                  memory.events    oom_kill N
 *
 * A group is entered by the child itself, through a descriptor that its supervisor opened: what it takes from its exec on is its own, and
 * the right to enter is the supervisor's.
 */
#include "broker/supervise/cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "broker/supervise/process_state.h"
#include "common/base/cleanup.h"
#include "common/base/error.h"

#define FILE_BYTES 4096u
#define CPU_PERIOD_US 100000u
#define CPU_QUOTA_MIN_US 1000u
#define LEAF "supervisor"
#define ROUNDS_MAX 8u /* whoever is moved may just have forked */

static void closedir_cleanup(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

static const struct {
	unsigned bit;
	const char *name;
} controllers[] = { { CGROUP_MEMORY, "memory" }, { CGROUP_CPU, "cpu" } };
#define N_CONTROLLERS (sizeof(controllers) / sizeof(controllers[0]))

/* ---- files ---- */

/* Returns 0 or -errno. */
static int write_file(int at, const char *path, const char *value)
{
	_cleanup_(close) int fd = openat(at, path, O_WRONLY | O_CLOEXEC);
	size_t size = strlen(value);

	if (fd < 0 || write(fd, value, size) != (ssize_t)size)
		return -errno;
	return 0;
}

/* The first bytes of it, "" if there are none. */
static void read_file(int at, const char *path, char bytes[static FILE_BYTES])
{
	_cleanup_(close) int fd = openat(at, path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, bytes, FILE_BYTES - 1);

	bytes[n > 0 ? n : 0] = '\0';
}

static bool has_word(const char *words, const char *word)
{
	size_t length = strlen(word);

	for (const char *at = strstr(words, word); at; at = strstr(at + 1, word))
		if ((at == words || at[-1] == ' ') && (at[length] == ' ' || at[length] == '\n' || !at[length]))
			return true;
	return false;
}

/* ---- where it is ---- */

/* Of a line such as "31 23 0:27 /root /sys/fs/cgroup rw - cgroup2 cgroup2 rw": root and mount point, for the caller to free. */
static bool read_mount(const char *line, char **ret_root, char **ret_mount)
{
	char root[FILE_BYTES], mount[FILE_BYTES];
	const char *dash = strstr(line, " - ");

	if (!dash || strncmp(dash, " - cgroup2 ", 11) != 0 ||
	    sscanf(line, "%*s %*s %*s %4095s %4095s", root, mount) != 2)
		return false;
	*ret_root = strdup(root);
	*ret_mount = strdup(mount);
	return *ret_root && *ret_mount;
}

/* The line of version 2: "0::/user.slice/...". */
static char *read_own(const char *path)
{
	FILE *file = fopen(path, "re");
	char line[FILE_BYTES];
	char *own = NULL;

	while (file && !own && fgets(line, sizeof(line), file))
		if (strncmp(line, "0::/", 4) == 0) {
			line[strcspn(line, "\n")] = '\0';
			own = strdup(line + 3);
		}
	if (file)
		fclose(file);
	return own;
}

/* What a mount shows begins at its root: a container sees a part. */
static char *below(char *own, const char *root)
{
	size_t length = strlen(root);

	if (length > 1 && strncmp(own, root, length) == 0 && (own[length] == '/' || !own[length]))
		memmove(own, own[length] ? own + length : "/", strlen(own[length] ? own + length : "/") + 1);
	return own;
}

int cgroup_find(const char *mountinfo, const char *cgroup, struct cgroup_place *ret_place, struct text *why)
{
	FILE *file = fopen(mountinfo, "re");
	_cleanup_(free) char *root = NULL, *mount = NULL;
	char line[2 * FILE_BYTES];
	char *own = read_own(cgroup);

	while (file && own && !mount && fgets(line, sizeof(line), file))
		if (!read_mount(line, &root, &mount)) {
			free(steal_pointer(&root));
			free(steal_pointer(&mount));
		}
	if (file)
		fclose(file);
	if (!mount) {
		free(own);
		text_add(why, "no control groups of version 2 are mounted");
		return CGROUP_E_NONE;
	}
	*ret_place = (struct cgroup_place){ .mount = steal_pointer(&mount), .own = below(own, root) };
	return 0;
}

/* ---- the tree ---- */

/* All that has our prefix. Whoever is still in one keeps it: rmdir() refuses. */
static void remove_left(const struct cgroup_tree *tree)
{
	int fd = openat(tree->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_(closedir) DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	if (!dir) {
		fd_close(fd);
		return;
	}
	while ((entry = readdir(dir)))
		if (strncmp(entry->d_name, tree->prefix, strlen(tree->prefix)) == 0)
			unlinkat(tree->fd, entry->d_name, AT_REMOVEDIR);
}

static int enter(int at, const char *path, int pid)
{
	char number[16];

	snprintf(number, sizeof(number), "%d", pid);
	return write_file(at, path, number);
}

static unsigned controllers_of(int at, unsigned wanted)
{
	char words[FILE_BYTES];
	unsigned has = 0;

	read_file(at, "cgroup.controllers", words);
	for (size_t i = 0; i < N_CONTROLLERS; i++)
		if (wanted & controllers[i].bit && has_word(words, controllers[i].name))
			has |= controllers[i].bit;
	return has;
}

/* Returns 0 or -errno of the first that can't be handed on. */
static int hand_on(int at, unsigned which, char sign)
{
	char word[32];
	int r = 0;

	for (size_t i = 0; r == 0 && i < N_CONTROLLERS; i++) {
		if (!(which & controllers[i].bit))
			continue;
		snprintf(word, sizeof(word), "%c%s", sign, controllers[i].name);
		r = write_file(at, "cgroup.subtree_control", word);
	}
	return r;
}

static bool descends_from(pid_t pid, pid_t ancestor)
{
	while (pid > 1 && pid != ancestor)
		pid = process_parent(pid);
	return pid == ancestor;
}

/* Moves who is in `from` and descends from that process. Returns how many were found. Who ends meanwhile is in neither. */
static unsigned move(int at, const char *from, const char *to, pid_t ancestor)
{
	int fd = openat(at, from, O_RDONLY | O_CLOEXEC);
	FILE *procs = fd < 0 ? NULL : fdopen(fd, "r");
	unsigned n = 0;
	int pid;

	if (!procs) {
		fd_close(fd);
		return 0;
	}
	while (fscanf(procs, "%d", &pid) == 1)
		if (descends_from(pid, ancestor)) {
			enter(at, to, pid);
			n++;
		}
	fclose(procs);
	return n;
}

static void move_all(int at, const char *from, const char *to, pid_t ancestor)
{
	for (unsigned i = 0; i < ROUNDS_MAX && move(at, from, to, ancestor); i++)
		;
}

/* Those that this process has started before stand in the way like itself: a reload may be the first that wants a tree. */
static int make_leaf(const struct cgroup_tree *tree, int pid)
{
	char path[FILE_BYTES];
	int r;

	snprintf(path, sizeof(path), "%s" LEAF, tree->prefix);
	if (mkdirat(tree->fd, path, 0755) && errno != EEXIST)
		return -errno;
	snprintf(path, sizeof(path), "%s" LEAF "/cgroup.procs", tree->prefix);
	r = enter(tree->fd, path, pid);
	if (r < 0)
		return r;
	move_all(tree->fd, "cgroup.procs", path, pid);
	return hand_on(tree->fd, tree->has, '+');
}

/* As it was: also after half of it. */
static void take_leaf_away(const struct cgroup_tree *tree, int pid)
{
	char path[FILE_BYTES];

	hand_on(tree->fd, tree->has, '-');
	enter(tree->fd, "cgroup.procs", pid);
	snprintf(path, sizeof(path), "%s" LEAF "/cgroup.procs", tree->prefix);
	move_all(tree->fd, path, "cgroup.procs", pid);
	remove_left(tree);
}

static void forget(struct cgroup_tree *tree)
{
	fd_close(tree->fd);
	free(tree->prefix);
	*tree = (struct cgroup_tree)CGROUP_TREE_NULL;
}

static int refuse(struct cgroup_tree *tree, const char *own, int r, struct text *why)
{
	if (r == -EBUSY)
		text_printf(why, "the control group of weir, %s, has other processes in it", own);
	else
		text_printf(why, "the control group of weir, %s, is not delegated to it (%s)", own,
			    strerrordesc_np(-r));
	forget(tree);
	return CGROUP_E_NONE;
}

static int lacks_all(struct cgroup_tree *tree, const char *own, unsigned wanted, struct text *why)
{
	text_printf(why, "the control group of weir, %s, has no controller", own);
	for (size_t i = 0, n = 0; i < N_CONTROLLERS; i++)
		if (wanted & controllers[i].bit)
			text_printf(why, "%s %s", n++ ? "," : "", controllers[i].name);
	forget(tree);
	return CGROUP_E_NONE;
}

int cgroup_tree_open(const struct cgroup_place *place, const char *pipeline, int pid, unsigned wanted,
		     struct cgroup_tree *ret_tree, struct text *why)
{
	_cleanup_(text_deinit) struct text path = TEXT_NULL, prefix = TEXT_NULL;
	struct cgroup_tree *tree = ret_tree;
	int r;

	text_printf(&path, "%s%s", place->mount, place->own);
	text_printf(&prefix, "weir-%s.", pipeline);
	*tree = (struct cgroup_tree){ .fd = open(text_get(&path), O_PATH | O_DIRECTORY | O_CLOEXEC),
				      .prefix = text_steal(&prefix) };
	if (tree->fd < 0)
		return refuse(tree, place->own, -errno, why);
	tree->has = controllers_of(tree->fd, wanted);
	if (!tree->has)
		return lacks_all(tree, place->own, wanted, why);
	remove_left(tree);
	r = make_leaf(tree, pid);
	if (r == 0)
		return 0;
	take_leaf_away(tree, pid);
	return refuse(tree, place->own, r, why);
}

void cgroup_tree_widen(struct cgroup_tree *tree, unsigned wanted)
{
	unsigned more = controllers_of(tree->fd, wanted & ~tree->has);

	for (size_t i = 0; i < N_CONTROLLERS; i++)
		if (more & controllers[i].bit && hand_on(tree->fd, controllers[i].bit, '+') == 0)
			tree->has |= controllers[i].bit;
}

void cgroup_tree_close(struct cgroup_tree *tree, int pid)
{
	if (tree->fd >= 0) {
		remove_left(tree);
		take_leaf_away(tree, pid);
	}
	forget(tree);
}

/* ---- one group ---- */

static int set(int at, const char *file, const char *value, struct text *why)
{
	int r = write_file(at, file, value);

	if (r < 0)
		text_printf(why, "%s can't be set to %s: %s", file, value, strerrordesc_np(-r));
	return r;
}

/* memory.max does not count what is swapped out. A kernel without swap has no such file. */
static int forbid_swap(int at, struct text *why)
{
	if (faccessat(at, "memory.swap.max", F_OK, 0) != 0 && errno == ENOENT)
		return 0;
	return set(at, "memory.swap.max", "0", why);
}

static int set_limits(int at, unsigned has, const struct cgroup_limits *limits, struct text *why)
{
	uint64_t quota_us = limits->cpu_billionths / (UINT64_C(1000000000) / CPU_PERIOD_US);
	char value[64];
	int r = 0;

	if (has & CGROUP_MEMORY && limits->memory_bytes) {
		snprintf(value, sizeof(value), "%" PRIu64, limits->memory_bytes);
		r = set(at, "memory.max", value, why);
		if (r == 0)
			r = forbid_swap(at, why);
	}
	if (r == 0 && has & CGROUP_CPU && limits->cpu_billionths) {
		snprintf(value, sizeof(value), "%" PRIu64 " %u",
			 quota_us < CPU_QUOTA_MIN_US ? CPU_QUOTA_MIN_US : quota_us, CPU_PERIOD_US);
		r = set(at, "cpu.max", value, why);
	}
	if (r == 0 && has & CGROUP_CPU && limits->has_nice) {
		snprintf(value, sizeof(value), "%d", limits->nice);
		r = set(at, "cpu.weight.nice", value, why);
	}
	return r;
}

static void name_of(const struct cgroup_tree *tree, const char *name, char path[static FILE_BYTES])
{
	snprintf(path, FILE_BYTES, "%s%s", tree->prefix, name);
}

int cgroup_make(const struct cgroup_tree *tree, const char *name, const struct cgroup_limits *limits, int *ret_procs_fd,
		struct text *why)
{
	_cleanup_(close) int at = -1;
	char path[FILE_BYTES];
	int r = 0;

	name_of(tree, name, path);
	if (mkdirat(tree->fd, path, 0755) && errno != EEXIST)
		r = -errno;
	if (r == 0) {
		at = openat(tree->fd, path, O_PATH | O_DIRECTORY | O_CLOEXEC);
		r = at < 0 ? -errno : set_limits(at, tree->has, limits, why);
	}
	if (r == 0) {
		*ret_procs_fd = openat(at, "cgroup.procs", O_WRONLY | O_CLOEXEC);
		r = *ret_procs_fd < 0 ? -errno : 0;
	}
	if (r == 0)
		return 0;
	if (!why->length)
		text_printf(why, "its control group can't be made: %s", strerrordesc_np(-r));
	unlinkat(tree->fd, path, AT_REMOVEDIR);
	return error_origin(r);
}

uint64_t cgroup_oom_kills(const struct cgroup_tree *tree, const char *name)
{
	char path[FILE_BYTES], events[FILE_BYTES];
	const char *line;
	_cleanup_(text_deinit) struct text file = TEXT_NULL;

	name_of(tree, name, path);
	text_printf(&file, "%s/memory.events", path);
	read_file(tree->fd, text_get(&file), events);
	line = strstr(events, "oom_kill ");
	return line ? strtoull(line + strlen("oom_kill "), NULL, 10) : 0;
}

void cgroup_remove(const struct cgroup_tree *tree, const char *name)
{
	char path[FILE_BYTES];

	name_of(tree, name, path);
	unlinkat(tree->fd, path, AT_REMOVEDIR);
}
