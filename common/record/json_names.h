/* SPDX-License-Identifier: Apache-2.0 */
/* Which names of a JSON object come twice (own folder only). The last member of each counts. */
#pragma once

#include "common/record/record.h"

struct json_names {
	unsigned char *room;            /* that the item is written to */
	struct record_scratch *scratch; /* of the notes, then of their order */
	uint32_t n;                     /* notes: names of all objects that are open */
};

/* A name begins there, packed. */
void json_names_note(struct json_names *names, const unsigned char *name);
/*
 * The object with the last n names ends, and so does what is written, at *end: members whose name comes again are taken out, and *end
 * moves up. Returns how many are left.
 */
uint32_t json_names_forget(struct json_names *names, uint32_t n, unsigned char **end);
