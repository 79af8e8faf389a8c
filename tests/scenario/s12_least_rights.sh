# SPDX-License-Identifier: Apache-2.0
# What a worker, and a program that it starts, finds: the descriptors that it was given and no other, no way to gain rights, no capabilities but
# those that its stage needs, no core file. Whatever is open in who started weir stays there.
# seconds: 120
exec 71</etc/passwd 72>planted
ulimit -S -c unlimited 2>/dev/null

# ---- the descriptors that a worker begins with
cat >spy <<'PYTHON'
#!/usr/bin/env python3
# In place of weir-worker: says what it has, and becomes the worker.
import os, sys
if sys.argv[1:] == ["3"]:
    links = {}
    for fd in sorted(map(int, os.listdir("/proc/self/fd"))):
        try:
            links[fd] = os.readlink(f"/proc/self/fd/{fd}")
        except FileNotFoundError:  # of the listing itself
            pass
    words = [link.split("memfd:")[-1].split(":[")[0].removesuffix(" (deleted)") for link in links.values()]
    with open(f"{os.environ['WEIR_WORK']}/tmp/fds", "a") as out:
        out.write(f"{'' if list(links) == list(range(len(links))) else 'with a hole: '}{' '.join(words)}\n")
os.execv(os.environ["WEIR_BUILD"] + "/bin/weir-worker", ["weir-worker"] + sys.argv[1:])
PYTHON
chmod +x spy
cat >two.yaml <<'YAML'
pipeline: two
stages:
  - {name: make, source: generate, count: 10}
  - {name: upper, exec: [tr, a-z, A-Z], workers: 2}
  - {name: write, sink: stdout}
YAML
WEIR_WORKER=$PWD/spy assert_exit 0 weir run two.yaml </dev/null >out
assert_eq "$(wc -l <out)" 10 "items"
own='pipe weir-heritage weir-%s weir-board anon_inode pipe anon_inode anon_inode'
neighbours='weir-upper-0 anon_inode weir-upper-1 anon_inode'
spools='weir-spool weir-spool weir-make-0 anon_inode weir-write-0 anon_inode'
sort fds >got
for slot in make-0 upper-0 upper-1 write-0; do
	case $slot in
	make-0) printf "/dev/null /dev/null $own %s\n" "$slot" "$neighbours" ;;
	upper-*) printf "/dev/null /dev/null $own %s\n" "$slot" "$spools" ;;
	write-0) printf "/dev/null %s $own %s\n" "$PWD/out" "$slot" "$neighbours" ;;
	esac
done >expected
assert_file_equal got expected "descriptors of the workers"

# ---- every kind of worker while it runs, and its programs
root=$([ "$(id -u)" = 0 ] && echo 1)
rights() { # FOLDER under /proc: what the kernel says
	awk '/^(CapInh|CapPrm|CapEff|CapAmb|CapBnd|NoNewPrivs):/ { printf "%s%s ", $1, $2 }' "$1/status"
	awk '/^Max core file size/ { print "core:" $5 }' "$1/limits"
}
bounding=$([ -n "$root" ] && echo 0000000000000000 || sed -n 's/^CapBnd:\t//p' /proc/self/status)
none="CapInh:0000000000000000 CapPrm:0000000000000000 CapEff:0000000000000000 CapBnd:$bounding CapAmb:0000000000000000 NoNewPrivs:1 core:0"
cp "$(command -v id)" gain && chmod 755 gain
[ -z "$root" ] || chown nobody gain
chmod 4755 gain
chmod 755 .
cat >look.py <<'PYTHON'
import os, subprocess, sys
with open("programs", "w") as out:
    out.write(" ".join(fd for fd in os.listdir("/proc/self/fd") if os.path.exists(f"/proc/self/fd/{fd}") and fd != str(out.fileno())))
for name in "status", "limits":
    open(name, "w").write(open(f"/proc/self/{name}").read())
