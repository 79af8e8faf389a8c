/* SPDX-License-Identifier: Apache-2.0 */
/* Taking the seat: mapping everything that the heritage names. */
#pragma once

#include "common/base/text.h"
#include "worker/worker.h"

/*
 * Maps own segment, peers, lanes and board, and starts from the committed positions and cursor. `why` gets a sentence.
 * worker->heritage is set. Closes the fds that mapping made superfluous. Returns 0, or -errno.
 */
int worker_attach(struct worker *worker, struct text *why);
/* Unmaps and frees; fine on a half-attached worker. */
void worker_detach(struct worker *worker);
