/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The graph, with planted cases. A case is a line of lanes, a line of workers, and what should be found.
 *
 *   lanes     "src>a* a>b"      from > to; behind it: * full  ^ read, and not given back  | closed; nothing: empty
 *   workers   "a=room:b@9"      what it waits for, of whom; without a word it waits for an item. Behind it:
 *                               @N has not moved for N seconds (10), @0: has just moved  /K the kernel's letter  +N put aside  ~N held
 *                               .N the same in tenths of a second, and two looks have seen it
 *                               ! has an item in hand  & was asked to end
 *                               % told to end, has its grace  $N ... and SIGTERM came N s ago  - comes back behind others' end
 *             busy room item outside nothing credit commit readers absent opening over gather (an item, or a timer) due
 *   found     "kind:culprit:waiting:chain"
 *
 * A name is a stage and, as a digit, a worker of it; "room:a" with several means any of them. What begins with src is a source.
 */
#undef NDEBUG
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/supervise/stall_report.h"
#include "common/memory/segment_layout.h"

#define S UINT64_C(1000000000)
#define NOW (1000 * S)
#define WORKERS_MAX 12u
#define LANES_MAX 24u
#define NAME_MAX_ 12u

struct planted {
	const char *name, *lanes, *workers, *found;
};

struct scene {
	char names[WORKERS_MAX][NAME_MAX_], stages[WORKERS_MAX][NAME_MAX_];
	struct stall_seat seats[WORKERS_MAX];
	struct stall_lane lanes[LANES_MAX];
	struct stall_worker workers[WORKERS_MAX];
	struct stall_level levels[LANES_MAX];
	struct stall_history histories[WORKERS_MAX];
	uint32_t n_workers, n_lanes;
	struct stall_topology topology;
	struct stall_snapshot snapshot;
};

static size_t word(const char *at, char name[NAME_MAX_])
{
	size_t n = 0;

	while (isalnum((unsigned char)at[n]))
		n++;
	assert_true(n && n < NAME_MAX_);
	memcpy(name, at, n);
	name[n] = '\0';
	return n;
}

static uint32_t worker_of(struct scene *scene, const char *name)
{
	uint32_t i = 0;
	char *digit;

	while (i < scene->n_workers && strcmp(scene->names[i], name) != 0)
		i++;
	if (i < scene->n_workers)
		return i;
	assert_true(i < WORKERS_MAX);
	strcpy(scene->names[i], name);
	strcpy(scene->stages[i], name);
	digit = &scene->stages[i][strlen(name) - 1];
	scene->seats[i] = (struct stall_seat){ .stage = scene->stages[i], .source = strncmp(name, "src", 3) == 0 };
	if (isdigit((unsigned char)*digit)) {
		scene->seats[i].index = (uint32_t)(*digit - '0');
		*digit = '\0';
	}
	scene->workers[i] = (struct stall_worker){ .doing = STALL_WAITS,
						   .waits_for = WAIT_FOR_ITEM,
						   .lane = STALL_NONE,
						   .hand_lane = STALL_NONE,
						   .generation = 1,
						   .pid = 100 + (pid_t)i,
						   .kernel = 'S' };
	scene->histories[i] =
		(struct stall_history){ .known = true, .generation = 1, .n_looks = 5, .still_ns = NOW - 10 * S };
	return scene->n_workers++;
}

/* Lanes between the same two stages are of one edge. */
static uint32_t edge_of(const struct scene *scene, uint32_t from, uint32_t to)
{
	for (uint32_t i = 0; i < scene->n_lanes; i++)
		if (strcmp(scene->stages[scene->lanes[i].producer], scene->stages[from]) == 0 &&
		    strcmp(scene->stages[scene->lanes[i].consumer], scene->stages[to]) == 0)
			return scene->lanes[i].edge;
	return scene->n_lanes;
}

