/* SPDX-License-Identifier: Apache-2.0 */
/*
 *      systemd     a datagram to NOTIFY_SOCKET with FDSTORE=1; back by LISTEN_FDS when the service is started again. All have one name, so
 *      that
 *                  one FDSTOREREMOVE forgets them; which is which stands in the estate. FDPOLL=0: systemd would drop the lifeline, for what
 *                  it may be polled for is just that everybody has died.
 *      a holder    a packet on its socket (holder.c); its name is DIR/<pipeline>.keep, made by the first supervisor, removed by the last
 *
 * A socket file behind which nobody is says that a holder has ended before its time.
 */
#include "broker/keep/keep.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "broker/keep/holder.h"
#include "broker/keep/holder_wire.h"
#include "common/base/cleanup.h"
#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/base/quantity.h"

#define ANSWER_S 10
#define BARRIER_US (5 * UINT64_C(1000000))
#define BACKLOG 8
#define FOLDER_MODE 0700

struct keep {
	char *folder; /* of holders; NULL: the fd store */
	char *path;   /* of the socket; NULL: not known yet */
	int fresh;    /* line to the holder that we have forked; -1 */
	int line;     /* to the holder that keeps ours: `fresh`, or that of the last supervisor; -1: none yet */
	uint64_t wait_ns;
	uint32_t pid; /* of a holder that is not ours; 0: not known */
};

/* ---- birth ---- */

int keep_new(const char *folder, uint64_t wait_ns, struct keep **ret_keep)
{
	const char *manager = getenv("NOTIFY_SOCKET");
	struct keep *keep;
	int r = 0;

	*ret_keep = NULL;
	if (!folder && (!manager || !*manager))
		return 0;
	keep = calloc(1, sizeof(*keep));
	if (!keep)
		return error_origin(-ENOMEM);
	*keep = (struct keep){ .folder = folder ? strdup(folder) : NULL,
			       .fresh = -1,
			       .line = -1,
			       .wait_ns = wait_ns ? wait_ns : KEEP_WAIT_NS };
	if (folder)
		r = keep->folder ? holder_fork(&keep->fresh) : error_origin(-ENOMEM);
	if (r < 0)
		keep = keep_free(keep);
	*ret_keep = keep;
	return r;
}

struct keep *keep_free(struct keep *keep)
{
	if (!keep)
		return NULL;
	keep->fresh = fd_close(keep->fresh);
	keep->line = fd_close(keep->line);
	free(keep->folder);
	free(keep->path);
	free(keep);
	return NULL;
}

int keep_fd(const struct keep *keep)
{
	return keep ? keep->line : -1;
}

void keep_describe(const struct keep *keep, struct text *text)
{
	char wait[QUANTITY_TEXT_SIZE];

	if (!keep->folder)
		text_add(text, "systemd's fd store");
	else
		text_printf(text, "a holder at %s, which waits %s for the next supervisor", keep->path,
			    quantity_format_duration(keep->wait_ns, wait));
}

/* ---- systemd ---- */

static int take_from_store(int **ret_fds, size_t *ret_n)
{
	char **names = NULL;
	int n = sd_listen_fds_with_names(0, &names);
	_cleanup_(free) int *fds = n > 0 ? calloc((size_t)n, sizeof(*fds)) : NULL;

	*ret_n = 0;
	for (int i = 0; i < n; i++) {
		if (fds && strcmp(names[i], KEEP_STORE_NAME) == 0)
			fds[(*ret_n)++] = SD_LISTEN_FDS_START + i;
		free(names[i]);
	}
	free(names);
	if (n < 0 || (n > 0 && !fds))
		return error_origin(n < 0 ? n : -ENOMEM);
	*ret_fds = steal_pointer(&fds);
	return 0;
}

static int put_into_store(const int *fds, size_t n, struct text *why)
{
	int r = 1;

	for (size_t i = 0; r > 0 && i < n; i += HOLDER_FDS_MAX)
		r = sd_pid_notify_with_fds(0, 0, "FDSTORE=1\nFDNAME=" KEEP_STORE_NAME "\nFDPOLL=0", &fds[i],
					   n - i < HOLDER_FDS_MAX ? (unsigned)(n - i) : HOLDER_FDS_MAX);
	if (r <= 0) {
		text_printf(why, "systemd can't be told what to keep: %s",
			    r < 0 ? strerror(-r) : "NOTIFY_SOCKET is not set");
		return KEEP_E_REFUSED;
	}
	(void)sd_notify_barrier(
		0, BARRIER_US); /* one that knows no barrier has it in its queue: nothing overtakes it there */
	return 0;
}

/* ---- a holder ---- */

