/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The expression is foreign text, and libjq ends a process that it has no memory for: so it runs in a child, with a bound on memory, that
 * dies with who has asked. Time is the asker's business, who can kill it.
 */
#include "worker/script/sieve.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common/base/text.h"
#include "common/record/sieve.h"
#include "worker/jq_value.h"
#include "worker/script/jq_program.h"

#define MEMORY_BYTES ((rlim_t)512 << 20)

struct sieve {
	struct jq_program *program;
	void *bytes; /* owned */
	size_t capacity;
};

static bool take(void *bytes, size_t size_bytes)
{
	return fread(bytes, 1, size_bytes, stdin) == size_bytes;
}

static bool answer(enum sieve_verdict verdict, const char *reason)
{
	size_t length = strlen(reason);
	struct sieve_answer said = { .verdict = verdict };

	said.reason_bytes = length < SIEVE_REASON_MAX ? (uint32_t)length : SIEVE_REASON_MAX;
	fwrite(&said, sizeof(said), 1, stdout);
	fwrite(reason, 1, said.reason_bytes, stdout);
	return fflush(stdout) == 0;
}

/* Returns false and the reason. */
static bool read_value(const struct sieve_question *question, const void *bytes, jv *ret_value,
		       struct record_fault *fault)
{
	struct value_reader reader;

	if (question->structured) {
		value_reader_init(&reader, bytes, question->size_bytes);
		return jq_value_read(&reader, false, ret_value, fault) == 0;
	}
	if (!text_is_utf8(bytes, question->size_bytes)) {
		record_fault(fault, "no text: invalid UTF-8");
		return false;
	}
	*ret_value = jv_string_sized(bytes, (int)question->size_bytes);
	return true;
}

/* Consumes it. */
static bool is_true(jv value)
{
	jv_kind kind = jv_get_kind(value);

	jv_free(value);
	return kind != JV_KIND_FALSE && kind != JV_KIND_NULL;
}

static bool judge(struct sieve *sieve, jv input)
{
	bool passes = false;
	jv value;
	int r;

	jq_program_start(sieve->program, input);
	r = jq_program_next(sieve->program, &value);
	if (r == 0) {
		passes = is_true(value);
		r = jq_program_next(sieve->program, &value);
		if (r == 0) {
			jv_free(value);
			return answer(SIEVE_FAILED, "it gives several values, and one is wanted: true or false");
		}
	}
	if (r == JQ_E_ERROR)
		return answer(SIEVE_FAILED, jq_program_error(sieve->program));
	return answer(passes ? SIEVE_PASSES : SIEVE_STAYS, "");
}

/* Returns false: there is no other, or nobody hears. */
static bool next(struct sieve *sieve)
{
	struct sieve_question question;
	struct record_fault fault;
	jv value;

	if (!take(&question, sizeof(question)))
		return false;
	if (question.size_bytes > sieve->capacity) {
		free(sieve->bytes);
		sieve->capacity = question.size_bytes;
		sieve->bytes = malloc(sieve->capacity);
	}
	if (question.size_bytes && (!sieve->bytes || !take(sieve->bytes, question.size_bytes)))
		return false;
	if (!read_value(&question, sieve->bytes ? sieve->bytes : "", &value, &fault))
		return answer(SIEVE_FAILED, fault.why);
	return judge(sieve, value);
}

/* What it has before it begins; a sanitizer's takes terabytes of addresses. */
static rlim_t used_bytes(void)
{
	unsigned long long pages = 0;
	FILE *file = fopen("/proc/self/statm", "re");

	if (file && fscanf(file, "%*u %*u %*u %*u %*u %llu", &pages) != 1)
		pages = 0;
	if (file)
		fclose(file);
	return (rlim_t)pages * (rlim_t)sysconf(_SC_PAGESIZE);
}

static void bound(void)
{
	const rlim_t bytes = used_bytes() + MEMORY_BYTES;
	const struct rlimit memory = { bytes, bytes }, none = { 0, 0 };

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGINT, SIG_IGN); /* a terminal's ^C is for who has asked */
	signal(SIGPIPE, SIG_IGN);
	setrlimit(RLIMIT_DATA, &memory);
	setrlimit(RLIMIT_CORE, &none);
}

int sieve_items(const char *expression)
{
	struct sieve sieve = { NULL, NULL, 0 };
	struct jq_fault fault;
	int r;

	bound();
	r = jq_program_new(expression, &sieve.program, &fault);
	if (r < 0) {
		if (r == -EINVAL)
			fprintf(stderr, "line %u: %s\n", fault.line, fault.why);
		else
			fprintf(stderr, "%s\n", strerror(-r));
		return 1;
	}
	putchar(SIEVE_READY);
	fflush(stdout);
	while (next(&sieve))
		;
	free(sieve.bytes);
	jq_program_free(sieve.program);
	return 0;
}
