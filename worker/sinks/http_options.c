/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The options are checked in a process that has nothing else: `weir check` names what is wrong with them. A secret is not one of them: it
 * comes from the environment or a file, is read when the stage opens and again when the server denies it, and stands in no message.
 */
#include "worker/sinks/http_options.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>
#include <weir/record.h>

#include "common/base/cleanup.h"
#include "common/base/error.h"
#include "common/base/must.h"
#include "common/base/curl_library.h"
#include "worker/sinks/http_address.h"

#define SECRET_BYTES_MAX 65536u

static bool is(const struct weir_context *context, const char *option, const char *word)
{
	const char *said = weir_option_string(context, option);

	return said && !strcmp(said, word);
}

static bool is_https(const char *url)
{
	return !strncasecmp(url, "https://", 8);
}

/* ---- check ---- */

static bool is_token(const char *name, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!isalnum((unsigned char)name[i]) && !strchr("!#$%&'*+-.^_`|~", name[i]))
			return false;
	return n > 0;
}

static bool names(const char *header, size_t n, const char *name)
{
	return strlen(name) == n && !strncasecmp(header, name, n);
}

static bool is_own(const char *header, size_t n)
{
	static const char *const own[] = { "Content-Length",  "Transfer-Encoding", "Content-Encoding",
					   "Idempotency-Key", "Weir-Items",        "Expect",
					   "Connection",      "Traceparent" };

	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
		if (names(header, n, own[i]))
			return true;
	return false;
}

static const char *header_fault(const char *header)
{
	size_t n = strcspn(header, ":");

	if (!header[n] || !is_token(header, n))
		return "expected NAME: VALUE, for example X-Source: weir";
	for (const char *at = header; *at; at++)
		if ((unsigned char)*at < ' ' || *at == 0x7f)
			return "a header is one line, without control characters";
	if (!header[n + 1 + strspn(header + n + 1, " ")])
		return "it has no value: leave it out";
	if (names(header, n, "Authorization"))
		return "a secret does not belong into a spec: use auth and secret_file";
	return is_own(header, n) ? "weir writes this one itself" : NULL;
}

static int complain(struct weir_context *context, const char *option, const char *what, const char *value)
{
	weir_complain(context, option, 0, value ? "'%s': %s" : "%s%s", value ? value : what, value ? what : "");
	return WEIR_FAILED;
}

static int check_headers(struct weir_context *context)
{
	const char *const *headers = weir_option_list(context, "headers");
	int r = 0;

	for (; headers && *headers; headers++) {
		const char *fault = header_fault(*headers);

		if (fault) { /* its value may be a secret */
			weir_complain(context, "headers", 0, "'%.*s': %s", (int)strcspn(*headers, ":"), *headers,
				      fault);
			r = WEIR_FAILED;
		}
	}
	return r;
}

static int check_retry(struct weir_context *context)
{
	const char *const *retry = weir_option_list(context, "retry");
	int r = 0;

	for (; retry && *retry; retry++) {
		const char *s = *retry;

		if (strspn(s, "0123456789") != 3 || s[3] || (s[0] != '4' && s[0] != '5'))
			r = complain(context, "retry", "expected a status from 400 to 599, for example 409", s);
	}
	return r;
}

static int check_secret(struct weir_context *context)
{
	bool env = weir_option_given(context, "secret_env"), file = weir_option_given(context, "secret_file");

	if (is(context, "auth", "none"))
		return env || file ? complain(context, env ? "secret_env" : "secret_file",
					      "what is it for? say auth: basic, bearer or header", NULL) :
				     0;
	if (env && file)
		return complain(context, "secret_env", "say either this or secret_file", NULL);
	if (!env && !file)
		return complain(context, "auth", "where is the secret? say secret_file: PATH or secret_env: NAME",
				NULL);
	return 0;
}

