/* SPDX-License-Identifier: Apache-2.0 */
/*
 *      connect -----> who is it? (uid) ---- stranger ---> closed, not a word
 *                        |     '----------- too many ---> FULL, closed
 *                     BEGIN (catalog, board)
 *                     SEGMENTS, SEGMENTS ...        each time the socket has room; DOOR_PATIENCE_NS for all of it
 *                        |
 *                     nothing is said, no timer is set, until another plan is in force or the run is over
 *
 * An observer has nothing to say: whatever comes from it, its end too, is the end. It gets descriptors that can't be mapped writable, of
 * files of a fixed size, so nothing that it does, or leaves undone, reaches the pipeline. What is left is what it could do to this loop: so
 * no send waits, nobody is kept who does not read, and when there are no descriptors left the door is shut for a second.
 */
#include "broker/observe/door.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <weir/version.h>

#include "broker/observe/catalog.h"
#include "broker/spec/plan.h"
#include "common/base/cleanup.h"
#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/base/must.h"
#include "common/base/text.h"
#include "common/memory/board_layout.h"

#define BACKLOG 16
#define SHUT_US 1000000u

/* How much of what there is to say one observer has been told. */
struct door_guest {
	struct door *door; /* NULL: this place is free */
	int fd;
	bool begun;
	uint32_t n_segments; /* that it has */
	uint32_t generation; /* of the catalog that it has */
	sd_event_source *io, *patience;
};

struct door {
	sd_event *event;
	struct door_exhibits exhibits;
	char *path;
	int fd;
	int catalog_fd; /* -1: nobody has asked yet */
	uint32_t generation;
	sd_event_source *arrivals, *reopening;
	struct door_guest guests[DOOR_OBSERVERS_MAX];
};

/* ---- packets ---- */

static struct door_packet packet_of(const struct door *door, enum door_kind kind)
{
	struct door_packet packet = { .magic = DOOR_MAGIC,
				      .version = DOOR_VERSION,
				      .kind = (uint32_t)kind,
				      .segment_layout = SEGMENT_LAYOUT_VERSION,
				      .board_layout = BOARD_LAYOUT_VERSION,
				      .weir = WEIR_VERSION,
				      .generation = door->generation,
				      .n_slots = door->exhibits.plan->n_slots };

	return packet;
}

/* Returns 0, or -errno: -EAGAIN if there is no room. */
static int send_packet(int fd, struct door_packet *packet, const int *fds, uint32_t n_fds)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(DOOR_FDS_MAX * sizeof(int))];
	} control = { 0 };
	struct iovec vector = { .iov_base = packet, .iov_len = sizeof(*packet) };
	struct msghdr message = { .msg_iov = &vector, .msg_iovlen = 1 };

	packet->n_fds = n_fds;
	if (n_fds) {
		control.header = (struct cmsghdr){ .cmsg_level = SOL_SOCKET,
						   .cmsg_type = SCM_RIGHTS,
						   .cmsg_len = CMSG_LEN(n_fds * sizeof(int)) };
		memcpy(CMSG_DATA(&control.header), fds, n_fds * sizeof(int));
		message.msg_control = &control;
		message.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
	}
	while (sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		if (errno != EINTR)
			return -errno;
	return 0;
}

static int need_catalog(struct door *door)
{
	return door->catalog_fd >= 0 ? 0 : catalog_create(door->exhibits.plan, door->generation, &door->catalog_fd);
}

static int tell_begin(struct door_guest *guest)
{
	struct door *door = guest->door;
	struct door_packet packet = packet_of(door, DOOR_BEGIN);
	int r = need_catalog(door), fds[2] = { door->catalog_fd, door->exhibits.board_fd };

	if (r == 0)
		r = send_packet(guest->fd, &packet, fds, 2);
	if (r)
		return r;
	guest->begun = true;
	guest->generation = door->generation;
	return 0;
}

static int tell_segments(struct door_guest *guest)
{
	struct door_packet packet = packet_of(guest->door, DOOR_SEGMENTS);
	uint32_t n = packet.n_slots - guest->n_segments;
	int r;

	n = n < DOOR_FDS_MAX ? n : DOOR_FDS_MAX;
	packet.first_slot = guest->n_segments;
	r = send_packet(guest->fd, &packet, guest->door->exhibits.segment_fds + guest->n_segments, n);
	if (r == 0)
		guest->n_segments += n;
	return r;
}

