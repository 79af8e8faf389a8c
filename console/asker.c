/* SPDX-License-Identifier: Apache-2.0 */
/*
 *      asker_get() ... asker_get()        any number of them, each waits as long as it likes
 *          |  wanted          ^
 *          v                  | changed
 *      one thread: control_request(), one after the other
 *
 * So a supervisor that is busy, or stopped, holds up one thread of ours and no request, and a hundred scrapes at once are one question.
 */
#include "console/asker.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#include "broker/cli/metrics_text.h"
#include "broker/control/client.h"
#include "common/base/error.h"
#include "common/base/must.h"

#define ASK_WAIT_NS (2 * NS_PER_S)

struct answer {
	struct text body;
	struct text exposition; /* METRICS: the same in Prometheus' text format, made once and not at each scrape */
	uint64_t when_ns;       /* it came; 0: none yet */
	uint64_t asked_ns;      /* the last time */
	int outcome;            /* of the last question: 0, ASKER_E_* */
	bool wanted;
};

struct asker {
	const char *run_dir;
	pthread_t thread;
	pthread_mutex_t mutex;
	pthread_cond_t wanted, changed;
	bool ends;
	struct answer answers[QUESTION_COUNT];
};

static const char *const verbs[] = {
#define QUESTION(id, verb) verb,
#include "console/question.def"
#undef QUESTION
};

static int outcome_of(int r, int status)
{
	if (r == CONTROL_E_NOT_RUNNING)
		return ASKER_E_NOT_RUNNING;
	if (r)
		return ASKER_E_NO_ANSWER;
	return status ? ASKER_E_REFUSED : 0;
}

static void exchange(struct text *a, struct text *b)
{
	struct text kept = *a;

	*a = *b;
	*b = kept;
}

/* With the mutex held, but for the question itself. */
static void ask(struct asker *asker, unsigned question)
{
	struct answer *answer = &asker->answers[question];
	struct text body = TEXT_NULL, exposition = TEXT_NULL;
	int status = 0, r;

	answer->wanted = false;
	pthread_mutex_unlock(&asker->mutex);
	r = control_request(asker->run_dir, verbs[question], NULL, 0, ASK_WAIT_NS, &status, &body);
	if (question == QUESTION_METRICS && r == 0 && !status && metrics_format_text(text_get(&body), &exposition) != 0)
		r = CONTROL_E_NO_ANSWER;
	pthread_mutex_lock(&asker->mutex);
	answer->outcome = outcome_of(r, status);
	answer->asked_ns = clock_now_ns();
	if (r == 0) {
		exchange(&answer->body, &body);
		exchange(&answer->exposition, &exposition);
		answer->when_ns = answer->asked_ns;
	}
	text_deinit(&body);
	text_deinit(&exposition);
	pthread_cond_broadcast(&asker->changed);
}

static bool next_wanted(const struct asker *asker, unsigned *ret_question)
{
	for (unsigned i = 0; i < QUESTION_COUNT; i++)
		if (asker->answers[i].wanted) {
			*ret_question = i;
			return true;
		}
	return false;
}

static void *ask_on(void *data)
{
	struct asker *asker = data;
	unsigned question;

	pthread_mutex_lock(&asker->mutex);
	while (!asker->ends) {
		if (next_wanted(asker, &question))
			ask(asker, question);
		else
			pthread_cond_wait(&asker->wanted, &asker->mutex);
	}
	pthread_mutex_unlock(&asker->mutex);
	return NULL;
}

static void open_locks(struct asker *asker)
{
	pthread_condattr_t monotonic;

	must(pthread_condattr_init(&monotonic) == 0 && pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC) == 0);
	must(pthread_mutex_init(&asker->mutex, NULL) == 0);
	must(pthread_cond_init(&asker->wanted, &monotonic) == 0 && pthread_cond_init(&asker->changed, &monotonic) == 0);
	pthread_condattr_destroy(&monotonic);
}

static void close_locks(struct asker *asker)
{
	pthread_cond_destroy(&asker->wanted);
	pthread_cond_destroy(&asker->changed);
	pthread_mutex_destroy(&asker->mutex);
}

