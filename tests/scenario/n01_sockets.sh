# SPDX-License-Identifier: Apache-2.0
# Lines over sockets: senders that are told (ack) lose nothing through kills; floods, half lines, resets and thousands of connections cost others nothing
# and weir no memory; a drain ends with every line answered that is in the output.
# seconds: 90
command -v python3 >/dev/null || skip "no python3"
cat >peer.py <<'PY'
import random, socket, sys, time

def connect(path, patience=30):
    until = time.monotonic() + patience
    while True:
        s = socket.socket(socket.AF_UNIX)
        try:
            s.connect(path)
            return s
        except OSError:
            s.close()
            if time.monotonic() > until:
                raise
            time.sleep(0.005)

def acked(path, name, n, window):
    """Sends n lines, up to a window ahead of the answers; what has no answer is sent again over the next connection. Prints what was answered."""
    done, connections = 0, 0
    while done < n:
        s = connect(path)
        connections += 1
        sent, answers = done, b""
        try:
            while done < n:
                burst = min(window - (sent - done), n - sent)
                if burst:
                    s.sendall(b"".join(b"%s %d\n" % (name.encode(), i + 1) for i in range(sent, sent + burst)))
                    sent += burst
                got = s.recv(65536)
                if not got:
                    break
                answers += got
                whole = answers.count(b"ok\n")
                done += whole
                answers = answers[3 * whole:]
        except OSError:
            pass
        s.close()
    print(connections)

def flood(path, name, n):
    s = connect(path)
    s.sendall(b"".join(b"%s %d\n" % (name.encode(), i + 1) for i in range(n)))
    s.shutdown(socket.SHUT_WR)
    s.recv(1)

def hostile(path, seconds):
    until, held = time.monotonic() + seconds, []
    while time.monotonic() < until:
        try:
            s = connect(path, 1)
        except OSError:
            continue
        what = random.randrange(4)
        try:
            if what == 0:
                s.sendall(b"hostile half" * random.randrange(1, 3000))
                held.append(s)
                continue
            if what == 1:
                s.sendall(b"x" * 400000 + b"\n")
            if what == 2:
                held.append(s)
                continue
        except OSError:
            pass
        s.close()
        if len(held) > 200:
            held.pop(random.randrange(len(held))).close()

command, arguments = sys.argv[1], sys.argv[2:]
{"acked": lambda: acked(arguments[0], arguments[1], int(arguments[2]), int(arguments[3])),
 "flood": lambda: flood(arguments[0], arguments[1], int(arguments[2])),
 "hostile": lambda: hostile(arguments[0], float(arguments[1]))}[command]()
PY
cat >spec.yaml <<'YAML'
pipeline: sockets
restart: {intensity: 100000, period: 10s, backoff: 1ms, backoff_max: 10ms}
stages:
  - {name: net, source: unix, path: s, ack: true, half_line: 300ms, buffer: 1MiB, connections: 300}
  - {name: write, sink: file, path: out}
YAML

# Told, and killed: nothing is lost, and what comes twice is what was on its way.
n=$(rounds 20000 100000)
kill_randomly sockets 40 >kills &
killer=$!
weir run --json spec.yaml 2>stderr &
run=$!
for i in 1 2 3; do python3 peer.py acked s "sender$i" "$n" 20 >"connections$i" & senders[i]=$!; done
for i in 1 2 3; do wait "${senders[i]}" || fail "sender $i"; done
killed_often() { [ "$(grep -c 'killed by' stderr)" -ge "$(rounds 2 10)" ]; }
wait_until 60 killed_often # on a slow machine the first look at whom to kill takes as long as all the lines
touch ended
weir drain sockets >/dev/null
wait "$run" || fail "exit code $? : $(tail -n 20 stderr)"
wait "$killer"
again=0
for i in 1 2 3; do
	seq -f "sender$i %.0f" "$n" >expected
	awk -v s="sender$i" '$1 == s && !seen[$0]++' out >got
	assert_file_equal got expected "sender $i: each line, in order"
	again=$((again + ($(cat "connections$i") - 1) * 20))
done
twice=$(($(wc -l <out) - 3 * n))
[ "$twice" -ge 0 ] && [ "$twice" -le "$again" ] || fail "$twice lines came twice, where at most $again were on their way"
assert_eq "$(final stderr delivered) $(final stderr balanced)" "$(wc -l <out) true" ledger
echo "$(cat kills) kills, $twice lines twice"
[ "$(cat kills)" -ge "$(rounds 2 10)" ] || fail "only $(cat kills) kills: the run is too short to mean anything"
[ ! -e s ] || fail "the socket is left behind"

# Hostile peers beside honest ones, and memory that does not grow with them.
rm -f out ended
sed -e 's/ack: true, //' spec.yaml >hostile.yaml
weir run --json hostile.yaml 2>stderr &
run=$!
wait_until 30 test -S s
python3 peer.py flood s first 20000 || fail flood
pid=$(weir ps sockets --json | grep -o '"index":[0-9]*,"pid":[0-9]*' | head -n 1 | sed 's/.*://')
rss() { awk '/^RssAnon/ { print $2 }' "/proc/$pid/status"; } # the store of letters, mapped, is none of it
before=$(rss)
python3 peer.py hostile s 6 &
hostile=$!
for i in 1 2 3 4 5; do python3 peer.py flood s "honest$i" 20000 || fail "flood $i"; done
wait "$hostile" || fail "hostile peer"
after=$(rss)
# A sanitizer keeps what was freed.
sanitized || [ "$((after - before))" -le 8192 ] || fail "from $before to $after KiB"
weir drain sockets >/dev/null
wait "$run"
code=$?
[ "$code" = 0 ] || [ "$code" = 3 ] || fail "exit code $code: $(tail stderr)"
for i in 1 2 3 4 5; do
	seq -f "honest$i %.0f" 20000 >expected
	grep "^honest$i " out >got
	assert_file_equal got expected "honest $i"
done
assert_eq "$(final stderr balanced)" true ledger
assert_contains stderr "a line without an end"

# The address is taken.
python3 -c 'import socket, time; s = socket.socket(socket.AF_UNIX); s.bind("s"); s.listen(); open("bound", "w"); time.sleep(60)' &
taken=$!
wait_until 30 test -e bound
assert_exit 75 weir run spec.yaml
assert_contains stderr "cannot listen at s: Address already in use; another program listens there"
kill "$taken"
wait "$taken" 2>/dev/null
exit 0
