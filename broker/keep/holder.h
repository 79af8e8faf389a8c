/* SPDX-License-Identifier: Apache-2.0 */
/* The holder: a tiny process that keeps a run's descriptors while no supervisor lives. */
#pragma once

/*
 * Forks it, as nobody's child, before this process has threads, descriptors or a subreaper's duties. *ret_socket: the first supervisor's
 * line to it, close-on-exec, the caller's; when that is closed before a HOLDER_LISTEN, the holder ends. Returns 0 or -errno.
 */
int holder_fork(int *ret_socket);

/* The holder itself, for tests: serves that supervisor, and those who come later, until there is nothing more to keep. */
void holder_serve(int socket);
