/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whose turn it is to write into a store. LMDB's mutex says nothing of its owner; so who writes locks a file beside it first, `holder`:
 *
 *      worker A                     worker B                              weir why
 *      lock, mutex, put             lock: A has it. "I wait" (watch)      F_GETLK: whose lock is it? A's
 *      stopped                        waits in the kernel                 A is the culprit, B waits for it
 *      killed: the lock is free     lock, mutex, put
 *
 * What it guards is still the mutex's: where that file can't be made only nobody can be named.
 *
 * A worker waits in the kernel: its item has time, and whoever watches it sees for whom it waits. Who must not stand still for somebody
 * else's sake (the supervisor; a person who gave a time) looks at the lock again and again until then, and takes no mutex without
 * it. The kernel's wait could be ended by a signal only, which may come before it begins.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "common/base/cleanup.h"
#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/base/text.h"
#include "common/store/letter_store_priv.h"
#include "common/store/process_look.h"

enum { LOOK_NS = 1000000 }; /* often: a worker that writes letter after letter leaves the turn for moments only */
#define SAYS_AFTER_NS NS_PER_S

static struct {
	void (*function)(void *data, bool waits);
	void *data;
} watch;

static struct {
	uint64_t deadline_ns;
	void (*says)(const struct letter_holder *holder);
} patience;
static struct letter_holder held_by; /* the last one that was waited for, or in vain */

void letter_store_bound(uint64_t deadline_ns, void (*says)(const struct letter_holder *holder))
{
	patience.deadline_ns = deadline_ns;
	patience.says = says;
}

void letter_store_watch(void (*function)(void *data, bool waits), void *data)
{
	watch.function = function;
	watch.data = data;
}

static int open_holder(const char *path, int flags)
{
	struct text name = TEXT_NULL;
	int fd;

	text_printf(&name, "%s/holder", path);
	fd = open(text_get(&name), flags | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK, 0600);
	text_deinit(&name);
	return fd;
}

int letter_turn_open(const char *path)
{
	int fd = open_holder(path, O_RDWR | O_CREAT);

	return fd < 0 ? -errno : fd;
}

/* ---- who has it ---- */

static void look_who(const struct letter_store *store, struct letter_holder *ret_holder)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1 };

	if (fcntl(store->holder_fd, F_GETLK, &lock) || lock.l_type == F_UNLCK || lock.l_pid <= 0)
		return; /* just gone: then it is still the one of the last look */
	*ret_holder = (struct letter_holder){ .pid = lock.l_pid, .stopped = process_look_stopped(lock.l_pid) };
	process_look_command(lock.l_pid, ret_holder->command, sizeof(ret_holder->command));
}

const struct letter_holder *letter_store_held_by(void)
{
	return &held_by;
}

void letter_holder_name(const struct letter_holder *holder, struct text *text)
{
	if (holder->pid <= 0) {
		text_add(text, "another process");
		return;
	}
	text_printf(text, "process %d", (int)holder->pid);
	if (*holder->command)
		text_printf(text, " (%s)", holder->command);
	if (holder->stopped)
		text_add(text, ", which is stopped,");
}

/* ---- taking it ---- */

static int try_turn(const struct letter_store *store)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1 };

	if (store->holder_fd < 0)
		return store->holder_fd;
	if (fcntl(store->holder_fd, F_SETLK, &lock) == 0)
		return 0;
	return errno == EAGAIN || errno == EACCES ? LETTER_STORE_E_HELD : error_origin(-errno);
}

static int look_until(const struct letter_store *store, uint64_t deadline_ns)
{
	const struct timespec pause = { .tv_nsec = LOOK_NS };
	int r;

	while ((r = try_turn(store)) == LETTER_STORE_E_HELD && clock_now_ns() < deadline_ns)
		nanosleep(&pause, NULL);
	if (r == LETTER_STORE_E_HELD)
		look_who(store, &held_by);
	return r;
}

static int wait_in_kernel(const struct letter_store *store)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1 };

	while (fcntl(store->holder_fd, F_SETLKW, &lock) < 0)
		if (errno != EINTR)
			return error_origin(-errno);
	return 0;
}

static int wait_for_turn(const struct letter_store *store)
{
	uint64_t says_ns = clock_now_ns() + SAYS_AFTER_NS;
	int r = LETTER_STORE_E_HELD;

	held_by = (struct letter_holder){ 0 };
	if (patience.says && (!patience.deadline_ns || says_ns < patience.deadline_ns)) {
		r = look_until(store, says_ns);
		if (r == LETTER_STORE_E_HELD)
			patience.says(&held_by);
	}
	if (r != LETTER_STORE_E_HELD)
		return r;
	return patience.deadline_ns ? look_until(store, patience.deadline_ns) : wait_in_kernel(store);
}

int letter_turn_take(const struct letter_store *store)
{
	int r = try_turn(store);

	if (r == LETTER_STORE_E_HELD) {
		if (watch.function)
			watch.function(watch.data, true);
		r = wait_for_turn(store);
		if (watch.function)
			watch.function(watch.data, false);
	}
	return patience.deadline_ns ? r : 0; /* whatever it comes to, the mutex comes after it */
}

void letter_turn_give(const struct letter_store *store)
{
	struct flock lock = { .l_type = F_UNLCK, .l_whence = SEEK_SET, .l_len = 1 };

	if (store->holder_fd >= 0)
		(void)fcntl(store->holder_fd, F_SETLK, &lock);
}

pid_t letter_store_holder(const char *path)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1 };
	_cleanup_(close) int fd = open_holder(path, O_RDONLY);

	return fd >= 0 && fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK ? lock.l_pid : 0;
}
