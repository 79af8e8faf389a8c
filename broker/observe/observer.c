/* SPDX-License-Identifier: Apache-2.0 */
/*
 *      lock of the run directory -> connect -> whose is it? (uid) -> BEGIN: same layouts? -> SEGMENTS ... -> all mapped and checked
 *
 * What comes from the door is the supervisor's, of whom we know the user and nothing else: it may be another version of weir, or hang. So
 * each packet is looked over, each descriptor is asked what it is, and all of it has one deadline. A descriptor that could be written
 * through is refused: an observer must not be able to do harm by a bug of its own.
 */
#include "broker/observe/observer.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <weir/version.h>

#include "broker/control/run_dir.h"
#include "common/base/cleanup.h"
#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/base/must.h"

#define FILES_BESIDE 128u
#define AGAIN_NS (20 * NS_PER_MS)

struct observer {
	int fd;
	const char *run_dir; /* the caller's; only while it opens */
	uint64_t deadline_ns;
	enum observer_news over; /* ENDED, LOST; SAME: it is not */
	struct catalog catalog;
	uint32_t n_slots, n_segments; /* n_segments: have come */
	const struct board *board;
	struct segment *segments; /* n_slots */
	int *segment_fds;         /* n_slots */
};

/* One packet, and the descriptors that came with it. */
struct delivery {
	struct door_packet packet;
	int fds[DOOR_FDS_MAX];
	uint32_t n_fds;
};

static void delivery_deinit(struct delivery *delivery)
{
	for (uint32_t i = 0; i < delivery->n_fds; i++)
		fd_close(delivery->fds[i]);
	delivery->n_fds = 0;
}

static void delivery_deinit_cleanup(struct delivery *delivery)
{
	delivery_deinit(delivery);
}

/* ---- packets ---- */

static void take_fds(struct msghdr *message, struct delivery *delivery)
{
	for (struct cmsghdr *header = CMSG_FIRSTHDR(message); header; header = CMSG_NXTHDR(message, header)) {
		size_t n = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS ||
		    n > DOOR_FDS_MAX - delivery->n_fds)
			continue;
		memcpy(delivery->fds + delivery->n_fds, CMSG_DATA(header), n * sizeof(int));
		delivery->n_fds += (uint32_t)n;
	}
}

/* Returns the size of what has come; 0: its end; -EAGAIN: nothing has; -EMFILE: there was no room for a descriptor; -errno. */
static ssize_t receive(int fd, struct delivery *delivery)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(DOOR_FDS_MAX * sizeof(int))];
	} control;
	struct iovec vector = { .iov_base = &delivery->packet, .iov_len = sizeof(delivery->packet) };
	struct msghdr message = {
		.msg_iov = &vector, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)
	};
	ssize_t n;

	*delivery = (struct delivery){ .n_fds = 0 };
	do
		n = recvmsg(fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	take_fds(&message, delivery);
	return message.msg_flags & MSG_CTRUNC ? -EMFILE : n;
}

static int say_other(const struct door_packet *packet, struct text *why)
{
	text_printf(
		why,
		"the pipeline is run by another weir (version %.*s, memory layouts %u and %u, door %u) than this one "
		"(version " WEIR_VERSION ", %u and %u, %u); look at it with the weir that runs it",
		(int)strnlen(packet->weir, sizeof(packet->weir)), packet->weir, packet->segment_layout,
		packet->board_layout, packet->version, SEGMENT_LAYOUT_VERSION, BOARD_LAYOUT_VERSION, DOOR_VERSION);
	return OBSERVER_E_OTHER;
}

static int say_senseless(struct text *why)
{
	text_add(why, "what the pipeline's supervisor shows makes no sense; is it another weir?");
	return OBSERVER_E_OTHER;
}

static int say_ended(struct text *why)
{
	text_add(why, "the pipeline has just ended");
	return OBSERVER_E_NOT_RUNNING;
}

