/* SPDX-License-Identifier: Apache-2.0 */
/* Checking one value against its option. Every reason is worded for the person who wrote the value. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/base/quantity.h"
#include "common/base/text.h"
#include "common/stage/key_expression.h"
#include "common/stage/registry.h"

/* How a person is told what the value should have looked like, and how it is read. */
static const struct {
	int (*parse)(const char *text, int64_t *ret_value);
	const char *expected;
} quantities[] = {
	[WEIR_TYPE_INTEGER] = { quantity_integer, "a whole number such as 100 or 10k" },
	[WEIR_TYPE_SIZE] = { quantity_size, "a size such as 64KiB or 1MiB" },
	[WEIR_TYPE_DURATION] = { quantity_duration, "a duration such as 500ms, 30s or 5m" },
	[WEIR_TYPE_RATE] = { quantity_rate, "a rate such as 1000/s or 60/m" },
	[WEIR_TYPE_SHARE] = { quantity_share, "a share such as 10% or 0.25" },
};

/* A bound in the option's own notation, as exactly as it was written. */
static void add_bound(struct text *why, enum weir_option_type type, int64_t value)
{
	static const struct {
		const char *name;
		int64_t factor;
	} sizes[] = { { "GiB", INT64_C(1) << 30 }, { "MiB", 1 << 20 }, { "KiB", 1 << 10 }, { "", 1 } }, durations[] = {
		{ "h", INT64_C(3600000000000) }, { "s", 1000000000 }, { "ms", 1000000 }, { "us", 1000 }, { "ns", 1 }
	};

	if (type == WEIR_TYPE_DURATION && value) {
		for (size_t i = 0; i < sizeof(durations) / sizeof(durations[0]); i++)
			if (value % durations[i].factor == 0) {
				text_printf(why, "%" PRId64 "%s", value / durations[i].factor, durations[i].name);
				return;
			}
	} else if (type == WEIR_TYPE_SIZE && value) {
		for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
			if (value % sizes[i].factor == 0) {
				text_printf(why, "%" PRId64 "%s", value / sizes[i].factor, sizes[i].name);
				return;
			}
	}
	if (type == WEIR_TYPE_SHARE)
		text_printf(why, "%g%%", (double)value / 1e7);
	else
		text_printf(why, "%" PRId64 "%s", value, type == WEIR_TYPE_RATE ? "/s" : "");
}

void stage_option_bounds(const struct weir_option *option, struct text *ret_text)
{
	if (!option->minimum && !option->maximum)
		return;
	if (option->maximum == INT64_MAX) {
		text_add(ret_text, "at least ");
		add_bound(ret_text, option->type, option->minimum);
		return;
	}
	add_bound(ret_text, option->type, option->minimum);
	text_add(ret_text, " to ");
	add_bound(ret_text, option->type, option->maximum);
}

static int check_bounds(const struct weir_option *option, int64_t number, struct text *why)
{
	if ((!option->minimum && !option->maximum) || (number >= option->minimum && number <= option->maximum))
		return 0;
	text_add(why, "is out of range: expected ");
	stage_option_bounds(option, why);
	return STAGE_E_BAD_VALUE;
}

/* Rates are kept as whole items a second: one that is none would run at another speed than it says. */
static bool is_whole_rate(const char *value)
{
	const char *slash = strchr(value, '/');
	int64_t per = slash && slash[1] == 'm' ? 60 : slash && slash[1] == 'h' ? 3600 : 1, number;
	char digits[32];

	if (!slash || (size_t)(slash - value) >= sizeof(digits))
		return true;
	snprintf(digits, sizeof(digits), "%.*s", (int)(slash - value), value);
	return quantity_integer(digits, &number) == 0 && number % per == 0;
}

