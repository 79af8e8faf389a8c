/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sleeping and waking on both sides of a lane, with a store buffer for each process, and deaths.
 * Modelled: worker/wait.c, turn_wake() in worker/turn.c, common/memory/doorbell.c, seat_ring_neighbours() of the supervisor.
 *
 *      Producer (0)  -- store buffer --> memory[] <-- store buffer --  Consumer (1)
 *
 * A store waits in the process's own buffer, seen by itself alone, until Memory moves it or a fence empties it. That is
 * what makes a missing fence matter. What has been stored survives a death. A sleeper has no backstop here: whoever
 * sleeps beside work for ever is a deadlock, and found as one.
 *
 * The lane holds 3 records and, as on ordered edges, data leaves room for a run end. A turn of the producer is two records
 * and the run end: the second record waits with the first one built but hidden, so `free` alone does not say how much room
 * there is. The consumer takes one record or all that it sees, as one turn.
 *
 * reserve_twice: the waiter adds the lane's reserve to a need that has it already, and sleeps beside room.
 *
 * case base               | pass     | safety    |
 * case death              | pass     | safety    | -DDEATHS=1
 * case ends               | pass     | ltl ends  |
 * case death_ends         | pass     | ltl ends  | -DDEATHS=1 -DTURNS=1
 * case reach_end          | assert   | safety    | -DREACH=1
 * case reach_sleep_data   | assert   | safety    | -DREACH=2
 * case reach_sleep_space  | assert   | safety    | -DREACH=3
 * case reach_rung_once    | assert   | safety    | -DREACH=4
 * case reach_unrung_death | assert   | safety    | -DREACH=5 -DDEATHS=1
 * case no_fence_waiter    | deadlock | safety    | -DNO_FENCE_WAITER
 * case no_fence_waker     | deadlock | safety    | -DNO_FENCE_WAKER
 * case look_then_arm      | deadlock | safety    | -DLOOK_THEN_ARM
 * case clear_after_look   | deadlock | safety    | -DCLEAR_AFTER_LOOK
 * case neighbours_unrung  | deadlock | safety    | -DDEATHS=1 -DNEIGHBOURS_UNRUNG
 * case epoch_from_zero    | deadlock | safety    | -DDEATHS=1 -DEPOCH_FROM_ZERO
 * case one_ring_for_all   | deadlock | safety    | -DONE_RING_FOR_ALL
 * case close_unrung       | deadlock | safety    | -DCLOSE_UNRUNG
 * case reserve_twice      | deadlock | safety    | -DRESERVE_TWICE
 */
#ifndef TURNS
#define TURNS 2
#endif
#ifndef DEATHS
#define DEATHS 0
#endif
#ifndef REACH
#define REACH 0
#endif
#define REACHED(n) assert(n != REACH)

#define CAPACITY 3
#define RESERVE 1
#define RECORDS_A_TURN 3
#define NEED (1 + RESERVE)

/* Words of shared memory: the first three are the producer's. */
#define TAIL 0
#define CLOSED 1
#define ARMED 2 /* + process */
#define FREE 4
#define NOWHERE 9
#define DATA 1
#define SPACE 2

short memory[5];
byte buffer_place[2] = NOWHERE;
short buffer_value[2];
bool bell[2];
bool killed[2], dead[2], ended[2];
byte generation[2], deaths;

#define EMPTY(me) (buffer_place[me] == NOWHERE)
#define SEEN(me, place) (buffer_place[me] == (place) -> buffer_value[me] : memory[place])

inline store(me, place, value)
{
	atomic { EMPTY(me) -> buffer_place[me] = place; buffer_value[me] = value }
}

inline flush(me)
{
	atomic { !EMPTY(me) -> memory[buffer_place[me]] = buffer_value[me]; buffer_place[me] = NOWHERE; buffer_value[me] = 0 }
}

active proctype Memory()
{
end:	do
	:: flush(0)
	:: flush(1)
	od
}

inline fence(me) { EMPTY(me) }

/* doorbell_wake(); `room` is an upper bound of what the sleeper has. */
inline wake(me, event, room)
{
#ifndef NO_FENCE_WAKER
	fence(me);
#endif
	word = SEEN(me, ARMED + 1 - me);
	if
	:: (word & event) && word != rung && (event == DATA || (room) >= NEED) ->
#ifdef ONE_RING_FOR_ALL
		rung = -1;
		if
		:: has_rung
		:: else -> bell[1 - me] = true; has_rung = true
		fi
#else
		rung = word;
		bell[1 - me] = true
#endif
	:: else ->
		if
		:: (word & event) && word == rung -> REACHED(4)
		:: else
		fi
	fi;
	word = 0
}

inline arm(me, event)
{
	epoch++;
	store(me, ARMED + me, epoch * 4 + event);
#ifndef NO_FENCE_WAITER
	fence(me)
#endif
}

