/* SPDX-License-Identifier: Apache-2.0 */
/*
 * "Every instruction" is counted against what the compiler really made: objdump lists the instructions of the functions named in
 * operations.def, and each must have been stepped on. One that was not has to be excused by a row of unwalked.def, by the source
 * line that it belongs to. An optimiser gives the end of an excused branch to another line (the shared epilogue), so an excuse
 * holds for the stretch up to the next jump or return.
 */
#include "tests/crash/coverage.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define TEXT_MAX (4u << 20)
#define FUNCTIONS_MAX 256u

extern const char __executable_start[];

enum operation {
#define OPERATION(id_, name_) OPERATION_##id_,
#define FUNCTION(id_, name_)
#define SOURCE(id_, path_)
#include "tests/crash/operations.def"
	OPERATION_OTHER,
	OPERATIONS
};

static const char *const operation_names[] = {
#define OPERATION(id_, name_) name_,
#define FUNCTION(id_, name_)
#define SOURCE(id_, path_)
#include "tests/crash/operations.def"
	"everything else",
};

static const struct function {
	const char *name;
	enum operation operation;
} functions[] = {
#define OPERATION(id_, name_)
#define FUNCTION(id_, name_) { #name_, OPERATION_##id_ },
#define SOURCE(id_, path_)
#include "tests/crash/operations.def"
};
#define N_FUNCTIONS (sizeof(functions) / sizeof(functions[0]))

static const struct source {
	const char *path;
	enum operation operation;
} sources[] = {
#define OPERATION(id_, name_)
#define FUNCTION(id_, name_)
#define SOURCE(id_, path_) { "/" path_, OPERATION_##id_ },
#include "tests/crash/operations.def"
};
#define N_SOURCES (sizeof(sources) / sizeof(sources[0]))

static const struct unwalked {
	const char *function, *fragment, *reason;
} unwalked[] = {
#define UNWALKED(function_, fragment_, reason_) { function_, fragment_, reason_ },
#include "tests/crash/unwalked.def"
};

/* Shared by the processes that walk. */
struct counts {
	uint32_t points[TEXT_MAX];       /* by offset in the program */
	uint32_t outside_from[TEXT_MAX]; /* points outside (libc, vdso) that were called from around here */
	uint64_t outside;
};
static struct counts *counts;
static uint32_t last_in = TEXT_MAX; /* the last offset inside */

