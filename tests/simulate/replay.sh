#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Two processes, one seed, one trace: byte for byte. A trace that hung on an address or on what lay in memory would differ.
#   replay.sh SIMULATE
set -u
for seed in 1 7 42 1000 31337; do
	first=$("$1" --seed "$seed" | sha256sum) second=$(env A_LONGER_ENVIRONMENT=moves-the-stack "$1" --seed "$seed" | sha256sum)
	lines=$("$1" --seed "$seed" | wc -l)
	if [ "$first" != "$second" ] || [ "$lines" -lt 20 ]; then
		echo "seed $seed: two processes, two traces, or none ($lines lines): diff <($1 --seed $seed) <($1 --seed $seed)"
		exit 1
	fi
done
echo "5 seeds, each in two processes: the same traces"
