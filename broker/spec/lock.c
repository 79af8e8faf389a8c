/* SPDX-License-Identifier: Apache-2.0 */
/*
 *      orders.yaml          orders.yaml.lock
 *      libcheck.so            # weir lock 1 ...
 *      price.py               # not in the lock: stage 'price': the program 'python3', which is found by PATH
 *                             3b1f...  orders.yaml               two blanks, as `sha256sum` writes
 *                             9c02...  libcheck.so               in the folder of the spec or below: relative to it
 *                             77aa...  /opt/rules/common.lua     elsewhere: absolute
 *
 * What is compared is what the spec names now, so a file that has come to it is found as well as one that has changed. The names are those
 * of the files themselves, behind all links.
 */
#include "broker/spec/lock.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "broker/spec/digest.h"
#include "broker/spec/memory.h"
#include "broker/spec/named_files.h"
#include "common/base/cleanup.h"

#define LOCK_HEAD "# weir lock 1"
#define LOCK_BYTES_MAX (1u << 20)
#define DIGITS (DIGEST_TEXT_SIZE - 1)

/* ---- names ---- */

/* The spec's path as it is, with ".lock" behind it. */
static void add_lock_path(const struct plan *plan, struct text *path)
{
	text_printf(path, "%s.lock", plan->spec_path);
}

/* The file's own path, from the folder of the spec on if it lies there. Returns 0 or -errno; -EINVAL: a name that no line can hold. */
static int name_in_lock(const struct plan *plan, const char *file, struct text *ret_name)
{
	_cleanup_(free) char *own = realpath(file, NULL), *spec = own ? realpath(plan->spec_path, NULL) : NULL;
	size_t folder;

	if (!own || !spec)
		return -errno;
	folder = (size_t)(strrchr(spec, '/') - spec) + 1;
	if (strpbrk(own, "\n\r\\"))
		return -EINVAL;
	text_add(ret_name, strncmp(own, spec, folder) == 0 ? own + folder : own);
	return 0;
}

/* What a person calls it: "plugin ./libcheck.so of stage 'check'". */
static void describe(const struct named_file *file, struct text *text)
{
	text_printf(text, "%s %s", file->what, file->path);
	if (file->stage)
		text_printf(text, " of stage '%s'", file->stage);
}

static const char *explain(int r)
{
	return r == -EINVAL ? "it is no file that can be locked" : strerrordesc_np(-r);
}

/* ---- writing ---- */

static int add_line(const struct plan *plan, const struct named_file *file, struct text *lines, struct text *why)
{
	_cleanup_(text_deinit) struct text name = TEXT_NULL;
	char hex[DIGEST_TEXT_SIZE];
	int r = name_in_lock(plan, file->path, &name);

	if (r == 0)
		r = digest_file(file->path, hex);
	if (r == 0) {
		text_printf(lines, "%s  %s\n", hex, text_get(&name));
		return 0;
	}
	describe(file, why);
	text_printf(why, ": %s", explain(r));
	return LOCK_E_NOT_WRITTEN;
}

static void add_head(const struct named_files *files, struct text *lines)
{
	text_add(lines, LOCK_HEAD ": written by `weir lock`, checked by `weir run --locked`\n");
	for (const char *at = text_get(&files->unseen); *at; at += strcspn(at, "\n") + 1)
		text_printf(lines, "# not in the lock: %.*s\n", (int)strcspn(at, "\n"), at);
}

static int write_all(int fd, const struct text *text)
{
	for (size_t at = 0; at < text->length;) {
		ssize_t n = write(fd, text->data + at, text->length - at);

		if (n < 0 && errno != EINTR)
			return -errno;
		at += n > 0 ? (size_t)n : 0;
	}
	return fsync(fd) < 0 ? -errno : 0;
}

/* Beside the old one, and then in its place: nobody ever reads half a lock. */
static int replace(const char *path, const struct text *text)
{
	_cleanup_(text_deinit) struct text beside = TEXT_NULL;
	_cleanup_(close) int fd = -1;
	int r;

	text_printf(&beside, "%s.XXXXXX", path);
	fd = mkostemp(beside.data, O_CLOEXEC);
	if (fd < 0)
		return -errno;
	r = write_all(fd, text);
	if (r == 0 && fchmod(fd, 0644) < 0)
		r = -errno;
	if (r == 0 && rename(beside.data, path) < 0)
		r = -errno;
	if (r < 0)
		unlink(beside.data);
	return r;
}

int lock_write(const struct plan *plan, struct text *ret_path, size_t *ret_n, struct text *ret_unseen, struct text *why)
{
	_cleanup_(named_files_deinit) struct named_files files = NAMED_FILES_NULL;
	_cleanup_(text_deinit) struct text lines = TEXT_NULL;
	int r = 0;

	named_files_of(plan, &files);
	add_head(&files, &lines);
	for (size_t i = 0; r == 0 && i < files.n; i++)
		r = add_line(plan, &files.list[i], &lines, why);
	if (r)
		return r;
	add_lock_path(plan, ret_path);
	r = replace(text_get(ret_path), &lines);
	if (r < 0) {
		text_printf(why, "%s can not be written: %s", text_get(ret_path), strerrordesc_np(-r));
		return LOCK_E_NOT_WRITTEN;
	}
	*ret_n = files.n;
	text_add(ret_unseen, text_get(&files.unseen));
	return 0;
}

