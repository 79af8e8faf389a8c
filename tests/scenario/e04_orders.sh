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
# Five times as many as the partners stand: who is beyond the rate is told so, the others are served, and each order is one of them, once.
cd .. && mkdir beyond && cd beyond && ln -s "$WEIR_SOURCE/examples" "$WEIR_SOURCE/python" . || exit 1
n=$(rounds 4000 60000)
assert_exit 3 weir run --json --progress=never --set stages.read.rate=2000/s --set "stages.read.count=$n" examples/orders/orders.yaml
sed 's/.*"reason":"\([^"]*\)".*/\1/' refused.ndjson | sort | uniq -c | sed 's/^ *//' >reasons
assert_eq "$(cat reasons)" "$(wc -l <refused.ndjson) over the rate of 400/s" "why they are refused"
{ sed 's/.*"sequence":\([0-9]*\).*/\1/' refused.ndjson | awk '{ print $1 + 1 }'; cat paid.ndjson later.ndjson | sed 's/.*"n":\([0-9]*\).*/\1/'; } | sort -n >seen
seq "$n" | cmp - seen || fail "beyond the rate: not each order once: $(uniq -d seen | wc -l) twice, $(wc -l <seen) of $n"
assert_eq "$(final stderr balanced) $(final stderr in_flight) $(final stderr rejected)" "true 0 $(wc -l <refused.ndjson)" "ledger beyond the rate"
[ "$(cat paid.ndjson later.ndjson | wc -l)" -ge 60 ] || fail "nobody is served" # the burst, however slow the machine
awk -v let_in="$(cat paid.ndjson later.ndjson | wc -l)" -v s="$(grep '"type":"summary"' stderr | grep -o '"uptime_seconds":[0-9.]*' | cut -d: -f2)" \
	'BEGIN { printf "beyond   %d let in within %.1f s\n", let_in, s; exit !(let_in <= 400 * s + 60) }' || fail "more were let in than the rate allows"
