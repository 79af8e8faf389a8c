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
 */
#include <errno.h>
#include <fcntl.h>
#include <time.h>

#include "common/base/cleanup.h"
#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/base/text.h"
#include "common/store/letter_store_priv.h"

#define LOOK_NS (5 * NS_PER_MS)

static struct {
	void (*function)(void *data, bool waits);
	void *data;
} watch;

static uint64_t patience_ns;

void letter_store_limit_wait(uint64_t wait_ns)
{
	patience_ns = wait_ns;
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
	fd = open(text_get(&name), flags | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY, 0600);
	text_deinit(&name);
	return fd;
}

int letter_turn_open(const char *path)
{
	return open_holder(path, O_RDWR | O_CREAT);
}

static bool try(const struct letter_store *store)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1 };

	/* where it can't be locked at all, the mutex is all there is */
	return fcntl(store->holder_fd, F_SETLK, &lock) == 0 || (errno != EAGAIN && errno != EACCES);
}

static void wait_for_ever(const struct letter_store *store)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1 };

	while (fcntl(store->holder_fd, F_SETLKW, &lock) < 0 && errno == EINTR)
		;
}

static int wait_until(const struct letter_store *store, uint64_t deadline_ns)
{
	const struct timespec pause = { .tv_nsec = LOOK_NS };

	while (!try(store)) {
		if (clock_now_ns() >= deadline_ns)
			return error_origin(-ETIMEDOUT);
		nanosleep(&pause, NULL);
	}
	return 0;
}

int letter_turn_take(const struct letter_store *store)
{
	int r = 0;

	if (store->holder_fd < 0 || try(store))
		return 0;
	if (watch.function)
		watch.function(watch.data, true);
	if (patience_ns)
		r = wait_until(store, clock_now_ns() + patience_ns);
	else
		wait_for_ever(store);
	if (watch.function)
		watch.function(watch.data, false);
	return r;
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
