#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What the manuals of the tool and the library promise: their examples run as
# they stand, every state, reason, counter and option is explained, the exported
# symbols are those of the manual, and the completion knows the commands.
. "${0%/*}/lib.sh"

man8=$HT_SRC/man/hugetmpfsctl.8
man3=$HT_SRC/man/libhugetmpfs.3
mkdir "$HT_DIR/bin"
ln -s "$HUGETMPFSCTL" "$HT_DIR/bin/hugetmpfsctl"
PATH=$HT_DIR/bin:$PATH
mount_start size=256M,huge=never
dd if=/dev/urandom of="$MNT/file" bs=1M count=8 status=none
dd if=/dev/urandom of="$MNT/small" bs=1M count=2 status=none

# The examples of a manual, as a reader sees them.
examples() # MANUAL
{
	sed -n '/^\.EX$/,/^\.EE$/{/^\.E[XE]$/!p}' "$1" |
		sed -e "s/\\\\(aq/'/g" -e 's/\\e/\\/g' -e 's/\\-/-/g'
}

# ---- the tool ----

count=0
while IFS= read -r line; do
	command=${line#'# '}
	[ "$command" != "$line" ] || fail "no command: $line"
	command=${command//\/mnt\/huge/"$MNT"}
	eval "$command" >"$HT_DIR/out" || fail "$command: $(<"$HT_DIR/out")"
	count=$((count + 1))
done < <(examples "$man8")
assert_ge $count 9 "examples"
assert_eq "$(hugetmpfsctl map --json "$MNT/file" |
	jq '.summary.coverage_percent + 0')" \
	"$(hugetmpfsctl map --json "$MNT/file" |
	jq '.summary.huge * 100 / .summary.eligible')" "coverage"

explained() # NAME
{
	grep -qE "^\.B $1\$" "$man8"
}
sed -n 's/^\tX([A-Z_]*, "\([a-z_]*\)".*/\1/p' \
	"$HT_SRC/include/hugetmpfs/types.h" >"$HT_DIR/words"
assert_ge "$(wc -l <"$HT_DIR/words")" 20 "states and reasons"
while read -r name; do
	assert explained "$name"
done <"$HT_DIR/words"
for name in $(hugetmpfsctl counters "$MNT" | awk '{ print $1 }'); do
	case $name in
	fuse_* | ended_*) assert grep -q "^\.BI ${name%%_*}_ " "$man8" ;;
	*) assert explained "$name" ;;
	esac
done
while read -r name; do
	assert explained "$name"
done < <(hugetmpfsctl status --no-scan --json "$MNT" |
	jq -r '.latencies | keys[]')
for command in cancel counters map metrics policy recover set status trace \
	upgrade why; do
	for option in $(hugetmpfsctl $command --help | grep -o '^  --[a-z-]*'); do
		[ "$option" != --help ] || continue
		sed -n "/^\.SS hugetmpfsctl $command /,/^\.S/p" "$man8" |
			grep -qFx ".B ${option//-/\\-}" ||
			fail "$command $option is not explained"
	done
done

sed -n 's/^\tX([A-Z_]*, "\([a-z_]*\)".*/\1/p' "$HT_SRC/src/ctl/why.h" \
	>"$HT_DIR/words"
assert_ge "$(wc -l <"$HT_DIR/words")" 20 "causes"
while read -r name; do
	grep -qE "^\.(B|BR) .*\b$name\b" "$man8" ||
		fail "the cause $name is not explained"
done <"$HT_DIR/words"

