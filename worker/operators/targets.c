/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The window is cut into slices of time, and what is older than the window goes slice by slice:
 *
 *      now / slice = epoch      slices[epoch % 10]: calls and failures; those between the last epoch and this one are empty
 */
#include "worker/operators/targets.h"

#include <errno.h>
#include <string.h>

#include "common/base/clock.h"

#define SLICES 10u

enum switched { CLOSED = 0, OPEN, HALF_OPEN };

struct slice {
	uint32_t n, n_failed;
};

struct target {
	uint64_t epoch, until_ns;     /* until_ns: OPEN, when it is tried again */
	uint32_t switched;            /* enum switched */
	uint32_t n_under_way, n_good; /* HALF_OPEN: probes */
	uint32_t reserved;            /* 0 */
	struct slice slices[SLICES];
};

static size_t key_of(const void *name, size_t name_bytes, unsigned char key[WEIR_STATE_KEY_SIZE_MAX])
{
	key[0] = 't';
	memcpy(key + 1, name, name_bytes);
	return name_bytes + 1;
}

static int load(struct weir_context *context, const void *name, size_t name_bytes, struct target *target)
{
	unsigned char key[WEIR_STATE_KEY_SIZE_MAX];
	const void *value;
	size_t size_bytes;
	int r = weir_state_get(context, key, key_of(name, name_bytes, key), &value, &size_bytes);

	*target = (struct target){ 0 };
	if (r == WEIR_OK)
		memcpy(target, value, sizeof(*target));
	return r == -ENOENT ? WEIR_OK : r;
}

static int store(struct weir_context *context, const void *name, size_t name_bytes, const struct target *target)
{
	unsigned char key[WEIR_STATE_KEY_SIZE_MAX];

	return weir_state_put(context, key, key_of(name, name_bytes, key), target, sizeof(*target));
}

static void slide(const struct targets *targets, struct target *target, uint64_t now_ns)
{
	uint64_t epoch = now_ns / (targets->window_ns / SLICES);

	if (epoch - target->epoch >= SLICES)
		memset(target->slices, 0, sizeof(target->slices));
	else
		for (uint64_t i = target->epoch + 1; i <= epoch; i++)
			target->slices[i % SLICES] = (struct slice){ 0 };
	target->epoch = epoch;
}

static struct slice sum_of(const struct target *target)
{
	struct slice sum = { 0 };

	for (uint32_t i = 0; i < SLICES; i++) {
		sum.n += target->slices[i].n;
		sum.n_failed += target->slices[i].n_failed;
	}
	return sum;
}

int targets_ask(const struct targets *targets, struct weir_context *context, const void *name, size_t name_bytes,
		enum target_call *ret_call)
{
	uint64_t now_ns = weir_now_ns(context);
	struct target target;
	int r = load(context, name, name_bytes, &target);

	*ret_call = TARGET_CALL;
	if (r == WEIR_OK && !target.epoch) /* a new one: if there is no room for it, the item is told now */
		return store(context, name, name_bytes, &(struct target){ .epoch = 1 });
	if (r != WEIR_OK || target.switched == CLOSED)
		return r;
	*ret_call = TARGET_NO_CALL;
	if (target.switched == OPEN && now_ns < target.until_ns)
		return WEIR_OK;
	if (target.switched == OPEN) {
		target.switched = HALF_OPEN;
		target.n_under_way = target.n_good = 0;
		weir_log(WEIR_LOG_INFO, "target '%.*s' is half-open: %u probes", (int)name_bytes, (const char *)name,
			 targets->probes);
	}
	if (target.n_under_way + target.n_good >= targets->probes)
		return WEIR_OK;
	target.n_under_way++;
	*ret_call = TARGET_PROBE;
	return store(context, name, name_bytes, &target);
}

static void open_again(const struct targets *targets, struct target *target, uint64_t now_ns)
{
	target->switched = OPEN;
	target->until_ns = now_ns + targets->open_for_ns;
}

static void note_probe(const struct targets *targets, struct target *target, const char *name, int name_bytes,
		       bool failed, uint64_t now_ns)
{
	if (target->switched != HALF_OPEN || !target->n_under_way)
		return; /* another probe of its round has failed */
	target->n_under_way--;
	if (failed) {
		open_again(targets, target, now_ns);
		weir_log(WEIR_LOG_WARNING,
			 "target '%.*s' is open again: a probe has failed; it is not called for %.1f s", name_bytes,
			 name, (double)targets->open_for_ns / NS_PER_S);
	} else if (++target->n_good >= targets->probes) {
		*target = (struct target){ .epoch = target->epoch };
		weir_log(WEIR_LOG_INFO, "target '%.*s' is closed again: %u probes went well", name_bytes, name,
			 targets->probes);
	}
}

static void note_call(const struct targets *targets, struct target *target, const char *name, int name_bytes,
		      bool failed, uint64_t now_ns)
{
	struct slice *slice = &target->slices[target->epoch % SLICES], sum;

	if (target->switched != CLOSED)
		return; /* asked before it was opened */
	slice->n++;
	slice->n_failed += failed;
	sum = sum_of(target);
	if (!failed || sum.n < targets->at_least ||
	    (uint64_t)sum.n_failed * UINT64_C(1000000000) <= targets->share * sum.n)
		return;
	open_again(targets, target, now_ns);
	memset(target->slices, 0, sizeof(target->slices));
	weir_log(WEIR_LOG_WARNING, "target '%.*s' is open: %u of %u calls have failed; it is not called for %.1f s",
		 name_bytes, name, sum.n_failed, sum.n, (double)targets->open_for_ns / NS_PER_S);
}

int targets_note(const struct targets *targets, struct weir_context *context, const void *name, size_t name_bytes,
		 bool was_probe, bool failed)
{
	uint64_t now_ns = weir_now_ns(context);
	struct target target;
	int r = load(context, name, name_bytes, &target);

	if (r != WEIR_OK)
		return r;
	slide(targets, &target, now_ns);
	if (was_probe)
		note_probe(targets, &target, name, (int)name_bytes, failed, now_ns);
	else
		note_call(targets, &target, name, (int)name_bytes, failed, now_ns);
	return store(context, name, name_bytes, &target);
}
