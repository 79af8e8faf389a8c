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
