/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Going on where the last run ended.
 *
 *      run 1   ... every item has its fate ... end ---> <state>/<pipeline>/positions/<stage> ---> run 2: cursor and spool, as if its worker
 *              | head | cursor | spool |                a new file, synced, renamed              had died and this was the next one
 *
 * A position may be written down only when everything before it has arrived, and at the end of a run it has: nothing in a lane, nothing
 * held, nothing cancelled. After any other end the file of the run before stays, so the next run repeats what came since: at least
 * once. (To write positions down while items are on their way takes checkpoints, which flow behind the items through every stage.)
 */
#include "broker/supervise/positions.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "broker/supervise/supervisor_priv.h"
#include "common/base/cleanup.h"
#include "common/base/error.h"
#include "common/base/hash.h"
#include "common/base/text.h"
#include "common/flow/commit.h"

#define MAGIC UINT64_C(0x77656972706f7332) /* "weirpos2": also the layout's version */
#define SPOOL_BYTES_MAX (UINT64_C(64) << 20)
#define MODE 0600
#define FOLDER_MODE 0700

struct positions_head {
	uint64_t magic;
	uint64_t spool_bytes;
	uint64_t hash; /* of all that follows */
	uint8_t cursor[CURSOR_STAGE_SIZE];
};

static void name_file(const struct seat *seat, struct text *path)
{
	text_printf(path, "%s/%s", seat->supervisor->positions, seat->stage->name);
}

static int read_all(int fd, void *bytes, size_t n, off_t at)
{
	for (size_t done = 0; done < n;) {
		ssize_t got = pread(fd, (char *)bytes + done, n - done, at + (off_t)done);

		if (got <= 0 && !(got < 0 && errno == EINTR))
			return got < 0 ? -errno : -EBADMSG;
		done += got > 0 ? (size_t)got : 0;
	}
	return 0;
}

static int write_all(int fd, const void *bytes, size_t n, off_t at)
{
	for (size_t done = 0; done < n;) {
		ssize_t put = pwrite(fd, (const char *)bytes + done, n - done, at + (off_t)done);

		if (put < 0 && errno != EINTR)
			return -errno;
		done += put > 0 ? (size_t)put : 0;
	}
	return 0;
}

static uint64_t hash_of(const struct positions_head *head, const void *spool)
{
	return hash_bytes(hash_bytes(0, head->cursor, sizeof(head->cursor)), spool, head->spool_bytes);
}

/* ---- the next run ---- */

