/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Newcomers: workers of a plan that does not count yet, each beside the one whose seat it is to take. What can go wrong without the seat's
 * memory goes wrong here: the program, its libraries, the plugin and what that does while it is loaded.
 *
 *      supervisor                                    newcomer (worker/gate.c)
 *        REHEARSE: fork, exec ---------------------->  reads a document, finds its stage: loads the plugin
 *        AT_GATE <-------- "" ------------------------ waits; maps nothing, has said nothing to anybody
 *        SPAWN, of a generation that is renewed
 *          a document of this generation ----------->  goes on as any worker that was started just now
 *        DISMISS: SIGKILL, reaped when the kernel says so
 *
 * It inherits the descriptors of the seat from its fork on, at the numbers that the second document says, too. It has the seat's memory
 * open, and does not map it before the worker that sat there was proved dead.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "broker/supervise/spawn_child.h"
#include "broker/supervise/supervisor_priv.h"
#include "common/base/cleanup.h"
#include "common/base/error.h"
#include "common/base/must.h"

#define WORDS_BYTES 1024u

struct newcomer {
	struct newcomer *next;
	struct seat *seat;
	struct newborn born;
	int gate_fd;
	sd_event_source *pidfd_source, *gate_source;
	bool waits;     /* at the gate */
	bool dismissed; /* nobody waits for it any more: only its death is still to come */
};

static struct newcomer *find(const struct seat *seat)
{
	struct newcomer *newcomer = seat->supervisor->newcomers;

	while (newcomer && (newcomer->seat != seat || newcomer->dismissed))
		newcomer = newcomer->next;
	return newcomer;
}

/* What it is, or was, is somebody else's now. */
static void forget(struct newcomer *newcomer)
{
	struct newcomer **at = &newcomer->seat->supervisor->newcomers;

	while (*at != newcomer)
		at = &(*at)->next;
	*at = newcomer->next;
	sd_event_source_disable_unref(newcomer->pidfd_source);
	sd_event_source_disable_unref(newcomer->gate_source);
	fd_close(newcomer->gate_fd);
	limits_forget(newcomer->seat, newcomer->born.group);
	newborn_close(&newcomer->born);
	free(newcomer);
}

static void kill_all_of(const struct newborn *born)
{
	pidfd_send_signal(born->pidfd, SIGKILL, NULL, 0);
	if (born->own_group)
		kill(-born->pid, SIGKILL);
}

/* ---- what is heard of it ---- */

/* The last line on its standard error says most. */
static void note_last_words(const struct newcomer *newcomer)
{
	char words[WORDS_BYTES + 1];
	ssize_t n = read(newcomer->born.stderr_fd, words, WORDS_BYTES);
	char *line;

	if (n <= 0)
		return;
	words[n] = '\0';
	while (n > 0 && words[n - 1] == '\n')
		words[--n] = '\0';
	line = strrchr(words, '\n');
	line = line ? line + 1 : words;
	text_printf(&newcomer->seat->supervisor->reload_why, "; it said: %s",
		    line[0] == '<' && line[1] && line[2] == '>' ? line + 3 : line);
}

static void note_death(const struct newcomer *newcomer, const siginfo_t *info)
{
	struct supervisor *supervisor = newcomer->seat->supervisor;
	int failure = 0;

	if (supervisor->reload_why.length)
		return;
	if (read(newcomer->born.exec_fd, &failure, sizeof(failure)) == sizeof(failure) && failure)
		text_printf(&supervisor->reload_why, "%s %s: %s", supervisor->worker_path,
			    spawn_step_failed(spawn_failure_step(failure)),
			    strerrordesc_np(spawn_failure_errno(failure)));
	else if (info->si_code == CLD_EXITED)
		text_printf(&supervisor->reload_why, "it ended with exit code %d while it began", info->si_status);
	else
		text_printf(&supervisor->reload_why, "it was killed by SIG%s while it began",
			    sigabbrev_np(info->si_status));
	note_last_words(newcomer);
}

static int on_pidfd(sd_event_source *source, int fd, uint32_t events, void *data)
{
	struct newcomer *newcomer = data;
	struct seat *seat = newcomer->seat;
	bool dismissed = newcomer->dismissed;
	siginfo_t info = { 0 };

	(void)source, (void)fd, (void)events;
	if (newcomer->born.own_group)
		kill(-newcomer->born.pid, SIGKILL);
	if (waitid(P_PIDFD, (id_t)newcomer->born.pidfd, &info, WEXITED | WNOHANG) == 0 && info.si_pid == 0)
		return 0;
	if (!dismissed)
		note_death(newcomer, &info);
	forget(newcomer);
	supervisor_sweep(seat->supervisor);
	if (!dismissed)
		supervisor_post(seat->supervisor, &(struct event){ .kind = EVENT_NEWCOMER_GONE, .seat = seat->slot });
	return 0;
}

