/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/sinks/part_name.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/base/cleanup.h"
#include "common/base/clock.h"

const char *part_base(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

bool part_has_mark(const char *path, const char *mark)
{
	return strstr(path, mark);
}

static void add_time(struct text *name, uint64_t realtime_ns, uint64_t number)
{
	time_t seconds = (time_t)(realtime_ns / NS_PER_S);
	struct tm when;
	char text[32];

	if (!gmtime_r(&seconds, &when) || !strftime(text, sizeof(text), "%Y%m%dT%H%M%SZ", &when))
		snprintf(text, sizeof(text), "%" PRIu64, (uint64_t)seconds);
	text_add(name, text);
	if (number > 1)
		text_printf(name, "-%" PRIu64, number);
}

void part_final_name(const char *path, uint64_t number, uint64_t realtime_ns, struct text *ret_name)
{
	bool numbered = part_has_mark(path, PART_MARK_NUMBER);
	const char *at = path, *mark;

	while ((mark = strchr(at, '{'))) {
		text_add_bytes(ret_name, at, (size_t)(mark - at));
		at = mark + 1;
		if (!strncmp(mark, PART_MARK_NUMBER, strlen(PART_MARK_NUMBER))) {
			text_printf(ret_name, "%06" PRIu64, number);
			at = mark + strlen(PART_MARK_NUMBER);
		} else if (!strncmp(mark, PART_MARK_TIME, strlen(PART_MARK_TIME))) {
			add_time(ret_name, realtime_ns, numbered ? 1 : number);
			at = mark + strlen(PART_MARK_TIME);
		} else {
			text_add(ret_name, "{");
		}
	}
	text_add(ret_name, at);
}

void part_hidden_name(const char *path, uint64_t run_ns, uint64_t index, struct text *ret_name)
{
	const char *base = part_base(path);

	text_add_bytes(ret_name, path, (size_t)(base - path));
	text_printf(ret_name, ".%s.%" PRIx64 "-%" PRIu64 ".part", base, run_ns, index);
}

bool part_is_left_over(const char *path, uint64_t run_ns, const char *name)
{
	const char *base = part_base(path);
	size_t n = strlen(base), size = strlen(name);
	char *end;
	uint64_t run;

	if (*name != '.' || size < n + 8 || strncmp(name + 1, base, n) != 0 || name[n + 1] != '.' ||
	    strcmp(name + size - 5, ".part") != 0)
		return false;
	run = strtoull(name + n + 2, &end, 16);
	return *end == '-' && run != run_ns;
}

uint64_t part_next_number(const char *path)
{
	const char *base = part_base(path), *mark = strstr(base, PART_MARK_NUMBER);
	_cleanup_(free) char *folder = strndup(path, (size_t)(base - path));
	size_t before = mark ? (size_t)(mark - base) : 0;
	const char *behind = mark ? mark + strlen(PART_MARK_NUMBER) : "";
	struct dirent *entry;
	uint64_t next = 1;
	DIR *open_folder;

	if (!mark || part_has_mark(behind, PART_MARK_NUMBER) || part_has_mark(base, PART_MARK_TIME) || !folder)
		return 1;
	open_folder = opendir(*folder ? folder : ".");
	while (open_folder && (entry = readdir(open_folder))) {
		uint64_t number;
		char *end;

		if (strncmp(entry->d_name, base, before) != 0)
			continue;
		number = strtoull(entry->d_name + before, &end, 10);
		if (end != entry->d_name + before && !strcmp(end, behind) && number >= next && number < UINT64_MAX / 2)
			next = number + 1;
	}
	if (open_folder)
		closedir(open_folder);
	return next;
}
