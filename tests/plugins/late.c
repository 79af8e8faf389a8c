/* SPDX-License-Identifier: Apache-2.0 */
/* Is open only when a file is there, and says by another file that it waits for that; then it passes items on. */
#include <fcntl.h>
#include <time.h>
#include <unistd.h>
#include <weir/stage.h>

static int late_open(struct weir_context *context, void **ret_state)
{
	const struct timespec pause = { .tv_nsec = 10000000 };
	int fd = open(weir_option_string(context, "waits"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	*ret_state = NULL;
	if (fd < 0 || close(fd) < 0) {
		weir_fail(context, "can not say that it waits");
		return WEIR_FAILED;
	}
	while (access(weir_option_string(context, "until"), F_OK) < 0)
		nanosleep(&pause, NULL);
	return 0;
}

static int late_process(struct weir_context *context, void *state, const struct weir_item *item)
{
	(void)state;
	return weir_emit(context, WEIR_ALL_OUTPUTS, item->data, item->size_bytes);
}

static const struct weir_option options[] = {
	{ .name = "waits",
	  .type = WEIR_TYPE_STRING,
	  .required = true,
	  .summary = "a file that it makes before it waits" },
	{ .name = "until", .type = WEIR_TYPE_STRING, .required = true, .summary = "the file it waits for" },
};

static const struct weir_stage stage = {
	.abi = WEIR_STAGE_ABI,
	.size_bytes = sizeof(struct weir_stage),
	.role = WEIR_OPERATOR,
	.name = "late",
	.summary = "takes its time to open",
	.options = options,
	.n_options = sizeof(options) / sizeof(options[0]),
	.open = late_open,
	.process = late_process,
};

WEIR_STAGE_EXPORT(stage)