static int tell_replanned(struct door_guest *guest)
{
	struct door_packet packet = packet_of(guest->door, DOOR_REPLANNED);
	int r = need_catalog(guest->door);

	if (r == 0)
		r = send_packet(guest->fd, &packet, &guest->door->catalog_fd, 1);
	if (r == 0)
		guest->generation = guest->door->generation;
	return r;
}

static bool is_told(const struct door_guest *guest)
{
	return guest->begun && guest->n_segments == guest->door->exhibits.plan->n_slots &&
	       guest->generation == guest->door->generation;
}

static int tell_next(struct door_guest *guest)
{
	if (!guest->begun)
		return tell_begin(guest);
	if (guest->n_segments < guest->door->exhibits.plan->n_slots)
		return tell_segments(guest);
	return tell_replanned(guest);
}

/* ---- observers ---- */

static void drop(struct door_guest *guest)
{
	sd_event_source_disable_unref(guest->io);
	sd_event_source_disable_unref(guest->patience);
	fd_close(guest->fd);
	*guest = (struct door_guest){ .fd = -1 };
}

/* Whether its time runs, and room is waited for. */
static void await_room(const struct door_guest *guest, bool wanted)
{
	uint64_t patience_ns = guest->door->exhibits.patience_ns;
	int enabled = SD_EVENT_OFF;

	(void)sd_event_source_set_io_events(guest->io, wanted ? EPOLLIN | EPOLLOUT : EPOLLIN);
	(void)sd_event_source_get_enabled(guest->patience, &enabled);
	if (wanted && enabled == SD_EVENT_OFF)
		(void)sd_event_source_set_time_relative(guest->patience, patience_ns / NS_PER_US);
	if (wanted != (enabled != SD_EVENT_OFF))
		(void)sd_event_source_set_enabled(guest->patience, wanted ? SD_EVENT_ONESHOT : SD_EVENT_OFF);
}

/* Tells it as much as there is room for; drops it if it can't be told. */
static void attend(struct door_guest *guest)
{
	int r = 0;

	while (r == 0 && !is_told(guest))
		r = tell_next(guest);
	if (r && r != -EAGAIN)
		drop(guest);
	else
		await_room(guest, r == -EAGAIN);
}

static int on_guest(sd_event_source *source, int fd, uint32_t events, void *data)
{
	struct door_guest *guest = data;

	(void)source, (void)fd;
	if (events & ~(uint32_t)EPOLLOUT)
		drop(guest);
	else
		attend(guest);
	return 0;
}

static int on_patience(sd_event_source *source, uint64_t at_us, void *data)
{
	(void)source, (void)at_us;
	drop(data);
	return 0;
}

static struct door_guest *free_place(struct door *door)
{
	for (uint32_t i = 0; i < DOOR_OBSERVERS_MAX; i++)
		if (!door->guests[i].door)
			return &door->guests[i];
	return NULL;
}

static bool is_ours(int fd)
{
	struct ucred who;
	socklen_t size = sizeof(who);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &size) == 0 && who.uid == geteuid();
}

static void turn_away(const struct door *door, int fd)
{
	struct door_packet packet = packet_of(door, DOOR_FULL);

	(void)send_packet(fd, &packet, NULL, 0);
}

/* Takes the descriptor. */
static void receive(struct door *door, int fd)
{
	struct door_guest *guest = is_ours(fd) ? free_place(door) : NULL;
	int r;

	if (!guest) {
		if (is_ours(fd))
			turn_away(door, fd);
		close(fd);
		return;
	}
	*guest = (struct door_guest){ .door = door, .fd = fd };
	r = sd_event_add_io(door->event, &guest->io, fd, EPOLLIN, on_guest, guest);
	if (r >= 0)
		r = sd_event_add_time_relative(door->event, &guest->patience, CLOCK_MONOTONIC, 0, 1, on_patience,
					       guest);
	if (r >= 0)
		r = sd_event_source_set_enabled(guest->patience, SD_EVENT_OFF);
	if (r < 0)
		drop(guest);
	else
		attend(guest);
}

/* ---- the door ---- */

