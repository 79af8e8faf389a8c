/* SPDX-License-Identifier: Apache-2.0 */
/*
 * full: drop-old. The producer overwrites the oldest records without asking anybody; the consumer copies a record into the hold of
 * its own segment before it works on it, and is the one judge: copied whole, or found overwritten. So never both, never neither,
 * and nobody waits for anybody. A consumer that is stuck in process() holds nothing in the lane.
 *
 *      producer's segment               consumer's segment
 *      low        nothing below is intact   free      everything below has left the lane: ahead of `done` while the hold is full
 *      tail       committed                 hold      position, ordinal, record
 *      tail_ordinal  records before tail    done, done_ordinal   passed: processed or dropped; the gap of ordinals is what was dropped
 *
 *      full: low := x; fence; build there   copy to the hold; fence; low > position ? again : free := end; work; commit
 *
 * `low` is not in the record: it runs ahead of a commit that may never come. What it gave up is gone and will be counted. A commit
 * is one step (commit.pml proves that it is). Records are of one or two cells, so a copy can be torn, and positions are not ordinals.
 * The first record may be the last (a source that ends after a death without sending again), so the lane may end with a gap.
 *
 * case base              | pass     | safety   | -DDEATHS=1
 * case two_deaths        | pass     | safety   | -DDEATHS=2 -DRECORDS=4
 * case ends              | pass     | ltl ends | -DDEATHS=1
 * case stuck             | pass     | ltl producer_ends | -DDEATHS=1 -DSTUCK
 * case reach_end         | assert   | safety   | -DREACH=1
 * case reach_torn        | assert   | safety   | -DREACH=2
 * case reach_hold_kept   | assert   | safety   | -DREACH=3 -DDEATHS=1
 * case reach_passed_hold | assert   | safety   | -DREACH=4
 * case reach_gap_at_end  | assert   | safety   | -DREACH=5 -DDEATHS=1
 * case reach_no_header   | assert   | safety   | -DREACH=6
 * case reach_old_low     | assert   | safety   | -DREACH=7
 * case low_after_bytes   | assert   | safety   | -DLOW_AFTER_BYTES
 * case not_validated     | assert   | safety   | -DNOT_VALIDATED
 * case free_before_hold  | assert   | safety   | -DFREE_BEFORE_HOLD -DDEATHS=1
 * case repair_sets_free  | assert   | safety   | -DREPAIR_SETS_FREE -DDEATHS=1
 * case counted_outside   | assert   | safety   | -DCOUNTED_OUTSIDE -DDEATHS=1
 * case ordinal_private   | assert   | safety   | -DORDINAL_PRIVATE -DDEATHS=1
 * case end_not_counted   | assert   | safety   | -DEND_NOT_COUNTED -DDEATHS=1
 * case tail_then_closed  | assert   | safety   | -DTAIL_THEN_CLOSED
 * case tail_then_low     | assert   | safety   | -DTAIL_THEN_LOW
 * case low_private       | assert   | safety   | -DLOW_PRIVATE -DDEATHS=1
 * case waits_for_room    | cycle    | ltl producer_ends | -DWAITS_FOR_ROOM -DSTUCK
 */
#ifndef DEATHS
#define DEATHS 0
#endif
#ifndef RECORDS
#define RECORDS 5
#endif
#ifndef REACH
#define REACH 0
#endif
#define REACHED(n) assert(n != REACH)
#define CAPACITY 3
#define BATCH 2

#define SIZE(ordinal) ((ordinal) % 3 == 0 -> 1 : 2)
#define HEAD(ordinal) ((ordinal) * 2)
#define BODY(ordinal) ((ordinal) * 2 + 1)
#define MAX(a, b) ((a) > (b) -> (a) : (b))

/* The producer's segment. */
byte cell[CAPACITY], low, tail, tail_ordinal;
bool finished, closed;
/* The consumer's. */
byte hold_head, hold_body, hold_ordinal;
byte done, done_ordinal, free, dropped;
/* What really happened. */
byte processed, n_processed, deaths;
bool killed[2], ended[2];

active proctype Producer()
{
	byte built, ordinal, base, x;

attach:
	{
		atomic { built = tail; ordinal = tail_ordinal };
		do
		:: finished -> break
		:: !finished && built == tail && (tail_ordinal == RECORDS || deaths > 0) -> finished = true
		:: !finished && built > tail -> atomic { tail = built; tail_ordinal = ordinal }
		:: !finished && ordinal < RECORDS && ordinal - tail_ordinal < BATCH ->
#ifdef LOW_PRIVATE
			base = MAX(free, x);
#else
			base = MAX(free, low);
#endif
			if
			:: built + SIZE(ordinal) - base > CAPACITY ->
				/* what is complete is committed before anything is given up */
				if
				:: built > tail -> atomic { tail = built; tail_ordinal = ordinal }
				:: else
				fi;
#ifdef WAITS_FOR_ROOM
				built + SIZE(ordinal) - free <= CAPACITY;
#else
				atomic {
					x = base;
					do
					:: built + SIZE(ordinal) - x > CAPACITY ->
						assert(x < tail && !(cell[x % CAPACITY] & 1));
						x = x + SIZE(cell[x % CAPACITY] / 2)
					:: else -> break
					od;
					assert(x <= tail)
				};
#ifndef LOW_AFTER_BYTES
				low = x;
				atomic {
					if
					:: free > done && low > free -> REACHED(4)
					:: else
					fi
				}
#endif
#endif
			:: else
			fi;
			cell[built % CAPACITY] = HEAD(ordinal);
			if
			:: SIZE(ordinal) == 2 -> cell[(built + 1) % CAPACITY] = BODY(ordinal)
			:: else
			fi;
#ifdef LOW_AFTER_BYTES
			low = MAX(low, x);
#endif
			atomic { built = built + SIZE(ordinal); ordinal++; base = 0;
#ifndef LOW_PRIVATE
				 x = 0
#endif
			}
		od;
		closed = true;
		ended[0] = true
	} unless { atomic { killed[0] -> killed[0] = false; built = 0; ordinal = 0; base = 0; x = 0 }; goto attach }
}

