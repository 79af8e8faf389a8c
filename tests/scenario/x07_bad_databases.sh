# SPDX-License-Identifier: Apache-2.0
# Every answer in the tables of docs/databases.md, as a user gets it.
# seconds: 300
# takes: 14
. "$WEIR_SOURCE/tests/scenario/postgres.sh"
n_told=0
document=$WEIR_SOURCE/docs/databases.md

# told FILE ANSWER: it stands there, and in the document
told() {
	assert_contains "$1" "$2"
	assert_contains "$document" "| \`$2\` |"
	n_told=$((n_told + 1))
}

# spec COLUMNS OPTIONS [DECODE]
spec() {
	cat <<YAML
pipeline: ${name-bad}
stages:
  - {name: read, source: file, path: in, decode: ${3-json}, follow: ${follow-false}}
  - {name: store, sink: sqlite, path: ${path-in.db}, table: t, columns: {$1}, $2 dead_letter: {attempts: 3}}
YAML
}

# refused ANSWER: the start is given up, or the stage
refused() {
	weir run --json spec.yaml 2>stderr
	code=$?
	[ "$code" = 1 ] || [ "$code" = 75 ] || [ "$code" = 3 ] || { cat stderr >&2; fail "exit code $code: $1"; }
	told <(sed 's/\\"/"/g' stderr) "$1"
}

make() { rm -f in.db*; sqlite3 in.db "$1"; }
query() { sqlite3 in.db "$1"; }
echo '{"id":1,"name":"a"}' >in
spec 'id: .id' '' >spec.yaml
refused "unable to open database file; is the path right, and may weir write to its folder?"
[ ! -e in.db ] || fail "a file was made"
seq 1000 >in.db
refused "file is not a database; name a file that SQLite has made"
make 'CREATE TABLE u (id)'
refused "no such table: t; look at"
make 'CREATE TABLE t (id INTEGER, name TEXT)'
if [ "$(id -u)" != 0 ]; then
	chmod a-w in.db
	refused "attempt to write a readonly database; give the user who runs weir the right to write"
	chmod u+w in.db
else
	n_told=$((n_told + 1)) # root may write anything
fi
spec 'id: .id, nme: .name' '' >spec.yaml
refused "table t has no column named nme"
spec 'id: .id, name: .name' 'mode: upsert, key: [id],' >spec.yaml
refused "ON CONFLICT clause does not match any PRIMARY KEY or UNIQUE constraint"
make ''
spec 'id: .id, name: .name' 'create: CRATE TABLE t (id),' >spec.yaml
refused 'near "CRATE": syntax error'
make 'CREATE TABLE t (id INTEGER)'
spec 'id: .id' '' raw >spec.yaml
refused "looks into items (.id), and what comes here is text"

# letters TABLE ANSWER BAD: of three items the one in the middle is refused, and the others are stored
letters() {
	make "$1"
	printf '%s\n%s\n%s\n' '{"id":1,"n":1,"name":"a"}' "$3" '{"id":3,"n":1,"name":"c"}' >in
	assert_exit 3 weir run --json spec.yaml
	assert_eq "$(query 'SELECT id FROM t ORDER BY id' | tr '\n' ' ')" "1 3 " "neighbours of: $2"
	assert_eq "$(final stderr rejected) $(final stderr delivered) $(final stderr balanced)" "1 2 true" "ledger: $2"
	weir dlq ls bad --json >letters
	weir dlq purge bad --all >/dev/null 2>&1
	told <(sed 's/\\"/"/g' letters) "$2"
}
spec 'id: .id, n: .n, name: .name' '' >spec.yaml
letters 'CREATE TABLE t (id UNIQUE, n, name)' "t: UNIQUE constraint failed: t.id" '{"id":1,"n":1}'
letters 'CREATE TABLE t (id, n, name NOT NULL)' "t: NOT NULL constraint failed: t.name" '{"id":2,"n":1}'
letters 'CREATE TABLE t (id, n CHECK (n < 100), name)' "t: CHECK constraint failed: n < 100" '{"id":2,"n":100}'
letters 'CREATE TABLE t (id INTEGER, n INTEGER, name TEXT) STRICT' "t: cannot store TEXT value in INTEGER column t.id" '{"id":"two","n":1}'
letters 'CREATE TABLE t (id, n, name)' "column 'name': a string with U+0000 in it, which no text of a database holds" '{"id":2,"name":"a\u0000b"}'
letters 'CREATE TABLE t (id, n, name)' "column 'n': the integer 18446744073709551615 is larger than SQLite has them" '{"id":2,"n":18446744073709551615}'
letters "CREATE TABLE t (id, n, name); CREATE TRIGGER r BEFORE INSERT ON t WHEN new.name = 'sunday' BEGIN SELECT RAISE(ABORT, 'not on Sundays'); END" \
	"t: not on Sundays" '{"id":2,"name":"sunday"}'

