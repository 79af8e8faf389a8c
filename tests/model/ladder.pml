/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The way to the end: an order on the board, workers in every state, the rungs of the ladder, deaths and restarts.
 * Modelled: broker/supervise/{drain,ladder,reap,restart,end}.c, verdict.c, seat_state.def; wait_check_order(), wait_sleep()
 * and turn_loop() of the worker.
 *
 *      Person: drain, one more ^C   --->  Supervisor: rungs, seats  <---  kernel: deaths      Clock: the next rung
 *                                          | board.order, bells, signals
 *                     Source (0) --items--> Sink (1)
 *
 * A rung's time comes whenever the clock likes, so every point of every worker's life is met by every rung. STUCK: a
 * worker may fall into its stage and come back for SIGTERM, for SIGKILL only, or for nothing at all (left behind).
 *
 * case base               | pass     | safety   | -DDEATHS=1
 * case stuck              | pass     | safety   | -DSTUCK
 * case ends               | pass     | ltl ends | -DDEATHS=1
 * case stuck_ends         | pass     | ltl ends | -DSTUCK
 * case drain_needs_no_clock| pass    | ltl ends | -DDEATHS=1 -DNO_CLOCK
 * case reach_end          | assert   | safety   | -DREACH=1
 * case reach_drained      | assert   | safety   | -DREACH=2
 * case reach_restarted    | assert   | safety   | -DREACH=3 -DDEATHS=1
 * case reach_left_behind  | assert   | safety   | -DREACH=4 -DSTUCK
 * case reach_in_flight    | assert   | safety   | -DREACH=5
 * case reach_backoff_lost | assert   | safety   | -DREACH=6 -DDEATHS=1
 * case ring_then_order    | deadlock | safety   | -DRING_THEN_ORDER -DNO_CLOCK
 * case order_seen_too_soon| deadlock | safety   | -DORDER_SEEN_TOO_SOON -DNO_CLOCK
 * case backoff_forgotten  | deadlock | safety   | -DBACKOFF_FORGOTTEN -DDEATHS=1
 * case restarts_stay_on   | assert   | safety   | -DRESTARTS_STAY_ON -DDEATHS=1
 * case rung_left_out      | assert   | safety   | -DRUNG_LEFT_OUT
 * case told_twice         | assert   | safety   | -DTOLD_TWICE -DDEATHS=1
 * case no_last_resort     | deadlock | safety   | -DNO_LAST_RESORT -DSTUCK
 * case drain_drops        | assert   | safety   | -DDRAIN_DROPS
 */
#ifndef DEATHS
#define DEATHS 0
#endif
#ifndef REACH
#define REACH 0
#endif
#define REACHED(n) assert(n != REACH)
#define ITEMS 2

/* Rungs and orders: HOLD is "not started"; SIGTERM and SIGKILL are no orders. */
#define HOLD 0
#define RUN 1
#define DRAIN 2
#define CANCEL 3
#define TERM 4
#define KILL 5
#define BEYOND 6 /* the unkillable are left behind */

#define SEAT_ALIVE 0
#define SEAT_DEAD 1
#define SEAT_BACKOFF 2
#define SEAT_DONE 3
#define SEAT_LOST 4
#define OVER(i) (seat[i] >= SEAT_DONE)

/* How a process stands to signals; GONE: the kernel has reported it. */
#define WELL 0
#define DEAF_TO_TERM 1
#define UNKILLABLE 2

/* Shared memory. */
byte order, given, delivered;
bool closed;
/* Kernel: the process in each seat. */
bool bell[2], started[2], exited[2], dying[2], ended[2];
byte deafness[2];
/* Supervisor. */
byte rung = RUN, seat[2], told[2], rungs_climbed = RUN;
bool restarts_off, time_is_up, finished;
byte deaths;

/* A worker that is killed or has left says nothing more. */
inline leave(me, is_end)
{
	atomic { ended[me] = is_end; exited[me] = true; started[me] = false }
}

