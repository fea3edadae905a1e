#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# hugetmpfsctl recover: what it says it does and has done, directories, what
# cannot be recovered, interruption, and bad input.
# sanitized
. "${0%/*}/lib.sh"
. "${0%/*}/app.inc"

ctl=$HUGETMPFSCTL
user=(setpriv --reuid=65534 --regid=65534 --clear-groups)
chmod 711 "$HT_DIR"
# on a machine that has run for long there may be no free huge page
echo 1 >/proc/sys/vm/compact_memory
mount_start size=1G,huge=never

build() # FILE MIB
{
	dd if=/dev/urandom of="$1" bs=1M count="$2" status=none
}

coverage() # FILE...
{
	"$ctl" map --json "$@" | jq -r '.summary.coverage_percent + 0'
}

# ---- a dry run changes nothing ----

build "$MNT/file" 16
fallocate -p -o $((4 << 20)) -l $((2 << 20)) "$MNT/file"
fallocate -p -o $((8 << 20)) -l 4096 "$MNT/file"
assert_status 0 "$ctl" recover --dry-run "$MNT/file"
assert_match "$OUT" '^/.*/file: 16\.0 MiB, 0\.0 % of 7 eligible extents huge' \
	"dry run"
assert_match "$OUT" '0-1 +2  small +- +- +yes +- +recover' "first group"
assert_match "$OUT" '2-2 +1  hole +- +- +- +- +empty' "hole"
assert_match "$OUT" '4-4 +1  partial +- +- +yes +- +recover' "partial extent"
assert_status 0 "$ctl" recover --dry-run --json "$MNT/file"
assert_eq "$(jq -c '.dry_run, .files[0].groups[1]' <<<"$OUT" | tr '\n' ' ')" \
	'true {"first":2,"last":2,"state":"hole","passes":[],"reason":"empty"} ' \
	"dry run as JSON"
assert_eq "$(coverage "$MNT/file")" 0 "coverage after dry runs"

# ---- recovery ----

sum=$(sha256sum <"$MNT/file")
assert_status 0 "$ctl" recover "$MNT/file"
assert_match "$OUT" \
	': 16\.0 MiB, 0\.0 % -> 100\.0 % of 7 eligible extents huge, 7 recovered \(14\.0 MiB\) in [0-9.]+ s, [0-9.]+ GiB/s' \
	"result"
assert_eq "$(sha256sum <"$MNT/file")" "$sum" "content"
assert_eq "$(coverage "$MNT/file")" 100 "coverage"
# once more: nothing is left to do
assert_status 0 "$ctl" recover "$MNT/file"
assert_match "$OUT" '100\.0 % -> 100\.0 % .* 0 recovered' "second time"

build "$MNT/file2" 4
assert_status 0 "$ctl" recover --json "$MNT/file2" "$MNT/file"
assert_eq "$(jq -c 'keys_unsorted' <<<"$OUT")" \
	'["dry_run","files","interrupted","cancelled","total"]' "JSON"
assert_eq "$(jq -c '.files[0] | keys_unsorted' <<<"$OUT")" \
	'["file","size_bytes","before","after","recovered_extents","recovered_bytes","seconds","bytes_per_second"]' \
	"members of a file"
assert_eq "$(jq -c '.total | .files, .failed, .recovered_extents,
	.recovered_bytes, .after.coverage_percent == 100' <<<"$OUT" |
	tr '\n' ' ')" '2 0 2 4194304 true ' "total"
assert_eq "$(jq -c '[.files[].before.huge]' <<<"$OUT")" '[0,7]' "before"

# nothing to do is no error
: >"$MNT/empty"
truncate -s 10M "$MNT/hole"
assert_status 0 "$ctl" recover "$MNT/empty" "$MNT/hole"
assert_match "$OUT" '/empty: 0 bytes, empty: nothing to do' "empty file"
assert_match "$OUT" '/hole: 10\.0 MiB, no data: nothing to do' "hole"
assert_status 0 "$ctl" recover --quiet "$MNT/empty"
assert_eq "$OUT" "" "quiet"

# ---- directories ----

mkdir -p "$MNT/dir/a/b" "$MNT/dir/mounted" "$HT_DIR/elsewhere" "$MNT/outside"
build "$MNT/dir/one" 2
build "$MNT/dir/a/b/two" 2
build "$MNT/outside/three" 2
ln "$MNT/dir/one" "$MNT/dir/a/link"
ln -s "$MNT/outside" "$MNT/dir/a/symlink"
ln -s "$MNT/outside/three" "$MNT/dir/a/symlink3"
mkfifo "$MNT/dir/a/fifo"
mknod "$MNT/dir/a/device" c 1 3
# another mount, and the same file system mounted once more
mount -t tmpfs none "$MNT/dir/mounted"
: >"$MNT/dir/mounted/x"
mkdir "$MNT/dir/bound"
mount --bind "$MNT/outside" "$MNT/dir/bound"
status=0
timeout 20 "$ctl" recover --json "$MNT/dir" >"$HT_DIR/out" || status=$?
umount "$MNT/dir/bound" "$MNT/dir/mounted"
assert_eq $status 0 "exit code"
assert_eq "$(jq -r '.total.files, .total.recovered_extents' "$HT_DIR/out" |
	tr '\n' ' ')" "2 2 " "files below"
assert_eq "$(coverage "$MNT/outside/three")" 0 "file outside"
mkdir "$MNT/nothing"
assert_status 0 "$ctl" recover "$MNT/nothing"
assert_match "$OUT" '^no files: nothing to do' "directory without files"
# a symbolic link that is named is followed
assert_status 0 "$ctl" recover "$MNT/dir/a/symlink3"
assert_eq "$(coverage "$MNT/outside/three")" 100 "file by its link"

