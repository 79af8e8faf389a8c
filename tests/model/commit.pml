/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A turn, its commit, a death at any store, a repair that may itself be cut and begun again.
 * Modelled: common/flow/{commit,repair,lane}.c, worker/turn.c.
 *
 *      Source --in lane--> Worker --out lane--> Sink         Observer: looks at any moment, in the order of view.c
 *                            ^  Supervisor: repair, next generation        Killer, Cutter: whenever they like
 *
 * Every store to the worker's segment is one step. Items are numbered from 1; item 2 is filtered, so that records of two
 * and of three operations follow each other and stale operations lie in the record.
 *
 * case base             | pass     | safety    |
 * case two_deaths       | pass     | safety    | -DDEATHS=2 -DITEMS=3
 * case lanes_observed   | pass     | safety    | -DOBSERVE=1 -DITEMS=3
 * case ledger_observed  | pass     | safety    | -DOBSERVE=2 -DITEMS=3
 * case ends             | pass     | ltl ends  | -DITEMS=3
 * case reach_end        | assert   | safety    | -DREACH=1
 * case reach_finished   | assert   | safety    | -DREACH=2
 * case reach_forgotten  | assert   | safety    | -DREACH=3
 * case reach_again      | assert   | safety    | -DREACH=4
 * case reach_snapshot   | assert   | safety    | -DREACH=5 -DOBSERVE=2 -DITEMS=3
 * case committed_early  | assert   | safety    | -DCOMMITTED_EARLY
 * case idle_first       | assert   | safety    | -DIDLE_FIRST
 * case no_record        | assert   | safety    | -DNO_RECORD
 * case cursor_in_place  | assert   | safety    | -DCURSOR_IN_PLACE
 * case repair_idle_first| assert   | safety    | -DREPAIR_IDLE_FIRST
 * case no_fence         | assert   | safety    | -DNO_FENCE
 * case done_first       | assert   | safety    | -DDONE_FIRST -DOBSERVE=1 -DITEMS=3
 * case free_first       | assert   | safety    | -DFREE_FIRST
 * case added_values     | deadlock | safety    | -DADDED_VALUES
 * case repair_alive     | assert   | safety    | -DREPAIR_ALIVE
 */
#ifndef ITEMS
#define ITEMS 4
#endif
#ifndef DEATHS
#define DEATHS 1
#endif
#define CAPACITY 2
#define BATCH 2
#ifndef REACH
#define REACH 0
#endif
#define REACHED(n) assert(n != REACH)

#define OUTPUTS_OF(taken) ((taken) - ((taken) >= 2 -> 1 : 0))
#define OUTPUT(number) ((number) == 0 -> 1 : (number) + 2)
#define SUM_OF(taken) ((taken) * ((taken) + 1) / 2)

#define TAIL 1
#define CURSOR 2
#define DONE 3

/* The source's segment, and the sink's. */
byte in_data[CAPACITY], in_tail;
byte sink_done;
/* The worker's segment. */
byte out_data[CAPACITY], out_tail, done, room_from;
byte flips, taken_of[2], emitted_of[2], sum_of[2];
byte state, kind[3], value[3];
/* What the kernel knows. */
bool killed, dead, ended, cut, finished;
byte deaths, cuts;

active proctype Source()
{
	do
	:: atomic { in_tail < ITEMS && in_tail - room_from < CAPACITY ->
		in_data[in_tail % CAPACITY] = in_tail + 1; in_tail++ }
	:: in_tail == ITEMS -> break
	od
}

active proctype Sink()
{
	do
	:: atomic { sink_done < out_tail ->
		assert(out_data[sink_done % CAPACITY] == OUTPUT(sink_done)); /* nothing lost, twice, or out of order */
		sink_done++ }
	:: ended && sink_done == out_tail -> break
	od
}

inline apply_one(k, v)
{
#ifdef ADDED_VALUES
	if
	:: k == TAIL -> out_tail = out_tail + 1
	:: k == CURSOR -> flips = v
	:: k == DONE -> done = done + 1
	fi
#else
	if
	:: k == TAIL -> out_tail = v
	:: k == CURSOR -> flips = v
	:: k == DONE -> done = v
	fi
#endif
}

inline apply(count)
{
#ifdef DONE_FIRST
	i = count;
	do
	:: i > 0 -> apply_one(kind[i - 1], value[i - 1]); i--
	:: else -> break
	od
#else
	i = 0;
	do
	:: i < count -> apply_one(kind[i], value[i]); i++
	:: else -> break
	od
#endif
}

inline add(k, v)
{
#ifdef COMMITTED_EARLY
	state = n + 1;
#endif
	kind[n] = k;
	value[n] = v;
	n++;
#ifdef NO_FENCE
	/* The last turn's IDLE has not become visible yet. */
	if
	:: late -> state = 0; late = false
	:: else
	fi
#endif
}

