# SPDX-License-Identifier: Apache-2.0
# A real systemd for the scenario that reads this: a user manager and a journal, as root, in namespaces of their own, so nothing has to be
# PID 1 and nothing of the machine is touched:
#
#   manager_begin ── unshare: mounts ── unshare: processes, cgroups ── sh (PID 1 in there) ── systemd --user ── weir run ── weir-worker
#                    ^ has made a cgroup for it, and removes it         ^ dies: the kernel kills all in there
#
#   manager_begin             starts it, with the units of ../../systemd and the user weir
#   in_manager COMMAND...     runs a command in there; ctl ARGUMENT... is systemctl, journal ARGUMENT... journalctl
#   as_weir COMMAND...        the same, as the user weir
#   put_spec NAME             standard input becomes /etc/weir/NAME.yaml
#   drop_in UNIT              standard input is what `systemctl edit UNIT` would add
#   property UNIT NAME        a property as `systemctl show` has it
#   manager_end               fails if a process is left but systemd's own; at the scenario's exit it goes in any case
#
# In there: /etc is a copy, /run is empty, /var/lib is /run/home/.config (a user manager's %S), /run/user is /run/u (its %t); the working
# folder of the scenario is /run/work, for everybody to write, and the build is /run/build. Units see /tmp as their own and empty.
manager_pid= manager_init=

# What runs as the outer process: has a cgroup of its own made, where that can be had, and no mount of it is seen outside.
manager_outside='
set -e
mount --make-rprivate /
mount -t tmpfs -o mode=0755 weir-test /run
mkdir /run/cgroup
kind=none
if mount -t cgroup2 cgroup2 /run/cgroup 2>/dev/null; then kind=v2
elif mount -t cgroup -o none,name=systemd cgroup /run/cgroup 2>/dev/null; then kind=v1; fi
group=/run/cgroup/$MANAGER_GROUP
if [ $kind != none ] && mkdir "$group" && echo $$ >"$group/cgroup.procs"; then :; else echo "no cgroup can be made" >&2; exit 1; fi
for old in /run/cgroup/weir-test.*; do # of one that was killed
	kill -0 "${old##*.}" 2>/dev/null || find "$old" -depth -type d -exec rmdir {} + 2>/dev/null || :
done
status=0
setpriv --pdeathsig KILL unshare --mount --pid --cgroup --fork --kill-child --mount-proc sh -c "$MANAGER_INSIDE" "$kind" || status=$?
echo $$ >/run/cgroup/cgroup.procs
find "$group" -depth -type d -exec rmdir {} +
exit $status'

# PID 1 in there, and its name is the kind of cgroups.
manager_inside='
set -e
mount --make-rshared / # as PID 1 has it; nothing outside is a peer of it
mount -t tmpfs weir-test /sys/fs/cgroup
if [ "$0" = v2 ]; then mount -t cgroup2 cgroup2 /sys/fs/cgroup
else mkdir /sys/fs/cgroup/systemd; mount -t cgroup -o none,name=systemd,xattr cgroup /sys/fs/cgroup/systemd; fi
mkdir -p /run/systemd/system /run/systemd/inaccessible/dir /run/u/systemd /run/u/credentials /run/home/.config /run/build /run/work
chmod 0711 /run/u /run/u/systemd /run/u/credentials /run/home /run/home/.config
: >/run/systemd/inaccessible/reg # what PID 1 would have made: a unit has it mounted over what it must not see
chmod 0000 /run/systemd/inaccessible/reg /run/systemd/inaccessible/dir
cp -a /etc /run/etc
mount --bind /run/etc /etc
mount --bind "$WEIR_BUILD" /run/build
mount --bind "$WEIR_WORK/tmp" /run/work
mkdir -p /etc/systemd/user
[ -s /etc/machine-id ] || tr -d - </proc/sys/kernel/random/uuid >/etc/machine-id
printf "[Journal]\nStorage=volatile\nReadKMsg=no\nAudit=no\nRateLimitBurst=0\n" >/etc/systemd/journald.conf
rm -rf /etc/systemd/journald.conf.d
systemd-sysusers "$WEIR_SOURCE/systemd/weir.sysusers.conf"
systemd-tmpfiles --create "$WEIR_SOURCE/systemd/weir.tmpfiles.conf"
for unit in "$WEIR_SOURCE"/systemd/weir*.service "$WEIR_SOURCE"/systemd/weir*.slice "$WEIR_SOURCE"/systemd/weir*.socket "$WEIR_SOURCE"/systemd/weir*.target; do
	[ ! -e "$unit" ] || sed "s,/usr/bin/weir,/run/build/bin/weir,g" "$unit" >"/etc/systemd/user/${unit##*/}"
done
mkdir "/etc/systemd/user/weir@.service.d"
# A unit may not look for leaks of memory in another process, as the sanitizer does.
printf "[Service]\nEnvironment=LD_LIBRARY_PATH=/run/build/lib PATH=/run/build/bin:/usr/bin:/bin ASAN_OPTIONS=detect_leaks=0\n" \
	>"/etc/systemd/user/weir@.service.d/build.conf"