static void read_lanes(struct scene *scene, const char *at)
{
	char name[NAME_MAX_];

	while (*at) {
		uint32_t lane = scene->n_lanes;
		struct stall_level *level = &scene->levels[lane];
		uint32_t from, to;

		at += word(at, name);
		from = worker_of(scene, name);
		assert_int_equal(*at++, '>');
		at += word(at, name);
		to = worker_of(scene, name);
		assert_true(lane < LANES_MAX);
		scene->lanes[lane] = (struct stall_lane){ from, to, edge_of(scene, from, to), 65536 };
		scene->n_lanes++;
		*level = (struct stall_level){ .tail = 100, .done = 100, .free = 100 };
		for (; *at && *at != ' '; at++) {
			if (*at == '*')
				level->done = level->free = 0;
			else if (*at == '^')
				level->free = 0;
			else if (*at == '|')
				level->closed = true;
			else
				fail_msg("what is '%c' behind a lane?", *at);
		}
		at += *at == ' ';
	}
}

static const struct {
	const char *name;
	enum stall_doing doing;
	uint32_t waits_for;
} doings[] = {
	{ "busy", STALL_BUSY, 0 },
	{ "room", STALL_WAITS, WAIT_FOR_ROOM },
	{ "item", STALL_WAITS, WAIT_FOR_ITEM },
	{ "both", STALL_WAITS, WAIT_FOR_ITEM | WAIT_FOR_ROOM },
	{ "gather", STALL_WAITS, WAIT_FOR_ITEM | WAIT_FOR_TIME },
	{ "due", STALL_WAITS, WAIT_FOR_ITEM | WAIT_FOR_TIME | WAIT_FOR_DUE },
	{ "outside", STALL_WAITS, WAIT_FOR_EVENT },
	{ "nothing", STALL_WAITS, 0 },
	{ "credit", STALL_WAITS, WAIT_FOR_CREDIT },
	{ "commit", STALL_WAITS, WAIT_FOR_COMMIT },
	{ "readers", STALL_WAITS, WAIT_FOR_READERS },
	{ "absent", STALL_ABSENT, 0 },
	{ "opening", STALL_OPENING, 0 },
	{ "over", STALL_OVER, 0 },
};

static void wait_at(struct scene *scene, uint32_t number, const char *other)
{
	struct stall_worker *worker = &scene->workers[number];
	bool up = worker->waits_for & WAIT_FOR_ITEM;

	for (uint32_t i = 0; i < scene->n_lanes && worker->lane == STALL_NONE; i++) {
		uint32_t here = up ? scene->lanes[i].consumer : scene->lanes[i].producer,
			 there = up ? scene->lanes[i].producer : scene->lanes[i].consumer;

		if (here != number ||
		    (strcmp(scene->names[there], other) != 0 && strcmp(scene->stages[there], other) != 0))
			continue;
		worker->lane = i;
		if (strcmp(scene->names[there], other) != 0)
			worker->waits_for |= WAIT_ANY_OF_EDGE;
	}
	assert_true(worker->lane != STALL_NONE);
}

static struct stall_ending told_to_end(const char *signal, uint64_t seconds_ago)
{
	return (struct stall_ending){ .since_ns = NOW - 20 * S,
				      .next_ns = NOW + 12 * S,
				      .next = signal ? "SIGKILL" : "SIGTERM",
				      .signal = signal,
				      .signalled_ns = signal ? NOW - seconds_ago * S : 0,
				      .who = "head",
				      .cause = "sibling_failed" };
}

static const char *read_worker(struct scene *scene, const char *at)
{
	char name[NAME_MAX_];
	struct stall_worker *worker;
	uint32_t number, i = 0;
	char *end;

	at += word(at, name);
	number = worker_of(scene, name);
	worker = &scene->workers[number];
	if (*at == '=') {
		at += 1 + word(at + 1, name);
		while (i < sizeof(doings) / sizeof(doings[0]) && strcmp(doings[i].name, name) != 0)
			i++;
		assert_true(i < sizeof(doings) / sizeof(doings[0]));
		worker->doing = doings[i].doing;
		worker->waits_for = doings[i].waits_for;
	}
	for (; *at && *at != ' '; at = end) {
		end = (char *)(uintptr_t)at + 1;
		if (*at == ':') {
			end += word(at + 1, name);
			wait_at(scene, number, name);
		} else if (*at == '@') {
			uint64_t seconds = strtoull(at + 1, &end, 10);

			scene->histories[number].still_ns = NOW - seconds * S;
			scene->histories[number].n_looks = seconds != 0;
		} else if (*at == '.') {
			scene->histories[number].still_ns = NOW - strtoull(at + 1, &end, 10) * S / 10;
		} else if (*at == '/') {
			worker->kernel = *end++;
			scene->histories[number].stopped_ns = worker->kernel == 'T' ? NOW - 60 * S : 0;
		} else if (*at == '+') {
			worker->n_pending = strtoull(at + 1, &end, 10);
		} else if (*at == '~') {
			worker->n_held = strtoull(at + 1, &end, 10);
		} else if (*at == '!') {
			worker->has_hand = true;
		} else if (*at == '&') {
			worker->asked_to_end = true;
		} else if (*at == '%') {
			worker->ending = told_to_end(NULL, 0);
		} else if (*at == '$') {
			worker->ending = told_to_end("SIGTERM", strtoull(at + 1, &end, 10));
		} else if (*at == '-') {
			worker->held_back = true;
		} else {
			fail_msg("what is '%c' behind a worker?", *at);
		}
	}
	return at + (*at == ' ');
}

