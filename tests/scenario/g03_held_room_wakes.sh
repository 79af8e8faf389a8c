# SPDX-License-Identifier: Apache-2.0
# The source waits for room that a forwarder holds, the forwarder for data, the sink has just freed everything: nobody may wait for a
# poll's backstop. Lanes hold two items, so each of a few hundred needs that chain of wakes; a lost one costs a second.
# seconds: 60
cat >spec.yaml <<YAML
pipeline: wakes
stages:
  - {name: read, plugin: $WEIR_BUILD/tests/plugins/large_source.so, count: 300, size: 60KiB}
  - {name: a, plugin: $WEIR_BUILD/tests/plugins/large_forward.so, lane: 128KiB}
  - {name: b, plugin: $WEIR_BUILD/tests/plugins/large_forward.so, lane: 128KiB}
  - {name: check, plugin: $WEIR_BUILD/tests/plugins/large_check.so, count: 300, size: 60KiB, lane: 128KiB, pause: 1ms}
YAML
weir run --json spec.yaml 2>stderr || { tail -n 20 stderr >&2; fail "exit code $?"; }
assert_eq "$(final stderr delivered) $(final stderr balanced)" "300 true" "ledger"
# seconds, whole ones: with the pauses it needs one or two; if every second item waited for the backstop, 150
seconds=$(final stderr seconds)
[ "$seconds" -lt 30 ] || fail "300 items took $seconds seconds: wakes are lost"
