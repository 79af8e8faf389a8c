/* SPDX-License-Identifier: Apache-2.0 */
/* The heritage: a rich one there and back, what makes none, and damaged documents by the thousand. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "common/base/cleanup.h"
#include "common/memory/segment.h"
#include "common/wire/heritage.h"

#define LANE_BYTES 65536u

static char *copy(const char *string)
{
	char *made = strdup(string);

	assert_non_null(made);
	return made;
}

static void *zeroed(size_t n, size_t size_bytes)
{
	void *made = calloc(n, size_bytes);

	assert_non_null(made);
	return made;
}

static void set_edge(struct heritage_edge *edge, const char *name, uint32_t n_lanes, uint32_t first_own, bool is_output,
		     uint64_t off_data)
{
	edge->peer_stage = copy(name);
	edge->n_lanes = n_lanes;
	edge->lanes = zeroed(n_lanes, sizeof(*edge->lanes));
	edge->ticket_step = 1;
	for (uint32_t i = 0; i < n_lanes; i++)
		edge->lanes[i] = (struct heritage_lane){
			.peer = i + (is_output ? 1 : 0),
			.own_index = first_own + i,
			.peer_index = 0,
			.off_data = is_output ? off_data + i * LANE_BYTES : off_data,
			.capacity_bytes = LANE_BYTES,
		};
}

static void set_options(struct heritage *h)
{
	h->n_options = 4;
	h->options = zeroed(4, sizeof(*h->options));
	h->options[0] = (struct heritage_option){
		.name = copy("count"), .type = HERITAGE_NUMBER, .number = INT64_MIN, .line = 7, .column = 3
	};
	h->options[1] = (struct heritage_option){
		.name = copy("text"), .type = HERITAGE_STRING, .string = copy("caf\xe9, not UTF-8"), .number = -1
	};
	h->options[2] = (struct heritage_option){ .name = copy("command"), .type = HERITAGE_LIST, .n_list = 3 };
	h->options[2].list = zeroed(4, sizeof(char *));
	h->options[2].list[0] = copy("sh");
	h->options[2].list[1] = copy("-c");
	h->options[2].list[2] = copy("");
	h->options[3] = (struct heritage_option){ .name = copy("none"), .type = HERITAGE_LIST };
	h->options[3].list = zeroed(1, sizeof(char *));
}

static void set_peers(struct heritage *h)
{
	h->n_peers = 3;
	h->peers = zeroed(3, sizeof(*h->peers));
	for (uint32_t i = 0; i < 3; i++) {
		struct segment_geometry geometry;
		uint64_t size = LANE_BYTES, offset;

		segment_plan(&geometry, i, 2, 1, &size, &offset);
		h->peers[i] = (struct heritage_peer){
			.slot = i,
			.segment_fd = (int32_t)(20 + i),
			.doorbell_fd = (int32_t)(30 + i),
			.segment_size = geometry.size_bytes,
			.n_readers = 2,
			.n_writers = 1,
			.off_readers = geometry.off_readers,
			.off_writers = geometry.off_writers,
			.off_record = geometry.off_record,
			.off_data = geometry.off_data,
			.control_size = geometry.control_size_bytes,
		};
	}
}

static void set_origins(struct heritage *h)
{
	h->forwards = true;
	h->n_origins = 2;
	h->origins = zeroed(2, sizeof(*h->origins));
	for (uint32_t i = 0; i < 2; i++) {
		struct heritage_origin *origin = &h->origins[i];

		*origin = (struct heritage_origin){ .slot = i,
						    .segment_fd = (int32_t)(40 + i),
						    .segment_size = h->peers[i].segment_size,
						    .off_data = h->peers[i].off_data,
						    .n_lanes = 1 };
		origin->lanes = zeroed(1, sizeof(*origin->lanes));
		origin->lanes[0] = (struct heritage_origin_lane){ origin->off_data, LANE_BYTES };
	}
}

static void set_geometry(struct heritage *h, const struct segment_geometry *geometry)
{
	h->segment_size = geometry->size_bytes;
	h->n_readers = 1;
	h->n_writers = 2;
	h->off_readers = geometry->off_readers;
	h->off_writers = geometry->off_writers;
	h->off_record = geometry->off_record;
	h->off_data = geometry->off_data;
	h->control_size = geometry->control_size_bytes;
	h->off_done_bits = geometry->off_done_bits;
}

static void set_letters(struct heritage *h)
{
	h->dead_letter_store = copy("/var/lib/weir/orders/dead-letters");
	h->state_path = copy("/var/lib/weir/orders/state/sum.3");
	h->state_bytes = 1 << 28;
	h->state_fd = 13;
	h->socket_fd = 14;
	h->run = UINT64_C(1790000000123456789);
	h->n_deaths = 2;
	h->deaths = zeroed(2, sizeof(*h->deaths));
	h->deaths[0] = (struct heritage_death){
		.when_ns = 17, .pid = 4711, .generation = 1, .how = copy("was killed by SIGSEGV")
	};
	h->deaths[1] = (struct heritage_death){ .when_ns = 18, .pid = INT32_MAX, .generation = 2, .how = copy("") };
}

/* One input of one lane, one output of two. */
static void make_rich(struct heritage *h)
{
	uint64_t sizes[2] = { LANE_BYTES, LANE_BYTES }, offsets[2];
	struct segment_geometry geometry;

	memset(h, 0, sizeof(*h));
	segment_plan_asynchronous(&geometry, 3, 1, 2, sizes, offsets);
	h->pipeline = copy("orders");
	h->stage = copy("price");
	h->kind = copy("exec");
	h->plugin = copy("/usr/lib/weir/libprice.so");
	h->spec = copy("/etc/weir/orders.yaml");
	h->control_endpoint = copy("ipc:///run/weir/orders/control");
	h->dead_letter_path = copy("/var/lib/weir/dead.ndjson");
	set_letters(h);
	h->role = 2;
	h->slot = 3;
	h->worker_index = 1;
	h->n_workers = 4;
	h->n_slots = 8;
	h->generation = 5;
	h->supervisor_pid = 4711;
	for (unsigned i = 0; i < HERITAGE_TOKEN_SIZE; i++)
		h->token[i] = (uint8_t)(i * 17);
	h->segment_fd = 4;
	h->board_fd = 5;
	h->doorbell_fd = 6;
	h->lifeline_fd = 7;
	h->cancel_fd = 8;
	h->scopes_fd = 12;
	h->spool_fds[0] = 8;
	h->spool_fds[1] = -1;
	set_geometry(h, &geometry);
	h->ordered = true;
	h->batch = 64;
	h->in_flight = 7;
	h->stands_in = true;
	h->attempts = 3;
	set_options(h);
	set_peers(h);
	set_origins(h);
	h->n_inputs = h->n_outputs = 1;
	h->inputs = zeroed(1, sizeof(*h->inputs));
	h->outputs = zeroed(1, sizeof(*h->outputs));
	set_edge(&h->inputs[0], "read", 1, 0, false, h->peers[0].off_data);
	h->inputs[0].merge = h->inputs[0].references = true;
	h->inputs[0].first_ticket = UINT64_MAX;
	set_edge(&h->outputs[0], "write", 2, 0, true, offsets[0]);
	h->outputs[0].order = HERITAGE_ORDER_DEAL;
	h->outputs[0].balance = HERITAGE_ROUND_ROBIN;
	h->outputs[0].full = HERITAGE_FULL_DROP_NEW;
	h->inputs[0].balance = HERITAGE_BALANCE_KEY;
	h->inputs[0].balance_key = copy(".customer");
	h->inputs[0].feedback = true;
	h->inputs[0].credit = 64;
	h->outputs[0].run_bytes = 1 << 20;
	h->outputs[0].run_records = 9;
	h->outputs[0].run_wait_ns = 1000000000;
}

