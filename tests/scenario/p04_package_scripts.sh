# SPDX-License-Identifier: Apache-2.0
# What dpkg runs (packaging/debian): nothing is enabled or started; an upgrade restarts each pipeline whose spec can still run, and no other,
# and says so; removal drains, purge leaves nothing. The host is a folder, systemd are programs that write down what they are told.
# sanitizers: no, shell scripts, and weir check as elsewhere
mkdir -p scripts bin
for name in postinst prerm postrm; do
	sed -E "s,/(etc|var|run)/,$PWD/host/\1/,g" "$WEIR_SOURCE/packaging/debian/$name" >scripts/$name
	chmod +x scripts/$name
	! grep -n -E 'systemctl.* (enable|start)|deb-systemd-(helper|invoke).* (enable|start)' scripts/$name || fail "$name enables or starts something"
done

# fake NAME: a program that writes its call into the file `told`, and does what standard input says
fake() {
	{ echo '#!/bin/bash'; echo "echo \"$1 \$*\" >>'$PWD/told'"; cat; } >"bin/$1"
	chmod +x "bin/$1"
}
for name in systemd-sysusers systemd-tmpfiles userdel; do fake $name </dev/null; done
fake getent <<<"[ -e '$PWD/user' ]"
fake runuser <<<'shift 3; exec "$@"' # -u USER --
fake deb-systemd-invoke <<<'[ "$2" != weir@stuck.service ]'
fake systemctl <<EOS
case "\$*" in
list-units*) cat '$PWD/units' ;;
show*--property=User*) echo weir ;;
show*--property=WorkingDirectory*) echo '$PWD/host/var/lib/weir' ;;
show*--property=Environment*) echo WEIR_RUN_DIR='$WEIR_RUN_DIR' ;;
esac
EOS

# host_with UNIT...: a host on which these run
host_with() {
	rm -rf host
	mkdir -p host/etc/weir host/etc/systemd/system/weir.target.wants host/etc/systemd/system/multi-user.target.wants host/var/lib/weir/orders \
		host/run/systemd/system host/run/weir
	: >host/var/lib/weir/orders/dead-letters
	ln -s /usr/lib/systemd/system/weir@.service host/etc/systemd/system/weir.target.wants/weir@good.service
	ln -s /usr/lib/systemd/system/weir.target host/etc/systemd/system/multi-user.target.wants/weir.target
	: >host/etc/systemd/system/multi-user.target.wants/other.service
	: >units
	for unit in "$@"; do
		echo "weir@$unit.service loaded active running weir pipeline $unit" >>units
		printf 'pipeline: %s\nstages:\n  - {name: in, source: generate}\n  - {name: out, sink: discard}\n' "$unit" >"host/etc/weir/$unit.yaml"
	done
}

# scripted SCRIPT ARGUMENT...: runs it; what it says is in the file `said`, what it told others in `told`
scripted() {
	: >told
	PATH=$PWD/bin:$PATH "scripts/$1" "${@:2}" >said 2>&1 || fail "$* failed: $(cat said)"
}
invoked() { grep '^deb-systemd-invoke' told | sed 's/.* \(.*\) \(.*\)/\1 \2/' | paste -s -d ,; }

# The first time: the user and the folder, and nothing else.
host_with good
scripted postinst configure ""
assert_contains told "systemd-sysusers weir.conf"
assert_contains told "systemd-tmpfiles --create weir.conf"
assert_contains told "systemctl daemon-reload"
assert_eq "$(invoked)" "" "at the first installation"

# An upgrade: one that can run, one whose spec the new version does not take, one without a spec, one that does not come back, one more.
host_with bad good gone stuck zebra
echo '  - {name: more, sink: discrad}' >>host/etc/weir/bad.yaml
rm host/etc/weir/gone.yaml
scripted postinst configure 0.0.9
assert_eq "$(invoked)" "restart weir@good.service,restart weir@stuck.service,restart weir@zebra.service" "at an upgrade"
assert_contains said "$PWD/host/etc/weir/bad.yaml:5:"
assert_contains said "discrad"
assert_contains said "weir@bad.service is NOT restarted"
assert_contains said "there is no $PWD/host/etc/weir/gone.yaml any more"
assert_contains said "weir@gone.service is NOT restarted"
assert_contains said "weir@stuck.service could not be restarted"
assert_contains told "runuser -u weir --"

# Where systemd does not run there is nobody to be told.
host_with good
rm -r host/run/systemd
scripted postinst configure 0.0.9
! grep -q -E 'systemctl|invoke' told || fail "without systemd: $(cat told)"
scripted prerm remove
assert_eq "$(cat told)" "" "without systemd, at removal"

# An upgrade stops nothing, removal drains all that run, and leaves what is not the package's.
host_with good stuck zebra
scripted prerm upgrade 0.1.0
assert_eq "$(cat told)" "" "before an upgrade"
scripted prerm remove
assert_eq "$(invoked)" "stop weir@good.service,stop weir@stuck.service,stop weir@zebra.service" "at removal"
assert_contains said "weir@stuck.service could not be stopped"
find host | sort >before
scripted postrm remove
find host | sort | diff before - || fail "removal takes what only purge may"
assert_contains told "systemctl daemon-reload"

touch user
scripted postrm purge
assert_contains told "userdel weir"
find host -name '*weir*' >left
assert_eq "$(cat left)" "" "after purge"
[ -e host/etc/systemd/system/multi-user.target.wants/other.service ] || fail "purge took what is not weir's"
rm user
scripted postrm purge # again, and nobody is there to be removed
! grep -q userdel told || fail "there is no user to remove"
