# What must be stored, from the log itself: awk -v table=orders -f expected.awk orders.log*
/^at=/ {
	for (i = 1; i <= NF; i++) {
		at = index($i, "=")
		f[substr($i, 1, at - 1)] = substr($i, at + 1)
	}
	if (table == "orders")
		printf "%d|%s|%s|%s|%s|%d\n", f["order"], f["at"], f["shop"], substr(f["user"], 1, 1) "***" substr(f["user"], index(f["user"], "@")),
			"************" substr(f["card"], length(f["card"]) - 3), f["cents"]
	minute = f["shop"] "|" substr(f["at"], 1, 17) "00Z"
	orders[minute]++
	cents[minute] += f["cents"]
}
END {
	if (table == "minutes")
		for (minute in orders)
			printf "%s|%d|%d\n", minute, orders[minute], cents[minute]
}
