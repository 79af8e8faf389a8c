# SPDX-License-Identifier: Apache-2.0
# A real Prometheus scrapes the console of a running pipeline; promtool finds nothing to mend in what is served; the queries of docs/console.md return
# what they are said to.
# seconds: 180
# sanitizers: no, what serves is the same as in o07
command -v prometheus >/dev/null && command -v promtool >/dev/null || skip "no prometheus here"
cat >spec.yaml <<'YAML'
pipeline: scraped
stages:
  - {name: count, source: generate, rate: 500/s}
  - {name: cat, exec: [cat], mode: line, workers: 2}
  - {name: end, sink: discard}
YAML
weir run --json --progress=never spec.yaml 2>log >/dev/null &
run=$!
wait_until 60 running scraped
weir console scraped --listen 127.0.0.1:0 2>said &
console=$!
wait_until 60 grep -q "http://127.0.0.1:" said
port=$(sed -n 's/.*127.0.0.1:\([0-9]*\).*/\1/p' said)
curl -s -m 20 "http://127.0.0.1:$port/metrics" >text || fail "no metrics"
promtool check metrics <text >tool 2>&1 || { cat tool >&2; fail "promtool refuses it"; }
kill -KILL "$(worker_pids scraped | sed -n 2p)"

cat >prometheus.yaml <<YAML
global: {scrape_interval: 1s}
scrape_configs:
  - job_name: weir
    static_configs: [{targets: ["127.0.0.1:$port"]}]
YAML
own=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
prometheus --config.file=prometheus.yaml --storage.tsdb.path=data --web.listen-address="127.0.0.1:$own" >prometheus.log 2>&1 &
prometheus=$!
# value QUERY: the largest of its samples; "" if there is none
value() {
	curl -s -m 20 --data-urlencode "query=$1" "http://127.0.0.1:$own/api/v1/query" |
		python3 -c 'import json, sys; r = json.load(sys.stdin)["data"]["result"]; print(max((s["value"][1] for s in r), key=float, default=""))' 2>/dev/null
}
is() {
	[ "$(value "$1")" = "$2" ]
}
between() {
	value "$1" | awk -v low="$2" -v high="$3" '{ good = $1 != "" && $1 >= low && $1 <= high } END { exit !good }'
}
# Each query as it stands in the document.
in_docs() {
	grep -q -F "\`$1\`" "$WEIR_SOURCE/docs/console.md" || fail "docs/console.md does not have: $1"
}
there='up{job="weir"} and on() weir_console_supervisor_up'
delivered='sum(rate(weir_items_total{line="delivered"}[1m]))'
fill='weir_edge_bytes / weir_edge_capacity_bytes'
room='rate(weir_stage_wait_space_seconds_total[1m])'
replaced='sum by (stage) (weir_restarts_total)'
lives='sum(weir_workers)'
for query in "$there" "$delivered" "$fill" "$room" "$replaced" "$lives"; do
	in_docs "$query"
done
wait_until 90 is "$there" 1
wait_until 60 is "$lives" 4
wait_until 60 is "$replaced" 1
wait_until 90 between "$delivered" 1 1000
wait_until 60 between "$fill" 0 1
wait_until 60 between "$room" 0 4

assert_exit 0 weir drain scraped >/dev/null
wait "$run"
wait "$console"
wait_until 60 is 'up{job="weir"}' 0
kill -TERM "$prometheus"
wait "$prometheus"
[ "$(final log balanced)" = true ] || fail "the ledger"