static void assert_same_options(const struct heritage *a, const struct heritage *b)
{
	assert_int_equal(a->n_options, b->n_options);
	for (uint32_t i = 0; i < a->n_options; i++) {
		const struct heritage_option *from = &a->options[i], *to = &b->options[i];

		assert_string_equal(from->name, to->name);
		assert_int_equal(from->type, to->type);
		assert_true(from->number == to->number && from->line == to->line && from->column == to->column);
		assert_int_equal(!from->string, !to->string);
		if (from->string)
			assert_string_equal(from->string, to->string);
		assert_int_equal(!from->list, !to->list);
		assert_int_equal(from->n_list, to->n_list);
		for (uint32_t j = 0; j < from->n_list; j++)
			assert_string_equal(from->list[j], to->list[j]);
		if (to->list)
			assert_null(to->list[to->n_list]);
	}
}

static void assert_same_edges(const struct heritage_edge *a, const struct heritage_edge *b, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		struct heritage_edge from = a[i], to = b[i];

		assert_string_equal(from.peer_stage, to.peer_stage);
		assert_int_equal(from.n_lanes, to.n_lanes);
		for (uint32_t j = 0; j < from.n_lanes; j++) {
			assert_int_equal(from.lanes[j].peer, to.lanes[j].peer);
			assert_int_equal(from.lanes[j].own_index, to.lanes[j].own_index);
			assert_int_equal(from.lanes[j].peer_index, to.lanes[j].peer_index);
			assert_int_equal(from.lanes[j].off_data, to.lanes[j].off_data);
			assert_int_equal(from.lanes[j].capacity_bytes, to.lanes[j].capacity_bytes);
		}
		assert_int_equal(!from.balance_key, !to.balance_key);
		if (from.balance_key)
			assert_string_equal(from.balance_key, to.balance_key);
		assert_true(from.full == to.full && from.credit == to.credit && from.rendezvous == to.rendezvous &&
			    from.feedback == to.feedback);
		assert_true(from.order == to.order && from.balance == to.balance && from.run_bytes == to.run_bytes);
		assert_true(from.run_records == to.run_records && from.run_wait_ns == to.run_wait_ns &&
			    from.merge == to.merge && from.references == to.references);
		assert_true(from.first_ticket == to.first_ticket && from.ticket_step == to.ticket_step);
	}
}

