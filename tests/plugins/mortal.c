/* SPDX-License-Identifier: Apache-2.0 */
/* Passes items on, slowly if wanted, and ends its worker in one way or another: once, or again and again until it has passed `until`. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <weir/stage.h>

struct mortal_cursor {
	uint64_t passed;
};

struct mortal {
	uint64_t seen; /* by this worker */
};

static int mortal_open(struct weir_context *context, void **ret_state)
{
	struct mortal *mortal = calloc(1, sizeof(*mortal));

	(void)context;
	*ret_state = mortal;
	return mortal ? 0 : WEIR_FAILED;
}

static void mortal_close(struct weir_context *context, void *state)
{
	(void)context;
	free(state);
}

/* The marker is made by the first that dies; who finds it lives. */
static bool is_first(const char *marker)
{
	int fd = open(marker, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);

	if (fd < 0)
		return false;
	close(fd);
	return true;
}

/* From now on the file is FILE.hidden: no worker can be started of it. */
static void hide(const char *file)
{
	char hidden[4096];

	if (file && (size_t)snprintf(hidden, sizeof(hidden), "%s.hidden", file) < sizeof(hidden))
		(void)rename(file, hidden);
}

static void die(const char *end)
{
	if (strcmp(end, "exit-0") == 0)
		_exit(0);
	if (strcmp(end, "exit-n") == 0)
		_exit(9);
	raise(SIGKILL);
}

static int mortal_process(struct weir_context *context, void *state, const struct weir_item *item)
{
	struct mortal_cursor *cursor = weir_cursor(context);
	struct mortal *mortal = state;
	const char *marker = weir_option_string(context, "marker");
	uint64_t until = (uint64_t)weir_option_integer(context, "until");
	struct timespec slow = { .tv_nsec = (long)weir_option_integer(context, "slow_us") * 1000 };

	if (slow.tv_nsec)
		nanosleep(&slow, NULL);
	if (++mortal->seen > (uint64_t)weir_option_integer(context, "after") &&
	    (until ? cursor->passed < until : marker && is_first(marker))) {
		hide(weir_option_string(context, "hide"));
		die(weir_option_string(context, "end"));
	}
	cursor->passed++;
	return weir_emit(context, WEIR_ALL_OUTPUTS, item->data, item->size_bytes);
}

static const struct weir_option options[] = {
	{ .name = "end",
	  .type = WEIR_TYPE_CHOICE,
	  .choices = "exit-0|exit-n|signal",
	  .fallback = "signal",
	  .summary = "how its worker ends" },
	{ .name = "marker", .type = WEIR_TYPE_STRING, .summary = "die once, and make this file then" },
	{ .name = "hide", .type = WEIR_TYPE_STRING, .summary = "move this file to FILE.hidden before" },
	{ .name = "until",
	  .type = WEIR_TYPE_INTEGER,
	  .fallback = "0",
	  .maximum = INT64_MAX,
	  .summary = "die again and again until so many have been passed on" },
	{ .name = "after",
	  .type = WEIR_TYPE_INTEGER,
	  .fallback = "50",
	  .maximum = INT64_MAX,
	  .summary = "items that a worker passes on before" },
	{ .name = "slow_us",
	  .type = WEIR_TYPE_INTEGER,
	  .fallback = "0",
	  .maximum = 999999,
	  .summary = "microseconds that each item takes" },
};

static const struct weir_stage stage = {
	.abi = WEIR_STAGE_ABI,
	.size_bytes = sizeof(struct weir_stage),
	.role = WEIR_OPERATOR,
	.cursor_size_bytes = sizeof(struct mortal_cursor),
	.name = "mortal",
	.summary = "passes items on, and dies",
	.options = options,
	.n_options = sizeof(options) / sizeof(options[0]),
	.open = mortal_open,
	.process = mortal_process,
	.close = mortal_close,
};

WEIR_STAGE_EXPORT(stage)
