#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# mount(8) and fstab: the names mount.hugetmpfs and mount.fuse.hugetmpfs are put
# into /sbin in a mount namespace of this test, so that the system's is left
# alone.
. "${0%/*}/lib.sh"

if [ -z "${HT_INNER:-}" ]; then
	mkdir -p "$HT_DIR/sbin"
	for name in mount.hugetmpfs mount.fuse.hugetmpfs; do
		ln -s "$HUGETMPFS" "$HT_DIR/sbin/$name"
	done
	# marked by what it starts only, as every test
	env -u HT_DIR HT_INNER=yes HT_RUN_DIR="$HT_DIR" unshare -m "$0"
	exit
fi

sbin=$(realpath /sbin)
mount -t overlay -o "lowerdir=$HT_DIR/sbin:$sbin" overlay "$sbin" ||
	skip "no overlay here"
cd "$HT_DIR" # where no file has the name of the source

flags() # [MOUNTPOINT]
{
	awk -v mnt="${1:-$MNT}" '$5 == mnt { print $6 }' /proc/self/mountinfo
}

line() # type and source
{
	findmnt -rno FSTYPE,SOURCE "$MNT"
}

mkdir "$MNT"

echo "mount -t"
mount -t hugetmpfs -o size=64M,noatime,nofail,x-some.thing=1 none "$MNT"
assert_eq "$(line)" "fuse.hugetmpfs none" "type and source"
assert_eq "$(flags)" rw,noatime "flags"
assert_eq "$(stat -f -c '%b' "$MNT")" $((64 * 256)) "blocks"
assert_status 32 mount -t hugetmpfs none "$MNT"
assert_match "$OUT" "a hugetmpfs is mounted on $MNT already" "message"

echo "mount -o remount finds the helper by the type of the mount"
mount -o remount,size=128M "$MNT"
assert_eq "$(stat -f -c '%b' "$MNT")" $((128 * 256)) "blocks"
assert_eq "$(flags)" rw,noatime "flags"
mount -o remount,ro "$MNT"
assert_eq "$(flags)" ro,noatime "flags"
assert_status 1 mount -o remount,size=x "$MNT"
umount "$MNT"

echo "fstab"
cat >fstab <<END
hugetmpfs $MNT hugetmpfs size=50%,mode=750,nofail,_netdev,users,dev,suid,\
x-systemd.device-timeout=5,comment=here 0 0
none $HT_DIR/no-such-folder hugetmpfs nofail 0 0
END
assert_status 0 mount -T fstab "$MNT"
assert_eq "$(stat -c %a "$MNT")" 750 "mode"
assert_eq "$(flags)" rw,noexec,relatime "flags"
assert_status 0 mount -T fstab -t nohugetmpfs -a
mount -T fstab -o remount,size=32M,rw "$MNT"
assert_eq "$(stat -f -c '%b' "$MNT")" $((32 * 256)) "blocks"
umount "$MNT"

echo "exit codes are those of mount(8)"
assert_status 1 mount -t hugetmpfs -o strange none "$MNT"
assert_match "$OUT" "unknown option 'strange'" "message"
assert_status 1 mount -t hugetmpfs -o size=x none "$MNT"
assert_status 32 mount -t hugetmpfs none "$HT_DIR/no-such-folder"
touch file
assert_status 32 "$HT_DIR/sbin/mount.hugetmpfs" none file
assert_status 1 "$HT_DIR/sbin/mount.hugetmpfs" none

echo "sloppy passes over unknown options, fake mounts nothing"
assert_status 0 mount -s -t hugetmpfs -o strange none "$MNT"
umount "$MNT"
assert_status 0 mount -f -t hugetmpfs none "$MNT"
refute mount_is_there
assert_status 1 mount -f -t hugetmpfs -o size=x none "$MNT"

echo "in another mount namespace"
unshare -m sleep 100 &
other=$!
is_elsewhere()
{
	[ "$(readlink /proc/$other/ns/mnt)" != "$(readlink /proc/$$/ns/mnt)" ]
}
wait_for 60 is_elsewhere
mount -N $other -t hugetmpfs none "$MNT" ||
	"$HT_DIR/sbin/mount.hugetmpfs" none "$MNT" -N /proc/$other/ns/mnt
refute mount_is_there
assert nsenter -m -t $other mountpoint -q "$MNT"
nsenter -m -t $other umount "$MNT"
kill $other
