/* SPDX-License-Identifier: Apache-2.0 */
/*
 * in_flight: n. One worker has several items in hand and they end in any order. For each input lane a window of done-bits, used
 * again modulo its size, says which records behind `done` are finished; `done` moves over the finished prefix.
 *
 *      ordinal   done_ordinal                                done_ordinal + WINDOW
 *                  |  hole   1   hole   1   1   (in flight)    |          bit of a record: ordinal % WINDOW
 *
 * One commit moves: outputs (TAIL), the words of bits that changed (BITS), done and done_ordinal (DONE). Bits that `done` passes are
 * cleared in the same commit, for the ordinals that use them next. The next generation takes what is in [done, tail) and has no bit.
 *
 *  - The ordinal of the record at `done` is a word of its own and moves with `done`: records differ in size, so a new generation
 *    could not know which bit belongs to which record (ordinal_private).
 *  - `done` may run past the next record to take, over records that an earlier generation finished: then that one moves, too
 *    (next_behind): their bits are gone, and they would be given again.
 *  - No record is taken that lies a whole window behind `done` (window_overrun): it would share its bit with another.
 *
 * The words of a commit are stored one by one, and the repair stores them again; the record itself is commit.pml's. The lane is
 * full from the start. Observer: what has been sent plus what is not finished is never less than all; it loads done before bits.
 *
 * case base               | pass     | safety   | -DDEATHS=1
 * case two_deaths         | pass     | safety   | -DDEATHS=2 -DITEMS=5
 * case observed           | pass     | safety   | -DOBSERVE -DITEMS=5
 * case ends               | pass     | ltl ends | -DDEATHS=1 -DITEMS=5
 * case reach_end          | assert   | safety   | -DREACH=1
 * case reach_hole         | assert   | safety   | -DREACH=2
 * case reach_skipped      | assert   | safety   | -DREACH=3 -DDEATHS=1
 * case reach_ran_past     | assert   | safety   | -DREACH=4 -DDEATHS=1
 * case reach_window_full  | assert   | safety   | -DREACH=5
 * case reach_repaired     | assert   | safety   | -DREACH=6 -DDEATHS=1
 * case reach_two_words    | assert   | safety   | -DREACH=7
 * case bit_before_commit  | assert   | safety   | -DBIT_BEFORE_COMMIT -DDEATHS=1
 * case bit_after_commit   | assert   | safety   | -DBIT_AFTER_COMMIT -DDEATHS=1
 * case one_word_in_record | assert   | safety   | -DONE_WORD_IN_RECORD -DDEATHS=1
 * case done_over_hole     | assert   | safety   | -DDONE_OVER_HOLE -DDEATHS=1
 * case not_cleared        | deadlock | safety   | -DNOT_CLEARED
 * case next_behind        | assert   | safety   | -DNEXT_BEHIND -DDEATHS=1
 * case ordinal_private    | assert   | safety   | -DORDINAL_PRIVATE -DDEATHS=1
 * case window_overrun     | deadlock | safety   | -DWINDOW_OVERRUN
 * case bits_not_read      | assert   | safety   | -DBITS_NOT_READ -DDEATHS=1
 * case done_first         | assert   | safety   | -DDONE_FIRST -DOBSERVE -DITEMS=5
 * case bits_loaded_first  | assert   | safety   | -DBITS_LOADED_FIRST -DOBSERVE -DITEMS=5
 */
#ifndef DEATHS
#define DEATHS 0
#endif
#ifndef ITEMS
#define ITEMS 6
#endif
#ifndef REACH
#define REACH 0
#endif
#define REACHED(n) assert(n != REACH)
#define WINDOW 4 /* two words of two bits */
#define IN_FLIGHT 3

#define BIT(ordinal) (1 << ((ordinal) % WINDOW))
#define WORD(n, bits) ((bits) & ((n) == 0 -> 3 : 12))
#define COUNT(bits) (((bits) & 1) + (((bits) >> 1) & 1) + (((bits) >> 2) & 1) + (((bits) >> 3) & 1))

/* The worker's segment. `sent` counts the records of its output lane: its tail. */
byte word[2], done, done_ordinal, sent;
bool committed;
byte record_word[2], record_done, record_sent;
bool record_has[2];
/* What really happened. */
byte effects, deaths;
bool killed, ended;

inline apply()
{
#ifdef DONE_FIRST
	atomic { done = record_done; done_ordinal = record_done };
#endif
	sent = record_sent;
#ifndef BIT_AFTER_COMMIT
	if
	:: record_has[0] -> word[0] = record_word[0]
	:: else
	fi;
#ifndef ONE_WORD_IN_RECORD
	if
	:: record_has[1] -> word[1] = record_word[1]
	:: else
	fi;
#endif
#endif
#ifdef ORDINAL_PRIVATE
	done = record_done
#else
	atomic { done = record_done; done_ordinal = record_done } /* two words, one order or the other: nobody looks between */
#endif
}

