/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/cli/busy.h"

#include "broker/supervise/process_state.h"

#define WHERE_SIZE 64

static char state_of(pid_t pid)
{
	uint64_t starved_ns;

	return pid > 0 ? process_state(pid, &starved_ns) : 0;
}

bool busy_is_stopped(pid_t pid)
{
	return state_of(pid) == 'T';
}

static void add_where(pid_t pid, struct text *text)
{
	char where[WHERE_SIZE];

	process_where(pid, where, sizeof(where));
	if (*where)
		text_printf(text, " (%s)", where);
}

void busy_describe(pid_t pid, struct text *text)
{
	switch (state_of(pid)) {
	case 'R':
		text_add(text, "is running, or waits for a processor: the machine may be busy");
		break;
	case 'S':
		text_add(text, "is asleep");
		add_where(pid, text);
		break;
	case 'D':
		text_add(text, "waits in the kernel for a disk or the like");
		add_where(pid, text);
		break;
	case 'T':
		text_printf(text, "is stopped by a signal; 'kill -CONT %d' lets it go on", (int)pid);
		break;
	default:
		text_add(text, "is ending");
	}
}
