/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/supervise/stall_report.h"

#include <inttypes.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/quantity.h"
#include "common/memory/segment_layout.h"

static const struct kind_line {
	const char *name;
	bool deadlock;
	const char *advice;
} kinds[] = {
#define STALL_KIND(id_, name_, deadlock_, advice_) { name_, deadlock_, advice_ },
#include "broker/supervise/stall_kind.def"
#undef STALL_KIND
};

const char *stall_kind_name(enum stall_kind kind)
{
	return kinds[kind].name;
}

bool stall_kind_is_deadlock(enum stall_kind kind)
{
	return kinds[kind].deadlock;
}

const char *stall_kind_advice(enum stall_kind kind)
{
	return kinds[kind].advice;
}

/* ---- who ---- */

void stall_name(const struct stall_topology *topology, uint32_t worker, struct text *text)
{
	text_printf(text, "%s#%" PRIu32, topology->seats[worker].stage, topology->seats[worker].index);
}

static void add_who(const struct stall_topology *topology, const struct stall_snapshot *snapshot, uint32_t worker,
		    struct text *text)
{
	stall_name(topology, worker, text);
	if (snapshot->workers[worker].pid > 0)
		text_printf(text, " (pid %d)", (int)snapshot->workers[worker].pid);
}

static void add_for(uint64_t since_ns, uint64_t now_ns, struct text *text)
{
	char duration[QUANTITY_TEXT_SIZE];

	text_printf(text, " for %s", quantity_format_duration(now_ns > since_ns ? now_ns - since_ns : 0, duration));
}

/* ---- what it waits for ---- */

static const char *wait_words(uint32_t waits_for)
{
	if (waits_for & WAIT_FOR_STORE)
		return "waits for the dead letters, into which writes";
	if (waits_for & WAIT_FOR_DUE)
		return "waits for the time of its next item, which it has postponed (its rate, its delay)";
	if (waits_for & WAIT_FOR_CREDIT)
		return "waits for credit from";
	if (waits_for & WAIT_FOR_COMMIT)
		return "waits for the commit of";
	if (waits_for & WAIT_FOR_READERS)
		return "stays for what still has to be read by";
	if (waits_for & WAIT_FOR_ROOM)
		return waits_for & WAIT_FOR_ITEM ? "waits for an item, or for room at" : "waits for room at";
	if (waits_for & WAIT_FOR_ITEM)
		return "waits for an item from";
	return "waits for something outside of weir";
}

/* The other end of the lane that it waits for; STALL_NONE: none in particular. */
static uint32_t other_end(const struct stall_topology *topology, const struct stall_worker *worker)
{
	if (worker->lane == STALL_NONE)
		return STALL_NONE;
	return worker->waits_for & WAIT_FOR_ITEM ? topology->lanes[worker->lane].producer :
						   topology->lanes[worker->lane].consumer;
}

/* All the stages on the other side, when no lane is named. */
static void add_stages(const struct stall_topology *topology, const struct stall_worker *worker, uint32_t number,
		       struct text *text)
{
	bool up = worker->waits_for & WAIT_FOR_ITEM && !(worker->waits_for & WAIT_FOR_ROOM);
	const uint32_t *list = up ? topology->in : topology->out,
		       *first = up ? topology->in_first : topology->out_first;
	uint32_t edge = STALL_NONE;

	for (uint32_t i = first[number]; i < first[number + 1]; i++) {
		const struct stall_lane *lane = &topology->lanes[list[i]];

		if (lane->edge == edge)
			continue;
		text_printf(text, "%s'%s'", edge == STALL_NONE ? " " : ", ",
			    topology->seats[up ? lane->producer : lane->consumer].stage);
		edge = lane->edge;
	}
}

static void add_writer(const struct stall_topology *topology, const struct stall_worker *worker, struct text *text)
{
	text_add_char(text, ' ');
	if (worker->store_holder != STALL_NONE)
		stall_name(topology, worker->store_holder, text);
	else
		text_printf(text, "process %d, which is none of this pipeline", (int)worker->store_pid);
}

static void describe_wait(const struct stall_topology *topology, const struct stall_snapshot *snapshot, uint32_t number,
			  struct text *text)
{
	const struct stall_worker *worker = &snapshot->workers[number];
	uint32_t other = other_end(topology, worker);

