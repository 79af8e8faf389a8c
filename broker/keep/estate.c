/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The estate names all that a run's next supervisor needs, and says what was decided. It is right at every instruction at which its writer
 * may be killed: the head and the things stand before anything is handed over, and a note is written whole into the copy that does not
 * count, then one store makes it the one that does.
 *
 *      supervisor 1    create --- note --- note --- X                     the memory is kept: fd store, or a holder
 *      supervisor 2                                   find --- lock --- (repair) --- note --- ...
 *
 * A decision is noted before it is carried out (supervise/leave_estate.c), so the next one finds either what had not been decided, or what
 * it has to do once more; all of it may be done twice.
 *
 * What is found is a stranger's word. Its size and its seals are the kernel's; versions, counts and the hash are compared before anything
 * else is looked at, and from then on numbers are used that were copied at that moment.
 */
#include "broker/keep/estate.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <weir/version.h>

#include "broker/keep/plan_digest.h"
#include "common/base/cleanup.h"
#include "common/base/error.h"
#include "common/base/hash.h"
#include "common/memory/board_layout.h"
#include "common/memory/memfd.h"
#include "common/memory/segment.h"

#define PAGE_BYTES 4096u
#define THING_MISSING (-1)

static size_t note_bytes(uint32_t n_slots, uint32_t n_stages)
{
	return sizeof(struct estate_note) + n_slots * sizeof(struct estate_seat) +
	       n_stages * sizeof(struct estate_stage);
}

static size_t notes_offset(uint32_t n_things)
{
	return sizeof(struct estate_head) + n_things * sizeof(struct estate_thing);
}

