/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/lifecycle/outcome.h"

bool outcome_balanced(const struct outcome *outcome)
{
	const uint64_t *ledger = outcome->ledger;
	uint64_t fates = ledger[LEDGER_DELIVERED] + ledger[LEDGER_CONSUMED] + ledger[LEDGER_FILTERED] +
			 ledger[LEDGER_REJECTED_IN] + ledger[LEDGER_DEAD_LETTERED] + ledger[LEDGER_EXPIRED] +
			 ledger[LEDGER_CANCELLED] + ledger[LEDGER_UNWANTED] + ledger[LEDGER_HELD];

	return ledger[LEDGER_EMITTED] + ledger[LEDGER_REPLAYED] ==
		       ledger[LEDGER_TAKEN] + ledger_skipped(ledger) + outcome->in_lanes &&
	       ledger[LEDGER_TAKEN] == fates;
}

uint64_t outcome_in_flight(const struct outcome *outcome)
{
	return outcome->in_lanes + outcome->ledger[LEDGER_HELD];
}

uint64_t outcome_letters(const uint64_t ledger[LEDGER_COUNT])
{
	return ledger[LEDGER_REJECTED_OUT] + ledger[LEDGER_REJECTED_IN] + ledger[LEDGER_DEAD_LETTERED] +
	       ledger[LEDGER_REFUSED];
}

bool outcome_lossless(const struct outcome *outcome)
{
	const uint64_t *ledger = outcome->ledger;

	return !outcome->stage_failed && !outcome_in_flight(outcome) && !ledger[LEDGER_EXPIRED] &&
	       !ledger[LEDGER_CANCELLED] && (outcome->letters_settled || !outcome_letters(ledger)) &&
	       !outcome->letters_held;
}

int outcome_exit_code(const struct outcome *outcome)
{
	if (outcome->corrupt || !outcome_balanced(outcome))
		return EXIT_STATE_CORRUPT;
	if (outcome->start_failed)
		return outcome->spec_matter ? EXIT_SPEC_INVALID : EXIT_TRY_AGAIN;
	if (outcome->drain_deadline_passed && outcome_in_flight(outcome))
		return EXIT_DRAIN_DEADLINE;
	if (!outcome_lossless(outcome))
		return EXIT_LOSSES;
	if (outcome->signal_number)
		return EXIT_SIGNAL_BASE + outcome->signal_number;
	return EXIT_DONE;
}