/* ---- checking ---- */

/* The whole lock, as text. Returns 0 or -errno; -EFBIG: it is none of ours. */
static int read_lock(const char *path, struct text *ret_text)
{
	_cleanup_(close) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	char buffer[4096];
	ssize_t n;

	if (fd < 0)
		return -errno;
	while ((n = read(fd, buffer, sizeof(buffer))) != 0) {
		if (n < 0 && errno != EINTR)
			return -errno;
		text_add_bytes(ret_text, buffer, n > 0 ? (size_t)n : 0);
		if (ret_text->length > LOCK_BYTES_MAX)
			return -EFBIG;
	}
	return 0;
}

static bool is_entry(const char *line, size_t length)
{
	size_t digits = 0;

	while (digits < length && isxdigit((unsigned char)line[digits]))
		digits++;
	return digits == DIGITS && length > DIGITS + 2 && line[DIGITS] == ' ' && line[DIGITS + 1] == ' ';
}

/* The first line that is neither a remark nor a file's; 0: there is none. */
static unsigned find_senseless(const char *text)
{
	unsigned number = 1;

	if (strncmp(text, LOCK_HEAD, strlen(LOCK_HEAD)) != 0)
		return 1;
	for (const char *at = text; *at; number++) {
		size_t length = strcspn(at, "\n");

		if (length && *at != '#' && !is_entry(at, length))
			return number;
		at += length + (at[length] != '\0');
	}
	return 0;
}

/* The digits that the lock has for this name; NULL: it does not know it. */
static const char *find_entry(const char *text, const char *name)
{
	for (const char *at = text; *at;) {
		size_t length = strcspn(at, "\n");

		if (length == DIGITS + 2 + strlen(name) && is_entry(at, length) &&
		    strncmp(at + DIGITS + 2, name, strlen(name)) == 0)
			return at;
		at += length + (at[length] != '\0');
	}
	return NULL;
}

static void check_file(const struct plan *plan, const struct named_file *file, const char *lock,
		       struct diagnostics *diagnostics)
{
	_cleanup_(text_deinit) struct text name = TEXT_NULL, what = TEXT_NULL, hint = TEXT_NULL;
	const char *locked;
	char hex[DIGEST_TEXT_SIZE];
	int r = name_in_lock(plan, file->path, &name);

	if (r == 0)
		r = digest_file(file->path, hex);
	describe(file, &what);
	locked = r == 0 ? find_entry(lock, text_get(&name)) : NULL;
	if (locked && strncmp(locked, hex, DIGITS) == 0)
		return;
	text_printf(&hint, "bring back what was locked; or, if this is what is wanted: weir lock %s", plan->spec_path);
	if (r < 0)
		diagnostics_add(diagnostics, DIAGNOSTIC_ERROR, file->position, NULL,
				"%s can not be held against the lock: %s", text_get(&what), explain(r));
	else if (!locked)
		diagnostics_add(diagnostics, DIAGNOSTIC_ERROR, file->position, text_get(&hint),
				"%s is not in the lock, %s.lock", text_get(&what), plan->spec_path);
	else
		diagnostics_add(diagnostics, DIAGNOSTIC_ERROR, file->position, text_get(&hint),
				"%s is another one than was locked: its SHA-256 is %.12s..., and %s.lock says %.12s...",
				text_get(&what), hex, plan->spec_path, locked);
}

/* false: it was reported. */
static bool lock_makes_sense(const struct plan *plan, struct text *lock, struct diagnostics *diagnostics)
{
	static const struct spec_position nowhere;
	_cleanup_(text_deinit) struct text path = TEXT_NULL, hint = TEXT_NULL;
	unsigned line = 0;
	int r;

	add_lock_path(plan, &path);
	text_printf(&hint, "weir lock %s", plan->spec_path);
	r = read_lock(text_get(&path), lock);
	if (r == 0)
		line = find_senseless(text_get(lock));
	if (r < 0)
		diagnostics_add(diagnostics, DIAGNOSTIC_ERROR, nowhere, text_get(&hint),
				"the lock %s can not be read: %s", text_get(&path), strerrordesc_np(-r));
	else if (line)
		diagnostics_add(diagnostics, DIAGNOSTIC_ERROR, nowhere, text_get(&hint),
				"line %u of %s is not as `weir lock` writes it", line, text_get(&path));
	return r == 0 && !line;
}

int lock_check(const struct plan *plan, struct diagnostics *diagnostics)
{
	_cleanup_(named_files_deinit) struct named_files files = NAMED_FILES_NULL;
	_cleanup_(text_deinit) struct text lock = TEXT_NULL;
	static const struct spec_position nowhere;

	if (strcmp(plan->spec_path, "-") == 0) {
		diagnostics_add(diagnostics, DIAGNOSTIC_ERROR, nowhere, "name the file of the spec",
				"a spec from standard input has no lock");
		return SPEC_E_INVALID;
	}
	if (!lock_makes_sense(plan, &lock, diagnostics))
		return SPEC_E_INVALID;
	named_files_of(plan, &files);
	for (size_t i = 0; i < files.n; i++)
		check_file(plan, &files.list[i], text_get(&lock), diagnostics);
	return diagnostics->n_errors ? SPEC_E_INVALID : 0;
}
