/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A broadcast shares one payload: it lies in the sender's lane 1, and lane 2 carries a reference to it. So the room of lane 1 is not
 * consumer 1's to give alone: it is free up to the smaller of that consumer's `free` and the payload of the oldest reference that
 * consumer 2's `free` has not passed.
 *
 *      Origin --lane 1: payloads-----------> Consumer 1
 *            \--lane 2: references to 1----> Consumer 2 (may be the slower by far)
 *
 * After a death the pins are read off lane 2: each reference there says where its payload begins. To keep lane 1 at consumer
 * 1's `free` until lane 2 is empty (what a forwarder does, forward.pml) is not enough: that one may be ahead (own_barrier).
 *
 * Who waits for room in lane 1 waits for consumer 2, too, and that one rings when the room of ITS lane is as much as is asked for: with
 * a need of lane 1's size, never, if lane 2 is the smaller (need_of_lane_1). Some items go to consumer 1 alone.
 *
 * case base              | pass     | safety   | -DDEATHS=2
 * case ends              | pass     | ltl ends | -DDEATHS=1
 * case reach_end         | assert   | safety   | -DREACH=1
 * case reach_pinned      | assert   | safety   | -DREACH=2
 * case reach_read_off    | assert   | safety   | -DREACH=3 -DDEATHS=1
 * case one_free          | assert   | safety   | -DONE_FREE
 * case pins_forgotten    | assert   | safety   | -DPINS_FORGOTTEN -DDEATHS=1
 * case own_barrier       | assert   | safety   | -DOWN_BARRIER -DDEATHS=1
 * case need_of_lane_1    | deadlock | safety   | -DNEED_OF_LANE_1
 */
#ifndef DEATHS
#define DEATHS 0
#endif
#ifndef ITEMS
#define ITEMS 5
#endif
#ifndef REACH
#define REACH 0
#endif
#define REACHED(n) assert(n != REACH)
#define CAPACITY 2 /* records, of either lane */
#define BYTES_1 4  /* of a record in lane 1; in lane 2 it is 1 */
#define MIN(a, b) ((a) < (b) -> (a) : (b))

/* The origin's segment: lane 0 here is lane 1 above. A reference is the payload's position and, to be checked, the item. */
byte payload[CAPACITY], reference[CAPACITY], given, tail[2];
bool closed, armed, bell;
byte need;
/* The consumers'. */
byte free[2];

bool killed[3], gone[3];
byte deaths;

#define ORIGIN 2
#define POSITION(r) ((r) & 15)
#define ITEM(r) ((r) >> 4)

/* Where lane 1 is held: the oldest outstanding reference that this generation knows of. */
#define PINNED (free[1] < tail[1] && free[1] >= known_from)
#define PIN POSITION(reference[free[1] % CAPACITY])
#ifdef ONE_FREE
#define FREE_1 free[0]
#else
#define FREE_1 MIN(PINNED -> PIN : free[0], MIN(free[0], free[1] < barrier -> barrier_free : free[0]))
#endif
#define ROOM ((tail[0] - FREE_1 < CAPACITY) && (tail[1] - free[1] < CAPACITY))

active proctype Origin()
{
	byte known_from, barrier, barrier_free;

attach:
	{
		if
		:: free[1] < tail[1] && PIN < free[0] -> REACHED(3)
		:: else
		fi;
#ifdef PINS_FORGOTTEN
		known_from = tail[1];
#endif
#ifdef OWN_BARRIER
		atomic { known_from = tail[1]; barrier = tail[1]; barrier_free = free[0] };
#endif
		do
		:: given == ITEMS -> break
		:: given < ITEMS && ROOM ->
			payload[tail[0] % CAPACITY] = given + 1;
			if
			:: atomic {
				reference[tail[1] % CAPACITY] = tail[0] + 16 * (given + 1);
				tail[0] = tail[0] + 1; tail[1] = tail[1] + 1; given++ }
			:: atomic { tail[0] = tail[0] + 1; given++ }
			fi
		:: given < ITEMS && !ROOM ->
			if
			:: tail[0] - free[0] < CAPACITY -> REACHED(2)
			:: else
			fi;
			atomic {
				if
				:: ROOM
				:: else ->
#ifdef NEED_OF_LANE_1
					need = BYTES_1;
#else
					need = 0;
#endif
					armed = true;
					bell -> bell = false;
					armed = false
				fi
			}
		od;
		closed = true;
		gone[ORIGIN] = true
	} unless {
		atomic { killed[ORIGIN] -> killed[ORIGIN] = false; armed = false; bell = false;
			 known_from = 0; barrier = 0; barrier_free = 0 };
		goto attach
	}
}

inline ring_for_room(lane)
{
	if
	:: armed && (CAPACITY - (tail[lane] - free[lane])) * (lane == 0 -> BYTES_1 : 1) >= need -> bell = true
	:: else
	fi
}

proctype Consumer(byte lane)
{
	byte r;

attach:
	{
		do
		:: tail[lane] > free[lane] ->
			if
			:: lane == 0 -> assert(payload[free[0] % CAPACITY] == free[0] + 1)
			:: else ->
				r = reference[free[1] % CAPACITY];
				assert(payload[POSITION(r) % CAPACITY] == ITEM(r))
			fi;
			atomic { r = 0; free[lane] = free[lane] + 1; ring_for_room(lane) }
		:: atomic { closed && tail[lane] == free[lane] -> break }
		od;
		gone[lane] = true
	} unless {
		atomic { killed[lane] -> killed[lane] = false; r = 0; bell = true };
		goto attach
	}
}

#if DEATHS
inline kill(i)
{
	atomic { deaths < DEATHS && !gone[i] && !killed[i] -> killed[i] = true; deaths++ }
}

active proctype Killer()
{
	do
	:: kill(0)
	:: kill(1)
	:: kill(ORIGIN)
	:: break
	od
}
#endif

active proctype Judge()
{
	gone[0] && gone[1] && gone[ORIGIN];
	assert(free[0] == ITEMS && free[1] == tail[1]);
	REACHED(1)
}

init
{
	atomic { run Consumer(0); run Consumer(1) }
}

ltl ends { <> (gone[0] && gone[1] && gone[ORIGIN]) }
