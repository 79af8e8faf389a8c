/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libfyaml speaks of flow mappings and plain scalars. Whoever forgot a bracket has never heard of them, so its findings are put into
 * words about what is seen in the file. A finding that is not in the table is passed on, marked as YAML's.
 */
#include "broker/spec/yaml_error.h"

#include <string.h>

#include "broker/spec/source.h"

#define SAME_COLUMN "all keys of one map begin in the same column, and so do the '-' of one list"
#define QUOTE \
	"put quotes around a value that begins with one of { } [ ] * & ! | > % @ `, or that has ': ' or ' #' in it"

/* The first that is part of the finding counts. */
static const struct finding {
	const char *theirs, *ours, *hint;
} findings[] = {
	{ "missing comma in flow mapping", "expected ',' or '}'", NULL },
	{ "missing comma in flow sequence", "expected ',' or ']'", NULL },
	{ "without a closing bracket", "expected ',' or ']'", NULL },
	{ "mismatched flow mapping end", "expected ']', found '}'", NULL },
	{ "mismatched flow sequence end", "expected '}', found ']'", NULL },
	{ "extra closing brace", "one '}' too many", NULL },
	{ "extra closing bracket", "one ']' too many", NULL },
	{ "without closing quote", "this quote is never closed", NULL },
	{ "quoted scalar in flow mode", "this quote is never closed", NULL },
	{ "wrongly indented double-quoted", "this quote is not closed before the next key", NULL },
	{ "wrongly indented single-quoted", "this quote is not closed before the next key", NULL },
	{ "in flow mode", "this begins further left than the list or map in brackets that it stands in", NULL },
	{ "wrongly indented flow", "this begins further left than the key that it belongs to", NULL },
	{ "invalid multiline plain key", "what begins here runs on into the next line, which has a ':' of its own",
	  "write 'key: value' with a space; " SAME_COLUMN },
	{ "invalid mapping in plain multiline", "this ':' makes a key of a text that goes over several lines",
	  "write 'key: value' with a space; " SAME_COLUMN },
	{ "expected '-' indicator", "this is neither a '- ' of the list above nor a key of its last element",
	  SAME_COLUMN },
	{ "did not find expected key", "expected a key", SAME_COLUMN },
	{ "invalid indentation in mapping", "this is not in the column of the keys above", SAME_COLUMN },
	{ "wrong indendation in sequence", "this is not in the column of the lines above", SAME_COLUMN },
	{ "wrongly indented sequence item", "this '-' is not in the column of those above", SAME_COLUMN },
	{ "could not find expected ':'", "expected 'key: value', found no ':'", NULL },
	{ "missing ':'", "expected 'key: value', found no ':'", NULL },
	{ "invalid nested block mapping", "a second ': ' in one line", QUOTE },
	{ "invalid value after mapping", "this belongs neither to the value before it nor to a key of its own",
	  "a key needs ': ' behind it; a value that begins with { or [ needs quotes, unless it ends there" },
	{ "at the end of block sequence", "expected '- ' for the next element of the list above", SAME_COLUMN },
	{ "expected node content", "expected a value", NULL },
	{ "tab character", "a tab in the indentation", "YAML wants spaces for indentation" },
	{ "invalid tab", "a tab in the indentation", "YAML wants spaces for indentation" },
	{ "block sequence on the same line", "a list of '- ' elements begins on a line of its own", NULL },
	{ "plain scalar cannot start with", "a value that begins with this character needs quotes", NULL },
	{ "invalid escape", "this \\ begins nothing that YAML knows",
	  "in double quotes a backslash is written \\\\; single quotes keep it as it is" },
	{ "invalid hex escape", "this \\ begins nothing that YAML knows",
	  "in double quotes a backslash is written \\\\; single quotes keep it as it is" },
	{ "invalid trailing content after", "text behind a closing quote",
	  "in single quotes a quote is written twice: 'it''s'; in double quotes \\\"" },
	{ "block scalar no linebreak", "the text that '|' or '>' announces begins on the next line", NULL },
	{ "missing document start", "this does not belong to the map or list before it", SAME_COLUMN },
	{ "directive", "lines that begin with % have no meaning in a spec", NULL },
	{ "invalid alias", "the name behind the '*' is missing", QUOTE },
	{ "invalid anchor", "the name behind the '&' is missing", QUOTE },
	{ "invalid comment", "a comment begins with ' #': the space is missing", NULL },
};

static const struct finding *find(const char *found)
{
	for (size_t i = 0; i < sizeof(findings) / sizeof(findings[0]); i++)
		if (strstr(found, findings[i].theirs))
			return &findings[i];
	return NULL;
}

static struct spec_position end_of(const char *source, size_t size)
{
	while (size && strchr(" \t\r\n", source[size - 1]))
		size--;
	return source_position(source, size);
}

static bool is_behind(struct spec_position a, struct spec_position b)
{
	return a.line != b.line ? a.line > b.line : a.column >= b.column;
}

void yaml_error_report(struct diagnostics *diagnostics, const char *source, size_t size, const char *found,
		       struct spec_position position, const struct yaml_open *open, const struct spec_position *fixed)
{
	_cleanup_(text_deinit) struct text hint = TEXT_NULL;
	const struct finding *finding = find(found);
	struct spec_position end = end_of(source, size);
	char bracket = open->is_map ? '{' : '[';
	bool at_end = is_behind(position, end);

	if (at_end && open->found) {
		diagnostics_add(diagnostics, DIAGNOSTIC_ERROR, fixed ? *fixed : open->position, NULL,
				"this %c is never closed", bracket);
		return;
	}
	if (finding && finding->hint)
		text_add(&hint, finding->hint);
	else if (!fixed && open->found && open->position.line < position.line)
		text_printf(&hint, "the %c on line %u, column %u is still open", bracket, open->position.line,
			    open->position.column);
	position = fixed ? *fixed : at_end ? end : position;
	if (finding)
		diagnostics_add(diagnostics, DIAGNOSTIC_ERROR, position, hint.length ? text_get(&hint) : NULL, "%s",
				finding->ours);
	else
		diagnostics_add(diagnostics, DIAGNOSTIC_ERROR, position, hint.length ? text_get(&hint) : NULL,
				"this is not YAML: %.*s", (int)strcspn(found, "\n"), found);
}
