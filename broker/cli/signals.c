/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/cli/signals.h"

#include <fcntl.h>
#include <signal.h>

#include "common/base/cleanup.h"
#include "common/base/must.h"

/* nohup has SIGHUP ignored: so be it. */
bool signals_hangup_wanted(void)
{
	struct sigaction action;

	return sigaction(SIGHUP, NULL, &action) == 0 && action.sa_handler != SIG_IGN;
}

bool signals_have_terminal(void)
{
	_cleanup_(close) int fd = open("/dev/tty", O_RDONLY | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);

	return fd >= 0;
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
