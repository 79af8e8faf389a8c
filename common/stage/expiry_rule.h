/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The stage key `expires` of a source: until when each of its items may be on its way.
 *
 *      expires: 2s                      so long, all of them
 *      expires: within(.ttl)            so long as the item says: "500ms", or a number of milliseconds
 *      expires: at(.deadline)           until then: "2026-11-22T06:00:00Z", or milliseconds since 1970
 *      expires: at(field(2, ','), s)    numbers are seconds: s, ms, us or ns
 *
 * What stands in the parentheses is that of key(EXPR). The broker parses it to check it, the worker to go by it. Pure.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "common/base/text.h"

enum expiry_kind { EXPIRY_FOR, EXPIRY_WITHIN, EXPIRY_AT };

struct expiry_rule {
	enum expiry_kind kind;
	uint64_t for_ns;  /* EXPIRY_FOR */
	char *expression; /* the others: EXPR; owned */
	uint64_t unit_ns; /* the others: of numbers without a unit */
};

#define EXPIRY_RULE_NULL \
	{                \
		0        \
	}

enum { EXPIRY_RULE_E_BAD = 1, EXPIRY_RULE_E_NONE = 2 };

/*
 * Returns 0 and the rule, which expiry_rule_deinit() frees; EXPIRY_RULE_E_BAD and in `why` what is wrong and what was expected, to be
 * read behind "expires '...' ".
 */
int expiry_rule_parse(const char *source, struct expiry_rule *ret, struct text *why);
void expiry_rule_deinit(struct expiry_rule *rule);

/*
 * What an item says: nanoseconds, since 1970 for EXPIRY_AT; UINT64_MAX for what is further than can be counted. Returns 0;
 * EXPIRY_RULE_E_NONE: nothing but blanks; EXPIRY_RULE_E_BAD: no such thing.
 */
int expiry_rule_value(const struct expiry_rule *rule, const char *value, size_t size_bytes, uint64_t *ret_ns);
/* What such a value looks like, for who has written another: "milliseconds since 1970, or ...". Static. */
const char *expiry_rule_expected(const struct expiry_rule *rule);
