/* SPDX-License-Identifier: Apache-2.0 */
/* What the options of parse mean together: each format has its own, and a type is of a field that there is. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "worker/operators/parse.h"

static int complain(struct weir_context *context, const char *option, const char *why)
{
	weir_complain(context, option, 0, "%s", why);
	return WEIR_FAILED;
}

/* Options of another format have no meaning. */
static int check_given(struct weir_context *context, enum parse_format format)
{
	static const struct {
		const char *option, *why;
		enum parse_format format;
		bool needed;
	} own[] = {
		{ "pattern", "it is for format: regex", PARSE_REGEX, true },
		{ "columns", "they are for format: csv", PARSE_CSV, true },
	};
	int r = 0;

	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
		bool given = weir_option_given(context, own[i].option);

		if (given && own[i].format != format)
			r = complain(context, own[i].option, own[i].why);
		else if (!given && own[i].format == format && own[i].needed)
			r = complain(context, "format",
				     format == PARSE_CSV ?
					     "csv needs 'columns', the names of the fields: [id, name]" :
					     "regex needs a 'pattern' with named groups: '^(?<ip>\\S+) '");
	}
	return r;
}

static int read_pattern(struct weir_context *context, size_t size_max, struct parse *parse)
{
	const struct regex_settings settings = { .pattern = weir_option_string(context, "pattern"),
						 .n_steps_max = (uint32_t)weir_option_integer(context, "steps"),
						 .memory_bytes = (uint64_t)weir_option_integer(context, "memory"),
						 .size_max = size_max };
	struct regex_fault fault;
	int r = regex_program_new(&settings, &parse->regex, &fault);

	if (r != -EINVAL)
		return r;
	weir_complain(context, "pattern", fault.line, "%s", fault.why);
	return WEIR_FAILED;
}

static int read_columns(struct weir_context *context, struct parse *parse)
{
	const char *separator = weir_option_string(context, "separator");
	int r = 0;

	for (const char *const *name = weir_option_list(context, "columns"); *name; name++)
		if (!csv_names_add(&parse->columns, *name, strlen(*name))) {
			weir_complain(context, "columns", 0, "two columns have the name '%.60s'", *name);
			r = WEIR_FAILED;
		}
	if (!separator[0] || separator[1] || strchr("\"\r\n", separator[0]) || (unsigned char)separator[0] >= 0x80)
		r = complain(context, "separator", "expected one byte, and no quote or newline; \"\\t\" is a tab");
	parse->separator = separator[0];
	return r;
}

/* Of logfmt nobody knows which there will be. */
static bool has_field(const struct weir_context *context, const struct parse *parse, const char *name)
{
	const char *other;

	if (parse->format == PARSE_REGEX) {
		for (uint32_t i = 0; (other = regex_program_name(parse->regex, i)); i++)
			if (strcmp(other, name) == 0)
				return true;
		return false;
	}
	for (const char *const *column = weir_option_list(context, "columns"); column && *column; column++)
		if (strcmp(*column, name) == 0)
			return true;
	return parse->format == PARSE_LOGFMT;
}

static int read_types(struct weir_context *context, struct parse *parse)
{
	const char *const *type = weir_option_list(context, "types");
	struct record_fault fault;
	char option[256];
	int r = 0;

	for (; type && type[0]; type += 2) {
		snprintf(option, sizeof(option), "types.%s", type[0]);
		if (!has_field(context, parse, type[0]))
			r = complain(context, option,
				     parse->format == PARSE_REGEX ? "the pattern has no group of this name" :
								    "there is no column of this name");
		else if (typed_add(&parse->typed, type[0], type[1], &fault) != 0)
			r = complain(context, option, fault.why);
	}
	return r;
}

static enum parse_format format_of(const struct weir_context *context)
{
	const char *format = weir_option_string(context, "format");

	return strcmp(format, "logfmt") == 0 ? PARSE_LOGFMT : strcmp(format, "csv") == 0 ? PARSE_CSV : PARSE_REGEX;
}

int parse_options_read(struct weir_context *context, size_t size_max, struct parse *parse)
{
	int r, types;

	*parse = (struct parse){ .format = format_of(context), .member = weir_option_string(context, "field") };
	msgpack_sbuffer_init(&parse->groups);
	r = check_given(context, parse->format);
	if (r == 0 && parse->format == PARSE_REGEX)
		r = read_pattern(context, size_max, parse);
	else if (r == 0 && parse->format == PARSE_CSV)
		r = read_columns(context, parse);
	if (r != 0 && !parse->regex && !parse->columns.n && parse->format != PARSE_LOGFMT)
		return r; /* which fields there are is not known */
	types = read_types(context, parse);
	return r ? r : types;
}

void parse_deinit(struct parse *parse)
{
	guard_close(parse->guard);
	regex_program_free(parse->regex);
	csv_names_deinit(&parse->columns);
	typed_deinit(&parse->typed);
	msgpack_sbuffer_destroy(&parse->groups);
	record_scratch_deinit(&parse->fields);
	record_scratch_deinit(&parse->typed_fields);
	record_scratch_deinit(&parse->joined);
	record_scratch_deinit(&parse->names);
}
