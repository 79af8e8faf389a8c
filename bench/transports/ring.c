/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bare ring: two counters, each with the other side's last value kept in private memory, and slots of one message rounded up to
 * 64 bytes. No header, no commit, no waking: what the hardware allows. It is the measure for weir's lanes, so it must stay this bare.
 * `batch` messages are published, and given back, at once.
 *
 * With RING_SLEEPS=1 (the program ring-sleep) whoever finds nothing arms a word and sleeps on an eventfd, with RING_SLEEPS=2 (the program
 * ring-futex) on that word itself: one process at each end.
 */
#include <errno.h>
#include <linux/futex.h>
#include <sched.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bench/transport.h"
#include "common/base/atomic.h"

#define ON_EVENTFD 1
#define ON_FUTEX 2
#ifndef RING_SLEEPS
#define RING_SLEEPS 0
#endif

#define CHANNEL_NAME (RING_SLEEPS ? "bench ring-sleep" : "bench ring")
#define CHANNEL_SHARED 0
#define CHANNEL_CHAINS (!RING_SLEEPS)

struct ring {
	_Alignas(CACHE_LINE_SIZE) atomic_u64 tail;
	_Alignas(CACHE_LINE_SIZE) atomic_u64 head;
	_Alignas(CACHE_LINE_SIZE) atomic_u32 closed;
	_Alignas(CACHE_LINE_SIZE) atomic_u32 reader_armed;
	_Alignas(CACHE_LINE_SIZE) atomic_u32 writer_armed;
	_Alignas(CACHE_LINE_SIZE) unsigned char data[];
};

struct channel {
	_Alignas(CACHE_LINE_SIZE) struct ring *ring; /* private memory from here on: each process has its copy */
	uint64_t n_slots, stride_bytes;
	uint64_t batch;
	uint64_t mine;      /* next slot to write, or to read */
	uint64_t published; /* what the peer has been told of it */
	uint64_t cached;    /* what the peer last told */
	uint32_t spins;
	bool taken; /* reader: a message is in use */
	int reader_fd, writer_fd;
};

static void channel_open(struct channel *channel, const struct run *run, uint32_t index)
{
	uint64_t stride_bytes = (run->size_bytes + CACHE_LINE_SIZE - 1) & ~(uint64_t)(CACHE_LINE_SIZE - 1);
	uint64_t n_slots = run->capacity_bytes / stride_bytes;
	size_t size_bytes = sizeof(struct ring) + n_slots * stride_bytes;

	(void)index;
	errno = 0;
	if (!n_slots || (n_slots & (n_slots - 1)))
		die("a capacity of %llu bytes is %llu slots: not a power of two",
		    (unsigned long long)run->capacity_bytes, (unsigned long long)n_slots);
	*channel = (struct channel){
		.ring = mmap(NULL, size_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1,
			     0),
		.n_slots = n_slots,
		.stride_bytes = stride_bytes,
		.batch = run->batch < n_slots ? run->batch : n_slots,
		.spins = run->spins,
		.reader_fd = RING_SLEEPS == ON_EVENTFD ? eventfd(0, EFD_CLOEXEC) : -1,
		.writer_fd = RING_SLEEPS == ON_EVENTFD ? eventfd(0, EFD_CLOEXEC) : -1,
	};
	if (channel->ring == MAP_FAILED ||
	    (RING_SLEEPS == ON_EVENTFD && (channel->reader_fd < 0 || channel->writer_fd < 0)))
		die("cannot make a ring of %zu bytes", size_bytes);
}

static void channel_role(struct channel *channel, enum role role)
{
	(void)channel;
	(void)role;
}

static void bell_ring(atomic_u32 *armed, int fd)
{
	const uint64_t one = 1;

	if (RING_SLEEPS == ON_FUTEX)
		(void)syscall(SYS_futex, armed, FUTEX_WAKE, 1, NULL, NULL, 0);
	else if (write(fd, &one, sizeof(one)) != sizeof(one))
		die("cannot ring");
}

/* Until the bell has been rung, which disarms. */
static void bell_await(atomic_u32 *armed, int fd)
{
	uint64_t count;

	if (RING_SLEEPS == ON_FUTEX)
		while (load_acquire(armed))
			(void)syscall(SYS_futex, armed, FUTEX_WAIT, 1, NULL, NULL, 0);
	else if (read(fd, &count, sizeof(count)) != sizeof(count))
		die("cannot sleep");
}

