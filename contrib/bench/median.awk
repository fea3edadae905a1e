# SPDX-License-Identifier: LGPL-2.1-or-later
# Sorts values[1] to values[n] and returns the one in the middle.
function median(values, n,    i, j, t) {
	for (i = 2; i <= n; i++)
		for (j = i; j > 1 && values[j - 1] > values[j]; j--) {
			t = values[j]
			values[j] = values[j - 1]
			values[j - 1] = t
		}
	# an odd n has one in the middle, an even one two
	return (values[int((n + 1) / 2)] + values[int(n / 2) + 1]) / 2
}
