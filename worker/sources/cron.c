/* SPDX-License-Identifier: Apache-2.0 */
/*
 * source: cron. An item at each time of a schedule.
 *
 *      cursor:  the last time that was given or left out  --schedule-->  the next one  --its item, in one commit-->  that is the last
 *
 * So what comes next follows from what is committed and not from when anybody looked: a worker that takes over gives the very next time,
 * and no time twice. A time whose item is more than `late` behind is missed, and `missed` says what becomes of it; how late it is
 * counts when there is room for its item, whatever the reason was.
 *
 * It sleeps on a timer of the wall clock: that goes off at once when the clock is set, and behind the host's sleep, which the other clock
 * knows nothing of. A clock that is set back repeats nothing: it has to reach the last time again first. If that would take long it was
 * wrong before, and the schedule begins anew at what it shows now.
 */
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>
#include <weir/record.h>

#include "common/base/cleanup.h"
#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/base/text.h"
#include "worker/builtin.h"
#include "worker/sources/schedule.h"

#define BUDGET 64u
#define LEFT_OUT_BUDGET 2000u /* in one turn; each is a look at the calendar */
#define SET_BACK_NS_MAX (3 * 3600 * NS_PER_S)

struct cron_cursor {
	uint64_t last_ns; /* CLOCK_REALTIME; 0: not begun */
	uint64_t n_given;
	uint64_t n_missed; /* left out since the last one that was given */
};

static_assert(sizeof(struct cron_cursor) <= WEIR_CURSOR_SIZE_MAX, "the cursor must fit");

enum missed { MISSED_SKIP, MISSED_ONCE, MISSED_ALL };

struct cron {
	struct schedule schedule;
	enum missed missed;
	uint64_t late_ns, count; /* count: UINT64_MAX: endless */
	const char *pattern, *name;
	struct text text;
	int timer;
};

/* ---- opening ---- */

static void cron_close(struct weir_context *context, void *data)
{
	struct cron *cron = data;

	(void)context;
	if (!cron)
		return;
	fd_close(cron->timer);
	text_deinit(&cron->text);
	free(cron);
}

static const char *zone_wrong(int r)
{
	return r == -EINVAL ? "this is no name of a time zone: expected one such as Europe/Berlin, UTC, or local" :
			      "this host does not know that time zone: look into /usr/share/zoneinfo (package tzdata)";
}

static void read_options(struct cron *cron, const struct weir_context *context)
{
	const char *missed = weir_option_string(context, "missed");

	cron->missed = !strcmp(missed, "skip") ? MISSED_SKIP : !strcmp(missed, "all") ? MISSED_ALL : MISSED_ONCE;
	cron->late_ns = (uint64_t)weir_option_integer(context, "late");
	cron->count =
		weir_option_given(context, "count") ? (uint64_t)weir_option_integer(context, "count") : UINT64_MAX;
	cron->pattern = weir_option_string(context, "text");
	cron->name = weir_option_string(context, "schedule");
}

static int begin(struct cron *cron, struct weir_context *context)
{
	const char *zone = weir_option_string(context, "timezone");
	struct cron_cursor *cursor = weir_cursor(context);
	char why[SCHEDULE_WHY_SIZE];
	int r;

	if (schedule_parse(cron->name, &cron->schedule, why) != 0) {
		weir_fail(context, "schedule '%s' is wrong: %s", cron->name, why);
		return WEIR_FAILED;
	}
	r = schedule_zone(zone);
	if (r != 0) {
		weir_fail(context, "timezone '%s': %s", zone, zone_wrong(r));
		return WEIR_FAILED;
	}
	cron->timer = timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK);
	if (cron->timer < 0)
		return error_origin(-errno);
	if (!cursor->last_ns)
		cursor->last_ns = clock_realtime_ns();
	return 0;
}

static int cron_open(struct weir_context *context, void **ret_cron)
{
	struct cron *cron = calloc(1, sizeof(*cron));
	int r;

	if (!cron)
		return error_origin(-ENOMEM);
	cron->timer = -1;
	read_options(cron, context);
	r = begin(cron, context);
	if (r != 0) {
		cron_close(context, cron);
		return r;
	}
	*ret_cron = cron;
	return 0;
}

/* ---- the item ---- */

static void add_time(struct text *text, uint64_t at_ns)
{
	time_t at = (time_t)(at_ns / NS_PER_S);
	unsigned ms = (unsigned)(at_ns % NS_PER_S / NS_PER_MS);
	long offset_minutes;
	char buffer[64];
	struct tm tm;

	if (!localtime_r(&at, &tm))
		return;
	offset_minutes = tm.tm_gmtoff / 60;
	(void)strftime(buffer, sizeof(buffer), "%Y-%m-%dT%H:%M:%S", &tm);
	text_add(text, buffer);
	if (ms)
		text_printf(text, ".%03u", ms);
	if (offset_minutes)
		text_printf(text, "%c%02ld:%02ld", offset_minutes < 0 ? '-' : '+', labs(offset_minutes) / 60,
			    labs(offset_minutes) % 60);
	else
		text_add_char(text, 'Z');
}

static void write_item(struct cron *cron, const struct cron_cursor *cursor, uint64_t at_ns)
{
	struct text *text = &cron->text;

	text_clear(text);
	for (const char *at = cron->pattern; *at;) {
		if (strncmp(at, "{time}", 6) == 0)
			add_time(text, at_ns), at += 6;
		else if (strncmp(at, "{unix}", 6) == 0)
			text_printf(text, "%" PRIu64, at_ns / NS_PER_S), at += 6;
		else if (strncmp(at, "{n}", 3) == 0)
			text_printf(text, "%" PRIu64, cursor->n_given + 1), at += 3;
		else if (strncmp(at, "{missed}", 8) == 0)
			text_printf(text, "%" PRIu64, cursor->n_missed), at += 8;
		else
			text_add_char(text, *at++);
	}
}

