# SPDX-License-Identifier: Apache-2.0
# seconds: 240
# An item that kills its worker costs exactly `attempts` lives, again each time that it is given again; its 10,000 neighbours arrive once; when
# the stage is mended, in the pipeline that runs or in a later one, weir dlq replay delivers it, with its number, and the store is empty. For
# stages with process(), with a loop of their own, with many items in flight, and in order.
command -v cc >/dev/null || skip "no C compiler"
cat >picky.c <<'C'
#include <signal.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <weir/channel.h>
#include <weir/stage.h>

static int open_stage(struct weir_context *context, void **ret_state)
{
	(void)context;
	*ret_state = NULL;
	return 0;
}

/* Whether the item is not wanted. */
static int look(const struct weir_item *item)
{
#ifndef MENDED
	if (item->size_bytes == 3 && !memcmp(item->data, "777", 3))
		raise(SIGKILL); /* which no sanitizer makes something else of */
	return item->size_bytes == 3 && !memcmp(item->data, "333", 3);
#else
	/* What a stage sees of a letter that is given again is what it saw the first time. */
	if (item->size_bytes == 3 && (!memcmp(item->data, "777", 3) || !memcmp(item->data, "333", 3)))
		fprintf(stderr, "again %.3s: number %llu, input %u, attempt %u\n", (const char *)item->data,
			(unsigned long long)item->sequence, item->input, item->attempt);
	return 0;
#endif
}

#ifdef RUN
static int run(struct weir_context *context, void *state)
{
	struct weir_item item;
	int r;

	(void)state;
	while ((r = weir_recv(context, WEIR_ANY_INPUT, WEIR_FOREVER, &item)) == WEIR_OK) {
		if (look(&item))
			weir_reject(context, "threes are not wanted");
		else
			(void)!weir_send(context, WEIR_ALL_OUTPUTS, item.data, item.size_bytes, WEIR_FOREVER);
	}
	return r;
}
#else
static int process(struct weir_context *context, void *state, const struct weir_item *item)
{
	(void)state;
	if (!look(item))
		return weir_emit(context, WEIR_ALL_OUTPUTS, item->data, item->size_bytes);
	weir_reject(context, "threes are not wanted");
	return WEIR_REJECTED;
}
#endif

static const struct weir_stage picky = { .abi = WEIR_STAGE_ABI, .size_bytes = sizeof(picky), .role = WEIR_OPERATOR,
	.name = "picky", .summary = "picky", .description = "picky", .open = open_stage,
#ifdef RUN
	.run = run
#else
	.process = process
#endif
};
WEIR_STAGE_EXPORT(picky)
C
# build NAME [FLAGS...]: puts the plugin where a pipeline may have the one before in use
build() {
	cc -shared -fPIC -I"$WEIR_SOURCE/include" "${@:2}" -o "$1.new" picky.c || fail "can not compile the plugin"
	mv "$1.new" "$1.so"
}

# serve KEYS: 10,000 numbers, then a tick from time to time
serve() {
	cat >spec.yaml <<YAML
pipeline: again
restart: {intensity: 1000, period: 10s, backoff: 1ms, backoff_max: 10ms}
stages:
  - {name: count, source: generate, count: 10000, text: '{n}'}
  - {name: clock, source: generate, text: tick, rate: 20}
  - {name: gather, from: [clock, count], exec: [cat], mode: line}
  - {name: pick, from: gather, dead_letter: {attempts: 3}, $1}
  - {name: write, sink: file, path: out}
YAML
	weir run --json spec.yaml 2>stderr.run &
	run=$!
	wait_until 60 running again
}
lives() { weir ps again --json | grep -o '"name":"pick".*' | grep -o '"live":[0-9]*,"restarts":[0-9]*' | head -n 1 | sed 's/.*://'; }
has_letters() { [ "$(weir dlq ls again --json | grep -c '"id":')" = "$1" ]; }
arrived() { [ "$(grep -vc tick out)" = "$1" ]; }

