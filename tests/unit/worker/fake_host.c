/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bottle.
 *
 *   shared mapping:  parity -> marks[2] = { tail, counts, cursor }      arena: | size data | size data | ...
 *
 * A commit writes the marks that are not valid and then flips the parity: one store, as in the real commit. What lies in the
 * arena behind the valid tail was never emitted.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "common/base/atomic.h"
#include "common/base/cleanup.h"
#include "common/base/clock.h"
#include "common/base/must.h"
#include "tests/unit/worker/fake_baggage.h"
#include "tests/unit/worker/fake_channel.h"
#include "tests/unit/worker/fake_group.h"
#include "tests/unit/worker/fake_host.h"
#include "tests/unit/worker/fake_identity.h"
#include "tests/unit/worker/fake_record.h"
#include "tests/unit/worker/fake_state.h"
#include "worker/item_key.h"

#define FAKE_ARENA_SIZE (UINT64_C(1) << 30) /* address space; pages come with use */
#define FAKE_ABANDONED_MAX 65536u

struct fake_marks {
	uint64_t tail, n_items, n_rejected, n_settled, n_taken;
	uint8_t cursor[WEIR_CURSOR_SIZE_MAX];
};

struct fake_shared {
	atomic_u64 parity;
	struct fake_marks marks[2];
	unsigned char arena[] __attribute__((aligned(8)));
};

/* States of killed generations: a kill frees nothing, but the leak checker should still find them. */
static void *abandoned[FAKE_ABANDONED_MAX];
static uint32_t n_abandoned;

static struct fake_host *host_of(const struct weir_context *context)
{
	return (struct fake_host *)(uintptr_t)context;
}

static struct fake_marks *fake_valid(const struct fake_host *host)
{
	return &host->shared->marks[load_acquire(&host->shared->parity) & 1];
}

/* What is emitted shows what it brings along: "BAGGAGE:DATA". */
static const char *with_baggage(const struct fake_host *host, const void *data, size_t *size_bytes)
{
	static char shown[256];
	int n = snprintf(shown, sizeof(shown), "%s:%.*s", host->unpacked, (int)*size_bytes, (const char *)data);

	*size_bytes = (size_t)n < sizeof(shown) ? (size_t)n : sizeof(shown) - 1;
	return shown;
}

static int fake_emit(struct weir_context *context, uint32_t output, const void *data, size_t size_bytes)
{
	struct fake_host *host = host_of(context);
	uint64_t size;

	if (host->cancelled)
		return WEIR_CANCELLED;
	if (host->shows_baggage)
		data = with_baggage(host, data, &size_bytes);
	size = size_bytes;
	if (size_bytes > host->item_size_max)
		return WEIR_TOO_LARGE;
	must(output == WEIR_ALL_OUTPUTS || output < host->n_outputs);
	host->last_output = output;
	if (host->draining)
		return WEIR_CLOSED;
	if (host->in_group && host->bad_record && strlen(host->bad_record) == size_bytes &&
	    !memcmp(host->bad_record, data, size_bytes)) {
		snprintf(host->fault, sizeof(host->fault), "body:%llu: it is bad", (unsigned long long)host->place);
		return WEIR_REJECTED;
	}
	if (host->admits_not)
		return WEIR_REJECTED;
	if (host->producing && host->room == 0)
		return host->in_group && host->group_room == host->full_after && host->full_after ? WEIR_TOO_LARGE :
												    WEIR_FULL;
	if (host->producing && host->room != UINT64_MAX)
		host->room--;
	must(sizeof(*host->shared) + host->tail + 8 + size_bytes <= FAKE_ARENA_SIZE);
	memcpy(host->shared->arena + host->tail, &size, 8);
	if (host->n_items < sizeof(host->places) / sizeof(host->places[0]))
		host->places[host->n_items] = host->place;
	if (host->n_items < sizeof(host->outputs) / sizeof(host->outputs[0]))
		host->outputs[host->n_items] = output;
	if (size_bytes)
		memcpy(host->shared->arena + host->tail + 8, data, size_bytes);
	host->tail += 8 + ((size + 7) & ~UINT64_C(7));
	host->n_items++;
	return 0;
}

static bool fake_draining(const struct weir_context *context)
{
	return host_of(context)->draining;
}

static uint32_t fake_outputs(const struct weir_context *context)
{
	return host_of(context)->n_outputs;
}

static const char *fake_input_name(const struct weir_context *context, uint32_t input)
{
	return input < FAKE_INPUTS_MAX ? host_of(context)->input_names[input] : NULL;
}

static uint64_t fake_output_names(const struct weir_context *context, uint32_t output)
{
	return host_of(context)->output_names[output];
}

static size_t fake_item_size_max(const struct weir_context *context)
{
	return host_of(context)->item_size_max;
}

