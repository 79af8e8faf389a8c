/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of the operator parse (own folder only). */
#pragma once

#include <stdbool.h>
#include <weir/record.h>
#include <weir/stage.h>

#include "common/record/csv.h"
#include "common/record/typed.h"
#include "worker/script/regex_program.h"

/* Bytes of an item, or of what becomes of it; borrowed. */
struct part {
	const char *data;
	size_t size_bytes;
};

enum parse_format { PARSE_REGEX = 0, PARSE_LOGFMT, PARSE_CSV }; /* as the choices of the option `format` */

struct parse {
	enum parse_format format;
	struct regex_program *regex; /* REGEX; owned, and so are the members below */
	struct guard *guard;         /* REGEX */
	struct csv_names columns;    /* CSV */
	char separator;              /* CSV */
	struct typed typed;
	const char *member; /* of the item that is the text; NULL: the item is. Borrowed */
	enum weir_form form;
	bool errors_are_read;   /* somebody reads from `errors` */
	msgpack_sbuffer groups; /* REGEX: what they have matched */
	struct record_scratch fields, typed_fields, joined, names;
};

/*
 * Reads the options and makes what they ask for; complains of each that is wrong: weir_complain(). For check() and for open(). Returns 0;
 * WEIR_FAILED; -errno. Either way parse_deinit() frees.
 */
int parse_options_read(struct weir_context *context, size_t size_max, struct parse *parse);
void parse_deinit(struct parse *parse);
