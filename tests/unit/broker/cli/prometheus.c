/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/broker/cli/prometheus.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SERIES_MAX 4096u
#define METRICS_MAX 256u
#define NAME_FIRST "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_"
#define NAME_REST NAME_FIRST "0123456789"

/* One histogram's series while its lines come: all must stand in a row. */
struct run {
	char labels[512]; /* without le */
	double le, count;
	bool open, infinite, has_sum;
};

struct reader {
	char name[128], type[16]; /* of the metric at work */
	char known[METRICS_MAX][128];
	size_t n_known;
	char *series[SERIES_MAX];
	size_t n_series, n_of_metric;
	struct run run;
	unsigned line;
	const char *error;
};

static bool wrong(struct reader *reader, const char *what)
{
	static char error[256];

	if (!reader->error) {
		snprintf(error, sizeof(error), "line %u: %s", reader->line, what);
		reader->error = error;
	}
	return false;
}

static size_t name_length(const char *at, const char *more)
{
	char rest[160];

	if (!*at || !(strchr(NAME_FIRST, *at) || strchr(more, *at)))
		return 0;
	snprintf(rest, sizeof(rest), "%s%s", NAME_REST, more);
	return strspn(at, rest);
}

/* ---- comments ---- */

/* Nothing may follow a histogram's series but its own lines. */
static bool end_run(struct reader *reader)
{
	struct run *run = &reader->run;

	if (run->open)
		return wrong(reader, "a histogram without its count");
	*run = (struct run){ 0 };
	return true;
}

static bool begin_metric(struct reader *reader, const char *name, size_t length)
{
	if (!end_run(reader))
		return false;
	if (*reader->name && (!*reader->type || !reader->n_of_metric))
		return wrong(reader, "the metric before has no type or no sample");
	if (length >= sizeof(reader->name) || reader->n_known == METRICS_MAX)
		return wrong(reader, "too long a name, or too many");
	snprintf(reader->name, sizeof(reader->name), "%.*s", (int)length, name);
	for (size_t i = 0; i < reader->n_known; i++)
		if (strcmp(reader->known[i], reader->name) == 0)
			return wrong(reader, "this metric has been there already");
	memcpy(reader->known[reader->n_known++], reader->name, sizeof(reader->name));
	reader->type[0] = '\0';
	reader->n_of_metric = 0;
	return true;
}

static bool escapes_are_good(const char *text, bool quoted)
{
	for (; *text; text++)
		if (*text == '\\' && (!text[1] || !strchr(quoted ? "\\n\"" : "\\n", *++text)))
			return false;
	return true;
}

static bool read_help(struct reader *reader, const char *at)
{
	size_t length = name_length(at, ":");

	if (!length || at[length] != ' ' || !at[length + 1])
		return wrong(reader, "HELP wants a name and a text");
	if (!escapes_are_good(at + length + 1, false))
		return wrong(reader, "HELP: a wrong escape");
	return begin_metric(reader, at, length);
}

static bool read_type(struct reader *reader, const char *at)
{
	size_t length = strlen(reader->name);
	bool counter;

	if (!length || strncmp(at, reader->name, length) != 0 || at[length] != ' ' || *reader->type)
		return wrong(reader, "TYPE must follow the HELP of its metric");
	at += length + 1;
	counter = strcmp(at, "counter") == 0;
	if (!counter && strcmp(at, "gauge") != 0 && strcmp(at, "histogram") != 0)
		return wrong(reader, "an unknown type");
	if (counter != (length > 6 && strcmp(reader->name + length - 6, "_total") == 0))
		return wrong(reader, "_total belongs to counters, and to all of them");
	snprintf(reader->type, sizeof(reader->type), "%s", at);
	return true;
}

/* ---- samples ---- */

/* A quoted value with its escapes; returns what follows it, NULL if it has no good end. */
static const char *after_value(const char *at)
{
	if (*at++ != '"')
		return NULL;
	while (*at && *at != '"') {
		if (*at == '\\' && !strchr("\\n\"", at[1] ? *++at : 'x'))
			return NULL;
		at++;
	}
	return *at == '"' ? at + 1 : NULL;
}

/* "{a="b",le="1"}": copies all but le. Returns what follows it, or NULL. */
static const char *read_labels(struct reader *reader, const char *at, char *labels, size_t size, char *le,
			       size_t le_size)
{
	size_t n = 0;

	labels[0] = le[0] = '\0';
	if (*at++ != '{')
		return wrong(reader, "no labels"), NULL;
	while (*at != '}') {
		size_t length = name_length(at, "");
		const char *value = at + length + 1, *end = length && at[length] == '=' ? after_value(value) : NULL;

		if (!end || (*end != ',' && *end != '}'))
			return wrong(reader, "a malformed label"), NULL;
		if (length == 2 && memcmp(at, "le", 2) == 0)
			snprintf(le, le_size, "%.*s", (int)(end - value - 2), value + 1);
		else
			n += (size_t)snprintf(labels + n, size - n, "%.*s,", (int)(end - at), at);
		if (n >= size)
			return wrong(reader, "labels are too long"), NULL;
		at = *end == ',' ? end + 1 : end;
		if (*end == ',' && *at == '}')
			return wrong(reader, "a comma too many"), NULL;
	}
	return at + 1;
}

