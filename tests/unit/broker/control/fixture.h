/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A control server to test against: its loop runs in a thread, with a supervisor made for the test. The supervisor's functions are
 * defined here, so that the linker takes these and not broker/supervise's. Workers, clients and strangers are sockets of the
 * main thread.
 */
#pragma once

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>
#include <zmq.h>

#include "broker/control/client.h"
#include "broker/control/requests.h"
#include "broker/control/run_dir.h"
#include "broker/control/server.h"
#include "broker/supervise/supervisor.h"
#include "broker/supervise/view.h"
#include "common/base/cleanup.h"
#include "common/base/clock.h"
#include "common/wire/socket.h"

#define N_SLOTS 4u
#define BOUND_NS (30 * NS_PER_S) /* of waits that something ends */
#define TOKEN "0123456789abcdef"

/* ---- a supervisor for the server's calls ---- */

struct supervisor {
	struct control_server *server;
	atomic_int n_hello, n_message, n_drain, n_cancel, n_resume, last_type, last_slot, last_cause;
	_Atomic uint64_t drain_deadline_ns, last_scope, last_for_ns;
	atomic_bool answered; /* control_server_send() took the order */
};

bool supervisor_hello(struct supervisor *supervisor, const struct message *message)
{
	if (message->hello.slot >= N_SLOTS || message->hello.token.size_bytes != 16 ||
	    memcmp(message->hello.token.data, TOKEN, 16) != 0)
		return false;
	atomic_fetch_add(&supervisor->n_hello, 1);
	return true;
}

/* Ready is answered with an order from inside the server's own dispatch. */
void supervisor_message(struct supervisor *supervisor, uint32_t slot, const struct message *message)
{
	struct message order = { .type = MESSAGE_DRAIN };

	atomic_store(&supervisor->last_type, (int)message->type);
	atomic_store(&supervisor->last_slot, (int)slot);
	if (message->type == MESSAGE_READY) {
		order.drain.deadline_ns = 100 + slot;
		atomic_store(&supervisor->answered, control_server_send(supervisor->server, slot, &order));
	}
	atomic_fetch_add(&supervisor->n_message, 1);
}

/* It can be taken back once. */
const char *supervisor_resume(struct supervisor *supervisor, const char *who)
{
	(void)who;
	return atomic_fetch_add(&supervisor->n_resume, 1) ? "not twice" : NULL;
}

/* Any spec but "no" is fine, and that is ticket 7. */
bool supervisor_ask_reload(struct supervisor *supervisor, const char *argument, struct text *body)
{
	bool wanted = strcmp(argument, "run 5 /no") != 0;

	(void)supervisor;
	text_add(body, wanted ? "{\"ticket\":7}" : "{\"error\":\"no\"}");
	return wanted;
}

bool supervisor_reload_state(struct supervisor *supervisor, uint64_t ticket, struct text *body)
{
	(void)supervisor;
	text_printf(body, "{\"ticket\":%llu}", (unsigned long long)ticket);
	return ticket == 7;
}

void supervisor_why(struct supervisor *supervisor, struct text *text)
{
	(void)supervisor;
	text_add(text, "{\"stuck\":false}");
}

void supervisor_metrics(struct supervisor *supervisor, struct text *text)
{
	(void)supervisor;
	text_add(text, "{}");
}

bool supervisor_replay(struct supervisor *supervisor, const char *stage, struct text *body)
{
	(void)supervisor;
	text_printf(body, "{\"stage\":\"%s\"}", stage);
	return true;
}

void supervisor_ask_backtraces(struct supervisor *supervisor, const char *stage, struct text *body)
{
	(void)supervisor;
	text_printf(body, "{\"stage\":\"%s\"}", stage);
}

void supervisor_history(struct supervisor *supervisor, uint64_t from, struct text *text)
{
	(void)supervisor;
	text_printf(text, "{\"from\":%llu}", (unsigned long long)from);
}

void supervisor_dump(struct supervisor *supervisor, const char *stage, struct text *text)
{
	(void)supervisor;
	text_printf(text, "{\"stage\":\"%s\"}", stage);
}

