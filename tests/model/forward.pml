/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Forwarding by reference: the payload stays in the origin's lane, a record in the next lanes says where it lies, and each forwarder
 * keeps its own `free` back until the next one's has passed the record.
 *
 *      Origin --lane 0--> Forwarder 1 --lane 1--> (Forwarder 2 --lane 2-->) Sink
 *
 *      pin: { end of the record in the output lane, start of the record in the input lane }, private, put down before the commit
 *      free of the input lane = min(done, starts of the pins whose record the next one's free has not passed)
 *
 * Pins die with their process. So the repair leaves `free` alone, and the next generation, before it lets `free` move, keeps it
 * where it is until the next one's free has passed all that lies in the output lane now (a barrier): no search for what belongs to
 * which record. A lane deep in the chain carries references too, pinned in the same way. Each item is forwarded or copied as the
 * forwarder likes; a copy carries its bytes with it.
 *
 * Who has pins sleeps for space as well, and looks behind the arming whether a pin can go; else the origin sleeps for room, the
 * forwarder for data and the sink for data, for ever. Waking is as in doorbell.pml, without its fences and needs. The first forwarder may
 * keep its pins instead until the origin asks for them, unless the origin sleeps for room already.
 *
 * Commits are one step; `free` follows in another.
 *
 * case base              | pass     | safety   |
 * case death             | pass     | safety   | -DDEATHS=1
 * case two_deaths        | pass     | safety   | -DDEATHS=2 -DITEMS=3
 * case chain             | pass     | safety   | -DHOPS=2 -DITEMS=3
 * case chain_death       | pass     | safety   | -DHOPS=2 -DITEMS=2 -DCAPACITY=1 -DDEATHS=1
 * case ends              | pass     | ltl ends | -DDEATHS=1 -DITEMS=3
 * case reach_end         | assert   | safety   | -DREACH=1
 * case reach_held_back   | assert   | safety   | -DREACH=2
 * case reach_barrier     | assert   | safety   | -DREACH=3 -DDEATHS=1
 * case reach_left_pinned | assert   | safety   | -DREACH=4
 * case reach_woken_free  | assert   | safety   | -DREACH=5
 * case reach_asked       | assert   | safety   | -DREACH=6
 * case repair_sets_free  | assert   | safety   | -DREPAIR_SETS_FREE -DDEATHS=1
 * case pins_forgotten    | assert   | safety   | -DPINS_FORGOTTEN -DDEATHS=1
 * case free_with_done    | assert   | safety   | -DFREE_WITH_DONE
 * case pin_after_commit  | assert   | safety   | -DPIN_AFTER_COMMIT
 * case judged_by_done    | assert   | safety   | -DJUDGED_BY_DONE -DHOPS=2 -DITEMS=3
 * case armed_for_data    | deadlock | safety   | -DARMED_FOR_DATA
 * case pins_not_looked_at| deadlock | safety   | -DPINS_NOT_LOOKED_AT
 * case release_unrung    | deadlock | safety   | -DRELEASE_UNRUNG
 * case not_asked         | deadlock | safety   | -DNOT_ASKED
 * case asker_not_seen    | deadlock | safety   | -DASKER_NOT_SEEN
 */
#ifndef DEATHS
#define DEATHS 0
#endif
#ifndef ITEMS
#define ITEMS 4
#endif
#ifndef HOPS
#define HOPS 1
#endif
#ifndef CAPACITY
#define CAPACITY 2
#endif
#ifndef REACH
#define REACH 0
#endif
#define REACHED(n) assert(n != REACH)

#define LANES (HOPS + 1)
#define SINK (HOPS + 1)
#define DATA 1
#define SPACE 2
#define WANTED 4 /* to be asked for room */
#define COPY(item) (128 + (item)) /* a record with its bytes; else the position in lane 0 */
#define MIN(a, b) ((a) < (b) -> (a) : (b))

/* lane i: process i sends, process i + 1 receives */
byte cell0[CAPACITY];                /* the payloads */
byte record[HOPS * CAPACITY];        /* of lanes 1.. */
byte tail[LANES], done[LANES], free[LANES];
bool closed[LANES];
byte armed[HOPS + 2];
bool bell[HOPS + 2], killed[HOPS + 2], gone[HOPS + 2];
byte deaths;

#define RECORD(lane, position) record[((lane) - 1) * CAPACITY + (position) % CAPACITY]

inline ring(who, event)
{
	if
	:: armed[who] & event -> bell[who] = true
	:: else
	fi
}

inline doze(me)
{
	bell[me] -> bell[me] = false
}

/* After a death: the supervisor rings the neighbours. What was armed is not. */
inline bury(me)
{
	killed[me] = false;
	armed[me] = 0;
	bell[me] = false;
	if
	:: me > 0 -> bell[me - 1] = true
	:: else
	fi;
	if
	:: me < SINK -> bell[me + 1] = true
	:: else
	fi
}

active proctype Origin()
{
attach:
	{
		do
		:: tail[0] < ITEMS && tail[0] - free[0] < CAPACITY ->
			cell0[tail[0] % CAPACITY] = tail[0] + 1;
			atomic { tail[0] = tail[0] + 1; ring(1, DATA) }
		:: tail[0] < ITEMS && tail[0] - free[0] == CAPACITY ->
			atomic {
				if
				:: tail[0] - free[0] < CAPACITY
				:: else ->
					armed[0] = SPACE;
#ifndef NOT_ASKED
					ring(1, WANTED);
#endif
					doze(0);
					armed[0] = 0
				fi
			}
		:: tail[0] == ITEMS -> break
		od;
		atomic { closed[0] = true; ring(1, DATA); gone[0] = true }
	} unless { atomic { killed[0] -> bury(0) }; goto attach }
}

/* The bytes of a record in the lane, as they are now. */
inline look_through(lane, position)
{
	atomic {
		x = (lane == 0 -> position : RECORD(lane, position));
		assert((x & 128 -> x - 128 : cell0[x % CAPACITY]) == position + 1)
	}
}

#ifdef JUDGED_BY_DONE
#define PASSED(me) done[me]
#else
#define PASSED(me) free[me]
#endif

/* The oldest pin's start, or done. Records come one by one, so pin[end] fits the output lane. */
inline release(me)
{
	atomic {
		do
		:: oldest < tail[me] && PASSED(me) > oldest -> pin[oldest % CAPACITY] = 0; oldest++
		:: oldest < tail[me] && PASSED(me) <= oldest && pin[oldest % CAPACITY] == 0 -> oldest++
		:: else -> break
		od;
		x = done[me - 1];
		if
		:: oldest < tail[me] -> x = MIN(x, pin[oldest % CAPACITY] - 1)
		:: else
		fi;
		if
		:: PASSED(me) < barrier -> x = MIN(x, free[me - 1])
		:: else -> barrier = 0
		fi;
#ifdef FREE_WITH_DONE
		x = done[me - 1];
#endif
		assert(x >= free[me - 1]);
		if
		:: x < done[me - 1] -> REACHED(2)
		:: else
		fi
	};
	if
	:: x > free[me - 1] ->
		atomic {
			free[me - 1] = x;
#ifndef RELEASE_UNRUNG
			ring(me - 1, SPACE)
#endif
		}
	:: else
	fi;
	x = 0
}

/* Something that a pin, or the barrier, waits for has come. */
#define PIN_CAN_GO(me) ((oldest < tail[me] && free[me] > oldest) || (barrier > 0 && free[me] >= barrier))
#define HAS_PINS(me) (oldest < tail[me] || barrier > 0)
#ifdef ARMED_FOR_DATA
#define SPACE_TOO(me) 0
#else
#define SPACE_TOO(me) (HAS_PINS(me) -> SPACE : 0)
#endif
#ifdef ASKER_NOT_SEEN
#define NOBODY_ASKS true
#else
#define NOBODY_ASKS !(armed[0] & SPACE)
#endif
#ifdef PINS_NOT_LOOKED_AT
#define LOOK(me) false
#else
#define LOOK(me) PIN_CAN_GO(me)
#endif

proctype Forwarder(byte me)
{
	byte pin[CAPACITY], oldest, barrier, x, what;

attach:
	{
		atomic {
			oldest = tail[me];
#ifndef PINS_FORGOTTEN
			if
			:: free[me] < tail[me] -> barrier = tail[me]; REACHED(3)
			:: else
			fi
#endif
		};
		do
		:: true ->
			release(me);
			if
			:: tail[me - 1] > done[me - 1] && tail[me] - free[me] < CAPACITY ->
				look_through(me - 1, done[me - 1]);
				if
				:: what = (me == 1 -> done[0] : x); /* the reference that came, or one to what came; a copy stays one */
#ifndef PIN_AFTER_COMMIT
					pin[tail[me] % CAPACITY] = done[me - 1] + 1
#endif
				:: what = COPY(done[me - 1] + 1)
				fi;
				atomic {
					x = done[me - 1];
					RECORD(me, tail[me]) = what;
					tail[me] = tail[me] + 1;
					done[me - 1] = x + 1;
					ring(me + 1, DATA)
				};
#ifdef PIN_AFTER_COMMIT
				release(me);
				if
				:: what & 128
				:: else -> pin[(tail[me] - 1) % CAPACITY] = done[me - 1]; oldest = MIN(oldest, tail[me] - 1)
				fi;
#endif
				atomic { x = 0; what = 0 }
			:: tail[me - 1] == done[me - 1] && closed[me - 1] -> break
			:: else ->
				atomic {
					if
					:: tail[me - 1] > done[me - 1] && tail[me] - free[me] < CAPACITY
					:: tail[me - 1] == done[me - 1] && closed[me - 1]
					:: LOOK(me)
					:: else ->
						armed[me] = (tail[me - 1] > done[me - 1] -> SPACE : DATA | SPACE_TOO(me));
						if
						:: me == 1 && armed[me] == (DATA | SPACE) && NOBODY_ASKS -> armed[me] = DATA | WANTED
						:: true
						fi;
						doze(me);
						if
						:: armed[me] & WANTED && armed[0] & SPACE -> REACHED(6)
						:: else
						fi;
						armed[me] = 0;
						if
						:: tail[me - 1] == done[me - 1] && PIN_CAN_GO(me) -> REACHED(5)
						:: else
						fi
					fi
				}
			fi
		od;
		if
		:: HAS_PINS(me) -> REACHED(4)
		:: else
		fi;
		atomic { closed[me] = true; ring(me + 1, DATA); pin[0] = 0; oldest = 0; barrier = 0; gone[me] = true }
	} unless {
		atomic {
			killed[me] -> bury(me);
			pin[0] = 0;
#if CAPACITY > 1
			pin[1] = 0;
#endif
			oldest = 0; barrier = 0; x = 0; what = 0;
#ifdef REPAIR_SETS_FREE
			free[me - 1] = done[me - 1]
#endif
		};
		goto attach
	}
}

proctype Sink()
{
	byte x;

attach:
	{
		atomic { free[HOPS] = done[HOPS]; ring(HOPS, SPACE) }; /* it holds no pins */
		do
		:: tail[HOPS] > done[HOPS] ->
			look_through(HOPS, done[HOPS]);
			x = 0;
			done[HOPS] = done[HOPS] + 1;
			atomic { free[HOPS] = done[HOPS]; ring(HOPS, SPACE) }
		:: atomic { tail[HOPS] == done[HOPS] && closed[HOPS] -> break }
		:: tail[HOPS] == done[HOPS] && !closed[HOPS] ->
			atomic {
				if
				:: tail[HOPS] > done[HOPS] || closed[HOPS]
				:: else -> armed[SINK] = DATA; doze(SINK); armed[SINK] = 0
				fi
			}
		od;
		gone[SINK] = true
	} unless { atomic { killed[SINK] -> bury(SINK); x = 0 }; goto attach }
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
	:: kill(2)
#if HOPS > 1
	:: kill(3)
#endif
	:: break
	od
}
#endif

active proctype Judge()
{
	gone[0] && gone[1] && gone[SINK];
	assert(done[HOPS] == ITEMS);
	REACHED(1)
}

init
{
	atomic {
		run Forwarder(1);
#if HOPS > 1
		run Forwarder(2);
#endif
		run Sink()
	}
}

ltl ends { <> gone[SINK] }
