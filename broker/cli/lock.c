/* SPDX-License-Identifier: Apache-2.0 */
/* weir lock: writes down with which files a spec was found good. */
#include <stdio.h>
#include <string.h>

#include "broker/cli/command.h"
#include "broker/cli/spec_request.h"
#include "broker/cli/verbs.h"
#include "broker/spec/lock.h"
#include "broker/supervise/supervisor.h"

static void format_json(const struct spec_request *request, const char *path, size_t n, const struct text *unseen,
			struct text *text)
{
	text_add(text, "{\"ok\":true,\"path\":");
	text_add_json(text, request->path, strlen(request->path));
	text_add(text, ",\"lock\":");
	text_add_json(text, path, strlen(path));
	text_printf(text, ",\"files\":%zu,\"unseen\":[", n);
	for (const char *at = text_get(unseen), *first = at; *at; at += strcspn(at, "\n") + 1) {
		if (at != first)
			text_add_char(text, ',');
		text_add_json(text, at, strcspn(at, "\n"));
	}
	text_add(text, "]}\n");
}

static void format_text(const char *path, size_t n, const struct text *unseen, struct text *text)
{
	text_printf(text, "%s: %zu file%s\n", path, n, n == 1 ? "" : "s");
	for (const char *at = text_get(unseen); *at; at += strcspn(at, "\n") + 1)
		text_printf(text, "not in it: %.*s\n", (int)strcspn(at, "\n"), at);
}

static int write_lock(const struct spec_request *request)
{
	_cleanup_(text_deinit) struct text path = TEXT_NULL, unseen = TEXT_NULL, why = TEXT_NULL, text = TEXT_NULL;
	size_t n = 0;

	if (lock_write(request->plan, &path, &n, &unseen, &why) != 0) {
		fprintf(stderr, "weir: nothing is locked: %s\n", text_get(&why));
		return EXIT_TRY_AGAIN;
	}
	if (request->json)
		format_json(request, text_get(&path), n, &unseen, &text);
	else
		format_text(text_get(&path), n, &unseen, &text);
	return spec_request_print(&text);
}

int lock_command(int argc, char **argv)
{
	_cleanup_(spec_request_deinit) struct spec_request request = SPEC_REQUEST_NULL;
	int r = spec_request_parse(&request, argc, argv);

	if (r >= 0)
		return r;
	if (strcmp(request.path, "-") == 0)
		return command_usage_error(command_find(argv[0]), "standard input can not be locked: name a file");
	r = spec_request_load(&request);
	return r ? r : write_lock(&request);
}