	if (worker->doing != STALL_WAITS)
		return;
	text_add(text, wait_words(worker->waits_for));
	if (worker->waits_for & WAIT_FOR_STORE) {
		add_writer(topology, worker, text);
		return;
	}
	if (worker->waits_for & WAIT_FOR_DUE ||
	    !(worker->waits_for & ~(WAIT_FOR_EVENT | WAIT_FOR_TIME | WAIT_ANY_OF_EDGE)))
		return;
	if (other == STALL_NONE) {
		add_stages(topology, worker, number, text);
	} else if (worker->waits_for & WAIT_ANY_OF_EDGE) {
		text_printf(text, " '%s'", topology->seats[other].stage);
	} else {
		text_add_char(text, ' ');
		stall_name(topology, other, text);
	}
}

/* ---- why it does not move ---- */

static void add_item(const struct stall_topology *topology, const struct stall_worker *worker, struct text *text)
{
	if (worker->has_hand && worker->hand_lane != STALL_NONE)
		text_printf(text, ", on item %" PRIu64 " from '%s' (position %" PRIu64 ")", worker->hand_sequence,
			    topology->seats[topology->lanes[worker->hand_lane].producer].stage, worker->hand_position);
	if (worker->n_pending)
		text_printf(text, ", with %" PRIu64 " item%s put aside", worker->n_pending,
			    worker->n_pending == 1 ? "" : "s");
}

const char *stall_kernel_words(char kernel)
{
	switch (kernel) {
	case 'R':
		return "running";
	case 'S':
		return "asleep";
	case 'D':
		return "asleep in the kernel, deaf to signals";
	case 'T':
		return "stopped by a signal";
	case 'Z':
		return "dead";
	default:
		return "in a state that is not known";
	}
}

static void add_kernel(const struct stall_worker *worker, struct text *text)
{
	if (worker->kernel) {
		text_printf(text, "; the process is %s", stall_kernel_words(worker->kernel));
		if (*worker->where)
			text_printf(text, " (%s)", worker->where);
	}
	if (worker->program)
		text_printf(text, "; its program %s (pid %d) is %s", worker->program_name, (int)worker->program,
			    stall_kernel_words(worker->program_kernel));
}

/* ---- who is being ended ---- */

static void add_doing(const struct stall_topology *topology, const struct stall_snapshot *snapshot, uint32_t number,
		      struct text *text)
{
	const struct stall_worker *worker = &snapshot->workers[number];

	switch (worker->doing) {
	case STALL_BUSY:
		text_add(text, "in its stage");
		break;
	case STALL_WAITS:
		describe_wait(topology, snapshot, number, text);
		break;
	case STALL_OPENING:
		text_add(text, "opening its stage");
		break;
	case STALL_OVER:
	case STALL_ABSENT:
		text_add(text, "through with its work");
		break;
	}
	add_item(topology, worker, text);
}

static void add_signal_and_next(const struct stall_ending *ending, uint64_t now_ns, struct text *text)
{
	char ago[QUANTITY_TEXT_SIZE], left[QUANTITY_TEXT_SIZE];

	if (ending->signal)
		text_printf(text, ", %s %s ago", ending->signal,
			    quantity_format_duration(now_ns > ending->signalled_ns ? now_ns - ending->signalled_ns : 0,
						     ago));
	text_printf(text, ", %s in %s", ending->next,
		    quantity_format_duration(ending->next_ns > now_ns ? ending->next_ns - now_ns : 0, left));
	if (ending->n_held_back)
		text_printf(text, "; %" PRIu32 " worker%s only then", ending->n_held_back,
			    ending->n_held_back == 1 ? " comes back" : "s come back");
}

static void add_ending(const struct stall_topology *topology, const struct stall_snapshot *snapshot, uint32_t number,
		       uint64_t now_ns, struct text *text)
{
	const struct stall_worker *worker = &snapshot->workers[number];
	const struct stall_ending *ending = &worker->ending;

	if (ending->says_goodbye)
		text_add(text, "it has said goodbye");
	else if (ending->late)
		text_add(text, "it was not ready in time");
	else
		text_printf(text, "told to (%s%scause %s)", ending->who, *ending->who ? ", " : "", ending->cause);
	add_signal_and_next(ending, now_ns, text);
	text_add(text, "; ");
	add_doing(topology, snapshot, number, text);
	add_kernel(worker, text);
}

void stall_describe_doing(const struct stall_topology *topology, const struct stall_snapshot *snapshot, uint32_t number,
			  uint64_t now_ns, struct text *text)
{
	const struct stall_worker *worker = &snapshot->workers[number];

	if (worker->ending.since_ns) {
		text_add(text, "is being ended: ");
		add_ending(topology, snapshot, number, now_ns, text);
		return;
	}
	if (worker->doing == STALL_ABSENT) {
		text_add(text,
			 worker->held_back ? "nobody sits there until others have ended" : "nobody sits there now");
		return;
	}
	if (worker->doing != STALL_WAITS)
		text_add(text, "is ");
	add_doing(topology, snapshot, number, text);
}