static void *fake_cursor(struct weir_context *context)
{
	return host_of(context)->cursor;
}

static int fake_spool(struct weir_context *context, uint32_t index)
{
	must(index < FAKE_SPOOL_COUNT);
	return host_of(context)->spool_fds[index];
}

static int fake_accept_rejected(struct weir_context *context, const void *data, size_t size_bytes, const char *reason)
{
	struct fake_host *host = host_of(context);

	must(data || !size_bytes);
	host->n_rejected++;
	strncpy(host->last_rejection, reason, sizeof(host->last_rejection) - 1);
	host->last_rejection_size = size_bytes;
	return 0;
}

static void fake_reject(struct weir_context *context, const char *reason)
{
	strncpy(host_of(context)->reason, reason, sizeof(host_of(context)->reason) - 1);
}

static void fake_settle(struct weir_context *context, uint64_t n_items)
{
	host_of(context)->n_settled += n_items;
}

static int fake_give_up(struct weir_context *context, uint64_t n_items, const void *data, size_t size_bytes,
			const char *reason)
{
	struct fake_host *host = host_of(context);

	host->n_given_up += n_items;
	snprintf(host->last_given_up, sizeof(host->last_given_up), "%.*s", (int)size_bytes, (const char *)data);
	fake_reject(context, reason);
	return 0;
}

static void fake_overran(struct weir_context *context)
{
	host_of(context)->n_overran++;
}

static void fake_fail(struct weir_context *context, const char *reason)
{
	fake_reject(context, reason);
	host_of(context)->failed = true;
}

static void fake_progress(struct weir_context *context, uint64_t position, uint64_t total)
{
	host_of(context)->progress_position = position;
	host_of(context)->progress_total = total;
}

static uint64_t fake_now_ns(const struct weir_context *context)
{
	return host_of(context)->now_ns ? host_of(context)->now_ns : clock_now_ns();
}

static uint32_t fake_in_flight(const struct weir_context *context)
{
	(void)context;
	return 1;
}

static int fake_wait(struct weir_context *context, struct pollfd *fds, size_t n_fds, uint64_t deadline_ns)
{
	struct fake_host *host = host_of(context);
	int n;

	host->n_waits++;
	if (host->on_wait)
		host->on_wait(host, host->on_wait_data);
	if (host->cancelled)
		return WEIR_CANCELLED;
	if (host->sleepless && !n_fds) {
		must(deadline_ns);
		host->now_ns = host->now_ns ? deadline_ns : 0;
		return WEIR_EXPIRED;
	}
	n = poll(fds, n_fds,
		 !deadline_ns && host->patience_ns ?
			 (int)(host->patience_ns / NS_PER_MS) :
			 deadline_poll_ms(deadline_ns, clock_now_ns(), deadline_ns ? 60000 : -1));
	if (n == 0 && !deadline_ns && host->patience_ns) {
		host->cancelled = true;
		return WEIR_CANCELLED;
	}
	return n > 0 ? WEIR_OK : n == 0 ? WEIR_EXPIRED : -errno;
}

static void fake_watch(struct weir_context *context, int fd, short events, uint64_t wake_ns)
{
	struct fake_host *host = host_of(context);

	host->watch_fd = fd;
	host->watch_events = events;
	host->watch_wake_ns = wake_ns;
}

static int fake_leave(struct weir_context *context, uint32_t input)
{
	host_of(context)->left = true;
	if (host_of(context)->channel)
		fake_channel_leave(host_of(context)->channel, input);
	return 0;
}

static int fake_postpone(struct weir_context *context, uint64_t until_ns)
{
	host_of(context)->postponed_ns = until_ns;
	return WEIR_WAIT;
}

static void fake_produce_next(struct weir_context *context)
{
	host_of(context)->produce_wanted = true;
}

static bool fake_cancelled(const struct weir_context *context)
{
	return host_of(context)->cancelled;
}

static struct weir_budget fake_budget(const struct weir_context *context)
{
	uint64_t budget_ns = host_of(context)->budget_ns;

	return weir_budget_at(NULL, budget_ns ? budget_ns : WEIR_FOREVER);
}

static const char *fake_stage_name(const struct weir_context *context)
{
	return host_of(context)->name;
}

static int fake_listen_fd(const struct weir_context *context)
{
	return host_of(context)->listen_fd;
}

static uint32_t fake_worker_index(const struct weir_context *context)
{
	return host_of(context)->worker_index;
}

static uint32_t fake_generation(const struct weir_context *context)
{
	return host_of(context)->generation;
}

static const struct heritage_option *fake_option(const struct weir_context *context, const char *name)
{
	return fake_host_option(host_of(context), name);
}

static int fake_forward(struct weir_context *context, uint32_t output, const struct weir_item *item)
{
	return fake_emit(context, output, item->data, item->size_bytes);
}

