# SPDX-License-Identifier: LGPL-2.1-or-later
# Medians of what recovery has measured, after median.awk.
$1 != "access" {
	key = $1 " " $2
	if (!(key in nr))
		order[++nr_keys] = key
	nr[key]++
	rate[key, $3] = $5 * 2 / ($4 / 1e9)
	rounds[key, nr[key]] = $3
	share[key] += $5 / ($6 ? $6 : 1)
}
END {
	for (k = 1; k <= nr_keys; k++) {
		key = order[k]
		split(key, word, " ")
		ours = word[1] " hugetmpfs"
		n = m = 0
		delete value
		delete ratio
		for (i = 1; i <= nr[key]; i++) {
			r = rounds[key, i]
			value[++n] = rate[key, r]
			if (rate[key, r] > 0)
				ratio[++m] = rate[ours, r] / rate[key, r]
		}
		middle = m ? median(ratio, m) : 0
		printf "%s %.1f %.3f %.3f %.3f %.3f\n", key,
			median(value, n), share[key] / n, middle,
			m ? ratio[1] : 0, m ? ratio[m] : 0
	}
}
