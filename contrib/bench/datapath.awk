# SPDX-License-Identifier: LGPL-2.1-or-later
# Medians of one case, name, that datapath has measured, after median.awk.
$1 == name && $2 == "tmpfs" { native[$3 + 1] = $4; n++ }
$1 == name && $2 == "hugetmpfs" { ours[$3 + 1] = $4 }
END {
	if (!n)
		exit 1
	for (i = 1; i <= n; i++)
		ratio[i] = native[i] ? ours[i] / native[i] : 0
	middle = median(ratio, n)
	printf "%s %.1f %.1f %.3f %.3f %.3f\n", name, median(native, n),
		median(ours, n), middle, ratio[1], ratio[n]
}