static bool is_whole(const struct delivery *delivery, ssize_t size_bytes)
{
	return size_bytes == (ssize_t)sizeof(delivery->packet) && delivery->packet.magic == DOOR_MAGIC;
}

static bool is_same_version(const struct door_packet *packet)
{
	return packet->version == DOOR_VERSION && packet->segment_layout == SEGMENT_LAYOUT_VERSION &&
	       packet->board_layout == BOARD_LAYOUT_VERSION;
}

/* Waits for the next packet while it opens. Returns 0, OBSERVER_E_*, -errno. */
static int await(struct observer *observer, struct delivery *delivery, struct text *why)
{
	for (;;) {
		struct pollfd wait = { .fd = observer->fd, .events = POLLIN };
		uint64_t now_ns = clock_now_ns();
		ssize_t n = receive(observer->fd, delivery);

		if (n == 0 || n == -ECONNRESET)
			return say_ended(why);
		if (n < 0 && n != -EAGAIN) {
			text_printf(why, "what the pipeline shows can not be received: %s%s", strerror((int)-n),
				    n == -EMFILE ? "; raise the limit (ulimit -n)" : "");
			return (int)n;
		}
		if (n > 0 && !is_whole(delivery, n))
			return say_senseless(why);
		if (n > 0 && !is_same_version(&delivery->packet))
			return say_other(&delivery->packet, why);
		if (n > 0)
			return 0;
		if (now_ns >= observer->deadline_ns) {
			text_add(why, "the pipeline's supervisor does not answer");
			return OBSERVER_E_NO_ANSWER;
		}
		if (poll(&wait, 1, deadline_poll_ms(observer->deadline_ns, now_ns, 1000)) < 0 && errno != EINTR)
			return error_origin(-errno);
	}
}

/* ---- what they bring ---- */

static bool is_read_only(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	return flags >= 0 && (flags & O_ACCMODE) == O_RDONLY;
}

static void raise_files(uint32_t n_slots)
{
	struct rlimit limit;
	rlim_t wanted = (rlim_t)n_slots + FILES_BESIDE;

	if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur >= wanted)
		return;
	limit.rlim_cur = wanted < limit.rlim_max ? wanted : limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

static int make_room(struct observer *observer)
{
	observer->segments = calloc(observer->n_slots, sizeof(*observer->segments));
	observer->segment_fds = calloc(observer->n_slots, sizeof(*observer->segment_fds));
	if (!observer->segments || !observer->segment_fds)
		return error_origin(-ENOMEM);
	for (uint32_t i = 0; i < observer->n_slots; i++)
		observer->segment_fds[i] = -1;
	raise_files(observer->n_slots);
	return 0;
}

static int take_begin(struct observer *observer, const struct delivery *delivery, struct text *why)
{
	int r;

	if (delivery->packet.kind == DOOR_FULL) {
		text_add(why, "the pipeline has as many observers as it may have; end one of them");
		return OBSERVER_E_FULL;
	}
	if (delivery->packet.kind == DOOR_ENDED)
		return say_ended(why);
	if (delivery->packet.kind != DOOR_BEGIN || delivery->n_fds != 2 || !is_read_only(delivery->fds[1]))
		return say_senseless(why);
	r = catalog_open(&observer->catalog, delivery->fds[0]);
	if (r == 0)
		observer->n_slots = observer->catalog.head->n_slots;
	if (r == 0)
		r = board_attach(delivery->fds[1], observer->n_slots, &observer->board);
	return r > 0 ? say_senseless(why) : r ? r : make_room(observer);
}

static int take_segment(struct observer *observer, int fd)
{
	uint32_t slot = observer->n_segments;
	int r;

	if (!is_read_only(fd))
		return SEGMENT_E_FOREIGN;
	r = segment_attach(&observer->segments[slot], fd, &observer->catalog.slots[slot].geometry, SEGMENT_READ);
	observer->n_segments += r == 0;
	return r;
}

