/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One look at all rings, again and again: whoever calls decides how often. A ring of a worker at full speed is overwritten in some ten
 * milliseconds; what is not read by then is lost, and said in the packet that follows.
 */
#include "broker/trace/tracer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "broker/observe/observer.h"
#include "broker/trace/ctf.h"
#include "common/base/clock.h"
#include "common/base/must.h"

struct source {
	const struct recorder_ring *ring; /* NULL: this worker has none */
	struct recorder_ring *mapped;     /* to be unmapped; NULL: the board's */
	uint32_t n_events;
	uint64_t from;
	struct ctf_stream stream;
};

struct tracer {
	struct observer *observer;
	struct source *sources; /* of the slots, then the supervisor's */
	uint32_t n_sources;
	struct recorder_record *records; /* RECORDER_SLOT_EVENTS */
};

static int fail(struct text *why, const char *what, const char *dir, int error)
{
	text_printf(why, "%s %s: %s", what, dir, strerror(error));
	return TRACER_E_FAILED;
}

static int write_metadata(const struct tracer *tracer, const char *dir, struct text *why)
{
	char path[4096];
	FILE *file;
	bool bad;

	if ((size_t)snprintf(path, sizeof(path), "%s/metadata", dir) >= sizeof(path))
		return fail(why, "can not write", dir, ENAMETOOLONG);
	file = fopen(path, "wxe");
	if (!file)
		return fail(why, "can not write", path, errno);
	ctf_metadata_write(file, observer_catalog(tracer->observer), clock_realtime_ns() - clock_now_ns());
	bad = ferror(file);
	if (fclose(file) != 0 || bad)
		return fail(why, "can not write", path, bad ? EIO : errno);
	return 0;
}

/* The ring of a slot, or the board's. What it holds already comes first. */
static int open_source(const struct tracer *tracer, uint32_t slot, struct source *source, const char *dir,
		       struct text *why)
{
	const struct catalog *catalog = observer_catalog(tracer->observer);
	int r = 0;

	if (slot == CTF_SUPERVISOR) {
		source->ring = board_recorder(observer_board(tracer->observer));
		source->n_events = RECORDER_BOARD_EVENTS;
	} else if (segment_is_recorded(&catalog->slots[slot].geometry)) {
		r = recorder_map(observer_segment_fd(tracer->observer, slot), &catalog->slots[slot].geometry,
				 SEGMENT_READ, &source->mapped);
		source->ring = source->mapped;
		source->n_events = RECORDER_SLOT_EVENTS;
	}
	if (r < 0)
		return fail(why, "can not map the recorder of", catalog_stage_name(catalog, slot), -r);
	if (!source->ring)
		return 0;
	source->from = recorder_last(source->ring, source->n_events - 1);
	r = ctf_stream_open(&source->stream, dir, catalog, slot);
	return r < 0 ? fail(why, "can not write into", dir, -r) : 0;
}

static int open_files(struct tracer *tracer, const char *dir, struct text *why)
{
	uint32_t n_slots = observer_catalog(tracer->observer)->head->n_slots;
	int r;

	if (mkdir(dir, 0777) < 0)
		return fail(why, "can not make the folder", dir, errno);
	r = write_metadata(tracer, dir, why);
	tracer->n_sources = n_slots + 1;
	tracer->sources = calloc(tracer->n_sources, sizeof(*tracer->sources));
	tracer->records = calloc(RECORDER_SLOT_EVENTS, sizeof(*tracer->records));
	must(tracer->sources && tracer->records);
	for (uint32_t i = 0; r == 0 && i < tracer->n_sources; i++)
		r = open_source(tracer, i < n_slots ? i : CTF_SUPERVISOR, &tracer->sources[i], dir, why);
	return r;
}

int tracer_open(const char *run_dir, const char *dir, uint64_t wait_ns, struct tracer **ret_tracer, struct text *why)
{
	struct tracer *tracer = calloc(1, sizeof(*tracer));
	struct tracer_sum sum;
	int r;

	must(tracer);
	r = observer_open(run_dir, wait_ns, &tracer->observer, why);
	if (r != 0)
		r = r == OBSERVER_E_NOT_RUNNING ? TRACER_E_NOT_RUNNING : TRACER_E_FAILED;
	else
		r = open_files(tracer, dir, why);
	if (r != 0)
		tracer_close(tracer, &sum, NULL);
	else
		*ret_tracer = tracer;
	return r;
}

/* Whatever is noted before the time is taken is written: a later event may still come into the next packet. */
static int copy_source(struct tracer *tracer, struct source *source, uint64_t *n)
{
	uint64_t lost = 0;
	uint32_t n_read;

	if (!source->ring)
		return 0;
	n_read = recorder_read(source->ring, source->n_events, &source->from, tracer->records, RECORDER_SLOT_EVENTS,
			       &lost);
	*n += n_read;
	return ctf_stream_write(&source->stream, observer_catalog(tracer->observer), tracer->records, n_read, lost,
				clock_now_ns());
}

int tracer_copy(struct tracer *tracer, uint64_t *ret_n, struct text *why)
{
	/* first: what has been noted before the end is there then */
	enum observer_news news = observer_look(tracer->observer);

	*ret_n = 0;
	for (uint32_t i = 0; i < tracer->n_sources; i++) {
		int r = copy_source(tracer, &tracer->sources[i], ret_n);

		if (r < 0)
			return fail(why, "can not write the events of", tracer->sources[i].stream.name, -r);
	}
	return news == OBSERVER_ENDED ? TRACER_E_ENDED : news == OBSERVER_LOST ? TRACER_E_LOST : 0;
}

int tracer_close(struct tracer *tracer, struct tracer_sum *ret_sum, struct text *why)
{
	int r = 0;

	*ret_sum = (struct tracer_sum){ 0 };
	for (uint32_t i = 0; tracer && i < tracer->n_sources; i++) {
		struct source *source = &tracer->sources[i];
		int closed = ctf_stream_close(&source->stream);

		if (closed < 0 && r == 0 && why)
			r = fail(why, "can not write the events of", source->stream.name, -closed);
		recorder_unmap(source->mapped);
		ret_sum->n_workers += source->mapped != NULL;
		ret_sum->n_events += source->stream.n_events;
		ret_sum->n_lost += source->stream.n_lost;
	}
	if (tracer) {
		observer_close(tracer->observer);
		free(tracer->records);
		free(tracer->sources);
	}
	free(tracer);
	return r;
}
