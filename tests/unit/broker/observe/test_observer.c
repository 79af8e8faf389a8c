/* SPDX-License-Identifier: Apache-2.0 */
/* A look into a pipeline: all of it, read-only, and what becomes of it; and doors that are none, or another version's. */
#undef NDEBUG
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "broker/observe/observer.h"
#include "common/base/cleanup.h"
#include "common/base/clock.h"
#include "tests/unit/broker/observe/exhibition.h"

static int setup(void **state)
{
	struct exhibition *exhibition = calloc(1, sizeof(*exhibition));

	assert_non_null(exhibition);
	exhibition_init(exhibition, 3, 2);
	*state = exhibition;
	return 0;
}

static int teardown(void **state)
{
	exhibition_deinit(*state);
	free(*state);
	return 0;
}

static struct observer *look_in(const struct exhibition *exhibition)
{
	_cleanup_(text_deinit) struct text why = TEXT_NULL;
	struct observer *observer = NULL;

	assert_int_equal(observer_open(exhibition->dir.path, EXHIBITION_BOUND_NS, &observer, &why), 0);
	assert_int_equal(why.length, 0);
	return observer;
}

static enum observer_news await_news(struct observer *observer)
{
	struct pollfd wait = { .fd = observer_fd(observer), .events = POLLIN };
	enum observer_news news = OBSERVER_SAME;

	while (news == OBSERVER_SAME) {
		assert_int_equal(poll(&wait, 1, (int)(EXHIBITION_BOUND_NS / NS_PER_MS)), 1);
		news = observer_look(observer);
	}
	return news;
}

static void test_all_of_it(void **state)
{
	struct exhibition *exhibition = *state;
	const struct catalog *catalog;
	struct observer *observer;
	unsigned char *data;

	exhibition_open(exhibition);
	observer = look_in(exhibition);
	catalog = observer_catalog(observer);
	assert_int_equal(catalog->head->n_slots, 6);
	assert_int_equal(observer_board(observer)->n_slots, 6);
	for (uint32_t i = 0; i < 6; i++) {
		store_relaxed(&exhibition->segments[i].status->heartbeat, 100 + i);
		assert_int_equal(load_relaxed(&observer_segment(observer, i)->status->heartbeat), 100 + i);
		assert_int_equal(fcntl(observer_segment_fd(observer, i), F_GETFL) & O_ACCMODE, O_RDONLY);
		assert_ptr_equal(
			mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, observer_segment_fd(observer, i), 0),
			MAP_FAILED);
	}
	for (uint32_t i = 0; i < catalog->head->n_lanes; i++) {
		unsigned char byte = (unsigned char)(i + 1);

		assert_int_equal(pwrite(exhibition->segment_fds[catalog->lanes[i].producer], &byte, 1,
					(off_t)catalog->lanes[i].off_data),
				 1);
		assert_int_equal(observer_lane_map(observer, i, &data), 0);
		assert_int_equal(data[0], byte);
		assert_int_equal(data[catalog->lanes[i].capacity_bytes], byte);
		lane_unmap(data, catalog->lanes[i].capacity_bytes);
	}
	assert_int_equal(observer_look(observer), OBSERVER_SAME);
	observer_close(observer);
	exhibition_await(exhibition, 0);
}

static void test_news(void **state)
{
	struct exhibition *exhibition = *state;
	struct observer *observer, *other;

	exhibition_open(exhibition);
	observer = look_in(exhibition);
	other = look_in(exhibition);
	assert_int_equal(observer_generation(observer), 1);
	exhibition_replan(exhibition, "other");
	assert_int_equal(await_news(observer), OBSERVER_REPLANNED);
	assert_int_equal(observer_generation(observer), 2);
	assert_string_equal(catalog_string(observer_catalog(observer), observer_catalog(observer)->stages[1].kind),
			    "other");
	assert_int_equal(observer_look(observer), OBSERVER_SAME);
	exhibition_shut(exhibition);
	assert_int_equal(await_news(observer), OBSERVER_ENDED);
	assert_int_equal(observer_look(observer), OBSERVER_ENDED);
	assert_int_equal(load_relaxed(&observer_segment(observer, 1)->status->heartbeat), 0); /* it can still be read */
	assert_int_equal(await_news(other), OBSERVER_ENDED);
	observer_close(observer);
	observer_close(other);
}

