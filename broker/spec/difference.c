/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two plans, stage by stage:
 *
 *      pipeline      drain, strategy: adjusted; name, deadline, expires, recorder: refused
 *      stages        by name, in the same order: a stage of one plan alone, or in another place, is refused
 *        members     stage_change.def says what each means
 *        options     a restart; refused where the stage's memory belongs to them (free_option.def)
 *        edges       whom it reads from and how: refused
 *      workers       what each is told (inherit.c), as a sum: whatever the tables forget is a restart; its place in memory: refused
 *
 * Where a stage stands in the file makes no difference.
 */
#include "broker/spec/difference.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "broker/spec/digest.h"
#include "broker/spec/memory.h"
#include "broker/spec/reading.h"
#include "common/base/cleanup.h"
#include "common/base/error.h"
#include "common/base/quantity.h"
#include "common/stage/registry.h"

enum effect { ADJUST, RESTART, REFUSED };
enum value_type { NUMBER, SIGNED, SIZE, SHARE, DURATION, STRING };

/* ---- words ---- */

static void add_number(enum value_type type, uint64_t number, struct text *text)
{
	char buffer[QUANTITY_TEXT_SIZE];

	switch (type) {
	case SIZE:
		text_add(text, quantity_format_size(number, buffer));
		return;
	case DURATION:
		text_add(text, number ? quantity_format_duration(number, buffer) : "none");
		return;
	case SIGNED:
		text_printf(text, "%" PRId64, (int64_t)number);
		return;
	case SHARE:
		if (number)
			text_printf(text, "%g%%", (double)number / 1e7);
		else
			text_add(text, "none");
		return;
	default:
		text_printf(text, "%" PRIu64, number);
	}
}

static void add_string(const char *string, struct text *text)
{
	if (string)
		text_add_json(text, string, strlen(string));
	else
		text_add(text, "none");
}

static void add_option_value(const struct plan_stage *stage, const struct heritage_option *option, struct text *text)
{
	const struct weir_stage *kind = stage->plugin ? NULL : stage_descriptor_find(stage->role, stage->kind);
	enum value_type type = NUMBER;

	if (!option) {
		text_add(text, "none");
		return;
	}
	for (size_t i = 0; kind && i < kind->n_options; i++)
		if (strcmp(kind->options[i].name, option->name) == 0)
			type = kind->options[i].type == WEIR_TYPE_DURATION ? DURATION :
			       kind->options[i].type == WEIR_TYPE_SIZE     ? SIZE :
									     NUMBER;
	if (option->type == HERITAGE_NUMBER)
		add_number(type, (uint64_t)option->number, text);
	else if (option->type == HERITAGE_STRING)
		add_string(option->string, text);
	for (uint32_t i = 0; option->type == HERITAGE_LIST && i < option->n_list; i++) {
		text_add(text, i ? " " : "");
		add_string(option->list[i], text);
	}
}

/* One more thing that is different, and what follows. */
static void note(struct stage_difference *one, enum effect effect, const char *name)
{
	if (effect == REFUSED)
		one->verdict = DIFFERENCE_REFUSED;
	else if (effect == RESTART && one->verdict == DIFFERENCE_KEEP)
		one->verdict = DIFFERENCE_RESTART;
	text_printf(&one->what, "%s%s", one->what.length ? "; " : "", name);
}

static void compare_numbers(struct stage_difference *one, enum effect effect, enum value_type type, const char *name,
			    uint64_t old, uint64_t new)
{
	if (old == new)
		return;
	note(one, effect, name);
	text_add(&one->what, ": ");
	add_number(type, old, &one->what);
	text_add(&one->what, " -> ");
	add_number(type, new, &one->what);
}