static void scene_open(struct scene *scene, const struct planted *planted)
{
	memset(scene, 0, sizeof(*scene));
	read_lanes(scene, planted->lanes);
	for (const char *at = planted->workers; *at;)
		at = read_worker(scene, at);
	stall_topology_init(&scene->topology, scene->seats, scene->n_workers, scene->lanes, scene->n_lanes);
	scene->snapshot = (struct stall_snapshot){ scene->workers, scene->levels };
}

static void scene_find(struct scene *scene, struct text *text)
{
	struct stall_finding findings[STALL_FINDINGS_MAX];
	size_t n = stall_find(&scene->topology, scene->histories, &scene->snapshot, NOW, findings);

	for (size_t i = 0; i < n; i++) {
		text_printf(text, "%s%s:%s:%u:", i ? " " : "", stall_kind_name(findings[i].kind),
			    scene->names[findings[i].culprit], findings[i].n_waiting);
		for (uint32_t j = 0; j < findings[i].n_chain; j++)
			text_printf(text, "%s%s", j ? ">" : "", scene->names[findings[i].chain[j]]);
	}
}

static void check(const struct planted *planted)
{
	_cleanup_(text_deinit) struct text text = TEXT_NULL;
	struct scene scene;

	scene_open(&scene, planted);
	scene_find(&scene, &text);
	if (strcmp(text_get(&text), planted->found) != 0)
		fail_msg("%s: found '%s' instead of '%s'", planted->name, text_get(&text), planted->found);
	stall_topology_deinit(&scene.topology);
}

/* ---- deadlocks ---- */