# a small file that was found stays small, one that is named does not
mkdir "$MNT/small"
printf x >"$MNT/small/file"
build "$MNT/small/large" 3
assert_status 0 "$ctl" recover "$MNT/small"
assert_match "$OUT" 'too_many_holes +2  ' "small file"
assert_eq "$(coverage "$MNT/small/file")" 0 "small file"
assert_status 0 "$ctl" recover --dry-run "$MNT/small"
assert_match "$OUT" 'small .* too_many_holes' "small file in a dry run"
assert_status 0 "$ctl" recover "$MNT/small/file"
assert_eq "$(coverage "$MNT/small/file")" 100 "small file that is named"

# ---- permissions: writing is what it needs ----

build "$MNT/private" 2
chmod 644 "$MNT/private"
assert_status 2 "${user[@]}" "$ctl" recover "$MNT/private"
assert_match "$OUT" 'Permission denied' "reading alone"
assert_eq "$(coverage "$MNT/private")" 0 "untouched"
mkdir -m 755 "$MNT/mixed"
build "$MNT/mixed/no" 2
build "$MNT/mixed/yes" 2
chmod 602 "$MNT/mixed/yes"
assert_status 3 "${user[@]}" "$ctl" recover "$MNT/mixed"
assert_match "$OUT" 'mixed/no: Permission denied' "one of two"
assert_match "$OUT" 'mixed/yes: 2\.0 MiB, 0\.0 % -> 100\.0 %' "writing alone"
mkdir -m 700 "$MNT/mixed/closed"
assert_status 3 "${user[@]}" "$ctl" recover --quiet "$MNT/mixed"
assert_match "$OUT" 'mixed/closed: Permission denied' "closed directory"

# ---- partly ----

build "$MNT/pinned" 8
app_start one -a "$MNT/pinned"
app_do one pin $((2 << 20))
assert_status 3 "$ctl" recover "$MNT/pinned"
assert_match "$OUT" 'why not huge:'$'\n''  (pinned|again) +1  ' "reason"
app_stop one
assert_status 0 "$ctl" recover "$MNT/pinned"

# ---- interrupted: what is done stays done ----

assert_eq "$(jq -r .interrupted "$HT_DIR/out")" false "interrupted"
counter() # NAME
{
	"$ctl" counters --json "$MNT" | jq ".$1"
}
some_done() { [ "$(counter recov_completed)" -gt "$before" ]; }
for try in 1 2 3 4 5; do
	rm -f "$MNT/large"
	build "$MNT/large" 400
	before=$(counter recov_completed)
	# a shell has its background commands ignore SIGINT; env undoes it
	env --default-signal=INT "$ctl" recover --json "$MNT/large" \
		>"$HT_DIR/out" 2>"$HT_DIR/err" &
	pid=$!
	wait_for 20 some_done
	kill -INT $pid
	status=0
	wait $pid || status=$?
	[ $status = 0 ] || break
done
assert_eq $status 3 "exit code when interrupted"
assert_match "$(<"$HT_DIR/err")" 'interrupted; what is done stays done' "words"
assert_eq "$(jq -r .interrupted "$HT_DIR/out")" true "interrupted"
assert_match "$(coverage "$MNT/large")" '[1-9]' "coverage after try $try"

# the rest
assert_status 0 "$ctl" recover "$MNT/large"
# a huge page that is on its way elsewhere at this moment looks small
whole() { [ "$(coverage "$MNT/large")" = 100 ]; }
wait_for 60 whole

# ---- progress on a terminal ----

rm "$MNT/large"
build "$MNT/large" 400
script -qec "'$ctl' recover '$MNT/large'" /dev/null >"$HT_DIR/terminal" ||
	fail "recovery on a terminal: $(<"$HT_DIR/terminal")"
assert_match "$(cat -v "$HT_DIR/terminal")" \
	'[0-9]+ %  [0-9.]+ [MG]iB  [0-9.]+ GiB/s  [0-9]+:[0-9]+ left' "progress"

# ---- bad input ----

assert_status 1 "$ctl" recover
assert_match "$OUT" 'no path is named' "no argument"
assert_status 1 "$ctl" recover --force "$MNT/file"
assert_match "$OUT" '\-\-force: unknown option' "unknown option"
assert_status 0 "$ctl" recover --help
assert_status 2 "$ctl" recover "$MNT/none"
assert_match "$OUT" 'No such file' "no such file"
assert_status 2 "$ctl" recover "$HT_DIR"
assert_match "$OUT" 'not on a hugetmpfs mount' "directory elsewhere"
assert_status 2 "$ctl" recover "$0"
assert_match "$OUT" 'not on a hugetmpfs mount' "file elsewhere"
assert_status 2 timeout 5 "$ctl" recover "$MNT/dir/a/fifo"
assert_match "$OUT" 'not a regular file' "fifo"
assert_status 3 "$ctl" recover "$MNT/none" "$MNT/file"
OUT=$("$ctl" recover --json "$MNT/none" "$MNT/file" 2>/dev/null) || true
assert_eq "$(jq -r '.files[0].error.errno, .total.failed' <<<"$OUT" |
	tr '\n' ' ')" 'ENOENT 1 ' "error as JSON"
cp /bin/sleep "$MNT/program"
"$MNT/program" 30 &
pid=$!
assert_status 2 "$ctl" recover "$MNT/program"
assert_match "$OUT" 'a program runs from it' "running program"
kill $pid
