/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A pattern that backtracks can take for ever over a text of a hundred bytes. PCRE2 counts its steps and gives up at a limit, and the time
 * that a step takes is not known before: of compiled code (JIT) one may be a search through the whole text. So a match begins with few
 * steps, which is enough for all but a few texts; who needs more begins again with as many as the time that is left is good for, by what
 * the last ones took:
 *
 *      20,000 steps --limit--> 8 times as many, or what is left of the time --limit--> ... --> n_steps_max, or the deadline
 *
 * Over megabytes even the first ones may take too long. That is what the guard around a match is for. Where memory for code is refused, as
 * by systemd's MemoryDenyWriteExecute, patterns are matched without it.
 */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "worker/script/regex_program.h"

#include <errno.h>
#include <msgpack/pack.h>
#include <pcre2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/budget.h>

#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/base/must.h"
#include "common/base/text.h"

#define STEPS_FIRST 20000u /* for a text of so many bytes ... */
#define STEPS_FIRST_BYTES 4096u
#define STEPS_FIRST_MIN 1000u /* ... and for one of any length */
#define STEPS_TIMES 8u
#define JIT_STACK_MIN 32768u
#define JIT_STACK_MAX 1048576u

struct group {
	char *name;        /* owned */
	uint32_t *numbers; /* owned; several groups of one name: the first that took part counts */
	uint32_t n;
};

struct regex_program {
	pcre2_code *code;
	pcre2_match_context *context;
	pcre2_match_data *data;
	pcre2_jit_stack *stack;
	struct group *groups;
	uint32_t n_groups;
	uint32_t n_steps_max;
	size_t size_max;
	int complaint;
};

/* ---- compiling ---- */

static uint32_t line_of(const char *pattern, size_t offset)
{
	uint32_t line = 1;

	for (size_t i = 0; i < offset && pattern[i]; i++)
		line += pattern[i] == '\n';
	return line;
}

static int compile(struct regex_program *program, const struct regex_settings *settings, struct regex_fault *fault)
{
	char message[200];
	size_t offset = 0;
	int code;

	program->code = pcre2_compile((PCRE2_SPTR)settings->pattern, PCRE2_ZERO_TERMINATED,
				      PCRE2_UTF | PCRE2_NEVER_BACKSLASH_C, &code, &offset, NULL);
	if (program->code)
		return 0;
	if (code == PCRE2_ERROR_NOMEMORY)
		return error_origin(-ENOMEM);
	pcre2_get_error_message(code, (PCRE2_UCHAR *)message, sizeof(message));
	snprintf(fault->why, sizeof(fault->why), "%s, at byte %zu", message, offset + 1);
	fault->line = line_of(settings->pattern, offset);
	return -EINVAL;
}

/* An entry of PCRE2's table: two bytes of a number, then the name. */
static void add_group(struct regex_program *program, const unsigned char *entry)
{
	const char *name = (const char *)entry + 2;
	struct group *group = program->groups;

	while (group < program->groups + program->n_groups && strcmp(group->name, name) != 0)
		group++;
	if (group == program->groups + program->n_groups) {
		program->n_groups++;
		*group = (struct group){ .name = strdup(name) };
		must(group->name);
	}
	group->numbers = reallocarray(group->numbers, group->n + 1, sizeof(*group->numbers));
	must(group->numbers);
	group->numbers[group->n++] = (uint32_t)entry[0] << 8 | entry[1];
}

static int compare_groups(const void *a, const void *b)
{
	const struct group *one = a, *other = b;

	return one->numbers[0] < other->numbers[0] ? -1 : one->numbers[0] > other->numbers[0];
}

/* PCRE2's table is sorted by name, and of one name by number. */
static int find_groups(struct regex_program *program, struct regex_fault *fault)
{
	const unsigned char *table = NULL;
	uint32_t n = 0, entry_bytes = 0;

	pcre2_pattern_info(program->code, PCRE2_INFO_NAMECOUNT, &n);
	pcre2_pattern_info(program->code, PCRE2_INFO_NAMEENTRYSIZE, &entry_bytes);
	pcre2_pattern_info(program->code, PCRE2_INFO_NAMETABLE, &table);
	if (!n) {
		snprintf(fault->why, sizeof(fault->why),
			 "it has no group with a name, so nothing could come of it: (?<name>...)");
		return -EINVAL;
	}
	program->groups = calloc(n, sizeof(*program->groups));
	must(program->groups);
	for (uint32_t i = 0; i < n; i++)
		add_group(program, table + (size_t)i * entry_bytes);
	qsort(program->groups, program->n_groups, sizeof(*program->groups), compare_groups);
	return 0;
}