static void describe_culprit(const struct stall_topology *topology, const struct stall_snapshot *snapshot,
			     const struct stall_finding *finding, uint64_t now_ns, struct text *text)
{
	static const char *const words[STALL_KIND_COUNT] = {
		[STALL_KIND_UNSETTLED] = "sleeps and nobody will wake it,",
		[STALL_KIND_STOPPED] = "has been stopped by a signal",
		[STALL_KIND_CALLBACK] = "has been in its stage",
		[STALL_KIND_OUTSIDE] = "has waited for something outside of weir",
		[STALL_KIND_PENDING] = "sleeps and only a new item would wake it,",
		[STALL_KIND_ABSENT] = "has had no worker",
		[STALL_KIND_OPENING] = "has been opening its stage",
		[STALL_KIND_ENDING] = "does not end,",
		[STALL_KIND_STORE] = "has waited for its turn to write a dead letter",
	};
	const struct stall_worker *worker = &snapshot->workers[finding->culprit];

	add_who(topology, snapshot, finding->culprit, text);
	text_printf(text, " %s", words[finding->kind]);
	add_for(finding->since_ns, now_ns, text);
	if (finding->kind == STALL_KIND_ENDING) {
		text_add(text, ": ");
		add_ending(topology, snapshot, finding->culprit, now_ns, text);
		return;
	}
	add_item(topology, worker, text);
	if (finding->kind == STALL_KIND_STORE) {
		text_add(text, "; it is that of");
		add_writer(topology, worker, text);
	}
	if (finding->kind == STALL_KIND_CALLBACK || finding->kind == STALL_KIND_OUTSIDE)
		add_kernel(worker, text);
}

static void add_chain(const struct stall_topology *topology, const struct stall_finding *finding, struct text *text)
{
	if (!finding->n_waiting)
		return;
	text_printf(text, "; %" PRIu32 " worker%s for it", finding->n_waiting,
		    finding->n_waiting == 1 ? " waits" : "s wait");
	if (finding->kind == STALL_KIND_CYCLE)
		return;
	for (uint32_t i = 0; i < finding->n_chain; i++) {
		text_add(text, i ? " -> " : ": ");
		stall_name(topology, finding->chain[i], text);
	}
}

static void describe_cycle(const struct stall_topology *topology, const struct stall_snapshot *snapshot,
			   const struct stall_finding *finding, uint64_t now_ns, struct text *text)
{
	text_add(text, "nothing has moved");
	add_for(finding->since_ns, now_ns, text);
	for (uint32_t i = 0; i < finding->n_chain; i++) {
		const struct stall_worker *worker = &snapshot->workers[finding->chain[i]];

		text_add(text, i ? ", " : ": ");
		add_who(topology, snapshot, finding->chain[i], text);
		text_printf(text, " %s ", wait_words(worker->waits_for));
		stall_name(topology, finding->chain[(i + 1) % finding->n_chain], text);
		if (worker->n_held)
			text_printf(text, " and holds %" PRIu64 " item%s", worker->n_held,
				    worker->n_held == 1 ? "" : "s");
	}
}

void stall_describe_wait(const struct stall_topology *topology, const struct stall_snapshot *snapshot, uint32_t number,
			 uint64_t now_ns, struct text *text)
{
	if (snapshot->workers[number].ending.since_ns) {
		text_add(text, "waiting for ");
		add_who(topology, snapshot, number, text);
		text_add(text, " to end: ");
		add_ending(topology, snapshot, number, now_ns, text);
		return;
	}
	stall_name(topology, number, text);
	text_add_char(text, ' ');
	describe_wait(topology, snapshot, number, text);
}

void stall_describe(const struct stall_topology *topology, const struct stall_snapshot *snapshot,
		    const struct stall_finding *finding, uint64_t now_ns, struct text *text)
{
	if (finding->kind == STALL_KIND_CYCLE)
		describe_cycle(topology, snapshot, finding, now_ns, text);
	else
		describe_culprit(topology, snapshot, finding, now_ns, text);
	add_chain(topology, finding, text);
}

/* ---- JSON ---- */

static void json_string(const char *key, const char *value, struct text *text)
{
	text_printf(text, "\"%s\":", key);
	text_add_json(text, value, strlen(value));
}

