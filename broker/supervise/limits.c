/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a worker may take of the machine, from the spec to the child that becomes it:
 *
 *                 with control groups (delegated)         without
 *      cpus       sched_setaffinity(2)                    the same
 *      nice       setpriority(2) and cpu.weight.nice      setpriority(2)
 *      memory     memory.max: it and its programs         RLIMIT_DATA: of each process, what no other one shares
 *      cpu        cpu.max: it and its programs            not in force, and that is said
 *
 * Lanes are the supervisor's, who allocates them: no worker is charged for what its neighbours send. RLIMIT_DATA and not RLIMIT_AS, as each
 * maps the lanes of others, twice.
 *
 * Control groups are looked for before the first fork by a plan some of whose stages want one of the last two, whichever is forked first:
 * whoever is forked before that is in weir's own group, and has to be moved. A pipeline without any leaves this process where it is.
 * What one controller can't do the table's right side does.
 */
#include "broker/supervise/limits.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "broker/supervise/spawn_child.h"
#include "broker/supervise/supervisor_priv.h"
#include "common/base/cleanup.h"
#include "common/base/must.h"
#include "common/base/processors.h"
#include "common/base/quantity.h"

#define GROUP_NAME_SIZE 160u

static unsigned wanted_by(const struct plan_resources *resources)
{
	return (resources->memory_bytes ? CGROUP_MEMORY : 0) | (resources->cpu_billionths ? CGROUP_CPU : 0);
}

static unsigned wanted_by_plan(const struct plan *plan)
{
	unsigned wanted = 0;

	for (uint32_t i = 0; i < plan->n_stages; i++)
		wanted |= wanted_by(&plan->stages[i].resources);
	return wanted;
}

/* ---- what there is ---- */

static void open_tree(struct supervisor *supervisor)
{
	struct limits *limits = &supervisor->limits;

	text_clear(&limits->none);
	if (!limits->place.mount &&
	    cgroup_find("/proc/self/mountinfo", "/proc/self/cgroup", &limits->place, &limits->none) != 0)
		return;
	if (cgroup_tree_open(&limits->place, supervisor->plan->pipeline, (int)supervisor->pid, limits->wanted,
			     &limits->tree, &limits->none) == 0)
		supervisor_log(supervisor, WEIR_LOG_DEBUG, "workers have control groups below %s", limits->place.own);
}

/* A reload may want a controller that nobody has wanted before: groups that are there stay without it. */
static void want(struct supervisor *supervisor, unsigned wanted)
{
	struct limits *limits = &supervisor->limits;

	if (!(wanted & ~limits->wanted))
		return;
	limits->wanted |= wanted;
	if (limits->tree.fd < 0)
		open_tree(supervisor);
	else
		cgroup_tree_widen(&limits->tree, limits->wanted);
}

/* ---- what is said of it ---- */

static void add_memory(const struct supervisor *supervisor, const struct plan_resources *resources, struct text *text)
{
	char memory[QUANTITY_TEXT_SIZE];

	if (!resources->memory_bytes)
		return;
	text_printf(text, "%smemory %s by %s", text->length ? ", " : "",
		    quantity_format_size(resources->memory_bytes, memory),
		    supervisor->limits.tree.has & CGROUP_MEMORY ?
			    "its control group" :
			    "RLIMIT_DATA (each process by itself, without what it shares)");
}

static void add_cpu(const struct supervisor *supervisor, const struct plan_resources *resources, struct text *text)
{
	if (resources->cpu_billionths)
		text_printf(text, "%scpu %g%% %s", text->length ? ", " : "", (double)resources->cpu_billionths / 1e7,
			    supervisor->limits.tree.has & CGROUP_CPU ? "by its control group" : "NOT in force");
}