static const struct planted deadlocks[] = {
	{ "a loop that is full: two stages", "src>h* h>a* a>h*", "src=room:h h=room:a a=room:h", "cycle:h:1:h>a" },
	{ "a loop of three", "src>h* h>a* a>b* b>h* b>k", "src=room:h h=room:a a=room:b b=room:h", "cycle:h:2:h>a>b" },
	{ "a loop of five", "src>h* h>a* a>b* b>c* c>d* d>h*",
	  "src=room:h h=room:a a=room:b b=room:c c=room:d d=room:h", "cycle:h:1:h>a>b>c>d" },
	{ "credit is used up on the way back", "src>h* h>a* a>h* a>k", "src=room:h h=room:a a=credit:h",
	  "cycle:h:2:h>a" },
	{ "a stage that sends to itself over another", "src>h h>a* a>h*", "src=outside h=room:a a=room:h",
	  "cycle:h:0:h>a" },
	{ "a loop with two workers a stage, all full", "h0>a0* h0>a1* h1>a0* h1>a1* a0>h0* a0>h1* a1>h0* a1>h1*",
	  "h0=room:a h1=room:a a0=room:h a1=room:h", "cycle:h0:2:h0>a0" },
	{ "a diamond: the join wants the left, the fork is full on the right", "src>f* f>l f>r* l>j r>j*",
	  "src=room:f f=room:r r=room:j j=item:l", "cycle:f:1:f>r>j>l" },
	{ "a diamond without stages between", "f>j* f>g g>j", "f=room:j j=item:g", "cycle:f:0:f>j>g" },
	{ "a rendezvous round a loop", "h>a* a>h*", "h=commit a=commit", "cycle:h:0:h>a" },
	{ "a rendezvous on one way, room on the other", "h>a* a>h*", "h=commit a=room:h", "cycle:h:0:h>a" },
	{ "all readers of a rendezvous are needed, and one is in the cycle", "h>a* h>k a>h*", "h=commit a=room:h",
	  "cycle:h:1:h>a" },
	{ "... and another one works", "h>a* h>k* a>h*", "h=commit a=room:h k=busy!@0", "cycle:h:0:h>a" },
	{ "a key that leads round a loop, beside a worker that works", "h>a0* h>a1* a0>h*",
	  "h=room:a0 a0=room:h a1=busy!@0", "cycle:h:0:h>a0" },
	{ "a gatherer in a loop holds everything", "src>h* h>a a>h", "src=room:h h=item a=item~7", "cycle:h:1:h>a" },
	{ "the same at the end of the input, with nothing in any lane", "src>h| h>a a>h", "src=over h=item:a a=item~7",
	  "cycle:h:0:h>a" },
	{ "a select round a loop", "src>h* h>a* a>h*", "src=room:h h=both a=room:h", "cycle:h:1:h>a" },
	{ "two loops, one behind the other", "src>h* h>a* a>h* h>i* i>b* b>i*",
	  "src=room:h h=room:a a=room:h i=room:b b=room:i", "cycle:h:1:h>a cycle:i:0:i>b" },
	{ "a loop whose room is kept by a reader further on", "h>a^ a>b* b>h*", "h=room:a a=item b=room:h",
	  "cycle:h:1:h>b" },
	{ "staying for readers who wait for more of the same", "h>a* a>h*", "h=readers a=room:h", "cycle:h:0:h>a" },
	{ "all is put aside, and nothing is watched", "src>a* a>k", "src=room:a a=nothing+8", "unsettled:a:2:src>a" },
	{ "the same at the end of the input", "src>a| a>k", "src=over a=item+3", "unsettled:a:1:k>a" },
	{ "the same behind a chain", "src>p* p>q* q>a* a>k", "src=room:p p=room:q q=room:a a=nothing+1",
	  "unsettled:a:4:src>p>q>a" },
	{ "the same, with two workers: one goes on", "src>a0* src>a1 a0>k a1>k", "src=outside a0=nothing+8",
	  "unsettled:a0:0:a0" },
	{ "put aside in a loop", "src>h* h>a a>h", "src=room:h h=item:a a=nothing+4", "unsettled:a:2:src>h>a" },
};

/* ---- stalls ---- */

