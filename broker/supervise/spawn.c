/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Spawning: fork + exec of weir-worker with a document on fd 3 that says what every other number is.
 *
 *      fd 0, 1    /dev/null, except the supervisor's own stdin for a stdin source and stdout for a stdout or exec sink
 *      fd 2       a pipe to the supervisor, this worker's alone
 *      fd 3       heritage                    4  own segment, read-write       5  board, read-only
 *      fd 6       own doorbell                7  lifeline, read end
 *      fd 8       eventfd of the order to cancel     9  of cancelled scopes   10.. spools, log of the keyed state, a socket
 *      then       two for each peer: its segment, read-only, and its doorbell
 *      then       one for each origin: its segment, read-only
 *
 * A newcomer, whose seat is another one's until a reload has switched, gets one more descriptor behind all these: its gate (newcomer.c).
 *
 * That exec failed is told by a close-on-exec pipe: end of file means that the worker runs, four bytes are an errno. It is
 * read when the worker says hello or dies, so nobody waits for it. A pidfd taken right after the fork is safe: we alone
 * reap, and the child can't vanish before.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <unistd.h>

#include "broker/supervise/process_state.h"
#include "broker/supervise/spawn_child.h"
#include "broker/supervise/state_folders.h"
#include "broker/supervise/supervisor_priv.h"
#include "common/base/cleanup.h"
#include "common/base/clock.h"
#include "common/base/error.h"

#define SPAWN_FIRST_FREE_FD 10u

static void heritage_deinit_cleanup(struct heritage *heritage)
{
	heritage_deinit(heritage);
}

/* Both ends of a pipe, for the time until each has found its owner. */
struct pipe_pair {
	int read_fd, write_fd;
};

static void pipe_pair_cleanup(struct pipe_pair *pair)
{
	pair->read_fd = fd_close(pair->read_fd);
	pair->write_fd = fd_close(pair->write_fd);
}

/* Our end never blocks; the other one does, so that a worker is slowed down rather than told EAGAIN. */
static int pipe_pair_open(struct pipe_pair *pair)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) < 0)
		return error_origin(-errno);
	pair->read_fd = fds[0];
	pair->write_fd = fds[1];
	return fcntl(pair->read_fd, F_SETFL, O_NONBLOCK) < 0 ? error_origin(-errno) : 0;
}

static bool seat_is(const struct seat *seat, enum weir_role role, const char *kind)
{
	return seat->stage->role == role && !seat->stage->plugin && strcmp(seat->stage->kind, kind) == 0;
}

static void plan_standard_fds(const struct seat *seat, struct spawn_order *order, int stderr_fd)
{
	order->fds[STDIN_FILENO] = seat_is(seat, WEIR_SOURCE, "stdin") ? SPAWN_KEEP : seat->supervisor->null_fd;
	order->fds[STDOUT_FILENO] = seat_is(seat, WEIR_SINK, "stdout") || seat_is(seat, WEIR_SINK, "exec") ?
					    SPAWN_KEEP :
					    seat->supervisor->null_fd;
	order->fds[STDERR_FILENO] = stderr_fd;
}

static int32_t plan_fd(struct spawn_order *order, int fd)
{
	order->fds[order->n_fds] = fd;
	return (int32_t)order->n_fds++;
}

/* Gives every descriptor its number in the child, in the child's document and in the order. */
static void plan_fds(const struct seat *seat, struct heritage *heritage, struct spawn_order *order)
{
	const struct supervisor *supervisor = seat->supervisor;

	order->n_fds = HERITAGE_FD + 1;
	heritage->segment_fd = plan_fd(order, seat->segment_fd);
	heritage->board_fd = plan_fd(order, supervisor->board_read_fd);
	heritage->doorbell_fd = plan_fd(order, seat->doorbell_fd);
	heritage->lifeline_fd = plan_fd(order, supervisor->lifeline_fds[0]);
	heritage->cancel_fd = plan_fd(order, seat->cancel_fd);
	heritage->scopes_fd = plan_fd(order, seat->scopes_fd);
	for (uint32_t i = 0; i < STAGE_SPOOLS_MAX; i++)
		heritage->spool_fds[i] = seat->spool_fds[i] < 0 ? -1 : plan_fd(order, seat->spool_fds[i]);
	heritage->state_fd = seat->state_fd < 0 ? -1 : plan_fd(order, seat->state_fd);
	heritage->socket_fd = seat->socket_fd < 0 ? -1 : plan_fd(order, seat->socket_fd);
	for (uint32_t i = 0; i < heritage->n_peers; i++) {
		const struct seat *peer = &supervisor->seats[heritage->peers[i].slot];

		heritage->peers[i].segment_fd = plan_fd(order, peer->segment_read_fd);
		heritage->peers[i].doorbell_fd = plan_fd(order, peer->doorbell_fd);
	}
	for (uint32_t i = 0; i < heritage->n_origins; i++)
		heritage->origins[i].segment_fd =
			plan_fd(order, supervisor->seats[heritage->origins[i].slot].segment_read_fd);
}

