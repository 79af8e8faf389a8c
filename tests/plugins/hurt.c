/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Passes items on, and comes to harm when somebody asks for it: a file `file` appears, and the worker that takes it away does what it
 * says. abort, segv, exit: it dies. eat: it allocates until there is no memory for it, then dies as programs do. hang: it lies in a
 * system call for ever. loop: it turns round for ever. `does` is said by a spec instead: work, each worker dies of its first item;
 * open, it can't be opened. `version` means nothing: whoever changes it wants new workers.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include <weir/stage.h>

#define WORD_SIZE 16
#define MEMORY_BYTES (64ul << 20)
#define PIECE_BYTES (1ul << 20)

static volatile sig_atomic_t always = 1;

static int does(struct weir_context *context, const char *word)
{
	return strcmp(weir_option_string(context, "does"), word) == 0;
}

static void eat(void)
{
	struct rlimit limit = { .rlim_cur = MEMORY_BYTES, .rlim_max = MEMORY_BYTES };
	char *piece;

	(void)setrlimit(RLIMIT_DATA, &limit);
	while ((piece = malloc(PIECE_BYTES)))
		memset(piece, 1, PIECE_BYTES);
	abort();
}

static void come_to_harm(const char *word)
{
	if (strcmp(word, "abort") == 0)
		abort();
	if (strcmp(word, "exit") == 0)
		_exit(9);
	if (strcmp(word, "eat") == 0)
		eat();
	if (strcmp(word, "segv") == 0)
		raise(SIGSEGV);
	while (strcmp(word, "hang") == 0)
		pause();
	while (strcmp(word, "loop") == 0 && always)
		;
}

/* One of those who find the file takes it away. */
static void look(const char *file)
{
	char word[WORD_SIZE] = "";
	int fd = file ? open(file, O_RDONLY | O_CLOEXEC) : -1;
	ssize_t n;

	if (fd < 0)
		return;
	n = read(fd, word, sizeof(word) - 1);
	close(fd);
	if (n > 0 && unlink(file) == 0)
		come_to_harm(word);
}

static int hurt_open(struct weir_context *context, void **ret_state)
{
	*ret_state = context;
	if (!does(context, "open"))
		return 0;
	weir_fail(context, "there is nothing to open");
	return WEIR_FAILED;
}

static int hurt_process(struct weir_context *context, void *state, const struct weir_item *item)
{
	(void)state;
	if (does(context, "work"))
		abort();
	look(weir_option_string(context, "file"));
	return weir_emit(context, WEIR_ALL_OUTPUTS, item->data, item->size_bytes);
}

static const struct weir_option options[] = {
	{ .name = "file", .type = WEIR_TYPE_STRING, .summary = "what harm it comes to, when the file is there" },
	{ .name = "does",
	  .type = WEIR_TYPE_CHOICE,
	  .choices = "nothing|open|work",
	  .fallback = "nothing",
	  .summary = "what it does else" },
	{ .name = "version", .type = WEIR_TYPE_INTEGER, .fallback = "0", .maximum = INT64_MAX, .summary = "nothing" },
};

static const struct weir_stage stage = {
	.abi = WEIR_STAGE_ABI,
	.size_bytes = sizeof(struct weir_stage),
	.role = WEIR_OPERATOR,
	.name = "hurt",
	.summary = "passes items on, and comes to harm when it is asked to",
	.options = options,
	.n_options = sizeof(options) / sizeof(options[0]),
	.open = hurt_open,
	.process = hurt_process,
};

WEIR_STAGE_EXPORT(stage)