static int check_auth_header(struct weir_context *context)
{
	const char *name = weir_option_string(context, "auth_header");

	if (!is(context, "auth", "header"))
		return name ? complain(context, "auth_header", "this is for auth: header", NULL) : 0;
	if (!name)
		return complain(context, "auth", "which one? say auth_header: NAME, for example X-Api-Key", NULL);
	if (!is_token(name, strlen(name)))
		return complain(context, "auth_header", "this is no name of a header, such as X-Api-Key", name);
	if (is_own(name, strlen(name)))
		return complain(context, "auth_header", "weir writes this one itself", name);
	if (weir_option_integer(context, "redirects"))
		return complain(context, "redirects",
				"a redirect to another host would take the secret of auth: header along", NULL);
	return 0;
}

/* Of those that are about TLS. */
static int check_certificates(struct weir_context *context, bool has_tls)
{
	static const char *const options[] = { "ca", "cert", "key" };
	int r = 0;

	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]) && !has_tls; i++)
		if (weir_option_given(context, options[i]))
			r = complain(context, options[i],
				     "http:// has no certificates: say https://, or leave this out", NULL);
	if (weir_option_given(context, "key") && !weir_option_given(context, "cert"))
		r = complain(context, "key", "which certificate is it of? say cert: PATH", NULL);
	return r;
}

int http_options_check(struct weir_context *context)
{
	const char *url = weir_option_string(context, "url"), *fault = url ? http_url_fault(url) : NULL;
	const char *proxy = weir_option_string(context, "proxy"), *no_proxy = proxy ? http_proxy_fault(proxy) : NULL;
	int r = fault ? complain(context, "url", fault, NULL) : 0;

	if (no_proxy)
		r = complain(context, "proxy", no_proxy, NULL);
	if (check_headers(context) != 0)
		r = WEIR_FAILED;
	if (check_retry(context) != 0)
		r = WEIR_FAILED;
	if (check_secret(context) != 0)
		r = WEIR_FAILED;
	if (is(context, "body", "item") && weir_option_integer(context, "batch_count") > 1)
		r = complain(context, "body",
			     "a body that is one item goes with batch_count: 1; say lines, array or joined", NULL);
	if (check_auth_header(context) != 0)
		r = WEIR_FAILED;
	if (check_certificates(context, !url || fault || is_https(url)) != 0)
		r = WEIR_FAILED;
	if (weir_option_integer(context, "backoff_max") < weir_option_integer(context, "backoff"))
		r = complain(context, "backoff_max", "it is less than backoff", NULL);
	return r;
}

/* ---- read ---- */

static enum http_layout layout_of(const struct weir_context *context, uint32_t batch)
{
	if (is(context, "body", "item"))
		return HTTP_LAYOUT_ITEM;
	if (is(context, "body", "array"))
		return HTTP_LAYOUT_ARRAY;
	if (is(context, "body", "joined"))
		return HTTP_LAYOUT_JOINED;
	if (is(context, "body", "lines"))
		return HTTP_LAYOUT_LINES;
	if (batch == 1)
		return HTTP_LAYOUT_ITEM;
	return weir_ends_lines(context) ? HTTP_LAYOUT_LINES : HTTP_LAYOUT_JOINED;
}

static const char *content_type(const struct http_options *options, const struct weir_context *context)
{
	if (is(context, "encode", "msgpack"))
		return "Content-Type: application/msgpack";
	if (is(context, "encode", "csv"))
		return "Content-Type: text/csv";
	if (options->layout == HTTP_LAYOUT_ARRAY)
		return "Content-Type: application/json";
	if (is(context, "encode", "json"))
		return options->layout == HTTP_LAYOUT_LINES ? "Content-Type: application/x-ndjson" :
							      "Content-Type: application/json";
	return options->layout == HTTP_LAYOUT_LINES ? "Content-Type: text/plain" :
						      "Content-Type: application/octet-stream";
}

static void add_header(struct http_options *options, const char *header)
{
	options->headers = curl.slist_append(options->headers, header);
	must(options->headers);
}

