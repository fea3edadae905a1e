#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# hugetmpfsctl metrics: read by a strict parser, with the values that counters
# and status have; of a mount with a strange name, and of one that is dead.
# sanitized
. "${0%/*}/lib.sh"

ctl=$HUGETMPFSCTL
MNT=$HT_DIR/a\"b
mount_start size=256M,huge=never,nr_inodes=1k

parse() # AWK_OPTION...
{
	awk "$@" -f "$HT_SRC/tests/integration/openmetrics.awk" "$HT_DIR/text"
}

value() # NAME
{
	grep -F "$1 " "$HT_DIR/values" | cut -d' ' -f2
}

echo "the parser finds faults"
good='# TYPE a counter\n# HELP a b\na_total{mount="x"} 1\n# EOF\n'
# shellcheck disable=SC2059 # a text with escapes
parses()
{
	printf "$1" >"$HT_DIR/text"
	parse >"$HT_DIR/faults"
}
assert parses "$good"
for fault in 's/# EOF.n//' 's/a_total/a/' 's/counter/gauge/' 's/} 1/} one/' \
	's/mount="x"/mount="x/' 's/mount=/m=/' 's/# HELP a b.n//' 's/"x"/"\\\\x"/' \
	's/# HELP a b/# UNIT a b/' 's/$/x{mount="y"} 1\\n/' 's/} 1/} 1 /' \
	's/\(a_total.*\)\(#\)/\1\1\2/'; do
	bad=$(sed "$fault" <<<"$good")
	[ "$bad" != "$good" ] || fail "$fault"
	refute parses "$bad"
done

echo "metrics"
dd if=/dev/urandom of="$MNT/file" bs=1M count=8 status=none
fallocate -p -o 0 -l 8192 "$MNT/file"
"$ctl" recover --quiet "$MNT/file"
# what was asked before may still be counted: taken between two that are alike
steady()
{
	"$ctl" counters "$MNT" >"$HT_DIR/before"
	"$ctl" metrics "$MNT" >"$HT_DIR/text"
	"$ctl" counters "$MNT" >"$HT_DIR/counters"
	cmp -s "$HT_DIR/before" "$HT_DIR/counters"
}
wait_for 60 steady
parse -v show=1 >"$HT_DIR/values" || fail "$(<"$HT_DIR/values")"
assert_eq "$(tail -n 1 "$HT_DIR/text")" "# EOF" "the end"
assert_eq "$(grep -c "mount=\"${HT_DIR}/a" "$HT_DIR/text")" \
	"$(grep -vc '^#' "$HT_DIR/text")" "samples with the mount"
assert grep -qF 'hugetmpfs_up{mount="'"$HT_DIR"'/a\"b"} 1' "$HT_DIR/text"
assert_eq "$(value hugetmpfs_recovered_bytes_total)" $((8 << 20)) "recovered"
assert_eq "$(value hugetmpfs_filled_bytes_total)" 8192 "filled"
assert_eq "$(value 'hugetmpfs_works_ended_total[done]')" 4 "works done"
assert_eq "$(value hugetmpfs_size_bytes)" $((256 << 20)) "size"
assert_eq "$(value 'hugetmpfs_setting_recover_info[off]')" 1 "setting"
assert_ge "$(value 'hugetmpfs_step_duration_seconds_count[collapse]')" 4 \
	"collapses"
assert_eq "$(value 'hugetmpfs_interface_present[MADV_COLLAPSE]')" 1 "interface"

echo "each counter, with the same value"
while read -r name number; do
	case $name in
	ended_*) sample="hugetmpfs_works_ended_total[${name#ended_}]" ;;
	fuse_*) sample="hugetmpfs_fuse_requests_total[${name#fuse_}]" ;;
	*) sample="hugetmpfs_${name}_total" ;;
	esac
	assert_eq "$(value "$sample")" "$number" "$name"
done <"$HT_DIR/counters"
assert_eq "$(value hugetmpfs_huge_alloced_total)" 4 "huge_alloced"

echo "in the manual"
while read -r family; do
	name=${family#hugetmpfs_}
	! grep -q "^$name " "$HT_DIR/counters" || continue
	[ "${name#setting_}" = "$name" ] || continue
	grep -qE "\\b$family(_info|_total)?\\b" "$HT_SRC/man/hugetmpfsctl.8" ||
		fail "$family is not explained"
done < <(sed -n 's/^# TYPE \([^ ]*\) .*/\1/p' "$HT_DIR/text")

echo "for the textfile collector"
"$ctl" metrics --prometheus "$MNT" >"$HT_DIR/text"
parse -v prometheus=1 -v show=1 >"$HT_DIR/prometheus" ||
	fail "$(<"$HT_DIR/prometheus")"
assert diff <(cut -d' ' -f1 "$HT_DIR/values") \
	<(cut -d' ' -f1 "$HT_DIR/prometheus")

echo "no limits, no passthrough"
mount_start passthrough=off,size=0,nr_inodes=0 "$HT_DIR/other"
"$ctl" metrics "$HT_DIR/other" >"$HT_DIR/text"
parse -v show=1 >"$HT_DIR/values" || fail "$(<"$HT_DIR/values")"
refute grep -q '^hugetmpfs_size_' "$HT_DIR/values"
assert_eq "$(value hugetmpfs_passthrough)" 0 "passthrough"

echo "bad input"
assert_status 1 "$ctl" metrics
assert_status 1 "$ctl" metrics --json "$MNT"
assert_status 1 "$ctl" metrics "$MNT" "$MNT"
assert_status 0 "$ctl" metrics --help
assert_status 2 "$ctl" metrics "$HT_DIR"
assert_match "$OUT" 'not on a hugetmpfs mount' "another file system"
chmod 711 "$HT_DIR"
assert_status 2 setpriv --reuid=65534 --regid=65534 --clear-groups \
	"$ctl" metrics "$HT_DIR/other"
assert_match "$OUT" 'only root may' "not root"

echo "a daemon that does not answer, and a dead one"
daemon=$(mount_daemon)
stop_process "$daemon"
"$ctl" metrics "$MNT" >"$HT_DIR/text"
kill -CONT "$daemon"
down() { [ "$(value hugetmpfs_up)" = 0 ] && [ "$(wc -l <"$HT_DIR/values")" = 1 ]; }
parse -v show=1 >"$HT_DIR/values" || fail "$(<"$HT_DIR/values")"
assert down
mount_kill
"$ctl" metrics "$MNT" >"$HT_DIR/text"
parse -v show=1 >"$HT_DIR/values" || fail "$(<"$HT_DIR/values")"
assert down
"$HUGETMPFS" --attach "$MNT"
"$ctl" metrics "$MNT" >"$HT_DIR/text"
parse -v show=1 >"$HT_DIR/values" || fail "$(<"$HT_DIR/values")"
assert_eq "$(value hugetmpfs_up)" 1 "up after the attach"
