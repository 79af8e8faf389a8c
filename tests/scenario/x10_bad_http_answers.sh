# SPDX-License-Identifier: Apache-2.0
# Each row of the table in docs/http.md on what goes wrong with the sink: servers that are down, slow, rude or wrong, and items that do not go.
# seconds: 120
command -v python3 >/dev/null || skip "no python3"
document=$WEIR_SOURCE/docs/http.md
n_told=0

# told ROW FILE: what the document says to this is in the file
told() {
	local answer
	answer=$(sed -n '/^### The sink: what goes wrong/,$p' "$document" | sed -n "s/^| $1 | \`\(.*\)\` |\$/\1/p")
	[ -n "$answer" ] || fail "docs/http.md has no row '$1'"
	assert_contains "$2" "$answer"
	n_told=$((n_told + 1))
}

certificate() { # NAME HOST
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -keyout "$1.key" -out "$1.pem" -subj "/CN=${2#*:}" \
		-addext "subjectAltName=$2" 2>/dev/null || fail "openssl"
}
certificate good IP:127.0.0.1
certificate other DNS:elsewhere.example
certificate client DNS:weir.example
openssl pkey -in client.key -aes128 -passout pass:word -out locked.key || fail "openssl"
server=$WEIR_SOURCE/tests/scenario/http_server.py
python3 "$server" port items & servers=$!
python3 "$server" tls_port tls_items good.pem good.key & servers="$servers $!"
python3 "$server" other_port other_items other.pem other.key & servers="$servers $!"
python3 "$server" closed_port closed_items good.pem good.key client.pem & servers="$servers $!"
wait_until 30 test -s port -a -s tls_port -a -s other_port -a -s closed_port
base=http://127.0.0.1:$(cat port)
tls=https://127.0.0.1:$(cat tls_port)
closed_door=https://127.0.0.1:$(cat closed_port)

# spec URL OPTIONS [COUNT [TEXT]]
spec() {
	local text=${4-'item {n}'}
	rm -f letters
	cat >spec.yaml <<YAML
pipeline: bad
stages:
  - {name: gen, source: generate, count: ${3-1}, text: '$text'}
  - {name: post, sink: http, url: '$1', backoff: 1ms, backoff_max: 5ms, ${2:+$2, }dead_letter: {path: letters}}
YAML
}

# run CODE: its standard error in the file stderr, quotes as they were
run() {
	assert_exit "$1" weir run --json spec.yaml
	sed -i 's/\\"/"/g' stderr
}

# ---- requests that fail: tried again; here twice, then their items are dead letters
failing() { # ROW URL [OPTIONS]
	spec "$2" "attempts: 2, ${3-timeout: 10s}"
	run 3
	told "$1" letters
	assert_contains letters '"cause":"attempts"'
	assert_contains letters 'it was tried 2 times'
	assert_contains stderr 'it is tried again in'
}
closed=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
failing "nobody listens at the port" "http://127.0.0.1:$closed/"
failing "a host that nobody knows" "http://nowhere.invalid/"
failing "no answer" "$base/never" "timeout: 100ms"
failing "half an answer, and nothing more" "$base/half" "timeout: 300ms"
failing "half an answer, and the end" "$base/short"
failing "the connection is closed instead of an answer" "$base/close"
failing "no HTTP" "$base/garbage"
failing "5xx" "$base/status/503"
failing "answers of kind 1xx without an end" "$base/firsts" "timeout: 300ms"
failing "headers without an end" "$base/headers"
failing "TLS where none is spoken" "https://127.0.0.1:$(cat port)/ok"
failing "a server that wants a certificate, and none is shown" "$closed_door/ok" "ca: good.pem, timeout: 10s"
failing "a status that is none" "$base/status/777"
[ "$(grep -c '/status/503 ' items.requests)" = 2 ] || fail "not tried twice"
spec "$base/never" "timeout: 10s, deadline: 200ms"
for try in 1 2 3 4 5 6 7 8 9 10; do # where nobody wakes in time the supervisor ends the worker for it
	run 3
	[ "$(restarts stderr)" -gt 0 ] || break
	[ "$try" -lt 10 ] || fail "the worker was ended for it"
	rm letters
done
told "no answer within the stage's deadline" letters
assert_contains letters '"cause":"deadline"'

# ---- a server that says what is wrong with the items
refused() { # ROW URL [OPTIONS [TEXT]]
	spec "$2" "${3-}" 1 ${4+"$4"}
	run 3
	told "$1" letters
	assert_contains letters '"cause":"rejected"'
}
refused "another 4xx" "$base/status/409"
refused "400, 413 or 422 for one item" "$base/status/400"
refused "a refusal of megabytes" "$base/huge/410"
refused "an item longer than a request" "$base/ok" "batch_bytes: 100" "$(printf %0101d 1)"
refused "text that is no JSON, in an array" "$base/ok" "body: array"
spec "$base/picky" "batch_count: 32, requests: 1, batch_age: 1s" 32 '{n}'
sed -i "s/  - {name: post/  - {name: spoil, exec: [sed, 's\/^13\$\/bad 13\/']}\n  - {name: post/" spec.yaml
run 3
told "422 for several items, of which one is bad" letters
assert_eq "$(wc -l <letters) $(cut -f 2 items | sort -n | tr '\n' ' ')" "1 $(seq 32 | grep -v -x 13 | tr '\n' ' ')" "its neighbours"
: >items