static int read_file(const struct seat *seat, struct positions_head *head, void **ret_spool)
{
	_cleanup_(text_deinit) struct text path = TEXT_NULL;
	_cleanup_(close) int fd = -1;
	_cleanup_(free) void *spool = NULL;
	int r;

	name_file(seat, &path);
	fd = open(text_get(&path), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return -errno;
	r = read_all(fd, head, sizeof(*head), 0);
	if (r == 0 && (head->magic != MAGIC || head->spool_bytes > SPOOL_BYTES_MAX))
		r = -EBADMSG;
	spool = r == 0 ? malloc(head->spool_bytes + 1) : NULL;
	if (r == 0)
		r = spool ? read_all(fd, spool, head->spool_bytes, sizeof(*head)) : -ENOMEM;
	if (r == 0 && head->hash != hash_of(head, spool))
		r = -EBADMSG;
	if (r == 0)
		*ret_spool = steal_pointer(&spool);
	return r;
}

/* Both copies: which of them counts is no matter then. */
static int give_to_seat(const struct seat *seat, const struct positions_head *head, const void *spool)
{
	int r = seat->stage->n_spools ? write_all(seat->spool_fds[0], spool, head->spool_bytes, 0) : 0;

	for (unsigned i = 0; r == 0 && i < 2; i++)
		r = write_all(seat->segment_fd, head->cursor, sizeof(head->cursor),
			      (off_t)((const unsigned char *)&seat->segment.cursors[i] - seat->segment.base) +
				      (off_t)offsetof(struct cursor, stage));
	return r;
}

static int seat_load(struct seat *seat)
{
	struct positions_head head;
	_cleanup_(free) void *spool = NULL;
	int r = read_file(seat, &head, &spool);

	if (r == -ENOENT)
		return 0;
	if (r != 0) {
		supervisor_log(
			seat->supervisor, WEIR_LOG_WARNING,
			"what '%s' has read in earlier runs is not known: %s/%s: %s; it begins as in a first run",
			seat->stage->name, seat->supervisor->positions, seat->stage->name,
			r == -EBADMSG ? "it is damaged, or another version of weir has written it" : strerror(-r));
		return 0;
	}
	return error_trace(give_to_seat(seat, &head, spool));
}

int positions_load(struct supervisor *supervisor)
{
	int r = 0;

	for (uint32_t i = 0; r == 0 && supervisor->positions && i < supervisor->plan->n_slots; i++)
		if (supervisor->seats[i].stage->keeps)
			r = seat_load(&supervisor->seats[i]);
	return r;
}

/* ---- the end of a run ---- */

static bool has_all_arrived(const struct outcome *outcome)
{
	return !outcome->corrupt && !outcome->start_failed && outcome_balanced(outcome) &&
	       !outcome_in_flight(outcome) && !outcome->ledger[LEDGER_CANCELLED];
}

static int make_folders(const char *path)
{
	_cleanup_(free) char *copy = strdup(path);

	if (!copy)
		return error_origin(-ENOMEM);
	for (char *slash = copy + 1; (slash = strchr(slash, '/')); *slash++ = '/') {
		*slash = '\0';
		if (mkdir(copy, FOLDER_MODE) && errno != EEXIST)
			return -errno;
	}
	return mkdir(copy, FOLDER_MODE) && errno != EEXIST ? -errno : 0;
}

static int write_file(const struct seat *seat, const struct positions_head *head, const void *spool)
{
	_cleanup_(text_deinit) struct text path = TEXT_NULL, fresh = TEXT_NULL;
	_cleanup_(close) int fd = -1, folder = -1;
	int r = make_folders(seat->supervisor->positions);

	if (r != 0)
		return r;
	name_file(seat, &path);
	text_printf(&fresh, "%s.new", text_get(&path));
	fd = open(text_get(&fresh), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, MODE);
	if (fd < 0)
		return -errno;
	r = write_all(fd, head, sizeof(*head), 0);
	if (r == 0)
		r = write_all(fd, spool, head->spool_bytes, sizeof(*head));
	if (r == 0 && (fsync(fd) || rename(text_get(&fresh), text_get(&path))))
		r = -errno;
	if (r != 0) {
		(void)unlink(text_get(&fresh));
		return r;
	}
	folder = open(seat->supervisor->positions, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return folder >= 0 && fsync(folder) ? -errno : 0;
}

static int seat_save(const struct seat *seat)
{
	struct positions_head head = { .magic = MAGIC };
	_cleanup_(free) void *spool = NULL;
	struct stat st = { 0 };
	struct cursor cursor;
	int r;

	if (cursor_snapshot(&seat->segment, &cursor) != 0)
		return -EBUSY;
	if (seat->stage->n_spools && fstat(seat->spool_fds[0], &st))
		return -errno;
	if ((uint64_t)st.st_size > SPOOL_BYTES_MAX)
		return -EFBIG;
	memcpy(head.cursor, cursor.stage, sizeof(head.cursor));
	head.spool_bytes = (uint64_t)st.st_size;
	spool = malloc(head.spool_bytes + 1);
	if (!spool)
		return error_origin(-ENOMEM);
	r = read_all(seat->spool_fds[0], spool, head.spool_bytes, 0);
	head.hash = hash_of(&head, spool);
	return r == 0 ? write_file(seat, &head, spool) : r;
}

void supervisor_save_positions(struct supervisor *supervisor)
{
	for (uint32_t i = 0; supervisor->positions && i < supervisor->plan->n_slots; i++) {
		const struct seat *seat = &supervisor->seats[i];
		int r;

		if (!seat->stage->keeps)
			continue;
		if (!has_all_arrived(&supervisor->lifecycle.outcome)) {
			supervisor_log(
				supervisor, WEIR_LOG_WARNING,
				"not everything that '%s' has read has arrived: the next run begins where this one did",
				seat->stage->name);
			continue;
		}
		r = seat_save(seat);
		if (r != 0)
			supervisor_log(
				supervisor, WEIR_LOG_ERROR,
				"cannot keep what '%s' has read: %s/%s: %s; the next run begins where this one did",
				seat->stage->name, supervisor->positions, seat->stage->name, strerror(-r));
	}
}