static const struct planted stalls[] = {
	{ "a stopped sink", "src>a* a>k*", "src=room:a a=room:k k=busy!/T@2", "stopped:k:2:src>a>k" },
	{ "a sink that was stopped asleep", "src>a* a>k*", "src=room:a a=room:k k=item/T@2", "stopped:k:2:src>a>k" },
	{ "a stopped sink and nobody waits yet", "src>k*", "src=busy@0 k=item/T@2", "stopped:k:0:k" },
	{ "a stopped source", "src>a a>k", "src=busy/T@2", "stopped:src:2:k>a>src" },
	{ "a stopped source that sleeps", "src>k", "src=outside/T@3", "stopped:src:1:k>src" },
	{ "a stopped stage on a loop is no deadlock", "src>h* h>a* a>h*", "src=room:h h=room:a a=room:h/T",
	  "stopped:a:2:src>h>a" },
	{ "a stage in for(;;)", "src>a* a>k", "src=room:a a=busy!/R@6", "callback:a:2:src>a" },
	{ "a stage asleep in a system call", "src>a* a>k", "src=room:a a=busy!/S@6", "callback:a:2:src>a" },
	{ "on the only item of the pipeline", "src>a a>k", "src=outside a=busy!/S@6", "callback:a:1:k>a" },
	{ "at the end of the input, in finish()", "src>a| a>k", "src=over a=busy/R@6", "callback:a:1:k>a" },
	{ "deep in the kernel", "src>a* a>k*", "src=room:a a=room:k k=busy!/D@6", "callback:k:2:src>a>k" },
	{ "one of four workers", "src>a0* src>a1 src>a2 src>a3", "src=busy@0 a0=busy!/R@6", "callback:a0:0:a0" },
	{ "all of two, and the source waits for either", "src>a0* src>a1*", "src=room:a a0=busy!/R@6 a1=busy!/S@7",
	  "callback:a0:0:a0 callback:a1:0:a1" },
	{ "a key that leads to the one", "src>a0* src>a1", "src=room:a0 a0=busy!/R@6", "callback:a0:2:src>a0" },
	{ "a program that does not answer", "src>e* e>k", "src=room:e e=outside!/S@6", "outside:e:2:src>e" },
	{ "a program that does not end with its last block", "src>e| e>k", "src=over e=outside~100/S@6",
	  "outside:e:1:k>e" },
	{ "a connection that hangs, with items put aside", "src>e* e>k", "src=room:e e=outside+16/S@6",
	  "outside:e:2:src>e" },
	{ "a sink that only a new item would wake", "src>k", "src=outside k=item+2@6", "pending:k:0:k" },
	{ "behind a rendezvous", "src>k*", "src=commit k=busy!/S@6", "callback:k:1:src>k" },
	{ "a feedback whose head is at work too long", "src>h* h>a a>h*", "src=room:h a=credit:h h=busy!/R@6",
	  "callback:h:2:src>h" },
	{ "bytes that were passed on, and are still read", "src>a^ a>b^ b>k*", "src=room:a a=item b=item k=busy!/S@6",
	  "callback:k:3:src>k" },
	{ "a broadcast whose payload lies in the other lane", "f>a f>k*", "f=room:a k=busy!/S@6 a=item",
	  "callback:k:2:f>k" },
	{ "nobody sits there", "src>a*", "src=room:a a=absent@6", "absent:a:1:src>a" },
	{ "somebody sits down there, slowly", "src>a*", "src=room:a a=opening@6", "opening:a:1:src>a" },
	{ "a source that does not hear that it should end", "src>a a>k", "src=busy&/S@6", "callback:src:2:k>a>src" },
	{ "the join waits for a source that has nothing", "srcl>j srcr>j*", "srcl=outside@8 srcr=room:j j=item:srcl@8",
	  "outside:srcl:2:srcr>j>srcl" },
	{ "it was told to end, and SIGTERM does not end it", "src>a* a>k", "src=room:a a=busy!$3", "ending:a:2:src>a" },
	{ "the same of one that sleeps for room", "src>a* a>k*", "src=room:a a=room:k$3 k=busy!@0",
	  "ending:a:1:src>a" },
	{ "the same of one that is not ready in time", "src>a*", "src=room:a a=opening$3", "ending:a:1:src>a" },
	{ "the same of one that has said goodbye", "src>a| a>k|", "src=over a=over$3 k=over", "ending:a:0:a" },
	{ "two culprits at the ends of two branches", "src>a* src>b*", "src=room:a a=busy!/R@6 b=item/T@2",
	  "callback:a:1:src>a stopped:b:0:b" },
};

/* ---- nothing is wrong ---- */

