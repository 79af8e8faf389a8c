/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `resources` of a stage: what each of its workers may take of the machine. What can't be had here is said now: a processor that weir
 * itself may not run on, a priority that it has no right to, less memory than the stage needs for what it is told to do.
 *
 *      memory >= WORKER_BYTES + its spools, full + what it has changed of its keyed state      all in memory files of its own;
 *                             + what its own option `memory` lets an item take                 lanes are the supervisor's
 */
#include <linux/capability.h>
#include <string.h>
#include <sys/resource.h>

#include "broker/spec/memory.h"
#include "broker/spec/reading.h"
#include "common/base/privileges.h"
#include "common/base/processors.h"
#include "common/base/quantity.h"

#define MIB (UINT64_C(1) << 20)
#define WORKER_BYTES (32 * MIB) /* code, stacks, buffers of a worker that keeps nothing */

/* ---- cpus ---- */

static const struct yaml_node *word_at(const struct spec_value *value, uint32_t i)
{
	return value->node->kind == YAML_LIST ? value->node->items[i] : value->node;
}

/* The first processor of the word that weir may not run on. */
static int missing_processor(const cpu_set_t *wanted, const cpu_set_t *allowed)
{
	for (unsigned i = 0; i < CPU_SETSIZE; i++)
		if (CPU_ISSET(i, wanted) && !CPU_ISSET(i, allowed))
			return (int)i;
	return -1;
}

static bool read_word(struct reading *reading, const struct yaml_node *node, const cpu_set_t *allowed, cpu_set_t *set)
{
	_cleanup_(text_deinit) struct text there = TEXT_NULL;
	cpu_set_t wanted;
	int missing;

	CPU_ZERO(&wanted);
	if (processors_parse(node->value, &wanted) != 0) {
		reading_error(
			reading, node->position, NULL,
			"cpus '%s' is wrong: expected numbers and ranges of processors below %d, such as 2 or 0-3",
			node->value, CPU_SETSIZE);
		return false;
	}
	missing = missing_processor(&wanted, allowed);
	processors_format(allowed, &there);
	if (missing >= 0)
		reading_error(reading, node->position, NULL,
			      "cpus: there is no processor %d for weir here, which may run on %s", missing,
			      text_get(&there));
	CPU_OR(set, set, &wanted);
	return missing < 0;
}

static void read_cpus(struct reading *reading, const struct spec_value *value, struct plan_resources *resources)
{
	_cleanup_(text_deinit) struct text text = TEXT_NULL;
	cpu_set_t allowed, set;
	bool fine = true;

	if (!value->option.name)
		return;
	CPU_ZERO(&set);
	if (sched_getaffinity(0, sizeof(allowed), &allowed) != 0)
		memset(&allowed, 0xff,
		       sizeof(allowed)); /* more processors than a set has: nothing can be said of them */
	for (uint32_t i = 0; i < value->option.n_list; i++)
		fine = read_word(reading, word_at(value, i), &allowed, &set) && fine;
	processors_format(&set, &text);
	if (fine)
		resources->cpus = text_steal(&text);
}

/* ---- nice ---- */

/* RLIMIT_NICE says 20 - the least nice value that may be had. */
static bool may_be(int nice)
{
	struct rlimit limit = { 0 };

	if (nice >= getpriority(PRIO_PROCESS, 0) || privileges_have(CAP_SYS_NICE))
		return true;
	return getrlimit(RLIMIT_NICE, &limit) == 0 &&
	       (limit.rlim_cur == RLIM_INFINITY || (int)limit.rlim_cur >= 20 - nice);
}

static void read_nice(struct reading *reading, const struct spec_value *value, struct plan_resources *resources)
{
	resources->has_nice = value->option.name != NULL;
	resources->nice = (int)value_number(value, 0);
	if (resources->has_nice && !may_be(resources->nice))
		reading_error(
			reading, value_position(value, value->node->position), NULL,
			"nice %d is before weir's own %d, and weir has no right to that: it takes CAP_SYS_NICE, or "
			"LimitNICE= of its unit (ulimit -e)",
			resources->nice, getpriority(PRIO_PROCESS, 0));
}

/* ---- memory ---- */

/* What a built-in operator may take for one item: of parse a pattern alone does. What a plugin calls by that name is its own. */
static uint64_t item_bytes(const struct stage_reading *stage, const struct plan_stage *planned)
{
	const struct heritage_option *memory = stage->description ? NULL : plan_option(planned, "memory");

	if (!memory || (strcmp(planned->kind, "parse") == 0 && !plan_option(planned, "pattern")))
		return 0;
	return (uint64_t)memory->number;
}

static uint64_t needed_bytes(const struct stage_reading *stage, const struct plan_stage *planned)
{
	uint64_t bytes = WORKER_BYTES + plan_spools_bytes(planned) +
			 (planned->state_bytes ? PLAN_STATE_MEMORY_BYTES : 0) + item_bytes(stage, planned);

	return (bytes + MIB - 1) / MIB * MIB; /* what is said is enough */
}

static const char *what_takes_it(const struct stage_reading *stage, const struct plan_stage *planned)
{
	return planned->state_bytes ? "what it remembers by key" :
	       item_bytes(stage, planned) > plan_spools_bytes(planned) ?
				      "what its own 'memory' lets an item take; more memory, or less there" :
	       planned->n_spools ? "what it puts aside; more memory, or less 'spool'" :
				   "its code and buffers";
}

static void read_memory(struct reading *reading, const struct spec_value *value, const struct stage_reading *stage,
			struct plan_stage *planned)
{
	struct plan_resources *resources = &planned->resources;
	char given[QUANTITY_TEXT_SIZE], needed[QUANTITY_TEXT_SIZE];

	resources->memory_bytes = (uint64_t)value_number(value, 0);
	if (!resources->memory_bytes || !planned->kind || resources->memory_bytes >= needed_bytes(stage, planned))
		return;
	reading_error(reading, value->node->position, NULL,
		      "memory %s is not enough: a worker of this stage may need %s with %s",
		      quantity_format_size(resources->memory_bytes, given),
		      quantity_format_size(needed_bytes(stage, planned), needed), what_takes_it(stage, planned));
}

/* ---- all of it ---- */

void reading_resources(struct reading *reading, const struct stage_reading *stage, struct plan_stage *planned)
{
	const struct spec_value *value = &stage->values[STAGE_KEY_RESOURCES];
	struct spec_value values[KEYS_MAX] = { 0 };

	if (!value->node || value->node->wrong)
		return;
	if (value->node->kind != YAML_MAP) {
		reading_error(reading, value->node->position, NULL,
			      "resources wants a map such as {memory: 512MiB, cpu: 150%%}, found %s",
			      yaml_kind_name(value->node->kind));
		return;
	}
	values_read(reading, &keys_resources, value->node, NULL, false, values);
	read_cpus(reading, &values[RESOURCES_KEY_CPUS], &planned->resources);
	read_nice(reading, &values[RESOURCES_KEY_NICE], &planned->resources);
	read_memory(reading, &values[RESOURCES_KEY_MEMORY], stage, planned);
	planned->resources.cpu_billionths = (uint64_t)value_number(&values[RESOURCES_KEY_CPU], 0);
	values_deinit(values, keys_resources.n);
}