static void test_not_running(void **state)
{
	struct exhibition *exhibition = *state;
	_cleanup_(text_deinit) struct text why = TEXT_NULL;
	struct observer *observer = NULL;

	assert_int_equal(observer_open("/nonexistent/weir", NS_PER_S, &observer, &why), OBSERVER_E_NOT_RUNNING);
	assert_string_equal(text_get(&why), "the pipeline is not running");
	text_clear(&why);
	/* It lives and has no door: an older one, or it has just begun. */
	assert_int_equal(observer_open(exhibition->dir.path, 50 * NS_PER_MS, &observer, &why), OBSERVER_E_OTHER);
	assert_non_null(strstr(text_get(&why), "older weir"));
	assert_null(observer);
}

static void test_full(void **state)
{
	struct exhibition *exhibition = *state;
	_cleanup_(text_deinit) struct text why = TEXT_NULL;
	struct observer *observers[DOOR_OBSERVERS_MAX], *one_more = NULL;

	exhibition_open(exhibition);
	for (unsigned i = 0; i < DOOR_OBSERVERS_MAX; i++)
		observers[i] = look_in(exhibition);
	assert_int_equal(observer_open(exhibition->dir.path, EXHIBITION_BOUND_NS, &one_more, &why), OBSERVER_E_FULL);
	assert_non_null(strstr(text_get(&why), "as many observers"));
	for (unsigned i = 0; i < DOOR_OBSERVERS_MAX; i++)
		observer_close(observers[i]);
}

/* ---- doors that are none ---- */

/* A door that gives what the test has planted, to one who comes. */
struct false_door {
	int listening_fd, fd;
	pthread_t thread;
	const struct exhibition *exhibition;
	struct door_packet packets[3];
	size_t sizes[3];
	int fds[3][8];
	unsigned n_fds[3], n_packets;
	bool hangs_up;
};

static void send_planted(struct false_door *door, unsigned i)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(8 * sizeof(int))];
	} control = { 0 };
	struct iovec vector = { .iov_base = &door->packets[i], .iov_len = door->sizes[i] };
	struct msghdr message = { .msg_iov = &vector, .msg_iovlen = 1 };

	if (door->n_fds[i]) {
		control.header = (struct cmsghdr){ .cmsg_level = SOL_SOCKET,
						   .cmsg_type = SCM_RIGHTS,
						   .cmsg_len = CMSG_LEN(door->n_fds[i] * sizeof(int)) };
		memcpy(CMSG_DATA(&control.header), door->fds[i], door->n_fds[i] * sizeof(int));
		message.msg_control = &control;
		message.msg_controllen = CMSG_SPACE(door->n_fds[i] * sizeof(int));
	}
	(void)!sendmsg(door->fd, &message, MSG_NOSIGNAL);
}

static void *serve_one(void *data)
{
	struct false_door *door = data;

	door->fd = accept4(door->listening_fd, NULL, NULL, SOCK_CLOEXEC);
	for (unsigned i = 0; door->fd >= 0 && i < door->n_packets; i++)
		send_planted(door, i);
	if (door->hangs_up)
		door->fd = fd_close(door->fd);
	return NULL;
}

/* What a good one would say; the test spoils some of it. */
static void plant(struct false_door *door, const struct exhibition *exhibition, int catalog_fd)
{
	const struct door_packet packet = { .magic = DOOR_MAGIC,
					    .version = DOOR_VERSION,
					    .segment_layout = SEGMENT_LAYOUT_VERSION,
					    .board_layout = BOARD_LAYOUT_VERSION,
					    .weir = "9.9.9",
					    .generation = 1,
					    .n_slots = 6 };

	*door = (struct false_door){ .fd = -1, .exhibition = exhibition, .n_packets = 2 };
	door->packets[0] = door->packets[1] = door->packets[2] = packet;
	door->sizes[0] = door->sizes[1] = door->sizes[2] = sizeof(packet);
	door->packets[0].kind = DOOR_BEGIN;
	door->fds[0][0] = catalog_fd;
	door->fds[0][1] = exhibition->board_read_fd;
	door->n_fds[0] = 2;
	door->packets[1].kind = DOOR_SEGMENTS;
	memcpy(door->fds[1], exhibition->segment_read_fds, 6 * sizeof(int));
	door->n_fds[1] = 6;
}