static bool fake_has_run(const struct weir_context *context)
{
	return !host_of(context)->never_ran;
}

static const struct weir_host fake_table = {
	.emit = fake_emit,
	.forward = fake_forward,
	.group_begin = fake_group_begin,
	.group_end = fake_group_end,
	.group_drop = fake_group_drop,
	.group_fault = fake_group_fault,
	.draining = fake_draining,
	.outputs = fake_outputs,
	.item_size_max = fake_item_size_max,
	.input_name = fake_input_name,
	.output_names = fake_output_names,
	.cursor = fake_cursor,
	.spool = fake_spool,
	.accept_rejected = fake_accept_rejected,
	.reject = fake_reject,
	.settle = fake_settle,
	.give_up = fake_give_up,
	.overran = fake_overran,
	.fail = fake_fail,
	.progress = fake_progress,
	.wait = fake_wait,
	.watch = fake_watch,
	.leave = fake_leave,
	.produce_next = fake_produce_next,
	.postpone = fake_postpone,
	.cancelled = fake_cancelled,
	.budget = fake_budget,
	.now_ns = fake_now_ns,
	.stage_name = fake_stage_name,
	.worker_index = fake_worker_index,
	.baggage_set = fake_baggage_set,
	.baggage_get = fake_baggage_get,
	.baggage_pack = fake_baggage_pack,
	.baggage_unpack = fake_baggage_unpack,
	.baggage_clear = fake_baggage_clear,
	.expire_at = fake_expire_at,
	.generation = fake_generation,
	.in_flight = fake_in_flight,
	.has_run = fake_has_run,
	.decodes = fake_decodes,
	.cutting = fake_cutting,
	.cut = fake_cut,
	.cut_short = fake_cut_short,
	.place = fake_place,
	.ends_lines = fake_ends_lines,
	.inputs = fake_channel_inputs,
	.recv = fake_channel_recv,
	.send = fake_channel_send,
	.select = fake_channel_select,
	.hold = fake_channel_hold,
	.state_get = fake_state_get,
	.state_put = fake_state_put,
	.state_delete = fake_state_delete,
	.state_seek = fake_state_seek,
	.state_usage = fake_state_usage,
	.key_new = item_key_new,
	.key_free = item_key_free,
	.key_bytes = item_key_bytes,
	.key_number = item_key_number,
	.key_integer = item_key_integer,
	.key_time = item_key_time,
	.identify = fake_identify,
	.pipeline_name = fake_pipeline_name,
	.run = fake_run,
	.run_folder = fake_run_folder,
	.listen_fd = fake_listen_fd,
	.option = fake_option,
};

