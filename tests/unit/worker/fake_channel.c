/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/worker/fake_channel.h"

#include <stdio.h>
#include <string.h>
#include <weir/emit.h>

#include "common/base/must.h"

static struct fake_host *host_of(const struct weir_context *context)
{
	return (struct fake_host *)(uintptr_t)context;
}

static struct fake_channel *channel_of(const struct weir_context *context)
{
	must(host_of(context)->channel);
	return host_of(context)->channel;
}

void fake_channel_init(struct fake_channel *channel, struct fake_host *host, uint32_t n_inputs)
{
	must(n_inputs <= FAKE_INPUTS_MAX);
	channel->n_inputs = n_inputs;
	host->channel = channel;
}

void fake_channel_add(struct fake_channel *channel, uint32_t input, const char *item)
{
	struct fake_channel_input *at = &channel->inputs[input];

	must(at->n < FAKE_CHANNEL_ITEMS);
	at->items[at->n++] = item;
}

void fake_channel_leave(struct fake_channel *channel, uint32_t input)
{
	channel->inputs[input].left = true;
}

/* ---- steps ---- */

static void note_rejection(struct fake_channel *channel, struct fake_host *host)
{
	if (!host->reason[0])
		return;
	if (channel->n_rejected < sizeof(channel->rejections) / sizeof(channel->rejections[0]))
		snprintf(channel->rejections[channel->n_rejected], sizeof(channel->rejections[0]), "%.159s",
			 host->reason);
	channel->n_rejected++;
	host->reason[0] = '\0';
}

/* Returns false: the worker is killed before it commits the step that ends here. */
static bool end_step(struct fake_channel *channel, struct fake_host *host)
{
	note_rejection(channel, host);
	if (++channel->n_steps == channel->kill_at)
		return false;
	fake_host_commit(host);
	for (uint32_t i = 0; i < channel->n_inputs; i++)
		channel->inputs[i].committed = channel->inputs[i].next;
	channel->held_committed = channel->n_held;
	channel->rejected_committed = channel->n_rejected;
	return true;
}

static void restore(struct fake_channel *channel)
{
	for (uint32_t i = 0; i < channel->n_inputs; i++) {
		channel->inputs[i].next = channel->inputs[i].committed;
		channel->inputs[i].left = false;
	}
	channel->n_held = channel->held_committed;
	channel->n_rejected = channel->rejected_committed;
}

int fake_channel_run(struct fake_channel *channel, struct fake_host *host)
{
	for (;;) {
		int r = fake_host_open(host);

		if (r != 0)
			return r;
		r = host->stage->run(&host->context, host->state);
		if (r != WEIR_CANCELLED || channel->n_steps != channel->kill_at)
			return r;
		fake_host_kill(host);
		restore(channel);
	}
}

/* ---- the calls ---- */

uint32_t fake_channel_inputs(const struct weir_context *context)
{
	return channel_of(context)->n_inputs;
}

/* Returns WEIR_OK, WEIR_CLOSED; WEIR_WOULD_BLOCK: it says nothing. */
static int take(struct fake_host *host, uint32_t number, struct weir_item *ret_item)
{
	struct fake_channel_input *input = &host->channel->inputs[number];

	if (input->left || (input->next == input->n && host->now_ns >= input->from_ns))
		return WEIR_CLOSED;
	if (host->now_ns < input->from_ns)
		return WEIR_WOULD_BLOCK;
	*ret_item = (struct weir_item){
		.data = input->items[input->next],
		.size_bytes = strlen(input->items[input->next]),
		.accepted_ns = 1 + input->next,
		.input = number,
	};
	input->next++;
	snprintf(host->baggage, sizeof(host->baggage), "%c", 'a' + (int)number);
	memcpy(host->unpacked, host->baggage, sizeof(host->unpacked));
	weir_accepted_at(&host->context, ret_item->accepted_ns);
	return WEIR_OK;
}

int fake_channel_recv(struct weir_context *context, uint32_t input, uint64_t deadline_ns, struct weir_item *ret_item)
{
	must(deadline_ns == WEIR_NOW && input < channel_of(context)->n_inputs);
	return end_step(channel_of(context), host_of(context)) ? take(host_of(context), input, ret_item) :
								 WEIR_CANCELLED;
}

/* Nobody comes any more: time goes on to what is waited for, or to who comes next. */
static int pass_time(struct fake_channel *channel, struct fake_host *host, uint64_t deadline_ns)
{
	uint64_t next_ns = UINT64_MAX;

	for (uint32_t i = 0; i < channel->n_inputs; i++)
		if (channel->inputs[i].from_ns > host->now_ns && channel->inputs[i].from_ns < next_ns)
			next_ns = channel->inputs[i].from_ns;
	must(next_ns != UINT64_MAX || deadline_ns != WEIR_FOREVER);
	host->now_ns = deadline_ns <= next_ns ? deadline_ns : next_ns;
	return deadline_ns <= next_ns ? WEIR_EXPIRED : WEIR_OK;
}

int fake_channel_select(struct weir_context *context, struct weir_case *cases, size_t n_cases, uint64_t deadline_ns,
			size_t *ret_case)
{
	struct fake_channel *channel = channel_of(context);
	struct fake_host *host = host_of(context);

	if (!end_step(channel, host))
		return WEIR_CANCELLED;
	do {
		for (size_t i = 0; i < n_cases; i++) {
			size_t at = (channel->first + i) % n_cases;
			int r = take(host, cases[at].index, &cases[at].item);

			must(cases[at].kind == WEIR_CASE_RECV);
			if (r == WEIR_WOULD_BLOCK)
				continue;
			channel->first = (uint32_t)at + 1;
			*ret_case = at;
			return r;
		}
	} while (pass_time(channel, host, deadline_ns) == WEIR_OK);
	*ret_case = WEIR_NO_CASE;
	return WEIR_EXPIRED;
}

int fake_channel_send(struct weir_context *context, uint32_t output, const void *data, size_t size_bytes,
		      uint64_t deadline_ns)
{
	must(deadline_ns == WEIR_FOREVER);
	return weir_emit(context, output, data, size_bytes);
}

void fake_channel_hold(struct weir_context *context)
{
	channel_of(context)->n_held++;
}