/* The document, and with it the token that proves the next hello. */
static int plan_document(const struct seat *seat, uint8_t token[static HERITAGE_TOKEN_SIZE], struct heritage *heritage,
			 struct spawn_order *order, int *ret_fd)
{
	const struct supervisor *supervisor = seat->supervisor;

	order->fds =
		calloc(SPAWN_FIRST_FREE_FD + STAGE_SPOOLS_MAX + 3 + 2 * (size_t)heritage->n_peers + heritage->n_origins,
		       sizeof(*order->fds));
	heritage->control_endpoint = strdup(supervisor->endpoint);
	if (!order->fds || !heritage->control_endpoint || seat_fill_attempts(seat, heritage) < 0)
		return error_origin(-ENOMEM);
	heritage->run = supervisor->run;
	if (!heritage->dead_letter_path && supervisor->dead_letter_store) {
		heritage->dead_letter_store = strdup(supervisor->dead_letter_store);
		if (!heritage->dead_letter_store)
			return error_origin(-ENOMEM);
	}
	heritage->state_path = state_folder(seat);
	if (getrandom(token, HERITAGE_TOKEN_SIZE, 0) != HERITAGE_TOKEN_SIZE)
		return error_origin(-EIO);
	memcpy(heritage->token, token, HERITAGE_TOKEN_SIZE);
	heritage->supervisor_pid = (int32_t)supervisor->pid;
	heritage->generation = seat->generation;
	heritage->stands_in = seat->life->stands_in;
	plan_fds(seat, heritage, order);
	return error_trace(heritage_write(heritage, ret_fd));
}

/* Returns the child's pid or -errno. */
static pid_t fork_worker(struct spawn_order *order)
{
	sigset_t all, before;
	pid_t pid;

	/* No handler of ours may run in the child before its dispositions are reset. */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	pid = fork();
	if (pid == 0)
		spawn_child(order);
	if (pid < 0)
		pid = error_origin(-errno);
	sigprocmask(SIG_SETMASK, &before, NULL);
	return pid;
}

void newborn_close(struct newborn *born)
{
	fd_close(born->pidfd);
	fd_close(born->exec_fd);
	fd_close(born->stderr_fd);
	*born = (struct newborn)NEWBORN_NULL;
}

void newborn_end(struct newborn *born)
{
	siginfo_t info;

	kill(born->pid, SIGKILL);
	waitid(P_PID, (id_t)born->pid, &info, WEXITED);
	newborn_close(born);
}

static int note_birth(struct newborn *born, pid_t pid, bool own_group, struct pipe_pair *words,
		      struct pipe_pair *status)
{
	*born = (struct newborn){ .pid = pid,
				  .own_group = own_group,
				  .pidfd = pidfd_open(pid, 0),
				  .exec_fd = steal_fd(&status->read_fd),
				  .stderr_fd = steal_fd(&words->read_fd) };
	if (own_group)
		setpgid(pid, pid); /* the child does it too: whoever is first; it may have exec'd already (EACCES) */
	if (born->pidfd < 0) {
		int r = error_origin(-errno);

		newborn_end(born); /* nobody may live whom we can't watch */
		return r;
	}
	return 0;
}

/* By that plan, which may be another than the supervisor's. */
static int fork_newborn(const struct seat *seat, const struct plan *plan, struct spawn_order *order, int document_fd,
			struct newborn *ret_born)
{
	_cleanup_(pipe_pair) struct pipe_pair words = { -1, -1 }, status = { -1, -1 };
	int r = pipe_pair_open(&words);
	uint32_t group;
	pid_t pid;

	if (r == 0)
		r = pipe_pair_open(&status);
	if (r < 0)
		return error_trace(r);
	plan_standard_fds(seat, order, words.write_fd);
	order->fds[HERITAGE_FD] = document_fd;
	order->status_fd = status.write_fd;
	group = limits_of_newborn(seat, plan, order);
	pid = fork_worker(order);
	limits_forked(order);
	if (pid >= 0)
		r = note_birth(ret_born, pid, order->own_group, &words, &status);
	if (pid < 0 || r < 0)
		limits_forget(seat, group);
	else
		ret_born->group = group;
	return error_trace(pid < 0 ? pid : r);
}

