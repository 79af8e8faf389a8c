/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The end of a stream: the last items, the commit that says `finished`, the closed flags, deaths between any two of them.
 * Modelled: turn_finish() and turn_close() in worker/turn.c, lane_in_refresh() in common/flow/lane.c, input_next_free() in
 * worker/input.c, and what the supervisor concludes from a source's end (broker/supervise/{reap,verdict}.c).
 *
 *      Producer --lane 0--> Consumer      a free edge of two lanes: the consumer ends when one look finds both closed
 *             \---lane 1-->/
 *
 * A commit is one step here: commit.pml proves that it is. Orders are as in the code: what may be reordered is planted.
 *
 * FAILS: the source fails after its last item. What it gave is finished, its lanes close, and the verdict has to be `failed`.
 * The cursor keeps it: a death between that commit and the goodbye is followed by a generation that finds it there.
 *
 * case base                   | pass     | safety   | -DDEATHS=2
 * case ends                   | pass     | ltl ends | -DDEATHS=2
 * case failed_source          | pass     | safety   | -DFAILS
 * case failed_source_dies     | pass     | safety   | -DFAILS -DDEATHS=2
 * case reach_end              | assert   | safety   | -DREACH=1
 * case reach_closed_again     | assert   | safety   | -DREACH=2 -DDEATHS=1
 * case reach_half_closed      | assert   | safety   | -DREACH=3 -DDEATHS=1
 * case reach_last_item        | assert   | safety   | -DREACH=4
 * case closed_before_tail     | assert   | safety   | -DCLOSED_BEFORE_TAIL
 * case tail_then_closed       | assert   | safety   | -DTAIL_THEN_CLOSED
 * case closed_not_again       | deadlock | safety   | -DCLOSED_NOT_AGAIN -DDEATHS=1
 * case crash_is_close         | assert   | safety   | -DCRASH_IS_CLOSE -DDEATHS=1
 * case one_closed_is_all      | assert   | safety   | -DONE_CLOSED_IS_ALL
 * case close_unrung           | deadlock | safety   | -DCLOSE_UNRUNG
 * case failure_forgotten      | assert   | safety   | -DFAILS -DDEATHS=1 -DFAILURE_FORGOTTEN
 */
#ifndef DEATHS
#define DEATHS 0
#endif
#ifndef REACH
#define REACH 0
#endif
#define REACHED(n) assert(n != REACH)
#define ITEMS 4
#define CAPACITY 2

/* The producer's segment: `given` is its stage cursor. */
byte tail[2], closed[2], given;
bool finished, ended_failed;
/* The consumer's. */
byte done[2];
bool armed, bell;
/* The supervisor's. */
bool killed[2], dead[2], gone[2], failed_said;
byte deaths;

inline publish_wake()
{
	if
	:: armed -> bell = true
	:: else
	fi
}

#ifdef CLOSED_BEFORE_TAIL
inline close_early(lane) {
	if
	:: given + 1 == ITEMS -> closed[0] = 1; closed[1] = 1
	:: else
	fi
}
#else
inline close_early(lane) { skip }
#endif

active proctype Producer()
{
	byte lane;
	bool fails;

attach:
	{
		fails = false;
		do
		:: !finished && given < ITEMS ->
			if
			:: tail[0] - done[0] < CAPACITY -> lane = 0
			:: tail[1] - done[1] < CAPACITY -> lane = 1
			fi;
			close_early(lane);
			atomic { assert(!gone[1]); tail[lane] = tail[lane] + 1; given++ };
			publish_wake()
		:: !finished && given == ITEMS ->
#ifdef FAILS
			fails = true;
#endif
			atomic { finished = true; ended_failed = fails }
		:: finished ->
#ifndef FAILURE_FORGOTTEN
			fails = ended_failed; /* what the cursor says, whoever reads it */
#endif
			break
		od;
#ifdef CLOSED_NOT_AGAIN
		if
		:: deaths > 0 -> goto leave
		:: else
		fi;
#endif
		if
		:: closed[0] && !closed[1] -> REACHED(3)
		:: closed[0] && closed[1] -> REACHED(2)
		:: else
		fi;
		closed[0] = 1;
		closed[1] = 1;
#ifndef CLOSE_UNRUNG
		publish_wake();
#endif
leave:
		atomic { failed_said = fails; gone[0] = true }
	} unless {
		atomic { killed[0] -> killed[0] = false; dead[0] = true; lane = 0; fails = false }
	};
	if
	:: gone[0]
	:: !dead[0] && !gone[0] -> goto attach
	fi
}

/* input_peek() of one lane: 0 an item, 1 empty, 2 closed. */
inline peek(lane, result)
{
#ifdef TAIL_THEN_CLOSED
	seen_tail = tail[lane];
	seen_closed = closed[lane];
#else
	seen_closed = closed[lane];
	seen_tail = tail[lane];
#endif
	atomic {
		assert(seen_tail >= done[lane] && seen_tail - done[lane] <= CAPACITY);
		result = (seen_tail != done[lane] -> 0 : (seen_closed -> 2 : 1));
		if
		:: result == 0 && seen_closed -> REACHED(4)
		:: else
		fi;
		seen_tail = 0;
		seen_closed = 0
	}
}

/* input_next(): an item in lane `current`, or `what` says empty or closed. */
inline look()
{
	i = 0;
	n_closed = 0;
	do
	:: i < 2 ->
		peek(current, what);
		if
		:: what == 0 -> break
		:: else -> n_closed = n_closed + (what == 2); i++; current = 1 - current
		fi
	:: else ->
#ifdef ONE_CLOSED_IS_ALL
		what = (n_closed > 0 -> 2 : 1);
#else
		what = (n_closed == 2 -> 2 : 1);
#endif
		break
	od;
	i = 0;
	n_closed = 0
}

active proctype Consumer()
{
	byte i, current, what, n_closed, seen_tail, seen_closed;

attach:
	{
		do
		:: true ->
			look();
			if
			:: what == 0 -> done[current] = done[current] + 1
			:: what == 1 ->
				armed = true;
				look();
				if
				:: what == 1 -> atomic { bell -> bell = false }
				:: else
				fi;
				armed = false
			:: what == 2 -> break
			fi
		od;
		assert(done[0] + done[1] == ITEMS); /* it never misses the last item */
		gone[1] = true
	} unless {
		atomic { killed[1] -> killed[1] = false; dead[1] = true;
			 i = 0; current = 0; what = 0; n_closed = 0; seen_tail = 0; seen_closed = 0 }
	};
	if
	:: gone[1]
	:: !dead[1] && !gone[1] -> goto attach
	fi
}

#if DEATHS
active proctype Killer()
{
	do
	:: atomic { deaths < DEATHS && !gone[0] && !dead[0] && !killed[0] -> killed[0] = true; deaths++ }
	:: atomic { deaths < DEATHS && !gone[1] && !dead[1] && !killed[1] -> killed[1] = true; deaths++ }
	:: break
	od
}
#endif

active proctype Supervisor()
{
	do
	:: dead[0] ->
#ifdef CRASH_IS_CLOSE
		closed[0] = 1;
		closed[1] = 1;
#endif
		bell = true;
		dead[0] = false
	:: dead[1] -> armed = false; dead[1] = false
	:: gone[0] && gone[1] -> break
	od;
#ifdef FAILS
	assert(failed_said); /* a failed source is told as failed, however often its worker died */
#endif
	assert(finished && closed[0] && closed[1]);
	REACHED(1)
}

ltl ends { <> (gone[0] && gone[1]) }
