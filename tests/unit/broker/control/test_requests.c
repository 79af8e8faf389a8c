/* SPDX-License-Identifier: Apache-2.0 */
/* What clients ask for and are answered, and what they hear when nobody answers. */
#include "tests/unit/broker/control/fixture.h"

static void test_requests(void **state)
{
	struct fixture *f = *state;
	_cleanup_(text_deinit) struct text body = TEXT_NULL;
	const char *left;
	uint64_t now_ns;

	start(f);
	assert_int_equal(ask(f, "ping", NULL, 0, &body), REQUEST_DONE);
	assert_non_null(strstr(text_get(&body), "\"wire_version\":2"));
	assert_int_equal(ask(f, "status", "", 0, &body), REQUEST_DONE);
	assert_non_null(strstr(text_get(&body), "\"pipeline\":\"test\""));
	assert_non_null(strstr(text_get(&body), "4711"));
	assert_non_null(strstr(text_get(&body), "\"control\":{\"refused\":0,\"dropped\":0}}"));

	assert_int_equal(ask(f, "drain", NULL, 0, &body), REQUEST_DONE);
	assert_true(atomic_load(&f->supervisor.drain_deadline_ns) == 0);
	assert_non_null(strstr(text_get(&body), "\"accepted\":true"));
	assert_non_null(strstr(text_get(&body), "\"stop_seconds_left\":null"));
	now_ns = clock_now_ns();
	assert_int_equal(ask(f, "drain", NULL, 60 * NS_PER_S, &body), REQUEST_DONE);
	assert_in_range(atomic_load(&f->supervisor.drain_deadline_ns), now_ns + 60 * NS_PER_S,
			clock_now_ns() + 60 * NS_PER_S);
	left = strstr(text_get(&body), "\"stop_seconds_left\":");
	assert_non_null(left);
	assert_in_range((unsigned)strtod(strchr(left, ':') + 1, NULL), 30, 60);
	now_ns = clock_now_ns();
	assert_int_equal(ask(f, "stop", NULL, 0, &body), REQUEST_DONE);
	assert_in_range(atomic_load(&f->supervisor.drain_deadline_ns), now_ns + 5 * NS_PER_S,
			clock_now_ns() + 5 * NS_PER_S);
	assert_int_equal(ask(f, "drain", NULL, UINT64_MAX, &body), REQUEST_DONE);
	assert_int_equal(atomic_load(&f->supervisor.n_drain), 4);

	assert_int_equal(ask(f, "resume", NULL, 0, &body), REQUEST_DONE);
	assert_non_null(strstr(text_get(&body), "\"accepted\":true"));
	assert_int_equal(ask(f, "resume", NULL, 0, &body), REQUEST_FAILED);
	assert_string_equal(text_get(&body), "{\"error\":\"not twice\"}");

	assert_int_equal(ask(f, "cancel", NULL, 0, &body), REQUEST_DONE);
	assert_int_equal(atomic_load(&f->supervisor.last_cause), CAUSE_USER);
	assert_int_equal(ask(f, "cancel", "run_deadline", NS_PER_S, &body), REQUEST_DONE);
	assert_int_equal(atomic_load(&f->supervisor.last_cause), CAUSE_RUN_DEADLINE);
	assert_int_equal(atomic_load(&f->supervisor.n_drain), 5);
	assert_int_equal(ask(f, "cancel", "none", 0, &body), REQUEST_BAD);
	assert_int_equal(ask(f, "cancel", "boredom", 0, &body), REQUEST_BAD);
	assert_non_null(strstr(text_get(&body), "\"sibling_failed\""));
	assert_int_equal(atomic_load(&f->supervisor.n_cancel), 2);
	assert_int_equal(ask(f, "drai", NULL, 0, &body), REQUEST_BAD);
	for (size_t i = 0; i < n_request_lines; i++)
		assert_non_null(strstr(text_get(&body), request_line_at(i)->verb));
	assert_int_equal(atomic_load(&f->refused), 0);
	stop(f);
}

