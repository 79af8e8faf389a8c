# SPDX-License-Identifier: Apache-2.0
# A PostgreSQL server for the scenario that reads this: its own data, on a Unix socket alone. The server refuses to be root, so root starts it
# as nobody. postgres_begin makes it, postgres_start and postgres_stop [SIGNAL] may alternate, and at the scenario's exit nothing is left.
postgres_bin=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -n 1)
postgres_pid=

as_server() {
	if [ "$(id -u)" = 0 ]; then
		(cd "$postgres_data" && exec setpriv --reuid=nobody --regid=nogroup --clear-groups "$@")
	else
		(cd "$postgres_data" && exec "$@")
	fi
}

postgres_begin() {
	[ -n "$postgres_bin" ] || skip "there is no PostgreSQL server: apt-get install postgresql-15"
	postgres_data=$(mktemp -d /tmp/weir-postgres.XXXXXX)
	trap 'postgres_stop QUIT; rm -rf "$postgres_data"' EXIT
	[ "$(id -u)" != 0 ] || chown nobody:nogroup "$postgres_data"
	chmod 0711 "$postgres_data" # its socket: a worker that root has started gives up the right to look everywhere
	as_server "$postgres_bin/initdb" --auth=trust --username=weir --no-sync --encoding=UTF8 --locale=C data >initdb.out 2>&1 ||
		fail "initdb: $(cat initdb.out)"
	connect="host=$postgres_data dbname=postgres user=weir"
	postgres_start
}

postgres_start() {
	as_server "$postgres_bin/postgres" -D "$postgres_data/data" -k "$postgres_data" -h '' -c log_min_messages=fatal >>server.out 2>&1 &
	postgres_pid=$!
	wait_until 60 "$postgres_bin/pg_isready" -q -h "$postgres_data"
}

# Its children end with it; the shell that started it waits for it.
postgres_stop() {
	[ -n "$postgres_pid" ] || return 0
	kill "-${1:-INT}" "$(head -n 1 "$postgres_data/data/postmaster.pid")" 2>/dev/null
	wait "$postgres_pid" 2>/dev/null
	postgres_pid=
}

# sql STATEMENT: unaligned, without a head
sql() { PGOPTIONS="-c client_min_messages=warning" psql -X -q -At -v ON_ERROR_STOP=1 "$connect" -c "$1"; }