/* poll(): until somebody rings; the backstop is not counted on. */
inline doze(me) { atomic { bell[me] -> bell[me] = false } }

inline check_order(me)
{
	seen = order
}

inline get_stuck(me)
{
#ifdef STUCK
	if
	:: true
	:: deafness[me] = DEAF_TO_TERM; false
	:: deafness[me] = UNKILLABLE;
end_left_behind:
		false
	:: false /* until SIGTERM */
	fi
#else
	skip
#endif
}

active proctype Source()
{
	byte seen;

born:
	{
		started[0];
		seen = 0;
		do
		:: true ->
#ifdef ORDER_SEEN_TOO_SOON
			/* Sleeps by what it saw before it cleared the bell. */
			seen = order;
			bell[0] = false;
			if
			:: seen >= DRAIN -> break
			:: given < ITEMS -> atomic { given++; bell[1] = true }
			:: seen < DRAIN && given == ITEMS -> doze(0)
			fi
#else
			check_order(0);
			if
			:: seen >= DRAIN -> break
			:: seen < DRAIN && given < ITEMS -> get_stuck(0); atomic { given++; bell[1] = true }
			:: seen < DRAIN -> doze(0) /* waits for what comes from outside, and it never ends by itself */
			fi
#endif
		od;
		if
		:: seen < CANCEL -> closed = true; bell[1] = true
		:: else
		fi;
		leave(0, true)
	} unless { atomic { dying[0] -> dying[0] = false; exited[0] = true; started[0] = false; seen = 0 } };
	if
	:: started[0] -> goto born
	:: finished
	fi
}

active proctype Sink()
{
	byte seen;

born:
	{
		started[1];
		seen = 0;
		do
		:: true ->
			check_order(1);
			if
			:: seen >= CANCEL -> break
#ifdef DRAIN_DROPS
			:: seen == DRAIN -> break
#endif
			:: seen < CANCEL && delivered < given -> get_stuck(1); delivered++
			:: seen < CANCEL && closed && delivered == given -> break
			:: seen < CANCEL && !closed && delivered == given -> doze(1)
			fi
		od;
		leave(1, true)
	} unless { atomic { dying[1] -> dying[1] = false; exited[1] = true; started[1] = false; seen = 0 } };
	if
	:: started[1] -> goto born
	:: finished
	fi
}

inline spawn(i)
{
	atomic {
		assert(seat[i] == SEAT_BACKOFF && !started[i]);
		assert(!restarts_off && rung < CANCEL); /* nobody is born into an end */
		REACHED(3);
		seat[i] = SEAT_ALIVE;
		exited[i] = false;
		ended[i] = false;
		deafness[i] = WELL;
		started[i] = true
	}
}

inline conclude(i, verdict)
{
	seat[i] = verdict;
	told[i]++;
	assert(told[i] == 1) /* each seat ends once */
}

/* seat_reap() and seat_conclude() */
inline reap(i)
{
	atomic {
		seat[i] == SEAT_ALIVE && exited[i] -> seat[i] = SEAT_DEAD
	};
	bell[1 - i] = true;
	atomic {
		if
		:: ended[i] -> conclude(i, SEAT_DONE)
		:: !ended[i] && restarts_off -> conclude(i, SEAT_LOST)
		:: !ended[i] && !restarts_off -> seat[i] = SEAT_BACKOFF
		fi
	}
#ifdef TOLD_TWICE
	;
	atomic {
		if
		:: !ended[i] && restarts_off -> conclude(i, SEAT_LOST)
		:: else
		fi
	}
#endif
}

inline order_everybody(what)
{
#ifdef RING_THEN_ORDER
	bell[0] = true;
	bell[1] = true;
	order = (order < what -> what : order)
#else
	order = (order < what -> what : order);
	bell[0] = true;
	bell[1] = true
#endif
}

