# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# Completion of hugetmpfsctl for bash: commands, their options, and paths;
# for commands that take a mount, the mount points of hugetmpfs.

_hugetmpfsctl_mounts()
{
	local _ mountpoint rest

	while IFS=' ' read -r _ _ _ _ mountpoint rest; do
		case $rest in
		*" - fuse.hugetmpfs "*) printf '%b\n' "$mountpoint" ;;
		esac
	done </proc/self/mountinfo
}

_hugetmpfsctl()
{
	local word=${COMP_WORDS[COMP_CWORD]} command=${COMP_WORDS[1]-} options

	COMPREPLY=()
	if [ "$COMP_CWORD" = 1 ]; then
		mapfile -t COMPREPLY < <(compgen -W \
			"cancel counters map metrics policy recover set status trace upgrade why --help --version" -- "$word")
		return
	fi
	case $command in
	cancel) options="--json --help" ;;
	counters) options="--json --help" ;;
	map) options="--all --json --numa --help" ;;
	metrics) options="--prometheus --scan --help" ;;
	policy)
		if [ "$COMP_CWORD" = 2 ] && [[ $word != -* ]]; then
			mapfile -t COMPREPLY < <(
				compgen -W "show set unset" -- "$word" || :
				compgen -f -- "$word" || :
			)
			return
		fi
		options="--json --numa --range --recover --help"
		;;
	recover) options="--dry-run --json --no-wait --quiet --range --help" ;;
	set) options="--json --help" ;;
	trace) options="--json --help" ;;
	status) options="--json --no-scan --help" ;;
	upgrade) options="--json --help" ;;
	why) options="--json --help" ;;
	*) return ;;
	esac
	case $command/$word in
	*/-*)
		mapfile -t COMPREPLY < <(compgen -W "$options" -- "$word")
		;;
	counters/* | metrics/* | set/* | status/* | trace/* | upgrade/*)
		local IFS=$'\n'
		mapfile -t COMPREPLY < <(compgen -W "$(_hugetmpfsctl_mounts)" \
			-- "$word")
		compopt -o filenames 2>/dev/null || :
		;;
	*)
		mapfile -t COMPREPLY < <(compgen -f -- "$word")
		compopt -o filenames 2>/dev/null || :
		;;
	esac
}

complete -F _hugetmpfsctl hugetmpfsctl
