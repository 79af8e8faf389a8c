# SPDX-License-Identifier: Apache-2.0
# Files that can not be read, are not text, have lines that fit no lane; sinks whose disk is full. No item is lost in silence.
# from CODE FRAGMENT SOURCE_OPTIONS [SINK]
from() {
	cat >spec.yaml <<YAML
pipeline: files
stages:
  - {name: read, source: file, $3}
  - {name: write, ${4-sink: file, path: out}}
YAML
	rm -f out
	assert_exit "$1" weir run spec.yaml
	assert_contains stderr "$2"
}
from 75 "no-such-file" "path: no-such-file"
from 75 "$PWD" "path: $PWD"
from 75 "no-*-match" "path: 'no-*-match'"
if [ "$(id -u)" != 0 ]; then
	touch secret
	chmod 000 secret
	from 75 "secret" "path: secret"
fi
seq 1 100 >good
from 75 "/no/such/folder" "path: good" "sink: file, path: /no/such/folder/out"

head -c 4096 "$(command -v weir)" >binary
from 75 "binary" "path: binary"
from 0 "balanced" "path: binary, binary: accept"

# One line of 1 MiB among good ones: rejected and counted, the rest arrives; or cut; or the end.
{ seq 1 10; head -c 1048576 /dev/zero | tr '\0' x; echo; seq 11 20; } >long
from 3 "rejected 1" "path: long"
seq 1 20 | cmp - out || fail "the good lines around a long one did not arrive"
from 0 "delivered 21" "path: long, too_long: cut"
from 3 "long" "path: long, too_long: fail"

# A full disk: /dev/full takes nothing.
from 3 "No space left" "path: good" "sink: file, path: /dev/full, existing: append"
assert_contains stderr "/dev/full"
assert_contains stderr "in flight"
echo mine >kept
from 75 "kept" "path: good" "sink: file, path: kept, existing: refuse"
assert_eq "$(cat kept)" mine "what was there"