# lost TABLE ANSWER CHANGE: what happens while it runs
lost() {
	name=lost$n_told # where a file was read to outlives a run
	spec 'id: .id' '' >spec.yaml
	make "$1"
	echo '{"id":1}' >in
	weir run --json spec.yaml 2>stderr &
	pipeline=$!
	stored() { [ "$(sqlite3 in.db 'SELECT count(*) FROM t' 2>/dev/null)" = 1 ]; }
	wait_until 20 stored
	eval "$3"
	echo '{"id":1}' >>in
	wait "$pipeline" && fail "it goes on: $2"
	told <(sed 's/\\"/"/g' stderr) "$2"
}
follow=true
spec 'id: .id' '' >spec.yaml
lost 'CREATE TABLE t (id UNIQUE ON CONFLICT ROLLBACK)' "SQLite has rolled back all others of its turn" :
assert_eq "$(sqlite3 in.db 'SELECT count(*) FROM t')" 1 "rows before it"
lost 'CREATE TABLE t (id)' "no such table: t; look at" "sqlite3 in.db 'DROP TABLE t'"
n_told=$((n_told - 1)) # it stands there twice
lost 'CREATE TABLE t (id)' "turns of this run, and" 'cp in.db copy.db; sqlite3 copy.db "DELETE FROM weir_turns"; mv copy.db in.db; kill -KILL $(worker_pids "$name")'


# ---- postgres
follow=false
unset name
postgres_begin
query() { sql "$1"; }
make() { sql "DROP TABLE IF EXISTS t, u CASCADE; $1"; }
# The same in each mode that inserts.
spec() {
	cat <<YAML
pipeline: ${name-bad}
stages:
  - {name: read, source: file, path: in, decode: json, follow: $follow}
  - {name: store, sink: postgres, connect: "${where-$connect}", table: t, columns: {$1}, $2 dead_letter: {attempts: 3}}
YAML
}
echo '{"id":1,"name":"a"}' >in
where="host=$PWD dbname=postgres user=weir"
spec 'id: .id' '' >spec.yaml
refused "failed: No such file or directory"
where="host=$postgres_data dbname=postgres user=stranger"
spec 'id: .id' '' >spec.yaml
refused 'role "stranger" does not exist'
where="host=$postgres_data dbname=shop user=weir"
spec 'id: .id' '' >spec.yaml
refused 'database "shop" does not exist'
where="dbname=a nonsense"
spec 'id: .id' '' >spec.yaml
refused 'missing "=" after "nonsense" in connection info string'
unset where
spec 'id: .id' '' >spec.yaml
refused 'relation "t" does not exist (42P01); look at'
make 'CREATE TABLE t (id bigint, name text)'
spec 'id: .id, nme: .name' '' >spec.yaml
refused 'column "nme" of relation "t" does not exist (42703); look at'
spec 'id: .id, name: .name' 'mode: upsert, key: [id],' >spec.yaml
refused "there is no unique or exclusion constraint matching the ON CONFLICT specification (42P10)"

