/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/describe.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/cleanup.h"
#include "common/base/text.h"
#include "common/stage/describe.h"
#include "common/stage/loader.h"

/* A plugin's constructor may print: what it prints must not be taken for the descriptor. */
static int redirect_stdout(void)
{
	int fd = dup(STDOUT_FILENO);

	if (fd < 0 || dup2(STDERR_FILENO, STDOUT_FILENO) < 0)
		return -errno;
	return fd;
}

static int write_all(int fd, const char *bytes, size_t size)
{
	while (size) {
		ssize_t n = write(fd, bytes, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		bytes += n;
		size -= (size_t)n;
	}
	return 0;
}

int describe_plugin(const char *path)
{
	_cleanup_(text_deinit) struct text why = TEXT_NULL;
	_cleanup_(free) char *bytes = NULL;
	struct weir_stage stage;
	size_t size = 0;
	int out = redirect_stdout(), r;

	r = out < 0 ? out : loader_open(path, &stage, &why);
	if (r == 0) {
		r = stage_description_write(&stage, &bytes, &size);
		if (r > 0)
			text_printf(
				&why,
				"plugin %s: its descriptor makes no sense: the name, or an option's name, type, choices, bounds or default",
				path);
	}
	if (r == 0)
		r = write_all(out, bytes, size);
	if (r < 0)
		text_printf(&why, "plugin %s can't be described: %s", path, strerror(-r));
	if (r != 0)
		fprintf(stderr, "%s\n", text_get(&why));
	fd_close(out);
	return r == 0 ? 0 : 1;
}
