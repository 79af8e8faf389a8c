/* SPDX-License-Identifier: Apache-2.0 */
/* A dead letter: an item that will not be processed, with all that is known of why. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/text.h"
#include "common/flow/extension.h"

enum dead_letter_cause {
#define LETTER_CAUSE(id_, number_, name_, summary_) DEAD_LETTER_##id_ = (number_),
#include "common/store/letter_cause.def"
#undef LETTER_CAUSE
};

/* One worker that died with the item in hand. */
struct dead_letter_death {
	uint64_t when_ns; /* CLOCK_REALTIME */
	int32_t pid;
	uint32_t generation;
	const char *how; /* "was killed by SIGSEGV" */
};

struct dead_letter {
	const char *pipeline, *stage;
	uint32_t worker_index;
	enum dead_letter_cause cause;
	const char *reason; /* a sentence */
	uint32_t attempts;  /* workers that it has cost */
	uint64_t sequence;  /* number that its producer gave it */
	const char *input;  /* stage that it came from; "" at a source */
	const void *data;   /* payload */
	size_t size_bytes;
	uint64_t time_ns;     /* CLOCK_REALTIME: when it became a letter; 0: not known */
	uint64_t accepted_ns; /* CLOCK_REALTIME: when the pipeline took it in; 0: not known */
	uint64_t run;         /* CLOCK_REALTIME of the run's start, in ns: no two runs of a pipeline have the same */
	uint64_t last_run; /* of the run in which it became a letter last: `run`, or one in which it was given again */
	uint32_t producer; /* slot that gave the number */
	uint64_t part;     /* enum dead_letter_part in the upper two bits: which of several items with that number */
	const void *
		baggage; /* what it has brought along, as in its record (common/flow/extension.h), a deadline as CLOCK_REALTIME */
	size_t baggage_bytes;                   /* 0: nothing */
	const struct dead_letter_death *deaths; /* the attempts, as far as they are known, in their order */
	uint32_t n_deaths;
	uint64_t id; /* in the store, from 1; 0: not there */
};

/* Where an item stood when it became a letter. What came out of a lane has a number of its own; what never got into one has not. */
enum dead_letter_part {
	DEAD_LETTER_FROM_LANE = 0,
	DEAD_LETTER_AT_SOURCE = 1,    /* lower bits: which of those that this source has refused */
	DEAD_LETTER_AT_FULL_LANE = 2, /* lower bits: output edge (22 bits) and which of those refused there (40 bits) */
	DEAD_LETTER_HELD = 3,         /* lower bits: how many this slot had given up before */
};
#define DEAD_LETTER_PART(where_, number_) ((uint64_t)(where_) << 62 | (uint64_t)(number_))

/* What it has brought along; false: nothing, or nothing that makes sense. */
bool dead_letter_extension(const struct dead_letter *letter, struct extension *ret_extension);

/* "attempts" ...; "unknown" for a number that no cause has. Static. */
const char *dead_letter_cause_name(enum dead_letter_cause cause);
/* false: no cause of that name. */
bool dead_letter_cause_from_name(const char *name, enum dead_letter_cause *ret_cause);

/*
 * Appends the letter as one JSON object, without a newline: {id, time, pipeline, stage, worker, cause, reason, attempts, sequence, input,
 * size, scope, deadline, baggage, accepted, run, producer, deaths, payload | payload_base64}. Without an id: without those that
 * only a store
 * knows (id, accepted, run, producer, deaths). Pure.
 */
enum letter_payload { LETTER_WITHOUT_PAYLOAD, LETTER_WITH_PAYLOAD };
void dead_letter_format_json(const struct dead_letter *letter, enum letter_payload payload, struct text *text);
/* Appends "2026-11-22T01:02:03.456Z"; "unknown" for 0. Pure. */
void dead_letter_format_time(uint64_t realtime_ns, struct text *text);

/* What one letter is told from others by: the same item, written twice, has the same. Binary, at most so long. */
#define LETTER_IDENTITY_MAX 128u
size_t dead_letter_identity(const struct dead_letter *letter, unsigned char ret_identity[LETTER_IDENTITY_MAX]);

/*
 * The letter as bytes, for a store. encode: *ret_bytes is the caller's to free(); -ENOMEM. decode: reads bytes that nobody has to trust;
 * the payload is read in place, so it lives as long as the bytes; letter_copy_deinit() frees the rest. Returns 0; LETTER_E_BAD:
 * damaged, or of another version; -ENOMEM. Any process.
 */
enum { LETTER_E_BAD = 1 };
struct letter_copy {
	struct dead_letter letter;
	struct dead_letter_death *deaths; /* owned */
	char *strings;                    /* owned */
};
int letter_encode(const struct dead_letter *letter, char **ret_bytes, size_t *ret_size_bytes);
int letter_decode(const void *bytes, size_t size_bytes, struct letter_copy *ret_copy);
void letter_copy_deinit(struct letter_copy *copy);
