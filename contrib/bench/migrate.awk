# SPDX-License-Identifier: LGPL-2.1-or-later
# Medians of what contrib/bench/migrate has measured, after median.awk.
{
	if (!($1 in batch))
		kinds[++nr_kinds] = $1
	batch[$1] = $6
	ns[$1, $2, $3] = $4
	if ($3 >= rounds[$1])
		rounds[$1] = $3 + 1
	if ($2 == "request" && $5 > off[$1])
		off[$1] = $5
}
END {
	for (k = 1; k <= nr_kinds; k++) {
		kind = kinds[k]
		n = rounds[kind]
		for (i = 1; i <= n; i++) {
			loops[i] = ns[kind, "loop", i - 1]
			requests[i] = ns[kind, "request", i - 1]
			ratios[i] = requests[i] / loops[i]
		}
		ratio = median(ratios, n)
		printf "%s %d %.0f %.0f %.3f %.3f %.3f %d\n", kind, batch[kind],
			median(loops, n), median(requests, n), ratio, ratios[1],
			ratios[n], off[kind]
	}
}