subprocess.run(["./gain", "-u"], stdout=open("gained", "w"))
for line in sys.stdin:
    print(line, end="", flush=True)
PYTHON
cat >many.yaml <<YAML
pipeline: many
stages:
  - {name: ticks, source: generate, rate: 100/s, text: '{"n": {n}}'}
  - name: lines
    exec: [python3, look.py]
    mode: line
    user: $(id -un)
  - {name: log, from: lines, sink: file, path: log}
  - {name: numbers, source: generate, rate: 100/s, text: '{"n": {n}}', decode: json}
  - {name: jq, operator: map, expr: .}
  - {name: lua, operator: lua, script: 'function process(item) return item end'}
  - {name: rows, from: lua, sink: sqlite, path: rows.db, table: rows, columns: {n: .n}, create: CREATE TABLE rows (n)}
  - {name: users, from: lua, sink: table, path: ns.table, key: .n}
  - {name: posts, source: http, listen: '127.0.0.1:0'}
  - {name: calls, source: tcp, listen: '127.0.0.1:0'}
  - {name: queue, source: zmq, type: pull, bind: 'ipc://queue'}
  - {name: once, from: [posts, calls, queue], operator: dedupe, key: .n, last: 10}
  - {name: posted, sink: discard}
YAML
weir run many.yaml </dev/null >out 2>stderr &
wait_until 60 eval "test -s log || ! kill -0 $!"; kill -0 $! || fail "it ended: $(cat stderr)"
pids=$(worker_pids many)
assert_eq "$(wc -w <<<"$pids")" 13 "workers"
for pid in $pids; do
	ls -l "/proc/$pid/fd" >fds 2>/dev/null # one that is closed meanwhile is no matter
	assert_contains fds eventfd
	! grep -e /etc/passwd -e planted fds || fail "worker $pid has a descriptor of who started weir"
	got=$(rights "/proc/$pid")
	case $got in
	"$none") echo none ;;
	*CapPrm:00000000000000e0\ CapEff:00000000000000e0*NoNewPrivs:1\ core:0) echo becomes ;;
	*CapPrm:0000000000000400\ CapEff:0000000000000400*NoNewPrivs:1\ core:0) echo listens ;;
	*) fail "worker $pid: $got" ;;
	esac
done | sort | uniq -c | xargs >kinds
assert_eq "$(cat kinds)" "$([ -n "$root" ] && echo '1 becomes 3 listens 9 none' || echo '13 none')" "rights of workers"
assert_eq "$(cat programs)" "0 1 2" "descriptors of a program"
# Its bounding set is its worker's, from which nothing can be gained.
assert_eq "$(rights . | sed 's/CapBnd:[^ ]* //')" "$(sed 's/CapBnd:[^ ]* //' <<<"$none")" "rights of a program"
assert_eq "$(cat gained)" "$(id -u)" "whom a setuid program runs as"
assert_exit 0 weir drain many
wait $! || fail "exit code $?: $(cat stderr)"

# ---- root may have programs run as others, with other limits: their workers keep what that takes, the programs nothing
[ -n "$root" ] || { echo "SKIPPED: programs of other users, for want of root" >&2; exit 0; }
cat >other.yaml <<'YAML'
pipeline: other
stages:
  - name: who
    source: exec
    command: 'id -un; sleep 1000 & exec cat /proc/self/status /proc/self/limits; wait'
    user: nobody
    cwd: /
    limits: [core=1MiB, files=100]
  - {name: keep, sink: file, path: other}
YAML
assert_exit 0 weir run other.yaml </dev/null
assert_eq "$(head -n 1 other)" nobody "the user"
assert_eq "$(awk '/^Cap(Prm|Eff|Amb):/ && $2 + 0 || /^NoNewPrivs:/ { print $2 }' other)" 1 "what it may do"
! grep 'could not be killed' stderr || fail "a process of the other user stays"
assert_contains other 'Max core file size        1048576 '
