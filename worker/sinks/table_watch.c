/* SPDX-License-Identifier: Apache-2.0 */
/*
 * LMDB knows which commit a reader sees, not since when: so it is noted when a reader was first met with that commit. It is a look
 * once a second, and a reader that is done between two looks is never noticed.
 */
#include "worker/sinks/table_watch.h"

#include <weir/log.h>

#include "common/base/clock.h"
#include "common/base/quantity.h"

#define LOOK_NS NS_PER_S
#define SAYS_AFTER_NS (10 * NS_PER_S)

struct look {
	struct table_watch *watch;
	const char *path; /* NULL: nothing is said */
	uint64_t now_ns;
	struct table_reader oldest;
	uint64_t oldest_ns; /* how long it has looked; meaningful if oldest.pid */
};

/* Its note; a new one if it sees another commit than before. NULL: too many. */
static struct table_watch_reader *note_of(const struct look *look, pid_t pid, uint64_t commit)
{
	struct table_watch_reader *unused = NULL;

	for (uint32_t i = 0; i < TABLE_WATCH_READERS; i++) {
		struct table_watch_reader *note = &look->watch->readers[i];

		if (note->pid == pid && note->commit == commit)
			return note;
		if (!unused && !note->pid)
			unused = note;
	}
	if (unused)
		*unused = (struct table_watch_reader){ .pid = pid, .commit = commit, .since_ns = look->now_ns };
	return unused;
}

static void say(const struct look *look, const struct table_reader *reader, uint64_t age_ns)
{
	_cleanup_(text_deinit) struct text name = TEXT_NULL;
	char age[QUANTITY_TEXT_SIZE];

	table_reader_name(reader, &name);
	weir_log(
		WEIR_LOG_WARNING,
		"%s has looked at one state of the table %s for %s and %llu commits: what was replaced since then takes room "
		"until it goes on or ends",
		text_get(&name), look->path, quantity_format_duration(age_ns, age), (unsigned long long)reader->behind);
}

static int look_at(void *data, const struct table_reader *reader)
{
	struct look *look = data;
	struct table_watch_reader *note;
	uint64_t age_ns;

	if (!reader->behind)
		return 0;
	note = note_of(look, reader->pid, look->watch->commits - reader->behind);
	if (!note)
		return 0;
	note->there = true;
	age_ns = look->now_ns - note->since_ns;
	if (!look->oldest.pid || reader->behind > look->oldest.behind) {
		look->oldest = *reader;
		look->oldest_ns = age_ns;
	}
	if (look->path && !note->said && age_ns >= SAYS_AFTER_NS) {
		say(look, reader, age_ns);
		note->said = true;
	}
	return 0;
}

static void look_round(struct look *look, struct table_store *store)
{
	for (uint32_t i = 0; i < TABLE_WATCH_READERS; i++)
		look->watch->readers[i].there = false;
	(void)table_store_readers(store, look_at, look); /* what can't be read now will be, in a second */
	for (uint32_t i = 0; i < TABLE_WATCH_READERS; i++)
		if (!look->watch->readers[i].there)
			look->watch->readers[i].pid = 0;
}

void table_watch_commit(struct table_watch *watch, struct table_store *store, const char *path, uint64_t now_ns)
{
	struct look look = { .watch = watch, .path = path, .now_ns = now_ns };

	watch->commits++;
	if (now_ns < watch->next_ns)
		return;
	watch->next_ns = now_ns + LOOK_NS;
	look_round(&look, store);
}

void table_watch_name(struct table_watch *watch, struct table_store *store, uint64_t now_ns, struct text *text)
{
	struct look look = { .watch = watch, .now_ns = now_ns };
	char age[QUANTITY_TEXT_SIZE];

	look_round(&look, store);
	if (!look.oldest.pid) {
		text_add(text, "nobody looks at an old state of it any more");
		return;
	}
	table_reader_name(&look.oldest, text);
	text_printf(text, " has looked at an old state of it for %s at least",
		    quantity_format_duration(look.oldest_ns, age));
	if (look.oldest.stopped)
		text_printf(text,
			    "; let it go on (kill -CONT %d), or end it (kill -KILL %d: a worker loses nothing by that)",
			    (int)look.oldest.pid, (int)look.oldest.pid);
	else
		text_add(text, "; let it end, or end it (a worker loses nothing by that)");
}
