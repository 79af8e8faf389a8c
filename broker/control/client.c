/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connecting to a socket that nobody serves is no error to ZeroMQ: it would try for ever. So the lock of the run directory says whether
 * anybody is there, before asking and while waiting: a pipeline that ends without having answered is not running.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zmq.h>

#include "broker/control/client.h"
#include "broker/control/run_dir.h"
#include "common/base/cleanup.h"
#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/wire/socket.h"

#define SLICE_MS 100                    /* so often is looked whether the pipeline still lives */
#define LAST_WORDS_NS (100 * NS_PER_MS) /* for a reply on its way when its sender ended */

static struct message_bytes bytes_of(const char *string)
{
	return (struct message_bytes){ string ? string : "", string ? strlen(string) : 0 };
}

/* Takes what has come. Returns 0: that was the reply; WIRE_E_NOTHING: not yet; -errno. */
static int take_reply(void *socket, uint64_t correlation, int *ret_status, struct text *ret_body)
{
	for (;;) {
		_cleanup_(free) char *buffer = NULL;
		struct message message;
		int r = wire_receive(socket, WIRE_REPLY_SIZE_MAX, NULL, &message, &buffer);

		if (r == WIRE_E_NOTHING || r < 0)
			return r;
		if (r || message.type != MESSAGE_REPLY || message.reply.correlation != correlation)
			continue;
		*ret_status = message.reply.status <= INT32_MAX ? (int)message.reply.status : INT32_MAX;
		text_add_bytes(ret_body, message.reply.body.data, message.reply.body.size_bytes);
		return 0;
	}
}

static int wait_for_reply(void *socket, const struct control_question *question, uint64_t correlation, int *ret_status,
			  struct text *ret_body)
{
	struct pollfd wait = { .fd = wire_fd(socket), .events = POLLIN };
	uint64_t begun_ns = clock_now_ns(),
		 deadline_ns = question->wait_ns < UINT64_MAX - begun_ns ? begun_ns + question->wait_ns : UINT64_MAX;
	int outcome = CONTROL_E_NO_ANSWER;

	for (;;) {
		uint64_t now_ns = clock_now_ns();
		int r = take_reply(socket, correlation, ret_status, ret_body);

		if (r != WIRE_E_NOTHING)
			return r;
		if (now_ns >= deadline_ns)
			return outcome;
		if (outcome == CONTROL_E_NO_ANSWER && !run_dir_is_alive(question->run_dir)) {
			outcome = CONTROL_E_NOT_RUNNING;
			deadline_ns = deadline_earlier(deadline_ns, now_ns + LAST_WORDS_NS);
		}
		if (outcome == CONTROL_E_NO_ANSWER && question->waiting &&
		    !question->waiting(question->data, now_ns - begun_ns))
			return outcome;
		if (poll(&wait, 1, deadline_poll_ms(deadline_ns, now_ns, SLICE_MS)) < 0 && errno != EINTR)
			return error_origin(-errno);
	}
}

static int ask(void *socket, const struct control_question *question, const char *path, int *ret_status,
	       struct text *ret_body)
{
	_cleanup_(text_deinit) struct text endpoint = TEXT_NULL;
	struct message message = { .type = MESSAGE_REQUEST };
	int r;

	text_printf(&endpoint, "ipc://%s", path);
	if (zmq_connect(socket, text_get(&endpoint)))
		return error_origin(-errno);
	message.request.correlation = clock_now_ns() ^ (uint64_t)getpid() << 48;
	message.request.verb = bytes_of(question->verb);
	message.request.argument = bytes_of(question->argument);
	message.request.timeout_ns = question->timeout_ns;
	r = wire_send(socket, &message);
	if (r)
		return error_fold(r);
	return wait_for_reply(socket, question, message.request.correlation, ret_status, ret_body);
}

/* Who answers must be who we are: a socket of somebody else is not asked. */
static int check_socket(const char *run_dir, const char *path)
{
	struct stat st;

	if (strlen(path) > WIRE_PATH_MAX)
		return error_origin(-ENAMETOOLONG);
	if (!run_dir_is_alive(run_dir))
		return CONTROL_E_NOT_RUNNING;
	if (lstat(path, &st))
		return errno == ENOENT ? 0 :
					 error_origin(-errno); /* it has the lock and will bind: ZeroMQ tries again */
	return S_ISSOCK(st.st_mode) && st.st_uid == geteuid() ? 0 : error_origin(-EPERM);
}

int control_ask(const struct control_question *question, int *ret_status, struct text *ret_body)
{
	_cleanup_(text_deinit) struct text path = TEXT_NULL;
	void *context, *socket;
	int r;

	text_printf(&path, "%s/control", question->run_dir);
	r = check_socket(question->run_dir, text_get(&path));
	if (r)
		return r;
	r = wire_context_open(1, &context);
	if (r)
		return error_trace(r);
	r = wire_socket_open(context, WIRE_CLIENT, &socket);
	if (!r) {
		r = ask(socket, question, text_get(&path), ret_status, ret_body);
		zmq_close(socket);
	}
	while (zmq_ctx_term(context) && errno == EINTR)
		;
	return r;
}

int control_request(const char *run_dir, const char *verb, const char *argument, uint64_t timeout_ns, uint64_t wait_ns,
		    int *ret_status, struct text *ret_body)
{
	const struct control_question question = {
		.run_dir = run_dir, .verb = verb, .argument = argument, .timeout_ns = timeout_ns, .wait_ns = wait_ns
	};

	return control_ask(&question, ret_status, ret_body);
}