static const struct planted peace[] = {
	{ "at rest", "src>a a>k", "src=outside a=item k=item", "" },
	{ "back-pressure: the sink moves", "src>a* a>k*", "src=room:a@9 a=room:k@9 k=busy!@0", "" },
	{ "back-pressure: a slow sink, within its patience", "src>a* a>k*", "src=room:a a=room:k k=busy!/S@4", "" },
	{ "the last block, within its patience", "src>e| e>k", "src=over e=outside~100/S@4", "" },
	{ "back-pressure by a program", "src>e* e>k", "src=room:e e=outside!@3", "" },
	{ "one of two readers moves", "src>a0* src>a1*", "src=room:a@9 a0=busy!@4 a1=busy!@0", "" },
	{ "a loop at work", "src>h* h>a* a>h*", "src=room:h@3 h=room:a@3 a=busy!@0", "" },
	{ "a loop that has just filled up", "src>h* h>a* a>h*", "src=room:h@9 h=room:a@0 a=room:h@0", "" },
	{ "a loop of which one has a processor", "src>h* h>a* a>h*", "src=room:h h=room:a/R a=room:h", "" },
	{ "a loop of which one is in the kernel", "src>h* h>a* a>h*", "src=room:h h=room:a a=room:h/D", "" },
	{ "a loop of which the first has only just fallen asleep", "src>h* h>a* a>h*",
	  "src=room:h@9 h=room:a.5 a=room:h@9", "" },
	{ "a loop of which the last has only just fallen asleep", "src>h* h>a* a>h*",
	  "src=room:h@9 h=room:a@9 a=room:h.5", "" },
	{ "an idle loop whose input has ended", "src>h| h>a a>h", "src=over h=item a=item", "" },
	{ "an idle loop", "src>h h>a a>h", "src=outside h=item a=item", "" },
	{ "a loop that ends behind a sink at work", "src>h* h>a a>h a>k*", "src=room:h h=item:a a=room:k k=busy!@0",
	  "" },
	{ "a gatherer waits for more", "src>g g>k", "src=outside g=item~500 k=item", "" },
	{ "a gatherer waits for its time", "src>g g>k", "src=outside g=gather~500 k=item", "" },
	{ "slow calls within their patience", "src>a* a>k", "src=room:a a=outside+16@4", "" },
	{ "a source takes its time", "src>k", "src=busy/S@3000", "" },
	{ "a source waits for its time", "src>k", "src=gather@3000", "" },
	{ "its input has ended, and it is about to see that", "src>a| a>k", "src=over a=item", "" },
	{ "awake, before it has said so", "src>k*", "src=outside k=item", "" },
	{ "a restart", "src>a*", "src=room:a a=absent@2", "" },
	{ "a diamond at work", "src>f* f>l* f>r* l>j r>j*", "src=room:f f=room:r r=room:j j=item:l l=busy!@0", "" },
	{ "over", "src>a| a>k|", "src=over a=over k=over", "" },
	{ "a rendezvous with somebody at work", "src>k*", "src=commit@9 k=busy!@0", "" },
	{ "told to end, within its grace", "src>a* a>k", "src=room:a a=busy!%@60", "" },
	{ "told to end, and stopped by a signal: SIGCONT comes with SIGTERM", "src>a*", "src=room:a a=busy!/T%", "" },
	{ "SIGTERM has just come", "src>a* a>k", "src=room:a a=busy!$0", "" },
	{ "SIGTERM has come, and it moves still", "src>a* a>k", "src=room:a a=busy!$3@0", "" },
	{ "a goodbye, within its grace", "src>a| a>k|", "src=over a=over% k=over", "" },
	{ "a sibling has its grace, the others come back then", "src>a* a>b*",
	  "src=absent-@60 a=absent-@60 b=busy!%@60", "" },
	{ "a loop of which one is told to end is no deadlock", "src>h* h>a* a>h*", "src=room:h h=room:a a=room:h%",
	  "" },
	{ "the other of two outputs is idle", "src>a src>b*", "src=room:b@9 a=item b=busy!@0", "" },
};

#define CHECK_ALL(cases_)                                                 \
	for (size_t i = 0; i < sizeof(cases_) / sizeof((cases_)[0]); i++) \
	check(&(cases_)[i])

static void test_deadlocks(void **state)
{
	(void)state;
	CHECK_ALL(deadlocks);
	assert_true(sizeof(deadlocks) / sizeof(deadlocks[0]) + sizeof(stalls) / sizeof(stalls[0]) >= 30);
}

static void test_stalls(void **state)
{
	(void)state;
	CHECK_ALL(stalls);
}

static void test_no_false_alarm(void **state)
{
	(void)state;
	CHECK_ALL(peace);
}

/* Nothing is said of a deadlock before a second look agrees and a second has passed, nor of a stall before the patience is over. */
static void test_not_before_time(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(deadlocks) / sizeof(deadlocks[0]) + sizeof(stalls) / sizeof(stalls[0]); i++) {
		size_t n = sizeof(deadlocks) / sizeof(deadlocks[0]);
		const struct planted *planted = i < n ? &deadlocks[i] : &stalls[i - n];
		_cleanup_(text_deinit) struct text text = TEXT_NULL;
		struct scene scene;

		scene_open(&scene, planted);
		for (uint32_t j = 0; j < scene.n_workers; j++)
			scene.histories[j].still_ns = NOW - S / 2;
		scene_find(&scene, &text);
		assert_string_equal(text_get(&text), "");
		for (uint32_t j = 0; j < scene.n_workers; j++)
			scene.histories[j] = (struct stall_history){ .known = true, .still_ns = NOW - 60 * S };
		scene_find(&scene, &text);
		assert_string_equal(text_get(&text), "");
		stall_topology_deinit(&scene.topology);
	}
}