void fake_host_init(struct fake_host *host, const struct weir_stage *stage)
{
	*host = (struct fake_host){
		.context.host = &fake_table,
		.stage = stage,
		.n_outputs = 1,
		.item_size_max = 64 * 1024,
		.room = UINT64_MAX,
		.state_bytes = 1 << 20,
		.run = 1,
		.run_folder = "/tmp",
		.listen_fd = -1,
		.name = "fake",
		.watch_fd = -1,
	};
	host->shared =
		mmap(NULL, FAKE_ARENA_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	must(host->shared != MAP_FAILED);
	for (uint32_t i = 0; i < FAKE_SPOOL_COUNT; i++) {
		host->spool_fds[i] = memfd_create("spool", MFD_CLOEXEC);
		must(host->spool_fds[i] >= 0);
	}
}

void fake_host_deinit(struct fake_host *host)
{
	fake_host_close(host);
	for (uint32_t i = 0; i < FAKE_SPOOL_COUNT; i++)
		fd_close(host->spool_fds[i]);
	for (uint32_t i = 0; i < host->n_options; i++) {
		free(host->options[i].name);
		free(host->options[i].string);
	}
	munmap(host->shared, FAKE_ARENA_SIZE);
	fake_map_deinit(&host->entries);
	fake_map_deinit(&host->committed);
}

void fake_host_commit(struct fake_host *host)
{
	uint64_t parity = load_relaxed(&host->shared->parity);
	struct fake_marks *marks = &host->shared->marks[(parity + 1) & 1];

	marks->tail = host->tail;
	marks->n_items = host->n_items;
	marks->n_rejected = host->n_rejected;
	marks->n_settled = host->n_settled;
	marks->n_taken = host->n_taken;
	memcpy(marks->cursor, host->cursor, sizeof(marks->cursor));
	fake_map_copy(&host->committed, &host->entries);
	store_release(&host->shared->parity, parity + 1);
	if (host->full_after)
		host->room = host->full_after;
}

static void fake_restore(struct fake_host *host)
{
	const struct fake_marks *marks = fake_valid(host);

	host->tail = marks->tail;
	host->n_items = marks->n_items;
	host->n_rejected = marks->n_rejected;
	host->n_settled = marks->n_settled;
	host->n_taken = marks->n_taken;
	memcpy(host->cursor, marks->cursor, sizeof(host->cursor));
	fake_map_copy(&host->entries, &host->committed);
	host->watch_fd = -1;
	host->watch_events = 0;
	host->watch_wake_ns = 0;
	host->produce_wanted = false;
	host->generation++;
	if (host->full_after)
		host->room = host->full_after;
}

void fake_host_kill(struct fake_host *host)
{
	if (host->state) {
		must(n_abandoned < FAKE_ABANDONED_MAX);
		abandoned[n_abandoned++] = host->state;
	}
	host->state = NULL;
	fake_restore(host);
}

void fake_host_inherit(struct fake_host *host)
{
	must(!host->state);
	fake_restore(host);
}

int fake_host_open(struct fake_host *host)
{
	void *state = NULL;
	int r = host->stage->open(&host->context, &state);

	if (r == 0) {
		host->state = state;
		fake_host_commit(host);
	} else if (state && host->stage->close)
		host->stage->close(&host->context, state);
	return r;
}

int fake_host_produce(struct fake_host *host)
{
	int r;

	host->unpacked[0] = '\0';
	host->producing = true;
	r = host->stage->produce(&host->context, host->state);
	host->producing = false;
	return r;
}

int fake_host_process(struct fake_host *host, const void *data, size_t size_bytes)
{
	const struct weir_item item = {
		.data = data,
		.size_bytes = size_bytes,
		.sequence = host->n_taken++,
		.accepted_ns = host->accepted_ns ? host->accepted_ns : fake_now_ns(&host->context),
		.input = host->input,
		.attempt = host->attempt,
	};

	return host->stage->process(&host->context, host->state, &item);
}

int fake_host_end_run(struct fake_host *host)
{
	return host->stage->end_run ? host->stage->end_run(&host->context, host->state) : 0;
}

int fake_host_finish(struct fake_host *host)
{
	return host->stage->finish ? host->stage->finish(&host->context, host->state) : 0;
}

int fake_host_flush(struct fake_host *host)
{
	return host->stage->flush ? host->stage->flush(&host->context, host->state) : 0;
}

int fake_host_turn_end(struct fake_host *host)
{
	int r = fake_host_flush(host);

	if (r == 0)
		fake_host_commit(host);
	return r;
}

void fake_host_close(struct fake_host *host)
{
	if (host->state && host->stage->close)
		host->stage->close(&host->context, host->state);
	host->state = NULL;
}

int fake_host_run_source(struct fake_host *host, bool wait)
{
	for (;;) {
		int r = fake_host_produce(host), e;

		if (r != WEIR_MORE && r != WEIR_WAIT && r != WEIR_CLOSED)
			return r;
		e = fake_host_turn_end(host);
		if (e != 0)
			return e;
		if (r == WEIR_CLOSED || (r == WEIR_WAIT && !wait))
			return r;
		if (r == WEIR_WAIT) {
			struct pollfd fd = { .fd = host->watch_fd, .events = host->watch_events };

			must(host->watch_fd >= 0 || host->watch_wake_ns);
			if (host->now_ns && host->watch_wake_ns)
				host->now_ns = host->watch_wake_ns;
			else
				poll(&fd, 1,
				     deadline_poll_ms(host->watch_wake_ns, clock_now_ns(),
						      host->watch_wake_ns ? 60000 : -1));
		}
	}
}

struct fake_item fake_host_item(const struct fake_host *host, uint64_t index)
{
	const unsigned char *at = host->shared->arena;
	uint64_t size;

	must(index < host->n_items);
	for (uint64_t i = 0;; i++, at += 8 + ((size + 7) & ~UINT64_C(7))) {
		memcpy(&size, at, 8);
		if (i == index)
			return (struct fake_item){ .data = (const char *)at + 8, .size_bytes = size };
	}
}

bool fake_host_item_is(const struct fake_host *host, uint64_t index, const char *text)
{
	struct fake_item item = fake_host_item(host, index);

	return item.size_bytes == strlen(text) && !memcmp(item.data, text, item.size_bytes);
}

char *fake_host_text(const struct fake_host *host, size_t *ret_size)
{
	const unsigned char *at = host->shared->arena;
	char *text = malloc(host->tail + host->n_items + 1);
	size_t length = 0;
	uint64_t size;

	must(text);
	for (uint64_t i = 0; i < host->n_items; i++, at += 8 + ((size + 7) & ~UINT64_C(7))) {
		memcpy(&size, at, 8);
		memcpy(text + length, at + 8, size);
		length += size;
		text[length++] = '\n';
	}
	text[length] = '\0';
	*ret_size = length;
	return text;
}
