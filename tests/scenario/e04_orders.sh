# SPDX-License-Identifier: Apache-2.0
# examples/orders: four slow calls at once, joined, against the same one after the other; a payment channel that fails for a while.
# seconds: 180
# sanitizers: no, an example; its stages are in scenarios of their own
"$WEIR_SOURCE/examples/orders/compare" "$(command -v weir)" work >said || { tail -n 5 work/*.log >&2; fail "it does not run"; }
cat said
cd work || exit 1
# Each order is accounted for, once.
cat paid.ndjson later.ndjson | sed 's/.*"n":\([0-9]*\).*/\1/' | sort -n >left
assert_eq "$(sort -nu left | wc -l)" "$(wc -l <left)" "each leaves once"
assert_eq "$(($(wc -l <left) + $(wc -l <refused.ndjson)))" 1800 "every order is accounted for"
assert_eq "$(final orders.log balanced) $(final orders.log in_flight) $(final orders.log rejected)" "true 0 $(wc -l <refused.ndjson)" ledger
# At least seven times as many as one after the other, in as many processes.
awk '/^times/ { exit !($2 >= 7) }' ../said || fail "not seven times the serial one"
# The fallback is taken while the channel is down, counted by channel, and left by itself.
grep -q 'card.* is open: ' orders.log || fail "card was not opened"
grep -q 'card.* is closed again' orders.log || fail "card was not closed again"
[ "$(grep -c '"channel":"card"' later.ndjson)" -ge 100 ] || fail "$(grep -c '"channel":"card"' later.ndjson) orders by card took the fallback"
awk -F'"n":' '/"channel":"card"/ { split($2, n, ","); m += n[1] + 0 > 1650 } END { exit !m }' paid.ndjson || fail "card does not pay again"
# Within 10 ms of the slowest call: on a machine that has nothing else to do.
slowest=$(awk '/^at once/ { for (i = 1; i < NF; i++) if ($(i + 1) == "ms" && $(i + 2) == "(99") print $i }' ../said)
[ -z "${WEIR_NIGHTLY-}" ] || awk -v p="$slowest" 'BEGIN { exit !(p <= 112) }' || fail "99 % are joined after $slowest ms"