/* wait_sleep(), before the look and after it. */
inline get_ready(me, event)
{
#ifndef LOOK_THEN_ARM
	arm(me, event)
#else
	skip
#endif
}

inline doze(me, event)
{
#ifdef LOOK_THEN_ARM
	arm(me, event);
#endif
#ifdef CLEAR_AFTER_LOOK
	bell[me] = false;
#endif
	if
	:: !bell[me] -> REACHED(event + 1)
	:: else
	fi;
	atomic { bell[me] -> bell[me] = false }
}

#ifdef EPOCH_FROM_ZERO
#define FIRST_EPOCH(me) 0
#else
#define FIRST_EPOCH(me) (generation[me] * 16)
#endif

/* How many records could be built now, as the look of a sleeper sees it. */
#ifdef RESERVE_TWICE
#define ROOM_TO_LOOK (CAPACITY - (built - SEEN(0, FREE)) - RESERVE)
#else
#define ROOM_TO_LOOK (CAPACITY - (built - SEEN(0, FREE)))
#endif

active proctype Producer()
{
	short word, rung, epoch;
	byte built, tail, free_cached;
	bool has_rung;

attach:
	{
		atomic {
			built = memory[TAIL];
			tail = built;
			free_cached = memory[FREE];
			epoch = FIRST_EPOCH(0)
		};
		do
		:: tail == TURNS * RECORDS_A_TURN -> break
		:: tail < TURNS * RECORDS_A_TURN && built - tail < RECORDS_A_TURN - 1 ->
			if
			:: CAPACITY - (built - free_cached) >= NEED -> built++
			:: else ->
				free_cached = SEEN(0, FREE);
				if
				:: CAPACITY - (built - free_cached) >= NEED
				:: else ->
					get_ready(0, SPACE);
					if
					:: ROOM_TO_LOOK >= NEED
					:: else -> doze(0, SPACE)
					fi;
					store(0, ARMED + 0, 0)
				fi
			fi
		:: built - tail == RECORDS_A_TURN - 1 ->
			atomic { assert(CAPACITY - (built - free_cached) >= RESERVE); built++ };
			store(0, TAIL, built);
			tail = built;
			wake(0, DATA, 0)
		od;
		store(0, CLOSED, 1);
#ifndef CLOSE_UNRUNG
		wake(0, DATA, 0);
#endif
		ended[0] = true
	} unless {
		atomic { killed[0] -> killed[0] = false; dead[0] = true;
			 word = 0; rung = 0; epoch = 0; built = 0; tail = 0; free_cached = 0; has_rung = false }
	};
	if
	:: ended[0]
	:: !dead[0] && !ended[0] -> goto attach
	fi
}

active proctype Consumer()
{
	short word, rung, epoch;
	byte next, tail;
	bool has_rung, closed;

attach:
	{
		atomic { next = memory[FREE]; epoch = FIRST_EPOCH(1) };
		do
		:: true ->
			closed = SEEN(1, CLOSED);
			tail = SEEN(1, TAIL);
			if
			:: tail > next ->
				if
				:: next++
				:: next = tail
				fi;
				store(1, FREE, next);
				wake(1, SPACE, CAPACITY - (tail - next))
			:: tail == next && closed -> break
			:: tail == next && !closed ->
				get_ready(1, DATA);
				if
				:: (SEEN(1, TAIL) != next) || SEEN(1, CLOSED)
				:: else -> doze(1, DATA)
				fi;
				store(1, ARMED + 1, 0)
			fi
		od;
		assert(next == TURNS * RECORDS_A_TURN);
		REACHED(1);
		ended[1] = true
	} unless {
		atomic { killed[1] -> killed[1] = false; dead[1] = true;
			 word = 0; rung = 0; epoch = 0; next = 0; tail = 0; closed = false; has_rung = false }
	};
	if
	:: ended[1]
	:: !dead[1] && !ended[1] -> goto attach
	fi
}

#if DEATHS
active proctype Killer()
{
	do
	:: atomic { deaths < DEATHS && !ended[0] && !dead[0] && !killed[0] -> killed[0] = true; deaths++ }
	:: atomic { deaths < DEATHS && !ended[1] && !dead[1] && !killed[1] -> killed[1] = true; deaths++ }
	:: break
	od
}

inline bury(me)
{
	/* The kernel's report comes behind all that the dead has stored. */
	dead[me] && EMPTY(me);
	memory[ARMED + me] = 0;
	if
	:: memory[ARMED + 1 - me] != 0 && !bell[1 - me] -> REACHED(5)
	:: else
	fi;
#ifndef NEIGHBOURS_UNRUNG
	bell[1 - me] = true;
#endif
	atomic { generation[me]++; dead[me] = false }
}

active proctype Supervisor()
{
end:	do
	:: bury(0)
	:: bury(1)
	od
}
#endif

ltl ends { <> (ended[0] && ended[1]) }
