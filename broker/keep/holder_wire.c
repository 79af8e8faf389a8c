/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/keep/holder_wire.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "common/base/cleanup.h"
#include "common/base/error.h"

union control {
	struct cmsghdr align;
	char bytes[CMSG_SPACE(HOLDER_FDS_MAX * sizeof(int))];
};

int holder_send(int socket, const struct holder_packet *packet, const int *fds, size_t n_fds)
{
	struct iovec iov = { .iov_base = (void *)(uintptr_t)packet, .iov_len = sizeof(*packet) };
	union control control = { .bytes = { 0 } };
	struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t n;

	if (n_fds) {
		struct cmsghdr *header;

		message.msg_control = control.bytes;
		message.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
		header = CMSG_FIRSTHDR(&message);
		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN(n_fds * sizeof(int));
		memcpy(CMSG_DATA(header), fds, n_fds * sizeof(int));
	}
	do
		n = sendmsg(socket, &message, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n == sizeof(*packet) ? 0 : n < 0 ? -errno : error_origin(-EIO);
}

static size_t take_fds(struct msghdr *message, int fds[HOLDER_FDS_MAX])
{
	size_t n_fds = 0;

	for (struct cmsghdr *header = CMSG_FIRSTHDR(message); header; header = CMSG_NXTHDR(message, header)) {
		if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; CMSG_LEN((i + 1) * sizeof(int)) <= header->cmsg_len; i++)
			memcpy(&fds[n_fds++], CMSG_DATA(header) + i * sizeof(int), sizeof(int));
	}
	return n_fds;
}

int holder_receive(int socket, struct holder_packet *ret_packet, int ret_fds[HOLDER_FDS_MAX], size_t *ret_n_fds)
{
	struct iovec iov = { .iov_base = ret_packet, .iov_len = sizeof(*ret_packet) };
	union control control;
	struct msghdr message = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof(control)
	};
	size_t n_fds;
	ssize_t n;

	*ret_n_fds = 0;
	do
		n = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n <= 0)
		return n == 0 || errno == ECONNRESET ? HOLDER_E_GONE : -errno;
	n_fds = take_fds(&message, ret_fds);
	if (n == sizeof(*ret_packet) && !(message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) &&
	    ret_packet->magic == HOLDER_MAGIC && ret_packet->version == HOLDER_VERSION) {
		*ret_n_fds = n_fds;
		return 0;
	}
	while (n_fds)
		fd_close(ret_fds[--n_fds]);
	return HOLDER_E_GARBAGE;
}