inline give_up_backoff(i)
{
	if
	:: seat[i] == SEAT_BACKOFF -> conclude(i, SEAT_LOST); REACHED(6)
	:: else
	fi
}

inline send_signal(i, deaf_from)
{
	if
	:: seat[i] == SEAT_ALIVE && started[i] && deafness[i] < deaf_from -> dying[i] = true
	:: else
	fi
}

inline climb_one(step)
{
	rungs_climbed++;
	assert(rungs_climbed == step); /* every rung once, in order */
	if
	:: step == DRAIN -> order_everybody(DRAIN)
	:: step == CANCEL ->
		order_everybody(CANCEL);
#ifndef RESTARTS_STAY_ON
		restarts_off = true;
#endif
#ifndef BACKOFF_FORGOTTEN
		atomic { give_up_backoff(0); give_up_backoff(1) }
#else
		restarts_off = true
#endif
	:: step == TERM -> atomic { send_signal(0, DEAF_TO_TERM); send_signal(1, DEAF_TO_TERM) }
	:: step == KILL -> atomic { send_signal(0, UNKILLABLE); send_signal(1, UNKILLABLE) }
	:: step == BEYOND ->
		atomic {
			if
			:: seat[0] == SEAT_ALIVE && !exited[0] && !dying[0] -> conclude(0, SEAT_LOST); REACHED(4)
			:: else
			fi;
			if
			:: seat[1] == SEAT_ALIVE && !exited[1] && !dying[1] -> conclude(1, SEAT_LOST); REACHED(4)
			:: else
			fi
		}
	fi
}

active proctype Supervisor()
{
	atomic { started[0] = true; started[1] = true; order = RUN };
	do
	:: OVER(0) && OVER(1) -> break
	:: seat[0] == SEAT_ALIVE && exited[0] -> reap(0)
	:: seat[1] == SEAT_ALIVE && exited[1] -> reap(1)
#ifdef BACKOFF_FORGOTTEN
	:: seat[0] == SEAT_BACKOFF && !restarts_off -> spawn(0)
	:: seat[1] == SEAT_BACKOFF && !restarts_off -> spawn(1)
#else
	:: seat[0] == SEAT_BACKOFF -> spawn(0)
	:: seat[1] == SEAT_BACKOFF -> spawn(1)
#endif
	:: rung == RUN -> rung = DRAIN; climb_one(DRAIN) /* a person orders it: some day */
#ifndef NO_CLOCK
	:: rung == DRAIN ->
		time_is_up = true;
#ifdef RUNG_LEFT_OUT
		if
		:: rung = TERM; climb_one(TERM)
		:: rung = CANCEL; climb_one(CANCEL)
		fi
#else
		/* or a person skips it: the rungs between are climbed too */
		if
		:: rung = CANCEL; climb_one(CANCEL)
		:: rung = TERM; climb_one(CANCEL); climb_one(TERM)
		fi
#endif
	:: rung == CANCEL -> rung = TERM; climb_one(TERM)
	:: rung == TERM -> rung = KILL; climb_one(KILL)
#ifndef NO_LAST_RESORT
	:: rung == KILL && !dying[0] && !dying[1] -> rung = BEYOND; climb_one(BEYOND)
#endif
#endif
	od;
	atomic {
		finished = true;
		REACHED(1);
		assert(delivered <= given);
		if
		:: !time_is_up ->
			assert(delivered == given && closed && seat[0] == SEAT_DONE && seat[1] == SEAT_DONE);
			REACHED(2)
		:: time_is_up && delivered < given -> REACHED(5)
		:: else
		fi
	}
}

#if DEATHS
active proctype Killer()
{
	do
	:: atomic { deaths < DEATHS && started[0] && !dying[0] -> dying[0] = true; deaths++ }
	:: atomic { deaths < DEATHS && started[1] && !dying[1] -> dying[1] = true; deaths++ }
	:: break
	od
}
#endif

ltl ends { <> finished }
