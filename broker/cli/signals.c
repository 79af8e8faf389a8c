/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/cli/signals.h"

#include <signal.h>

#include "common/base/must.h"

/* nohup has SIGHUP ignored: so be it. */
bool signals_hangup_wanted(void)
{
	struct sigaction action;

	return sigaction(SIGHUP, NULL, &action) == 0 && action.sa_handler != SIG_IGN;
}

void signals_block(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGWINCH);
	if (signals_hangup_wanted())
		sigaddset(&set, SIGHUP);
	must(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
	signal(SIGPIPE, SIG_IGN);
}