inline commit_hold()
{
#ifdef COUNTED_OUTSIDE
	dropped = dropped + hold_ordinal - expected;
#endif
	atomic {
		assert(hold_head == HEAD(hold_ordinal)); /* whole, and itself */
		assert(SIZE(hold_ordinal) == 1 || hold_body == BODY(hold_ordinal));
		assert(!(processed & (1 << hold_ordinal)));
		assert(hold_ordinal >= expected);
		processed = processed | (1 << hold_ordinal);
		n_processed++;
#ifndef COUNTED_OUTSIDE
		dropped = dropped + hold_ordinal - expected;
#endif
		done = free;
		done_ordinal = hold_ordinal + 1;
		expected = done_ordinal
	}
}

active proctype Consumer()
{
	byte p, t, expected, seen_low;
	bool c;

attach:
	{
		expected = done_ordinal;
		if
		:: free > done -> /* the last generation's item in hand */
			if
			:: deaths > 0 -> REACHED(3)
			:: else
			fi;
			commit_hold()
		:: else
		fi;
#ifdef ORDINAL_PRIVATE
		expected = 255;
#endif
again:
		do
		:: true ->
			atomic { p = 0; t = 0; c = false; seen_low = 0 };
#ifdef TAIL_THEN_CLOSED
			p = low;
			t = tail;
			c = closed;
#else
			c = closed;
#ifdef TAIL_THEN_LOW
			t = tail;
			p = low;
#else
			p = low;
			t = tail;
#endif
#endif
			p = MAX(free, p);
			if
			:: p == t && c -> break
			:: p == t && !c -> (tail != p || closed) /* doorbell.pml */
			:: p != t ->
				assert(p < t);
				if
				:: t - p > CAPACITY -> /* `low` was old when `tail` was new */
					seen_low = low;
					assert(seen_low > p); /* else the lane is broken */
					REACHED(7);
					goto again
				:: else
				fi;
#ifdef FREE_BEFORE_HOLD
				atomic { hold_ordinal = cell[p % CAPACITY] / 2; free = p + SIZE(hold_ordinal) };
#endif
				hold_head = cell[p % CAPACITY];
				if
				:: (hold_head & 1) || p + SIZE(hold_head / 2) > t ->
					seen_low = low;
					assert(seen_low > p); /* else the lane is broken */
					REACHED(6);
					goto again
				:: else
				fi;
				if
				:: SIZE(hold_head / 2) == 2 -> hold_body = cell[(p + 1) % CAPACITY]
				:: else
				fi;
#ifndef NOT_VALIDATED
				seen_low = low;
				if
				:: seen_low > p ->
					if
					:: SIZE(hold_head / 2) == 2 && hold_body != BODY(hold_head / 2) -> REACHED(2)
					:: else
					fi;
					goto again
				:: else
				fi;
#endif
				hold_ordinal = hold_head / 2;
#ifdef ORDINAL_PRIVATE
				if
				:: expected == 255 -> expected = hold_ordinal
				:: else
				fi;
#endif
#ifndef FREE_BEFORE_HOLD
				free = p + SIZE(hold_ordinal);
#endif
#ifdef STUCK
				if
				:: ended[1] = true; false
				:: true
				fi;
#endif
				commit_hold()
			fi
		od;
#ifndef END_NOT_COUNTED
		/* `closed` was loaded before: tail and its ordinal are final. */
		atomic {
			if
			:: tail_ordinal > done_ordinal -> REACHED(5)
			:: else
			fi;
			assert(tail == MAX(free, low)); /* nothing intact is given up */
			dropped = dropped + tail_ordinal - done_ordinal;
			done = tail;
			free = tail;
			done_ordinal = tail_ordinal
		};
#endif
		ended[1] = true
	} unless {
		atomic {
			killed[1] -> killed[1] = false; p = 0; t = 0; c = false; expected = 0; seen_low = 0;
#ifdef REPAIR_SETS_FREE
			free = done
#endif
		};
		goto attach
	}
}

active proctype Killer()
{
	do
	:: atomic { deaths < DEATHS && !ended[0] && !killed[0] -> killed[0] = true; deaths++ }
	:: atomic { deaths < DEATHS && !ended[1] && !killed[1] -> killed[1] = true; deaths++ }
	:: break
	od
}

#ifndef STUCK
active proctype Judge()
{
	ended[0] && ended[1];
	assert(n_processed + dropped == tail_ordinal && done_ordinal == tail_ordinal);
	REACHED(1)
}
#endif

ltl ends { <> (ended[0] && ended[1]) }
ltl producer_ends { <> ended[0] }
