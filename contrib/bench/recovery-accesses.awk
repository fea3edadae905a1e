# SPDX-License-Identifier: LGPL-2.1-or-later
# Medians of accesses that recovery has measured, after median.awk.
{
	if (!($1 in nr))
		order[++nr_sides] = $1
	i = ++nr[$1]
	p50[$1, i] = $4
	p99[$1, i] = $5
	p999[$1, i] = $6
	rounds[$1, i] = $2
	at[$1, $2] = $5
}
function column(table, side,    i) {
	delete value
	for (i = 1; i <= nr[side]; i++)
		value[i] = table[side, i]
	return median(value, nr[side])
}
END {
	for (k = 1; k <= nr_sides; k++) {
		side = order[k]
		a = column(p50, side)
		b = column(p99, side)
		c = column(p999, side)
		for (i = 1; i <= nr[side]; i++) {
			rest = at["rest", rounds[side, i]]
			value[i] = rest ? at[side, rounds[side, i]] / rest : 0
		}
		middle = median(value, nr[side])
		printf "%s %.0f %.0f %.0f %.3f %.3f %.3f\n", side, a, b,
			c, middle, value[1], value[nr[side]]
	}
}
