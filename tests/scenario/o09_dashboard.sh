# SPDX-License-Identifier: Apache-2.0
# The dashboard in a headless Chromium (browser.py): it loads, shows a killed worker, drills down by keyboard, is accessible as far as that can be measured, and
# logs nothing.
# seconds: 300
# sanitizers: no, what serves is the same as in o07
python=/usr/bin/python3 # Debian's modules are there for Debian's Python
command -v chromium >/dev/null && command -v chromedriver >/dev/null && "$python" -c 'import selenium' 2>/dev/null || skip "no chromium with chromedriver and python3-selenium here"
cat >spec.yaml <<'YAML'
pipeline: orders
stages:
  - {name: read, source: generate, rate: 400/s}
  - {name: price, from: read, exec: [cat], mode: line, workers: 4, order: fifo}
  - {name: audit, from: price, operator: filter, expr: 'true'}
  - {name: write, from: price, sink: discard}
  - {name: keep, from: audit, sink: discard}
YAML
weir run --json --progress=never spec.yaml 2>log >/dev/null &
run=$!
wait_until 60 running orders
weir console orders --wait --listen 127.0.0.1:0 2>said &
console=$!
wait_until 60 grep -q "http://127.0.0.1:" said
port=$(sed -n 's/.*127.0.0.1:\([0-9]*\).*/\1/p' said)
export HOME=$PWD XDG_CONFIG_HOME=$PWD/config XDG_CACHE_HOME=$PWD/cache
"$python" -B "$WEIR_SOURCE/tests/scenario/browser.py" "http://127.0.0.1:$port/" orders "$WEIR_BUILD/bin/weir" ${CONSOLE_PICTURES:+"$CONSOLE_PICTURES"} >browser.log 2>&1 || { cat browser.log >&2; fail "the browser"; }
cat browser.log
wait "$run"
assert_eq "$? $(final log balanced)" "0 true" "exit code, ledger"
kill -TERM "$console"
wait "$console"
