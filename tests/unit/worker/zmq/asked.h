/* SPDX-License-Identifier: Apache-2.0 */
/* A source that is asked, a sink that replies, each in its bottle, and clients beside them. */
#pragma once

#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <zmq.h>

#include "common/base/clock.h"
#include "tests/unit/worker/stage_test.h"
#include "tests/unit/worker/zmq/peer.h"
#include "worker/zmq/way.h"

#define SOON_NS (200 * NS_PER_MS)
#define LONG_NS (60 * NS_PER_S)

static struct fake_host source, sink;
static char heard[64], folder[256];
static uint64_t patience_until_ns;

static void turn_of_source(void)
{
	(void)fake_host_produce(&source);
	assert_int_equal(fake_host_turn_end(&source), 0);
}

/* Long before it would be given up by itself, a wait for what does not come ends as a failure. */
static void lose_patience(struct fake_host *host, void *data)
{
	(void)data;
	if (clock_now_ns() >= patience_until_ns)
		host->cancelled = true;
}

/* What was said is on its way in two threads of libzmq. */
static void some_turns(struct fake_host *host, void *data)
{
	lose_patience(host, data);
	for (unsigned i = 0; i < 5; i++) {
		turn_of_source();
		usleep(500);
	}
}

/* While the sink waits, the source is called as it asked for. */
static void begin_with(uint64_t within_ns, int64_t requests)
{
	patience_until_ns = clock_now_ns() + LONG_NS / 2;
	zmq_source_init(&source, "router", peer_address("asked"), NULL);
	source.item_size_max = 1000;
	source.name = "ask";
	snprintf(folder, sizeof(folder), "%s", folder_path("."));
	source.run_folder = folder;
	fake_host_option_string(&source, "answer", "reply");
	fake_host_option_number(&source, "within", (int64_t)within_ns);
	fake_host_option_number(&source, "requests", requests);
	zmq_sink_init(&sink, "reply", NULL, NULL);
	fake_host_option_string(&sink, "to", "ask");
	sink.name = "tell";
	sink.run_folder = folder;
	sink.on_wait = some_turns;
	assert_int_equal(fake_host_open(&source), 0);
	assert_int_equal(fake_host_open(&sink), 0);
}

static void begin(void)
{
	begin_with(LONG_NS, 100);
}

static void end(void)
{
	sink.on_wait = NULL;
	fake_host_deinit(&sink);
	fake_host_deinit(&source);
	peer_deinit();
}

static void *ask(const char *question)
{
	uint64_t n = fake_host_items(&source), until_ns = clock_now_ns() + LONG_NS;
	void *peer = peer_connect_to(ZMQ_REQ, peer_address("asked"));

	peer_says(peer, question);
	while (fake_host_items(&source) == n && clock_now_ns() < until_ns) {
		turn_of_source();
		usleep(1000);
	}
	assert_true(fake_host_item_is(&source, n, question));
	return peer;
}

/* What the sink is given next was made of the request that was taken last. */
static void hand_over(void)
{
	assert_string_equal(source.set_key, WAY_KEY);
	sink.pair_key = WAY_KEY;
	memcpy(sink.pair, source.set, source.set_bytes);
	sink.pair_bytes = source.set_bytes;
}

static int reply(const char *text)
{
	int r = fake_host_process(&sink, text, strlen(text));

	return r == 0 ? fake_host_flush(&sink) : r;
}

static void hears(void *peer, const char *text)
{
	assert_false(peer_hears(peer, heard, sizeof(heard)));
	assert_string_equal(heard, text);
}

static void hears_fault(void *peer, const char *word)
{
	assert_true(peer_hears(peer, heard, sizeof(heard)));
	assert_string_equal(heard, "");
	hears(peer, word);
}

/* ---- the end ---- */

static int drain_turn(void)
{
	int r = fake_host_produce(&source);

	usleep(1000);
	return r;
}

static int drain_until(int status)
{
	uint64_t until_ns = clock_now_ns() + LONG_NS / 4;
	int r;

	do
		r = drain_turn();
	while (r != status && clock_now_ns() < until_ns);
	return r;
}
