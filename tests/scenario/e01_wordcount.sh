# SPDX-License-Identifier: Apache-2.0
# examples/wordcount: what stands in its folder, and the same counts as coreutils for a longer text, through kills.
# seconds: 120
# sanitizers: no, an example; its stages are in scenarios of their own
example=$WEIR_SOURCE/examples/wordcount
assert_exit 0 weir check "$example/wordcount.yaml" >out
assert_exit 0 weir run --json "$example/wordcount.yaml"
assert_file_equal counts.txt "$example/expected.txt" "counts.txt"
assert_eq "$(final stderr balanced)" true ledger

for i in $(seq "$(rounds 5 100)"); do cat /usr/share/common-licenses/GPL-3 /usr/share/common-licenses/Apache-2.0; done >text
tr 'A-Z' 'a-z' <text | grep -oE '[a-z]+' | LC_ALL=C sort | uniq -c | awk '{ print $1, $2 }' | LC_ALL=C sort -k1,1nr -k2 | head -n 20 >expected
sed -e 's,/usr/share/common-licenses/GPL-3,text,; s,^stages:,restart: {intensity: 100000\, period: 10s\, backoff: 1ms\, backoff_max: 10ms}\nstages:,' "$example/wordcount.yaml" >spec.yaml
rm -f counts.txt
run_with_kills 0 "$(rounds 30 1000)" 7
assert_file_equal counts.txt expected "counts of a longer text"
[ "$(restarts stderr)" -ge 3 ] || fail "only $(restarts stderr) deaths: the run is too short to mean anything"
assert_eq "$(final stderr balanced)" true ledger
echo "$(restarts stderr) restarts"
