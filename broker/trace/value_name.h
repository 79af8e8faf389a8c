/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers in events that stand for something. */
#pragma once

#include <stdint.h>

/* What that value of the field (recorder_event.def) is called; NULL: it is just a number. Static. */
const char *value_name(const char *field, uint64_t value);
/* Bit number `bit` of a field that is a set; NULL: no such bit, or no set. Static. */
const char *value_bit_name(const char *field, unsigned bit);
