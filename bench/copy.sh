#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Lines of a file through chains of stages, beside cat in a shell pipe, which gives none of weir's promises: bench/copy.sh [BUILD] [MIB]
set -euo pipefail
cd "$(dirname "$0")/.."
build=${1:-build/release}
mib=${2:-256}
runs=5
[ -x "$build/bin/weir" ] || { echo "bench/copy.sh: no $build/bin/weir; build it: cmake --preset release && cmake --build --preset release" >&2; exit 1; }
build=$(cd "$build" && pwd)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
mkdir -m 0700 run
export WEIR_RUN_DIR=$PWD/run PATH=$build/bin:$PATH

awk -v mib="$mib" 'BEGIN {
	text = "the quick brown fox jumps over the lazy dog and back again to the river"
	while (size < mib * 1048576) { line = sprintf("%d %s", ++n, substr(text, 1, n % 60 + 10)); size += length(line) + 1; print line }
}' >in
spec() {
	printf 'pipeline: bench\nstages:\n  - {name: read, source: file, path: in}\n%s  - {name: write, sink: file, path: out}\n' "$1" >"$2.yaml"
}
spec '' plain
spec '  - {name: cat, exec: [cat]}
' cat
spec '  - {name: cat, exec: [cat], workers: 3, order: fifo}
' ordered

echo "$(uname -sr), $(nproc) x$(sed -n 's/^model name[^:]*://p' /proc/cpuinfo | head -n 1), $(weir version | head -n 1)"
echo "$mib MiB, $(wc -l <in) lines of $((mib * 1048576 / $(wc -l <in))) bytes on average; each $runs runs"
printf '%-44s %10s %10s %10s   MiB/s\n' "" median slowest fastest

# measure NAME COMMAND...
measure() {
	local name=$1 run started
	shift
	for run in $(seq "$runs"); do
		rm -f out
		started=$(date +%s%N)
		"$@"
		echo $((mib * 10000000000 / ($(date +%s%N) - started)))
		cmp -s in out || { echo "$name: the copy differs" >&2; exit 1; }
	done | sort -n | awk -v name="$name" '{ speed[NR] = $1 / 10 }
		END { printf "%-44s %10.1f %10.1f %10.1f\n", name, speed[int((NR + 1) / 2)], speed[1], speed[NR] }'
}
measure "cat in | cat > out" sh -c 'cat in | cat >out'
measure "weir: file, file" weir run --quiet plain.yaml
measure "weir: file, exec cat, file" weir run --quiet cat.yaml
measure "weir: file, exec cat x 3 in order, file" weir run --quiet ordered.yaml
