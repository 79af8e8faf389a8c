/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/process_look.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

static size_t read_of_process(pid_t pid, const char *name, char *bytes, size_t size_bytes)
{
	char path[48];
	FILE *file;
	size_t n;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	file = fopen(path, "re");
	n = file ? fread(bytes, 1, size_bytes - 1, file) : 0;
	bytes[n] = '\0';
	if (file)
		fclose(file);
	return n;
}

void process_look_command(pid_t pid, char *ret_command, size_t size_bytes)
{
	size_t n = read_of_process(pid, "cmdline", ret_command, size_bytes);

	while (n && !ret_command[n - 1])
		n--;
	for (size_t i = 0; i < n; i++)
		if (!isprint((unsigned char)ret_command[i]))
			ret_command[i] = ret_command[i] ? '?' : ' ';
}

bool process_look_stopped(pid_t pid)
{
	char line[256];
	const char *state;

	read_of_process(pid, "stat", line, sizeof(line));
	state = strrchr(line, ')'); /* behind a name that may hold anything */
	return state && (state[1] == ' ') && (state[2] == 'T' || state[2] == 't');
}
