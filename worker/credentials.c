/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/cleanup.h"
#include "common/base/must.h"
#include "worker/credentials.h"

#define OPENING "${cred:"
#define NAME_CHARACTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-."
#define SECRETS_MAX 64u
#define HIDDEN_MIN_BYTES 4u /* shorter ones stand in words by chance */
enum { FILE_MAX = 65536 };

/* What has been put in; a worker keeps it as long as its options. */
static char *secrets[SECRETS_MAX];
static size_t n_secrets;

static void remember(const char *secret)
{
	if (n_secrets == SECRETS_MAX || strlen(secret) < HIDDEN_MIN_BYTES)
		return;
	secrets[n_secrets] = strdup(secret);
	must(secrets[n_secrets]);
	n_secrets++;
}

void credentials_hide(char *text)
{
	for (size_t i = 0; i < n_secrets; i++)
		for (char *at = text; (at = strstr(at, secrets[i])); at += strlen(secrets[i]))
			memset(at, '*', strlen(secrets[i]));
}

/* Returns the file's text, the caller's; NULL: `why` is said. */
static char *read_secret(const char *folder, const char *name, struct text *why)
{
	_cleanup_(text_deinit) struct text path = TEXT_NULL;
	_cleanup_(close) int fd = -1;
	char *bytes = calloc(1, FILE_MAX + 2);
	ssize_t n = 0, length = 0;

	must(bytes);
	text_printf(&path, "%s/%s", folder, name);
	fd = open(text_get(&path), O_RDONLY | O_CLOEXEC | O_NOCTTY);
	while (fd >= 0 && length <= FILE_MAX && (n = read(fd, bytes + length, (size_t)(FILE_MAX + 1 - length))) > 0)
		length += n;
	if (fd < 0 || n < 0)
		text_printf(why, "there is no credential '%s' in %s: %s (LoadCredential=%s:... in the unit)", name,
			    folder, strerror(errno), name);
	else if (length > FILE_MAX || memchr(bytes, '\0', (size_t)length))
		text_printf(why, "credential '%s' is %s, which can't be in an option", name,
			    length > FILE_MAX ? "longer than 64 KiB" : "no text");
	if (text_get(why)[0]) {
		free(bytes);
		return NULL;
	}
	if (length && bytes[length - 1] == '\n')
		bytes[length - 1] = '\0';
	return bytes;
}

/* Puts in all of one option. */
static int resolve(char **string, const char *folder, struct text *why)
{
	_cleanup_(text_deinit) struct text whole = TEXT_NULL;
	const char *at = *string, *opening;

	while ((opening = strstr(at, OPENING))) {
		const char *name = opening + strlen(OPENING);
		_cleanup_(free) char *secret = NULL, *word = strndup(name, strspn(name, NAME_CHARACTERS));

		must(word);
		secret = name[strlen(word)] == '}' && word[0] && word[0] != '.' ? read_secret(folder, word, why) : NULL;
		if (!secret) {
			if (!text_get(why)[0])
				text_add(why, "it is ${cred:NAME}, with letters, digits, '_', '-' and '.' in the name");
			return CREDENTIALS_E_MISSING;
		}
		remember(secret);
		text_add_bytes(&whole, at, (size_t)(opening - at));
		text_add(&whole, secret);
		at = name + strlen(word) + 1;
	}
	text_add(&whole, at);
	free(*string);
	*string = text_steal(&whole);
	return 0;
}

int credentials_resolve(struct heritage_option *options, uint32_t n_options, const char **ret_option, struct text *why)
{
	const char *folder = getenv("CREDENTIALS_DIRECTORY");
	int r = 0;

	for (uint32_t i = 0; i < n_options && r == 0; i++) {
		if (options[i].type != HERITAGE_STRING || !options[i].string || !strstr(options[i].string, OPENING))
			continue;
		*ret_option = options[i].name;
		if (folder && *folder) {
			r = resolve(&options[i].string, folder, why);
			continue;
		}
		text_add(
			why,
			"it names a credential, and there are none: CREDENTIALS_DIRECTORY is not set, as systemd sets it where a "
			"unit has LoadCredential=");
		r = CREDENTIALS_E_NONE;
	}
	return r;
}