void supervisor_drain(struct supervisor *supervisor, uint64_t deadline_ns, const char *who)
{
	assert_non_null(who);
	atomic_store(&supervisor->drain_deadline_ns, deadline_ns);
	atomic_fetch_add(&supervisor->n_drain, 1);
}

void supervisor_cancel(struct supervisor *supervisor, enum cause cause, const char *who)
{
	assert_non_null(who);
	atomic_store(&supervisor->last_cause, (int)cause);
	atomic_fetch_add(&supervisor->n_cancel, 1);
}

bool supervisor_has_stage(const struct supervisor *supervisor, const char *name, struct text *body)
{
	bool known = *name && strcmp(name, "nothing") != 0;

	(void)supervisor;
	if (!known)
		text_printf(body, "{\"error\":\"no '%s'\",\"stages\":[\"read\"]}", name);
	return known;
}

/* Of the stage "read" #0 is not gone yet; the table has room for scopes below 100, and read#0 has not seen them. */
int supervisor_cancel_stage(struct supervisor *supervisor, const char *name, enum cause cause, const char *who,
			    struct text *why)
{
	assert_non_null(who);
	atomic_store(&supervisor->last_cause, (int)cause);
	if (strcmp(name, "late") == 0)
		return SUPERVISOR_E_TOO_EARLY;
	text_printf(why, "no '%s'", name);
	return strcmp(name, "read") == 0 ? 0 : strcmp(name, "gone") == 0 ? SUPERVISOR_E_ALREADY : SUPERVISOR_E_REFUSED;
}

/* "read" may have up to 4 workers. */
int supervisor_scale(struct supervisor *supervisor, const char *name, uint32_t n, const char *who, struct text *why)
{
	(void)supervisor;
	assert_string_equal(who, "weir scale");
	if (strcmp(name, "late") == 0)
		return SUPERVISOR_E_TOO_EARLY;
	text_printf(why, "'%s' may have 1 to 4 workers", name);
	return n <= 4 ? 0 : SUPERVISOR_E_REFUSED;
}

void supervisor_scale_progress(const struct supervisor *supervisor, const char *name, struct text *body)
{
	(void)supervisor;
	text_printf(body, "{\"stage\":\"%s\"}", name);
}

int supervisor_cancel_scope(struct supervisor *supervisor, uint64_t scope, enum cause cause, uint64_t for_ns,
			    const char *who, uint32_t *ret_epoch, struct text *why)
{
	assert_non_null(who);
	atomic_store(&supervisor->last_cause, (int)cause);
	atomic_store(&supervisor->last_scope, scope);
	atomic_store(&supervisor->last_for_ns, for_ns);
	*ret_epoch = 9;
	text_add(why, "no room");
	return scope < 100 ? 0 : SUPERVISOR_E_REFUSED;
}

uint32_t supervisor_stage_unseen(const struct supervisor *supervisor, const char *name, struct text *text)
{
	(void)supervisor;
	text_add(text, strcmp(name, "read") == 0 ? "[{\"stage\":\"read\",\"index\":0,\"pid\":1}]" : "[]");
	return strcmp(name, "read") == 0;
}

uint32_t supervisor_scope_unseen(const struct supervisor *supervisor, uint32_t epoch, struct text *text)
{
	(void)supervisor;
	assert_int_equal(epoch, 9);
	text_add(text, "[{\"stage\":\"read\",\"index\":0,\"pid\":1}]");
	return 1;
}

void view_take(struct supervisor *supervisor, struct view *ret_view)
{
	static struct view_worker worker = { .slot = 0, .pid = 4711, .state = "busy", .restarts = 2 };
	static struct view_stage stage = {
		.name = "read", .role = "source", .kind = "file", .n_workers = 1, .n_live = 1, .workers = &worker
	};

	*ret_view = (struct view){
		.pipeline = "test",
		.phase = "running",
		.cause = "none",
		.pid = 42,
		.now_ns = clock_now_ns(),
		.started_ns = 1,
		.stop_deadline_ns = atomic_load(&supervisor->drain_deadline_ns),
		.n_stages = 1,
		.stages = &stage,
	};
}

