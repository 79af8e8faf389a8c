/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A request and its answer:
 *
 *      2xx                       taken; partialSuccess says how many were not, and why: sending these again would be in vain
 *      429 502 503 504, nobody   it can't now: again, after Retry-After or a pause that doubles, while there is time
 *      anything else             it never will: the end, with what it said
 *
 * The last try begins before the time is over, and takes no longer than what is left of it: a collector that is slow, or says nothing,
 * holds nobody up.
 */
#include "broker/cli/otlp.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <weir/version.h>

#include "broker/cli/json_read.h"
#include "common/base/clock.h"
#include "common/base/curl_library.h"
#include "common/base/must.h"

#define ANSWER_BYTES_MAX 65536u
#define ANSWER_SHOWN 200
#define PAUSE_NS_MIN (100 * NS_PER_MS)
#define PAUSE_NS_MAX (5 * NS_PER_S)

struct otlp {
	CURL *easy;
	struct curl_slist *headers;
	char *url;
	uint64_t for_ns, n_refused;
	struct text answer, refusal;
	char error[CURL_ERROR_SIZE];
};

/* libcurl gives what has come. */
static size_t hear(char *bytes, size_t size, size_t n, void *context)
{
	struct otlp *otlp = context;
	size_t room = ANSWER_BYTES_MAX - otlp->answer.length;

	text_add_bytes(&otlp->answer, bytes, size * n < room ? size * n : room);
	return size * n;
}

static bool is_url(const char *url)
{
	size_t scheme = strncmp(url, "http://", 7) == 0 ? 7 : strncmp(url, "https://", 8) == 0 ? 8 : 0;

	return scheme && url[scheme] && !strpbrk(url, " ?#");
}

/* A name and a password may stand before the last '@': they are for the collector, and nobody's terminal or log. */
static void add_shown(struct text *text, const char *url)
{
	const char *at = strrchr(url, '@'), *scheme = strstr(url, "://");
	size_t kept = scheme && scheme < at ? (size_t)(scheme + 3 - url) : 0;

	if (at)
		text_printf(text, "%.*s***%s", (int)kept, url, at);
	else
		text_add(text, url);
}

static void set_up(struct otlp *otlp)
{
	otlp->easy = curl.easy_init();
	must(otlp->easy);
	otlp->headers = curl.slist_append(NULL, "Content-Type: application/json");
	otlp->headers = curl.slist_append(otlp->headers, "Expect:");
	otlp->headers = curl.slist_append(otlp->headers, "User-Agent: weir/" WEIR_VERSION);
	must(otlp->headers);
	curl.easy_setopt(otlp->easy, CURLOPT_URL, otlp->url);
	curl.easy_setopt(otlp->easy, CURLOPT_HTTPHEADER, otlp->headers);
	curl.easy_setopt(otlp->easy, CURLOPT_NOSIGNAL, 1L);
	curl.easy_setopt(otlp->easy, CURLOPT_PROXY, "");
	curl.easy_setopt(otlp->easy, CURLOPT_ERRORBUFFER, otlp->error);
	curl.easy_setopt(otlp->easy, CURLOPT_WRITEFUNCTION, hear);
	curl.easy_setopt(otlp->easy, CURLOPT_WRITEDATA, otlp);
}

int otlp_open(const char *url, const char *path, uint64_t for_ns, struct otlp **ret_otlp, struct text *why)
{
	struct otlp *otlp;
	const char *fault;
	size_t n = strlen(url);

	if (!is_url(url)) {
		text_add(why, "'");
		add_shown(why, url);
		text_add(why, "' is no URL of a collector such as http://127.0.0.1:4318");
		return OTLP_E_USAGE;
	}
	if (curl_library_load(&fault) != 0) {
		text_printf(why, "libcurl is not there: %s; install libcurl3-gnutls", fault);
		return OTLP_E_FAILED;
	}
	otlp = calloc(1, sizeof(*otlp));
	must(otlp);
	otlp->for_ns = for_ns;
	must(asprintf(&otlp->url, "%.*s%s", (int)(url[n - 1] == '/' ? n - 1 : n), url, path) > 0);
	set_up(otlp);
	*ret_otlp = otlp;
	return 0;
}

static long to_ms(uint64_t ns)
{
	return ns >= NS_PER_MS ? (long)(ns / NS_PER_MS) : 1;
}

static bool passes(CURLcode code, long status)
{
	if (code != CURLE_OK)
		return code != CURLE_URL_MALFORMAT && code != CURLE_UNSUPPORTED_PROTOCOL &&
		       code != CURLE_PEER_FAILED_VERIFICATION;
	return status == 429 || status == 502 || status == 503 || status == 504;
}

