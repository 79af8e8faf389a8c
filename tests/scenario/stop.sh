# SPDX-License-Identifier: Apache-2.0
# Somebody who stands still in the middle of writing into the dead letters of the pipeline `held`, for the scenario that reads this: stop.so,
# preloaded. Whoever comes first with WEIR_STOPS in its environment, and the file that names, stops inside its transaction.
command -v cc >/dev/null || skip "no C compiler"
sanitized && skip "a sanitizer wants to be loaded first"
cat >stop.c <<'C'
#include <dlfcn.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

static void stop_once(void)
{
	const char *file = getenv("WEIR_STOPS");

	if (file && unlink(file) == 0)
		raise(SIGSTOP);
}

int mdb_put(void *txn, unsigned table, void *key, void *value, unsigned flags)
{
	int (*put)(void *, unsigned, void *, void *, unsigned) = (int (*)(void *, unsigned, void *, void *, unsigned))dlsym(RTLD_NEXT, "mdb_put");

	stop_once();
	return put(txn, table, key, value, flags);
}

int mdb_del(void *txn, unsigned table, void *key, void *value)
{
	int (*del)(void *, unsigned, void *, void *) = (int (*)(void *, unsigned, void *, void *))dlsym(RTLD_NEXT, "mdb_del");

	stop_once();
	return del(txn, table, key, value);
}
C
cc -shared -fPIC -D_GNU_SOURCE -o stop.so stop.c || fail "can not compile"

letters() { weir dlq export held --raw 2>/dev/null | grep -c .; }
has_letters() { [ "$(letters)" = "$1" ]; }

# stop_a_purge ARGUMENTS: a `weir dlq purge held` with these stands still before it has changed anything; its pid is $purge.
stop_a_purge() {
	touch stops
	LD_PRELOAD=$PWD/stop.so WEIR_STOPS=$PWD/stops weir dlq purge held "$@" >purged 2>&1 &
	purge=$!
	wait_until 60 test ! -e stops
}
kill_purge() {
	kill -KILL "$purge"
	wait "$purge" 2>/dev/null
}
