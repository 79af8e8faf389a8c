# SPDX-License-Identifier: Apache-2.0
# seconds: 120
# Items that kill their workers cost exactly `attempts` lives and lie in the store; 2,000 neighbours arrive once; two stages write
# at once; the letters outlive the run, and weir dlq lists, shows, exports and purges them.
command -v cc >/dev/null || skip "no C compiler"
cc -shared -fPIC -I"$WEIR_SOURCE/include" -o picky.so -x c - <<'C' || fail "can not compile the plugin"
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <weir/stage.h>

static int open_stage(struct weir_context *context, void **ret_state)
{
	(void)context;
	*ret_state = NULL;
	return 0;
}

static int process(struct weir_context *context, void *state, const struct weir_item *item)
{
	char text[16] = "";
	long n;

	(void)state;
	memcpy(text, item->data, item->size_bytes < 15 ? item->size_bytes : 15);
	n = atol(text);
	if (n == 777 || n == 1777)
		raise(SIGKILL); /* which no sanitizer makes something else of */
	if (n % 100 == 33) {
		weir_reject(context, "numbers in 33 are not wanted");
		return WEIR_REJECTED;
	}
	return weir_emit(context, WEIR_ALL_OUTPUTS, item->data, item->size_bytes);
}

static const struct weir_stage picky = { .abi = WEIR_STAGE_ABI, .size_bytes = sizeof(picky), .role = WEIR_OPERATOR,
	.name = "picky", .summary = "picky", .description = "picky", .open = open_stage, .process = process };
WEIR_STAGE_EXPORT(picky)
C
spec() {
	cat <<YAML
pipeline: picky
restart: {intensity: 100, backoff: 1ms, backoff_max: 10ms}
stages:
  - {name: count, source: generate, count: 2001, text: '{n}'}
  - {name: pick, plugin: ./picky.so, workers: 3, dead_letter: {attempts: 3}}
  - {name: again, from: count, plugin: ./picky.so, dead_letter: {attempts: 2}}
  - {name: write, from: [pick, again], sink: file, path: $1}
YAML
}
spec out >spec.yaml
[ "$(weir dlq ls picky)" = "no dead letters" ] || fail "a list of letters that are not there"
assert_exit 3 weir run --json spec.yaml
seq 1 2001 | grep -v -x -e 777 -e 1777 -e '.*33' >once
sort -n once once >expected
sort -n out >sorted
assert_file_equal sorted expected "neighbours"
assert_eq "$(final stderr delivered) $(final stderr in_flight) $(final stderr balanced)" "3958 0 true" ledger
assert_eq "$(final stderr rejected) $(final stderr dead_lettered)" "40 4" "items that were given up"
assert_eq "$(restarts stderr)" 10 "workers that each item cost: 3 and 2"
assert_contains stderr "weir dlq ls picky"

# The run is over.
weir dlq ls picky --json >letters || fail "ls --json"
assert_eq "$(grep -c '"id":' letters)" 44 letters
weir dlq ls picky --stage pick --cause attempts >list || fail "ls"
assert_eq "$(wc -l <list)" 3 "a header and two rows"
assert_contains list "3 workers died with it in hand"
weir dlq export picky --stage pick --cause attempts >exported || fail export
id=$(grep '"payload":"777"' exported | grep -o '^{"id":[0-9]*' | sed 's/.*://')
weir dlq show picky "$id" >shown || fail show
assert_eq "$(grep -c 'was killed by SIGKILL' shown)" 3 "deaths in the attempt log"
assert_eq "$(tail -n 1 shown)" 777 payload
assert_eq "$(weir dlq export picky --raw "$id" | od -An -c | tr -d ' ')" 777 "raw payload"
assert_eq "$(weir dlq export picky --cause attempts --raw | sort -n | xargs)" "777 777 1777 1777" "exported payloads"
assert_eq "$(weir dlq export picky --stage again --cause attempts | grep -o '"how"' | wc -l)" 4 "deaths of both items of a worker"
assert_eq "$(weir dlq export picky --stage again --cause attempts | grep -o '; last events: [^"]* before its death' | wc -l)" 4 "what their workers did last"
assert_eq "$(weir dlq export picky --stage again --cause rejected --raw | sort -n | head -n 2 | xargs)" "33 133" "raw payloads"

# Who is refused has cost nobody his life, though its worker knows of those that others have cost.
assert_eq "$(weir dlq export picky --cause rejected | grep -c '"how"')" 0 "deaths of another item"

# Another run has letters of its own, though its numbers are the same.
spec out2 >spec2.yaml
assert_exit 3 weir run --json spec2.yaml
assert_eq "$(weir dlq ls picky --json | grep -c '"id":')" 88 "letters of two runs"

# Purging wants to be told what, and takes that and no more.
assert_exit 2 weir dlq purge picky
assert_exit 3 weir dlq purge picky "$id" 100000
assert_eq "$(weir dlq purge picky "$id")" "picky: 1 letter purged"
assert_exit 3 weir dlq show picky "$id"
assert_contains stderr "no dead letter $id"
assert_eq "$(weir dlq purge picky --stage again --json)" '{"purged":44}'
assert_eq "$(weir dlq ls picky --json | grep -c '"id":')" 43 "letters that are left"
assert_eq "$(weir dlq purge picky --all)" "picky: 43 letters purged"
assert_eq "$(weir dlq ls picky)" "no dead letters"
assert_exit 2 weir dlq frobnicate picky
assert_exit 2 weir dlq show picky x

# Two producers give the same numbers: these are different items. What a source itself refuses is kept, too.
seq 1 300 >lines
awk 'BEGIN { for (i = 0; i < 3; i++) { for (j = 0; j < 200000; j++) printf "x"; print "" } }' >>lines
cat >two.yaml <<YAML
pipeline: two
stages:
  - {name: a, source: generate, count: 300, text: '{n}'}
  - {name: b, source: file, path: lines}
  - {name: pick, from: [a, b], plugin: ./picky.so, workers: 2}
  - {name: write, sink: discard}
YAML
assert_exit 3 weir run --json two.yaml
assert_eq "$(final stderr rejected) $(final stderr rejected_at_source)" "6 3" "refused by the stage and by a source"
assert_eq "$(weir dlq export two --stage pick --raw | sort -n | xargs)" "33 33 133 133 233 233" "letters of two producers"
assert_eq "$(weir dlq ls two --stage b --json | grep -c '"id":')" 3 "letters of a source"
weir dlq export two --stage pick >exported
for input in a b; do
	assert_eq "$(grep -c "\"input\":\"$input\"" exported)" 3 "letters from $input"
done

# No place for letters: said with what to do, and the item is not lost but in flight.
rm -rf "$WEIR_STATE_DIR"
: >"$WEIR_STATE_DIR"
sed -i 's/intensity: 100/intensity: 2/; s/out2/out3/' spec2.yaml
assert_exit 3 weir run --json spec2.yaml
assert_contains stderr "cannot keep a dead letter"
assert_contains stderr "WEIR_STATE_DIR"
assert_eq "$(final stderr balanced) $(final stderr dead_lettered)" "true 0" "without a place"
[ "$(final stderr in_flight)" -gt 0 ] || fail "items that could not be kept are nowhere"
