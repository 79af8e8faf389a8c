/* SPDX-License-Identifier: Apache-2.0 */
/*
 * overrun-program FOLDER: answers each line with itself, hears no signal but SIGKILL, and gets stuck on some lines
 * (bench/overrun.h). Whether it
 * is the first attempt at one stands in the folder.
 */
#include <fcntl.h>
#include <string.h>

#include "bench/overrun.h"

static bool is_first_attempt(const char *folder, unsigned long long number)
{
	char path[4096];
	int fd;

	snprintf(path, sizeof(path), "%s/once.%llu", folder, number);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

int main(int argc, char **argv)
{
	char line[256];

	if (argc != 2)
		return 2;
	overrun_block_all_signals();
	setvbuf(stdout, NULL, _IOLBF, 0);
	while (fgets(line, sizeof(line), stdin)) {
		uint64_t given_ns = overrun_now_ns();
		unsigned long long number = strtoull(line, NULL, 10);

		if (number % OVERRUN_EACH == 0 && overrun_is_stuck(number, is_first_attempt(argv[1], number))) {
			overrun_note(argv[1], number, given_ns);
			for (;;)
				pause();
		}
		fputs(line, stdout);
	}
	return 0;
}
