/* SPDX-License-Identifier: Apache-2.0 */
/*
 * weir run --keep DIR, where no systemd keeps descriptors:
 *
 *      weir run ---fork (twice)---> holder: own session, no name, no file, nothing open but its sockets
 *         |------- PUT, LISTEN ------->|
 *         X  (killed)                  |  its line is closed: the holder waits, so long and no longer
 *      weir run ------- TAKE --------->|  through DIR/<pipeline>.keep
 *         |-------- END -------------->X
 *
 * One supervisor at a time: who comes while another one's line is open is told BUSY. Whatever is not one of our packets ends the line on
 * which it came, and nothing else. The holder never looks into what it keeps, allocates nothing, and so has little to die of.
 */
#include "broker/keep/holder.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "broker/keep/holder_wire.h"
#include "common/base/cleanup.h"
#include "common/base/clock.h"
#include "common/base/error.h"

#define KEPT_MAX 65536u
#define STRANGERS_MAX 8u /* lines of those who have not been let in */
#define POLL_CAP_MS 60000
#define SEND_TIMEOUT_S 5

struct holder {
	int listener;                 /* -1: nobody can come */
	int owner;                    /* the supervisor's line; -1: none lives */
	int strangers[STRANGERS_MAX]; /* have connected and said nothing yet; -1: free */
	uint32_t next_stranger;       /* whose place is taken when there is none */
	int kept[KEPT_MAX];
	uint32_t n_kept;
	uint64_t wait_ns, due_ns; /* due_ns: when it ends if nobody comes, absolute */
	bool ended;
};

static void reply(int socket, enum holder_word word, uint32_t number)
{
	const struct holder_packet packet = {
		.magic = HOLDER_MAGIC, .version = HOLDER_VERSION, .word = (uint32_t)word, .number = number
	};

	(void)holder_send(socket, &packet, NULL, 0);
}

static void drop_all(struct holder *holder)
{
	while (holder->n_kept)
		fd_close(holder->kept[--holder->n_kept]);
}

static void close_all(const int *fds, size_t n_fds)
{
	for (size_t i = 0; i < n_fds; i++)
		fd_close(fds[i]);
}

static void put(struct holder *holder, const struct holder_packet *packet, const int *fds, size_t n_fds)
{
	if (holder->n_kept + n_fds > KEPT_MAX) {
		close_all(fds, n_fds);
		reply(holder->owner, HOLDER_NO_ROOM, 0);
		return;
	}
	for (size_t i = 0; i < n_fds; i++)
		holder->kept[holder->n_kept++] = fds[i];
	holder->wait_ns = packet->wait_ns;
	reply(holder->owner, HOLDER_OK, (uint32_t)n_fds);
}

static void give(const struct holder *holder)
{
	const struct holder_packet packet = { .magic = HOLDER_MAGIC, .version = HOLDER_VERSION, .word = HOLDER_FDS };

	for (uint32_t i = 0; i < holder->n_kept; i += HOLDER_FDS_MAX) {
		uint32_t left = holder->n_kept - i;

		if (holder_send(holder->owner, &packet, &holder->kept[i],
				left < HOLDER_FDS_MAX ? left : HOLDER_FDS_MAX) < 0)
			return; /* it takes nothing: its line will say so */
	}
	reply(holder->owner, HOLDER_OK, holder->n_kept);
}

/* Returns false: no word of a supervisor's. */
static bool obey(struct holder *holder, const struct holder_packet *packet, const int *fds, size_t n_fds)
{
	switch (packet->word) {
	case HOLDER_PUT:
		put(holder, packet, fds, n_fds);
		return true;
	case HOLDER_LISTEN:
		if (n_fds != 1)
			break;
		fd_close(holder->listener);
		holder->listener = fds[0];
		reply(holder->owner, HOLDER_OK, 0);
		return true;
	case HOLDER_TAKE:
		close_all(fds, n_fds);
		give(holder);
		return true;
	case HOLDER_END:
		holder->ended = true;
		/* fall through */
	case HOLDER_DROP:
		close_all(fds, n_fds);
		drop_all(holder);
		reply(holder->owner, HOLDER_OK, 0);
		return true;
	default:
		break;
	}
	close_all(fds, n_fds);
	return false;
}

/* Nobody lives who needs it: it waits for the next one, if one can come and there is something to come for. */
static void owner_gone(struct holder *holder)
{
	holder->owner = fd_close(holder->owner);
	holder->due_ns = clock_now_ns() + holder->wait_ns;
	if (holder->listener < 0 || !holder->n_kept)
		holder->ended = true;
}