static void make_headers(struct http_options *options, const struct weir_context *context)
{
	const char *const *headers = weir_option_list(context, "headers");
	bool typed = false;

	for (; headers && *headers; headers++) {
		add_header(options, *headers);
		typed = typed || names(*headers, strcspn(*headers, ":"), "Content-Type");
	}
	if (!typed)
		add_header(options, content_type(options, context));
	if (options->gzip)
		add_header(options, "Content-Encoding: gzip");
	add_header(options, "Expect:"); /* nobody is asked whether he wants it: that would cost a round trip */
}

static void make_retry(struct http_options *options, const struct weir_context *context)
{
	const char *const *retry = weir_option_list(context, "retry");
	size_t n = 0;

	while (retry && retry[n])
		n++;
	options->retry = calloc(n + 1, sizeof(*options->retry));
	must(options->retry);
	for (size_t i = 0; i < n; i++)
		options->retry[i] = (uint16_t)atoi(retry[i]);
}

static enum http_denied denied_of(const struct weir_context *context)
{
	return is(context, "denied", "fail")   ? HTTP_DENIED_FAIL :
	       is(context, "denied", "wait")   ? HTTP_DENIED_WAIT :
	       is(context, "denied", "reject") ? HTTP_DENIED_REJECT :
						 HTTP_DENIED_FIRST;
}

static void read_numbers(struct http_options *options, const struct weir_context *context)
{
	options->batch = (uint32_t)weir_option_integer(context, "batch_count");
	options->batch_bytes = (size_t)weir_option_integer(context, "batch_bytes");
	options->batch_age_ns = (uint64_t)weir_option_integer(context, "batch_age");
	options->requests = (uint32_t)weir_option_integer(context, "requests");
	options->attempts = (uint32_t)weir_option_integer(context, "attempts");
	options->timeout_ns = (uint64_t)weir_option_integer(context, "timeout");
	options->connect_timeout_ns = (uint64_t)weir_option_integer(context, "connect_timeout");
	options->backoff_ns = (uint64_t)weir_option_integer(context, "backoff");
	options->backoff_max_ns = (uint64_t)weir_option_integer(context, "backoff_max");
	options->redirects = (long)weir_option_integer(context, "redirects");
}

static bool is_readable(struct weir_context *context, const char *option, const char *path)
{
	if (!path || access(path, R_OK) == 0)
		return true;
	weir_fail(context, "cannot read %s (`%s`): %s", path, option, strerror(errno));
	return false;
}

/* A library that wants one may ask at the terminal. */
static bool has_passphrase(struct weir_context *context, const char *path)
{
	_cleanup_(close) int fd = path ? open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK) : -1;
	_cleanup_(free) char *text = calloc(1, SECRET_BYTES_MAX + 1);

	if (fd < 0 || !text || read(fd, text, SECRET_BYTES_MAX) <= 0 || !strstr(text, "ENCRYPTED"))
		return false;
	weir_fail(
		context,
		"the key in %s wants a passphrase, and nobody is there to say it: write it without one, with openssl pkey",
		path);
	return true;
}

