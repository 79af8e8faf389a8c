/* SPDX-License-Identifier: Apache-2.0 */
/* From a spec file to a plan, or to all of its errors at once. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "broker/spec/plan.h"
#include "common/base/text.h"

enum diagnostic_level { DIAGNOSTIC_ERROR, DIAGNOSTIC_WARNING };

/* One finding, with its place; printed as "file:line:col: error: text", the line, a caret, and a hint. */
struct diagnostic {
	enum diagnostic_level level;
	struct spec_position position;
	char *message;
	char *hint; /* "did you mean 'source'?"; NULL: none */
};

struct diagnostics {
	char *path;
	char *source; /* the file's text, for the excerpts */
	size_t source_size;
	struct diagnostic *list; /* sorted by position */
	size_t n;
	size_t n_errors;
	size_t n_dropped; /* findings beyond those that are kept */
	char **settings;  /* "path=value" of the command line; position { 0, i + 1 } stands for settings[i] */
	size_t n_settings;
};

#define DIAGNOSTICS_NULL \
	{                \
		0        \
	}
void diagnostics_deinit(struct diagnostics *diagnostics);
/* All findings as text for people, or as a JSON array. color: with ANSI colours. */
void diagnostics_format(const struct diagnostics *diagnostics, bool color, struct text *ret_text);
void diagnostics_format_json(const struct diagnostics *diagnostics, struct text *ret_text);
/* The first error in one line without its end: "FILE:3:5: what (hint); and 2 more errors". Nothing if there is none. */
void diagnostics_format_first(const struct diagnostics *diagnostics, struct text *ret_text);
/* One more finding, e.g. when a worker reports that an option can't be served. */
void diagnostics_add(struct diagnostics *diagnostics, enum diagnostic_level level, struct spec_position position,
		     const char *hint, const char *format, ...) __attribute__((format(printf, 5, 6)));

/* Settings from the command line that win over the file: "--set key=value", dotted path, e.g. "stages.awk.workers=4". */
struct spec_override {
	const char *path, *value;
};

enum { SPEC_E_INVALID = 1 }; /* diagnostics holds at least one error */

/*
 * From any thread, for a process that is about to end: nobody is asked anything any more, and a spec that is being read
 * has an error then.
 */
void spec_load_give_up(void);

/*
 * Reads, checks and plans. No network, no state; plugins are asked for their descriptor in a child process. path "-": standard
 * input. Returns 0 and the plan (warnings may be in diagnostics), SPEC_E_INVALID, or -errno (out of memory).
 */
int spec_load(const char *path, const struct spec_override *overrides, size_t n_overrides, struct plan **ret_plan,
	      struct diagnostics *ret_diagnostics);
/* The same of a text that is there already, of `size` bytes; findings name `shown` as its file, workers are told `path`. */
int spec_load_text(const char *path, const char *shown, const char *text, size_t size,
		   const struct spec_override *overrides, size_t n_overrides, struct plan **ret_plan,
		   struct diagnostics *ret_diagnostics);
