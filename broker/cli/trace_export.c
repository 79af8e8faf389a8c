/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The events of the trace once, in their order, and whoever wants to know of them:
 *
 *      folder -> trace_reader -> timeline -+-> chrome_json -> FILE
 *                                          +-> folded      -> FILE
 *                                          +-> span_sender -> collector, some hundred spans a request
 */
#include "broker/cli/trace_export.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "broker/cli/otlp.h"
#include "broker/cli/output_file.h"
#include "broker/cli/pipelines.h"
#include "broker/cli/span_sender.h"
#include "broker/supervise/supervisor.h"
#include "broker/trace/chrome_json.h"
#include "broker/trace/folded.h"
#include "broker/trace/timeline.h"
#include "broker/trace/trace_reader.h"
#include "common/base/must.h"

#define WRITERS_MAX 3u

struct outputs {
	FILE *perfetto, *folded;
	struct chrome_json json;
	struct folded *stacks;
	struct span_sender *spans;
	struct timeline_writer writers[WRITERS_MAX];
	uint32_t n_writers;
};

static int complain(const struct text *why)
{
	fprintf(stderr, "weir: %s\n", text_get(why));
	return EXIT_TRY_AGAIN;
}

/* ---- files ---- */

static bool is_stdout(const char *path)
{
	return strcmp(path, "-") == 0;
}

static int complain_of(const char *path, int error)
{
	fprintf(stderr, "weir: can not write %s: %s\n", path, strerror(error));
	return EXIT_TRY_AGAIN;
}

static int open_file(const char *path, struct output_file *file)
{
	int r = !path ? 0 : is_stdout(path) ? output_file_open_stdout(file) : output_file_open(path, file);

	return r == 0 ? EXIT_DONE : complain_of(path, -r);
}

static int begin_file(const char *path, struct output_file *output, FILE **ret_file)
{
	int fd = path ? output_file_begin(output) : -1;

	if (!path)
		return EXIT_DONE;
	if (fd < 0)
		return complain_of(path, -fd);
	*ret_file = fdopen(fd, "w");
	must(*ret_file);
	return EXIT_DONE;
}

/* What is read is not written, and two texts don't go into one file. */
static int check_files(const struct output_file *perfetto, const struct output_file *folded, const char *dir)
{
	const struct output_file *files[] = { perfetto, folded };

	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++)
		if (output_file_is_within(files[i], dir)) {
			fprintf(stderr, "weir: %s is a file of the trace %s itself: write it somewhere else\n",
				files[i]->path, dir);
			return EXIT_USAGE;
		}
	if (!output_file_is_same(perfetto, folded))
		return EXIT_DONE;
	fprintf(stderr, "weir: --perfetto %s and --folded %s are one file: give each its own\n", perfetto->path,
		folded->path);
	return EXIT_USAGE;
}

/* What was written is all there, or it is said. */
static int close_file(const char *path, FILE *file)
{
	bool bad;
	int error;

	if (!file)
		return EXIT_DONE;
	errno = 0;
	bad = fflush(file) != 0 || ferror(file);
	error = errno;
	if (fclose(file) != 0 && !bad) {
		bad = true;
		error = errno;
	}
	if (!bad)
		return EXIT_DONE;
	fprintf(stderr, "weir: can not write %s: %s; what is there is not whole\n",
		is_stdout(path) ? "standard output" : path, strerror(error ? error : EIO));
	return EXIT_TRY_AGAIN;
}

/* All of them, or nothing has become of any. */
static int open_files(struct outputs *outputs, const struct trace_export *export)
{
	struct output_file perfetto = OUTPUT_FILE_NULL, folded = OUTPUT_FILE_NULL;
	int r = open_file(export->perfetto, &perfetto);

	r = r ? r : open_file(export->folded, &folded);
	r = r ? r : check_files(&perfetto, &folded, export->dir);
	r = r ? r : begin_file(export->perfetto, &perfetto, &outputs->perfetto);
	r = r ? r : begin_file(export->folded, &folded, &outputs->folded);
	output_file_drop(&perfetto);
	output_file_drop(&folded);
	return r;
}

static int open_collector(struct outputs *outputs, const struct trace_export *export)
{
	_cleanup_(text_deinit) struct text why = TEXT_NULL;
	int r = export->otlp ? span_sender_open(export->otlp, export->share, export->for_ns, &outputs->spans, &why) : 0;

	if (r != 0)
		fprintf(stderr, "weir: %s\n", text_get(&why));
	return r == OTLP_E_USAGE ? EXIT_USAGE : r ? EXIT_TRY_AGAIN : EXIT_DONE;
}

