/* SPDX-License-Identifier: Apache-2.0 */
/* Asking weir-worker about something, in a child process (own folder only). */
#pragma once

#include <sys/types.h>

#include "common/base/text.h"
#include "common/stage/describe.h"

#define ASKING_OUTPUT_SIZE_MAX STAGE_DESCRIPTION_SIZE_MAX

/* Why it was not heard to its end. */
#define ASKING_TOO_LATE "did not answer within 15 s"
#define ASKING_TOO_LONG "says more than anybody needs"

/* What the child has said, and how it ended. */
struct answer {
	struct text output, complaint;
	int status;           /* of waitpid() */
	const char *given_up; /* ASKING_TOO_*; NULL: it was heard to its end */
};
#define ANSWER_NULL                           \
	{                                     \
		TEXT_NULL, TEXT_NULL, 0, NULL \
	}
void answer_deinit(struct answer *answer);
static inline void answer_deinit_cleanup(struct answer *answer)
{
	answer_deinit(answer);
}

/* Where weir-worker is: WEIR_WORKER, or beside this program; for everybody in broker/. The caller frees. */
char *asking_worker_path(void);

/* Runs it and hears it to its end; 15 s at most, blocks. input_fd: its standard input; -1: nothing. Returns 0 and the answer, or -errno. */
int asking(const char *worker, char *const *argv, int input_fd, struct answer *answer);
