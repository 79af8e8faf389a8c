/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Order through several workers: one dealer cuts the stream into numbered runs, ordered workers pass the tickets on, one
 * merger takes run after run. Modelled: DEAL and KEEP edges in worker/output.c, turn_run_end() in worker/turn.c,
 * input_next_merged() in worker/input.c.
 *
 *      Dealer --lane 0--> Worker 0 --lane 0--> Merger           a record is (ticket, item); item 0 ends the run
 *            \--lane 1--> Worker 1 --lane 1-->/                 all lanes are bounded: a run can be longer than a lane
 *
 * A commit is one step (commit.pml proves that it is); what lies between two commits is private and lost in a death. Every
 * commit rings (doorbell.pml). Item 2 is filtered, so a run can come out empty. The dealer may take any lane that has room.
 *
 * case two_workers       | pass     | safety   | -DITEMS=5
 * case two_and_death     | pass     | safety   | -DDEATHS=1 -DITEMS=3 -DCAPACITY=2
 * case three_workers     | pass     | safety   | -DWORKERS=3 -DITEMS=3 -DCAPACITY=2
 * case three_and_death   | pass     | safety   | -DWORKERS=3 -DITEMS=2 -DDEATHS=1 -DCAPACITY=2
 * case ends              | pass     | ltl ends | -DDEATHS=1 -DITEMS=3 -DCAPACITY=2
 * case reach_end         | assert   | safety   | -DREACH=1
 * case reach_waits_later | assert   | safety   | -DREACH=2
 * case reach_empty_run   | assert   | safety   | -DREACH=3
 * case reach_long_run    | assert   | safety   | -DREACH=4
 * case reach_in_run_death| assert   | safety   | -DREACH=5 -DDEATHS=1 -DITEMS=3
 * case any_run           | assert   | safety   | -DANY_RUN
 * case no_reserve        | assert   | safety   | -DNO_RESERVE
 * case empty_run_dropped | assert   | safety   | -DEMPTY_RUN_DROPPED
 * case target_private    | assert   | safety   | -DTARGET_PRIVATE -DDEATHS=1 -DITEMS=3
 * case expected_private  | assert   | safety   | -DEXPECTED_PRIVATE -DDEATHS=1 -DITEMS=3
 * case run_scattered     | assert   | safety   | -DRUN_SCATTERED
 * case lane_by_ticket    | deadlock | safety   | -DLANE_BY_TICKET
 * case run_left_open     | deadlock | safety   | -DRUN_LEFT_OPEN
 */
#ifndef WORKERS
#define WORKERS 2
#endif
#ifndef ITEMS
#define ITEMS 4
#endif
#ifndef DEATHS
#define DEATHS 0
#endif
#ifndef REACH
#define REACH 0
#endif
#define REACHED(n) assert(n != REACH)

#ifndef CAPACITY
#define CAPACITY 3
#endif
#define LONGEST_RUN 3
#ifdef NO_RESERVE
#define RESERVE 0
#else
#define RESERVE 1
#endif
#define ROOM(lane) (CAPACITY - len(lane))
#define RECORD(ticket, item) ((ticket) * 8 + (item))
#define TICKET(record) ((record) / 8)
#define ITEM(record) ((record) % 8)
#define IS_END(record) (ITEM(record) == 0)
#define NOBODY 9

chan in_lane[WORKERS] = [CAPACITY] of { byte };
chan out_lane[WORKERS] = [CAPACITY] of { byte };
bool in_closed[WORKERS], out_closed[WORKERS];
/* The dealer's cursor: items given, the open run. `run_length` is the dice's: how long the run will be. */
byte given, ticket, run_records, run_length, target;
/* The merger's. */
byte expected, delivered;
bool merger_bell, finished;
/* The kernel's: who is killed. Dealer WORKERS, merger WORKERS + 1. */
byte victim = NOBODY, deaths;

#define DEALER WORKERS
#define MERGER (WORKERS + 1)
#define NEXT_DELIVERED (delivered == 0 -> 1 : delivered + 2)

inline pick(lane)
{
	if
	:: ROOM(in_lane[0]) > RESERVE -> lane = 0
	:: ROOM(in_lane[1]) > RESERVE -> lane = 1
#if WORKERS > 2
	:: ROOM(in_lane[2]) > RESERVE -> lane = 2
#endif
	fi
}

active proctype Dealer()
{
	byte lane;

attach:
	{
		do
		:: given == ITEMS && run_records == 0 -> break
#ifdef RUN_LEFT_OPEN
		:: given == ITEMS && run_records > 0 -> break
#else
		:: run_records > 0 && (run_records == run_length || given == ITEMS) ->
			atomic {
				assert(ROOM(in_lane[target]) >= 1); /* every push has left room for it */
				in_lane[target] ! RECORD(ticket, 0);
				ticket++;
				run_records = 0;
				run_length = 0
			}
#endif
		:: given < ITEMS && run_records == 0 ->
			pick(lane);
			atomic {
				if
				:: run_length = 1
				:: run_length = LONGEST_RUN
				fi;
				target = lane;
				in_lane[target] ! RECORD(ticket, given + 1);
				run_records = 1;
				given++
			}
		:: given < ITEMS && run_records > 0 && run_records < run_length ->
#ifdef RUN_SCATTERED
			pick(target);
#endif
#ifdef TARGET_PRIVATE
			/* `lane` has not outlived the last generation. */
			atomic { ROOM(in_lane[lane]) > RESERVE -> target = lane };
#endif
			atomic {
				ROOM(in_lane[target]) > RESERVE ->
				in_lane[target] ! RECORD(ticket, given + 1);
				run_records++;
				given++
			};
			if
			:: run_records == CAPACITY -> REACHED(4)
			:: else
			fi
		od;
		lane = 0;
		do
		:: lane < WORKERS -> in_closed[lane] = true; lane++
		:: else -> break
		od
	} unless { atomic { victim == DEALER -> victim = NOBODY; lane = 0 }; goto attach }
}

