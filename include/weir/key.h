/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Parts of items, named as in `balance: key(EXPR)`: `.customer` and `.a.b[0]` of structured items and of JSON text, `field(2)`,
 * `bytes(0, 8)`, `item`. An option of the type WEIR_TYPE_KEY holds such an expression, checked before the start.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <weir/item.h>

#ifdef __cplusplus
extern "C" {
#endif

struct weir_context;
struct weir_key;

/* In open(): makes ready to look for that part. Returns WEIR_OK and the key, until weir_key_free(); WEIR_FAILED: it is no EXPR. */
int weir_key_new(struct weir_context *context, const char *expression, struct weir_key **ret_key);
/* Fine on NULL. */
void weir_key_free(struct weir_context *context, struct weir_key *key);

/*
 * The part of this item, as bytes: equal parts have equal bytes, however they were spelled (JSON as JSON text without blanks and with
 * sorted names, a string in quotes). In the item, or in memory of the key's: until the next call with that key. Returns WEIR_OK;
 * -ENOENT: the item has no such part, or it is `null`.
 */
int weir_key_bytes(struct weir_context *context, struct weir_key *key, const struct weir_item *item,
		   const void **ret_bytes, size_t *ret_size_bytes);

/* The part as a number, also if it is a text that is one. Returns WEIR_OK; -ENOENT as above; -EINVAL: it is no (finite) number. */
int weir_key_number(struct weir_context *context, struct weir_key *key, const struct weir_item *item,
		    double *ret_number);

/*
 * The part as an integer, exactly: 7, 7.0 and "7" are one. Returns as weir_key_number(); -ERANGE: it is a number, but none of 64 bits with a
 * sign that is known to the last digit (JSON text is read by libjq, which knows them below 2^53).
 */
int weir_key_integer(struct weir_context *context, struct weir_key *key, const struct weir_item *item,
		     int64_t *ret_integer);

/*
 * The part as a point in time, in ns since 1970 (UTC): a number of units of unit_ns since then, or text as of RFC 3339
 * (`2026-11-02T15:04:05.250Z`). Returns as weir_key_number().
 */
int weir_key_time(struct weir_context *context, struct weir_key *key, const struct weir_item *item, uint64_t unit_ns,
		  uint64_t *ret_ns);

#ifdef __cplusplus
}
#endif