static void assert_same_seat(const struct heritage *a, const struct heritage *b)
{
	assert_string_equal(a->pipeline, b->pipeline);
	assert_string_equal(a->stage, b->stage);
	assert_string_equal(a->kind, b->kind);
	assert_string_equal(a->plugin, b->plugin);
	assert_string_equal(a->spec, b->spec);
	assert_string_equal(a->control_endpoint, b->control_endpoint);
	assert_string_equal(a->dead_letter_path, b->dead_letter_path);
	assert_string_equal(a->dead_letter_store, b->dead_letter_store);
	assert_string_equal(a->state_path, b->state_path);
	assert_true(a->state_bytes == b->state_bytes && a->state_fd == b->state_fd && a->socket_fd == b->socket_fd);
	assert_int_equal(a->run, b->run);
	assert_int_equal(a->n_deaths, b->n_deaths);
	for (uint32_t i = 0; i < a->n_deaths; i++) {
		assert_int_equal(a->deaths[i].when_ns, b->deaths[i].when_ns);
		assert_int_equal(a->deaths[i].pid, b->deaths[i].pid);
		assert_int_equal(a->deaths[i].generation, b->deaths[i].generation);
		assert_string_equal(a->deaths[i].how, b->deaths[i].how);
	}
	assert_memory_equal(a->token, b->token, sizeof(a->token));
	assert_true(a->role == b->role && a->slot == b->slot && a->worker_index == b->worker_index &&
		    a->n_workers == b->n_workers);
	assert_true(a->n_slots == b->n_slots && a->generation == b->generation &&
		    a->supervisor_pid == b->supervisor_pid);
	assert_true(a->segment_fd == b->segment_fd && a->board_fd == b->board_fd && a->doorbell_fd == b->doorbell_fd);
	assert_true(a->lifeline_fd == b->lifeline_fd && a->cancel_fd == b->cancel_fd && a->scopes_fd == b->scopes_fd &&
		    a->spool_fds[0] == b->spool_fds[0] && a->spool_fds[1] == b->spool_fds[1]);
	assert_true(a->segment_size == b->segment_size && a->n_readers == b->n_readers && a->n_writers == b->n_writers);
	assert_true(a->off_readers == b->off_readers && a->off_writers == b->off_writers &&
		    a->off_record == b->off_record);
	assert_true(a->off_data == b->off_data && a->control_size == b->control_size && a->ordered == b->ordered);
	assert_true(a->off_done_bits == b->off_done_bits);
	assert_true(a->batch == b->batch && a->forwards == b->forwards && a->stands_in == b->stands_in &&
		    a->in_flight == b->in_flight && a->attempts == b->attempts);
}

