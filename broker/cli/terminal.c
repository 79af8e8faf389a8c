/* SPDX-License-Identifier: Apache-2.0 */
#include <langinfo.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "broker/cli/terminal.h"

enum { COLUMNS_DEFAULT = 80, ROWS_DEFAULT = 24, COLUMNS_LIMIT = 1000 };

static bool environment_set(const char *name)
{
	const char *value = getenv(name);

	return value && *value;
}

void terminal_resize(struct terminal *terminal)
{
	const char *wanted = getenv("COLUMNS");
	long columns = wanted ? strtol(wanted, NULL, 10) : 0;
	struct winsize size;

	terminal->columns = COLUMNS_DEFAULT;
	terminal->rows = ROWS_DEFAULT;
	if (ioctl(terminal->fd, TIOCGWINSZ, &size) == 0) {
		terminal->columns = size.ws_col ? size.ws_col : COLUMNS_DEFAULT;
		terminal->rows = size.ws_row ? size.ws_row : ROWS_DEFAULT;
	}
	if (columns > 0 && columns <= COLUMNS_LIMIT)
		terminal->columns = (unsigned)columns;
}

void terminal_detect(int fd, struct terminal *ret_terminal)
{
	const char *term = getenv("TERM");

	*ret_terminal = (struct terminal){ .fd = fd };
	ret_terminal->is_tty = isatty(fd);
	ret_terminal->cursor = ret_terminal->is_tty && term && *term && strcmp(term, "dumb") != 0;
	ret_terminal->color = ret_terminal->cursor && !environment_set("NO_COLOR");
	ret_terminal->utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
	terminal_resize(ret_terminal);
}

bool terminal_same(int a, int b)
{
	struct stat stat_a, stat_b;

	return isatty(a) && isatty(b) && fstat(a, &stat_a) == 0 && fstat(b, &stat_b) == 0 &&
	       stat_a.st_rdev == stat_b.st_rdev;
}
