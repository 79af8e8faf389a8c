/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Retiring a slot: one consumer of two dies for good, and the producer moves what its lane still holds, in one commit for each
 * part: TAIL of the living lane, RETRACT of the dead one (its tail goes back), CURSOR.
 *
 *      Producer --lane 0--> Consumer 0 (lives)        Supervisor: repairs 1, then `retired`, then rings
 *              \--lane 1--> Consumer 1 (dies for good, also in the middle of its commit)
 *
 * RETRACT takes a tail back, so a part is a suffix: [cut, tail) goes, [done, cut) stays for the next part. Order need not be kept
 * on such edges; a prefix would need a position of its own that everyone who counts has to know. So too little room only makes
 * more parts. It starts at a turn's start, with nothing built: an item of which one output is built is finished first, and a
 * wait for room in its middle chooses again when a lane retires. The moves leave no mark but the tails: the next generation
 * sees `retired` and a lane that is not empty, and goes on. The dead lane holds more here than the other can take, so a move that
 * waits for room for all of it (move_whole) waits for ever. (That a retired lane is not written again is for references into it.)
 *
 * A producer that has finished lingers: it closes its lanes when all of them are done with, since later nobody could move what
 * they hold. Ordinary commits are one step (commit.pml proves that they are); Consumer 1's and the moves' are not. Every
 * other item has two outputs. Records are one cell, so a position is a count.
 *
 * observed_live_first: who counts loads the retired lane's tail before the others', else a moved item can be in neither.
 *
 * case base               | pass     | safety   |
 * case deaths             | pass     | safety   | -DDEATHS=1 -DITEMS=2
 * case observed           | pass     | safety   | -DOBSERVE -DITEMS=2
 * case ends               | pass     | ltl ends | -DDEATHS=1 -DITEMS=2
 * case reach_end          | assert   | safety   | -DREACH=1
 * case reach_parts        | assert   | safety   | -DREACH=2
 * case reach_cut_move     | assert   | safety   | -DREACH=3 -DDEATHS=1 -DITEMS=2
 * case reach_repaired     | assert   | safety   | -DREACH=4
 * case reach_lingers_move | assert   | safety   | -DREACH=5
 * case reach_mid_item     | assert   | safety   | -DREACH=6
 * case no_record          | assert   | safety   | -DDEATHS=1 -DITEMS=2 -DNO_RECORD
 * case retract_in_place   | assert   | safety   | -DDEATHS=1 -DITEMS=2 -DRETRACT_IN_PLACE
 * case retract_first      | assert   | safety   | -DOBSERVE -DITEMS=2 -DRETRACT_FIRST
 * case observed_live_first| assert   | safety   | -DOBSERVE -DITEMS=2 -DOBSERVED_LIVE_FIRST
 * case retired_early      | assert   | safety   | -DRETIRED_EARLY
 * case done_before_retired| assert   | safety   | -DDONE_BEFORE_RETIRED
 * case prefix_moved       | assert   | safety   | -DPREFIX_MOVED
 * case no_linger          | assert   | safety   | -DNO_LINGER
 * case waits_for_dead     | deadlock | safety   | -DWAITS_FOR_DEAD
 * case retire_unrung      | deadlock | safety   | -DRETIRE_UNRUNG
 * case move_whole         | deadlock | safety   | -DMOVE_WHOLE
 */
#ifndef DEATHS
#define DEATHS 0
#endif
#ifndef ITEMS
#define ITEMS 3
#endif
#ifndef REACH
#define REACH 0
#endif
#define REACHED(n) assert(n != REACH)
#define LIVE_CAPACITY 2
#define DEAD_CAPACITY 3
#define OUTPUTS(item) (2 - ((item) & 1)) /* of the item behind `item` others */
#define RECORDS (ITEMS + (ITEMS + 1) / 2)

/* The producer's segment; its record of a move: the two tails and the cursor's count of moved items. */
byte cell0[LIVE_CAPACITY], cell1[DEAD_CAPACITY], tail[2], given, given_records, moved;
bool finished, closed, committed;
byte record_tail, record_retract, record_moved;
bool armed, bell;
/* The consumers'. */
byte done[2];
bool committed1;
byte record_done1;
/* The board. */
bool retired;
/* What really happened. */
byte processed, n_processed, deaths;
bool killed, gone[3], dead1;

