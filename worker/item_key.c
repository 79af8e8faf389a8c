/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/item_key.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <weir/stage.h>

#include "common/base/cleanup.h"
#include "common/base/must.h"
#include "common/stage/expiry_rule.h"
#include "worker/key.h"

#define VALUE_SIZE_MAX 64u                  /* of a number or a time */
#define EXACT_MAX INT64_C(9007199254740991) /* 2^53 - 1: a double up to here is no other integer rounded */

struct weir_key {
	struct key *key;
	struct record_scratch scratch;
};

int item_key_new(struct weir_context *context, const char *expression, struct weir_key **ret_key)
{
	_cleanup_(text_deinit) struct text why = TEXT_NULL;
	struct weir_key *key = calloc(1, sizeof(*key));

	must(key);
	if (key_new(expression, &key->key, &why) != 0) {
		weir_fail(context, "key '%s' %s", expression, text_get(&why));
		free(key);
		return WEIR_FAILED;
	}
	*ret_key = key;
	return WEIR_OK;
}

void item_key_free(struct weir_key *key)
{
	if (!key)
		return;
	key_free(key->key);
	record_scratch_deinit(&key->scratch);
	free(key);
}

int item_key_bytes(struct weir_key *key, const struct weir_item *item, const void **ret_bytes, size_t *ret_size_bytes)
{
	bool found = key_bytes(key->key, item->data, item->size_bytes, &key->scratch, ret_bytes, ret_size_bytes);

	return found ? WEIR_OK : -ENOENT;
}

/* Without blanks around it. Returns its length; -ENOENT; -EINVAL: longer than any number. */
static ssize_t text_of(struct weir_key *key, const struct weir_item *item, char text[VALUE_SIZE_MAX])
{
	size_t length, from = 0;

	if (!key_text(key->key, item->data, item->size_bytes, text, VALUE_SIZE_MAX - 1, &length))
		return -ENOENT;
	if (length >= VALUE_SIZE_MAX || memchr(text, '\0', length))
		return -EINVAL;
	while (from < length && isspace((unsigned char)text[from]))
		from++;
	while (length > from && isspace((unsigned char)text[length - 1]))
		length--;
	memmove(text, text + from, length - from);
	text[length - from] = '\0';
	return (ssize_t)(length - from);
}

int item_key_number(struct weir_key *key, const struct weir_item *item, double *ret_number)
{
	char text[VALUE_SIZE_MAX], *end;
	ssize_t length = text_of(key, item, text);

	if (length < 0)
		return (int)length;
	if (!length)
		return -ENOENT;
	if (!strchr("+-.0123456789", text[0]) || strpbrk(text, "xXpPnN")) /* no hexadecimal, no nan, no inf */
		return -EINVAL;
	*ret_number = strtod(text, &end);
	return *end || !isfinite(*ret_number) ? -EINVAL : WEIR_OK;
}

/* Text as of an integer, whole. */
static bool read_integer(const char *text, int64_t *ret_integer)
{
	const char *digits = text + (text[0] == '-' || text[0] == '+');
	char *end;

	if (!isdigit((unsigned char)digits[0]))
		return false;
	errno = 0;
	*ret_integer = strtoll(text, &end, 10);
	return !*end && errno != ERANGE;
}

int item_key_integer(struct weir_key *key, const struct weir_item *item, int64_t *ret_integer)
{
	bool is_exact = key_is_exact(key->key, item->data, item->size_bytes);
	char text[VALUE_SIZE_MAX];
	ssize_t length;
	double number;
	int r;

	if (key_whole(key->key, item->data, item->size_bytes, ret_integer))
		return WEIR_OK;
	length = text_of(key, item, text);
	if (length > 0 && read_integer(text, ret_integer) && (is_exact || llabs(*ret_integer) <= EXACT_MAX))
		return WEIR_OK;
	r = item_key_number(key, item, &number);
	if (r != WEIR_OK)
		return r;
	*ret_integer = fabs(number) <= (double)EXACT_MAX ? (int64_t)number : 0;
	return fabs(number) <= (double)EXACT_MAX && number == floor(number) ? WEIR_OK : -ERANGE;
}

int item_key_time(struct weir_key *key, const struct weir_item *item, uint64_t unit_ns, uint64_t *ret_ns)
{
	const struct expiry_rule rule = { .kind = EXPIRY_AT, .unit_ns = unit_ns };
	char text[VALUE_SIZE_MAX];
	ssize_t length = text_of(key, item, text);
	int r;

	if (length < 0)
		return (int)length;
	r = expiry_rule_value(&rule, text, (size_t)length, ret_ns);
	if (r == EXPIRY_RULE_E_NONE)
		return -ENOENT;
	return r != 0 || *ret_ns == UINT64_MAX ? -EINVAL : WEIR_OK;
}
