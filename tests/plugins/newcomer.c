/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Passes items on with a word in front. What it does else is said by `does`: nothing; open: it can't be opened; work: it
 * dies of the first item;
 * hang: it opens for ever; refuse: it refuses each item; slow: it takes 30 ms over each; later: each worker dies once it has committed something. And a file "at-the-gate" in its folder says what a newcomer does while it is being
 * loaded, whatever the options are: die; wait, for half a second; hang.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <weir/stage.h>

#define ITEM_MAX 4096
#define LATER_ITEMS 200

/* A newcomer has a second argument, the number of its gate. */
static int is_newcomer(void)
{
	char line[256];
	int fd = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC), n_words = 0;
	ssize_t n = fd < 0 ? 0 : read(fd, line, sizeof(line));

	if (fd >= 0)
		close(fd);
	for (ssize_t i = 0; i < n; i++)
		n_words += line[i] == '\0';
	return n_words == 3 && strcmp(line + strlen(line) + 1, "3") == 0;
}

__attribute__((constructor)) static void at_the_gate(void)
{
	char word[8] = "";
	int fd = is_newcomer() ? open("at-the-gate", O_RDONLY | O_CLOEXEC) : -1;

	if (fd < 0)
		return;
	if (read(fd, word, sizeof(word) - 1) > 0 && strncmp(word, "die", 3) == 0)
		abort();
	if (strncmp(word, "wait", 4) == 0)
		usleep(500 * 1000);
	while (strncmp(word, "hang", 4) == 0)
		pause();
	close(fd);
}

static int does(struct weir_context *context, const char *word)
{
	const char *wanted = weir_option_string(context, "does");

	return wanted && strcmp(wanted, word) == 0;
}

static int newcomer_open(struct weir_context *context, void **ret_state)
{
	static int n;

	*ret_state = &n;
	while (does(context, "hang"))
		pause();
	if (!does(context, "open"))
		return 0;
	weir_fail(context, "there is nothing to open");
	return WEIR_FAILED;
}

static int newcomer_process(struct weir_context *context, void *state, const struct weir_item *item)
{
	const char *word = weir_option_string(context, "word");
	char text[ITEM_MAX];
	int *n = state, size;

	if (does(context, "work") || (does(context, "later") && (*n)++ > LATER_ITEMS))
		abort();
	if (does(context, "refuse")) {
		weir_reject(context, "it refuses each item");
		return WEIR_REJECTED;
	}
	if (does(context, "slow"))
		usleep(30 * 1000);
	size = snprintf(text, sizeof(text), "%s %.*s", word ? word : "", (int)item->size_bytes,
			(const char *)item->data);
	return weir_emit(context, WEIR_ALL_OUTPUTS, text, (size_t)size);
}

static const struct weir_option options[] = {
	{ .name = "word", .type = WEIR_TYPE_STRING, .summary = "what comes before each item" },
	{ .name = "does",
	  .type = WEIR_TYPE_CHOICE,
	  .choices = "nothing|open|work|later|hang|refuse|slow",
	  .fallback = "nothing",
	  .summary = "what it does else" },
};

static const struct weir_stage stage = {
	.abi = WEIR_STAGE_ABI,
	.size_bytes = sizeof(struct weir_stage),
	.role = WEIR_OPERATOR,
	.name = "newcomer",
	.summary = "a word in front of each item; dies, waits or fails when it is asked to",
	.options = options,
	.n_options = sizeof(options) / sizeof(options[0]),
	.open = newcomer_open,
	.process = newcomer_process,
};

WEIR_STAGE_EXPORT(stage)
