/* SPDX-License-Identifier: Apache-2.0 */
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "broker/cli/display.h"
#include "broker/cli/worker_program.h"
#include "broker/supervise/supervisor.h"
#include "common/base/text.h"

int worker_program_find(struct display *display, char **ret_path)
{
	const char *wanted = getenv("WEIR_WORKER");
	char path[PATH_MAX];
	struct text found = TEXT_NULL;

	if (wanted && *wanted) {
		if (realpath(wanted, path))
			text_add(&found, path);
	} else {
		ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);
		const char *slash;

		if (n > 0) {
			path[n] = '\0';
			slash = strrchr(path, '/');
			text_printf(&found, "%.*s/weir-worker", slash ? (int)(slash - path) : 0, path);
		}
	}
	if (!found.length || access(text_get(&found), X_OK) < 0) {
		display_say(
			display, WEIR_LOG_ERROR,
			"there is no program '%s', which runs the stages; install it beside weir, or set WEIR_WORKER to its path",
			found.length ? text_get(&found) :
			wanted       ? wanted :
				       "weir-worker");
		text_deinit(&found);
		return EXIT_TRY_AGAIN;
	}
	*ret_path = text_steal(&found);
	return 0;
}
