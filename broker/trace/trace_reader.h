/* SPDX-License-Identifier: Apache-2.0 */
/* A recorded trace, read again: events of all its files in one order. A few kilobytes for each file, however long it is. */
#pragma once

#include <stdint.h>

#include "broker/trace/trace_names.h"
#include "common/observe/recorder.h"

struct trace_event {
	struct recorder_record record; /* of place "lane": a number of trace_names, or UINT32_MAX */
	uint32_t slot;                 /* whose recorder; CTF_SUPERVISOR: the supervisor's */
	uint64_t n_lost; /* of this recorder, since the event before this one; RECORDER_NOTHING: only this is told */
};

struct trace_reader;

/*
 * Opens a folder that tracer_open() has made. `why` gets a sentence unless it returns 0. Returns 0 and the reader, which
 * trace_reader_close() ends; TRACE_READER_E_NONE: there is no such trace, or it is of another version; TRACE_READER_E_FAILED: it can
 * not be read.
 */
enum { TRACE_READER_E_NONE = 1, TRACE_READER_E_FAILED = 2, TRACE_READER_END = 3 };
int trace_reader_open(const char *dir, struct trace_reader **ret_reader, struct text *why);
/* Valid until the reader is closed. */
const struct trace_names *trace_reader_names(const struct trace_reader *reader);
/*
 * The next event of all, by time. Returns 0; TRACE_READER_END; TRACE_READER_E_FAILED and `why`: a file is no such file, from there on. One
 * that ends in the middle of a packet ends there: whoever wrote it was killed.
 */
int trace_reader_next(struct trace_reader *reader, struct trace_event *event, struct text *why);
/* How many of its files end in the middle of a packet, as far as they have been read. */
uint32_t trace_reader_cut(const struct trace_reader *reader);
/* Fine on NULL. */
void trace_reader_close(struct trace_reader *reader);