/* What the collector has taken and not kept. */
static void read_partial(struct otlp *otlp)
{
	struct fy_document *document = json_parse(text_get(&otlp->answer));
	struct fy_node *root = document ? fy_document_root(document) : NULL, *part = json_get(root, "partialSuccess");
	const char *spans = json_string(part, "rejectedSpans"), *points = json_string(part, "rejectedDataPoints");

	otlp->n_refused += strtoull(*spans ? spans : points, NULL, 10);
	if (*json_string(part, "errorMessage")) {
		text_clear(&otlp->refusal);
		text_add(&otlp->refusal, json_string(part, "errorMessage"));
	}
	fy_document_destroy(document);
}

static void tell(const struct otlp *otlp, CURLcode code, long status, bool in_time, struct text *why)
{
	text_clear(why);
	add_shown(why, otlp->url);
	text_add(why, ": ");
	if (code != CURLE_OK)
		text_add(why, *otlp->error ? otlp->error : curl.easy_strerror(code));
	else
		text_printf(why, "it answered %ld", status);
	if (code == CURLE_OK && otlp->answer.length) {
		text_add(why, ", ");
		text_add_json(why, otlp->answer.data,
			      otlp->answer.length < ANSWER_SHOWN ? otlp->answer.length : ANSWER_SHOWN);
	}
	if (!in_time)
		text_add(why, "; it was tried until its time (--timeout) was over");
}

static void rest(uint64_t ns)
{
	const struct timespec pause = { .tv_sec = (time_t)(ns / NS_PER_S), .tv_nsec = (long)(ns % NS_PER_S) };

	nanosleep(&pause, NULL);
}

/* As long as can be said, where it says more: that is longer than anybody has. */
static uint64_t to_ns(curl_off_t seconds)
{
	if (seconds <= 0)
		return 0;
	return (uint64_t)seconds < UINT64_MAX / NS_PER_S ? (uint64_t)seconds * NS_PER_S : UINT64_MAX;
}

/* One try. Returns libcurl's code; the status, and how long it is to wait, 0: not said. */
static CURLcode try(struct otlp *otlp, uint64_t left_ns, long *ret_status, uint64_t *ret_wait_ns)
{
	curl_off_t seconds = 0;
	CURLcode code;

	text_clear(&otlp->answer);
	otlp->error[0] = '\0';
	*ret_status = 0;
	curl.easy_setopt(otlp->easy, CURLOPT_TIMEOUT_MS, to_ms(left_ns));
	code = curl.easy_perform(otlp->easy);
	if (code == CURLE_OK) {
		curl.easy_getinfo(otlp->easy, CURLINFO_RESPONSE_CODE, ret_status);
		curl.easy_getinfo(otlp->easy, CURLINFO_RETRY_AFTER, &seconds);
	}
	*ret_wait_ns = to_ns(seconds);
	return code;
}

static uint64_t left_until(uint64_t end_ns)
{
	uint64_t now_ns = clock_now_ns();

	return end_ns > now_ns ? end_ns - now_ns : 0;
}

int otlp_send(struct otlp *otlp, const char *body, size_t size_bytes, struct text *why)
{
	uint64_t end_ns = clock_now_ns() + otlp->for_ns, pause_ns = PAUSE_NS_MIN, wait_ns;

	curl.easy_setopt(otlp->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)size_bytes);
	curl.easy_setopt(otlp->easy, CURLOPT_POSTFIELDS, body);
	for (;;) {
		long status;
		CURLcode code = try(otlp, left_until(end_ns), &status, &wait_ns);
		bool passing = passes(code, status);

		if (code == CURLE_OK && status / 100 == 2) {
			read_partial(otlp);
			return 0;
		}
		wait_ns = wait_ns ? wait_ns : pause_ns;
		if (!passing || wait_ns >= left_until(end_ns)) {
			tell(otlp, code, status, !passing, why);
			return OTLP_E_FAILED;
		}
		rest(wait_ns);
		pause_ns = 2 * pause_ns < PAUSE_NS_MAX ? 2 * pause_ns : PAUSE_NS_MAX;
	}
}

uint64_t otlp_refused(const struct otlp *otlp, const char **ret_why)
{
	*ret_why = text_get(&otlp->refusal);
	return otlp->n_refused;
}

void otlp_close(struct otlp *otlp)
{
	if (!otlp)
		return;
	curl.easy_cleanup(otlp->easy);
	curl.slist_free_all(otlp->headers);
	text_deinit(&otlp->answer);
	text_deinit(&otlp->refusal);
	free(otlp->url);
	free(otlp);
}