void view_deinit(struct view *view)
{
	memset(view, 0, sizeof(*view));
}

/* ---- the server's thread ---- */

struct fixture {
	char parent[32];
	struct run_dir dir;
	struct supervisor supervisor;
	char *path; /* of the socket */
	pthread_t thread;
	int stop_fd, up_fd;
	bool runs;        /* the thread; if it still does at the end, an assertion has failed */
	bool early, tick; /* no supervisor yet; a timer every 5 ms */
	atomic_uint n_iterations, n_ticks, n_lines;
	_Atomic uint64_t refused;
	void *context;
	void *sockets[8];
	unsigned n_sockets;
};

static inline int on_stop(sd_event_source *source, int fd, uint32_t events, void *data)
{
	(void)fd, (void)events, (void)data;
	return sd_event_exit(sd_event_source_get_event(source), 0);
}

static inline int on_tick(sd_event_source *source, uint64_t at_us, void *data)
{
	struct fixture *f = data;

	(void)at_us;
	atomic_fetch_add(&f->n_ticks, 1);
	sd_event_source_set_time_relative(source, 5000);
	return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

static inline void on_log(void *data, const char *line)
{
	struct fixture *f = data;

	assert_non_null(strstr(line, "refused"));
	atomic_fetch_add(&f->n_lines, 1);
}

static inline void *run_server(void *data)
{
	struct fixture *f = data;
	struct control_server *server;
	sd_event *event;

	assert_true(sd_event_new(&event) >= 0);
	assert_int_equal(control_server_new(event, f->dir.path, N_SLOTS, &server), 0);
	f->supervisor.server = server;
	control_server_log_to(server, on_log, f);
	if (!f->early)
		control_server_serve(server, &f->supervisor);
	assert_true(sd_event_add_io(event, NULL, f->stop_fd, EPOLLIN, on_stop, NULL) >= 0);
	if (f->tick)
		assert_true(sd_event_add_time_relative(event, NULL, CLOCK_MONOTONIC, 5000, 1, on_tick, f) >= 0);
	assert_int_equal(eventfd_write(f->up_fd, 1), 0);
	while (sd_event_get_state(event) != SD_EVENT_FINISHED) {
		assert_true(sd_event_run(event, UINT64_MAX) >= 0);
		atomic_store(&f->refused, control_server_refused(server));
		atomic_fetch_add(&f->n_iterations, 1);
	}
	assert_null(control_server_free(server));
	sd_event_unref(event);
	return NULL;
}

static inline void start(struct fixture *f)
{
	eventfd_t up;

	assert_int_equal(pthread_create(&f->thread, NULL, run_server, f), 0);
	f->runs = true;
	assert_int_equal(eventfd_read(f->up_fd, &up), 0);
}

static inline void stop(struct fixture *f)
{
	struct timespec until;

	f->runs = false;
	assert_int_equal(clock_gettime(CLOCK_REALTIME, &until), 0);
	until.tv_sec += (time_t)(BOUND_NS / NS_PER_S);
	assert_int_equal(eventfd_write(f->stop_fd, 1), 0);
	if (pthread_timedjoin_np(f->thread, NULL, &until) != 0) {
		print_error("the server's loop does not end\n");
		abort(); /* with the fixture in its hands */
	}
}

static inline int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	_cleanup_(text_deinit) struct text why = TEXT_NULL;
	pid_t pid;

	assert_non_null(f);
	strcpy(f->parent, "/tmp/weir-server-XXXXXX");
	assert_non_null(mkdtemp(f->parent));
	assert_int_equal(setenv("WEIR_RUN_DIR", f->parent, 1), 0);
	f->dir = (struct run_dir)RUN_DIR_NULL;
	assert_int_equal(run_dir_open(&f->dir, "test", &pid, &why), 0);
	assert_true(asprintf(&f->path, "%s/control", f->dir.path) > 0);
	f->stop_fd = eventfd(0, EFD_CLOEXEC);
	f->up_fd = eventfd(0, EFD_CLOEXEC);
	assert_int_equal(wire_context_open(16, &f->context), 0);
	*state = f;
	return 0;
}