static void say(const struct seat *seat, const struct plan_resources *resources)
{
	const struct supervisor *supervisor = seat->supervisor;
	struct stage_watch *watch = &supervisor->stages[seat->stage_number];
	_cleanup_(text_deinit) struct text text = TEXT_NULL;
	bool lacks = wanted_by(resources) & ~supervisor->limits.tree.has;

	if (resources->cpus)
		text_printf(&text, "cpus %s", resources->cpus);
	if (resources->has_nice)
		text_printf(&text, "%snice %d", text.length ? ", " : "", resources->nice);
	add_memory(supervisor, resources, &text);
	add_cpu(supervisor, resources, &text);
	if (lacks)
		text_printf(&text, "; %s",
			    supervisor->limits.none.length ? text_get(&supervisor->limits.none) :
							     "its control group has no controller for that");
	if (watch->resources && strcmp(watch->resources, text_get(&text)) == 0)
		return;
	stage_log(watch,
		  wanted_by(resources) & CGROUP_CPU & ~supervisor->limits.tree.has ? WEIR_LOG_WARNING : WEIR_LOG_INFO,
		  "resources of each worker: %s", text_get(&text));
	free(watch->resources);
	watch->resources = text_steal(&text);
}

/* ---- one worker ---- */

static void name_of(const struct seat *seat, uint32_t group, char name[static GROUP_NAME_SIZE])
{
	snprintf(name, GROUP_NAME_SIZE, "%.64s.%u.%u", seat->stage->name, seat->worker_index, group);
}

/* Returns its number; 0: it has none, and what takes its place is in force. */
static uint32_t make_group(const struct seat *seat, const struct plan_resources *resources, struct spawn_order *order)
{
	struct limits *limits = &seat->supervisor->limits;
	const struct cgroup_limits wanted = { .memory_bytes = resources->memory_bytes,
					      .cpu_billionths = resources->cpu_billionths,
					      .has_nice = resources->has_nice,
					      .nice = resources->nice };
	_cleanup_(text_deinit) struct text why = TEXT_NULL;
	char name[GROUP_NAME_SIZE];

	if (!(wanted_by(resources) & limits->tree.has))
		return 0;
	name_of(seat, limits->n_made + 1, name);
	if (cgroup_make(&limits->tree, name, &wanted, &order->group_fd, &why) == 0)
		return ++limits->n_made;
	seat_log(seat, WEIR_LOG_WARNING, "resources: this worker is without a control group: %s", text_get(&why));
	return 0;
}

uint32_t limits_of_newborn(const struct seat *seat, const struct plan *plan, struct spawn_order *order)
{
	const struct plan_resources *resources = &plan->stages[seat->stage_number].resources;
	uint32_t group;

	want(seat->supervisor, wanted_by_plan(plan));
	if (!resources->cpus && !resources->has_nice && !wanted_by(resources))
		return 0;
	say(seat, resources);
	group = make_group(seat, resources, order);
	if (resources->cpus) {
		CPU_ZERO(&order->processors);
		must(processors_parse(resources->cpus, &order->processors) == 0);
		order->has_processors = true;
	}
	order->has_nice = resources->has_nice;
	order->nice = resources->nice;
	if (!group || !(seat->supervisor->limits.tree.has & CGROUP_MEMORY))
		order->data_bytes = resources->memory_bytes;
	return group;
}

void limits_forked(struct spawn_order *order)
{
	order->group_fd = fd_close(order->group_fd);
}

uint64_t limits_oom_kills(const struct seat *seat, uint32_t group)
{
	char name[GROUP_NAME_SIZE];

	if (!group)
		return 0;
	name_of(seat, group, name);
	return cgroup_oom_kills(&seat->supervisor->limits.tree, name);
}

void limits_forget(const struct seat *seat, uint32_t group)
{
	char name[GROUP_NAME_SIZE];

	if (!group)
		return;
	name_of(seat, group, name);
	cgroup_remove(&seat->supervisor->limits.tree, name);
}

void limits_close(struct supervisor *supervisor)
{
	struct limits *limits = &supervisor->limits;

	for (uint32_t i = 0; supervisor->stages && i < supervisor->plan->n_stages; i++)
		free(supervisor->stages[i].resources);
	cgroup_tree_close(&limits->tree, (int)supervisor->pid);
	free(limits->place.mount);
	free(limits->place.own);
	text_deinit(&limits->none);
	*limits = (struct limits)LIMITS_NULL;
}