#define PRODUCER 2
#define ROOM0 (LIVE_CAPACITY - (built[0] - done[0]))
#define ROOM1 (DEAD_CAPACITY - (built[1] - done[1]))

inline ring_producer()
{
	if
	:: armed -> bell = true
	:: else
	fi
}

/* wait_sleep(): `over` is what the look behind the arming sees; the ring of a retirement ends it too. */
inline sleep_unless(over)
{
	armed = true;
	if
	:: over
	:: else -> atomic { bell -> bell = false }
	fi;
	armed = false
}

inline apply_move()
{
#ifdef RETRACT_FIRST
	tail[1] = record_retract;
	tail[0] = record_tail;
#else
	tail[0] = record_tail;
	tail[1] = record_retract;
#endif
	moved = record_moved
}

/* One part: the last `part` records of the dead lane. */
inline move_part()
{
	atomic {
		d = done[1];
#ifdef DONE_BEFORE_RETIRED
		d = stale;
#endif
		assert(d <= tail[1] && tail[1] - d <= DEAD_CAPACITY);
		part = tail[1] - d;
	};
	if
	:: part == 0
#ifdef MOVE_WHOLE
	:: part > 0 && ROOM0 < part -> sleep_unless(ROOM0 >= part)
	:: part > 0 && ROOM0 >= part ->
#else
	:: part > 0 && ROOM0 == 0 -> sleep_unless(ROOM0 > 0)
	:: part > 0 && ROOM0 > 0 ->
#endif
		if
		:: part > ROOM0 -> part = ROOM0; REACHED(2)
		:: else
		fi;
		if
		:: finished -> REACHED(5)
		:: else
		fi;
		i = 0;
		do
		:: i < part ->
			atomic {
#ifdef PREFIX_MOVED
				cell0[built[0] % LIVE_CAPACITY] = cell1[(d + i) % DEAD_CAPACITY];
#else
				cell0[built[0] % LIVE_CAPACITY] = cell1[(tail[1] - part + i) % DEAD_CAPACITY];
#endif
				built[0] = built[0] + 1;
				i++
			}
		:: else -> break
		od;
#ifdef RETRACT_IN_PLACE
		tail[1] = tail[1] - part;
		atomic { record_tail = built[0]; record_retract = tail[1]; record_moved = moved + part };
#else
		atomic { record_tail = built[0]; record_retract = tail[1] - part; record_moved = moved + part };
#endif
#ifndef NO_RECORD
		committed = true;
#endif
		apply_move();
		committed = false;
		atomic { built[1] = tail[1]; i = 0 }
	fi;
	atomic { d = 0; part = 0 }
}

inline push()
{
	if
#ifdef WAITS_FOR_DEAD
	:: (first == 0 || first == 2) && ROOM0 > 0 ->
#else
	:: ROOM0 > 0 ->
#endif
		atomic { cell0[built[0] % LIVE_CAPACITY] = given_records + n; built[0] = built[0] + 1; n++ }
	:: ROOM1 > 0 && !retired ->
		atomic { cell1[built[1] % DEAD_CAPACITY] = given_records + n; built[1] = built[1] + 1; n++; first = 1 }
	:: else ->
#ifdef WAITS_FOR_DEAD
		sleep_unless((first != 1 && ROOM0 > 0) || (ROOM1 > 0 && !retired));
#else
		sleep_unless(ROOM0 > 0 || (ROOM1 > 0 && !retired));
#endif
		if
		:: retired && n > 0 && built[1] > tail[1] -> REACHED(6)
		:: else
		fi
	fi
}