static int check_quantity(const struct weir_option *option, enum weir_option_type type, const char *value,
			  int64_t *ret_number, struct text *why)
{
	int64_t number;

	if (quantities[type].parse(value, &number) != 0) {
		text_printf(why, "is wrong: expected %s", quantities[type].expected);
		if (type == WEIR_TYPE_DURATION && *value && strspn(value, "0123456789.") == strlen(value))
			text_printf(why, "; the unit is missing: %ss?", value);
		return STAGE_E_BAD_VALUE;
	}
	if (number < 0 && option->minimum >= 0) {
		text_add(why, "is negative");
		return STAGE_E_BAD_VALUE;
	}
	if (check_bounds(option, number, why) != 0)
		return STAGE_E_BAD_VALUE;
	if (type == WEIR_TYPE_RATE && !is_whole_rate(value)) {
		text_add(why, "is no whole number of items a second, which is the slowest and the finest there is");
		return STAGE_E_BAD_VALUE;
	}
	if (ret_number)
		*ret_number = number;
	return 0;
}

static int check_choice(const struct weir_option *option, const char *value, int64_t *ret_number, struct text *why)
{
	const char *word = option->choices ? option->choices : "";
	size_t length = strlen(value);

	for (int64_t index = 0; *word; index++) {
		size_t n = strcspn(word, "|");

		if (n == length && memcmp(word, value, n) == 0) {
			if (ret_number)
				*ret_number = index;
			return 0;
		}
		word += n + (word[n] == '|');
	}
	text_add(why, "is unknown: expected ");
	for (const char *at = option->choices ? option->choices : ""; *at; at++) {
		if (*at == '|')
			text_add(why, strchr(at + 1, '|') ? ", " : " or ");
		else
			text_add_char(why, *at);
	}
	return STAGE_E_BAD_VALUE;
}

static int check_boolean(const char *value, int64_t *ret_number, struct text *why)
{
	static const char *const words[2][3] = { { "false", "no", "off" }, { "true", "yes", "on" } };

	for (int64_t number = 0; number < 2; number++)
		for (size_t i = 0; i < 3; i++)
			if (strcmp(value, words[number][i]) == 0) {
				if (ret_number)
					*ret_number = number;
				return 0;
			}
	text_add(why, "is wrong: expected true or false");
	return STAGE_E_BAD_VALUE;
}

static int check_key(const char *value, struct text *why)
{
	struct key_expression expression = KEY_EXPRESSION_NULL;
	int r = key_expression_parse(value, &expression, why);

	key_expression_deinit(&expression);
	return r ? STAGE_E_BAD_VALUE : 0;
}

int stage_option_check(const struct weir_option *option, const char *value, int64_t *ret_number, struct text *why)
{
	switch (option->type) {
	case WEIR_TYPE_INTEGER:
	case WEIR_TYPE_SIZE:
	case WEIR_TYPE_DURATION:
	case WEIR_TYPE_RATE:
	case WEIR_TYPE_SHARE:
		return check_quantity(option, option->type, value, ret_number, why);
	case WEIR_TYPE_BOOLEAN:
		return check_boolean(value, ret_number, why);
	case WEIR_TYPE_CHOICE:
		return check_choice(option, value, ret_number, why);
	case WEIR_TYPE_LIST: /* one element; with bounds, elements are whole numbers */
		if (option->minimum || option->maximum)
			return check_quantity(option, WEIR_TYPE_INTEGER, value, ret_number, why);
		return 0;
	case WEIR_TYPE_COMMAND:
	case WEIR_TYPE_PATH:
		if (*value)
			return 0;
		text_printf(why, "is empty: expected a %s", stage_option_type_name(option->type));
		return STAGE_E_BAD_VALUE;
	case WEIR_TYPE_KEY:
		return check_key(value, why);
	case WEIR_TYPE_STRING:
		return 0;
	case WEIR_TYPE_MAP:
		text_add(why, "is a word: expected a map such as {name: text}");
		return STAGE_E_BAD_VALUE;
	}
	text_add(why, "has a type that this weir does not know");
	return STAGE_E_BAD_VALUE;
}