static void hear_owner(struct holder *holder)
{
	struct holder_packet packet;
	int fds[HOLDER_FDS_MAX];
	size_t n_fds;
	int r = holder_receive(holder->owner, &packet, fds, &n_fds);

	if (r == -EAGAIN)
		return;
	if (r != 0 || !obey(holder, &packet, fds, n_fds))
		owner_gone(holder);
}

static uint32_t pid_of(int socket)
{
	struct ucred peer = { 0 };
	socklen_t size = sizeof(peer);

	return getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) ? 0 : (uint32_t)peer.pid;
}

/* Its first packet says whether it is a supervisor. */
static void hear_stranger(struct holder *holder, int *stranger)
{
	struct holder_packet packet;
	int fds[HOLDER_FDS_MAX];
	size_t n_fds;
	int r = holder_receive(*stranger, &packet, fds, &n_fds);

	if (r == -EAGAIN)
		return;
	if (r == 0 && holder->owner >= 0) {
		close_all(fds, n_fds);
		reply(*stranger, HOLDER_BUSY, pid_of(holder->owner));
	} else if (r == 0) {
		holder->owner = steal_fd(stranger);
		if (!obey(holder, &packet, fds, n_fds))
			owner_gone(holder);
		return;
	}
	*stranger = fd_close(*stranger);
}

/* Only who may run as we do is let in; of those who say nothing the first makes room. */
static void let_in(struct holder *holder)
{
	const struct timeval timeout = { .tv_sec = SEND_TIMEOUT_S };
	struct ucred peer = { 0 };
	socklen_t size = sizeof(peer);
	int fd = accept4(holder->listener, NULL, NULL, SOCK_CLOEXEC), *place = NULL;

	if (fd < 0)
		return;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) || (peer.uid != geteuid() && peer.uid != 0)) {
		fd_close(fd);
		return;
	}
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
	for (uint32_t i = 0; i < STRANGERS_MAX && !place; i++)
		if (holder->strangers[i] < 0)
			place = &holder->strangers[i];
	if (!place)
		place = &holder->strangers[holder->next_stranger++ % STRANGERS_MAX];
	fd_close(*place);
	*place = fd;
}

static void look(struct holder *holder)
{
	struct pollfd polls[2 + STRANGERS_MAX] = { { .fd = holder->owner, .events = POLLIN },
						   { .fd = holder->listener, .events = POLLIN } };
	int timeout_ms = holder->owner >= 0 ? -1 : deadline_poll_ms(holder->due_ns, clock_now_ns(), POLL_CAP_MS);

	for (uint32_t i = 0; i < STRANGERS_MAX; i++)
		polls[2 + i] = (struct pollfd){ .fd = holder->strangers[i], .events = POLLIN };
	if (poll(polls, 2 + STRANGERS_MAX, timeout_ms) < 0)
		return;
	if (polls[0].revents)
		hear_owner(holder); /* its end comes before those who want its place */
	for (uint32_t i = 0; i < STRANGERS_MAX; i++)
		if (polls[2 + i].revents)
			hear_stranger(holder, &holder->strangers[i]);
	if (polls[1].revents)
		let_in(holder);
	if (holder->owner < 0 && clock_now_ns() >= holder->due_ns)
		holder->ended = true;
}

void holder_serve(int socket)
{
	static struct holder holder;

	holder = (struct holder){ .listener = -1, .owner = socket };
	for (uint32_t i = 0; i < STRANGERS_MAX; i++)
		holder.strangers[i] = -1;
	while (!holder.ended)
		look(&holder);
	drop_all(&holder);
	close_all(holder.strangers, STRANGERS_MAX);
	fd_close(holder.owner);
	fd_close(holder.listener);
}

/* Nothing of the world in which weir was started stays with it: no terminal, no pipe that somebody waits to see closed. */
static void leave_the_world(int *socket)
{
	struct rlimit limit;
	int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	for (int i = 0; i < 3; i++)
		dup2(null_fd, i);
	dup2(*socket, 3);
	*socket = 3;
	close_range(4, ~0U, 0);
	setsid();
	(void)!chdir("/");
	prctl(PR_SET_NAME, "weir-holder");
	signal(SIGPIPE, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

__attribute__((noreturn)) static void be_holder(int socket)
{
	if (fork() != 0)
		_exit(0);
	leave_the_world(&socket);
	holder_serve(socket);
	_exit(0);
}

int holder_fork(int *ret_socket)
{
	int sockets[2], status;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets))
		return error_origin(-errno);
	pid = fork();
	if (pid == 0) {
		close(sockets[0]);
		be_holder(sockets[1]);
	}
	fd_close(sockets[1]);
	if (pid < 0 || waitpid(pid, &status, 0) != pid) {
		int r = error_origin(-errno);

		fd_close(sockets[0]);
		return r;
	}
	*ret_socket = sockets[0];
	return 0;
}