static void test_round_trip(void **state)
{
	struct heritage rich, again;
	_cleanup_(close) int fd = -1;

	(void)state;
	make_rich(&rich);
	assert_int_equal(heritage_write(&rich, &fd), 0);
	assert_int_equal(heritage_read(fd, &again), 0);
	assert_same_seat(&rich, &again);
	assert_same_options(&rich, &again);
	assert_int_equal(again.n_peers, 3);
	assert_memory_equal(rich.peers, again.peers, 3 * sizeof(*rich.peers));
	assert_int_equal(again.n_origins, 2);
	for (uint32_t i = 0; i < 2; i++) {
		assert_memory_equal(&rich.origins[i], &again.origins[i], offsetof(struct heritage_origin, lanes));
		assert_int_equal(again.origins[i].n_lanes, 1);
		assert_memory_equal(rich.origins[i].lanes, again.origins[i].lanes, sizeof(*rich.origins[i].lanes));
	}
	assert_true(again.n_inputs == 1 && again.n_outputs == 1);
	assert_same_edges(rich.inputs, again.inputs, 1);
	assert_same_edges(rich.outputs, again.outputs, 1);
	heritage_deinit(&again);
	assert_null(again.pipeline);
	heritage_deinit(&again);

	/* what may be missing stays missing, and reading does not move the file's position */
	free(steal_pointer(&rich.plugin));
	free(steal_pointer(&rich.dead_letter_path));
	fd = fd_close(fd);
	assert_int_equal(heritage_write(&rich, &fd), 0);
	assert_int_equal(heritage_read(fd, &again), 0);
	heritage_deinit(&again);
	assert_int_equal(heritage_read(fd, &again), 0);
	assert_true(!again.plugin && !again.dead_letter_path);
	heritage_deinit(&again);
	heritage_deinit(&rich);
}

static void test_sealed(void **state)
{
	struct heritage rich;
	_cleanup_(close) int fd = -1;
	int seals;

	(void)state;
	make_rich(&rich);
	assert_int_equal(heritage_write(&rich, &fd), 0);
	seals = fcntl(fd, F_GET_SEALS);
	assert_int_equal(seals & (F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL),
			 F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL);
	assert_int_equal(pwrite(fd, "x", 1, 0), -1);
	assert_int_equal(errno, EPERM);
	assert_int_equal(ftruncate(fd, 0), -1);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	heritage_deinit(&rich);
}

#define REFUSED(change_)                                            \
	do {                                                        \
		struct heritage h;                                  \
		int fd = -1;                                        \
		make_rich(&h);                                      \
		change_;                                            \
		assert_int_equal(heritage_write(&h, &fd), -EINVAL); \
		assert_int_equal(fd, -1);                           \
		heritage_deinit(&h);                                \
	} while (0)