/* Opens an observer at the false door. Returns what that came to. */
static int visit(struct false_door *door, struct text *why, uint64_t wait_ns)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct observer *observer = NULL;
	int r;

	text_clear(why);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/observe", door->exhibition->dir.path);
	unlink(address.sun_path);
	door->listening_fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(door->listening_fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(door->listening_fd, 4), 0);
	assert_int_equal(pthread_create(&door->thread, NULL, serve_one, door), 0);
	r = observer_open(door->exhibition->dir.path, wait_ns, &observer, why);
	pthread_join(door->thread, NULL);
	assert_true((r == 0) == (observer != NULL));
	assert_true((r == 0) == (why->length == 0));
	observer_close(observer);
	fd_close(door->fd);
	close(door->listening_fd);
	unlink(address.sun_path);
	return r;
}

static void test_false_doors(void **state)
{
	struct exhibition *exhibition = *state;
	_cleanup_(text_deinit) struct text why = TEXT_NULL;
	_cleanup_(close) int catalog_fd = -1;
	struct false_door door;

	assert_int_equal(catalog_create(&exhibition->plan, 1, &catalog_fd), 0);
	plant(&door, exhibition, catalog_fd);
	assert_int_equal(visit(&door, &why, EXHIBITION_BOUND_NS), 0);

	plant(&door, exhibition, catalog_fd);
	door.packets[0].segment_layout++;
	assert_int_equal(visit(&door, &why, EXHIBITION_BOUND_NS), OBSERVER_E_OTHER);
	assert_non_null(strstr(text_get(&why), "another weir (version 9.9.9, memory layouts"));
	plant(&door, exhibition, catalog_fd);
	door.packets[0].board_layout++;
	assert_int_equal(visit(&door, &why, EXHIBITION_BOUND_NS), OBSERVER_E_OTHER);
	plant(&door, exhibition, catalog_fd);
	door.packets[0].version++;
	memset(door.packets[0].weir, 'x', sizeof(door.packets[0].weir));
	assert_int_equal(visit(&door, &why, EXHIBITION_BOUND_NS), OBSERVER_E_OTHER);

	plant(&door, exhibition, catalog_fd);
	door.packets[0].magic++;
	assert_int_equal(visit(&door, &why, EXHIBITION_BOUND_NS), OBSERVER_E_OTHER);
	assert_non_null(strstr(text_get(&why), "makes no sense"));
	for (size_t size = 1; size < sizeof(door.packets[0]); size += 7) {
		plant(&door, exhibition, catalog_fd);
		door.sizes[0] = size;
		assert_int_equal(visit(&door, &why, EXHIBITION_BOUND_NS), OBSERVER_E_OTHER);
	}
	for (unsigned n = 0; n < 2; n++) {
		plant(&door, exhibition, catalog_fd);
		door.n_fds[0] = n;
		assert_int_equal(visit(&door, &why, EXHIBITION_BOUND_NS), OBSERVER_E_OTHER);
	}
	plant(&door, exhibition, catalog_fd);
	door.fds[0][0] = exhibition->board_read_fd;
	assert_int_equal(visit(&door, &why, EXHIBITION_BOUND_NS), OBSERVER_E_OTHER);
	plant(&door, exhibition, catalog_fd);
	door.fds[0][1] = exhibition->board_fd; /* could be written through */
	assert_int_equal(visit(&door, &why, EXHIBITION_BOUND_NS), OBSERVER_E_OTHER);
	plant(&door, exhibition, catalog_fd);
	door.fds[1][3] = exhibition->segment_fds[3];
	assert_int_equal(visit(&door, &why, EXHIBITION_BOUND_NS), OBSERVER_E_OTHER);
	plant(&door, exhibition, catalog_fd);
	door.fds[1][3] = exhibition->segment_read_fds[2];
	assert_int_equal(visit(&door, &why, EXHIBITION_BOUND_NS), OBSERVER_E_OTHER);
	plant(&door, exhibition, catalog_fd);
	door.packets[1].first_slot = 1;
	assert_int_equal(visit(&door, &why, EXHIBITION_BOUND_NS), OBSERVER_E_OTHER);
	plant(&door, exhibition, catalog_fd);
	door.fds[1][6] = exhibition->segment_read_fds[0];
	door.n_fds[1] = 7;
	assert_int_equal(visit(&door, &why, EXHIBITION_BOUND_NS), OBSERVER_E_OTHER);
	plant(&door, exhibition, catalog_fd);
	door.packets[0].kind = 77;
	assert_int_equal(visit(&door, &why, EXHIBITION_BOUND_NS), OBSERVER_E_OTHER);
}