static int take_segments(struct observer *observer, struct delivery *delivery, struct text *why)
{
	uint32_t n = delivery->n_fds;
	int r = 0;

	if (delivery->packet.kind == DOOR_ENDED)
		return say_ended(why);
	if (delivery->packet.kind != DOOR_SEGMENTS || delivery->packet.first_slot != observer->n_segments || !n ||
	    n > observer->n_slots - observer->n_segments)
		return say_senseless(why);
	for (uint32_t i = 0; r == 0 && i < n; i++) {
		uint32_t slot = observer->n_segments;

		r = take_segment(observer, delivery->fds[i]);
		if (r == 0)
			observer->segment_fds[slot] = steal_fd(&delivery->fds[i]);
	}
	return r > 0 ? say_senseless(why) : r;
}

/* A reload while it opens. The slots are the same ones, or the catalog is somebody else's. */
static int take_catalog(struct observer *observer, const struct delivery *delivery)
{
	struct catalog catalog = CATALOG_NULL;
	int r = delivery->n_fds == 1 ? catalog_open(&catalog, delivery->fds[0]) : CATALOG_E_FOREIGN;

	if (r == 0 && catalog.head->n_slots != observer->n_slots) {
		catalog_close(&catalog);
		r = CATALOG_E_FOREIGN;
	}
	if (r)
		return r;
	for (uint32_t i = 0; r == 0 && i < observer->n_slots; i++)
		if (memcmp(&catalog.slots[i], &observer->catalog.slots[i], sizeof(catalog.slots[i])) != 0)
			r = CATALOG_E_FOREIGN;
	if (r) {
		catalog_close(&catalog);
		return r;
	}
	catalog_close(&observer->catalog);
	observer->catalog = catalog;
	return 0;
}

/* ---- opening ---- */

static int say_not_running(struct text *why)
{
	text_add(why, "the pipeline is not running");
	return OBSERVER_E_NOT_RUNNING;
}

/* Its queue is full, or it has just begun: both pass. */
static bool may_pass(const struct observer *observer, int error)
{
	return (error == ENOENT || error == ECONNREFUSED || error == EAGAIN) &&
	       clock_now_ns() + AGAIN_NS < observer->deadline_ns && run_dir_is_alive(observer->run_dir);
}

static int connect_to(struct observer *observer, struct text *why)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	_cleanup_(text_deinit) struct text path = TEXT_NULL;

	text_printf(&path, "%s/observe", observer->run_dir);
	if (path.length >= sizeof(address.sun_path))
		return error_origin(-ENAMETOOLONG);
	memcpy(address.sun_path, text_get(&path), path.length + 1);
	observer->fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (observer->fd < 0)
		return error_origin(-errno);
	while (connect(observer->fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		int error = errno;

		if (error != EINTR && !may_pass(observer, error)) {
			if (!run_dir_is_alive(observer->run_dir))
				return say_not_running(why);
			text_printf(why, "%s can not be connected to: %s%s", text_get(&path), strerror(error),
				    error == ENOENT ? "; is the pipeline run by an older weir?" : "");
			return error == ENOENT ? OBSERVER_E_OTHER : error == EAGAIN ? OBSERVER_E_NO_ANSWER : -error;
		}
		poll(NULL, 0, (int)(AGAIN_NS / NS_PER_MS));
	}
	return 0;
}

static int check_owner(const struct observer *observer, struct text *why)
{
	struct ucred who;
	socklen_t size = sizeof(who);

	if (getsockopt(observer->fd, SOL_SOCKET, SO_PEERCRED, &who, &size))
		return error_origin(-errno);
	if (who.uid == geteuid())
		return 0;
	text_printf(why, "the pipeline is run by another user (uid %u)", (unsigned)who.uid);
	return OBSERVER_E_OTHER;
}

static int take_next(struct observer *observer, struct text *why)
{
	_cleanup_(delivery_deinit) struct delivery delivery;
	int r;

	delivery.n_fds = 0;
	r = await(observer, &delivery, why);
	if (r)
		return r;
	if (!observer->board)
		return take_begin(observer, &delivery, why);
	return take_segments(observer, &delivery, why);
}

