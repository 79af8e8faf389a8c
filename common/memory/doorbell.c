/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Doorbell: how a waker finds out, without a system call, whether a peer sleeps and for what.
 *
 *      waiter (owner of `armed`)                      waker (peer)
 *      need_bytes := n
 *      word := epoch << 8 | events   [D2]             tail or free := ...   (publish)
 *      fence seq_cst                 [D1]             fence seq_cst         [D1]
 *      look at every lane again                       load word             [D2]
 *      sleep on the eventfd, with a bound             if armed for this: write(eventfd)
 *      word := 0
 *
 * Each side stores, then loads what the other side stores: without the two fences both loads could see the old value,
 * and the waiter would sleep beside work. The waker's fence is paid once per turn, for all peers together. An epoch
 * is rung once: the waker remembers the word that it rang for.
 *
 * `need_bytes` may belong to a later epoch than the word that was read. That is harmless: whoever arms looks again
 * after its own fence, so a ring that this makes us omit was for a sleep that is over.
 */
#include "common/memory/doorbell.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/base/error.h"

int doorbell_open(int *ret_fd)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	if (fd < 0)
		return error_origin(-errno);
	*ret_fd = fd;
	return 0;
}

/* Not write(2) of the C library, which a thread may be cancelled in: with that come two locked instructions for each call. */
static ssize_t ring(int fd, const uint64_t *one)
{
#ifdef WEIR_EXPLORE
	return write(fd, one, sizeof(*one));
#else
	return syscall(SYS_write, fd, one, sizeof(*one));
#endif
}

void doorbell_ring(int fd)
{
	const uint64_t one = 1;
	ssize_t n;

	/* EAGAIN: the count is full, so it rings already */
	do
		n = ring(fd, &one);
	while (n < 0 && errno == EINTR);
}

int doorbell_wake(struct doorbell_peer *peer, uint32_t events, uint64_t room_bytes)
{
	uint64_t word = load_acquire(&peer->armed->word); /* [D1] [D2] */
	uint64_t wanted = word & events;

	if (!wanted || word == peer->rung_word)
		return 0;
	if (wanted == ARM_SPACE && room_bytes < load_relaxed(&peer->armed->need_bytes))
		return 0;
	peer->rung_word = word;
	doorbell_ring(peer->fd);
	return 1;
}