spec 'id: .id, n: .n, name: .name' '' >spec.yaml
letters 'CREATE TABLE t (id bigint PRIMARY KEY, n bigint, name text)' 't: duplicate key value violates unique constraint "t_pkey"' '{"id":1,"n":1}'
letters 'CREATE TABLE t (id bigint, n bigint, name text NOT NULL)' 't: null value in column "name" of relation "t" violates not-null constraint' '{"id":2,"n":1}'
spec 'id: .id, n: .n, name: .name' 'mode: copy,' >spec.yaml
letters 'CREATE TABLE t (id bigint, n bigint CHECK (n < 100), name text)' 't: new row for relation "t" violates check constraint "t_n_check"' '{"id":2,"n":100}'
letters 'CREATE TABLE t (id bigint, n bigint, name text)' 't: invalid input syntax for type bigint: "two"' '{"id":"two","n":1}'
letters 'CREATE TABLE t (id bigint, n bigint, name text)' 't: value "18446744073709551615" is out of range for type bigint' '{"id":2,"n":18446744073709551615}'
letters 'CREATE TABLE u (n bigint PRIMARY KEY); INSERT INTO u VALUES (1); CREATE TABLE t (id bigint, n bigint REFERENCES u DEFERRABLE INITIALLY DEFERRED, name text)' \
	't: insert or update on table "t" violates foreign key constraint "t_n_fkey"' '{"id":2,"n":7}'
letters "CREATE TABLE t (id bigint, n bigint, name text); CREATE OR REPLACE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN IF new.name = ''sunday'' THEN RAISE EXCEPTION ''never on Sundays''; END IF; RETURN new; END';
	CREATE TRIGGER r BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()" 't: never on Sundays' '{"id":2,"name":"sunday"}'

stored() { [ "$(sql 'SELECT count(*) FROM t')" = 1 ]; }
follow=true
name=gone
spec 'id: .id' '' >spec.yaml
make 'CREATE TABLE t (id bigint)'
echo '{"id":1}' >in
weir run --json spec.yaml 2>stderr &
pipeline=$!
wait_until 20 stored
sql 'DELETE FROM weir_turns'
echo '{"id":2}' >>in
wait "$pipeline" && fail "it goes on without its row"
told <(sed 's/\\"/"/g' stderr) "weir's row for this worker is gone, or somebody else has changed it"
assert_eq "$(sql 'SELECT count(*) FROM t')" 1 "rows before it"

# What passes is waited for, longer each time, and said once; that it works again, too, and only when it does.
name=full
spec 'id: .id' '' >spec.yaml
make "CREATE TABLE t (id bigint); CREATE TABLE u AS SELECT true AS is_full; CREATE SEQUENCE tries;
	CREATE OR REPLACE FUNCTION g() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM nextval(''tries'');
		IF (SELECT is_full FROM u) THEN RAISE EXCEPTION ''no space left on device'' USING ERRCODE = ''53100''; END IF; RETURN new; END';
	CREATE TRIGGER r BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION g()"
weir run --json spec.yaml 2>stderr &
pipeline=$!
tried() { [ "$(sql 'SELECT last_value FROM tries')" -ge 4 ]; }
all_stored() { [ "$(sql 'SELECT count(*) FROM t')" = 2 ]; }
wait_until 60 tried
sql 'UPDATE u SET is_full = false'
wait_until 60 all_stored
weir drain "$name" 2>/dev/null || fail "no drain"
wait "$pipeline"
assert_eq "$? $(final stderr delivered)" "0 2" "behind a full disk"
assert_eq "$(grep -c 'waiting for PostgreSQL.*no space left on device' stderr) $(grep -c 'works again' stderr)" "1 1" "what was said of it"

[ "$n_told" = "$(($(grep -c '^| .* | `.*` |$' "$document") - 1))" ] || fail "$n_told answers were seen, and the tables have $(grep -c '^| .* | `.*` |$' "$document")"
