/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A small grammar, read by hand with one place to look at:
 *
 *     EXPR := item | bytes(A, N) | field(N) | field(N, 'c') | .PATH
 *     PATH := SEGMENT SEGMENT ...      SEGMENT := .name | ."any name" | .["any name"] | [index]      the first dot stands alone before [
 *
 * A path is the part of jq's language that only looks something up: it has no effects, can't fail half way, and can be checked
 * where specs are checked, where no jq is.
 */
#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/must.h"
#include "common/stage/key_expression.h"

#define NUMBER_MAX UINT64_C(1073741824) /* no item is larger */

struct scan {
	const char *at;
	struct text *why;
};

static int bad(struct scan *scan, const char *expected)
{
	if (*scan->at)
		text_printf(scan->why, "is wrong at '%.40s': expected %s", scan->at, expected);
	else
		text_printf(scan->why, "ends too early: expected %s", expected);
	return KEY_EXPRESSION_E_BAD;
}

static void skip_blanks(struct scan *scan)
{
	scan->at += strspn(scan->at, " \t");
}

static int expect(struct scan *scan, char c, const char *expected)
{
	skip_blanks(scan);
	if (*scan->at != c)
		return bad(scan, expected);
	scan->at++;
	skip_blanks(scan);
	return 0;
}

static int number(struct scan *scan, uint64_t minimum, const char *expected, uint64_t *ret)
{
	const char *start = scan->at;
	uint64_t value = 0;

	if (!isdigit((unsigned char)*scan->at))
		return bad(scan, expected);
	for (; isdigit((unsigned char)*scan->at) && value <= NUMBER_MAX; scan->at++)
		value = value * 10 + (uint64_t)(*scan->at - '0');
	if (value < minimum || value > NUMBER_MAX) {
		scan->at = start;
		return bad(scan, expected);
	}
	*ret = value;
	return 0;
}

static int parse_bytes(struct scan *scan, struct key_expression *ret)
{
	int r = expect(scan, '(', "'(' and two numbers, as in bytes(0, 8)");

	ret->kind = KEY_KIND_BYTES;
	if (!r)
		r = number(scan, 0, "how many bytes to leave out, as in bytes(0, 8)", &ret->offset_bytes);
	if (!r)
		r = expect(scan, ',', "',' and how many bytes make the key, as in bytes(0, 8)");
	if (!r)
		r = number(scan, 1, "how many bytes make the key, at least 1", &ret->size_bytes);
	return r ? r : expect(scan, ')', "')' behind the two numbers");
}

static int parse_separator(struct scan *scan, struct key_expression *ret)
{
	static const char expected[] = "one byte in quotes, as in field(2, ';'), or '\\t'";
	char quote = *scan->at;

	if (quote != '\'' && quote != '"')
		return bad(scan, expected);
	if (scan->at[1] == '\\' && (scan->at[2] == 't' || scan->at[2] == '\\') && scan->at[3] == quote) {
		ret->separator = scan->at[2] == 't' ? '\t' : '\\';
		scan->at += 4;
	} else if (scan->at[1] && scan->at[1] != quote && scan->at[2] == quote) {
		ret->separator = (unsigned char)scan->at[1];
		scan->at += 3;
	} else {
		return bad(scan, expected);
	}
	return 0;
}

static int parse_field(struct scan *scan, struct key_expression *ret)
{
	uint64_t field = 0;
	int r = expect(scan, '(', "'(' and the number of a field, as in field(1)");

	ret->kind = KEY_KIND_FIELD;
	ret->separator = KEY_FIELD_BLANKS;
	if (!r)
		r = number(scan, 1, "the number of a field, from 1 on", &field);
	ret->field = (uint32_t)field;
	skip_blanks(scan);
	if (!r && *scan->at == ',') {
		scan->at++;
		skip_blanks(scan);
		r = parse_separator(scan, ret);
	}
	return r ? r : expect(scan, ')', "')', or ',' and what parts the fields");
}

static int add_segment(struct scan *scan, struct key_expression *ret, char *name, int32_t index)
{
	struct key_segment *segments;

	if (ret->n_segments >= KEY_PATH_SEGMENTS_MAX) {
		free(name);
		text_printf(scan->why, "is too deep: a path has at most %u steps", KEY_PATH_SEGMENTS_MAX);
		return KEY_EXPRESSION_E_BAD;
	}
	segments = realloc(ret->segments, (ret->n_segments + 1u) * sizeof(*segments));
	must(segments);
	ret->segments = segments;
	ret->segments[ret->n_segments++] = (struct key_segment){ name, index };
	return 0;
}

/* A name in double quotes; the only escapes are of the quote and the backslash. */
static int quoted_name(struct scan *scan, char **ret)
{
	struct text name = TEXT_NULL;

	for (scan->at++; *scan->at && *scan->at != '"'; scan->at++) {
		if (*scan->at == '\\' && (scan->at[1] == '"' || scan->at[1] == '\\'))
			scan->at++;
		text_add_char(&name, *scan->at);
	}
	if (*scan->at != '"') {
		text_deinit(&name);
		return bad(scan, "'\"' at the end of the name");
	}
	scan->at++;
	*ret = text_steal(&name);
	return 0;
}

static int parse_bracket(struct scan *scan, struct key_expression *ret)
{
	uint64_t index = 0;
	char *name = NULL;
	bool negative;
	int r;

	scan->at++;
	skip_blanks(scan);
	negative = *scan->at == '-';
	scan->at += negative;
	if (*scan->at == '"' && !negative)
		r = quoted_name(scan, &name);
	else
		r = number(scan, 0, "an index such as [0], or a name such as [\"a b\"]", &index);
	if (r == 0) {
		r = expect(scan, ']', "']'");
		if (r)
			free(name);
	}
	return r ? r : add_segment(scan, ret, name, negative ? -(int32_t)index : (int32_t)index);
}

static int parse_name(struct scan *scan, struct key_expression *ret)
{
	const char *start = scan->at;
	char *name = NULL;

	if (*scan->at == '"') {
		int r = quoted_name(scan, &name);

		return r ? r : add_segment(scan, ret, name, 0);
	}
	if (!isalpha((unsigned char)*scan->at) && *scan->at != '_')
		return bad(scan, "a name, as in .customer or .\"first name\"");
	while (isalnum((unsigned char)*scan->at) || *scan->at == '_')
		scan->at++;
	name = strndup(start, (size_t)(scan->at - start));
	must(name);
	return add_segment(scan, ret, name, 0);
}

static int parse_path(struct scan *scan, struct key_expression *ret)
{
	int r = 0;

	ret->kind = KEY_KIND_PATH;
	while (!r && (*scan->at == '.' || *scan->at == '[')) {
		scan->at += *scan->at == '.';
		r = *scan->at == '[' ? parse_bracket(scan, ret) : parse_name(scan, ret);
	}
	return r;
}

static bool is_word(struct scan *scan, const char *word)
{
	size_t n = strlen(word);

	if (strncmp(scan->at, word, n) != 0 || isalnum((unsigned char)scan->at[n]) || scan->at[n] == '_')
		return false;
	scan->at += n;
	return true;
}

int key_expression_parse(const char *source, struct key_expression *ret, struct text *why)
{
	static const char expected[] = "item, bytes(A, N), field(N), field(N, 'c') or a path such as .customer";
	struct key_expression expression = KEY_EXPRESSION_NULL;
	struct scan scan = { source, why };
	int r = 0;

	skip_blanks(&scan);
	if (is_word(&scan, "bytes"))
		r = parse_bytes(&scan, &expression);
	else if (is_word(&scan, "field"))
		r = parse_field(&scan, &expression);
	else if (*scan.at == '.')
		r = parse_path(&scan, &expression);
	else if (!is_word(&scan, "item"))
		r = bad(&scan, expected);
	skip_blanks(&scan);
	if (!r && *scan.at)
		r = bad(&scan, "the end; only looking up a value is possible, no filter or function");
	if (r)
		key_expression_deinit(&expression);
	else
		*ret = expression;
	return r;
}

void key_expression_deinit(struct key_expression *expression)
{
	for (uint32_t i = 0; i < expression->n_segments; i++)
		free(expression->segments[i].name);
	free(expression->segments);
	*expression = (struct key_expression)KEY_EXPRESSION_NULL;
}

int key_expression_unwrap(const char *value, char **ret_source, struct text *why)
{
	size_t n = strlen(value);

	if (strncmp(value, "key(", 4) != 0) {
		text_add(why, "is unknown: expected what makes the key, as in key(.customer) or key(field(1))");
		return KEY_EXPRESSION_E_BAD;
	}
	if (value[n - 1] != ')') {
		text_add(
			why,
			"has no closing parenthesis: expected key(...); in {...} a comma ends a value unless it is quoted");
		return KEY_EXPRESSION_E_BAD;
	}
	*ret_source = strndup(value + 4, n - 5);
	must(*ret_source);
	return 0;
}