active proctype Producer()
{
	byte built[2], n, d, part, i, first = 2, stale;
	bool seen;

attach:
	{
		atomic { built[0] = tail[0]; built[1] = tail[1]; first = 2 };
		do
		:: true ->
#ifdef DONE_BEFORE_RETIRED
			stale = done[1];
#endif
			seen = retired;
			if
			:: seen && tail[1] != done[1] -> move_part()
			:: !(seen && tail[1] != done[1]) && !finished && given < ITEMS ->
				do
				:: n < OUTPUTS(given) -> push()
				:: else -> break
				od;
				atomic {
					tail[0] = built[0];
					tail[1] = built[1];
					given++;
					given_records = given_records + n;
					n = 0;
					first = 2
				}
			:: !(seen && tail[1] != done[1]) && !finished && given == ITEMS -> finished = true
			:: !(seen && tail[1] != done[1]) && finished ->
#ifdef NO_LINGER
				break
#else
				if
				:: done[0] == tail[0] && done[1] == tail[1] -> break
				:: else -> sleep_unless((done[0] == tail[0] && done[1] == tail[1]) || (retired && !seen))
				fi
#endif
			fi;
			atomic { seen = false; stale = 0 }
		od;
		closed = true;
		gone[PRODUCER] = true
	} unless {
		atomic {
			killed -> killed = false;
			n = 0; d = 0; part = 0; i = 0; first = 2; stale = 0; seen = false; built[0] = 0; built[1] = 0;
			if
			:: committed -> REACHED(3)
			:: else
			fi
		};
		/* the supervisor's repair */
		if
		:: committed -> apply_move(); committed = false
		:: else
		fi;
		atomic { armed = false; bell = false };
		goto attach
	}
}

inline effect(item)
{
	assert(!(processed & (1 << (item)))); /* twice */
	processed = processed | (1 << (item));
	n_processed++
}

active proctype Consumer0()
{
	do
	:: atomic { tail[0] != done[0] -> effect(cell0[done[0] % LIVE_CAPACITY]); done[0] = done[0] + 1 };
		ring_producer()
	:: atomic { closed && tail[0] == done[0] -> break } /* close.pml has the order of these two loads */
	od;
	gone[0] = true
}

/* Dies for good at any store, or comes to its end. */
active proctype Consumer1()
{
	byte item;

	{
		do
		:: atomic { tail[1] != done[1] -> item = cell1[done[1] % DEAD_CAPACITY]; record_done1 = done[1] + 1 };
			atomic { effect(item); committed1 = true; item = 0 };
			done[1] = record_done1;
			committed1 = false;
			ring_producer()
		:: atomic { closed && tail[1] == done[1] -> break }
		od;
		gone[1] = true
	} unless { atomic { dead1; item = 0 } }
}

active proctype Supervisor()
{
	if
	:: atomic { !gone[1] -> dead1 = true };
#ifdef RETIRED_EARLY
		retired = true;
#endif
		if
		:: committed1 -> done[1] = record_done1; committed1 = false; REACHED(4)
		:: else
		fi;
		retired = true;
#ifndef RETIRE_UNRUNG
		bell = true;
#endif
		/* what it holds when its producer has gone is lost */
		gone[PRODUCER];
		gone[1] = true
	:: gone[1]
	fi
}

#if DEATHS
active proctype Killer()
{
	do
	:: atomic { deaths < DEATHS && !gone[PRODUCER] && !killed -> killed = true; deaths++ }
	:: break
	od
}
#endif

#ifdef OBSERVE
/* Counts what has been given, at any moment: the cursor first, then the retired lane, then the others. */
active proctype Observer()
{
	byte was_given, t0, t1;

	was_given = given_records;
#ifdef OBSERVED_LIVE_FIRST
	t0 = tail[0];
	t1 = tail[1];
#else
	t1 = tail[1];
	t0 = tail[0];
#endif
	atomic { assert(t0 + t1 >= was_given); was_given = 0; t0 = 0; t1 = 0 }
}
#endif

active proctype Judge()
{
	gone[0] && gone[1] && gone[PRODUCER];
	assert(n_processed == RECORDS && tail[0] == done[0] && tail[1] == done[1]);
	assert(tail[0] + tail[1] == RECORDS);
	REACHED(1)
}

ltl ends { <> (gone[0] && gone[1] && gone[PRODUCER]) }