/* After something was published: rings the sleeper, if there is one. */
static inline void ring_wake(atomic_u32 *armed, int fd)
{
	if (!RING_SLEEPS)
		return;
	fence_seq_cst(); /* pairs with the one in ring_rest() */
	if (load_relaxed(armed) && atomic_exchange(armed, 0))
		bell_ring(armed, fd);
}

/* Called while the other side's word has not moved: spins, then sleeps or gives the processor away. */
static void ring_rest(const struct channel *channel, uint32_t *n_looks, const atomic_u64 *word, atomic_u32 *armed,
		      int fd)
{
	if (++*n_looks < channel->spins) {
		cpu_relax();
	} else if (!RING_SLEEPS) {
		sched_yield();
	} else {
		store_relaxed(armed, 1);
		fence_seq_cst();
		/* Something has come meanwhile: take the bell back, or hear it if it was rung already. */
		if ((load_acquire(word) == channel->cached && !load_acquire(&channel->ring->closed)) ||
		    !atomic_exchange(armed, 0))
			bell_await(armed, fd);
		*n_looks = 0;
	}
}

static inline void channel_flush(struct channel *channel)
{
	if (channel->published == channel->mine)
		return;
	store_release(&channel->ring->tail, channel->mine);
	channel->published = channel->mine;
	ring_wake(&channel->ring->reader_armed, channel->reader_fd);
}

static __attribute__((noinline)) void ring_wait_room(struct channel *channel)
{
	uint32_t n_looks = 0;

	channel->cached = load_acquire(&channel->ring->head);
	if (channel->mine - channel->cached < channel->n_slots)
		return;
	channel_flush(channel);
	while (channel->mine - (channel->cached = load_acquire(&channel->ring->head)) == channel->n_slots)
		ring_rest(channel, &n_looks, &channel->ring->head, &channel->ring->writer_armed, channel->writer_fd);
}

static inline void channel_send(struct channel *channel, const void *data, size_t size_bytes)
{
	if (channel->mine - channel->cached == channel->n_slots)
		ring_wait_room(channel);
	memcpy(channel->ring->data + (channel->mine & (channel->n_slots - 1)) * channel->stride_bytes, data,
	       size_bytes);
	if (++channel->mine - channel->published >= channel->batch)
		channel_flush(channel);
}

static void channel_close(struct channel *channel)
{
	channel_flush(channel);
	store_release(&channel->ring->closed, 1);
	ring_wake(&channel->ring->reader_armed, channel->reader_fd);
}

static inline void ring_give_back(struct channel *channel)
{
	if (channel->published == channel->mine)
		return;
	store_release(&channel->ring->head, channel->mine);
	channel->published = channel->mine;
	ring_wake(&channel->ring->writer_armed, channel->writer_fd);
}

/* Reader: true when the tail has moved. */
static inline bool ring_look(struct channel *channel)
{
	channel->cached = load_acquire(&channel->ring->tail);
	return channel->cached != channel->mine;
}

static bool channel_ended(struct channel *channel)
{
	return load_acquire(&channel->ring->closed) && !ring_look(channel);
}

static inline const unsigned char *channel_try(struct channel *channel, size_t size_bytes)
{
	(void)size_bytes;
	if (channel->taken) {
		channel->taken = false;
		if (++channel->mine - channel->published >= channel->batch)
			ring_give_back(channel);
	}
	if (channel->mine == channel->cached && !ring_look(channel)) {
		ring_give_back(channel);
		return NULL;
	}
	channel->taken = true;
	return channel->ring->data + (channel->mine & (channel->n_slots - 1)) * channel->stride_bytes;
}

static __attribute__((noinline)) const unsigned char *ring_wait_message(struct channel *channel, size_t size_bytes)
{
	uint32_t n_looks = 0;
	const unsigned char *message;

	while (!(message = channel_try(channel, size_bytes))) {
		if (channel_ended(channel))
			return NULL;
		if (channel->cached == channel->mine)
			ring_rest(channel, &n_looks, &channel->ring->tail, &channel->ring->reader_armed,
				  channel->reader_fd);
	}
	return message;
}

static inline const unsigned char *channel_receive(struct channel *channel, size_t size_bytes)
{
	const unsigned char *message = channel_try(channel, size_bytes);

	return message ? message : ring_wait_message(channel, size_bytes);
}

#include "bench/transport_main.h"