static int refuse_stranger(const struct keep *keep, int r, struct text *why)
{
	text_printf(
		why,
		"what answers at %s is no holder of this version of weir%s%s; if it is to be given up, remove that socket",
		keep->path ? keep->path : "its socket", r < 0 ? ": " : "", r < 0 ? strerror(-r) : "");
	return KEEP_E_REFUSED;
}

/* The next packet of the holder. Returns 0, KEEP_E_REFUSED with `why`. */
static int hear(const struct keep *keep, int line, struct holder_packet *packet, int fds[HOLDER_FDS_MAX], size_t *n_fds,
		struct text *why)
{
	int r = holder_receive(line, packet, fds, n_fds);

	return r == 0 ? 0 : refuse_stranger(keep, r, why);
}

/* Says something and waits for the one answer. */
static int ask(struct keep *keep, int line, enum holder_word word, const int *fds, size_t n_fds, struct text *why)
{
	struct holder_packet packet = {
		.magic = HOLDER_MAGIC, .version = HOLDER_VERSION, .word = (uint32_t)word, .wait_ns = keep->wait_ns
	};
	int stray[HOLDER_FDS_MAX], r = holder_send(line, &packet, fds, n_fds);
	size_t n_stray = 0;

	if (r < 0) {
		text_printf(why, "the holder does not take it: %s", strerror(-r));
		return KEEP_E_REFUSED;
	}
	r = hear(keep, line, &packet, stray, &n_stray, why);
	while (n_stray)
		fd_close(stray[--n_stray]);
	if (r == 0 && packet.word != HOLDER_OK) {
		text_add(
			why,
			"the holder has no room for so many descriptors; raise the limit (ulimit -n) or lower 'workers'");
		r = KEEP_E_REFUSED;
	}
	return r;
}

static int check_folder(const struct keep *keep, struct text *why)
{
	struct stat st;

	if (mkdir(keep->folder, FOLDER_MODE) && errno != EEXIST) {
		text_printf(why, "cannot make the folder %s: %s", keep->folder, strerror(errno));
		return KEEP_E_REFUSED;
	}
	if (lstat(keep->folder, &st) || !S_ISDIR(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 022)) {
		text_printf(
			why,
			"%s is not a folder that only its owner, which is you, may write to; name another one, or chmod 700 it",
			keep->folder);
		return KEEP_E_REFUSED;
	}
	return 0;
}

static int name_socket(struct keep *keep, const char *pipeline, struct sockaddr_un *ret_address, struct text *why)
{
	struct text path = TEXT_NULL;

	text_printf(&path, "%s/%s.keep", keep->folder, pipeline);
	free(keep->path);
	keep->path = text_steal(&path);
	*ret_address = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (strlen(keep->path) >= sizeof(ret_address->sun_path)) {
		text_printf(why,
			    "%s is too long for a socket (%zu bytes, %zu at most); name a folder with a shorter path",
			    keep->path, strlen(keep->path), sizeof(ret_address->sun_path) - 1);
		return KEEP_E_REFUSED;
	}
	strcpy(ret_address->sun_path, keep->path);
	return 0;
}

