/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/worker/zmq/peer.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <zmq.h>

#include "common/base/clock.h"
#include "tests/unit/worker/stage_test.h"
#include "worker/builtin.h"

#define PATIENCE_MS 20000 /* nothing here takes so long, unless it hangs */
#define QUIET_MS 100
#define PEERS_MAX 64

static void *zmq;
static void *peers[PEERS_MAX];

const char *peer_address(const char *name)
{
	static char addresses[4][256];
	static unsigned next;
	char *address = addresses[next++ % 4];

	snprintf(address, sizeof(addresses[0]), "ipc://%s", folder_path(name));
	return address;
}

/* ---- stages ---- */

static void set_address(struct fake_host *host, const char *option, const char *address)
{
	static char kept[4][256];
	static const char *lists[4][2];
	static unsigned next;
	unsigned i = next++ % 4;

	if (!address)
		return;
	snprintf(kept[i], sizeof(kept[i]), "%s", address);
	lists[i][0] = kept[i];
	fake_host_option_list(host, option, lists[i]);
}

void zmq_source_init(struct fake_host *host, const char *type, const char *bind, const char *connect)
{
	fake_host_init(host, &zmq_source_callbacks);
	fake_host_option_string(host, "type", type);
	set_address(host, "bind", bind);
	set_address(host, "connect", connect);
	fake_host_option_string(host, "parts", "one");
	fake_host_option_string(host, "too_long", "reject");
	fake_host_option_number(host, "queue", 1000);
	fake_host_option_number(host, "size_max", 16 << 20);
}

void zmq_sink_init(struct fake_host *host, const char *type, const char *bind, const char *connect)
{
	fake_host_init(host, &zmq_sink_callbacks);
	fake_host_option_string(host, "type", type);
	set_address(host, "bind", bind);
	set_address(host, "connect", connect);
	fake_host_option_number(host, "queue", 1000);
	fake_host_option_number(host, "linger", NS_PER_S);
}

/* ---- peers ---- */

static void *peer_new(int type)
{
	const int linger_ms = 1000, patience_ms = PATIENCE_MS, often_ms = 5;
	unsigned i = 0;

	if (!zmq)
		zmq = zmq_ctx_new();
	while (i < PEERS_MAX && peers[i])
		i++;
	assert_true(i < PEERS_MAX);
	peers[i] = zmq_socket(zmq, type);
	assert_non_null(peers[i]);
	zmq_setsockopt(peers[i], ZMQ_LINGER, &linger_ms, sizeof(linger_ms));
	zmq_setsockopt(peers[i], ZMQ_SNDTIMEO, &patience_ms, sizeof(patience_ms));
	zmq_setsockopt(peers[i], ZMQ_RCVTIMEO, &patience_ms, sizeof(patience_ms));
	zmq_setsockopt(peers[i], ZMQ_RECONNECT_IVL, &often_ms, sizeof(often_ms));
	if (type == ZMQ_SUB)
		zmq_setsockopt(peers[i], ZMQ_SUBSCRIBE, "", 0);
	return peers[i];
}

void *peer_bind(int type, const char *address)
{
	void *peer = peer_new(type);

	assert_int_equal(zmq_bind(peer, address), 0);
	return peer;
}

void *peer_bind_slow(int type, const char *address)
{
	void *peer = peer_new(type);

	zmq_setsockopt(peer, ZMQ_RCVHWM, &(int){ 1 }, sizeof(int)); /* what is set later does not count for it */
	assert_int_equal(zmq_bind(peer, address), 0);
	return peer;
}

void *peer_connect_to(int type, const char *address)
{
	void *peer = peer_new(type);

	assert_int_equal(zmq_connect(peer, address), 0);
	return peer;
}

void *peer_bind_tcp(int type, char *ret_address, size_t size)
{
	void *peer = peer_bind(type, "tcp://127.0.0.1:*");

	assert_int_equal(zmq_getsockopt(peer, ZMQ_LAST_ENDPOINT, ret_address, &size), 0);
	return peer;
}

void peer_close(void *peer)
{
	for (unsigned i = 0; i < PEERS_MAX; i++)
		if (peers[i] == peer)
			peers[i] = NULL;
	zmq_close(peer);
}

void peer_deinit(void)
{
	for (unsigned i = 0; i < PEERS_MAX; i++)
		if (peers[i])
			peer_close(peers[i]);
	if (zmq)
		zmq_ctx_term(zmq);
	zmq = NULL;
}

void peer_says_bytes(void *peer, const void *bytes, size_t n, bool more)
{
	assert_int_equal(zmq_send(peer, bytes, n, more ? ZMQ_SNDMORE : 0), n);
}

void peer_says(void *peer, const char *text)
{
	peer_says_bytes(peer, text, strlen(text), false);
}

void peer_says_parts(void *peer, const char *const *parts)
{
	for (; *parts; parts++)
		peer_says_bytes(peer, *parts, strlen(*parts), parts[1] != NULL);
}

bool peer_hears(void *peer, char *text, size_t size)
{
	int more = 0, n = zmq_recv(peer, text, size - 1, 0);
	size_t more_size = sizeof(more);

	if (n < 0)
		fail_msg("nothing was heard: %s", zmq_strerror(zmq_errno()));
	text[(size_t)n < size ? (size_t)n : size - 1] = '\0';
	assert_int_equal(zmq_getsockopt(peer, ZMQ_RCVMORE, &more, &more_size), 0);
	return more;
}

bool peer_hears_nothing(void *peer)
{
	zmq_pollitem_t item = { .socket = peer, .events = ZMQ_POLLIN };

	return zmq_poll(&item, 1, QUIET_MS) == 0;
}

/* ---- turns ---- */

static void turn(struct fake_host *host, uint64_t until_ns)
{
	struct pollfd fd = { .fd = -1 };
	int r = fake_host_run_source(host, false);

	if (r != WEIR_WAIT)
		fail_msg("produce() says %d: %s", r, host->reason);
	if (clock_now_ns() > until_ns)
		fail_msg("only %llu items and %llu refused", (unsigned long long)fake_host_items(host),
			 (unsigned long long)host->n_rejected);
	fd.fd = host->watch_fd;
	fd.events = host->watch_events;
	poll(&fd, 1, 50);
}

void zmq_turns(struct fake_host *host, uint64_t n_items)
{
	uint64_t until_ns = clock_now_ns() + PATIENCE_MS * NS_PER_MS;

	while (fake_host_items(host) < n_items)
		turn(host, until_ns);
	assert_int_equal(fake_host_items(host), n_items);
}

void zmq_turns_refused(struct fake_host *host, uint64_t n_refused)
{
	uint64_t until_ns = clock_now_ns() + PATIENCE_MS * NS_PER_MS;

	while (host->n_rejected < n_refused)
		turn(host, until_ns);
	assert_int_equal(host->n_rejected, n_refused);
}
