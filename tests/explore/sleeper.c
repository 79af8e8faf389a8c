/* SPDX-License-Identifier: Apache-2.0 */
/* worker/sleeper.c of the explored world: what the kernel does there is one device of the machine. */
#include "worker/sleeper.h"
#include "tests/explore/explore.h"

/* The bell alone, and no time: nobody may have to wait for it. To be told of a ring is to take it back. */
int sleeper_open(struct sleeper *sleeper, int doorbell_fd, int control_fd, int lifeline_fd)
{
	(void)control_fd;
	(void)lifeline_fd;
	*sleeper = (struct sleeper){ .is_open = true, .epoll_fd = doorbell_fd };
	return 0;
}

int sleeper_wait(struct sleeper *sleeper, uint64_t now_ns, uint64_t until_ns)
{
	(void)now_ns;
	(void)until_ns;
	explore_poll(sleeper->epoll_fd);
	explore_hush(sleeper->epoll_fd);
	return SLEEPER_DOORBELL;
}

int sleeper_wait_with(struct sleeper *sleeper, struct pollfd *others, size_t n_others, int timeout_ms, int *ret_n_ready)
{
	(void)others;
	(void)n_others;
	(void)timeout_ms;
	*ret_n_ready = 0;
	return sleeper_wait(sleeper, 0, 0);
}
