/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers as text, exactly (own folder only). */
#pragma once

#include "common/record/pack.h"
#include "common/record/record.h"

#define NUMBER_TEXT_BYTES 32u /* the longest that number_write_double() writes, and more */

/*
 * Reads a JSON number at *at, before end, and packs it: a whole number without fraction or exponent as an integer of up to 64 bits, any
 * other as the nearest double. Returns 0 with *at behind it; RECORD_E_BAD and why (without a place): it is none, or too large.
 */
int number_read(struct record_scratch *scratch, const char **at, const char *end, struct pack *pack,
		struct record_fault *fault);

/* Writes the shortest decimal number that is read back as this one, and not as an integer; it is finite. Returns its length. */
size_t number_write_double(double value, char *room);
size_t number_write_unsigned(uint64_t value, char *room);
