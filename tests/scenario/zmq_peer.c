/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Somebody else's program that speaks ZeroMQ, for scenarios: plain libzmq, nothing of weir's.
 *
 *   zmq_peer push|pub bind|connect ADDRESS N WORD [SIZE]   sends "WORD 1" to "WORD N", each padded to SIZE; pub: not before somebody subscribes.
 *                                                          push: stays until it is told to end, for libzmq gives up what it has not read of
 *                                                          a connection that has ended
 *   zmq_peer pull|sub bind|connect ADDRESS [PREFIX]        prints each message in a line, its parts parted by '|'; until it is told to end
 *   zmq_peer req connect ADDRESS N WORD                    asks "WORD 1" to "WORD N", each until it is answered; prints how often it asked again
 *   zmq_peer ask connect ADDRESS N WORD [PATIENCE_MS]      the same, but what it is answered is a reply, which it prints; an empty part and
 *                                                          a word say that there is none, and it asks again; how often goes to stderr
 *   zmq_peer flood connect ADDRESS N WORD                  asks all at once and never listens; ends when all has left
 *   zmq_peer rubbish connect ADDRESS N WORD                asks what nobody understands: empty parts, many parts, long names before one
 */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

static volatile sig_atomic_t ended;

static void end(int number)
{
	(void)number;
	ended = 1;
}

static int complain(const char *what)
{
	fprintf(stderr, "zmq_peer: %s: %s\n", what, zmq_strerror(zmq_errno()));
	return 1;
}

static int send_all(void *socket, long n, const char *word, size_t size)
{
	char text[65536];

	memset(text, '.', sizeof(text));
	for (long i = 1; i <= n && !ended; i++) {
		size_t length = (size_t)snprintf(text, 64, "%s %ld", word, i);

		text[length] = size > length ? ' ' : text[length];
		while (!ended && zmq_send(socket, text, size > length ? size : length, 0) < 0)
			if (errno != EAGAIN && errno != EINTR) /* it looks now and then whether it is to end */
				return complain("send");
	}
	return 0;
}

/* An XPUB socket is a PUB socket that hears who subscribes. */
static int wait_for_subscriber(void *socket)
{
	char subscription[256];

	return zmq_recv(socket, subscription, sizeof(subscription), 0) < 0 ? complain("nobody subscribes") : 0;
}

static int print_all(void *socket)
{
	while (!ended) {
		int more = 1;

		while (more) {
			size_t size = sizeof(more);
			zmq_msg_t part;

			zmq_msg_init(&part);
			if (zmq_msg_recv(&part, socket, 0) < 0)
				return errno == EINTR ? fflush(stdout) : complain("receive");
			zmq_getsockopt(socket, ZMQ_RCVMORE, &more, &size);
			fwrite(zmq_msg_data(&part), 1, zmq_msg_size(&part), stdout);
			putchar(more ? '|' : '\n');
			zmq_msg_close(&part);
		}
		fflush(stdout);
	}
	return 0;
}

/* A whole answer: its first part, and the second one, if there is one. Returns how many parts there were, or -1. */
static int hear_answer(void *socket, char first[256], char second[256])
{
	int n = 0, more = 1;

	first[0] = second[0] = '\0';
	while (more) {
		char part[256];
		size_t size = sizeof(more);
		int length = zmq_recv(socket, part, sizeof(part) - 1, 0);

		if (length < 0)
			return -1;
		part[length < (int)sizeof(part) ? length : (int)sizeof(part) - 1] = '\0';
		if (n < 2)
			strcpy(n ? second : first, part);
		n++;
		zmq_getsockopt(socket, ZMQ_RCVMORE, &more, &size);
	}
	return n;
}

/* Returns 1: it is one; 0: ask again; -1: it can't be. */
static int take_answer(void *socket, bool replies)
{
	char first[256], second[256];
	int n = hear_answer(socket, first, second);

	if (!replies)
		return n == 1 && !strcmp(first, "ok") ? 1 : -1;
	if (n == 1) {
		puts(first);
		fflush(stdout);
		return 1;
	}
	return n == 2 && !first[0] && second[0] ? 0 : -1;
}

/* Until there is an answer, and never two questions at a time. */
static int ask_all(void *socket, long n, const char *word, bool replies, long patience_ms)
{
	const int yes = 1;
	long again = 0;

	zmq_setsockopt(socket, ZMQ_REQ_RELAXED, &yes, sizeof(yes));
	zmq_setsockopt(socket, ZMQ_REQ_CORRELATE, &yes, sizeof(yes));
	for (long i = 1; i <= n;) {
		zmq_pollitem_t item = { .socket = socket, .events = ZMQ_POLLIN };
		char text[64];

		if (zmq_send(socket, text, (size_t)snprintf(text, sizeof(text), "%s %ld", word, i), 0) < 0)
			return complain("ask");
		if (zmq_poll(&item, 1, patience_ms) == 1) {
			int r = take_answer(socket, replies);

			if (r < 0)
				return complain("another answer than it may be");
			i += r;
			again += !r;
		} else if (ended) {
			return complain("told to end");
		} else {
			again++;
		}
	}
	fprintf(replies ? stderr : stdout, "%ld\n", again);
	return 0;
}