int asker_new(const char *run_dir, struct asker **ret_asker)
{
	struct asker *asker = calloc(1, sizeof(*asker));
	int r;

	if (!asker)
		return error_origin(-ENOMEM);
	asker->run_dir = run_dir;
	open_locks(asker);
	r = pthread_create(&asker->thread, NULL, ask_on, asker);
	if (r) {
		close_locks(asker);
		free(asker);
		return error_origin(-r);
	}
	*ret_asker = asker;
	return 0;
}

struct asker *asker_free(struct asker *asker)
{
	if (!asker)
		return NULL;
	pthread_mutex_lock(&asker->mutex);
	asker->ends = true;
	pthread_cond_signal(&asker->wanted);
	pthread_mutex_unlock(&asker->mutex);
	pthread_join(asker->thread, NULL);
	for (unsigned i = 0; i < QUESTION_COUNT; i++) {
		text_deinit(&asker->answers[i].body);
		text_deinit(&asker->answers[i].exposition);
	}
	close_locks(asker);
	free(asker);
	return NULL;
}

static bool is_fresh(const struct answer *answer, uint64_t now_ns)
{
	return answer->when_ns && answer->outcome == 0 && now_ns - answer->when_ns <= ASKER_FRESH_NS;
}

/* Whatever the last question came to: there is no point in another one yet. */
static bool is_answered(const struct answer *answer, uint64_t since_ns)
{
	return answer->asked_ns >= since_ns;
}

static void await(struct asker *asker, struct answer *answer, uint64_t since_ns, uint64_t until_ns)
{
	struct timespec until = { .tv_sec = (time_t)(until_ns / NS_PER_S), .tv_nsec = (long)(until_ns % NS_PER_S) };

	answer->wanted = true;
	pthread_cond_signal(&asker->wanted);
	while (!is_answered(answer, since_ns) &&
	       pthread_cond_timedwait(&asker->changed, &asker->mutex, &until) != ETIMEDOUT)
		;
}

/* With the mutex held. */
static int give(const struct answer *answer, const struct text *said, struct text *ret_body, uint64_t *ret_age_ns)
{
	uint64_t age_ns = answer->when_ns ? clock_now_ns() - answer->when_ns : UINT64_MAX;

	*ret_age_ns = age_ns;
	if (answer->outcome == ASKER_E_NOT_RUNNING)
		return ASKER_E_NOT_RUNNING;
	if (age_ns > ASKER_STALE_NS)
		return ASKER_E_NO_ANSWER;
	text_add_bytes(ret_body, text_get(said), said->length);
	return answer->outcome == ASKER_E_REFUSED ? ASKER_E_REFUSED : 0;
}

static int get(struct asker *asker, struct answer *answer, const struct text *said, uint64_t wait_ns,
	       struct text *ret_body, uint64_t *ret_age_ns)
{
	uint64_t now_ns = clock_now_ns();
	int r;

	pthread_mutex_lock(&asker->mutex);
	if (!is_fresh(answer, now_ns) && (!answer->asked_ns || now_ns - answer->asked_ns > ASKER_FRESH_NS))
		await(asker, answer, now_ns, now_ns + wait_ns);
	r = give(answer, said, ret_body, ret_age_ns);
	pthread_mutex_unlock(&asker->mutex);
	return r;
}

int asker_get(struct asker *asker, enum question question, uint64_t wait_ns, struct text *ret_body,
	      uint64_t *ret_age_ns)
{
	struct answer *answer = &asker->answers[question];

	return get(asker, answer, &answer->body, wait_ns, ret_body, ret_age_ns);
}

int asker_get_exposition(struct asker *asker, uint64_t wait_ns, struct text *ret_text, uint64_t *ret_age_ns)
{
	struct answer *answer = &asker->answers[QUESTION_METRICS];

	return get(asker, answer, &answer->exposition, wait_ns, ret_text, ret_age_ns);
}

const char *asker_explain(int outcome)
{
	static const char *const sentences[] = {
		"", "the pipeline is not running", "the supervisor does not answer",
		"the supervisor has refused to answer: the pipeline is still starting"
	};

	return sentences[outcome];
}
