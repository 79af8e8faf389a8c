# SPDX-License-Identifier: Apache-2.0
# What `tests/package/run --root` does: a clean Debian 12, the packages installed into it by dpkg, used, upgraded, removed, purged; what is there
# afterwards is what was there before. Nothing of the host is touched: mounts and processes are in namespaces of their own.

skip() {
	echo "skipped: $*" >&2
	exit 77
}

# within COMMAND...: runs it in the root, with a /proc of its own; whatever it starts ends with it
within() {
	unshare --mount --pid --fork --kill-child sh -c 'mount -t proc proc "$0/proc" && exec chroot "$0" env -i LC_ALL=C.UTF-8 PATH=/usr/sbin:/usr/bin:/sbin:/bin \
		HOME=/root DEBIAN_FRONTEND=noninteractive "$@"' "$work/root" "$@"
}

# All paths, but those that change with any package: backups of the lists of users, and logs.
paths() {
	within find / -xdev '(' -path /proc -o -path /tmp -o -path /var/log ')' -prune -o -print |
		grep -v -E '^/etc/(passwd|shadow|group|gshadow|subuid|subgid)-$|^/etc/\.pwd\.lock$|^/var/lib/dpkg/[a-z]+-old$|^/var/cache/(apt|ldconfig)/' | sort
}

make_root() {
	[ "$(id -u)" = 0 ] || skip "a root is made by root alone"
	command -v debootstrap >/dev/null || skip "there is no debootstrap: script/deps"
	unshare --mount --pid --fork true 2>/dev/null || skip "no namespace can be made here"
	local mirror=${WEIR_DEBIAN_MIRROR:-http://deb.debian.org/debian}
	if ! debootstrap --variant=minbase bookworm "$work/root" "$mirror" >"$work/debootstrap" 2>&1; then
		! grep -q -E 'Failed getting release|mknod|nodev|noexec' "$work/debootstrap" || skip "no Debian can be made here of $mirror: $(tail -n 1 "$work/debootstrap")"
		cat "$work/debootstrap" >&2
		fail "debootstrap"
		return 1
	fi
	within apt-get -q -y update >"$work/apt" 2>&1 &&
		within apt-get -q -y --no-install-recommends satisfy "$(field weir Depends), gcc, libc6-dev, make, pkg-config" >>"$work/apt" 2>&1 ||
		{ tail -n 20 "$work/apt" >&2; fail "what the packages depend on can not be installed"; return 1; }
	within apt-get clean
}

# try NAME COMMAND...: in the root; fails with what it said
try() {
	local name=$1
	shift
	within "$@" >"$work/said" 2>&1 || { tail -n 30 "$work/said" >&2; fail "$name"; return 1; }
}

install_and_use() {
	cp "$packages"/*.deb "$work/root/tmp/"
	try "dpkg -i" sh -c 'dpkg -i /tmp/*.deb' || return
	[ -z "$(within find /etc/systemd -name '*weir*')" ] || fail "something is enabled"
	[ "$(within stat -c '%A %U:%G' /etc/weir)" = "drwxr-x--- root:weir" ] || fail "/etc/weir is $(within stat -c '%A %U:%G' /etc/weir)"
	[ "$(within weir run /usr/share/doc/weir/examples/hello.yaml 2>/dev/null | head -n 1)" = "HELLO 1" ] || fail "hello.yaml does not run"
	try "weir new" sh -ec 'cd /root; weir new pipeline orders; orders/test; weir new plugin checked; make -C checked test; rm -r orders checked'
	# As the unit would: as the user weir, with its folders.
	try "a pipeline of the user weir" sh -c 'install -d -o weir -m 0700 /var/lib/weir /run/weir && cd /var/lib/weir &&
		runuser -u weir -- env WEIR_RUN_DIR=/run/weir WEIR_STATE_DIR=/var/lib/weir weir run --set stages.count.count=3 /etc/weir/hello.yaml'
}

# The same files under a newer version: what an administrator has changed stays, and nothing asks.
upgrade() {
	rm -rf "$work/newer"
	dpkg-deb --raw-extract "$(deb weir)" "$work/newer"
	sed -i 's/^Version: .*/&.1/' "$work/newer/DEBIAN/control"
	echo '# newer' >>"$work/newer/etc/weir/hello.yaml"
	dpkg-deb --root-owner-group --build "$work/newer" "$work/root/tmp/newer.deb" >/dev/null
	echo '# mine' >>"$work/root/etc/weir/hello.yaml"
	try "removal of libweir-dev, which wants this version" dpkg --remove libweir-dev
	try "an upgrade" dpkg --force-confold -i /tmp/newer.deb
	[ "$(tail -n 1 "$work/root/etc/weir/hello.yaml")" = "# mine" ] || fail "an upgrade has overwritten a spec"
	[ "$(within dpkg-query --show --showformat='${Version}' weir)" = "$(field weir Version).1" ] || fail "the newer version is not there"
}

in_a_root() {
	make_root || return
	paths >"$work/before"
	cp "$work/root/etc/passwd" "$work/passwd"
	install_and_use
	upgrade
	try "dpkg --remove" dpkg --remove weir
	[ -e "$work/root/etc/weir/hello.yaml" ] || fail "removal has taken a spec"
	try "dpkg --purge" dpkg --purge weir weir-doc
	! grep -i warning "$work/said" || fail "dpkg warns at purge"
	paths >"$work/after"
	diff "$work/before" "$work/after" >&2 || fail "this is left, or gone, after purge (shown above)"
	cmp "$work/passwd" "$work/root/etc/passwd" || fail "a user is left"
}
