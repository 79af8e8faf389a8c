/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Log lines scroll above the live block; the block is erased, the line printed, the block drawn again, in one write:
 *
 *      12:03:04 awk#1 warning: ...          <- scrolls
 *      STAGE  KIND  WORKERS  ITEMS ...      <- the block: n_lines, redrawn in place
 *      read   file  1/1      63,120
 *      [#####-----]  42%  0:31 left
 *      _                                    <- the cursor rests here, in the first column, always
 *
 * The cursor is never hidden and no terminal mode is changed: whatever ends this process, the terminal is as it was.
 *
 * If a sink writes to the same terminal, its data would be torn apart by the redrawing. So the block is drawn only
 * until the first item has come near such a sink; then it is left standing, and data follow below it. If standard input is that
 * terminal there is no block at all, because what is typed would land in it.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/cli/display.h"
#include "broker/cli/journal.h"
#include "broker/cli/live.h"
#include "broker/cli/log_line.h"
#include "broker/cli/notice.h"
#include "broker/cli/output.h"
#include "broker/cli/table.h"
#include "broker/cli/terminal.h"
#include "broker/supervise/supervisor.h"
#include "broker/supervise/view_json.h"
#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/base/must.h"

#define BLOCK_INTERVAL_NS (125 * NS_PER_MS)
#define BLOCK_QUIET_INTERVAL_NS (500 * NS_PER_MS) /* when nothing has changed for a while */
#define BLOCK_REFRESH_NS NS_PER_S                 /* an unchanged block is drawn again after so long */
#define BLOCK_FIRST_NS (200 * NS_PER_MS)          /* runs that are over sooner show none */
#define JSON_INTERVAL_NS NS_PER_S
#define LINE_INTERVAL_NS (5 * NS_PER_S)
#define LINE_REFRESH_NS (60 * NS_PER_S) /* an idle pipeline says so only now and then */

enum mode { MODE_OFF, MODE_BLOCK, MODE_LINES, MODE_JSON };

struct display {
	struct display_settings settings;
	struct terminal terminal;
	struct output *output;
	struct log_style log_style;
	enum mode mode;
	const struct plan *plan; /* NULL until display_watch() */
	struct supervisor *supervisor;
	sd_event_source *timer;
	struct rates rates;
	struct text block;      /* as it stands on the screen; empty: none does */
	size_t n_lines;         /* of it */
	unsigned block_columns; /* of the terminal when it was drawn */
	bool shares_terminal;   /* a sink writes to the terminal that we draw on */
	uint64_t drawn_ns, changed_ns, said_ns;
	uint64_t said_accepted, said_delivered;
};

/* ---- what to show ---- */

static enum mode choose_mode(const struct display_settings *settings, const struct terminal *terminal)
{
	const char *ci = getenv("CI");

	if (settings->progress == PROGRESS_JSON || (settings->json && settings->progress == PROGRESS_AUTO))
		return MODE_JSON;
	if (settings->progress == PROGRESS_NEVER || settings->quiet)
		return MODE_OFF;
	if (settings->progress == PROGRESS_ALWAYS)
		return MODE_BLOCK;
	return terminal->cursor && !(ci && *ci) ? MODE_BLOCK : MODE_LINES;
}

static enum log_format choose_format(const struct display_settings *settings, const struct terminal *terminal,
				     bool journal)
{
	switch (settings->log_format) {
	case DISPLAY_LOG_TEXT:
		return LOG_TEXT;
	case DISPLAY_LOG_LOGFMT:
		return LOG_LOGFMT;
	case DISPLAY_LOG_JSON:
		return LOG_JSON;
	case DISPLAY_LOG_AUTO:
		break;
	}
	return settings->json ? LOG_JSON : terminal->is_tty || journal ? LOG_TEXT : LOG_LOGFMT;
}

/* Said by whoever writes: it knows of no pipeline. */
static void format_loss(const void *style, uint64_t n_lines, const char *reason, struct text *text)
{
	char message[128];
	struct log_line line = { .level = WEIR_LOG_WARNING, .worker = -1, .message = message };

	snprintf(message, sizeof(message), "%" PRIu64 " line%s of this log could not be written: %s", n_lines,
		 n_lines == 1 ? "" : "s", reason);
	clock_gettime(CLOCK_REALTIME, &line.time);
	log_line_format(&line, style, text);
}

struct display *display_new(const struct display_settings *settings)
{
	struct display *display = calloc(1, sizeof(*display));

	must(display);
	display->settings = *settings;
	tzset(); /* reads a file: not when the first line is written */
	terminal_detect(STDERR_FILENO, &display->terminal);
	display->mode = choose_mode(settings, &display->terminal);
	display->log_style.journal = log_is_journal(STDERR_FILENO);
	display->log_style.fields = journal_takes_fields(STDERR_FILENO);
	display->log_style.format = choose_format(settings, &display->terminal, display->log_style.journal);
	display->log_style.color = display->terminal.color;
	display->output = output_new(STDERR_FILENO, format_loss, &display->log_style);
	if (display->log_style.fields)
		output_send_by(display->output, journal_send);
	return display;
}

bool display_works(const struct display *display)
{
	return output_has_thread(display->output);
}

struct display *display_free(struct display *display)
{
	if (!display)
		return NULL;
	sd_event_source_disable_unref(display->timer);
	rates_deinit(&display->rates);
	text_deinit(&display->block);
	(void)output_finish(display->output);
	output_free(display->output);
	free(display);
	return NULL;
}

/* Which standard streams of ours workers have got: the plan says it. */
static bool plan_uses(const struct plan *plan, enum weir_role role, const char *kind)
{
	for (uint32_t i = 0; i < plan->n_stages; i++)
		if (plan->stages[i].role == role && strcmp(plan->stages[i].kind, kind) == 0)
			return true;
	return false;
}

static bool writes_output(const struct view_stage *stage)
{
	return strcmp(stage->role, "sink") == 0 &&
	       (strcmp(stage->kind, "stdout") == 0 || strcmp(stage->kind, "exec") == 0);
}

/* A sink on our terminal may have written by now: it has, or has had, an item, or it is past waiting for the first one. */
static bool data_begun(const struct view *view)
{
	for (uint32_t i = 0; i < view->n_stages; i++) {
		const struct view_stage *stage = &view->stages[i];

		if (!writes_output(stage))
			continue;
		if (stage->queue_bytes || stage->ledger[LEDGER_TAKEN])
			return true;
		for (uint32_t w = 0; w < stage->n_workers; w++)
			if (strcmp(stage->workers[w].state, "busy") == 0 ||
			    strncmp(stage->workers[w].state, "end", 3) == 0)
				return true;
	}
	return false;
}

/* ---- the block ---- */

/* Lines that the block takes now: a narrower window has wrapped them. */
static size_t block_height(const struct display *display)
{
	size_t height = 0;
	const char *line = text_get(&display->block);

	if (display->terminal.columns >= display->block_columns)
		return display->n_lines;
	for (const char *end; (end = strchr(line, '\n')); line = end + 1) {
		size_t width = table_text_width(line, (size_t)(end - line));

		height += width ? (width + display->terminal.columns - 1) / display->terminal.columns : 1;
	}
	return height;
}

static void add_erase(const struct display *display, struct text *text)
{
	if (display->block.length)
		text_printf(text, "\r\033[%zuA\033[J", block_height(display));
}

/* Takes the block off the screen, unless data may have come below it: then it stays, and is forgotten. */
static void erase_block(struct display *display, bool may_touch)
{
	_cleanup_(text_deinit) struct text text = TEXT_NULL;

	if (may_touch)
		add_erase(display, &text);
	text_clear(&display->block);
	display->n_lines = 0;
	output_write(display->output, OUTPUT_LINE, &text, 0);
}

static void draw_block(struct display *display, const struct view *view)
{
	_cleanup_(text_deinit) struct text block = TEXT_NULL, out = TEXT_NULL;
	const struct live_style style = {
		.columns = display->terminal.columns,
		.rows = display->terminal.rows,
		.utf8 = display->terminal.utf8,
		.color = display->terminal.color,
	};
	size_t n_lines = live_format(view, &display->rates, &style, &block);
	bool same = block.length == display->block.length &&
		    memcmp(text_get(&block), text_get(&display->block), block.length) == 0;

	if (!same)
		display->changed_ns = view->now_ns;
	if ((same && view->now_ns < display->drawn_ns + BLOCK_REFRESH_NS) || !output_idle(display->output))
		return;
	add_erase(display, &out);
	text_add(&out, text_get(&block));
	output_write(display->output, OUTPUT_LINE, &out, 0);
	text_clear(&display->block);
	text_add(&display->block, text_get(&block));
	display->n_lines = n_lines;
	display->block_columns = display->terminal.columns;
	display->drawn_ns = view->now_ns;
}

static uint64_t count_lines(const char *data, size_t size_bytes)
{
	uint64_t n = 0;

	for (size_t i = 0; i < size_bytes; i++)
		n += data[i] == '\n';
	return n;
}

/* What the reader of standard error was too slow for, once there is room to say so. Returns how many lines that were. */
static uint64_t add_dropped(struct display *display, enum output_rank rank, struct text *text)
{
	uint64_t n = output_take_dropped(display->output, rank);
	char message[128];
	struct log_line line = {
		.level = WEIR_LOG_WARNING,
		.pipeline = display->plan ? display->plan->pipeline : NULL,
		.worker = -1,
		.message = message,
	};

	if (!n)
		return 0;
	snprintf(message, sizeof(message),
		 "%" PRIu64 " line%s not written, because standard error was not read fast enough", n,
		 n == 1 ? "" : "s");
	clock_gettime(CLOCK_REALTIME, &line.time);
	log_line_format(&line, &display->log_style, text);
	return n;
}

/* Everything that is not the block goes through here. */
static void print_above(struct display *display, enum output_rank rank, const char *data, size_t size_bytes)
{
	_cleanup_(text_deinit) struct text out = TEXT_NULL;
	uint64_t n_lines = count_lines(data, size_bytes);

	if (display->block.length && display->shares_terminal) {
		struct view view;

		view_take(display->supervisor, &view);
		if (data_begun(&view)) {
			display->mode = MODE_OFF;
			erase_block(display, false);
		}
		view_deinit(&view);
	}
	add_erase(display, &out);
	n_lines += add_dropped(display, rank, &out);
	if (!n_lines)
		return;
	text_add_bytes(&out, data, size_bytes);
	text_add(&out, text_get(&display->block));
	if (display->block.length)
		display->block_columns = display->terminal.columns;
	output_write(display->output, rank, &out, n_lines);
}

/* ---- progress ---- */

static void notify_status(const struct display *display, const struct view *view)
{
	_cleanup_(text_deinit) struct text text = TEXT_NULL;

	live_format_line(view, &display->rates, &text);
	notice_mention(display->settings.notice, "STATUS=%s", text_get(&text));
}

static void say_progress(struct display *display, const struct view *view)
{
	_cleanup_(text_deinit) struct text text = TEXT_NULL;
	bool same = view->ledger[LEDGER_ACCEPTED] == display->said_accepted &&
		    view->ledger[LEDGER_DELIVERED] == display->said_delivered;

	if (display->mode != MODE_LINES || (same && view->now_ns < display->said_ns + LINE_REFRESH_NS))
		return;
	display->said_accepted = view->ledger[LEDGER_ACCEPTED];
	display->said_delivered = view->ledger[LEDGER_DELIVERED];
	display->said_ns = view->now_ns;
	live_format_line(view, &display->rates, &text);
	display_log(display, WEIR_LOG_INFO, NULL, -1, 0, NULL, text_get(&text));
}

static void say_json(struct display *display, const struct view *view)
{
	_cleanup_(text_deinit) struct text text = TEXT_NULL;

	text_printf(&text, "{\"type\":\"progress\",\"items_per_second\":%.1f,\"fraction\":",
		    display->rates.accepted.per_second);
	if (view_fraction(view) >= 0)
		text_printf(&text, "%.4f", view_fraction(view));
	else
		text_add(&text, "null");
	text_add(&text, ",\"view\":");
	view_format_json(view, &text);
	text_add(&text, "}\n");
	print_above(display, OUTPUT_LINE, text_get(&text), text.length);
}

static void show(struct display *display, const struct view *view)
{
	rates_update(&display->rates, view);
	if (display->mode != MODE_BLOCK)
		notify_status(display, view);
	switch (display->mode) {
	case MODE_BLOCK:
		if (display->shares_terminal && data_begun(view)) {
			display->mode = MODE_OFF;
			erase_block(display, false);
		} else {
			draw_block(display, view);
		}
		break;
	case MODE_JSON:
		say_json(display, view);
		break;
	case MODE_LINES:
	case MODE_OFF:
		say_progress(display, view);
		break;
	}
}

static uint64_t interval_ns(const struct display *display, uint64_t now_ns)
{
	if (display->mode == MODE_BLOCK)
		return now_ns > display->changed_ns + BLOCK_REFRESH_NS ? BLOCK_QUIET_INTERVAL_NS : BLOCK_INTERVAL_NS;
	return display->mode == MODE_JSON ? JSON_INTERVAL_NS : LINE_INTERVAL_NS;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *data)
{
	struct display *display = data;
	struct view view;
	int r;

	(void)usec;
	view_take(display->supervisor, &view);
	show(display, &view);
	print_above(display, OUTPUT_LINE, "", 0); /* the reader may have caught up */
	r = sd_event_source_set_time_relative(source, interval_ns(display, view.now_ns) / NS_PER_US);
	view_deinit(&view);
	if (r < 0)
		return error_origin(r);
	r = sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
	return r < 0 ? error_origin(r) : 0;
}

int display_watch(struct display *display, sd_event *event, const struct plan *plan, struct supervisor *supervisor)
{
	uint64_t first_ns;
	int r;

	display->plan = plan;
	display->supervisor = supervisor;
	display->shares_terminal = (plan_uses(plan, WEIR_SINK, "stdout") || plan_uses(plan, WEIR_SINK, "exec")) &&
				   terminal_same(STDOUT_FILENO, STDERR_FILENO);
	if (display->mode == MODE_BLOCK && plan_uses(plan, WEIR_SOURCE, "stdin") &&
	    terminal_same(STDIN_FILENO, STDERR_FILENO))
		display->mode = MODE_OFF;
	display->changed_ns = clock_now_ns();
	first_ns = display->mode == MODE_BLOCK ? BLOCK_FIRST_NS : interval_ns(display, display->changed_ns);
	r = sd_event_add_time_relative(event, &display->timer, CLOCK_MONOTONIC, first_ns / NS_PER_US,
				       10 * NS_PER_MS / NS_PER_US, on_timer, display);
	return r < 0 ? error_origin(r) : 0;
}

void display_resize(struct display *display)
{
	terminal_resize(&display->terminal);
}

/* ---- lines ---- */

/* On a terminal the block tells what the supervisor's own "info" lines tell. */
static bool wanted(const struct display *display, enum weir_log_level level, const char *stage)
{
	enum weir_log_level limit = WEIR_LOG_INFO;

	if (display->settings.verbose)
		limit = WEIR_LOG_DEBUG;
	else if (display->settings.quiet)
		limit = WEIR_LOG_WARNING;
	else if (!stage && display->terminal.cursor && display->log_style.format == LOG_TEXT)
		limit = WEIR_LOG_NOTICE;
	return level <= limit;
}

static enum output_rank rank_of(enum weir_log_level level)
{
	return level <= WEIR_LOG_ERROR ? OUTPUT_FAILURE : OUTPUT_LINE;
}

void display_log(struct display *display, enum weir_log_level level, const char *stage, int worker, pid_t pid,
		 const struct log_item *item, const char *message)
{
	_cleanup_(text_deinit) struct text text = TEXT_NULL;
	struct log_line line = {
		.level = level,
		.pipeline = display->plan ? display->plan->pipeline : NULL,
		.stage = stage,
		.worker = worker,
		.pid = pid,
		.item = item,
		.message = message,
	};

	if (!wanted(display, level, stage))
		return;
	clock_gettime(CLOCK_REALTIME, &line.time);
	log_line_format(&line, &display->log_style, &text);
	print_above(display, rank_of(level), text_get(&text), text.length);
}

void display_say(struct display *display, enum weir_log_level level, const char *format, ...)
{
	_cleanup_(text_deinit) struct text text = TEXT_NULL, line = TEXT_NULL;
	va_list arguments;

	va_start(arguments, format);
	text_vprintf(&text, format, arguments);
	va_end(arguments);
	if (level <= WEIR_LOG_ERROR)
		notice_status(display->settings.notice, text_get(&text));
	if (display->log_style.format != LOG_TEXT || display->log_style.journal) {
		display_log(display, level, NULL, -1, 0, NULL, text_get(&text));
		return;
	}
	if (!wanted(display, level, NULL))
		return;
	table_add_styled(&line, level <= WEIR_LOG_ERROR ? CELL_BAD : CELL_BOLD, display->log_style.color, "weir: ");
	text_printf(&line, "%s\n", text_get(&text));
	print_above(display, rank_of(level), text_get(&line), line.length);
}

void display_print(struct display *display, const char *text)
{
	print_above(display, OUTPUT_FAILURE, text, strlen(text));
}

bool display_is_json(const struct display *display)
{
	return display->settings.json;
}

bool display_is_terminal(const struct display *display)
{
	return display->terminal.is_tty;
}

bool display_has_color(const struct display *display)
{
	return display->terminal.color;
}

/* ---- the end ---- */

void display_end(struct display *display)
{
	display->timer = sd_event_source_disable_unref(display->timer);
	erase_block(display, !display->shares_terminal);
	display->mode = MODE_OFF;
	display->supervisor = NULL;
}

/* The journal wants a priority on each line. */
static void add_priorities(struct text *text, int priority)
{
	_cleanup_(text_deinit) struct text marked = TEXT_NULL;
	const char *line = text_get(text);

	for (const char *end; (end = strchr(line, '\n')); line = end + 1)
		text_printf(&marked, "<%d>%.*s\n", priority, (int)(end - line), line);
	text_deinit(text);
	*text = marked;
	marked = (struct text)TEXT_NULL;
}

void display_summary(struct display *display, const struct ending *ending)
{
	_cleanup_(text_deinit) struct text text = TEXT_NULL;

	if (display->settings.json)
		summary_format_json(ending, &text);
	else if (!display->settings.quiet || ending->exit_code != EXIT_DONE)
		summary_format(ending, display->terminal.is_tty ? display->terminal.columns : 0,
			       display->terminal.color, &text);
	if (display->log_style.journal && !display->settings.json)
		add_priorities(&text, ending->exit_code == EXIT_DONE ? WEIR_LOG_NOTICE : WEIR_LOG_WARNING);
	print_above(display, OUTPUT_LAST, text_get(&text), text.length);
}