export XDG_RUNTIME_DIR=/run/u HOME=/run/home
unset WEIR_RUN_DIR WEIR_STATE_DIR TMPDIR
/lib/systemd/systemd-journald &
# A manager that finds no journal when it begins tells it nothing later on, either.
tries=0
while [ ! -S /run/systemd/journal/socket ] && [ $((tries += 1)) -lt 600 ]; do sleep 0.1; done
umask 0 # as PID 1 has it: everybody may write to the socket for notices
/lib/systemd/systemd --user --log-target=journal &
wait $!'

manager_begin() {
	[ -x /lib/systemd/systemd ] || skip "there is no systemd: apt-get install systemd"
	[ "$(id -u)" = 0 ] || skip "a systemd in namespaces of its own is made by root alone"
	unshare --mount true 2>/dev/null || skip "no namespace can be made here"
	chmod 0777 "$WEIR_WORK/tmp"
	trap manager_leave EXIT
	MANAGER_GROUP=weir-test.$$ MANAGER_INSIDE=$manager_inside unshare --mount sh -c "$manager_outside" >manager.log 2>&1 &
	manager_pid=$!
	disown # fail() kills all jobs, and this one has something to clear away
	wait_until 60 manager_has_begun
	[ -n "$manager_init" ] || skip "no systemd can run here: $(tail -n 1 manager.log)"
	wait_until 60 manager_answers
	export SYSTEMD_PAGER=cat SYSTEMD_COLORS=0
}

# The one child of the one child of the outer process is PID 1 in there; or it has ended.
manager_has_begun() {
	local outer=$manager_pid unshare= init=
	if ! kill -0 "$manager_pid" 2>/dev/null; then
		manager_pid=
		grep -q 'no cgroup can be made' manager.log || fail "no systemd: $(cat manager.log)"
		return 0
	fi
	{ read -r unshare <"/proc/$outer/task/$outer/children"; grep -q -x unshare "/proc/$unshare/comm"; } 2>/dev/null || return 1
	{ read -r init <"/proc/$unshare/task/$unshare/children"; grep -q -x sh "/proc/$init/comm"; } 2>/dev/null || return 1
	manager_init=$init
}

manager_answers() {
	kill -0 "$manager_pid" 2>/dev/null || fail "systemd has ended: $(cat manager.log)"
	ctl show --property=Version >/dev/null 2>&1 && in_manager [ -S /run/systemd/journal/stdout ]
}

in_manager() {
	nsenter --target "$manager_init" --mount --pid --cgroup --wdns=/run/work env -u WEIR_RUN_DIR -u WEIR_STATE_DIR -u TMPDIR \
		XDG_RUNTIME_DIR=/run/u HOME=/run/home "$@"
}

ctl() {
	in_manager systemctl --user "$@"
}

journal() {
	in_manager journalctl --sync >/dev/null 2>&1
	in_manager journalctl --no-pager "$@"
}

# With the rights of the units, and where they keep what they have.
as_weir() {
	in_manager setpriv --reuid=weir --regid=weir --clear-groups env PATH="/run/build/bin:$PATH" LD_LIBRARY_PATH=/run/build/lib WEIR_RUN_DIR=/run/u/weir \
		WEIR_STATE_DIR=/run/home/.config/weir "$@"
}

put_spec() {
	in_manager sh -c "cat >/etc/weir/$1.yaml && chgrp weir /etc/weir/$1.yaml && chmod 0640 /etc/weir/$1.yaml"
}

drop_in() {
	in_manager sh -c "mkdir -p '/etc/systemd/user/$1.d' && cat >'/etc/systemd/user/$1.d/test.conf'" && ctl daemon-reload
}

property() {
	ctl show --value --property="$2" "$1"
}

# Command lines of whatever runs in there, but systemd itself and those who ask.
manager_others() {
	in_manager sh -c 'for p in /proc/[1-9]*; do
		[ "$p" = /proc/1 ] || [ "$p" = "/proc/$$" ] || { tr "\0" " " <"$p/cmdline"; echo "(${p#/proc/})"; } 2>/dev/null
	done' | grep -v -e '^/lib/systemd/systemd' -e '^(sd-pam)'
}

manager_is_alone() {
	left=$(manager_others)
	[ -z "$left" ]
}

# What has just been told to end, or waits for systemd to reap it, is given its time; a process of a pipeline would stay.
manager_end() {
	local left
	for _ in $(seq 100); do
		manager_is_alone && break
		sleep 0.1
	done
	manager_leave
	[ -z "$left" ] || fail "left running under systemd: $left"
	[ -z "$(find /sys/fs/cgroup -maxdepth 2 -name "weir-test.$$" 2>/dev/null)" ] || fail "a cgroup is left"
}

manager_leave() {
	[ -n "$manager_pid" ] || return 0
	[ -z "$manager_init" ] || kill -KILL "$manager_init" 2>/dev/null
	while kill -0 "$manager_pid" 2>/dev/null; do
		sleep 0.02
	done
	manager_pid= manager_init=
}