/* Without compiled code it works as well. */
static int prepare(struct regex_program *program, const struct regex_settings *settings)
{
	program->n_steps_max = settings->n_steps_max;
	program->size_max = settings->size_max;
	program->context = pcre2_match_context_create(NULL);
	program->data = pcre2_match_data_create_from_pattern(program->code, NULL);
	if (!program->context || !program->data)
		return error_origin(-ENOMEM);
	pcre2_set_heap_limit(program->context, (uint32_t)(settings->memory_bytes / 1024));
	if (pcre2_jit_compile(program->code, PCRE2_JIT_COMPLETE) == 0)
		program->stack = pcre2_jit_stack_create(JIT_STACK_MIN, JIT_STACK_MAX, NULL);
	if (program->stack)
		pcre2_jit_stack_assign(program->context, NULL, program->stack);
	return 0;
}

int regex_program_new(const struct regex_settings *settings, struct regex_program **ret_program,
		      struct regex_fault *fault)
{
	struct regex_program *program = calloc(1, sizeof(*program));
	int r;

	must(program);
	*fault = (struct regex_fault){ .line = 0 };
	r = compile(program, settings, fault);
	if (r == 0)
		r = find_groups(program, fault);
	if (r == 0)
		r = prepare(program, settings);
	if (r == 0)
		*ret_program = program;
	else
		regex_program_free(program);
	return r;
}

void regex_program_free(struct regex_program *program)
{
	if (!program)
		return;
	for (uint32_t i = 0; i < program->n_groups; i++) {
		free(program->groups[i].name);
		free(program->groups[i].numbers);
	}
	free(program->groups);
	pcre2_jit_stack_free(program->stack);
	pcre2_match_data_free(program->data);
	pcre2_match_context_free(program->context);
	pcre2_code_free(program->code);
	free(program);
}

const char *regex_program_name(const struct regex_program *program, uint32_t i)
{
	return i < program->n_groups ? program->groups[i].name : NULL;
}

const char *regex_program_complaint(const struct regex_program *program)
{
	static char message[200];

	if (pcre2_get_error_message(program->complaint, (PCRE2_UCHAR *)message, sizeof(message)) < 0)
		return "an error without a name";
	return message;
}

/* ---- matching ---- */

static uint32_t first_steps(const struct regex_program *program, size_t size_bytes)
{
	size_t n_steps = (size_t)STEPS_FIRST * STEPS_FIRST_BYTES / (size_bytes ? size_bytes : 1);

	n_steps = n_steps < STEPS_FIRST ? n_steps : STEPS_FIRST;
	n_steps = n_steps > STEPS_FIRST_MIN ? n_steps : STEPS_FIRST_MIN;
	return n_steps < program->n_steps_max ? (uint32_t)n_steps : program->n_steps_max;
}

/* With at most so many steps. What overflows the stack of compiled code is done without it. */
static int try(struct regex_program *program, const char *text, size_t size_bytes, uint32_t n_steps)
{
	int r;

	pcre2_set_match_limit(program->context, n_steps);
	r = pcre2_match(program->code, (PCRE2_SPTR)text, size_bytes, 0, PCRE2_NO_UTF_CHECK, program->data,
			program->context);
	if (r == PCRE2_ERROR_JIT_STACKLIMIT)
		r = pcre2_match(program->code, (PCRE2_SPTR)text, size_bytes, 0, PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT,
				program->data, program->context);
	return r;
}

/* After n_steps that took so long, and were too few. 0: there is no time for more. */
static uint32_t next_steps(const struct regex_program *program, uint32_t n_steps, uint64_t took_ns, uint64_t left_ns)
{
	double by_time = (double)n_steps * (double)left_ns / (double)(took_ns ? took_ns : 1);
	uint64_t next = (uint64_t)n_steps * STEPS_TIMES;

	if (left_ns != UINT64_MAX && by_time < (double)next)
		next = (uint64_t)by_time;
	if (next <= n_steps)
		return 0;
	return next < program->n_steps_max ? (uint32_t)next : program->n_steps_max;
}

