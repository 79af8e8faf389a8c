# SPDX-License-Identifier: Apache-2.0
# What was locked runs, and nothing else: a script, a program, a plugin's name or the spec that has changed is refused, each with its name.
mkdir here
cat >here/spec.yaml <<'YAML'
pipeline: locked
stages:
  - {name: count, source: generate, count: 10}
  - {name: lua, operator: lua, file: here/rules.lua}
  - {name: script, exec: [sh, here/pass.sh]}
  - {name: own, exec: [./own.sh, --fast]}
  - {name: shell, exec: 'cat'}
  - {name: write, sink: file, path: out}
YAML
echo 'function process(item) return item end' >here/rules.lua
echo 'exec cat' >here/pass.sh
printf '#!/bin/sh\nexec cat\n' >own.sh
chmod +x own.sh

assert_exit 1 weir run --locked here/spec.yaml # nothing is locked yet
assert_contains stderr "weir lock here/spec.yaml"
weir lock here/spec.yaml >said || fail "exit code $? of lock"
assert_contains said "here/spec.yaml.lock: 4 files"
assert_contains said "'sh', which is found by PATH"
assert_contains said "stage 'shell'"
(cd here && sha256sum -c --status spec.yaml.lock) || fail "sha256sum does not read the lock"
assert_contains here/spec.yaml.lock "  rules.lua"
assert_contains here/spec.yaml.lock "  $PWD/own.sh"
assert_exit 0 weir run --locked --quiet here/spec.yaml
assert_eq "$(wc -l <out)" 10 lines
assert_exit 0 weir check --locked here/spec.yaml

# refused FILE FRAGMENT [REMARK]: the file is changed, refused with that in the words, and brought back
refused() {
	cp -p "$1" saved
	echo "${3-#} changed" >>"$1"
	rm -f out
	assert_exit 1 weir run --locked here/spec.yaml
	assert_contains stderr "$2"
	assert_contains stderr "weir lock here/spec.yaml"
	[ ! -e out ] || fail "it ran with another $1"
	assert_exit 1 weir check --locked here/spec.yaml
	assert_exit 0 weir check here/spec.yaml
	cp -p saved "$1"
	assert_exit 0 weir check --locked here/spec.yaml
}
refused here/rules.lua "script here/rules.lua of stage 'lua' is another one" --
refused here/pass.sh "file here/pass.sh of stage 'script' is another one"
refused own.sh "program ./own.sh of stage 'own' is another one"
refused here/spec.yaml "spec here/spec.yaml is another one"

# What the command line changes, a lock that is damaged, a file that is gone.
cp here/rules.lua here/other.lua
assert_exit 1 weir check --locked --set stages.lua.file=here/other.lua here/spec.yaml
assert_contains stderr "script here/other.lua of stage 'lua' is not in the lock"
echo 'no line of a lock' >>here/spec.yaml.lock
assert_exit 1 weir check --locked here/spec.yaml
assert_contains stderr "is not as \`weir lock\` writes it"
rm here/pass.sh
assert_exit 0 weir lock here/spec.yaml >said # a word that is no file any more is just a word
assert_contains said "3 files"
assert_exit 2 weir lock - </dev/null
rm here/spec.yaml.lock && mkdir here/spec.yaml.lock
assert_exit 75 weir lock here/spec.yaml
assert_contains stderr "can not be written"
ls here/spec.yaml.lock.* 2>/dev/null && fail "something is left behind"
:
