/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/cli/tap_edges.h"

#include <string.h>

#define NAMED_MAX 24u /* of the edges that there are, in a message */

struct word {
	const char *at;
	size_t n;
};

static bool is_word(struct word word, const char *string)
{
	return strlen(string) == word.n && memcmp(string, word.at, word.n) == 0;
}

static const char *from_of(const struct catalog *catalog, uint32_t edge)
{
	return catalog_string(catalog, catalog->stages[catalog->edges[edge].from].name);
}

static const char *to_of(const struct catalog *catalog, uint32_t edge)
{
	return catalog_string(catalog, catalog->stages[catalog->edges[edge].to].name);
}

static const char *outputs_of(const struct catalog *catalog, uint32_t edge)
{
	return catalog_string(catalog, catalog->edges[edge].outputs);
}

/* One of "slow,rest". */
static bool has_output(const char *outputs, struct word output)
{
	for (;;) {
		struct word one = { outputs, strcspn(outputs, ",") };

		if (one.n == output.n && memcmp(one.at, output.at, one.n) == 0)
			return true;
		if (!outputs[one.n])
			return false;
		outputs += one.n + 1;
	}
}

/* "split" or "split.slow" */
static bool is_from(const struct catalog *catalog, uint32_t edge, struct word words)
{
	const char *dot = memchr(words.at, '.', words.n);
	struct word stage = { words.at, dot ? (size_t)(dot - words.at) : words.n };
	struct word output = { words.at + stage.n + 1, words.n - stage.n - 1 };

	return is_word(stage, from_of(catalog, edge)) && (!dot || has_output(outputs_of(catalog, edge), output));
}

bool tap_edge_is_meant(const struct catalog *catalog, uint32_t edge, const char *words)
{
	const char *colon = words ? strchr(words, ':') : NULL;
	struct word all = { words, words ? strlen(words) : 0 };

	if (!words)
		return true;
	if (!colon)
		return is_from(catalog, edge, all) || is_word(all, to_of(catalog, edge));
	return is_from(catalog, edge, (struct word){ words, (size_t)(colon - words) }) &&
	       strcmp(colon + 1, to_of(catalog, edge)) == 0;
}

uint32_t tap_edges_meant(const struct catalog *catalog, const char *words)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < catalog->head->n_edges; i++)
		n += tap_edge_is_meant(catalog, i, words);
	return n;
}

void tap_edge_from(const struct catalog *catalog, uint32_t edge, struct text *text)
{
	const char *outputs = outputs_of(catalog, edge);

	text_printf(text, "%s%s%s", from_of(catalog, edge), *outputs ? "." : "", outputs);
}

/* Of an edge that stands for several outputs the first one: that is enough to mean it. */
static void add_edge(const struct catalog *catalog, uint32_t edge, struct text *text)
{
	const char *outputs = outputs_of(catalog, edge);

	text_printf(text, "%s%s%.*s:%s", from_of(catalog, edge), *outputs ? "." : "", (int)strcspn(outputs, ","),
		    outputs, to_of(catalog, edge));
}

static uint32_t nearest(const struct catalog *catalog, const char *words)
{
	uint32_t best = UINT32_MAX;
	unsigned least = 3; /* edits */

	for (uint32_t i = 0; i < catalog->head->n_edges; i++) {
		_cleanup_(text_deinit) struct text edge = TEXT_NULL;
		unsigned distance;

		add_edge(catalog, i, &edge);
		distance = text_distance(words, text_get(&edge));
		if (distance < least) {
			least = distance;
			best = i;
		}
	}
	return best;
}

void tap_edges_explain(const struct catalog *catalog, const char *words, struct text *why)
{
	uint32_t n = catalog->head->n_edges, near = nearest(catalog, words);

	text_printf(why, "there is no edge '%s'", words);
	if (near != UINT32_MAX) {
		text_add(why, ", did you mean ");
		add_edge(catalog, near, why);
		text_add_char(why, '?');
		return;
	}
	text_add(why, n == 1 ? "; there is " : "; there are ");
	for (uint32_t i = 0; i < n && i < NAMED_MAX; i++) {
		text_add(why, i ? ", " : "");
		add_edge(catalog, i, why);
	}
	if (n > NAMED_MAX)
		text_printf(why, " and %u more", n - NAMED_MAX);
	text_add(why, "; or name a stage, for all edges at it");
}