/* One message: nothing, and it waits; or why it can't. */
static int on_gate(sd_event_source *source, int fd, uint32_t events, void *data)
{
	struct newcomer *newcomer = data;
	struct seat *seat = newcomer->seat;
	char words[WORDS_BYTES];
	ssize_t n = recv(fd, words, sizeof(words), MSG_DONTWAIT);

	(void)events;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	sd_event_source_set_enabled(source, SD_EVENT_OFF);
	if (n > 1) {
		text_clear(&seat->supervisor->reload_why);
		text_printf(&seat->supervisor->reload_why, "%.*s", (int)n, words);
	}
	if (n != 1 || newcomer->dismissed)
		return 0; /* it is about to be dead, and the kernel says when */
	newcomer->waits = true;
	supervisor_post(seat->supervisor, &(struct event){ .kind = EVENT_AT_GATE, .seat = seat->slot });
	return 0;
}

static int watch(struct newcomer *newcomer)
{
	sd_event *event = newcomer->seat->supervisor->event;
	int r = sd_event_add_io(event, &newcomer->pidfd_source, newcomer->born.pidfd, EPOLLIN, on_pidfd, newcomer);

	if (r >= 0)
		r = sd_event_source_set_priority(newcomer->pidfd_source, PRIORITY_DEATH + 1); /* its words first */
	if (r >= 0)
		r = sd_event_add_io(event, &newcomer->gate_source, newcomer->gate_fd, EPOLLIN, on_gate, newcomer);
	if (r >= 0)
		r = sd_event_source_set_priority(newcomer->gate_source, PRIORITY_DEATH);
	return r < 0 ? error_origin(r) : 0;
}

/* ---- its life ---- */

static int make(struct seat *seat)
{
	struct supervisor *supervisor = seat->supervisor;
	struct newcomer *newcomer = calloc(1, sizeof(*newcomer));
	int gate[2], r;

	if (!newcomer)
		return error_origin(-ENOMEM);
	*newcomer =
		(struct newcomer){ .next = supervisor->newcomers, .seat = seat, .born = NEWBORN_NULL, .gate_fd = -1 };
	supervisor->newcomers = newcomer;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, gate) < 0) {
		forget(newcomer);
		return error_origin(-errno);
	}
	newcomer->gate_fd = gate[0];
	r = newborn_fork(seat, supervisor->other_plan, gate[1], &newcomer->born);
	fd_close(gate[1]);
	if (r == 0) {
		r = watch(newcomer);
		if (r < 0)
			newborn_end(&newcomer->born);
	}
	if (r < 0)
		forget(newcomer);
	return error_trace(r);
}

void newcomer_rehearse(struct seat *seat)
{
	int r = make(seat);

	if (r == 0)
		return;
	if (!seat->supervisor->reload_why.length)
		text_printf(&seat->supervisor->reload_why, "the machine can't start it: %s", strerrordesc_np(-r));
	supervisor_answer(seat->supervisor, &(struct event){ .kind = EVENT_NEWCOMER_GONE, .seat = seat->slot });
}

static bool send_document(int gate_fd, int document_fd)
{
	char nothing = 0, control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec part = { &nothing, 1 };
	struct msghdr message = {
		.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)
	};
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);

	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(header), &document_fd, sizeof(int));
	return sendmsg(gate_fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT) == 1;
}

bool newcomer_admit(struct seat *seat, int document_fd, struct newborn *ret_born)
{
	struct newcomer *newcomer = find(seat);

	if (!newcomer || !newcomer->waits)
		return false;
	if (!send_document(newcomer->gate_fd, document_fd)) {
		newcomer->dismissed = true;
		kill_all_of(&newcomer->born);
		return false;
	}
	*ret_born = newcomer->born;
	newcomer->born = (struct newborn)NEWBORN_NULL;
	forget(newcomer);
	return true;
}

void newcomers_dismiss(struct supervisor *supervisor)
{
	for (struct newcomer *newcomer = supervisor->newcomers; newcomer; newcomer = newcomer->next) {
		if (newcomer->dismissed)
			continue;
		newcomer->dismissed = true;
		kill_all_of(&newcomer->born);
	}
}

bool newcomers_have(const struct supervisor *supervisor, pid_t pid)
{
	for (const struct newcomer *newcomer = supervisor->newcomers; newcomer; newcomer = newcomer->next)
		if (newcomer->born.pid == pid)
			return true;
	return false;
}

void newcomers_close(struct supervisor *supervisor)
{
	while (supervisor->newcomers) {
		newborn_end(&supervisor->newcomers->born);
		forget(supervisor->newcomers);
	}
}