static int flood(void *socket, long n, const char *word)
{
	for (long i = 1; i <= n && !ended; i++) {
		char text[64];

		while (!ended && zmq_send(socket, text, (size_t)snprintf(text, sizeof(text), "%s %ld", word, i), 0) < 0)
			if (errno != EAGAIN && errno != EINTR)
				return complain("flood");
	}
	return 0;
}

static int send_rubbish(void *socket, long n, const char *word)
{
	char name[300];

	memset(name, 'n', sizeof(name));
	for (long i = 0; i < n && !ended; i++) {
		int parts = (int)(i % 13);

		for (int j = 0; j < parts; j++)
			zmq_send(socket, name, j % 3 ? (size_t)(j * 23) : 0, ZMQ_SNDMORE);
		if (i % 5 == 0) /* more than 255 bytes before the empty part */
			zmq_send(socket, name, sizeof(name), ZMQ_SNDMORE);
		if (i % 7 == 0)
			zmq_send(socket, "", 0, ZMQ_SNDMORE);
		zmq_send(socket, word, i % 2 ? strlen(word) : 0, 0);
	}
	return 0;
}

static int type_of(const char *name)
{
	return !strcmp(name, "push")                              ? ZMQ_PUSH :
	       !strcmp(name, "pull")                              ? ZMQ_PULL :
	       !strcmp(name, "pub")                               ? ZMQ_XPUB :
	       !strcmp(name, "sub")                               ? ZMQ_SUB :
	       !strcmp(name, "req")                               ? ZMQ_REQ :
	       !strcmp(name, "ask")                               ? ZMQ_REQ :
	       !strcmp(name, "flood") || !strcmp(name, "rubbish") ? ZMQ_DEALER :
								    -1;
}

static int talk(void *socket, int argc, char **argv)
{
	int r = !strcmp(argv[2], "bind") ? zmq_bind(socket, argv[3]) : zmq_connect(socket, argv[3]);

	if (r != 0)
		return complain(argv[3]);
	if (!strcmp(argv[1], "pull") || !strcmp(argv[1], "sub"))
		return print_all(socket);
	if (type_of(argv[1]) == ZMQ_REQ)
		return argc < 6 ? 2 :
				  ask_all(socket, atol(argv[4]), argv[5], !strcmp(argv[1], "ask"),
					  argc > 6 ? atol(argv[6]) : 500);
	if (!strcmp(argv[1], "flood"))
		return argc < 6 ? 2 : flood(socket, atol(argv[4]), argv[5]);
	if (!strcmp(argv[1], "rubbish"))
		return argc < 6 ? 2 : send_rubbish(socket, atol(argv[4]), argv[5]);
	if (!strcmp(argv[1], "pub") && wait_for_subscriber(socket))
		return 1;
	if (argc < 6 || send_all(socket, atol(argv[4]), argv[5], argc > 6 ? (size_t)atol(argv[6]) : 0))
		return 1;
	while (!strcmp(argv[1], "push") && !ended)
		zmq_poll(NULL, 0, 20);
	return 0;
}

int main(int argc, char **argv)
{
	const struct sigaction action = { .sa_handler = end };
	const char *prefix = argc > 4 ? argv[4] : "";
	const int often_ms = 5, look_ms = 100, no_bound = 0;
	int linger_ms;
	void *zmq, *socket;
	int r;

	if (argc < 4 || type_of(argv[1]) < 0) {
		fprintf(stderr, "usage: zmq_peer push|pub|pull|sub|req|ask|flood|rubbish bind|connect ADDRESS ...\n");
		return 2;
	}
	sigaction(SIGTERM, &action, NULL);
	zmq = zmq_ctx_new();
	socket = zmq_socket(zmq, type_of(argv[1]));
	if (!socket)
		return complain("socket");
	/* A subscription that nobody has heard would be waited for, too. */
	linger_ms = type_of(argv[1]) == ZMQ_XPUB || type_of(argv[1]) == ZMQ_PUSH ? 60000 :
		    type_of(argv[1]) == ZMQ_DEALER                               ? 2000 :
										   0;
	zmq_setsockopt(socket, ZMQ_RECONNECT_IVL, &often_ms, sizeof(often_ms));
	zmq_setsockopt(socket, ZMQ_LINGER, &linger_ms, sizeof(linger_ms));
	zmq_setsockopt(socket, ZMQ_SNDTIMEO, &look_ms, sizeof(look_ms));
	if (type_of(argv[1]) == ZMQ_XPUB) /* it drops nothing by itself */
		zmq_setsockopt(socket, ZMQ_SNDHWM, &no_bound, sizeof(no_bound));
	if (type_of(argv[1]) == ZMQ_SUB) {
		zmq_setsockopt(socket, ZMQ_RCVHWM, &no_bound, sizeof(no_bound));
		zmq_setsockopt(socket, ZMQ_SUBSCRIBE, prefix, strlen(prefix));
	}
	r = talk(socket, argc, argv);
	zmq_close(socket);
	zmq_ctx_term(zmq);
	return r;
}
