# SPDX-License-Identifier: Apache-2.0
# capacity: 0: a stage, with a loop of its own or not, begins an item only when the reader behind it has done the one before; with kills, nothing is lost or done twice.
# seconds: 120
command -v cc >/dev/null || skip "no C compiler"
cat >note.c <<'C'
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>
#include <weir/channel.h>

/* Writes "STAGE ITEM" to the file `steps` as it begins an item. */
static int steps;

static int open_stage(struct weir_context *context, void **ret_state)
{
	(void)context;
	*ret_state = NULL;
	steps = open("steps", O_WRONLY | O_APPEND | O_CREAT, 0600);
	return steps < 0 ? -1 : 0;
}

static int note(struct weir_context *context, const struct weir_item *item)
{
	char line[64];
	int n = snprintf(line, sizeof(line), "%s %.*s\n", weir_stage_name(context), (int)item->size_bytes, (const char *)item->data);

	if (write(steps, line, (size_t)n) != n)
		return -1;
	return weir_emit(context, WEIR_ALL_OUTPUTS, item->data, item->size_bytes);
}

#ifdef LOOP
static int run(struct weir_context *context, void *state)
{
	struct weir_item item;
	int r;

	(void)state;
	while ((r = weir_recv(context, WEIR_ANY_INPUT, WEIR_FOREVER, &item)) == WEIR_OK)
		if ((r = note(context, &item)) != WEIR_OK)
			break;
	return r;
}
#define CALLBACK .run = run
#else
static int process(struct weir_context *context, void *state, const struct weir_item *item)
{
	(void)state;
	return note(context, item);
}
#define CALLBACK .process = process
#endif

static const struct weir_stage stage = { .abi = WEIR_STAGE_ABI, .size_bytes = sizeof(stage), .role = WEIR_OPERATOR,
	.name = "note", .summary = "note", .description = "note", .open = open_stage, CALLBACK };
WEIR_STAGE_EXPORT(stage)
C
cc -shared -fPIC -I"$WEIR_SOURCE/include" -o note.so note.c || fail "can not compile the plugin"
cc -shared -fPIC -DLOOP -I"$WEIR_SOURCE/include" -o loop.so note.c || fail "can not compile the plugin with a loop of its own"
n=$(rounds 40000 400000)
cat >spec.yaml <<YAML
pipeline: rendezvous
restart: {intensity: 100000, period: 10s, backoff: 1ms, backoff_max: 10ms}
stages:
  - {name: count, source: generate, count: $n, text: '{n}'}
  - {name: a, plugin: ./note.so}
  - {name: b, plugin: ./note.so, capacity: 0}
  - {name: write, sink: file, path: out}
YAML
seq 1 "$n" >expected
for a in note loop; do
	rm -f out steps ended
	assert_exit 0 weir run --json --set "stages.a.plugin=./$a.so" spec.yaml
	assert_file_equal out expected
	awk -v n="$n" 'BEGIN { for (i = 1; i <= n; i++) printf "a %d\nb %d\n", i, i }' | cmp - steps >&2 || fail "more than one item between a and b"

	# With kills a step may be begun again, but never too early.
	rm -f out steps
	kill_randomly rendezvous 30 40 >kills &
	weir run --json --set "stages.a.plugin=./$a.so" spec.yaml 2>stderr
	status=$?
	touch ended
	wait
	assert_eq "$status" 0 "exit code with kills"
	assert_file_equal out expected
	awk '$1 == "a" && $2 > b + 1 { print "a began " $2 ", b only " b; exit 1 } $1 == "b" { b = $2 }' steps || fail "more than one item between a and b"
	echo "$(cat kills) kills, $(restarts stderr) restarts with $a"
	[ "$(cat kills)" -ge 3 ] || fail "only $(cat kills) kills: the run is too short to mean anything"
done

# Several senders and several readers.
cat >many.yaml <<YAML
pipeline: rendezvous
stages:
  - {name: count, source: generate, count: $n, text: '{n}'}
  - {name: a, exec: [cat], mode: line, workers: 3}
  - {name: b, exec: [cat], mode: line, workers: 2, capacity: 0}
  - {name: write, sink: file, path: many, capacity: 0}
YAML
assert_exit 0 weir run --json many.yaml
sort -n many | cmp - expected >&2 || fail "something was lost or done twice"