/* Who waits outside would wake the loop again and again for what it can't do. */
static void shut_for_a_while(struct door *door)
{
	(void)sd_event_source_set_enabled(door->arrivals, SD_EVENT_OFF);
	(void)sd_event_source_set_time_relative(door->reopening, SHUT_US);
	(void)sd_event_source_set_enabled(door->reopening, SD_EVENT_ONESHOT);
}

static int on_arrival(sd_event_source *source, int listening_fd, uint32_t events, void *data)
{
	struct door *door = data;
	int fd = accept4(listening_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)source, (void)events;
	if (fd >= 0)
		receive(door, fd);
	else if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
		shut_for_a_while(door);
	return 0;
}

static int on_reopening(sd_event_source *source, uint64_t at_us, void *data)
{
	struct door *door = data;

	(void)source, (void)at_us;
	(void)sd_event_source_set_enabled(door->arrivals, SD_EVENT_ON);
	return 0;
}

/* The socket must never be open to others: it has its mode before it has a name. */
static int bind_private(const struct door *door)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int r;

	if (strlen(door->path) >= sizeof(address.sun_path))
		return error_origin(-ENAMETOOLONG);
	memcpy(address.sun_path, door->path, strlen(door->path) + 1);
	r = fchmod(door->fd, 0600) || bind(door->fd, (struct sockaddr *)&address, sizeof(address)) ?
		    error_origin(-errno) :
		    0;
	if (r == 0 && listen(door->fd, BACKLOG))
		r = error_origin(-errno);
	return r;
}

static int open_door(struct door *door)
{
	int r;

	door->fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (door->fd < 0)
		return error_origin(-errno);
	r = bind_private(door);
	if (r == 0)
		r = sd_event_add_io(door->event, &door->arrivals, door->fd, EPOLLIN, on_arrival, door);
	if (r >= 0)
		r = sd_event_add_time_relative(door->event, &door->reopening, CLOCK_MONOTONIC, 0, 1, on_reopening,
					       door);
	if (r >= 0)
		r = sd_event_source_set_enabled(door->reopening, SD_EVENT_OFF);
	return r < 0 ? error_trace(r) : 0;
}

int door_new(sd_event *event, const char *run_dir, const struct door_exhibits *exhibits, struct door **ret_door)
{
	struct door *door = calloc(1, sizeof(*door));
	struct text path = TEXT_NULL;
	int r;

	if (!door)
		return error_origin(-ENOMEM);
	text_printf(&path, "%s/observe", run_dir);
	*door = (struct door){ .event = sd_event_ref(event),
			       .exhibits = *exhibits,
			       .path = text_steal(&path),
			       .fd = -1,
			       .catalog_fd = -1,
			       .generation = 1 };
	if (!door->exhibits.patience_ns)
		door->exhibits.patience_ns = DOOR_PATIENCE_NS;
	for (uint32_t i = 0; i < DOOR_OBSERVERS_MAX; i++)
		door->guests[i].fd = -1;
	r = open_door(door);
	if (r) {
		door_free(door);
		return r;
	}
	*ret_door = door;
	return 0;
}

static void say_farewell(struct door_guest *guest)
{
	struct door_packet packet = packet_of(guest->door, DOOR_ENDED);

	(void)send_packet(guest->fd, &packet, NULL, 0);
	drop(guest);
}

struct door *door_free(struct door *door)
{
	if (!door)
		return NULL;
	for (uint32_t i = 0; i < DOOR_OBSERVERS_MAX; i++)
		if (door->guests[i].door)
			say_farewell(&door->guests[i]);
	sd_event_source_disable_unref(door->arrivals);
	sd_event_source_disable_unref(door->reopening);
	if (door->fd >= 0)
		unlink(door->path);
	fd_close(door->fd);
	fd_close(door->catalog_fd);
	sd_event_unref(door->event);
	free(door->path);
	free(door);
	return NULL;
}

void door_replan(struct door *door)
{
	door->generation++;
	door->catalog_fd = fd_close(door->catalog_fd);
	for (uint32_t i = 0; i < DOOR_OBSERVERS_MAX; i++)
		if (door->guests[i].door)
			attend(&door->guests[i]);
}

uint32_t door_observers(const struct door *door)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < DOOR_OBSERVERS_MAX; i++)
		n += door->guests[i].door != NULL;
	return n;
}