/* Nothing comes, or not all; the end comes early. */
static void test_silence(void **state)
{
	struct exhibition *exhibition = *state;
	_cleanup_(text_deinit) struct text why = TEXT_NULL;
	_cleanup_(close) int catalog_fd = -1;
	struct false_door door;

	assert_int_equal(catalog_create(&exhibition->plan, 1, &catalog_fd), 0);
	for (unsigned n = 0; n < 2; n++) {
		plant(&door, exhibition, catalog_fd);
		door.n_packets = n;
		assert_int_equal(visit(&door, &why, 100 * NS_PER_MS), OBSERVER_E_NO_ANSWER);
		assert_non_null(strstr(text_get(&why), "does not answer"));
		plant(&door, exhibition, catalog_fd);
		door.n_packets = n;
		door.hangs_up = true;
		assert_int_equal(visit(&door, &why, EXHIBITION_BOUND_NS), OBSERVER_E_NOT_RUNNING);
	}
	plant(&door, exhibition, catalog_fd);
	door.packets[1].kind = DOOR_ENDED;
	assert_int_equal(visit(&door, &why, EXHIBITION_BOUND_NS), OBSERVER_E_NOT_RUNNING);
}

/* The supervisor dies without a word, or says what it never would. */
static void test_lost(void **state)
{
	struct exhibition *exhibition = *state;
	_cleanup_(text_deinit) struct text why = TEXT_NULL;
	_cleanup_(close) int catalog_fd = -1;
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	assert_int_equal(catalog_create(&exhibition->plan, 1, &catalog_fd), 0);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/observe", exhibition->dir.path);
	for (unsigned i = 0; i < 3; i++) {
		struct observer *observer = NULL;
		struct false_door door;

		plant(&door, exhibition, catalog_fd);
		door.hangs_up = i == 0;
		door.n_packets = i == 0 ? 2 : 3;
		door.packets[2].kind = i == 1 ? DOOR_SEGMENTS : DOOR_REPLANNED; /* ... and no catalog with it */
		door.listening_fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
		assert_int_equal(bind(door.listening_fd, (struct sockaddr *)&address, sizeof(address)), 0);
		assert_int_equal(listen(door.listening_fd, 4), 0);
		assert_int_equal(pthread_create(&door.thread, NULL, serve_one, &door), 0);
		assert_int_equal(observer_open(exhibition->dir.path, EXHIBITION_BOUND_NS, &observer, &why), 0);
		assert_int_equal(await_news(observer), OBSERVER_LOST);
		assert_int_equal(observer_look(observer), OBSERVER_LOST);
		assert_int_equal(observer_catalog(observer)->head->n_slots, 6);
		observer_close(observer);
		pthread_join(door.thread, NULL);
		fd_close(door.fd);
		close(door.listening_fd);
		unlink(address.sun_path);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_all_of_it, setup, teardown),
		cmocka_unit_test_setup_teardown(test_news, setup, teardown),
		cmocka_unit_test_setup_teardown(test_not_running, setup, teardown),
		cmocka_unit_test_setup_teardown(test_full, setup, teardown),
		cmocka_unit_test_setup_teardown(test_false_doors, setup, teardown),
		cmocka_unit_test_setup_teardown(test_silence, setup, teardown),
		cmocka_unit_test_setup_teardown(test_lost, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