proctype Worker(byte me)
{
	byte record;
	bool has_emitted;

attach:
	{
		do
		:: atomic { len(in_lane[me]) > 0 && ROOM(out_lane[me]) > RESERVE -> in_lane[me] ? <record> };
			if
			:: IS_END(record) ->
#ifdef EMPTY_RUN_DROPPED
				if
				:: !has_emitted -> in_lane[me] ? _
				:: else ->
#endif
				/* output_run_end() asks for the reserve besides: more than it uses */
				atomic {
					ROOM(out_lane[me]) > RESERVE ->
					if
					:: !has_emitted -> REACHED(3)
					:: else
					fi;
					in_lane[me] ? _;
					out_lane[me] ! record;
					merger_bell = true;
					record = 0;
					has_emitted = false
				}
#ifdef EMPTY_RUN_DROPPED
				fi
#endif
			:: ITEM(record) == 2 -> atomic { in_lane[me] ? _; record = 0 }
			:: else ->
				atomic {
					ROOM(out_lane[me]) > RESERVE ->
					in_lane[me] ? _;
					out_lane[me] ! record;
					merger_bell = true;
					has_emitted = true;
					record = 0
				}
			fi
		:: in_closed[me] && len(in_lane[me]) == 0 -> break
		od;
		out_closed[me] = true;
		merger_bell = true
	} unless { atomic { victim == me -> victim = NOBODY; record = 0; has_emitted = false }; goto attach }
}

/* input_next_merged(): `found` or closed or neither. */
inline look()
{
	atomic { found = false; closed = false; n_closed = 0; n_later = 0 };
	if
	:: in_run ->
		atomic {
			if
			:: len(out_lane[current]) > 0 -> out_lane[current] ? <record>; found = true
			:: else -> assert(!out_closed[current]) /* closed in the middle of a run */
			fi
		}
	:: else ->
		i = 0;
		do
		:: i < WORKERS && !found ->
#ifdef LANE_BY_TICKET
			i = expected % WORKERS;
#endif
			atomic { /* close.pml has the order of these two loads */
				if
				:: len(out_lane[i]) == 0 -> n_closed = n_closed + out_closed[i]
				:: else ->
					out_lane[i] ? <record>;
#ifndef ANY_RUN
					assert(TICKET(record) >= expected); /* a run comes twice */
					if
					:: TICKET(record) == expected -> found = true
					:: else -> n_later++; record = 0
					fi
#else
					found = true
#endif
				fi;
				if
				:: found -> current = i; in_run = true
				:: else -> i++
				fi
			}
#ifdef LANE_BY_TICKET
			;
			if
			:: !found -> break
			:: else
			fi
#endif
		:: else -> break
		od;
		atomic {
			i = 0;
			assert(found || n_later == 0 || n_closed + n_later < WORKERS); /* a run is missing */
			if
			:: n_later > 0 && !found -> REACHED(2)
			:: else
			fi;
			closed = (!found && n_closed == WORKERS);
			n_closed = 0;
			n_later = 0
		}
	fi
}

active proctype Merger()
{
	byte i, current, record, n_closed, n_later;
	bool in_run, found, closed;

attach:
	{
#ifdef EXPECTED_PRIVATE
		expected = 0;
#endif
		do
		:: true ->
			look();
			if
			:: found && IS_END(record) ->
				atomic { out_lane[current] ? _; expected++; in_run = false; record = 0; found = false; current = 0 }
			:: found && !IS_END(record) ->
				atomic {
					assert(ITEM(record) == NEXT_DELIVERED); /* order kept, nothing lost or twice */
					out_lane[current] ? _;
					delivered++;
					record = 0;
					found = false
				}
			:: closed -> break
			:: !found && !closed -> atomic { merger_bell -> merger_bell = false }
			fi
		od;
		assert(delivered == ITEMS - 1 && given == ITEMS && run_records == 0);
		finished = true;
		REACHED(1)
	} unless {
		atomic {
			victim == MERGER ->
			victim = NOBODY;
			if
			:: in_run -> REACHED(5)
			:: else
			fi;
			i = 0; current = 0; record = 0; n_closed = 0; n_later = 0;
			in_run = false; found = false; closed = false;
			merger_bell = true
		};
		goto attach
	}
}

#if DEATHS
active proctype Killer()
{
	do
	:: atomic {
		deaths < DEATHS && victim == NOBODY && !finished ->
		deaths++;
		if
		:: victim = 0 /* one worker is as good as another: the dealer may choose any lane */
		:: victim = DEALER
		:: victim = MERGER
		fi
	   }
	:: victim == NOBODY -> break
	:: finished -> break
	od
}
#endif

init
{
	atomic {
		run Worker(0);
		run Worker(1);
#if WORKERS > 2
		run Worker(2)
#endif
	}
}

ltl ends { <> finished }
