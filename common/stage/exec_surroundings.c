/* SPDX-License-Identifier: Apache-2.0 */
#include "common/stage/exec_surroundings.h"

#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/quantity.h"
#include "common/base/text.h"

enum unit { UNIT_SIZE, UNIT_COUNT, UNIT_TIME };

static const struct {
	const char *name;
	int resource;
	enum unit unit;
} limits[] = {
#define EXEC_LIMIT(name_, resource_, unit_, summary_) { name_, resource_, UNIT_##unit_ },
#include "common/stage/exec_limits.def"
};

#define LIMITS (sizeof(limits) / sizeof(limits[0]))

static int bad_name(const char *text, struct text *why)
{
	text_printf(why, "limits: '%s' is none; write NAME=VALUE, where the name is one of", text);
	for (size_t i = 0; i < LIMITS; i++)
		text_printf(why, "%s %s", i ? "," : "", limits[i].name);
	return EXEC_SURROUNDINGS_E_BAD;
}

static int read_value(const char *text, enum unit unit, uint64_t *ret_value)
{
	int64_t value = 0;
	int r = unit == UNIT_SIZE  ? quantity_size(text, &value) :
		unit == UNIT_COUNT ? quantity_integer(text, &value) :
				     quantity_duration(text, &value);

	if (r != 0 || value < 0 || (unit == UNIT_TIME && (value == 0 || (uint64_t)value % NS_PER_S)))
		return EXEC_SURROUNDINGS_E_BAD;
	*ret_value = unit == UNIT_TIME ? (uint64_t)value / NS_PER_S : (uint64_t)value;
	return 0;
}

int exec_limit_parse(const char *text, struct exec_limit *ret, struct text *why)
{
	static const char *const examples[] = { "a size, as in 512MiB", "a number, as in 256",
						"whole seconds, as in 30s" };
	size_t n = strcspn(text, "=");

	for (size_t i = 0; text[n] && i < LIMITS; i++) {
		if (strlen(limits[i].name) != n || memcmp(text, limits[i].name, n) != 0)
			continue;
		if (read_value(text + n + 1, limits[i].unit, &ret->value) != 0) {
			text_printf(why, "limits: '%s' is wrong: %s wants %s", text, limits[i].name,
				    examples[limits[i].unit]);
			return EXEC_SURROUNDINGS_E_BAD;
		}
		ret->resource = limits[i].resource;
		return 0;
	}
	return bad_name(text, why);
}

static void find_groups(const char *name, struct exec_user *user)
{
	int n = EXEC_GROUPS_MAX;

	if (getgrouplist(name, user->gid, user->groups, &n) < 0)
		n = EXEC_GROUPS_MAX; /* the first of them */
	user->n_groups = (size_t)n;
}

int exec_user_find(const char *name, struct exec_user *ret, struct text *why)
{
	struct exec_user user = { .given = true, .n_groups = 1 };
	const struct passwd *entry = getpwnam(name);
	int64_t number;

	if (entry) {
		user.uid = entry->pw_uid;
		user.gid = entry->pw_gid;
		find_groups(name, &user);
	} else if (quantity_integer(name, &number) == 0 && number >= 0 && number < UINT32_MAX) {
		user.uid = (uid_t)number;
		user.gid = user.groups[0] = (gid_t)number;
	} else {
		text_printf(why, "user: there is no user '%s' on this machine", name);
		return EXEC_SURROUNDINGS_E_BAD;
	}
	if (geteuid() != 0 && user.uid != geteuid()) {
		text_printf(why, "user: only root can start a program as '%s'; run weir as root, or as that user",
			    name);
		return EXEC_SURROUNDINGS_E_BAD;
	}
	*ret = user;
	return 0;
}

bool exec_environment_is_everybodys(const char *variable)
{
	static const char *const names[] = { "PATH", "HOME",     "USER", "LOGNAME", "SHELL",
					     "LANG", "LANGUAGE", "TZ",   "TMPDIR",  "TERM" };
	size_t n = strcspn(variable, "=");

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strlen(names[i]) == n && !memcmp(variable, names[i], n))
			return true;
	return n > 3 && !memcmp(variable, "LC_", 3);
}

int exec_environment_check(const char *entry, struct text *why)
{
	size_t n = strcspn(entry, "=");

	if (n && !(entry[0] >= '0' && entry[0] <= '9') &&
	    strspn(entry, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_") == n)
		return 0;
	text_printf(why, "env: '%s' names no variable; write NAME to hand on weir's own, or NAME=value", entry);
	return EXEC_SURROUNDINGS_E_BAD;
}
