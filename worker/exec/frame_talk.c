/* SPDX-License-Identifier: Apache-2.0 */
/*
 *      talk_add      talk_send       answered
 *         |              |               |
 *      QUEUED --------> SENT ---------> FREE
 *         ^              |  \ forsaken: the item has ended      GONE --> FREE   its late answer
 *         '-- lost, failed '----------------------------------->
 *
 * An id is the entry's index and how often it was used: whatever the program makes up, it finds an item that it was given and has not
 * answered, or none.
 *
 * Whom to blame when the program dies with n items: as the supervisor does when a worker dies (docs/asynchronous-stages.md), n, n/8, n/64
 * ... 1 at a time, and only who was alone is counted. Those who are in doubt stand before all others, so that the stage is soon past them.
 */
#include "worker/exec/frame_talk.h"

#include <errno.h>
#include <stdlib.h>

#include "common/base/error.h"
#include "common/base/must.h"

#define INDEX_BITS 13u /* in_flight is at most 4096, and as many may be GONE */
#define NARROWING 8u

int talk_init(struct talk *talk, uint32_t in_flight, uint32_t attempts)
{
	*talk = (struct talk){ .in_flight = in_flight, .at_once = in_flight, .attempts = attempts };
	talk->n_items = 2 * in_flight;
	must(talk->n_items <= 1u << INDEX_BITS);
	talk->items = calloc(talk->n_items, sizeof(*talk->items));
	if (!talk->items)
		return error_origin(-ENOMEM);
	for (uint32_t i = talk->n_items; i-- > 0;) {
		talk->items[i].younger = talk->first_free;
		talk->first_free = i + 1;
	}
	return 0;
}

void talk_deinit(struct talk *talk)
{
	free(talk->items);
	*talk = (struct talk){ 0 };
}

/* ---- lists ---- */

static struct talk_item *item_at(const struct talk *talk, uint32_t number)
{
	return number ? &talk->items[number - 1] : NULL;
}

static uint32_t number_of(const struct talk *talk, const struct talk_item *item)
{
	return item ? (uint32_t)(item - talk->items) + 1 : 0;
}

struct talk_item *talk_first(const struct talk *talk, const struct talk_list *list)
{
	return item_at(talk, list->oldest);
}

struct talk_item *talk_younger(const struct talk *talk, const struct talk_item *item)
{
	return item_at(talk, item->younger);
}

/* Between two neighbours; NULL: at an end. */
static void list_insert(struct talk *talk, struct talk_list *list, struct talk_item *item, struct talk_item *older,
			struct talk_item *younger)
{
	uint32_t number = number_of(talk, item);

	item->older = number_of(talk, older);
	item->younger = number_of(talk, younger);
	*(older ? &older->younger : &list->oldest) = number;
	*(younger ? &younger->older : &list->youngest) = number;
	list->n++;
}

static void list_remove(struct talk *talk, struct talk_list *list, struct talk_item *item)
{
	struct talk_item *older = item_at(talk, item->older), *younger = item_at(talk, item->younger);

	*(older ? &older->younger : &list->oldest) = item->younger;
	*(younger ? &younger->older : &list->youngest) = item->older;
	list->n--;
}

static void list_add(struct talk *talk, struct talk_list *list, struct talk_item *item, bool front)
{
	if (front)
		list_insert(talk, list, item, NULL, item_at(talk, list->oldest));
	else
		list_insert(talk, list, item, item_at(talk, list->youngest), NULL);
}

/* ---- items ---- */

void talk_set_at_once(struct talk *talk, uint64_t at_once)
{
	talk->at_once = !at_once || at_once > talk->in_flight ? talk->in_flight : (uint32_t)at_once;
}

struct talk_item *talk_add(struct talk *talk, uint64_t token)
{
	struct talk_item *item = item_at(talk, talk->first_free);
	uint64_t uses;

	must(item);
	talk->first_free = item->younger;
	uses = item->uses;
	*item = (struct talk_item){ .token = token, .uses = uses, .state = TALK_QUEUED };
	list_add(talk, &talk->queue, item, false);
	return item;
}

struct talk_item *talk_next(const struct talk *talk)
{
	uint32_t most = talk->at_once;

