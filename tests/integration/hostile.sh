#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A user without privileges tries what is not allowed. What tmpfs denies is
# denied, in the same words; races and nonsense give nothing away and end no
# process.
# sanitized
. "${0%/*}/lib.sh"

user=(setpriv --reuid=65534 --regid=65534 --groups=4242)
hostile=("${user[@]}" "$(public_program "$HT_BUILD/tests/integration/hostile")")
chmod 711 "$HT_DIR"

make() # OWNER MODE NAME
{
	echo "content of $3" >"$3"
	chown "$1" "$3"
	chmod "$2" "$3"
}

make_directory() # OWNER MODE NAME
{
	mkdir "$3"
	make root:root 644 "$3/inner"
	chown "$1" "$3"
	chmod "$2" "$3"
}

# What the matrix is tried on; see hostile.c.
prepare() # DIRECTORY
{
	mkdir "$1"
	cd "$1"
	make root:root 600 root-600
	make root:root 644 root-644
	make root:root 666 root-666
	make root:4242 640 group-640
	make root:4242 660 group-660
	make 1000:1000 600 other-600
	make 1000:1000 664 other-664
	make 65534:65534 000 own-000
	make 65534:65534 400 own-400
	make 65534:65534 600 own-600
	make 65534:4242 6777 own-suid
	make root:root 4755 root-suid
	make root:root 600 acl-grants
	setfacl -m u:65534:rw acl-grants
	make root:root 666 acl-denies
	setfacl -m u:65534:- acl-denies
	mkfifo -m 600 fifo
	ln -s secret/inner link-secret
	ln -s own-600 link-own
	make_directory root:root 700 secret
	make_directory root:root 755 open
	make_directory 65534:65534 755 own-dir
	make_directory root:root 1777 sticky
	make 1000:1000 666 sticky/other
	make 65534:65534 600 sticky/own
	make_directory root:4242 2775 setgid
	make_directory root:root 555 readonly-dir
	make 65534:65534 600 readonly-dir/own
	setfattr -n trusted.t -v secret root-666
	setfattr -n user.mine -v x root-644 || :
	chmod 1777 .
	cd /
}

mount_start size=256M,mode=755
keeper=$(mount_keeper)
daemon=$(mount_daemon)
mkdir "$HT_DIR/tmpfs"
mount -t tmpfs -o size=256M,mode=755 none "$HT_DIR/tmpfs"

echo "as on tmpfs, object by object, operation by operation"
for where in tmpfs mnt; do
	prepare "$HT_DIR/$where/matrix"
	"${hostile[@]}" matrix "$HT_DIR/$where/matrix" >"$HT_DIR/$where.out"
done
assert_ge "$(wc -l <"$HT_DIR/mnt.out")" 1200 "attempts"
assert_ge "$(grep -c 'EACCES$\|EPERM$' "$HT_DIR/mnt.out")" 300 "denied"
diff "$HT_DIR/tmpfs.out" "$HT_DIR/mnt.out" || fail "other than on tmpfs"

echo "a directory that is swapped with a link gives no secret away"
mkdir -m 777 "$MNT/race"
mkdir -m 700 "$MNT/secret"
echo "secret" >"$MNT/secret/inner"
"${user[@]}" sh -c 'cd "$1" && mkdir mine && echo own >mine/inner &&
	ln -s ../secret trap' sh "$MNT/race"
"${hostile[@]}" race "$MNT/race"

echo "nonsense in ioctls and attributes"
"${user[@]}" dd if=/dev/zero of="$MNT/race/file" bs=1M count=4 status=none
"${hostile[@]}" input "$MNT/race/file"
assert_eq "$(mount_daemon)" "$daemon" "the daemon lives"

echo "nobody else reaches the processes and what they hold"
assert_status 2 "${user[@]}" ls /run/hugetmpfs
assert_status 2 "${user[@]}" "$HUGETMPFSCTL" status "$MNT"
for pid in $keeper $daemon; do
	for file in environ fd maps mem; do
		refute "${user[@]}" sh -c \
			'if [ -d "$1" ]; then ls "$1"; else head -c 1 "$1"; fi' \
			sh "/proc/$pid/$file" &>/dev/null
	done
	refute "${user[@]}" sh -c 'kill -CONT "$1"' sh "$pid" 2>/dev/null
done
umount "$HT_DIR/tmpfs"