/* What was sent is told, also where the rest was not. */
static int close_collector(const struct outputs *outputs, bool quiet)
{
	_cleanup_(text_deinit) struct text what = TEXT_NULL;
	int r = span_sender_close(outputs->spans, &what);

	if (what.length && (r != 0 || !quiet))
		fprintf(stderr, "weir: %s\n", text_get(&what));
	return r ? EXIT_TRY_AGAIN : EXIT_DONE;
}

static int close_files(const struct outputs *outputs, const struct trace_export *export)
{
	int r = close_file(export->perfetto, outputs->perfetto);
	int folded = close_file(export->folded, outputs->folded);

	return r ? r : folded;
}

/* ---- what goes into them ---- */

static void begin(struct outputs *outputs, const struct trace_names *names, uint64_t origin_ns)
{
	if (outputs->perfetto) {
		chrome_json_begin(&outputs->json, outputs->perfetto, names, origin_ns);
		outputs->writers[outputs->n_writers++] = chrome_json_writer(&outputs->json);
	}
	if (outputs->folded) {
		outputs->stacks = folded_new(names);
		outputs->writers[outputs->n_writers++] = folded_writer(outputs->stacks);
	}
	if (outputs->spans)
		outputs->writers[outputs->n_writers++] = span_sender_writer(outputs->spans, names);
}

static void end(struct outputs *outputs)
{
	if (outputs->perfetto)
		chrome_json_end(&outputs->json);
	if (outputs->stacks)
		folded_write(outputs->stacks, outputs->folded);
	folded_free(outputs->stacks);
}

/* The rest would be in vain: a full disk, a reader that has left, a collector that is down. */
static bool went_wrong(const struct outputs *outputs)
{
	return (outputs->perfetto && ferror(outputs->perfetto)) ||
	       (outputs->spans && span_sender_has_failed(outputs->spans));
}

/* Returns what trace_reader_next() says in the end, 0: a file can not be written. */
static int copy(struct trace_reader *reader, struct outputs *outputs, uint64_t *ret_n, struct text *why)
{
	struct timeline *timeline = NULL;
	struct trace_event event;
	int r = trace_reader_next(reader, &event, why);

	begin(outputs, trace_reader_names(reader), r == 0 ? event.record.time_ns : 0);
	timeline = timeline_new(trace_reader_names(reader), outputs->writers, outputs->n_writers);
	for (; r == 0 && !went_wrong(outputs); r = trace_reader_next(reader, &event, why)) {
		timeline_add(timeline, &event);
		++*ret_n;
	}
	timeline_free(timeline);
	end(outputs);
	return r;
}

static void say(const struct trace_export *export, const struct trace_reader *reader, uint64_t n)
{
	if (trace_reader_cut(reader))
		fprintf(stderr,
			"weir: %u files of %s end in the middle: whoever wrote them was killed; the rest is exported\n",
			trace_reader_cut(reader), export->dir);
	if (!export->quiet)
		fprintf(stderr, "weir: %s: %" PRIu64 " events of pipeline '%s'\n", export->dir, n,
			trace_reader_names(reader)->pipeline);
}

int trace_export(const struct trace_export *export)
{
	_cleanup_(text_deinit) struct text why = TEXT_NULL;
	struct outputs outputs = { 0 };
	struct trace_reader *reader;
	uint64_t n = 0;
	int r, closed, sent;

	r = trace_reader_open(export->dir, &reader, &why);
	if (r != 0) {
		complain(&why);
		return r == TRACE_READER_E_NONE ? EXIT_NOT_RUNNING : EXIT_TRY_AGAIN;
	}
	r = open_collector(&outputs, export);
	if (r == EXIT_DONE)
		r = open_files(&outputs, export);
	if (r == EXIT_DONE && copy(reader, &outputs, &n, &why) == TRACE_READER_E_FAILED)
		r = complain(&why);
	closed = close_files(&outputs, export);
	sent = close_collector(&outputs, export->quiet);
	if (r == EXIT_DONE && closed == EXIT_DONE && sent == EXIT_DONE)
		say(export, reader, n);
	trace_reader_close(reader);
	return r ? r : closed ? closed : sent;
}
