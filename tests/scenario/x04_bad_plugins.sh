# SPDX-License-Identifier: Apache-2.0
# Plugins that are none, or speak another version of the ABI, are refused before anything starts: exit code 1.
command -v cc >/dev/null || skip "no C compiler"
with() {
	cat >spec.yaml <<YAML
pipeline: plugin
stages:
  - {name: count, source: generate, count: 10}
  - {name: mine, plugin: $2}
  - {name: show, sink: stdout}
YAML
	assert_exit 1 weir run spec.yaml >out
	assert_contains stderr "$1"
	assert_contains stderr "spec.yaml:4:"
	[ ! -s out ] || fail "it ran"
}
compile() {
	cc -shared -fPIC -I"$WEIR_SOURCE/include" -o "$1" -x c - || fail "can not compile $1"
}
with "no-such-plugin.so" ./no-such-plugin.so
echo "not a shared object" >text.so
with "text.so" ./text.so
echo "int something_else;" | compile empty.so
with "weir_stage_entry" ./empty.so
compile old.so <<'C'
#include <weir/stage.h>
static const struct weir_stage stage = { .abi = WEIR_STAGE_ABI + 41, .size_bytes = sizeof(stage), .role = WEIR_OPERATOR, .name = "old" };
WEIR_STAGE_EXPORT(stage)
C
with "43" ./old.so
compile null.so <<'C'
#include <weir/stage.h>
__attribute__((visibility("default"))) const struct weir_stage *weir_stage_entry(void) { return 0; }
C
with "null.so" ./null.so
compile crash.so <<'C'
#include <weir/stage.h>
__attribute__((visibility("default"))) const struct weir_stage *weir_stage_entry(void) { __builtin_trap(); }
C
with "crash.so" ./crash.so
# Whoever could put other code there: refused when it is checked, and again when it is loaded.
cp "$WEIR_BUILD/tests/plugins/again.so" fine.so
mkdir open && cp fine.so open && chmod 777 open
with "/open can be written by everybody" ./open/fine.so
ln -s open/fine.so link.so
with "/open can be written by everybody" ./link.so
ln -s ../fine.so open/link.so
with "/open can be written by everybody" ./open/link.so
chmod 755 open
assert_exit 0 weir check spec.yaml >out
chmod 666 open/fine.so
"$WEIR_BUILD/bin/weir-worker" --describe "$PWD/open/fine.so" >out 2>stderr && fail "it was loaded"
assert_contains stderr "/open/fine.so can be written by everybody"
chmod 644 open/fine.so
# A library that lies beside a plugin is found, through the folder that was checked.
echo 'const char *beside(void) { return "beside"; }' | compile open/libbeside.so
cc -shared -fPIC -I"$WEIR_SOURCE/include" -o open/near.so -x c - -Lopen -lbeside '-Wl,-rpath,$ORIGIN' <<'C' || fail "can not compile near.so"
#include <stdio.h>
#include <weir/stage.h>
const char *beside(void);
static int open_it(struct weir_context *context, void **state) { (void)context, (void)state; fprintf(stderr, "it said %s\n", beside()); return 0; }
static int process(struct weir_context *context, void *state, const struct weir_item *item) { (void)state; return weir_emit(context, 0, item->data, item->size_bytes); }
static const struct weir_stage stage = { .abi = WEIR_STAGE_ABI, .size_bytes = sizeof(stage), .role = WEIR_OPERATOR, .name = "near", .open = open_it, .process = process };
WEIR_STAGE_EXPORT(stage)
C
sed -i 's/plugin: [^}]*/plugin: .\/open\/near.so/' spec.yaml
assert_exit 0 weir run spec.yaml >out
assert_contains stderr "it said beside"
assert_eq "$(wc -l <out)" 10 "items through it"