/* Each line makes the rich heritage senseless in one way. */
static void test_senseless(void **state)
{
	(void)state;
	REFUSED(free(steal_pointer(&h.pipeline)));
	REFUSED(free(steal_pointer(&h.control_endpoint)));
	REFUSED(free(steal_pointer(&h.inputs[0].peer_stage)));
	REFUSED(free(steal_pointer(&h.options[0].name)));
	REFUSED(h.role = 0);
	REFUSED(h.role = 4);
	REFUSED(h.slot = 8);
	REFUSED(h.n_slots = 5000);
	REFUSED(h.worker_index = 4);
	REFUSED(h.n_workers = 65);
	REFUSED(h.supervisor_pid = 0);
	REFUSED(h.segment_fd = -1);
	REFUSED(h.lifeline_fd = -1);
	REFUSED(h.cancel_fd = -1);
	REFUSED(h.scopes_fd = -1);
	REFUSED(h.spool_fds[0] = -2);
	REFUSED(h.state_fd = -2);
	REFUSED(h.socket_fd = -2);
	REFUSED(h.state_bytes = 0);
	REFUSED(h.batch = 0);
	REFUSED(h.attempts = 0);
	REFUSED(h.off_readers += 1);
	REFUSED(h.off_readers = UINT64_MAX - 7);
	REFUSED(h.n_readers = 1000);
	REFUSED(h.n_writers = UINT32_MAX);
	REFUSED(h.control_size = h.off_record);
	REFUSED(h.control_size = h.off_record + sizeof(struct segment_observed)); /* no room for both */
	REFUSED(h.off_data += 1);
	REFUSED(h.segment_size = h.off_data - 4096);
	REFUSED(h.segment_size = UINT64_MAX);
	REFUSED(h.options[0].type = 0);
	REFUSED(h.options[0].type = HERITAGE_STRING);
	REFUSED(h.options[0].type = HERITAGE_LIST);
	REFUSED(h.peers[1].slot = 8);
	REFUSED(h.peers[1].segment_fd = -1);
	REFUSED(h.peers[1].n_readers = 100);
	REFUSED(h.outputs[0].order = 3);
	REFUSED(h.inputs[0].ticket_step = 0);
	REFUSED(h.outputs[0].lanes[1].peer = 3);
	REFUSED(h.outputs[0].lanes[1].own_index = 2);
	REFUSED(h.outputs[0].lanes[1].peer_index = 2);
	REFUSED(h.outputs[0].lanes[1].capacity_bytes = 3 * 4096);
	REFUSED(h.outputs[0].lanes[1].capacity_bytes = 2 * LANE_BYTES);
	REFUSED(h.outputs[0].lanes[1].off_data += 8);
	REFUSED(h.outputs[0].lanes[0].off_data = 0);
	REFUSED(h.inputs[0].lanes[0].own_index = 1);
	REFUSED(h.inputs[0].lanes[0].peer_index = 1);
	REFUSED(h.inputs[0].lanes[0].off_data = UINT64_MAX & ~UINT64_C(4095));
}

/* How items are admitted: what a number stands for, and what can't be asked for together. */
static void test_senseless_admission(void **state)
{
	(void)state;
	REFUSED(h.outputs[0].balance = HERITAGE_BALANCE_KEY); /* and no expression */
	REFUSED(h.outputs[0].balance = 3);
	REFUSED(h.outputs[0].balance_key = copy("item"));
	REFUSED(h.inputs[0].balance = HERITAGE_LEAST_LOADED);
	REFUSED(h.outputs[0].full = 4);
	REFUSED(h.outputs[0].full = HERITAGE_FULL_DROP_OLD); /* in runs */
	REFUSED(h.outputs[0].credit = 1);
	REFUSED(h.outputs[0].feedback = true);
	REFUSED((h.outputs[0].feedback = true, h.outputs[0].credit = 1)); /* in runs */
	REFUSED(h.inputs[0].credit = 0);
	REFUSED((h.inputs[0].full = HERITAGE_FULL_DROP_OLD)); /* beside feedback, and without a hold */
	REFUSED(h.outputs[0].rendezvous = true);
	REFUSED(h.expires = copy("1s")); /* and it has inputs */
	REFUSED(h.in_flight = 0);
	REFUSED(h.in_flight = 4097);
	REFUSED(h.in_flight = 1); /* and done-bits for more */
	REFUSED(h.off_done_bits = 0);
	REFUSED(h.off_done_bits = h.control_size);
}