static void json_worker(const struct stall_topology *topology, const struct stall_snapshot *snapshot, uint32_t worker,
			struct text *text)
{
	text_add_char(text, '{');
	json_string("stage", topology->seats[worker].stage, text);
	text_printf(text, ",\"index\":%" PRIu32 ",\"pid\":", topology->seats[worker].index);
	if (snapshot->workers[worker].pid > 0)
		text_printf(text, "%d}", (int)snapshot->workers[worker].pid);
	else
		text_add(text, "null}");
}

static void json_age(uint64_t since_ns, uint64_t now_ns, struct text *text)
{
	text_printf(text, ",\"seconds\":%.3f",
		    now_ns > since_ns ? (double)(now_ns - since_ns) / (double)NS_PER_S : 0.0);
}

static void json_item(const struct stall_topology *topology, const struct stall_worker *worker, struct text *text)
{
	text_add(text, ",\"item\":");
	if (!worker->has_hand || worker->hand_lane == STALL_NONE) {
		text_add(text, "null");
		return;
	}
	text_add_char(text, '{');
	json_string("from", topology->seats[topology->lanes[worker->hand_lane].producer].stage, text);
	text_printf(text, ",\"sequence\":%" PRIu64 ",\"position\":%" PRIu64 "}", worker->hand_sequence,
		    worker->hand_position);
}

static void json_finding(const struct stall_topology *topology, const struct stall_snapshot *snapshot,
			 const struct stall_finding *finding, uint64_t now_ns, struct text *text)
{
	_cleanup_(text_deinit) struct text sentence = TEXT_NULL;

	stall_describe(topology, snapshot, finding, now_ns, &sentence);
	text_add_char(text, '{');
	json_string("kind", stall_kind_name(finding->kind), text);
	text_printf(text, ",\"deadlock\":%s,\"culprit\":", stall_kind_is_deadlock(finding->kind) ? "true" : "false");
	json_worker(topology, snapshot, finding->culprit, text);
	json_age(finding->since_ns, now_ns, text);
	json_item(topology, &snapshot->workers[finding->culprit], text);
	text_printf(text, ",\"put_aside\":%" PRIu64 ",\"waiting\":%" PRIu32 ",\"chain\":[",
		    snapshot->workers[finding->culprit].n_pending, finding->n_waiting);
	for (uint32_t i = 0; i < finding->n_chain; i++) {
		if (i)
			text_add_char(text, ',');
		json_worker(topology, snapshot, finding->chain[i], text);
	}
	text_add(text, "],");
	json_string("sentence", text_get(&sentence), text);
	text_add_char(text, ',');
	json_string("advice", stall_kind_advice(finding->kind), text);
	text_add_char(text, '}');
}

/* Only who sleeps in weir for a neighbour, or until an item may go on: an idle reader is no news; and who is waited for to end. */
static bool is_wait(const struct stall_worker *worker)
{
	if (worker->ending.since_ns)
		return true;
	return worker->doing == STALL_WAITS && worker->waits_for & (WAIT_FOR_ROOM | WAIT_FOR_CREDIT | WAIT_FOR_COMMIT |
								    WAIT_FOR_READERS | WAIT_FOR_STORE | WAIT_FOR_DUE);
}

static void json_waits(const struct stall_topology *topology, const struct stall_snapshot *snapshot, uint64_t now_ns,
		       struct text *text)
{
	bool any = false;

	for (uint32_t i = 0; i < topology->n_workers; i++) {
		_cleanup_(text_deinit) struct text sentence = TEXT_NULL;

		if (!is_wait(&snapshot->workers[i]))
			continue;
		stall_describe_wait(topology, snapshot, i, now_ns, &sentence);
		text_add(text, any ? ",{\"worker\":" : "{\"worker\":");
		json_worker(topology, snapshot, i, text);
		json_age(snapshot->workers[i].ending.since_ns ? snapshot->workers[i].ending.since_ns :
								snapshot->workers[i].since_ns,
			 now_ns, text);
		text_add_char(text, ',');
		json_string("sentence", text_get(&sentence), text);
		text_add_char(text, '}');
		any = true;
	}
}

void stall_format_json(const struct stall_topology *topology, const struct stall_snapshot *snapshot,
		       const struct stall_finding *findings, size_t n_findings, const char *pipeline, uint64_t now_ns,
		       struct text *text)
{
	text_add_char(text, '{');
	json_string("pipeline", pipeline, text);
	text_printf(text, ",\"stuck\":%s,\"findings\":[", n_findings ? "true" : "false");
	for (size_t i = 0; i < n_findings; i++) {
		if (i)
			text_add_char(text, ',');
		json_finding(topology, snapshot, &findings[i], now_ns, text);
	}
	text_add(text, "],\"waits\":[");
	json_waits(topology, snapshot, now_ns, text);
	text_add(text, "]}");
}
