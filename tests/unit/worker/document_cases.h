/* SPDX-License-Identifier: Apache-2.0 */
/* A table of a document on what goes wrong, as a test: each row there is a case here, and says what the row has in its second cell. */
#pragma once

#include <stddef.h>

#include "tests/unit/worker/fake_host.h"

struct document_cases {
	const char *document, *heading; /* its path, and that of the table */
	size_t n;
	const char *(*what)(size_t number); /* the first cell of its row */
	void (*run)(size_t number);         /* what it writes to standard error is what is said */
};

/* Runs the case of each row, in the folder of folder_setup(). Fails the test if a row has none, or the other way round. */
void document_cases_try(const struct document_cases *cases);
/* For run(): what the stage has given as its reasons is said. */
void document_case_say(const struct fake_host *host);