# every member of the JSON is explained
for command in "status --json $MNT" "map --json $MNT/file" \
	"recover --json $MNT/file" "recover --dry-run --json $MNT/file" \
	"recover --no-wait --json $MNT/file" "cancel --json $MNT/file" \
	"why --json $MNT/small" "policy --json $MNT/file" \
	"upgrade --json $MNT"; do
	# shellcheck disable=SC2086 # a command line
	for name in $(hugetmpfsctl $command | jq -r '[.. | objects |
		to_entries[] | select(.key != "counters" and
			.key != "reasons" and .key != "states" and
			(.key | test("^[0-9]+$") | not) and
			(.key | endswith("_by_state") | not)) | .key] |
		unique[]'); do
		grep -qE "^\.(B|BR) .*\b$name\b" "$man8" ||
			[[ $(hugetmpfsctl counters --json "$MNT") == *\"$name\"* ]] ||
			explained "$name" || fail "$name is not explained"
	done
done

# ---- the library ----

examples "$man3" >"$HT_DIR/example.c"
sanitizers=$(sed -n 's/^SANITIZER_CFLAGS = *//p' "$HT_BUILD/Makefile")
# shellcheck disable=SC2086 # a list of options
gcc -Wall -Wextra -Werror $sanitizers -o "$HT_DIR/example" "$HT_DIR/example.c" \
	-I"$HT_SRC/include" -L"$HT_BUILD/.libs" -lhugetmpfs \
	-Wl,-rpath,"$HT_BUILD/.libs" ||
	fail "the example does not compile"
assert_status 0 "$HT_DIR/example" "$MNT/file"
assert_match "$OUT" $'^0 huge: it is huge\n1 huge' "output of the example"
assert_match "$OUT" '100\.0 % are huge$' "output of the example"
assert_status 2 "$HT_DIR/example" "$man3"
assert_match "$OUT" 'Inappropriate ioctl' "file elsewhere"

nm -D --defined-only "$HT_BUILD/.libs/libhugetmpfs.so" |
	sed -n 's/.* T \([^@]*\)@@HUGETMPFS_.*/\1/p' | sort >"$HT_DIR/exported"
grep -o 'hugetmpfs_[a-z_]*(' "$man3" | tr -d '(' | sort -u |
	grep -v '_fn$' >"$HT_DIR/documented"
# the example calls some of them, too
assert diff "$HT_DIR/exported" "$HT_DIR/documented"
sed -n 's/^[a-z][a-z ]*[ *]\(hugetmpfs_[a-z_]*\)(.*/\1/p' \
	"$HT_SRC/include/hugetmpfs/hugetmpfs.h" | grep -v '_fn$' |
	sort >"$HT_DIR/declared"
assert diff "$HT_DIR/exported" "$HT_DIR/declared"
assert_eq "$(nm -D --defined-only "$HT_BUILD/.libs/libhugetmpfs.so" |
	grep -vc 'HUGETMPFS_' || true)" 0 "symbols without a version"
echo '#include <hugetmpfs/hugetmpfs.h>' >"$HT_DIR/header.cc"
if command -v g++ >/dev/null; then
	assert g++ -Wall -Wextra -pedantic -Werror -fsyntax-only \
		-I"$HT_SRC/include" "$HT_DIR/header.cc"
fi

if command -v pkg-config >/dev/null; then
	export PKG_CONFIG_PATH=$HT_BUILD
	assert pkg-config --validate hugetmpfs
	assert_match "$(pkg-config --libs hugetmpfs)" '-lhugetmpfs' "libraries"
	assert_eq "$(pkg-config --modversion hugetmpfs)" \
		"$(hugetmpfsctl --version | cut -d' ' -f2)" "version"
fi

# ---- completion ----

. "$HT_SRC/contrib/completions/hugetmpfsctl.bash"
complete_words() # WORD...
{
	COMP_WORDS=("$@")
	COMP_CWORD=$(($# - 1))
	_hugetmpfsctl
	echo "${COMPREPLY[*]}"
}
assert_eq "$(complete_words hugetmpfsctl "")" \
	"cancel counters map metrics policy recover set status trace upgrade why --help --version" "commands"
assert_eq "$(complete_words hugetmpfsctl re)" recover "a command"
assert_eq "$(complete_words hugetmpfsctl policy un)" unset "a word"
assert_eq "$(complete_words hugetmpfsctl policy set --nu)" --numa "an option"
assert_eq "$(complete_words hugetmpfsctl recover --d)" --dry-run "an option"
assert_eq "$(complete_words hugetmpfsctl status "$MNT")" "$MNT" "a mount"
assert_eq "$(complete_words hugetmpfsctl map "$MNT/f")" "$MNT/file" "a file"
