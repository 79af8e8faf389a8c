# SPDX-License-Identifier: Apache-2.0
# seconds: 240
# Dead letters at their edges: of 0 bytes and of 1 MiB; given again where lanes are smaller, twice at a time, and purged meanwhile; the exit code of a
# run that had letters and has none left; a store that has lost its end, is garbage, or is a folder.
command -v cc >/dev/null || skip "no C compiler"
cat >edge.c <<'C'
#include <stddef.h>
#include <string.h>
#include <weir/stage.h>

static char bytes[1 << 20];

static int open_stage(struct weir_context *context, void **ret_state)
{
	(void)context;
	*ret_state = NULL;
	return 0;
}

#ifdef SOURCE
/* Six items, of nothing and of 1 MiB in turn. */
static int produce(struct weir_context *context, void *state)
{
	uint64_t *n = weir_cursor(context);
	int r;

	(void)state;
	if (*n == 6)
		return WEIR_CLOSED;
	memset(bytes, 'a' + (int)*n, sizeof(bytes));
	r = weir_emit(context, WEIR_ALL_OUTPUTS, bytes, *n % 2 ? sizeof(bytes) : 0);
	if (r == WEIR_FULL)
		return WEIR_MORE;
	if (r == 0)
		++*n;
	return r ? r : WEIR_MORE;
}
#else
static int process(struct weir_context *context, void *state, const struct weir_item *item)
{
	(void)state;
#ifndef MENDED
	if (item->size_bytes != 4) {
		weir_reject(context, "not wanted");
		return WEIR_REJECTED;
	}
#endif
	return weir_emit(context, WEIR_ALL_OUTPUTS, item->data, item->size_bytes);
}
#endif

static const struct weir_stage edge = { .abi = WEIR_STAGE_ABI, .size_bytes = sizeof(edge), .name = "edge", .summary = "edge",
	.description = "edge", .open = open_stage,
#ifdef SOURCE
	.role = WEIR_SOURCE, .cursor_size_bytes = 8, .produce = produce
#else
	.role = WEIR_OPERATOR, .process = process
#endif
};
WEIR_STAGE_EXPORT(edge)
C
cc -shared -fPIC -I"$WEIR_SOURCE/include" -DSOURCE -o edges.so edge.c || fail "can not compile"
cc -shared -fPIC -I"$WEIR_SOURCE/include" -o picky.so edge.c || fail "can not compile"
cc -shared -fPIC -I"$WEIR_SOURCE/include" -DMENDED -o mended.so edge.c || fail "can not compile"
store=$WEIR_STATE_DIR/edge/dead-letters
fill() {
	cat >spec.yaml <<-YAML
	pipeline: edge
	stages:
	  - {name: edges, plugin: ./edges.so}
	  - {name: pick, plugin: ./picky.so, lane: 4MiB}
	  - {name: write, sink: file, path: out, lane: 4MiB}
	YAML
	assert_exit 3 weir run --json spec.yaml
	assert_eq "$(final stderr rejected)" 6 "rejected"
}
# serve PLUGIN LANE [N TEXT]: a pipeline that goes on; N items of that text come by another way
serve() {
	cat >serve.yaml <<-YAML
	pipeline: edge
	stages:
	  - {name: clock, source: generate, text: tick, rate: 50}
	  - {name: edges, source: generate, text: ${4:-tick}, count: ${3:-1}}
	  - {name: pick, from: [clock, edges], plugin: ./$1.so, lane: $2}
	  - {name: write, sink: file, path: out, lane: $2}
	YAML
	weir run --json serve.yaml 2>stderr.run &
	run=$!
	wait_until 60 running edge
}
letters() { weir dlq ls edge --json 2>/dev/null | grep -c '"id":'; }
has_letters() { [ "$(letters)" = "$1" ]; }

# In small lanes the large ones come back, and nobody else has to suffer for it.
fill
serve mended 64KiB
assert_exit 1 weir dlq replay edge --all >answer
assert_eq "$(cat answer)" "edge: of 6 letters 3 were taken, 3 came back, 0 were not given"
assert_eq "$(weir dlq ls edge | grep -c 'did not fit a lane')" 3 "what did not fit"
running edge || fail "a letter that did not fit has ended the pipeline"
weir drain edge >/dev/null
wait "$run"
assert_eq "$? $(final stderr.run in_flight) $(final stderr.run balanced)" "3 0 true" "letters that came back are left"
assert_eq "$(letters)" 3

# Larger lanes; two at a time, and one who purges: each letter is given once at most, and all agree in the end. None is left: no loss.
rm -f out
serve mended 4MiB
weir dlq replay edge --all >answer.1 2>&1 &
one=$!
weir dlq replay edge --all >answer.2 2>&1 &
two=$!
weir dlq purge edge --all >answer.3 2>&1
wait "$one" "$two"
has_letters 0 || fail "letters are left: $(cat answer.1 answer.2 answer.3)"
weir drain edge >/dev/null
wait "$run"
assert_eq "$? $(final stderr.run balanced)" "0 true" "no letter is left"
[ "$(grep -v tick out | cut -c1 | grep . | sort | uniq -d | wc -l)" = 0 ] || fail "a letter arrived twice"

# A run with letters of its own: 3 as long as one is left, whether the rest was taken or purged; then 0.
for left in 1 0; do
	weir dlq purge edge --all >/dev/null
	serve picky 4MiB 4 unwanted
	wait_until 60 has_letters 4
	cp mended.so picky.new && cp picky.so picky.old && mv picky.new picky.so
	weir chaos edge --kill 1ms --stage pick --count 1 -q >/dev/null
	ids=($(weir dlq export edge | sed 's/^{"id":\([0-9]*\),.*/\1/'))
	assert_exit 0 weir dlq replay edge "${ids[0]}" "${ids[1]}" >answer
	weir dlq purge edge "${ids[2]}" >/dev/null
	[ "$left" = 1 ] || weir dlq replay edge "${ids[3]}" >answer
	weir drain edge >/dev/null
	wait "$run"
	assert_eq "$? $(final stderr.run rejected) $(final stderr.run balanced)" "$((left * 3)) 4 true" "$left letters left"
	mv picky.old picky.so
done

# What a disk may do to the store: said in a sentence, by whoever reads, writes or buries; nobody is killed by it.
fill
cp "$store/data.mdb" whole.mdb
whole=$(stat -c %s whole.mdb)
for size in 3000 5000 9000 20000 1000000 $((whole - 4096)) garbage folder; do
	rm -rf "$store"
	mkdir -m 700 "$store"
	case $size in
	garbage) head -c 100000 /dev/urandom >"$store/data.mdb" ;;
	folder) mkdir "$store/data.mdb" ;;
	*) head -c "$size" whole.mdb >"$store/data.mdb" ;;
	esac
	for verb in ls export 'purge --all' 'replay --all'; do
		set -- $verb
		weir dlq "$1" edge ${2-} >answer 2>stderr
		code=$?
		[ "$code" = 75 ] || [ "$code" = 0 ] || [ "$code" = 3 ] || { cat stderr >&2; fail "$size: $verb: exit code $code"; }
		[ "$code" = 0 ] || grep -q '^weir: ' stderr || fail "$size: $verb: nothing is said"
	done
	weir run --json spec.yaml 2>stderr
	code=$?
	assert_eq "$code $(final stderr balanced)" "3 true" "$size: a run"
	[ "$(restarts stderr)" -le 1 ] || fail "$size: workers died of it: $(restarts stderr)" # one: no room for the letters of a turn together
done