/* Returns 0: given; else what produce() returns. */
static int give(struct cron *cron, struct weir_context *context, uint64_t at_ns)
{
	struct cron_cursor *cursor = weir_cursor(context);
	int r;

	write_item(cron, cursor, at_ns);
	weir_place(context, cron->name, cursor->n_given + 1);
	r = weir_emit(context, WEIR_ALL_OUTPUTS, text_get(&cron->text), cron->text.length);
	if (r == WEIR_TOO_LARGE) {
		weir_fail(context,
			  "an item of %zu bytes does not fit the lane, which takes %zu; "
			  "give the stage behind this one a larger `lane:`",
			  cron->text.length, weir_item_size_max(context));
		return WEIR_FAILED;
	}
	if (r != 0 && r != WEIR_REJECTED)
		return r == WEIR_FULL ? WEIR_MORE : r;
	if (cursor->n_missed)
		weir_log(WEIR_LOG_WARNING, "%" PRIu64 " times of '%s' were missed, and are left out (missed: %s)",
			 cursor->n_missed, cron->name, cron->missed == MISSED_SKIP ? "skip" : "once");
	cursor->last_ns = at_ns;
	cursor->n_given++;
	cursor->n_missed = 0;
	return 0;
}

/* ---- times ---- */

static int sleep_until(struct cron *cron, struct weir_context *context, uint64_t at_ns)
{
	const struct itimerspec when = { .it_value = { .tv_sec = (time_t)(at_ns / NS_PER_S),
						       .tv_nsec = (long)(at_ns % NS_PER_S) } };

	if (timerfd_settime(cron->timer, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &when, NULL))
		return error_origin(-errno);
	weir_watch(context, cron->timer, POLLIN, 0);
	return WEIR_WAIT;
}

static bool is_missed(const struct cron *cron, uint64_t at_ns, uint64_t now_ns)
{
	return now_ns - at_ns > cron->late_ns;
}

/* `at_ns` has come. */
static bool is_left_out(const struct cron *cron, uint64_t at_ns, uint64_t now_ns)
{
	uint64_t next_ns;

	if (cron->missed == MISSED_ALL || !is_missed(cron, at_ns, now_ns))
		return false;
	if (cron->missed == MISSED_SKIP)
		return true;
	next_ns = schedule_next(&cron->schedule, at_ns);
	return next_ns <= now_ns && is_missed(cron, next_ns, now_ns);
}

/* Of those that come every so often it is known how many are left out without a look at each. */
static void leave_out(const struct cron *cron, struct cron_cursor *cursor, uint64_t at_ns, uint64_t now_ns)
{
	uint64_t every_ns = cron->schedule.every_ns;
	uint64_t n = every_ns ? (now_ns - cron->late_ns - at_ns) / every_ns : 0;

	if (n > 1) { /* all but one, which is decided on by itself */
		at_ns += (n - 1) * every_ns;
		cursor->n_missed += n - 1;
	}
	cursor->n_missed++;
	cursor->last_ns = at_ns;
}

static void mind_clock_set_back(const struct cron *cron, struct cron_cursor *cursor, uint64_t now_ns)
{
	if (cursor->last_ns <= now_ns + SET_BACK_NS_MAX)
		return;
	weir_log(WEIR_LOG_WARNING,
		 "the clock was set back by %" PRIu64
		 " s: '%s' begins anew with what it shows now, and times come again",
		 (cursor->last_ns - now_ns) / NS_PER_S, cron->name);
	cursor->last_ns = now_ns;
}

static int cron_produce(struct weir_context *context, void *data)
{
	struct cron *cron = data;
	struct cron_cursor *cursor = weir_cursor(context);
	uint64_t now_ns = clock_realtime_ns();
	unsigned n_given = 0;

	mind_clock_set_back(cron, cursor, now_ns);
	for (unsigned i = 0; i < LEFT_OUT_BUDGET && n_given < BUDGET; i++) {
		uint64_t at_ns;
		int r;

		if (cursor->n_given >= cron->count)
			return WEIR_CLOSED;
		at_ns = schedule_next(&cron->schedule, cursor->last_ns);
		if (at_ns == SCHEDULE_NEVER) {
			weir_log(WEIR_LOG_WARNING, "'%s' does not come again in ten years", cron->name);
			return WEIR_CLOSED;
		}
		if (at_ns > now_ns)
			return sleep_until(cron, context, at_ns);
		if (is_left_out(cron, at_ns, now_ns)) {
			leave_out(cron, cursor, at_ns, now_ns);
			continue;
		}
		r = give(cron, context, at_ns);
		if (r != 0)
			return r;
		n_given++;
	}
	return WEIR_MORE;
}

static int cron_check(struct weir_context *context)
{
	const char *zone = weir_option_string(context, "timezone");
	struct schedule schedule;
	char why[SCHEDULE_WHY_SIZE];
	int r = schedule_parse(weir_option_string(context, "schedule"), &schedule, why),
	    zone_r = schedule_zone_check(zone);

	if (r != 0)
		weir_complain(context, "schedule", 0, "%s", why);
	if (zone_r != 0)
		weir_complain(context, "timezone", 0, "%s", zone_wrong(zone_r));
	return r != 0 || zone_r != 0 ? WEIR_FAILED : 0;
}

const struct weir_stage cron_source_callbacks = {
	.open = cron_open,
	.produce = cron_produce,
	.close = cron_close,
	.check = cron_check,
};
