/* SPDX-License-Identifier: Apache-2.0 */
/* What the real files call besides, and takes no part here; and memory that ends with its execution. */
#include <stdio.h>
#include <stdlib.h>
#include <weir/stage.h>

#include "common/base/must.h"
#include "common/base/text.h"
#include "common/scope/scope.h"
#include "tests/explore/explore.h"
#include "tests/explore/stubs.h"
#include "worker/rest.h"
#include "worker/blocked.h"
#include "worker/due.h"
#include "worker/expiry.h"
#include "worker/identity.h"
#include "worker/key.h"
#include "worker/scopes.h"
#include "worker/spin.h"
#include "worker/turn_priv.h"
#include "worker/worker.h"

#define BLOCKS_MAX 64u

static void *blocks[BLOCKS_MAX];
static unsigned n_blocks;

void *explore_calloc(size_t n, size_t size_bytes)
{
	void *block = calloc(n, size_bytes);

	if (n_blocks == BLOCKS_MAX || !block)
		explore_fail("explorer: too many blocks of memory in one execution");
	blocks[n_blocks++] = block;
	return block;
}

/* An execution may be broken off anywhere, so all of it goes at the next one's beginning. */
void explore_free(void *block)
{
	(void)block;
}

void stubs_reset(void)
{
	while (n_blocks)
		free(blocks[--n_blocks]);
}

/* No stage here has made scopes. */
void scopes_ordered(struct worker *worker)
{
	(void)worker;
}

struct weir_scope *weir_scope_item_free(struct weir_scope *scope)
{
	return scope;
}

/* The second look of a spin sees what the first saw, and so do all others (explore_relax). */
uint32_t spin_rounds(const struct spin *spin, bool crowded)
{
	(void)spin;
	(void)crowded;
	return 2;
}

void spin_succeeded(struct spin *spin)
{
	(void)spin;
}

void spin_failed(struct spin *spin, uint32_t rounds, uint64_t slept_ns)
{
	(void)spin;
	(void)rounds;
	(void)slept_ns;
}

uint32_t spin_yields(struct spin *spin, bool crowded, bool for_room)
{
	(void)for_room;
	(void)spin;
	(void)crowded;
	return 0;
}

bool spin_yielded(struct spin *spin, bool for_room, uint64_t away_ns, bool over)
{
	(void)for_room;
	(void)spin;
	(void)away_ns;
	(void)over;
	return false;
}

bool key_hash(const struct key *key, const void *data, size_t size_bytes, uint64_t *ret_hash)
{
	(void)key;
	(void)data;
	(void)size_bytes;
	*ret_hash = 0;
	explore_fail("an edge without a key looks for one");
	return false;
}

void weir_log(enum weir_log_level level, const char *format, ...)
{
	(void)level;
	(void)format;
}

void text_printf(struct text *text, const char *format, ...)
{
	(void)text;
	(void)format;
}

void must_failed(const char *what, const char *file, int line, const char *function)
{
	static char text[256];

	snprintf(text, sizeof(text), "must(%s) failed in %s, %s:%d", what, function, file, line);
	explore_fail(text);
}

const char *weir_status_name(int status)
{
	(void)status;
	return "";
}

int weir_emit_asking(struct weir_context *context, uint32_t output, const void *data, size_t size_bytes)
{
	(void)context;
	(void)output;
	(void)data;
	(void)size_bytes;
	explore_fail("an emit that fits the window goes past it");
	return WEIR_FAILED;
}

/* What is for people only; the state is not. */
void blocked_note(struct worker *worker, const struct wait_request *request, enum worker_state state, uint64_t now_ns)
{
	(void)request;
	worker_set_state_at(worker, state, NO_LANE, now_ns);
}

void blocked_note_outside(struct worker *worker, size_t n_fds, uint64_t deadline_ns, uint64_t now_ns)
{
	(void)n_fds;
	(void)deadline_ns;
	worker_set_state_at(worker, WORKER_STATE_WAIT_OUTSIDE, NO_LANE, now_ns);
}

void blocked_over(struct worker *worker, uint64_t now_ns, bool looks_round)
{
	(void)looks_round;
	worker_set_state_at(worker, WORKER_STATE_BUSY, NO_LANE, now_ns);
}

/* Nobody drains in these programs. */
int rest_for(struct worker *worker, uint64_t patience_ns)
{
	(void)worker;
	(void)patience_ns;
	explore_fail("a source rests");
	return WEIR_FAILED;
}

/* Nor does anybody wait for them behind their end. */
int rest_stay(struct worker *worker)
{
	(void)worker;
	return 0;
}

/* No stage has a deadline here. */
void due_stamp(struct worker *worker, struct in_flight_item *entry)
{
	(void)worker;
	(void)entry;
}

void due_add(struct worker *worker, struct in_flight_item *entry)
{
	(void)worker;
	(void)entry;
}

void due_remove(struct worker *worker, struct in_flight_item *entry)
{
	(void)worker;
	(void)entry;
}

uint64_t expiry_of_hand_ns(const struct worker *worker)
{
	(void)worker;
	return UINT64_MAX;
}

bool expiry_has_come(struct worker *worker, const struct weir_item *item)
{
	(void)worker;
	(void)item;
	return false;
}

/* No item is given up here. */
int turn_give_up(struct worker *worker, const struct weir_item *item)
{
	(void)worker;
	(void)item;
	abort();
}

/* Nobody writes a log line here. */
int identity_of_hand(const struct weir_context *context, struct weir_identity *ret_identity)
{
	(void)context;
	(void)ret_identity;
	abort();
}