static bool read_value(struct reader *reader, const char *at, double *ret_value)
{
	char *end;

	if (*at++ != ' ' || !*at || *at == ' ')
		return wrong(reader, "one space and a value are wanted");
	*ret_value = strtod(at, &end);
	if (end == at || *end || !isfinite(*ret_value) || *ret_value < 0)
		return wrong(reader, "not a number that can be");
	return true;
}

static bool take_bucket(struct reader *reader, const char *labels, const char *le, double value)
{
	struct run *run = &reader->run;
	char *end;
	double bound = strcmp(le, "+Inf") == 0 ? INFINITY : strtod(le, &end);

	if (!*le || (isfinite(bound) && (*end || le[strlen(le) - 1] == '.')))
		return wrong(reader, "a bucket without a bound");
	if (!run->open)
		*run = (struct run){ .open = true, .le = -1 };
	else if (strcmp(run->labels, labels) != 0)
		return wrong(reader, "another series before the count of the last");
	if (run->infinite || bound <= run->le || value < run->count)
		return wrong(reader, "buckets do not ascend");
	snprintf(run->labels, sizeof(run->labels), "%s", labels);
	run->le = bound;
	run->count = value;
	run->infinite = !isfinite(bound);
	return true;
}

static bool take_of_histogram(struct reader *reader, const char *ending, const char *labels, const char *le,
			      double value)
{
	struct run *run = &reader->run;

	if (strcmp(ending, "_bucket") == 0)
		return take_bucket(reader, labels, le, value);
	if (*le || !run->open || strcmp(run->labels, labels) != 0 || !run->infinite)
		return wrong(reader, "sum and count stand behind the bucket +Inf");
	if (strcmp(ending, "_sum") == 0 && !run->has_sum) {
		run->has_sum = true;
		return true;
	}
	if (strcmp(ending, "_count") != 0 || !run->has_sum || value != run->count)
		return wrong(reader, "a sum, and then a count that is that of +Inf");
	*run = (struct run){ 0 };
	return true;
}

static bool is_new(struct reader *reader, const char *series, size_t length)
{
	for (size_t i = 0; i < reader->n_series; i++)
		if (strlen(reader->series[i]) == length && memcmp(reader->series[i], series, length) == 0)
			return wrong(reader, "this series has been there already");
	if (reader->n_series == SERIES_MAX)
		return wrong(reader, "too many series for this test");
	reader->series[reader->n_series++] = strndup(series, length);
	return true;
}

static bool read_sample(struct reader *reader, const char *line)
{
	size_t length = name_length(line, ":"), own = strlen(reader->name);
	char labels[512], le[64], ending[128];
	const char *at;
	double value;

	if (!*reader->type || length < own || memcmp(line, reader->name, own) != 0)
		return wrong(reader, "a sample of a metric that was not announced");
	snprintf(ending, sizeof(ending), "%.*s", (int)(length - own), line + own);
	at = read_labels(reader, line + length, labels, sizeof(labels), le, sizeof(le));
	if (!at || !read_value(reader, at, &value) || !is_new(reader, line, (size_t)(at - line)))
		return false;
	reader->n_of_metric++;
	if (strcmp(reader->type, "histogram") == 0)
		return take_of_histogram(reader, ending, labels, le, value);
	return *ending || *le ? wrong(reader, "a sample of a metric that was not announced") : true;
}

static bool read_line(struct reader *reader, const char *line)
{
	if (strncmp(line, "# HELP ", 7) == 0)
		return read_help(reader, line + 7);
	if (strncmp(line, "# TYPE ", 7) == 0)
		return read_type(reader, line + 7);
	return *line && *line != '#' ? read_sample(reader, line) : wrong(reader, "neither HELP, TYPE nor a sample");
}

const char *prometheus_check(const char *document, size_t *ret_samples)
{
	static struct reader reader;
	char line[1024];

	reader = (struct reader){ .line = 1 };
	for (; *document && !reader.error; reader.line++) {
		size_t length = strcspn(document, "\n");

		if (!document[length] || length >= sizeof(line)) {
			wrong(&reader, "no end of the line");
			break;
		}
		snprintf(line, sizeof(line), "%.*s", (int)length, document);
		if (!read_line(&reader, line))
			break;
		document += length + 1;
	}
	if (!reader.error && end_run(&reader) && !reader.n_of_metric)
		wrong(&reader, "the last metric has no sample");
	*ret_samples = reader.n_series;
	for (size_t i = 0; i < reader.n_series; i++)
		free(reader.series[i]);
	return reader.error;
}
