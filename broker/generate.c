/* SPDX-License-Identifier: Apache-2.0 */
/*
 * weir-generate TEMPLATE OUTPUT: run by the build. A line "@name@" of the template becomes what is made for it from the tables that weir goes
 * by; so nothing is written down twice that a new option, key or kind would have to be added to.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/cli/completion.h"
#include "broker/spec/manual.h"
#include "common/base/cleanup.h"

static const struct block {
	const char *line;
	void (*make)(struct text *text);
} blocks[] = {
	{ "@completion-words@\n", completion_words },
	{ "@completion-nouns@\n", completion_nouns },
	{ "@completion-told@\n", completion_told },
	{ "@keys@\n", manual_keys },
	{ "@kinds@\n", manual_kinds },
};

/* Returns 0; -EINVAL: there is no block of that name. */
static int add_line(struct text *text, const char *line)
{
	size_t n = strlen(line);

	for (size_t i = 0; i < sizeof(blocks) / sizeof(blocks[0]); i++)
		if (strcmp(blocks[i].line, line) == 0) {
			blocks[i].make(text);
			return 0;
		}
	if (n > 2 && line[0] == '@' && line[n - 2] == '@')
		return -EINVAL;
	text_add(text, line);
	return 0;
}

static int fill(const char *path, struct text *text)
{
	_cleanup_(free) char *line = NULL;
	size_t size = 0;
	FILE *file = fopen(path, "r");
	int r = file ? 0 : -errno;

	while (r == 0 && getline(&line, &size, file) > 0) {
		r = add_line(text, line);
		if (r < 0)
			fprintf(stderr, "weir-generate: %s: there is no %s", path, line);
	}
	if (file)
		fclose(file);
	return r;
}

static int write_all(const char *path, const struct text *text)
{
	FILE *file = fopen(path, "w");
	int r;

	if (!file)
		return -errno;
	r = fputs(text_get(text), file) < 0 ? -EIO : 0;
	return fclose(file) == 0 ? r : -errno;
}

int main(int argc, char **argv)
{
	_cleanup_(text_deinit) struct text text = TEXT_NULL;
	int r;

	if (argc != 3) {
		fprintf(stderr, "usage: weir-generate TEMPLATE OUTPUT\n");
		return EXIT_FAILURE;
	}
	r = fill(argv[1], &text);
	if (r == 0)
		r = write_all(argv[2], &text);
	if (r < 0) {
		fprintf(stderr, "weir-generate: %s from %s: %s\n", argv[2], argv[1], strerror(-r));
		return EXIT_FAILURE;
	}
	return EXIT_SUCCESS;
}
