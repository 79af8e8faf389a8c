/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/worker/document_cases.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/common/record/document.h"
#include "tests/unit/worker/stage_test.h"

static const struct document_cases *tried;

void document_case_say(const struct fake_host *host)
{
	fprintf(stderr, "%s\n%s\n", host->reason, host->last_rejection);
}

/* Everything that is said while it runs; static. */
static const char *hear_case(size_t number)
{
	static char answer[16384];
	int kept = dup(STDERR_FILENO), log = open(folder_path("log"), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	ssize_t n;

	dup2(log, STDERR_FILENO);
	tried->run(number);
	fflush(stderr);
	dup2(kept, STDERR_FILENO);
	n = pread(log, answer, sizeof(answer) - 1, 0);
	answer[n > 0 ? n : 0] = '\0';
	close(log);
	close(kept);
	return answer;
}

static void try_row(const struct document_cell *cells)
{
	for (size_t i = 0; i < tried->n; i++)
		if (!strcmp(tried->what(i), cells[0].data)) {
			const char *answer = hear_case(i);

			if (!strstr(answer, cells[1].data))
				fail_msg("%s: '%s' does not say '%s'", cells[0].data, answer, cells[1].data);
			return;
		}
	fail_msg("%s: nobody tries '%s'", tried->document, cells[0].data);
}

void document_cases_try(const struct document_cases *cases)
{
	tried = cases;
	assert_int_equal(document_rows_of(cases->document, cases->heading, try_row), cases->n);
}
