/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The gate is a socket to the supervisor. One message goes out, a NUL or the reason why not; one comes in, with the descriptor of another
 * document. Its end means that the newcomer is not wanted. Nothing of the pipeline is touched before: no memory is mapped,
 * no message sent, no stage opened.
 */
#include "worker/gate.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/cleanup.h"
#include "common/base/text.h"
#include "worker/kind.h"

enum { EXIT_NOT_WANTED = 0, EXIT_CAN_NOT = 1 };

/* The descriptor that was sent along. Returns it, or -1: the gate is closed, or that was none. */
static int receive_document(int gate_fd)
{
	char nothing, control[CMSG_SPACE(sizeof(int))];
	struct iovec part = { &nothing, 1 };
	struct msghdr message = {
		.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)
	};
	const struct cmsghdr *header;
	ssize_t n;
	int fd;

	do
		n = recvmsg(gate_fd, &message, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	header = n == 1 ? CMSG_FIRSTHDR(&message) : NULL;
	if (!header || header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS ||
	    header->cmsg_len != CMSG_LEN(sizeof(int)))
		return -1;
	memcpy(&fd, CMSG_DATA(header), sizeof(fd));
	return fd;
}

static bool tell(int gate_fd, const char *words, size_t size_bytes)
{
	return send(gate_fd, words, size_bytes, MSG_NOSIGNAL) == (ssize_t)size_bytes;
}

int gate_wait(struct worker *worker, int gate_fd, const char *why_not)
{
	_cleanup_(text_deinit) struct text why = TEXT_NULL;
	_cleanup_(close) int gate = gate_fd, document_fd = -1;

	if (why_not)
		text_add(&why, why_not);
	if (why_not || kind_resolve(&worker->heritage, &worker->stage, &why) != 0) {
		text_add_char(&why, '\n'); /* never one byte alone */
		tell(gate, why.data, why.length);
		return EXIT_CAN_NOT;
	}
	if (!tell(gate, "", 1))
		_exit(EXIT_NOT_WANTED);
	document_fd = receive_document(gate);
	if (document_fd < 0)
		_exit(EXIT_NOT_WANTED);
	heritage_deinit(&worker->heritage);
	memset(&worker->heritage, 0, sizeof(worker->heritage));
	return heritage_read(document_fd, &worker->heritage) == 0 ? 0 : EXIT_CAN_NOT;
}