# ---- what is delivered all the same
delivered() { # URL OPTIONS COUNT
	spec "$1" "$2" "$3"
	run 0
	assert_eq "$(final stderr delivered) $(sort items | uniq | wc -l)" "$3 $3" "$1"
	[ ! -e letters ] || fail "letters: $(cat letters)"
	: >items
}
delivered "$base/ok" "compress: gzip, batch_count: 7" 20
delivered "$base/limit/3" "batch_count: 20, batch_age: 1s" 20
delivered "$base/huge/200" "" 2
delivered "$base/first" "" 2
delivered "$base/moved" "redirects: 1" 2
spec "$base/ok" "" 2 ''
run 0
assert_eq "$(grep -c '	$' items)" 2 "empty items"

# ---- a server that says: it is not the items. At the start the stage fails
denied() { # ROW URL [OPTIONS [CODE]]
	spec "$2" "${3-}"
	run "${4-3}"
	told "$1" stderr
	[ ! -e letters ] || fail "letters: $(cat letters)"
}
for status in 401 403 404 405; do denied "401, 403, 404, 405, 407" "$base/status/$status"; n_told=$((n_told - 1)); done
n_told=$((n_told + 1))
denied "a redirect that is not followed" "$base/moved"
denied "a redirect to what is no HTTP" "$base/elsewhere" "redirects: 3"
denied "redirects without an end" "$base/loop" "redirects: 5"
denied "a certificate that nobody vouches for" "$tls/ok"
denied "a certificate for another name" "https://127.0.0.1:$(cat other_port)/ok" "ca: other.pem"
denied "no file of certificates" "$tls/ok" "ca: absent.pem" 75
denied "no certificate of weir's" "$tls/ok" "cert: absent.pem" 75
denied "a key with a passphrase" "$closed_door/ok" "ca: good.pem, cert: client.pem, key: locked.key" 75
denied "a key of another certificate" "$closed_door/ok" "ca: good.pem, cert: client.pem, key: other.key"
denied "a secret that is not there" "$base/ok" "auth: bearer, secret_env: WEIR_TEST_ABSENT" 75
denied "no file with the secret" "$base/ok" "auth: bearer, secret_file: absent" 75
export WEIR_TEST_TWO=$'one\nX-Evil: two'
denied "a secret of two lines" "$base/ok" "auth: bearer, secret_env: WEIR_TEST_TWO" 75
echo nobody >secret
denied "a secret without a colon, for basic" "$base/ok" "auth: basic, secret_file: secret" 75
denied "batch_count larger than in_flight" "$base/ok" "batch_count: 20, in_flight: 10" 75
mkdir none
touch none/libcurl-gnutls.so.4 none/libcurl.so.4
LD_LIBRARY_PATH=$PWD/none denied "libcurl is not there" "$base/ok" "" 75
spec "$base/status/404" "denied: reject"
run 3
assert_contains letters "404 Not Found"
spec "$base/status/404" "denied: wait, attempts: 2"
run 3
assert_contains letters "it was tried 2 times"

# ---- TLS, and a secret that changes while it runs: nothing is lost, and it stands nowhere
spec "$tls/ok" "ca: good.pem" 3
run 0
assert_eq "$(wc -l <tls_items)" 3 "over TLS"
spec "$closed_door/ok" "ca: good.pem, cert: client.pem, key: client.key" 3
run 0
cat client.pem client.key >both.pem
spec "$closed_door/ok" "ca: good.pem, cert: both.pem" 2
run 0
assert_eq "$(wc -l <closed_items)" 5 "to who asks for a certificate"
if ldconfig -p | grep -q 'libcurl\.so\.4 '; then # the other libcurl, with OpenSSL: it has other words, and the same answers
	mkdir openssl
	touch openssl/libcurl-gnutls.so.4
	export LD_LIBRARY_PATH=$PWD/openssl
	spec "$closed_door/ok" "ca: good.pem, cert: client.pem, key: client.key, batch_count: 2, compress: gzip, body: lines" 4
	run 0
	assert_eq "$(wc -l <closed_items)" 9 "by the libcurl with OpenSSL"
	spec "$closed_door/ok" "ca: good.pem, cert: client.pem, key: other.key"
	run 3
	assert_contains stderr 'unable to set private key file'
	spec "$tls/ok" ""
	run 3
	assert_contains stderr 'nothing was refused for what it is'
	spec "$base/close" "attempts: 2"
	run 3
	assert_contains letters 'it was tried 2 times'
	unset LD_LIBRARY_PATH
fi
echo "Word of-the-server" >token
cp token secret
spec "$base/auth/x-api-key" "auth: header, auth_header: X-Api-Key, secret_file: secret" 2
run 0
: >items
changes() { # OPTIONS WORD: before the secret in its file
	: >items
	echo "Bearer new-secret-1" >token
	echo "$2new-secret-1" >secret
	spec "$base/auth" "secret_file: secret, $1" 400
	sed -i "s/count: 400/count: 400, rate: 400/" spec.yaml
	weir run --json spec.yaml 2>stderr & run=$!
	wait_until 30 test -s items
	echo "Bearer new-secret-2" >token
	wait_until 30 grep -q "401 Unauthorized" stderr
	echo "$2new-secret-2" >secret
	wait "$run" || fail "exit code $?: $(cat stderr)"
	assert_eq "$(sort -u items | wc -l)" 400 "items through the change"
	assert_contains stderr "works again"
	! grep -q new-secret stderr || fail "the secret was told"
}
changes "auth: header, auth_header: Authorization" "Bearer "
changes "auth: bearer, requests: 1" ""
told "401 behind the first success" stderr
weir check spec.yaml >out 2>&1
! grep -q new-secret stderr out || fail "the secret was told"

# shellcheck disable=SC2086
kill $servers
wait 2>/dev/null
for errors in *items.errors; do [ ! -e "$errors" ] || fail "the server: $(cat "$errors")"; done
rows=$(sed -n '/^### The sink: what goes wrong/,$p' "$document" | grep -c '^| [^|]* | `')
assert_eq "$n_told" "$rows" "rows of the document that were tried"