	if (talk->n_doubtful && talk->limit < most)
		most = talk->limit;
	return talk->sent.n + talk->n_gone < most ? talk_first(talk, &talk->queue) : NULL;
}

void talk_send(struct talk *talk, struct talk_item *item, uint64_t now_ns)
{
	must(item->state == TALK_QUEUED);
	list_remove(talk, &talk->queue, item);
	list_add(talk, &talk->sent, item, false);
	item->state = TALK_SENT;
	item->sent_ns = now_ns;
	item->cancelled_ns = 0;
	item->id = item->uses++ << INDEX_BITS | (number_of(talk, item) - 1);
}

struct talk_item *talk_find(const struct talk *talk, uint64_t id)
{
	uint64_t index = id & ((1u << INDEX_BITS) - 1);
	struct talk_item *item = index < talk->n_items ? &talk->items[index] : NULL;

	return item && item->id == id && (item->state == TALK_SENT || item->state == TALK_GONE) ? item : NULL;
}

static void set_doubtful(struct talk *talk, struct talk_item *item, bool doubtful)
{
	talk->n_doubtful += doubtful;
	talk->n_doubtful -= item->doubtful;
	item->doubtful = doubtful;
}

static void take_out(struct talk *talk, struct talk_item *item)
{
	must(item->state != TALK_FREE);
	if (item->state == TALK_GONE)
		talk->n_gone--;
	else
		list_remove(talk, item->state == TALK_SENT ? &talk->sent : &talk->queue, item);
}

void talk_end(struct talk *talk, struct talk_item *item)
{
	take_out(talk, item);
	set_doubtful(talk, item, false);
	item->state = TALK_FREE;
	item->younger = talk->first_free;
	talk->first_free = number_of(talk, item);
}

bool talk_forsake(struct talk *talk, struct talk_item *item)
{
	if (item->state == TALK_QUEUED) {
		talk_end(talk, item);
		return false;
	}
	must(item->state == TALK_SENT);
	list_remove(talk, &talk->sent, item);
	set_doubtful(talk, item, false);
	item->state = TALK_GONE;
	talk->n_gone++;
	return true;
}

static void requeue(struct talk *talk, struct talk_item *item, bool front)
{
	list_remove(talk, &talk->sent, item);
	item->state = TALK_QUEUED;
	list_add(talk, &talk->queue, item, front);
}

bool talk_retry(struct talk *talk, struct talk_item *item, bool front)
{
	must(item->state == TALK_SENT);
	requeue(talk, item, front);
	return ++item->n_attempts >= talk->attempts;
}

bool talk_is_deaf(const struct talk *talk)
{
	return talk->n_gone >= talk->in_flight;
}

/* ---- the program is lost ---- */

static void blame_all(struct talk *talk)
{
	uint32_t n = talk->sent.n;

	for (struct talk_item *item = talk_first(talk, &talk->sent); item; item = talk_younger(talk, item))
		set_doubtful(talk, item, true);
	talk->limit = n > NARROWING ? n / NARROWING : 1;
	if (n == 1)
		talk_first(talk, &talk->sent)->n_attempts++;
}

uint32_t talk_lost(struct talk *talk, bool blame)
{
	uint32_t n = talk->sent.n;

	for (uint32_t i = 0; talk->n_gone && i < talk->n_items; i++)
		if (talk->items[i].state == TALK_GONE)
			talk_end(talk, &talk->items[i]);
	if (blame && n)
		blame_all(talk);
	while (talk->sent.n)
		requeue(talk, item_at(talk, talk->sent.youngest), true);
	return n;
}

/* All have the same deadline, so they are due in the order in which they were sent; those that were cancelled for it come first. */
uint64_t talk_due_ns(const struct talk *talk, uint64_t deadline_ns, uint64_t grace_ns)
{
	uint64_t due_ns = UINT64_MAX;

	for (struct talk_item *item = talk_first(talk, &talk->sent); item; item = talk_younger(talk, item)) {
		uint64_t own_ns = item->cancelled_ns ? item->cancelled_ns + grace_ns : item->sent_ns + deadline_ns;

		due_ns = own_ns < due_ns ? own_ns : due_ns;
		if (!item->cancelled_ns)
			break;
	}
	return due_ns;
}
