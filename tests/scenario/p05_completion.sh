# SPDX-License-Identifier: Apache-2.0
# bash and zsh complete verbs, options, their words, kinds, files, and the pipelines and stages that run now.
# sanitizers: no, shells do the work
# seconds: 120
cat >spec.yaml <<'YAML'
pipeline: comp1
stages:
  - {name: tick, source: generate, rate: 1/s}
  - {name: tock, operator: take, count: 1M}
  - {name: write, sink: discard}
YAML
mkdir folder
touch folder/x other.yml note.txt own.so
weir run --quiet spec.yaml 2>/dev/null &
pid=$!
wait_until 60 running comp1
rm ps.json

assert_eq "$(weir ps --names)" comp1 "names of pipelines"
assert_eq "$(weir ps --names comp1 | paste -s -d ' ')" "tick tock write" "names of stages"
assert_eq "$(cd / && WEIR_RUN_DIR=$PWD weir ps --names)" "" "without a pipeline"

# in_bash WORD...: what bash offers for the last word, which may be empty; words are as readline parts them
in_bash() {
	bash --norc -c '. "$WEIR_BUILD/generated/weir.bash"
		compopt() { :; }
		COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
		_weir "$1"
		[ "${#COMPREPLY[@]}" = 0 ] || printf "%s\n" "${COMPREPLY[@]}"' - "$@" | sort | paste -s -d ' '
}
# in_zsh LINE
in_zsh() {
	zsh -f "$WEIR_SOURCE/tests/scenario/zsh_complete.zsh" "$WEIR_BUILD/generated" "$1" | sed 's,/$,,' | sort -u | paste -s -d ' '
}

assert_eq "$(in_bash weir ch)" "chaos check" "verbs"
assert_eq "$(in_bash weir reload --d)" "--diff" "options"
assert_eq "$(in_bash weir run --progress a)" "always auto" "words of an option"
assert_eq "$(in_bash weir run --progress = n)" "never" "words of an option, behind ="
assert_eq "$(in_bash weir run --set a = b -q o)" "other.yml" "specs"
assert_eq "$(in_bash weir run '')" "folder other.yml spec.yaml" "specs and folders"
assert_eq "$(in_bash weir run spec.yaml '')" "" "there is no second argument"
assert_eq "$(in_bash weir run --keep '')" "folder" "folders"
assert_eq "$(in_bash weir drain --timeout 5s '')" "comp1" "pipelines, behind an option with a value"
assert_eq "$(in_bash weir drain --timeout '')" "" "nobody knows how long"
assert_eq "$(in_bash weir dlq ex)" "export" "words of an argument"
assert_eq "$(in_bash weir dlq show c)" "comp1" "the argument behind them"
assert_eq "$(in_bash weir why comp1 --stack t)" "tick tock" "stages of the pipeline that is named"
assert_eq "$(in_bash weir cancel comp1/w)" "comp1/write" "a pipeline and its stage"
assert_eq "$(in_bash weir cancel comp1 --cause ru)" "run_deadline" "causes"
assert_eq "$(in_bash weir stages thro)" "throttle" "kinds"
assert_eq "$(in_bash weir stages own)" "own.so" "plugins"
assert_eq "$(in_bash weir help re)" "reload resume" "verbs as arguments"
[ -z "$(in_bash weir nonsense '')" ] || fail "there is no such verb"

if command -v zsh >/dev/null && python3 -c 'import pty; pty.openpty()' 2>/dev/null; then
	assert_eq "$(in_zsh 'weir ch')" "chaos check" "zsh: verbs"
	assert_eq "$(in_zsh 'weir reload --d')" "--diff" "zsh: options"
	assert_eq "$(in_zsh 'weir run --progress a')" "always auto" "zsh: words of an option"
	assert_eq "$(in_zsh 'weir run --progress=n')" "never" "zsh: words of an option, behind ="
	assert_eq "$(in_zsh 'weir run ')" "folder other.yml spec.yaml" "zsh: specs and folders"
	assert_eq "$(in_zsh 'weir drain --timeout 5s ')" "comp1" "zsh: pipelines"
	assert_eq "$(in_zsh 'weir why comp1 --stack t')" "tick tock" "zsh: stages"
	assert_eq "$(in_zsh 'weir cancel comp1/w')" "write" "zsh: a pipeline and its stage"
	assert_eq "$(in_zsh 'weir stages thro')" "throttle" "zsh: kinds"
else
	zsh_skipped=1
fi
assert_exit 0 weir stop comp1
wait $pid || fail "exit code $?"
[ -z "${zsh_skipped-}" ] || skip "bash passed; no zsh, or no terminals here: script/deps; is /dev/pts mounted?"
