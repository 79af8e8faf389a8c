/* SPDX-License-Identifier: Apache-2.0 */
/* What the other end of a file descriptor can show. */
#pragma once

#include <stdbool.h>

struct terminal {
	int fd;
	bool is_tty;
	bool cursor;            /* ... and TERM is not "dumb": the cursor can be moved */
	bool color;             /* ... and NO_COLOR is not set */
	bool utf8;              /* the locale's charset; setlocale() must have been called */
	unsigned columns, rows; /* COLUMNS, else what the kernel says, else 80 x 24 */
};

/* Looks at the descriptor and the environment. No waiting. */
void terminal_detect(int fd, struct terminal *ret_terminal);
/* The window may have another size now. */
void terminal_resize(struct terminal *terminal);
/* True if a and b are the same terminal device. */
bool terminal_same(int a, int b);