static void bound_waits(int line)
{
	const struct timeval timeout = { .tv_sec = ANSWER_S };

	(void)setsockopt(line, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
	(void)setsockopt(line, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
}

/* Whose socket that is, the kernel says. */
static int check_peer(struct keep *keep, int line, struct text *why)
{
	struct ucred peer = { 0 };
	socklen_t size = sizeof(peer);

	if (getsockopt(line, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && peer.uid == geteuid())
		return 0;
	text_printf(why, "%s belongs to somebody else (uid %u); remove it, or name another folder", keep->path,
		    (unsigned)peer.uid);
	return KEEP_E_REFUSED;
}

/* *ret_line -1: nobody is there. */
static int call_holder(struct keep *keep, const struct sockaddr_un *address, int *ret_line, struct text *why)
{
	_cleanup_(close) int line = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	int r;

	*ret_line = -1;
	if (line < 0)
		return error_origin(-errno);
	bound_waits(line);
	if (connect(line, (const struct sockaddr *)address, sizeof(*address))) {
		if (errno == ENOENT)
			return 0;
		if (errno == ECONNREFUSED) {
			text_printf(why, "the holder at %s is gone: it was killed, or nobody came in time", keep->path);
			return KEEP_E_LOST;
		}
		text_printf(why, "%s can't be asked: %s; remove it, or name another folder", keep->path,
			    strerror(errno));
		return KEEP_E_REFUSED;
	}
	r = check_peer(keep, line, why);
	if (r == 0)
		*ret_line = steal_fd(&line);
	return r;
}

struct taken {
	int *fds;
	size_t n;
};

static int add_taken(struct taken *taken, const int *fds, size_t n)
{
	int *more = reallocarray(taken->fds, taken->n + n + 1, sizeof(*more));

	if (!more)
		return error_origin(-ENOMEM);
	taken->fds = more;
	memcpy(&more[taken->n], fds, n * sizeof(*fds));
	taken->n += n;
	return 0;
}

static int take_all(struct keep *keep, struct taken *taken, struct text *why)
{
	struct holder_packet packet = { .magic = HOLDER_MAGIC, .version = HOLDER_VERSION, .word = HOLDER_TAKE };
	int fds[HOLDER_FDS_MAX], r = holder_send(keep->line, &packet, NULL, 0);
	size_t n_fds;

	if (r < 0)
		return refuse_stranger(keep, r, why);
	while (r == 0) {
		r = hear(keep, keep->line, &packet, fds, &n_fds, why);
		if (r == 0)
			r = add_taken(taken, fds, n_fds);
		if (r == 0 && packet.word == HOLDER_BUSY) {
			text_printf(why, "process %u has what is kept at %s, and lives", packet.number, keep->path);
			return KEEP_E_REFUSED;
		}
		if (r == 0 && packet.word == HOLDER_OK && packet.number == taken->n)
			return 0;
		if (r == 0 && packet.word != HOLDER_FDS) {
			text_printf(why, "the holder at %s gives %zu descriptors and says that it has %u", keep->path,
				    taken->n, packet.number);
			return KEEP_E_REFUSED;
		}
	}
	return r;
}

static int take_from_holder(struct keep *keep, const char *pipeline, struct taken *taken, struct text *why)
{
	struct sockaddr_un address;
	int r = check_folder(keep, why);

	if (r == 0)
		r = name_socket(keep, pipeline, &address, why);
	if (r == 0)
		r = call_holder(keep, &address, &keep->line, why);
	if (r == 0 && keep->line >= 0) {
		keep->fresh = fd_close(keep->fresh); /* the other one goes on */
		r = take_all(keep, taken, why);
	}
	return r;
}

int keep_take(struct keep *keep, const char *pipeline, int **ret_fds, size_t *ret_n, struct text *why)
{
	struct taken taken = { 0 };
	int r;

	*ret_fds = NULL;
	*ret_n = 0;
	if (!keep)
		return 0;
	if (!keep->folder)
		return take_from_store(ret_fds, ret_n);
	r = take_from_holder(keep, pipeline, &taken, why);
	while (r != 0 && taken.n)
		fd_close(taken.fds[--taken.n]);
	*ret_fds = taken.fds;
	*ret_n = taken.n;
	return r;
}

void keep_drop(struct keep *keep)
{
	_cleanup_(text_deinit) struct text why = TEXT_NULL;

	if (keep && !keep->folder)
		(void)sd_notify(0, "FDSTOREREMOVE=1\nFDNAME=" KEEP_STORE_NAME);
	else if (keep && keep->line >= 0)
		(void)ask(keep, keep->line, HOLDER_DROP, NULL, 0, &why);
}

/* From now on the next one finds it. Made only when all is there: who is killed before has nothing to be found. */
static int open_to_others(struct keep *keep, struct text *why)
{
	_cleanup_(close) int listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int failed;

	strcpy(address.sun_path, keep->path);
	(void)unlink(keep->path); /* nobody is behind it: it was asked */
	failed = listener < 0 || fchmod(listener, 0600) ||
		 bind(listener, (const struct sockaddr *)&address, sizeof(address)) || listen(listener, BACKLOG);
	if (failed) {
		text_printf(why, "cannot make the socket %s: %s", keep->path, strerror(errno));
		return KEEP_E_REFUSED;
	}
	return ask(keep, keep->line, HOLDER_LISTEN, &listener, 1, why);
}

static int put_into_holder(struct keep *keep, const int *fds, size_t n, struct text *why)
{
	bool fresh = keep->line < 0;
	int r = 0;

	if (fresh)
		keep->line = steal_fd(&keep->fresh);
	bound_waits(keep->line);
	for (size_t i = 0; r == 0 && i < n; i += HOLDER_FDS_MAX)
		r = ask(keep, keep->line, HOLDER_PUT, &fds[i], n - i < HOLDER_FDS_MAX ? n - i : HOLDER_FDS_MAX, why);
	return r == 0 && fresh ? open_to_others(keep, why) : r;
}

int keep_put(struct keep *keep, const int *fds, size_t n, struct text *why)
{
	if (!keep || !n)
		return 0;
	return keep->folder ? put_into_holder(keep, fds, n, why) : put_into_store(fds, n, why);
}

void keep_end(struct keep *keep)
{
	_cleanup_(text_deinit) struct text why = TEXT_NULL;

	if (!keep || !keep->folder) {
		keep_drop(keep);
		return;
	}
	if (keep->line < 0)
		return;
	(void)unlink(keep->path);
	(void)ask(keep, keep->line, HOLDER_END, NULL, 0, &why);
	keep->line = fd_close(keep->line);
}