static void test_senseless_origins(void **state)
{
	(void)state;
	REFUSED(h.origins[1].slot = 8);
	REFUSED(h.origins[1].segment_fd = -1);
	REFUSED(h.origins[1].segment_size -= 4096);
	REFUSED(h.origins[1].lanes[0].off_data -= 4096);
	REFUSED(h.origins[1].lanes[0].off_data += 8);
	REFUSED(h.origins[1].lanes[0].capacity_bytes += 4096);
}
#undef REFUSED

static int read_bytes(const unsigned char *data, size_t size_bytes, struct heritage *ret)
{
	_cleanup_(close) int fd = memfd_create("damaged", MFD_CLOEXEC);

	assert_true(fd >= 0 && write(fd, data, size_bytes) == (ssize_t)size_bytes);
	return heritage_read(fd, ret);
}

/* Cut at every byte; every byte flipped in several ways; several bytes at once; bytes put in and taken out. */
static void test_damaged(void **state)
{
	struct heritage rich, again;
	_cleanup_(close) int fd = -1;
	_cleanup_(free) unsigned char *good = NULL, *bad = NULL;
	unsigned n_bad = 0, n_well = 0;
	struct stat st;
	size_t size;

	(void)state;
	make_rich(&rich);
	assert_int_equal(heritage_write(&rich, &fd), 0);
	assert_int_equal(fstat(fd, &st), 0);
	size = (size_t)st.st_size;
	good = malloc(size);
	bad = malloc(size + 1);
	assert_true(good && bad && pread(fd, good, size, 0) == (ssize_t)size);
	for (size_t i = 0; i < size; i++)
		assert_int_equal(read_bytes(good, i, &again), HERITAGE_E_BAD);
	memcpy(bad, good, size);
	bad[size] = 0xc0;
	assert_int_equal(read_bytes(bad, size + 1, &again), HERITAGE_E_BAD);
	srand(1);
	for (unsigned round = 0; round < 20000; round++) {
		int r;

		memcpy(bad, good, size);
		for (int n = 1 + rand() % 4; n; n--)
			bad[(size_t)rand() % size] ^= (unsigned char)(1 << rand() % 8);
		r = read_bytes(bad, size, &again);
		if (r == 0) {
			heritage_deinit(&again);
			n_well++;
		} else {
			assert_int_equal(r, HERITAGE_E_BAD);
			n_bad++;
		}
	}
	assert_true(n_bad > 5000 && n_well > 500);
	heritage_deinit(&rich);
}

static void test_no_document(void **state)
{
	struct heritage again;
	int fds[2];

	(void)state;
	assert_int_equal(heritage_read(-1, &again), -EBADF);
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(heritage_read(fds[0], &again), HERITAGE_E_BAD);
	close(fds[0]);
	close(fds[1]);
	assert_int_equal(read_bytes((const unsigned char *)"", 0, &again), HERITAGE_E_BAD);
	assert_int_equal(read_bytes((const unsigned char *)"\x93\x01\x01\x90", 4, &again), HERITAGE_E_BAD);
	assert_int_equal(read_bytes((const unsigned char *)"\xdd\xff\xff\xff\xff", 5, &again), HERITAGE_E_BAD);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),        cmocka_unit_test(test_sealed),
		cmocka_unit_test(test_senseless),         cmocka_unit_test(test_senseless_admission),
		cmocka_unit_test(test_senseless_origins), cmocka_unit_test(test_damaged),
		cmocka_unit_test(test_no_document),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
