/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A worker without a stage, for tests of the supervisor: it reads its heritage, keeps its status line, speaks over a
 * datagram socket (the endpoint is its path), and otherwise does what the option "act" of its stage says.
 */
#pragma once

/* True if this program was started as weir-worker: then call fake_worker_main(). */
int is_fake_worker(int argc, char **argv);
/* Never returns to a test: its result is the exit code. */
int fake_worker_main(void);
