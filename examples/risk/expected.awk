# The same payments and the same rules once more, by somebody who has never heard of weir: awk -v n=40000 -f expected.awk
BEGIN {
	split("de no it jp", countries, " ")
	for (i = 1; i <= n; i++) {
		h = i * 2654435761 % 4294967296
		card = h % 20 == 0 ? int(h / 20) % 50 : 50 + h % 49950
		away = int(h / 7) % 100 >= 97
		ms = int(i * 1000 / 23148)
		cents = (int(h / 50000) % 500) ^ 2
		country = countries[(card + away) % 4 + 1]
		if (!(card in begin)) {
			begin[card] = ms
			last[card] = country
		}
		if (ms - begin[card] >= 60000) {
			begin[card] = ms
			payments[card] = sum[card] = 0
		}
		payments[card]++
		sum[card] += cents
		reasons = ""
		if (cents > 248000) reasons = reasons ",\"large\""
		if (payments[card] == 31) reasons = reasons ",\"often\""
		if (sum[card] > 3000000 && sum[card] - cents <= 3000000) reasons = reasons ",\"much\""
		if (country != last[card]) reasons = reasons ",\"moved\""
		last[card] = country
		if (reasons != "") printf "{\"card\":%d,\"n\":%d,\"reasons\":[%s]}\n", card, i, substr(reasons, 2)
	}
}