for shape in '' RUN; do
	rm -f out
	build picky ${shape:+-D$shape}
	serve 'plugin: ./picky.so, workers: 2'
	wait_until 60 has_letters 2
	wait_until 60 arrived 9998
	assert_eq "$(lives)" 3 "$shape: lives that the item has cost"
	id=$(weir dlq export again --cause attempts | sed 's/^{"id":\([0-9]*\),.*/\1/')
	weir dlq export again >before

	# The stage is not mended yet.
	assert_exit 1 weir dlq replay again "$id" >answer
	assert_eq "$(cat answer)" "again: of 1 letter 0 were taken, 1 came back, 0 were not given"
	assert_eq "$(lives)" 6 "$shape: lives that it has cost when it was given again"
	assert_exit 1 weir dlq replay again --cause rejected --json >answer
	assert_eq "$(cat answer)" '{"letters":1,"taken":0,"returned":1,"left":0}'
	has_letters 2 || fail "$shape: a letter that came back is a second one"
	weir dlq show again "$id" >shown
	assert_eq "$(grep -c 'was killed by SIGKILL' shown)" 6 "$shape: the story goes on"
	assert_contains shown "6 workers died with it in hand"
	weir dlq export again >after
	for key in sequence run producer accepted input; do
		assert_eq "$(grep -o "\"$key\":[^,]*" after)" "$(grep -o "\"$key\":[^,]*" before)" "$shape: $key of a letter that came back"
	done
	assert_eq "$(grep '"cause":"rejected"' after | grep -o '"how":"[^"]*"')" '"how":"was refused: threes are not wanted"' "$shape: it was refused before"

	# Mended: the new plugin is loaded by the next generation.
	build picky -DMENDED ${shape:+-D$shape}
	weir chaos again --kill 1ms --stage pick --count 20 -q >/dev/null
	[ "$shape" = RUN ] && ids=$(sed 's/^{"id":\([0-9]*\),.*/\1/' after) || ids=--all
	assert_exit 0 weir dlq replay again $ids >answer
	assert_eq "$(cat answer)" "again: of 2 letters 2 were taken, 0 came back, 0 were not given"
	assert_eq "$(weir dlq ls again)" "no dead letters"
	wait_until 60 arrived 10000
	weir drain again >/dev/null || fail "drain"
	wait "$run"
	assert_eq "$?" 0 "exit code: no letter is left"
	grep -v tick out | sort -n >sorted
	seq 1 10000 | cmp - sorted || fail "$shape: not every number arrived once"
	assert_eq "$(final stderr.run rejected) $(final stderr.run dead_lettered) $(final stderr.run replayed) $(final stderr.run balanced)" "2 2 4 true" "$shape: ledger"
	assert_contains stderr.run "again 777: number $(grep '"payload":"777"' before | grep -o '"sequence":[0-9]*' | sed 's/.*://'), input 0, attempt 6"
	assert_contains stderr.run "again 333: number $(grep '"payload":"333"' before | grep -o '"sequence":[0-9]*' | sed 's/.*://'), input 0, attempt 0"
done

# Nothing runs: said, with what to do. A stage that is no more, and one that reads somebody else now.
build picky
cat >batch.yaml <<YAML
pipeline: again
restart: {intensity: 1000, period: 10s, backoff: 1ms, backoff_max: 10ms}
stages:
  - {name: count, source: generate, count: 1000, text: '{n}'}
  - {name: gather, exec: [cat], mode: line}
  - {name: pick, plugin: ./picky.so, dead_letter: {attempts: 3}}
  - {name: write, sink: file, path: out}
YAML
assert_exit 3 weir run --json batch.yaml
has_letters 2 || fail "letters of the batch"
assert_exit 3 weir dlq replay again --all
assert_contains stderr "no pipeline 'again' is running"
assert_contains stderr "start it"
assert_exit 2 weir dlq replay again
assert_contains stderr "replay wants to be told what"
assert_exit 3 weir dlq replay again 100000
assert_exit 2 weir dlq ls again --no-wait

# A later run with another stage in that place, asynchronous: the letters are given alone, and wait for what is in flight.
serve "plugin: $WEIR_BUILD/tests/plugins/delay_async.so, in_flight: 100, delay: 5ms, die: '777', die_at: due"
wait_until 60 has_letters 3
wait_until 60 arrived 9999
assert_exit 1 weir dlq replay again --all >answer
assert_eq "$(cat answer)" "again: of 3 letters 1 was taken, 2 came back, 0 were not given"
has_letters 2 || fail "asynchronous: letters that came back"
weir dlq export again >after
assert_eq "$(grep -c '"attempts":6' after) $(grep -o '"how":"was killed' after | wc -l)" "2 12" "asynchronous: lives"
weir drain again >/dev/null || fail "drain"
wait "$run"
assert_eq "$(grep -cx 333 out) $(grep -cx 777 out)" "2 0" "asynchronous: once from the source, once from the store"

# In order, with several workers: a letter joins the run that comes next.
build picky -DMENDED
serve 'plugin: ./picky.so, workers: 3, order: fifo'
wait_until 60 arrived 10000
assert_exit 0 weir dlq replay again --stage pick --no-wait >answer
assert_eq "$(cat answer)" "again: 2 letters to be given again; 'weir dlq ls again' lists those that are not taken yet"
assert_exit 0 weir dlq replay again --all --timeout 60s >answer # marked already: this only waits
wait_until 60 arrived 10002
weir drain again >/dev/null || fail "drain"
wait "$run"
assert_eq "$?" 0 "exit code of a run without letters of its own"
assert_eq "$(grep -cx 777 out) $(final stderr.run balanced) $(final stderr.run replayed)" "3 true 2" "in order"
assert_eq "$(weir dlq ls again)" "no dead letters"

# Where a letter can't go: a stage that is no more, another neighbour, a source, a file of its own.
build picky
assert_exit 3 weir run --json batch.yaml
sed 's/name: pick/name: choose/; s/count: 1000, //' batch.yaml >other.yaml
sed -i "s/plugin: .*so, dead/exec: [cat], mode: line, dead/" other.yaml
weir run --json other.yaml 2>stderr.run &
run=$!
wait_until 60 running again
assert_exit 75 weir dlq replay again --all
assert_contains stderr "there is no stage 'pick'; there are "
assert_contains stderr "nothing was given again"
weir stop again >/dev/null
wait "$run"
sed 's/name: gather/name: collect/; s/count: 1000, //; s/plugin: .*so, dead/exec: [cat], mode: line, dead/' batch.yaml >other.yaml
weir run --json other.yaml 2>stderr.run &
run=$!
wait_until 60 running again
assert_exit 1 weir dlq replay again --all >answer
assert_contains stderr "'pick' does not read 'gather'"
has_letters 2 || fail "letters that could not be given are gone"
weir stop again >/dev/null
wait "$run"
sed 's/count: 1000, //; s/plugin: .*so, dead_letter: {/exec: [cat], mode: line, dead_letter: {path: f, /' batch.yaml >other.yaml
weir run --json other.yaml 2>stderr.run &
run=$!
wait_until 60 running again
assert_exit 75 weir dlq replay again --all
assert_contains stderr "file of its own"
weir stop again >/dev/null
wait "$run"
has_letters 2 || fail "letters that could not be given are gone"
