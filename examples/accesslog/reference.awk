# SPDX-License-Identifier: Apache-2.0
# The same without weir, in one process:   awk -f reference.awk access.log | LC_ALL=C sort -k1,1 -k2,2nr -k3,3 | awk 'n[$1]++ < 3'
$1 == "-" { next }
{
	split(substr($4, 2), at, "[/:]")
	hour = at[1] * 24 + at[4] - 1 # in UTC
	path = $7
	sub(/\?.*/, "", path)
	id = sprintf("2026-11-%02dT%02d:00:00Z %s", int(hour / 24), hour % 24, path)
	n[id]++
	bytes[id] += $10 == "-" ? 0 : $10
	errors[id] += $9 >= 500
	if (!((id, $1) in seen)) { seen[id, $1]; clients[id]++ }
}
END {
	for (id in n) {
		split(id, part, " ")
		print part[1], n[id], part[2], bytes[id], errors[id], clients[id]
	}
}