static void test_cancel_of_a_part(void **state)
{
	struct fixture *f = *state;
	_cleanup_(text_deinit) struct text body = TEXT_NULL;

	start(f);
	assert_int_equal(ask(f, "cancel-stage", "read", 0, &body), REQUEST_DONE);
	assert_int_equal(atomic_load(&f->supervisor.last_cause), CAUSE_USER);
	assert_non_null(strstr(text_get(&body), "\"already\":false,\"waiting\":[{\"stage\":\"read\""));
	assert_int_equal(ask(f, "cancel-stage", "gone run_deadline", 0, &body), REQUEST_DONE);
	assert_int_equal(atomic_load(&f->supervisor.last_cause), CAUSE_RUN_DEADLINE);
	assert_non_null(strstr(text_get(&body), "\"already\":true,\"waiting\":[]}"));
	assert_int_equal(ask(f, "cancel-stage", "refused user", 0, &body), REQUEST_FAILED);
	assert_non_null(strstr(text_get(&body), "no 'refused'"));
	assert_int_equal(ask(f, "cancel-stage", "late", 0, &body), REQUEST_TOO_EARLY);
	assert_int_equal(ask(f, "cancel-stage", "read boredom", 0, &body), REQUEST_BAD);
	static const char *const verbs[] = { "cancel-stage", "stack", "replay", "dump" };
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		assert_int_equal(ask(f, verbs[i], "nothing", 0, &body), REQUEST_NO_STAGE);
		assert_string_equal(text_get(&body), "{\"error\":\"no 'nothing'\",\"stages\":[\"read\"]}");
		assert_int_equal(ask(f, verbs[i], "", 0, &body), REQUEST_NO_STAGE);
	}
	assert_int_equal(ask(f, "cancel-stage", "nothing boredom", 0, &body), REQUEST_NO_STAGE);
	assert_int_equal(ask(f, "dump", "read", 0, &body), REQUEST_DONE);
	assert_string_equal(text_get(&body), "{\"stage\":\"read\"}");
	assert_int_equal(ask(f, "history", "17", 0, &body), REQUEST_DONE);
	assert_string_equal(text_get(&body), "{\"from\":17}");
	assert_int_equal(ask(f, "history", NULL, 0, &body), REQUEST_DONE);
	assert_string_equal(text_get(&body), "{\"from\":0}");

	assert_int_equal(ask(f, "cancel-scope", "42 config", 7 * NS_PER_S, &body), REQUEST_DONE);
	assert_true(atomic_load(&f->supervisor.last_scope) == 42);
	assert_true(atomic_load(&f->supervisor.last_for_ns) == 7 * NS_PER_S);
	assert_int_equal(atomic_load(&f->supervisor.last_cause), CAUSE_CONFIG);
	assert_non_null(strstr(text_get(&body), "\"epoch\":9,\"waiting\":[{"));
	assert_int_equal(ask(f, "cancel-scope", "18446744073709551615", 0, &body), REQUEST_FAILED);
	assert_true(atomic_load(&f->supervisor.last_scope) == UINT64_MAX);
	assert_non_null(strstr(text_get(&body), "no room"));
	static const char *const bad[] = { "", "0", "-1", "1x", "18446744073709551616", "user" };
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(ask(f, "cancel-scope", bad[i], 0, &body), REQUEST_BAD);
	assert_int_equal(ask(f, "cancel-scope", "42 none", 0, &body), REQUEST_BAD);
	assert_non_null(strstr(text_get(&body), "\"sibling_failed\""));
	stop(f);
}

static void test_early(void **state)
{
	struct fixture *f = *state;
	_cleanup_(text_deinit) struct text body = TEXT_NULL;
	void *worker;

	f->early = true;
	start(f);
	assert_int_equal(ask(f, "ping", NULL, 0, &body), REQUEST_DONE);
	assert_int_equal(ask(f, "status", NULL, 0, &body), REQUEST_TOO_EARLY);
	assert_int_equal(ask(f, "cancel", NULL, 0, &body), REQUEST_TOO_EARLY);
	worker = open_socket(f, WIRE_WORKER);
	send_hello(worker, 1, TOKEN, 16);
	assert_true(wait_until(refused_is, f, 1));
	stop(f);
}

/* No pipeline; one that is deaf; one that ends while we wait. */
static void *close_soon(void *data)
{
	struct fixture *f = data;

	poll(NULL, 0, 150);
	run_dir_close(&f->dir);
	return NULL;
}

static void test_nobody_answers(void **state)
{
	struct fixture *f = *state;
	_cleanup_(text_deinit) struct text body = TEXT_NULL;
	_cleanup_(free) char *path = strdup(f->dir.path);
	uint64_t before_ns = clock_now_ns();
	pthread_t thread;
	int status = -1;

	assert_non_null(path);
	assert_int_equal(control_request("/nonexistent/weir", "ping", NULL, 0, NS_PER_S, &status, &body),
			 CONTROL_E_NOT_RUNNING);
	assert_int_equal(control_request(path, "ping", NULL, 0, 200 * NS_PER_MS, &status, &body), CONTROL_E_NO_ANSWER);
	assert_in_range(clock_now_ns() - before_ns, 200 * NS_PER_MS, 20 * NS_PER_S);
	before_ns = clock_now_ns();
	assert_int_equal(pthread_create(&thread, NULL, close_soon, f), 0);
	assert_int_equal(control_request(path, "ping", NULL, 0, 30 * NS_PER_S, &status, &body), CONTROL_E_NOT_RUNNING);
	assert_true(clock_now_ns() - before_ns < 20 * NS_PER_S);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(status, -1);
	assert_int_equal(body.length, 0);
}

/* docs/control-protocol.md has a row for every verb. */
static void test_document(void **state)
{
	static char document[65536];
	FILE *file = fopen(WEIR_SOURCE_DIR "/docs/control-protocol.md", "re");
	char row[256];

	(void)state;
	assert_non_null(file);
	assert_in_range(fread(document, 1, sizeof(document) - 1, file), 1, sizeof(document) - 2);
	fclose(file);
	for (size_t i = 0; i < n_request_lines; i++) {
		const struct request_line *line = request_line_at(i);

		snprintf(row, sizeof(row), "| `%s` | %s | %s |\n", line->verb, *line->argument ? line->argument : "-",
			 line->summary);
		if (!strstr(document, row))
			fail_msg("docs/control-protocol.md lacks the row: %s", row);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SERVER_TEST(test_requests),       SERVER_TEST(test_cancel_of_a_part), SERVER_TEST(test_early),
		SERVER_TEST(test_nobody_answers), cmocka_unit_test(test_document),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