inline put_word(n)
{
	atomic {
		record_has[n] = (WORD(n, bits) != word[n]);
		record_word[n] = (record_has[n] -> WORD(n, bits) : 0)
	}
}

inline commit()
{
	atomic {
		/* over the finished prefix */
		i = 0;
		do
#ifdef DONE_OVER_HOLE
		:: base < next && bits != 0 ->
#else
		:: i < WINDOW && (bits & BIT(base)) ->
#endif
#ifndef NOT_CLEARED
			bits = bits & ~BIT(base);
#endif
			base++;
			i++
		:: else -> break
		od;
		i = 0;
		if
		:: bits != 0 -> REACHED(2)
		:: else
		fi;
		if
		:: next < base ->
			REACHED(4);
#ifndef NEXT_BEHIND
			next = base
#endif
		:: else
		fi;
		put_word(0);
		put_word(1);
		if
		:: record_has[0] && record_has[1] -> REACHED(7)
		:: else
		fi;
		record_done = base + shift;
		record_sent = built;
		/* What takes effect here: the items that this turn has finished. */
		assert(!(effects & turn)); /* twice */
		effects = effects | turn;
		committed = true;
		turn = 0
	};
	apply();
	committed = false;
#ifdef BIT_AFTER_COMMIT
	word[0] = WORD(0, bits);
	word[1] = WORD(1, bits);
#endif
#ifdef ONE_WORD_IN_RECORD
	word[1] = WORD(1, bits)
#endif
}

#ifdef WINDOW_OVERRUN
#define IN_WINDOW true
#else
#define IN_WINDOW (next < base + WINDOW)
#endif

inline finish(item)
{
	atomic {
		hand = hand & ~(1 << (item));
		turn = turn | (1 << (item));
		n_hand--;
		built++;
		bits = bits | BIT(item - shift)
	};
#ifdef BIT_BEFORE_COMMIT
	word[0] = WORD(0, bits);
	word[1] = WORD(1, bits)
#endif
}

active proctype Worker()
{
	byte bits, base, next, built, hand, turn, n_hand, i, shift;

attach:
	{
		atomic {
			base = done_ordinal;
			next = done_ordinal;
			built = sent;
			bits = word[0] | word[1];
#ifdef BITS_NOT_READ
			bits = 0;
#endif
#ifdef ORDINAL_PRIVATE
			/* it can only begin to count again at the record that lies at `done` */
			base = 0;
			next = 0;
			shift = done;
#endif
		};
		do
		:: atomic { next + shift < ITEMS && n_hand < IN_FLIGHT && IN_WINDOW ->
			if
			:: bits & BIT(next) -> REACHED(3)
			:: else -> hand = hand | (1 << (next + shift)); n_hand++
			fi;
			next++ }
		:: hand & 1 -> finish(0)
		:: hand & 2 -> finish(1)
		:: hand & 4 -> finish(2)
		:: hand & 8 -> finish(3)
		:: hand & 16 -> finish(4)
		:: hand & 32 -> finish(5)
		:: turn != 0 -> commit()
		:: base + shift == ITEMS && turn == 0 -> break
		:: next == base + WINDOW && next < ITEMS && REACH == 5 -> REACHED(5)
		od;
		ended = true
	} unless {
		atomic {
			killed -> killed = false;
			bits = 0; base = 0; next = 0; built = 0; hand = 0; turn = 0; n_hand = 0; i = 0; shift = 0
		};
		/* the supervisor's repair */
		if
		:: committed -> apply(); committed = false; REACHED(6)
		:: else
		fi;
		goto attach
	}
}

#if DEATHS
active proctype Killer()
{
	do
	:: atomic { deaths < DEATHS && !ended && !killed -> killed = true; deaths++ }
	:: break
	od
}
#endif

#ifdef OBSERVE
active proctype Observer()
{
	byte d, w0, w1;

#ifdef BITS_LOADED_FIRST
	w0 = word[0];
	w1 = word[1];
	d = done;
#else
	d = done;
	w0 = word[0];
	w1 = word[1];
#endif
	atomic { assert(sent + ITEMS - d - COUNT(w0 | w1) >= ITEMS); d = 0; w0 = 0; w1 = 0 }
}
#endif

active proctype Judge()
{
	ended;
	assert(effects == (1 << ITEMS) - 1 && sent == ITEMS && done == ITEMS);
	REACHED(1)
}

ltl ends { <> ended }
