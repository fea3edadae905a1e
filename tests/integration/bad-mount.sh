#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What cannot be mounted: each case has its message and exit code, and leaves no
# process, mount or folder behind.
# sanitized
. "${0%/*}/lib.sh"

# None before the first mount since the boot.
folders()
{
	find /run/hugetmpfs -mindepth 1 -maxdepth 1 2>/dev/null | sort || :
}

left()
{
	(
		export -n HT_DIR
		trap - ERR
		set +e
		cleanup_list "$HT_DIR"
	)
}

# $prefix is put in front of the command.
bad() # STATUS MESSAGE ARG...
{
	local status=$1 message=$2 before

	shift 2
	before=$(folders)
	# shellcheck disable=SC2086 # a list of words
	assert_status "$status" ${prefix:-} "$program" "$@"
	assert_eq "$OUT" "$message" "message"
	refute mount_is_there
	[ -n "$before" ] || assert_eq "$(folders)" "" "folders"
	assert_eq "$(left)" "" "left"
}

program=$HUGETMPFS
prefix=
mkdir "$MNT"
touch "$HT_DIR/file"

echo "the command line"
name=$(basename "$HUGETMPFS")
bad 1 "hugetmpfs: no mount point given; try --help"
bad 1 "hugetmpfs: too many arguments: 'c'" a b c
bad 1 "$HUGETMPFS: unrecognized option '--strange'
$name: try --help" --strange "$MNT"
bad 1 "hugetmpfs: unknown option 'sise=4G'" -o sise=4G "$MNT"
bad 1 "hugetmpfs: bad value 'maybe' for option passthrough: it is on or off" \
	-o passthrough=maybe "$MNT"
bad 1 "hugetmpfs: bad value '-1' for option recoveries: it is a number from 0 \
to 256" -o recoveries=-1 "$MNT"
bad 1 "hugetmpfs: bad value 'all,of' for option debug: it is a list of all, \
fuse, namespace, recovery, mm, control, keeper" -d all,of "$MNT"

echo "options that the kernel refuses"
bad 1 "hugetmpfs: bad value '12x' for option size: it is \
bytes, with k, m or g after it, or a percentage of the memory like 50%" -o size=12x "$MNT"
bad 1 "hugetmpfs: bad value '' for option size: it is \
bytes, with k, m or g after it, or a percentage of the memory like 50%" -o size= "$MNT"
bad 1 "hugetmpfs: option size needs a value" -o size "$MNT"
bad 1 "hugetmpfs: bad value '-5' for option size: it is \
bytes, with k, m or g after it, or a percentage of the memory like 50%" -o size=-5 "$MNT"
bad 1 "hugetmpfs: value '99999999999999999999' of option size is too large" \
	-o size=99999999999999999999 "$MNT"
bad 1 "hugetmpfs: bad value 'x' for option nr_inodes: it is \
a number, with k, m or g after it, 0 for no limit" -o nr_inodes=x "$MNT"
bad 1 "hugetmpfs: bad value '9' for option mode: it is \
an octal number up to 7777" -o mode=9 "$MNT"
bad 1 "hugetmpfs: bad value 'root' for option uid: it is \
the number of a user" -o uid=root "$MNT"
bad 1 "hugetmpfs: bad value 'often' for option huge: it is \
never, always, within_size or advise" -o huge=often "$MNT"
bad 1 "hugetmpfs: bad value 'bind:0,77' for option mpol: it is \
a policy like interleave or bind:0-1 with nodes that this machine has" \
	-o mpol=bind:0,77,ro "$MNT"

echo "the mount point"
bad 2 "hugetmpfs: mount point $HT_DIR/none does not exist" "$HT_DIR/none"
bad 2 "hugetmpfs: mount point $HT_DIR/file is not a directory" "$HT_DIR/file"
bad 2 "hugetmpfs: mount point $HT_DIR/file/x is not a directory" \
	"$HT_DIR/file/x"
ln -s loop "$HT_DIR/loop"
bad 2 "hugetmpfs: mount point $HT_DIR/loop: Too many levels of symbolic links" \
	"$HT_DIR/loop"

echo "nothing to attach"
bad 2 "hugetmpfs: nobody keeps files of a hugetmpfs on $MNT" --attach "$MNT"

echo "not root"
cp "$HUGETMPFS" "$HT_DIR/program"
chmod 755 "$HT_DIR" "$HT_DIR/program"
program=$HT_DIR/program
prefix="setpriv --reuid 65534 --regid 65534 --clear-groups"
bad 2 "hugetmpfs: only root may mount (CAP_SYS_ADMIN is needed)" "$MNT"
bad 1 "hugetmpfs: unknown option 'strange'" -o strange "$MNT"
program=$HUGETMPFS

echo "root in a user namespace"
prefix="unshare -Urm"
if $prefix true; then
	for passthrough in on off; do
		bad 2 "hugetmpfs: only root outside of any user namespace may \
mount (CAP_DAC_READ_SEARCH is needed there)" \
			-o passthrough=$passthrough "$MNT"
	done
fi

echo "no FUSE passthrough"
prefix=
mount_start passthrough=off
echo content >"$MNT/file"
assert_eq "$(cat "$MNT/file")" content "a file without passthrough"
assert_match "$("$HUGETMPFSCTL" status --no-scan "$MNT" | grep ^passthrough)" \
	"off" "status"
mount_stop

echo "what it needs itself would lie on the mount"
for path in / /proc /sys /dev /etc /run /usr; do
	# should it not be refused, nobody else is to see it
	assert_status 2 unshare -m "$program" "$path"
	assert_match "$OUT" "^hugetmpfs: cannot mount on $path: hugetmpfs itself \
needs [^ ]*, and would wait for its own mount: choose another mount point\$" \
		"message"
done
assert_eq "$(left)" "" "left"

echo "no /dev/fuse"
without_device()
{
	unshare -m sh -c 'mount -t tmpfs none /dev && "$@"' sh "$@"
}
prefix=without_device
bad 2 "hugetmpfs: no /dev/fuse: the kernel's fuse module is not loaded; try \
modprobe fuse" "$MNT"

echo "huge pages of another size"
huge_pages=/sys/kernel/mm/transparent_hugepage/hpage_pmd_size
if [ -e $huge_pages ]; then
	echo 33554432 >"$HT_DIR/size"
	with_large_pages()
	{
		# shellcheck disable=SC2016 # for the inner shell
		unshare -m sh -c 'mount --bind "$0" "$1" && shift && "$@"' \
			"$HT_DIR/size" $huge_pages "$@"
	}
	prefix=with_large_pages
	bad 2 "hugetmpfs: huge pages of this kernel have 33554432 bytes, and \
hugetmpfs is made for 2097152: boot a kernel with pages of 4 KiB and huge pages \
of 2 MiB, where the processor can have both" "$MNT"
fi

echo "no /run to write to"
without_run()
{
	unshare -m sh -c 'mount -t tmpfs -o ro none /run && "$@"' sh "$@"
}
prefix=without_run
bad 2 "hugetmpfs: cannot use /run/hugetmpfs: Read-only file system" "$MNT"

echo "given up while it starts"
nothing_left() # it may have been so quick as to serve
{
	[ -z "$(left)" ] || {
		umount "$MNT" 2>>"$HT_DIR/umount"
		return 1
	}
}
for _ in 1 2 3 4 5 6 7 8 9 10; do
	{ timeout -s KILL 0.004 "$HUGETMPFS" "$MNT" || :; } 2>>"$HT_DIR/log"
	wait_for 20 nothing_left
done
refute grep -v -e ': mounting .* was given up$' -e Killed "$HT_DIR/log"