static bool same_string(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

static void compare_strings(struct stage_difference *one, enum effect effect, const char *name, const char *old,
			    const char *new)
{
	if (same_string(old, new))
		return;
	note(one, effect, name);
	text_add(&one->what, ": ");
	add_string(old, &one->what);
	text_add(&one->what, " -> ");
	add_string(new, &one->what);
}

/* ---- options ---- */

static bool same_option(const struct heritage_option *a, const struct heritage_option *b)
{
	if (!a || !b || a->type != b->type || a->number != b->number || !same_string(a->string, b->string) ||
	    a->n_list != b->n_list)
		return !a && !b;
	for (uint32_t i = 0; i < a->n_list; i++)
		if (!same_string(a->list[i], b->list[i]))
			return false;
	return true;
}

/* What its memory means does not hang on this option. A plugin's may: nobody but the plugin knows. */
static bool is_free(const struct plan_stage *stage, const char *option)
{
	static const struct {
		enum weir_role role;
		const char *kind, *option;
	} free_options[] = {
#define FREE(role_, kind_, option_) { role_, kind_, option_ },
#include "broker/spec/free_option.def"
#undef FREE
	};

	if (!stage->cursor_size_bytes && !stage->state_bytes)
		return true;
	for (size_t i = 0; !stage->plugin && i < sizeof(free_options) / sizeof(free_options[0]); i++)
		if (free_options[i].role == stage->role && strcmp(free_options[i].kind, stage->kind) == 0 &&
		    strcmp(free_options[i].option, option) == 0)
			return true;
	return false;
}

/* The kind has an option of that name. */
static bool plan_declares(const struct plan_stage *stage, const char *option)
{
	const struct weir_stage *kind = stage_descriptor_find(stage->role, stage->kind);

	for (size_t i = 0; kind && i < kind->n_options; i++)
		if (strcmp(kind->options[i].name, option) == 0)
			return true;
	return false;
}

/* Stages that look after their time themselves are told it as options. */
static bool is_member_too(const struct plan_stage *stage, const char *option)
{
	return !stage->plugin &&
	       (strcmp(option, "deadline") == 0 || strcmp(option, "grace") == 0 || strcmp(option, "attempts") == 0) &&
	       !plan_declares(stage, option);
}

static void compare_option(struct stage_difference *one, const struct plan_stage *old, const struct plan_stage *new,
			   const char *name)
{
	const struct heritage_option *before = plan_option(old, name), *after = plan_option(new, name);

	if (same_option(before, after))
		return;
	if (is_member_too(old, name)) { /* stage_change.def has spoken of it */
		if (one->verdict == DIFFERENCE_KEEP)
			one->verdict = DIFFERENCE_RESTART;
		return;
	}
	note(one, is_free(old, name) ? RESTART : REFUSED, name);
	text_add(&one->what, ": ");
	add_option_value(old, before, &one->what);
	text_add(&one->what, " -> ");
	add_option_value(new, after, &one->what);
	if (!is_free(old, name))
		text_add(&one->what, " (the stage's position belongs to it)");
}

static void compare_options(struct stage_difference *one, const struct plan_stage *old, const struct plan_stage *new)
{
	for (uint32_t i = 0; i < new->n_options; i++)
		compare_option(one, old, new, new->options[i].name);
	for (uint32_t i = 0; i < old->n_options; i++)
		if (!plan_option(new, old->options[i].name))
			compare_option(one, old, new, old->options[i].name);
}

/* ---- stages ---- */

static void compare_members(struct stage_difference *one, const struct plan_stage *old, const struct plan_stage *new)
{
#define COMPARE_NUMBER(member_, name_, effect_) \
	compare_numbers(one, effect_, NUMBER, name_, (uint64_t)old->member_, (uint64_t) new->member_)
#define COMPARE_SIZE(member_, name_, effect_) compare_numbers(one, effect_, SIZE, name_, old->member_, new->member_)
#define COMPARE_SIGNED(member_, name_, effect_) \
	compare_numbers(one, effect_, SIGNED, name_, (uint64_t)(int64_t)old->member_, (uint64_t)(int64_t) new->member_)
#define COMPARE_SHARE(member_, name_, effect_) compare_numbers(one, effect_, SHARE, name_, old->member_, new->member_)
#define COMPARE_DURATION(member_, name_, effect_) \
	compare_numbers(one, effect_, DURATION, name_, old->member_, new->member_)
#define COMPARE_STRING(member_, name_, effect_) compare_strings(one, effect_, name_, old->member_, new->member_)
#define CHANGE(member_, type_, name_, effect_) COMPARE_##type_(member_, name_, effect_);
#include "broker/spec/stage_change.def"
#undef CHANGE
	if (!old->plugin != !new->plugin)
		one->verdict = DIFFERENCE_REFUSED;
}

static bool same_edge(const struct plan *old, const struct plan_edge *a, const struct plan *new,
		      const struct plan_edge *b)
{
	return strcmp(old->stages[a->from].name, new->stages[b->from].name) == 0 && a->order == b->order &&
	       a->merge == b->merge && a->references == b->references && a->run_bytes == b->run_bytes &&
	       a->run_records == b->run_records && a->run_wait_ns == b->run_wait_ns && a->names == b->names &&
	       a->feedback == b->feedback && a->credit == b->credit && a->lane_bytes == b->lane_bytes;
}

static void compare_edges(struct stage_difference *one, const struct plan *old, const struct plan_stage *before,
			  const struct plan *new, const struct plan_stage *after)
{
	for (uint32_t i = 0; i < before->n_inputs && i < after->n_inputs; i++)
		if (!same_edge(old, &old->edges[before->inputs[i]], new, &new->edges[after->inputs[i]])) {
			note(one, REFUSED, "from: whom it reads from, or how items are dealt out to it");
			return;
		}
}

/* What the first of its workers is told, without where that stands in the spec. Returns 0 or -errno. */
static int sum_up(const struct plan *plan, const struct plan_stage *stage, char sum[static DIGEST_TEXT_SIZE])
{
	_cleanup_(free) char *bytes = NULL;
	struct heritage heritage;
	size_t size_bytes;
	int r = plan_heritage(plan, stage->first_slot, &heritage);

	if (r < 0)
		return error_trace(r);
	for (uint32_t i = 0; i < heritage.n_options; i++)
		heritage.options[i].line = heritage.options[i].column = 0;
	free(heritage.spec);
	heritage.spec = spec_strdup("");
	heritage.control_endpoint = spec_strdup("");
	r = heritage_bytes(&heritage, &bytes, &size_bytes);
	if (r == 0)
		digest_bytes(bytes, size_bytes, sum);
	heritage_deinit(&heritage);
	return error_trace(r);
}

static int compare_workers(struct stage_difference *one, const struct plan *old, const struct plan_stage *before,
			   const struct plan *new, const struct plan_stage *after)
{
	char old_sum[DIGEST_TEXT_SIZE], new_sum[DIGEST_TEXT_SIZE];
	int r;

	if (before->first_slot != after->first_slot ||
	    memcmp(&old->slots[before->first_slot].geometry, &new->slots[after->first_slot].geometry,
		   sizeof(struct segment_geometry)) != 0) {
		if (one->verdict != DIFFERENCE_REFUSED)
			note(one, REFUSED, "its place in memory");
		return 0;
	}
	r = sum_up(old, before, old_sum);
	if (r == 0)
		r = sum_up(new, after, new_sum);
	if (r == 0 && one->verdict == DIFFERENCE_KEEP && strcmp(old_sum, new_sum) != 0)
		note(one, RESTART, "what its workers are told");
	return error_trace(r);
}

/* ---- all of it ---- */

static struct stage_difference *add(struct difference *difference, const char *name)
{
	struct stage_difference *one;

	difference->list = reallocarray(difference->list, difference->n + 1, sizeof(*difference->list));
	must(difference->list);
	one = &difference->list[difference->n++];
	*one = (struct stage_difference){ .name = name ? spec_strdup(name) : NULL };
	return one;
}

static void compare_pipelines(struct difference *difference, const struct plan *old, const struct plan *new)
{
	struct stage_difference *one = add(difference, NULL);

	compare_strings(one, REFUSED, "pipeline", old->pipeline, new->pipeline);
	compare_numbers(one, REFUSED, DURATION, "deadline", old->deadline_ns, new->deadline_ns);
	compare_numbers(one, REFUSED, DURATION, "expires", old->expires_ns, new->expires_ns);
	compare_numbers(one, REFUSED, NUMBER, "recorder", !old->unrecorded, !new->unrecorded);
	compare_numbers(one, ADJUST, DURATION, "drain", old->drain_ns, new->drain_ns);
	compare_numbers(one, ADJUST, NUMBER, "restart: strategy", old->strategy, new->strategy);
}

/* The i-th of the new plan. */
static int compare_stage(struct difference *difference, const struct plan *old, const struct plan *new, uint32_t i)
{
	const struct plan_stage *after = &new->stages[i], *before;
	struct stage_difference *one = add(difference, after->name);
	uint32_t number;
	int r = 0;

	before = plan_find_stage(old, after->name, &number);
	if (!before) {
		one->verdict = DIFFERENCE_ADD;
		return 0;
	}
	if (old->n_stages == new->n_stages && number != i)
		note(one, REFUSED, "its place among the stages");
	compare_members(one, before, after);
	compare_options(one, before, after);
	compare_edges(one, old, before, new, after);
	if (old->n_stages == new->n_stages)
		r = compare_workers(one, old, before, new, after);
	difference->restarts[i] = one->verdict == DIFFERENCE_RESTART;
	difference->n_restart += difference->restarts[i];
	return r;
}

int difference_of(const struct plan *old, const struct plan *new, struct difference *ret_difference)
{
	uint32_t number;
	int r = 0;

	*ret_difference = (struct difference){ .restarts = spec_alloc(new->n_stages, sizeof(bool)) };
	compare_pipelines(ret_difference, old, new);
	for (uint32_t i = 0; r == 0 && i < new->n_stages; i++)
		r = compare_stage(ret_difference, old, new, i);
	for (uint32_t i = 0; i < old->n_stages; i++)
		if (!plan_find_stage(new, old->stages[i].name, &number))
			add(ret_difference, old->stages[i].name)->verdict = DIFFERENCE_REMOVE;
	for (size_t i = 0; i < ret_difference->n; i++) {
		const struct stage_difference *one = &ret_difference->list[i];

		ret_difference->refused = ret_difference->refused || one->verdict > DIFFERENCE_RESTART;
		ret_difference->changed = ret_difference->changed || one->verdict || one->what.length;
	}
	return error_trace(r);
}

void difference_deinit(struct difference *difference)
{
	for (size_t i = 0; i < difference->n; i++) {
		free(difference->list[i].name);
		text_deinit(&difference->list[i].what);
	}
	free(difference->list);
	free(difference->restarts);
	*difference = (struct difference)DIFFERENCE_NULL;
}

const char *difference_verdict_name(enum difference_verdict verdict)
{
	static const char *const names[] = { "keep", "restart", "add", "remove", "refused" };

	return names[verdict];
}

void difference_format(const struct difference *difference, struct text *ret_text)
{
	for (size_t i = 0; i < difference->n; i++) {
		const struct stage_difference *one = &difference->list[i];

		if (!one->name && !one->what.length)
			continue;
		text_printf(ret_text, "%-8s %s%s%s\n", difference_verdict_name(one->verdict),
			    one->name ? one->name : "the pipeline", one->what.length ? ": " : "", text_get(&one->what));
	}
}

void difference_format_json(const struct difference *difference, struct text *ret_text)
{
	text_add_char(ret_text, '[');
	for (size_t i = 0; i < difference->n; i++) {
		const struct stage_difference *one = &difference->list[i];

		text_add(ret_text, i ? ",{\"stage\":" : "{\"stage\":");
		if (one->name)
			text_add_json(ret_text, one->name, strlen(one->name));
		else
			text_add(ret_text, "null");
		text_printf(ret_text, ",\"verdict\":\"%s\",\"what\":", difference_verdict_name(one->verdict));
		text_add_json(ret_text, text_get(&one->what), one->what.length);
		text_add_char(ret_text, '}');
	}
	text_add_char(ret_text, ']');
}

void plan_exchange(struct plan *running, struct plan *other)
{
	uint64_t drain_ns = running->drain_ns;
	char *path = running->spec_path;
	enum plan_strategy strategy = running->strategy;

	must(running->n_stages == other->n_stages);
	for (uint32_t i = 0; i < running->n_stages; i++) {
		struct plan_stage stage = running->stages[i];

		running->stages[i] = other->stages[i];
		other->stages[i] = stage;
		/* The same letters: who has kept the pointer may keep it. */
		other->stages[i].name = running->stages[i].name;
		running->stages[i].name = stage.name;
	}
	running->spec_path = other->spec_path;
	other->spec_path = path;
	running->drain_ns = other->drain_ns;
	running->strategy = other->strategy;
	other->drain_ns = drain_ns;
	other->strategy = strategy;
}
