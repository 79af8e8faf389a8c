# SPDX-License-Identifier: Apache-2.0
# A run folder that is somebody else's, or open to others, or no folder, is refused with a clear message.
cat >spec.yaml <<'YAML'
pipeline: here
stages:
  - {name: one, source: generate, count: 1}
  - {name: write, sink: file, path: out}
YAML
folder=$PWD/base
refused() {
	WEIR_RUN_DIR=$folder assert_exit 75 weir run spec.yaml
	assert_contains stderr "$folder"
	[ ! -e out ] || fail "it ran ($1)"
}
mkdir -m 0777 "$folder"
chmod 0777 "$folder"
refused "open to everybody"
rmdir "$folder"
touch "$folder"
refused "a file"
rm "$folder"
mkdir -m 0700 elsewhere
ln -s elsewhere "$folder"
refused "a symbolic link"
rm "$folder"
folder=$PWD/$(printf 'long%.0s' $(seq 30))
mkdir -m 0700 "$folder"
refused "too long for a socket"
[ "$(id -u)" = 0 ] || skip "only root can make a folder that is somebody else's; the other cases passed"
folder=$PWD/base
mkdir -m 0700 "$folder"
chown 12345 "$folder"
refused "somebody else's"