/* It sits there now. */
static int seat_take(struct seat *seat, struct newborn *born)
{
	int r;

	seat->pid = seat->last_pid = born->pid;
	seat->own_group = born->own_group;
	seat->pidfd = born->pidfd;
	seat->exec_fd = born->exec_fd;
	seat->stderr_fd = born->stderr_fd;
	seat->group = born->group;
	if (seat->supervisor->estate)
		seat->pid_began_ticks = process_began_ticks(born->pid);
	r = seat_watch(seat);
	if (r == 0)
		return 0;
	born->pidfd = born->exec_fd = born->stderr_fd = -1;
	seat_unwatch(seat);
	newborn_end(born);
	limits_forget(seat, seat->group);
	seat->pid = 0;
	return r;
}

/* What the last generation left in private memory. */
static void forget_generation(struct seat *seat)
{
	overrun_forget(seat);
	seat_order_take_back(seat);
	last_words_clear(&seat->words);
	free(seat->goodbye.reason);
	free(seat->goodbye.option);
	seat->goodbye = (struct goodbye){ 0 };
	seat->death = (struct death){ 0 };
	seat->overdue = seat->hung = seat->cancel_seen = false;
	seat->told = (struct seat_told){ 0 };
	seat->generation = seat->life->generation;
	seat->scopes_seen = 0;
	seat->books_before = seat_books(seat);
}

static bool wants_own_group(const struct seat *seat)
{
	return !(seat_is(seat, WEIR_SOURCE, "stdin") && isatty(STDIN_FILENO));
}

int newborn_fork(struct seat *seat, const struct plan *plan, int gate_fd, struct newborn *ret_born)
{
	const struct supervisor *supervisor = seat->supervisor;
	char gate[16];
	char *const arguments[] = { (char[]){ "weir-worker" }, (char[]){ "3" }, gate, NULL };
	struct spawn_order order = { .path = supervisor->worker_path,
				     .program_fd = supervisor->worker_fd,
				     .arguments = arguments,
				     .supervisor_pid = supervisor->pid,
				     .files = supervisor->files_of_workers,
				     .capabilities = plan->stages[seat->stage_number].capabilities,
				     .own_group = wants_own_group(seat),
				     .group_fd = -1 };
	uint8_t token[HERITAGE_TOKEN_SIZE]; /* proves nothing: the document that lets it in has another one */
	_cleanup_(heritage_deinit) struct heritage heritage = { 0 };
	_cleanup_(close) int document_fd = -1;
	int r = plan_heritage(plan, seat->slot, &heritage);

	if (r == 0)
		r = plan_document(seat, token, &heritage, &order, &document_fd);
	if (r == 0) {
		snprintf(gate, sizeof(gate), "%d", (int)plan_fd(&order, gate_fd));
		r = fork_newborn(seat, plan, &order, document_fd, ret_born);
	}
	free(order.fds);
	return error_trace(r);
}

/* By a newcomer that waits for it, or else by a new process. */
static int fill(struct seat *seat, struct spawn_order *order, int document_fd)
{
	struct newborn born = NEWBORN_NULL;
	int r = 0;

	if (!seat->life->renewed || !newcomer_admit(seat, document_fd, &born))
		r = fork_newborn(seat, seat->supervisor->plan, order, document_fd, &born);
	return r < 0 ? error_trace(r) : seat_take(seat, &born);
}

int seat_spawn(struct seat *seat)
{
	struct supervisor *supervisor = seat->supervisor;
	char *const arguments[] = { (char[]){ "weir-worker" }, (char[]){ "3" }, NULL };
	struct spawn_order order = { .path = supervisor->worker_path,
				     .program_fd = supervisor->worker_fd,
				     .arguments = arguments,
				     .supervisor_pid = supervisor->pid,
				     .files = supervisor->files_of_workers,
				     .capabilities = seat->stage->capabilities,
				     .own_group = wants_own_group(seat),
				     .group_fd = -1 };
	_cleanup_(heritage_deinit) struct heritage heritage = { 0 };
	_cleanup_(close) int document_fd = -1;
	int r;

	forget_generation(seat);
	r = seat_give_pages(seat);
	if (r == 0)
		r = plan_heritage(supervisor->plan, seat->slot, &heritage);
	if (r == 0) {
		supervisor->board->slots[seat->slot].generation = seat->generation;
		r = plan_document(seat, seat->token, &heritage, &order, &document_fd);
	}
	if (r == 0)
		r = fill(seat, &order, document_fd);
	free(order.fds);
	seat->spawn_error = -r;
	if (r < 0)
		return error_trace(r);
	seat->spawned_ns = clock_now_ns();
	return 0;
}
