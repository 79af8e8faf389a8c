/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An effect outside in two halves. For each item "begin N" and, after `pause`, "end N" go into the file `trace`; when it is told to end between
 * the two it drops the item, and its cleaner writes "undone N: CAUSE". A worker that was killed there leaves half of an effect.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <weir/weir.h>

#define STEP_NS 500000

struct effect {
	const char *path;
	uint64_t begun; /* number of the item that has half an effect; 0: none */
	struct weir_cleaner cleaner;
};

static int write_line(const struct effect *effect, const char *what, uint64_t number, const char *cause)
{
	char line[128];
	int length = snprintf(line, sizeof(line), "%s %llu%s\n", what, (unsigned long long)number, cause);
	int fd = open(effect->path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	int r = fd >= 0 && write(fd, line, (size_t)length) == length ? WEIR_OK : WEIR_FAILED;

	if (fd >= 0)
		close(fd);
	return r;
}

static int clean(void *data, enum weir_cause cause)
{
	const struct effect *effect = data;
	char why[64];

	snprintf(why, sizeof(why), ": %s", weir_cause_name(cause));
	return write_line(effect, effect->begun ? "undone" : "clean", effect->begun, why);
}

static int effect_open(struct weir_context *context, void **ret_state)
{
	struct effect *effect = calloc(1, sizeof(*effect));

	if (!effect)
		return -ENOMEM;
	effect->path = weir_option_string(context, "trace");
	effect->cleaner = (struct weir_cleaner){ .name = "undo", .function = clean, .data = effect };
	*ret_state = effect;
	return weir_coordinator_add(weir_coordinator_of(context), &effect->cleaner);
}

static int pass_time(struct weir_context *context)
{
	const struct timespec step = { .tv_nsec = STEP_NS };
	uint64_t until_ns = weir_now_ns(context) + (uint64_t)weir_option_integer(context, "pause");
	struct timespec now;
	int r = WEIR_OK;

	do {
		nanosleep(&step, NULL);
		r = weir_exit_point(context, NULL);
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while (r == WEIR_OK && (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec < until_ns);
	return r;
}

static int effect_process(struct weir_context *context, void *state, const struct weir_item *item)
{
	struct effect *effect = state;
	uint64_t number = strtoull(item->data, NULL, 10);
	int r = write_line(effect, "begin", number, "");

	effect->begun = number;
	if (r == WEIR_OK)
		r = pass_time(context);
	if (r == WEIR_OK)
		r = write_line(effect, "end", number, "");
	if (r != WEIR_OK)
		return r;
	effect->begun = 0;
	return weir_outputs(context) ? weir_emit(context, WEIR_ALL_OUTPUTS, item->data, item->size_bytes) : WEIR_OK;
}

static void effect_close(struct weir_context *context, void *state)
{
	(void)context;
	free(state);
}

static const struct weir_option options[] = {
	{ .name = "trace",
	  .type = WEIR_TYPE_STRING,
	  .required = true,
	  .summary = "file that gets a line for each half of an effect",
	  .example = "trace" },
	{ .name = "pause", .type = WEIR_TYPE_DURATION, .fallback = "2ms", .summary = "between the two halves" },
};

static const struct weir_stage stage = {
	.abi = WEIR_STAGE_ABI,
	.size_bytes = sizeof(struct weir_stage),
	.role = WEIR_OPERATOR,
	.name = "effect",
	.summary = "passes on, and has an effect outside in two halves",
	.options = options,
	.n_options = sizeof(options) / sizeof(options[0]),
	.open = effect_open,
	.process = effect_process,
	.close = effect_close,
};

WEIR_STAGE_EXPORT(stage)