/* The first steps were too few. Returns 0 with what PCRE2 said at last, or REGEX_E_DEADLINE or REGEX_E_CANCELLED. */
static int try_longer(struct regex_program *program, struct weir_context *context, struct guard *guard,
		      const char *text, size_t size_bytes, int *ret_said)
{
	uint64_t deadline_ns = weir_budget_of(context).deadline_ns, took_ns = 0;
	uint32_t n_steps = first_steps(program, size_bytes);

	while (*ret_said == PCRE2_ERROR_MATCHLIMIT && n_steps < program->n_steps_max) {
		enum guard_verdict verdict = guard_look(guard);
		uint64_t now_ns = clock_now_ns();
		uint64_t left_ns = deadline_ns == WEIR_FOREVER ? UINT64_MAX :
				   deadline_ns > now_ns        ? deadline_ns - now_ns :
								 0;

		if (verdict == GUARD_CANCELLED)
			return REGEX_E_CANCELLED;
		n_steps = verdict == GUARD_NONE ? next_steps(program, n_steps, took_ns, left_ns) : 0;
		if (!n_steps)
			return REGEX_E_DEADLINE;
		*ret_said = try(program, text, size_bytes, n_steps);
		took_ns = clock_now_ns() - now_ns;
	}
	return 0;
}

static int match_bounded(struct regex_program *program, struct weir_context *context, struct guard *guard,
			 const char *text, size_t size_bytes)
{
	int said = try(program, text, size_bytes, first_steps(program, size_bytes)), r = 0;

	if (said == PCRE2_ERROR_MATCHLIMIT)
		r = try_longer(program, context, guard, text, size_bytes, &said);
	if (r != 0 || said > 0)
		return r;
	program->complaint = said;
	switch (said) {
	case PCRE2_ERROR_NOMATCH:
		return REGEX_E_NO_MATCH;
	case PCRE2_ERROR_MATCHLIMIT:
		return REGEX_E_STEPS;
	case PCRE2_ERROR_HEAPLIMIT:
	case PCRE2_ERROR_DEPTHLIMIT:
	case PCRE2_ERROR_NOMEMORY:
		return REGEX_E_MEMORY;
	default:
		return REGEX_E_INSIDE;
	}
}

/* The pair of offsets of the first group of that name that took part; NULL: none did. */
static const PCRE2_SIZE *taken_part(const struct group *group, const PCRE2_SIZE *offsets, uint32_t n_offsets)
{
	for (uint32_t i = 0; i < group->n; i++)
		if (group->numbers[i] < n_offsets && offsets[(size_t)2 * group->numbers[i]] != PCRE2_UNSET)
			return &offsets[(size_t)2 * group->numbers[i]];
	return NULL;
}

static int write_group(msgpack_packer *packer, const struct group *group, const char *data, size_t size_bytes)
{
	int r = msgpack_pack_str_with_body(packer, group->name, strlen(group->name));

	return r == 0 ? msgpack_pack_str_with_body(packer, data, size_bytes) : r;
}

/* Groups within each other come to more than the text. */
static int write_groups(const struct regex_program *program, const char *text, msgpack_sbuffer *ret)
{
	const PCRE2_SIZE *offsets = pcre2_get_ovector_pointer(program->data), *part;
	uint32_t n_offsets = pcre2_get_ovector_count(program->data), n = 0;
	msgpack_packer packer;
	size_t size = 0;
	int r;

	for (uint32_t i = 0; i < program->n_groups; i++) {
		part = taken_part(&program->groups[i], offsets, n_offsets);
		size += part ? part[1] - part[0] : 0;
		n += part != NULL;
	}
	if (size > program->size_max)
		return REGEX_E_SIZE;
	msgpack_packer_init(&packer, ret, msgpack_sbuffer_write);
	r = msgpack_pack_map(&packer, n);
	for (uint32_t i = 0; r == 0 && i < program->n_groups; i++) {
		part = taken_part(&program->groups[i], offsets, n_offsets);
		if (part)
			r = write_group(&packer, &program->groups[i], text + part[0], part[1] - part[0]);
	}
	return r == 0 ? 0 : error_origin(-ENOMEM);
}

int regex_program_match(struct regex_program *program, struct weir_context *context, struct guard *guard,
			const char *text, size_t size_bytes, msgpack_sbuffer *ret)
{
	int r;

	if (!text_is_utf8(text, size_bytes))
		return REGEX_E_TEXT;
	r = match_bounded(program, context, guard, text, size_bytes);
	return r == 0 ? write_groups(program, text, ret) : r;
}
