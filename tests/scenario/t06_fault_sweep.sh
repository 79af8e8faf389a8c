# SPDX-License-Identifier: Apache-2.0
# sanitizers: no, each fault has a scenario of its own that runs there
# Faults of ten kinds out of all (nightly of all), one after the other, into a pipeline of every kind of stage under load (tests/sweep): each heals by itself, and at the end each item is
# there once, in order, and the ledger is exact. The table says what was injected, and how long it took.
# seconds: 240
touch "$WEIR_WORK/orphans-expected"
cat >within.sh <<'SH'
disk=
mkdir -p disk && mount -t tmpfs -o size=64m tmpfs disk 2>/dev/null && disk="--disk $PWD/disk"
mkdir folder
exec "$WEIR_SOURCE/tests/sweep/run" --plugin "$WEIR_BUILD/tests/plugins/hurt.so" --folder folder $disk --faults "$1" --seed "$WEIR_SEED" \
	--sure "stop worker,no memory supervisor"
SH
namespace="unshare -rm"
$namespace true 2>/dev/null || namespace=
$namespace bash within.sh "$(rounds 10 336)" || fail "not everything was healed"