inline commit()
{
	n = 0;
	if
	:: built != out_tail -> add(TAIL, built)
	:: else
	fi;
#ifdef CURSOR_IN_PLACE
	copy = flips & 1;
#else
	copy = (flips + 1) & 1;
#endif
	taken_of[copy] = taken;
	emitted_of[copy] = emitted;
	sum_of[copy] = sum;
#ifdef CURSOR_IN_PLACE
	add(CURSOR, flips);
#else
	add(CURSOR, flips + 1);
#endif
	add(DONE, next);
#ifndef NO_RECORD
	state = n;
#endif
#ifdef IDLE_FIRST
	state = 0;
#endif
	apply(n);
#ifdef NO_FENCE
	if
	:: state = 0
	:: late = true
	fi;
#else
	state = 0;
#endif
	room_from = done
}

active proctype Worker()
{
	byte built, next, taken, emitted, sum, n, i, copy, item, batch;
	bool late;

attach:
	{
		atomic {
			late = false;
			built = out_tail;
			next = done;
			taken = taken_of[flips & 1];
			emitted = emitted_of[flips & 1];
			sum = sum_of[flips & 1]
		};
		do
		:: next == ITEMS -> break
		:: else ->
			batch = 0;
			do
			:: batch < BATCH && next < in_tail && built - sink_done < CAPACITY ->
				item = in_data[next % CAPACITY];
				assert(item == next + 1); /* not overwritten, nothing skipped */
				if
				:: item != 2 -> out_data[built % CAPACITY] = item; built++; emitted++
				:: else
				fi;
				atomic { next++; taken++; sum = sum + item; batch++; item = 0 }
			:: batch > 0 -> break
			od;
#ifdef FREE_FIRST
			room_from = next;
#endif
			commit()
		od;
		atomic { n = 0; i = 0; copy = 0; batch = 0 };
		if
		:: late -> state = 0
		:: else
		fi;
		ended = true
	} unless {
		atomic { killed -> killed = false; dead = true; n = 0; i = 0; copy = 0; item = 0; batch = 0; late = false;
			 built = 0; next = 0; taken = 0; emitted = 0; sum = 0 }
	};
	if
	:: ended
	:: !dead && !ended -> goto attach
	fi
}

active proctype Killer()
{
	do
	:: atomic { deaths < DEATHS && !ended && !dead && !killed -> killed = true; deaths++ }
	:: break
	od
}

active proctype Cutter()
{
	do
	:: atomic { cuts < 1 && dead && !cut -> cut = true; cuts++ }
	:: break
	od
}

/* repair_run(): true to its order; record_valid() must hold for what a true worker has left. */
inline repair()
{
	n = state;
	i = 0;
	do
	:: i < n ->
		assert(kind[i] >= TAIL && kind[i] <= DONE);
		assert(kind[i] != TAIL || value[i] >= out_tail);
		assert(kind[i] != CURSOR || value[i] - flips <= 1);
		assert(kind[i] != DONE || value[i] >= done);
		i++
	:: else -> break
	od;
	if
	:: n > 0 ->
#ifdef REPAIR_IDLE_FIRST
		state = 0;
#endif
		apply(n);
		state = 0;
		REACHED(2)
	:: else -> REACHED(3)
	fi;
	room_from = done
}

active proctype Supervisor()
{
	byte n, i;
	bool suspects = true;

	do
#ifdef REPAIR_ALIVE
	:: suspects && !dead && !ended -> suspects = false; repair()
#endif
	:: dead ->
again:
		{
			repair()
		} unless { atomic { cut -> cut = false; n = 0; i = 0 }; REACHED(4); goto again };
		atomic { n = 0; i = 0; dead = false }
	:: ended -> break
	od
}

#if OBSERVE
/* Source to sink, as supervisors and people look; once, at any moment. 1: at the lanes, 2: at the ledger. */
active proctype Observer()
{
	byte first, taken, emitted, sum;

#if OBSERVE == 1
	first = done;
	atomic { assert(out_tail >= OUTPUTS_OF(first)); first = 0 } /* what has left the one lane is in the next */
#else
	first = flips;
	taken = taken_of[first & 1];
	emitted = emitted_of[first & 1];
	sum = sum_of[first & 1];
	atomic {
		if
		:: flips == first ->
			assert(emitted == OUTPUTS_OF(taken) && sum == SUM_OF(taken)); /* whole */
			assert(out_tail >= emitted); /* the lanes are never behind the ledger */
			REACHED(5)
		:: else
		fi;
		first = 0; taken = 0; emitted = 0; sum = 0
	}
#endif
}
#endif

active proctype Judge()
{
	ended && in_tail == ITEMS && sink_done == OUTPUTS_OF(ITEMS);
	assert(done == ITEMS && room_from == ITEMS && out_tail == OUTPUTS_OF(ITEMS) && state == 0);
	assert(taken_of[flips & 1] == ITEMS && emitted_of[flips & 1] == out_tail && sum_of[flips & 1] == SUM_OF(ITEMS));
	finished = true;
	REACHED(1)
}

ltl ends { <> finished }