static size_t size_of(uint32_t n_slots, uint32_t n_stages, uint32_t n_things)
{
	size_t size_bytes = notes_offset(n_things) + 2 * note_bytes(n_slots, n_stages);

	return (size_bytes + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
}

static uint64_t hash_of(const struct estate_head *head, const struct estate_thing *things, uint32_t n_things)
{
	uint64_t hash = hash_bytes(0, head, offsetof(struct estate_head, plan_digest));

	hash = hash_bytes(hash, &head->run, sizeof(head->run));
	hash = hash_bytes(hash, head->weir, sizeof(head->weir) + sizeof(head->pipeline));
	return hash_bytes(hash, things, n_things * sizeof(*things));
}

int estate_thing_of(int fd, enum estate_kind kind, uint32_t slot, uint32_t number, struct estate_thing *ret_thing)
{
	struct stat st;

	if (fstat(fd, &st))
		return error_origin(-errno);
	*ret_thing = (struct estate_thing){
		.device = st.st_dev, .inode = st.st_ino, .kind = (uint32_t)kind, .slot = slot, .number = number
	};
	return 0;
}

/* ---- the two copies ---- */

static struct estate_note *copy_of(const struct estate *estate, uint64_t flips)
{
	size_t offset = notes_offset(estate->n_things) + (flips & 1) * note_bytes(estate->n_slots, estate->n_stages);

	return (struct estate_note *)(void *)((unsigned char *)estate->head + offset);
}

const struct estate_note *estate_current(const struct estate *estate)
{
	return copy_of(estate, load_acquire(&estate->head->flips)); /* [E1] mate: estate_publish */
}

struct estate_note *estate_next(struct estate *estate)
{
	return copy_of(estate, load_relaxed(&estate->head->flips) + 1);
}

struct estate_seat *estate_seats(const struct estate *estate, const struct estate_note *note)
{
	(void)estate;
	return (struct estate_seat *)(void *)(uintptr_t)(note + 1);
}

struct estate_stage *estate_stages(const struct estate *estate, const struct estate_note *note)
{
	return (struct estate_stage *)(void *)(estate_seats(estate, note) + estate->n_slots);
}

void estate_publish(struct estate *estate)
{
	uint64_t flips = load_relaxed(&estate->head->flips);

	if (memcmp(copy_of(estate, flips), copy_of(estate, flips + 1), note_bytes(estate->n_slots, estate->n_stages)) ==
	    0)
		return;
	store_release(&estate->head->flips, flips + 1); /* [E1] mate: estate_current */
	fence_release(); /* [E1] the copy that does not count any more is written after this */
}

/* ---- a run begins ---- */

static int map(struct estate *estate)
{
	void *base = mmap(NULL, estate->size_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, estate->fd, 0);

	if (base == MAP_FAILED)
		return error_origin(-errno);
	estate->head = base;
	return madvise(base, estate->size_bytes, MADV_DONTFORK) ? error_origin(-errno) : 0;
}

static int allocate(uint32_t n_slots, uint32_t n_stages, uint32_t n_things, struct estate **ret_estate)
{
	struct estate *estate = calloc(1, sizeof(*estate));

	if (!estate)
		return error_origin(-ENOMEM);
	*estate = (struct estate){ .fd = -1,
				   .lock_fd = -1,
				   .n_slots = n_slots,
				   .n_stages = n_stages,
				   .n_things = n_things,
				   .size_bytes = size_of(n_slots, n_stages, n_things),
				   .things = calloc(n_things + 1ul, sizeof(*estate->things)),
				   .fds = calloc(n_things + 1ul, sizeof(*estate->fds)) };
	for (uint32_t i = 0; estate->fds && i < n_things; i++)
		estate->fds[i] = THING_MISSING;
	*ret_estate = estate;
	return estate->things && estate->fds ? 0 : error_origin(-ENOMEM);
}

static void write_head(struct estate *estate, const struct plan *plan, uint64_t digest)
{
	struct estate_head *head = estate->head;

	*head = (struct estate_head){
		.magic = ESTATE_MAGIC,
		.version = ESTATE_VERSION,
		.segment_layout = SEGMENT_LAYOUT_VERSION,
		.board_layout = BOARD_LAYOUT_VERSION,
		.heritage_version = HERITAGE_VERSION,
		.n_slots = estate->n_slots,
		.n_stages = estate->n_stages,
		.n_things = estate->n_things,
		.size_bytes = estate->size_bytes,
		.plan_digest = digest,
		.run = estate->run,
	};
	snprintf(head->weir, sizeof(head->weir), "%s", WEIR_VERSION);
	snprintf(head->pipeline, sizeof(head->pipeline), "%.*s", (int)sizeof(head->pipeline) - 1, plan->pipeline);
	memcpy(head + 1, estate->things, estate->n_things * sizeof(*estate->things));
	head->hash = hash_of(head, estate->things, estate->n_things);
}

int estate_set_plan(struct estate *estate, const struct plan *plan)
{
	uint64_t digest;
	int r = plan_digest(plan, &digest);

	if (r < 0)
		return error_trace(r);
	store_relaxed(&estate->head->plan_digest, digest); /* whoever is killed here has named the one or the other */
	return 0;
}

int estate_create(const struct plan *plan, uint64_t run, const struct estate_thing *things, uint32_t n_things,
		  struct estate **ret_estate)
{
	struct estate *estate = NULL;
	uint64_t digest;
	int r = plan_digest(plan, &digest);

	if (r == 0)
		r = allocate(plan->n_slots, plan->n_stages, n_things, &estate);
	if (r == 0)
		r = memfd_new_fixed("weir-estate", estate->size_bytes, &estate->fd);
	if (r == 0)
		r = map(estate);
	if (r == 0) {
		estate->run = run;
		memcpy(estate->things, things, n_things * sizeof(*things));
		write_head(estate, plan, digest);
		r = estate_lock(estate);
	}
	if (r != 0) {
		estate_free(estate);
		return error_fold(r);
	}
	*ret_estate = estate;
	return 0;
}

/* ---- a run goes on ---- */

int estate_lock(struct estate *estate)
{
	_cleanup_(close) int fd = -1;
	int r = memfd_reopen_read_only(estate->fd, &fd);

	if (r < 0)
		return error_trace(r);
	if (flock(fd, LOCK_EX | LOCK_NB))
		return errno == EWOULDBLOCK ? ESTATE_E_TAKEN : error_origin(-errno);
	estate->lock_fd = steal_fd(&fd);
	return 0;
}

/* Whether it is one at all, whoever's. */
static bool is_estate(int fd)
{
	uint64_t magic = 0;

	return fcntl(fd, F_GET_SEALS) >= 0 && pread(fd, &magic, sizeof(magic), 0) == sizeof(magic) &&
	       magic == ESTATE_MAGIC;
}

static int check_versions(const struct estate_head *head, struct text *why)
{
	if (head->version == ESTATE_VERSION && head->segment_layout == SEGMENT_LAYOUT_VERSION &&
	    head->board_layout == BOARD_LAYOUT_VERSION && head->heritage_version == HERITAGE_VERSION)
		return 0;
	text_printf(
		why,
		"weir %.*s has left it, whose memory has another layout (estate %u, segment %u, board %u, heritage %u; "
		"here %u, %u, %u, %u)",
		(int)sizeof(head->weir), head->weir, head->version, head->segment_layout, head->board_layout,
		head->heritage_version, ESTATE_VERSION, SEGMENT_LAYOUT_VERSION, BOARD_LAYOUT_VERSION, HERITAGE_VERSION);
	return ESTATE_E_OTHER;
}

static bool makes_sense(const struct estate_head *head, int fd)
{
	return head->n_slots && head->n_slots <= BOARD_SLOTS_MAX && head->n_stages &&
	       head->n_stages <= ESTATE_STAGES_MAX && head->n_things <= ESTATE_THINGS_MAX &&
	       head->size_bytes == size_of(head->n_slots, head->n_stages, head->n_things) &&
	       memfd_is_fixed(fd, head->size_bytes);
}

static int check_plan(const struct estate *estate, const struct estate_head *head, const struct plan *plan,
		      struct text *why)
{
	uint64_t digest;
	int r = plan_digest(plan, &digest);

	if (r < 0)
		return error_trace(r);
	if (estate->n_slots == plan->n_slots && estate->n_stages == plan->n_stages &&
	    load_relaxed(&head->plan_digest) == digest)
		return 0;
	text_printf(why, "it is of another spec of '%.*s'", (int)sizeof(head->pipeline), head->pipeline);
	return ESTATE_E_OTHER;
}

static bool notes_make_sense(const struct estate *estate)
{
	const struct estate_note *note = estate_current(estate);

	return note->phase <= ESTATE_ENDED && note->n_supervisors > 0;
}

static int senseless(const char *what, struct text *why)
{
	text_printf(why, "it makes no sense: %s", what);
	return ESTATE_E_SENSELESS;
}

/* Copies the head once, checks it, and goes on with the copy. */
static int open_checked(const struct plan *plan, int fd, struct estate **ret_estate, struct text *why)
{
	struct estate_head head;
	struct estate *estate;
	int r;

	if (pread(fd, &head, sizeof(head), 0) != sizeof(head))
		return senseless("it is too short", why);
	r = check_versions(&head, why);
	if (r != 0)
		return r;
	if (!makes_sense(&head, fd))
		return senseless("its size is not what it says", why);
	r = allocate(head.n_slots, head.n_stages, head.n_things, &estate);
	if (r == 0) {
		estate->fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
		r = estate->fd < 0 ? error_origin(-errno) : map(estate);
	}
	*ret_estate = estate;
	if (r < 0)
		return r;
	estate->run = head.run;
	memcpy(estate->things, estate->head + 1, head.n_things * sizeof(*estate->things));
	if (hash_of(&head, estate->things, head.n_things) != head.hash || !notes_make_sense(estate))
		return senseless("it is damaged", why);
	return check_plan(estate, &head, plan, why);
}

/* Gives each thing its descriptor. */
static int claim(struct estate *estate, int *fds, size_t n_fds, struct text *why)
{
	uint32_t missing = 0;

	for (uint32_t i = 0; i < estate->n_things; i++) {
		const struct estate_thing *thing = &estate->things[i];

		for (size_t j = 0; j < n_fds && estate->fds[i] < 0; j++) {
			struct stat st;

			if (fds[j] >= 0 && fstat(fds[j], &st) == 0 && st.st_dev == thing->device &&
			    st.st_ino == thing->inode)
				estate->fds[i] = steal_fd(&fds[j]);
		}
		missing += estate->fds[i] < 0;
	}
	if (!missing)
		return 0;
	text_printf(why, "%u of its %u descriptors have not been kept", missing, estate->n_things);
	return ESTATE_E_LOST;
}

bool estate_wants(const int *fds, size_t n_fds, uint64_t *ret_digest)
{
	_cleanup_(text_deinit) struct text unsaid = TEXT_NULL;
	struct estate_head head;

	for (size_t i = 0; i < n_fds; i++) {
		if (!is_estate(fds[i]))
			continue;
		if (pread(fds[i], &head, sizeof(head), 0) != sizeof(head) || check_versions(&head, &unsaid) != 0)
			return false;
		*ret_digest = load_relaxed(&head.plan_digest);
		return true;
	}
	return false;
}

uint64_t estate_plan(const struct estate *estate)
{
	return load_relaxed(&estate->head->plan_digest);
}

static int find_among(const struct plan *plan, int *fds, size_t n_fds, struct estate **ret_estate, struct text *why)
{
	int found = -1, r;

	for (size_t i = 0; i < n_fds; i++) {
		if (!is_estate(fds[i]))
			continue;
		if (found >= 0)
			return senseless("there are two", why);
		found = fds[i];
	}
	if (found < 0)
		return ESTATE_E_NONE;
	r = open_checked(plan, found, ret_estate, why);
	if (*ret_estate && (*ret_estate)->head && r != ESTATE_E_SENSELESS &&
	    estate_current(*ret_estate)->phase != ESTATE_RUNNING)
		return ESTATE_E_NOT_BEGUN;
	return r == 0 ? claim(*ret_estate, fds, n_fds, why) : r;
}

int estate_find(const struct plan *plan, int *fds, size_t n_fds, struct estate **ret_estate, struct text *why)
{
	struct estate *estate = NULL;
	int r = find_among(plan, fds, n_fds, &estate, why);

	for (size_t i = 0; i < n_fds; i++)
		fds[i] = fd_close(fds[i]);
	if (r != 0)
		estate = estate_free(estate);
	*ret_estate = estate;
	return r;
}

int estate_take_fd(struct estate *estate, enum estate_kind kind, uint32_t slot, uint32_t number)
{
	for (uint32_t i = 0; i < estate->n_things; i++)
		if (estate->things[i].kind == (uint32_t)kind && estate->things[i].slot == slot &&
		    estate->things[i].number == number && estate->fds[i] >= 0)
			return steal_fd(&estate->fds[i]);
	return -1;
}

struct estate *estate_free(struct estate *estate)
{
	if (!estate)
		return NULL;
	for (uint32_t i = 0; estate->fds && i < estate->n_things; i++)
		estate->fds[i] = fd_close(estate->fds[i]);
	if (estate->head)
		munmap(estate->head, estate->size_bytes);
	estate->lock_fd = fd_close(estate->lock_fd);
	estate->fd = fd_close(estate->fd);
	free(estate->things);
	free(estate->fds);
	free(estate);
	return NULL;
}