void coverage_begin(void)
{
	counts = mmap(NULL, sizeof(*counts), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (counts == MAP_FAILED)
		exit(2);
}

void coverage_count(uint64_t address)
{
	uint64_t offset = address - (uint64_t)(uintptr_t)__executable_start;

	if (offset < TEXT_MAX) {
		__atomic_fetch_add(&counts->points[offset], 1, __ATOMIC_RELAXED);
		last_in = (uint32_t)offset;
		return;
	}
	__atomic_fetch_add(&counts->outside, 1, __ATOMIC_RELAXED);
	if (last_in < TEXT_MAX)
		__atomic_fetch_add(&counts->outside_from[last_in], 1, __ATOMIC_RELAXED);
}

static uint64_t points_at(uint64_t offset)
{
	return offset < TEXT_MAX ? counts->points[offset] : 0;
}

/* ---- reading the disassembly ---- */

struct total {
	uint64_t points, executed, excused, missing;
};

struct stretch {
	bool excused;
	uint64_t missing, points;
	char first[400];
};

struct reader {
	struct total totals[OPERATIONS];
	bool seen[N_FUNCTIONS], seen_source[N_SOURCES];
	enum operation operation; /* of the function being read; OPERATION_OTHER: none of ours */
	bool begun;               /* its source file is known */
	char symbol[128], file[512];
	unsigned line;
	struct stretch stretch;
	bool good, strict;
};

/* name, name.cold, name.part.0, name.constprop.0 */
static const struct function *function_of(const char *symbol)
{
	size_t length = strcspn(symbol, ".");

	for (size_t i = 0; i < N_FUNCTIONS; i++)
		if (strlen(functions[i].name) == length && !strncmp(functions[i].name, symbol, length))
			return &functions[i];
	return NULL;
}

/* A function that is not named belongs to the operation of its file, if that is. */
static void begin_function(struct reader *reader)
{
	size_t length = strlen(reader->file);

	reader->begun = true;
	for (size_t i = 0; i < N_SOURCES; i++) {
		size_t tail = strlen(sources[i].path);

		if (length < tail || strcmp(reader->file + length - tail, sources[i].path) != 0)
			continue;
		reader->seen_source[i] = true;
		if (reader->operation == OPERATION_OTHER)
			reader->operation = sources[i].operation;
	}
}

static const char *source_line(const char *path, unsigned number)
{
	static char cached_path[512], *text;
	static char line[512];
	const char *place;

	if (strcmp(path, cached_path) != 0) {
		FILE *file = fopen(path, "r");
		size_t n = 0;

		free(text);
		text = calloc(1, 1u << 20);
		if (file && text)
			n = fread(text, 1, (1u << 20) - 1, file);
		if (file)
			fclose(file);
		else
			fprintf(stderr,
				"crash: %s: no such source; built elsewhere, and taken from a compiler cache?\n", path);
		if (text)
			text[n] = '\0';
		snprintf(cached_path, sizeof(cached_path), "%s", path);
	}
	place = text ? text : "";
	while (--number && place)
		place = (place = strchr(place, '\n')) ? place + 1 : NULL;
	snprintf(line, sizeof(line), "%.*s", place ? (int)strcspn(place, "\n") : 0, place ? place : "");
	return line + strspn(line, " \t");
}

static bool excused(const char *symbol, const char *text)
{
	for (size_t i = 0; i < sizeof(unwalked) / sizeof(unwalked[0]); i++)
		if ((!*unwalked[i].function || !strncmp(unwalked[i].function, symbol, strlen(unwalked[i].function))) &&
		    strstr(text, unwalked[i].fragment))
			return true;
	return false;
}

static void end_stretch(struct reader *reader)
{
	struct stretch *stretch = &reader->stretch;

	if (stretch->missing && reader->operation != OPERATION_OTHER) {
		struct total *total = &reader->totals[reader->operation];

		if (stretch->excused) {
			total->excused += stretch->missing;
		} else {
			total->missing += stretch->missing;
			fprintf(stderr, "crash: %" PRIu64 " instructions never executed: %s\n", stretch->missing,
				stretch->first);
			reader->good &= !reader->strict;
		}
	}
	*stretch = (struct stretch){ 0 };
}

static void read_instruction(struct reader *reader, uint64_t offset, const char *text)
{
	struct total *total = &reader->totals[reader->operation];
	const char *source;

	if (!strncmp(text, "nop", 3) || !strncmp(text, "cs nop", 6) || !strncmp(text, "data16", 6) ||
	    !strncmp(text, "xchg   %ax,%ax", 14))
		return; /* padding */
	total->points += points_at(offset) + (offset < TEXT_MAX ? counts->outside_from[offset] : 0);
	if (points_at(offset)) {
		total->executed++;
		end_stretch(reader);
		return;
	}
	source = reader->line ? source_line(reader->file, reader->line) : "";
	if (!reader->stretch.missing++)
		snprintf(reader->stretch.first, sizeof(reader->stretch.first), "%s, %.80s:%u: %.160s", reader->symbol,
			 strrchr(reader->file, '/') ? strrchr(reader->file, '/') + 1 : reader->file, reader->line,
			 source);
	reader->stretch.excused |=
		excused(reader->symbol, source) || strstr(text, "__stack_chk_fail") || strstr(text, "must_failed");
	if (!strncmp(text, "jmp", 3) || !strncmp(text, "ret", 3))
		end_stretch(reader);
}

static void read_line(struct reader *reader, char *line)
{
	char *colon = strrchr(line, ':'), *end;
	uint64_t offset = strtoull(line, &end, 16);

	line[strcspn(line, "\n")] = '\0';
	if (line[0] == '0' && strstr(line, " <")) { /* a symbol */
		const struct function *function;

		end_stretch(reader);
		snprintf(reader->symbol, sizeof(reader->symbol), "%s", strstr(line, " <") + 2);
		reader->symbol[strcspn(reader->symbol, ">")] = '\0';
		function = function_of(reader->symbol);
		reader->operation = function ? function->operation : OPERATION_OTHER;
		reader->begun = false;
		reader->line = 0;
		if (function)
			reader->seen[function - functions] = true;
	} else if (line[0] == '/' && colon) { /* a place: file:line (discriminator n) */
		*colon = '\0';
		snprintf(reader->file, sizeof(reader->file), "%s", line);
		reader->line = (unsigned)strtoul(colon + 1, NULL, 10);
		if (!reader->begun)
			begin_function(reader);
	} else if (line[0] == ' ' && *end == ':' && reader->operation != OPERATION_OTHER) {
		read_instruction(reader, offset, end + 1 + strspn(end + 1, " \t"));
	}
}

bool coverage_report(bool strict)
{
	static struct reader reader;
	uint64_t listed = 0, all = counts->outside;
	char command[64], *line = NULL;
	size_t size = 0;
	FILE *pipe;

	reader.good = true;
	reader.strict = strict;
	snprintf(command, sizeof(command), "exec objdump -d -l --no-show-raw-insn /proc/%d/exe", (int)getpid());
	pipe = popen(command, "r");
	while (pipe && getline(&line, &size, pipe) > 0)
		read_line(&reader, line);
	end_stretch(&reader);
	free(line);
	if (!pipe || pclose(pipe) != 0) {
		fprintf(stderr, "crash: objdump (binutils) can't read this program\n");
		return false;
	}
	for (size_t i = 0; i < TEXT_MAX; i++)
		all += points_at(i);
	for (unsigned i = 0; i < OPERATION_OTHER; i++) {
		const struct total *total = &reader.totals[i];

		printf("crash operation=\"%s\" points=%" PRIu64 " instructions=%" PRIu64 "/%" PRIu64 " excused=%" PRIu64
		       " missing=%" PRIu64 "\n",
		       operation_names[i], total->points, total->executed, total->executed + total->missing,
		       total->excused, total->missing);
		listed += total->points;
		if (!total->executed) {
			fprintf(stderr, "crash: nothing of '%s' was executed\n", operation_names[i]);
			reader.good = false;
		}
	}
	printf("crash operation=\"%s\" points=%" PRIu64 "\n", operation_names[OPERATION_OTHER], all - listed);
	for (size_t i = 0; strict && i < N_FUNCTIONS; i++)
		if (!reader.seen[i]) {
			fprintf(stderr, "crash: operations.def names %s(), which is not there\n", functions[i].name);
			reader.good = false;
		}
	for (size_t i = 0; i < N_SOURCES; i++)
		if (!reader.seen_source[i]) {
			fprintf(stderr, "crash: operations.def names %s, which is not there\n", sources[i].path + 1);
			reader.good = false;
		}
	return reader.good;
}