static int take_all(struct observer *observer, struct text *why)
{
	int r = connect_to(observer, why);

	if (r == 0)
		r = check_owner(observer, why);
	while (r == 0 && (!observer->board || observer->n_segments < observer->n_slots))
		r = take_next(observer, why);
	return r;
}

int observer_open(const char *run_dir, uint64_t wait_ns, struct observer **ret_observer, struct text *why)
{
	struct observer *observer;
	int r;

	if (!run_dir_is_alive(run_dir))
		return say_not_running(why);
	observer = calloc(1, sizeof(*observer));
	if (!observer)
		return error_origin(-ENOMEM);
	*observer = (struct observer){ .fd = -1, .run_dir = run_dir, .deadline_ns = clock_now_ns() + wait_ns };
	r = take_all(observer, why);
	observer->run_dir = NULL;
	if (r == 0) {
		*ret_observer = observer;
		return 0;
	}
	observer_close(observer);
	if (!why->length)
		text_printf(why, "the pipeline can not be looked into: %s", strerror(-r));
	return r;
}

struct observer *observer_close(struct observer *observer)
{
	if (!observer)
		return NULL;
	for (uint32_t i = 0; i < observer->n_segments; i++)
		segment_detach(&observer->segments[i]);
	for (uint32_t i = 0; observer->segment_fds && i < observer->n_slots; i++)
		fd_close(observer->segment_fds[i]);
	board_detach(observer->board);
	catalog_close(&observer->catalog);
	fd_close(observer->fd);
	free(observer->segments);
	free(observer->segment_fds);
	free(observer);
	return NULL;
}

/* ---- open ---- */

int observer_fd(const struct observer *observer)
{
	return observer->fd;
}

static enum observer_news news_of(struct observer *observer, struct delivery *delivery, ssize_t size_bytes)
{
	if (size_bytes == -EAGAIN)
		return OBSERVER_SAME;
	if (size_bytes <= 0 || !is_whole(delivery, size_bytes))
		return OBSERVER_LOST;
	if (delivery->packet.kind == DOOR_ENDED)
		return OBSERVER_ENDED;
	if (delivery->packet.kind != DOOR_REPLANNED || take_catalog(observer, delivery) != 0)
		return OBSERVER_LOST;
	return OBSERVER_REPLANNED;
}

enum observer_news observer_look(struct observer *observer)
{
	enum observer_news said = OBSERVER_SAME;

	while (!observer->over) {
		_cleanup_(delivery_deinit) struct delivery delivery;
		ssize_t n = receive(observer->fd, &delivery);
		enum observer_news news = news_of(observer, &delivery, n);

		if (news == OBSERVER_SAME)
			return said;
		if (news != OBSERVER_REPLANNED)
			observer->over = news;
		said = news;
	}
	return observer->over;
}

const struct catalog *observer_catalog(const struct observer *observer)
{
	return &observer->catalog;
}

uint32_t observer_generation(const struct observer *observer)
{
	return observer->catalog.head->generation;
}

const struct board *observer_board(const struct observer *observer)
{
	return observer->board;
}

const struct segment *observer_segment(const struct observer *observer, uint32_t slot)
{
	must(slot < observer->n_slots);
	return &observer->segments[slot];
}

int observer_segment_fd(const struct observer *observer, uint32_t slot)
{
	must(slot < observer->n_slots);
	return observer->segment_fds[slot];
}

int observer_lane_map(const struct observer *observer, uint32_t lane, unsigned char **ret_data)
{
	const struct catalog_lane *place;

	must(lane < observer->catalog.head->n_lanes);
	place = &observer->catalog.lanes[lane];
	return lane_map(observer->segment_fds[place->producer], place->off_data, place->capacity_bytes, SEGMENT_READ,
			false, ret_data);
}