int http_options_read(struct http_options *options, struct weir_context *context)
{
	_cleanup_(text_deinit) struct text why = TEXT_NULL;

	*options = (struct http_options){ 0 };
	options->url = weir_option_string(context, "url");
	options->shown = strndup(options->url, strcspn(options->url, "?"));
	must(options->shown);
	options->method = weir_option_string(context, "method");
	options->ca = weir_option_string(context, "ca");
	options->proxy = weir_option_string(context, "proxy");
	options->gzip = is(context, "compress", "gzip");
	options->verify = weir_option_boolean(context, "verify");
	options->cert = weir_option_string(context, "cert");
	options->key = weir_option_given(context, "key") ? weir_option_string(context, "key") : options->cert;
	options->auth = is(context, "auth", "basic")  ? HTTP_AUTH_BASIC :
			is(context, "auth", "bearer") ? HTTP_AUTH_BEARER :
			is(context, "auth", "header") ? HTTP_AUTH_HEADER :
							HTTP_AUTH_NONE;
	options->denied = denied_of(context);
	read_numbers(options, context);
	options->layout = layout_of(context, options->batch);
	options->checks_json = options->layout == HTTP_LAYOUT_ARRAY && !is(context, "encode", "json");
	make_headers(options, context);
	make_retry(options, context);
	if (!is_readable(context, "ca", options->ca) || !is_readable(context, "cert", options->cert) ||
	    !is_readable(context, "key", options->key) || has_passphrase(context, options->key))
		return WEIR_FAILED;
	if (http_options_read_secret(options, context, &why) == 0)
		return 0;
	weir_fail(context, "%s", text_get(&why));
	return WEIR_FAILED;
}

void http_options_deinit(struct http_options *options)
{
	if (options->headers)
		curl.slist_free_all(options->headers);
	free(options->shown);
	free(options->retry);
	free(options->secret);
	*options = (struct http_options){ 0 };
}

/* ---- the secret ---- */

/* A line, without its newline; owned by the caller. NULL and `why`. */
static char *read_file(const char *path, struct text *why)
{
	_cleanup_(close) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	_cleanup_(free) char *line = calloc(1, SECRET_BYTES_MAX + 1);
	ssize_t n = fd < 0 || !line ? -1 : read(fd, line, SECRET_BYTES_MAX);

	if (n < 0) {
		text_printf(why, "cannot read %s (`secret_file`): %s", path, strerror(errno));
		return NULL;
	}
	line[strcspn(line, "\r\n")] = '\0';
	if (!line[0]) {
		text_printf(why, "%s (`secret_file`) has nothing in its first line", path);
		return NULL;
	}
	return steal_pointer(&line);
}

static char *find_secret(const struct weir_context *context, struct text *why)
{
	const char *variable = weir_option_string(context, "secret_env"), *value;
	char *copy;

	if (!variable)
		return read_file(weir_option_string(context, "secret_file"), why);
	value = getenv(variable);
	if (!value || !*value) {
		text_printf(why, "the variable %s, which `secret_env` names, is not set in weir's environment",
			    variable);
		return NULL;
	}
	copy = strdup(value);
	must(copy);
	for (size_t n = strlen(copy); n && strchr("\r\n", copy[n - 1]); n--)
		copy[n - 1] = '\0';
	return copy;
}

/* A newline in it would begin a header of its own. */
static const char *secret_fault(const struct http_options *options, const char *secret)
{
	if (!*secret)
		return "the secret is empty";
	for (const char *at = secret; *at; at++)
		if ((unsigned char)*at < ' ' || *at == 0x7f)
			return "the secret has a control character in it";
	if (options->auth == HTTP_AUTH_BASIC && !strchr(secret, ':'))
		return "the secret is not USER:PASSWORD, which auth: basic wants";
	return NULL;
}

/* Takes the secret. */
static char *header_of(const struct weir_context *context, char *secret)
{
	char *header;

	must(asprintf(&header, "%s: %s", weir_option_string(context, "auth_header"), secret) >= 0);
	free(secret);
	return header;
}

int http_options_read_secret(struct http_options *options, struct weir_context *context, struct text *why)
{
	const char *fault;
	char *secret = NULL;

	if (options->auth == HTTP_AUTH_NONE)
		return 0;
	secret = find_secret(context, why);
	if (!secret)
		return -ENOENT; /* no error of weir's: the caller says it */
	fault = secret_fault(options, secret);
	if (fault) {
		text_add(why, fault);
		free(secret);
		return -ENOENT;
	}
	free(options->secret);
	options->secret = options->auth == HTTP_AUTH_HEADER ? header_of(context, secret) : secret;
	return 0;
}