/* What all of them wait for stands in the sentence. */
static void test_sentences(void **state)
{
	static const struct {
		struct planted planted;
		const char *sentence;
	} cases[] = {
		{ { "", "src>h* h>a* a>h*", "src=room:h h=room:a a=credit:h@3", "" },
		  "nothing has moved for 3.0 s: h#0 (pid 101) waits for room at a#0, a#0 (pid 102) waits for credit from h#0; 1 worker waits for it" },
		{ { "", "src>a* a>k", "src=room:a a=nothing+8@3", "" },
		  "a#0 (pid 101) sleeps and nobody will wake it, for 3.0 s, with 8 items put aside; 2 workers wait for it: src#0 -> a#0" },
		{ { "", "src>k1*", "src=room:k1 k1=busy/T@3", "" },
		  "k#1 (pid 101) has been stopped by a signal for 3.0 s; 1 worker waits for it: src#0 -> k#1" },
		{ { "", "src>k*", "src=outside k=busy!/R@7", "" },
		  "k#0 (pid 101) has been in its stage for 7.0 s, on item 812 from 'src' (position 64); the process is running" },
		{ { "", "src>k*", "src=outside k=busy!/R@7$4", "" },
		  "k#0 (pid 101) does not end, for 20.0 s: told to (head, cause sibling_failed), SIGTERM 4.0 s ago, SIGKILL in 12.0 s; in its stage, on item 812 from 'src' (position 64); the process is running" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		_cleanup_(text_deinit) struct text text = TEXT_NULL;
		struct stall_finding findings[STALL_FINDINGS_MAX];
		struct scene scene;

		scene_open(&scene, &cases[i].planted);
		for (uint32_t j = 0; j < scene.n_workers; j++)
			if (scene.workers[j].has_hand) {
				scene.workers[j].hand_lane = 0;
				scene.workers[j].hand_position = 64;
				scene.workers[j].hand_sequence = 812;
			}
		assert_int_equal(stall_find(&scene.topology, scene.histories, &scene.snapshot, NOW, findings), 1);
		stall_describe(&scene.topology, &scene.snapshot, &findings[0], NOW, &text);
		assert_string_equal(text_get(&text), cases[i].sentence);
		stall_topology_deinit(&scene.topology);
	}
}

static void test_json(void **state)
{
	static const struct planted planted = { "", "src>a0* src>a1* a0>k* a1>k*",
						"src=room:a a0=room:k a1=room:k k=busy!/T@3", "" };
	_cleanup_(text_deinit) struct text text = TEXT_NULL;
	struct stall_finding findings[STALL_FINDINGS_MAX];
	struct scene scene;

	(void)state;
	scene_open(&scene, &planted);
	for (uint32_t i = 0; i < scene.n_workers; i++)
		scene.workers[i].since_ns = NOW - (scene.workers[i].doing == STALL_BUSY ? 3 : 2) * S;
	assert_int_equal(stall_find(&scene.topology, scene.histories, &scene.snapshot, NOW, findings), 1);
	stall_format_json(&scene.topology, &scene.snapshot, findings, 1, "p", NOW, &text);
	assert_non_null(strstr(text_get(&text),
			       "{\"pipeline\":\"p\",\"stuck\":true,\"findings\":[{\"kind\":\"stopped\","
			       "\"deadlock\":false,\"culprit\":{\"stage\":\"k\",\"index\":0,\"pid\":103},"
			       "\"seconds\":3.000,\"item\":null,"));
	assert_non_null(strstr(text_get(&text), "\"waiting\":3,"));
	assert_non_null(strstr(text_get(&text),
			       "\"waits\":[{\"worker\":{\"stage\":\"src\",\"index\":0,\"pid\":100},\"seconds\":2.000,"
			       "\"sentence\":\"src#0 waits for room at 'a'\"},"));
	assert_non_null(strstr(text_get(&text), "\"sentence\":\"a#1 waits for room at k#0\"}]}"));
	stall_topology_deinit(&scene.topology);
}

/* It is named among those who wait, for what it waits for is an answer to whoever asks why nothing comes. */
static void test_who_has_postponed_an_item_waits_and_says_so(void **state)
{
	static const struct planted planted = { "", "src>t* t>k", "src=room:t t=due@60", "" };
	_cleanup_(text_deinit) struct text text = TEXT_NULL;
	struct stall_finding findings[STALL_FINDINGS_MAX];
	struct scene scene;

	(void)state;
	scene_open(&scene, &planted);
	assert_int_equal(stall_find(&scene.topology, scene.histories, &scene.snapshot, NOW, findings), 0);
	stall_format_json(&scene.topology, &scene.snapshot, findings, 0, "p", NOW, &text);
	assert_non_null(strstr(text_get(&text), "\"sentence\":\"src#0 waits for room at t#0\"},"));
	assert_non_null(strstr(
		text_get(&text),
		"\"sentence\":\"t#0 waits for the time of its next item, which it has postponed (its rate, its delay)\"}]}"));
	stall_topology_deinit(&scene.topology);
}

/* Who asks why nothing comes is told whose end is waited for, why, until when, and who waits for that. */
static void test_who_is_being_ended_is_waited_for(void **state)
{
	static const struct {
		const char *workers, *sentence;
	} cases[] = {
		{ "src=absent- a=room:k/S%",
		  "\"seconds\":20.000,\"sentence\":\"waiting for a#0 (pid 101) to end: told to (head, cause sibling_failed), SIGTERM in 12.0 s; 2 workers come back only then; waits for room at k#0; the process is asleep\"}]}" },
		{ "src=absent a=opening%/S",
		  "waiting for a#0 (pid 101) to end: it was not ready in time, SIGTERM in 12.0 s; opening its stage; the process is asleep\"}]}" },
		{ "src=absent a=over%/D",
		  "waiting for a#0 (pid 101) to end: it has said goodbye, SIGTERM in 12.0 s; through with its work; the process is asleep in the kernel, deaf to signals\"}]}" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct planted planted = { "", "src>a* a>k*", cases[i].workers, "" };
		_cleanup_(text_deinit) struct text text = TEXT_NULL;
		struct stall_finding findings[STALL_FINDINGS_MAX];
		struct scene scene;

		scene_open(&scene, &planted);
		scene.workers[1].ending.n_held_back = i == 0 ? 2 : 0;
		scene.workers[1].ending.late = i == 1;
		scene.workers[1].ending.says_goodbye = i == 2;
		assert_false(stall_is_idle(&scene.topology, scene.histories, &scene.snapshot));
		(void)stall_find(&scene.topology, scene.histories, &scene.snapshot, NOW, findings);
		stall_format_json(&scene.topology, &scene.snapshot, findings, 0, "p", NOW, &text);
		if (!strstr(text_get(&text), cases[i].sentence))
			fail_msg("%s", text_get(&text));
		stall_topology_deinit(&scene.topology);
	}
}

/* At rest nobody looks; but as long as somebody is to end somebody does. */
static void test_who_is_to_end_is_not_at_rest(void **state)
{
	static const char *const workers[] = { "src=outside a=item k=over", "src=outside a=item k=over%" };
	(void)state;
	for (int ending = 0; ending < 2; ending++) {
		struct scene scene;

		scene_open(&scene, &(struct planted){ "", "src>a a>k", workers[ending], "" });
		assert_int_equal(stall_is_idle(&scene.topology, scene.histories, &scene.snapshot), !ending);
		stall_topology_deinit(&scene.topology);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_deadlocks),
		cmocka_unit_test(test_stalls),
		cmocka_unit_test(test_no_false_alarm),
		cmocka_unit_test(test_not_before_time),
		cmocka_unit_test(test_sentences),
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_who_has_postponed_an_item_waits_and_says_so),
		cmocka_unit_test(test_who_is_being_ended_is_waited_for),
		cmocka_unit_test(test_who_is_to_end_is_not_at_rest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