/* The socket, the folder and the base are gone. */
static inline int teardown(void **state)
{
	struct fixture *f = *state;
	int left;

	if (f->runs)
		stop(f);
	while (f->n_sockets)
		zmq_close(f->sockets[--f->n_sockets]);
	zmq_ctx_term(f->context);
	left = access(f->path, F_OK) == 0;
	run_dir_close(&f->dir);
	left += access(f->parent, F_OK) == 0;
	close(f->stop_fd);
	close(f->up_fd);
	free(f->path);
	free(f);
	return left;
}

static inline void *open_socket(struct fixture *f, enum wire_socket_kind kind)
{
	char endpoint[128];
	void *socket;

	snprintf(endpoint, sizeof(endpoint), "ipc://%s", f->path);
	assert_int_equal(wire_socket_open(f->context, kind, &socket), 0);
	assert_int_equal(zmq_connect(socket, endpoint), 0);
	assert_true(f->n_sockets < 8);
	f->sockets[f->n_sockets++] = socket;
	return socket;
}

/* ---- talking ---- */

static inline bool wait_until(bool (*condition)(struct fixture *f, uint64_t value), struct fixture *f, uint64_t value)
{
	uint64_t deadline_ns = clock_now_ns() + BOUND_NS;

	while (!condition(f, value)) {
		if (clock_now_ns() > deadline_ns)
			return false;
		poll(NULL, 0, 1);
	}
	return true;
}

static inline bool refused_is(struct fixture *f, uint64_t n)
{
	return atomic_load(&f->refused) == n;
}

static inline bool messages_are(struct fixture *f, uint64_t n)
{
	return (uint64_t)atomic_load(&f->supervisor.n_message) == n;
}

static inline void send_raw(void *socket, const void *data, size_t size_bytes, int flags)
{
	while (zmq_send(socket, data, size_bytes, flags) < 0) {
		assert_true(errno == EAGAIN || errno == EINTR);
		if (!wire_readable(socket))
			poll(NULL, 0, 1);
	}
}

static inline void send_message(void *socket, const struct message *message)
{
	int r;

	while ((r = wire_send(socket, message)) == WIRE_E_BUSY)
		poll(NULL, 0, 1);
	assert_int_equal(r, 0);
}

static inline void send_hello(void *socket, uint64_t slot, const char *token, size_t token_size)
{
	struct message message = { .type = MESSAGE_HELLO };

	message.hello.slot = slot;
	message.hello.token = (struct message_bytes){ token, token_size };
	send_message(socket, &message);
}

static inline void send_ready(void *socket, uint64_t slot)
{
	struct message message = { .type = MESSAGE_READY };

	message.ready.slot = slot;
	send_message(socket, &message);
}

static inline int receive(void *socket, struct message *message, char **buffer)
{
	uint64_t deadline_ns = clock_now_ns() + BOUND_NS;
	struct pollfd fd = { .fd = wire_fd(socket), .events = POLLIN };
	int r;

	while ((r = wire_receive(socket, WIRE_REPLY_SIZE_MAX, NULL, message, buffer)) == WIRE_E_NOTHING &&
	       clock_now_ns() < deadline_ns)
		poll(&fd, 1, 20);
	return r;
}

static inline int ask(const struct fixture *f, const char *verb, const char *argument, uint64_t timeout_ns,
		      struct text *body)
{
	int status = -1;

	text_clear(body);
	assert_int_equal(control_request(f->dir.path, verb, argument, timeout_ns, BOUND_NS, &status, body), 0);
	assert_true(body->length > 1 && body->data[0] == '{' && body->data[body->length - 1] == '}');
	return status;
}

#define SERVER_TEST(test_) cmocka_unit_test_setup_teardown(test_, setup, teardown)
