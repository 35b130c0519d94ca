# SPDX-License-Identifier: MIT
# Completion for bash: sourced, so it only defines.

_fsgscheck()
{
	local current=${COMP_WORDS[COMP_CWORD]}

	if [ "${COMP_WORDS[1]}" = explain ] && [ "$COMP_CWORD" -gt 1 ]; then
		case $current in
		-*) mapfile -t COMPREPLY < <(compgen -W '--json --help' -- "$current") ;;
		*) mapfile -t COMPREPLY < <(compgen -f -- "$current") ;;
		esac
		return
	fi
	local words='--json --tap --prometheus --quiet --all-cpus --survival --no-trial --help --version'
	[ "$COMP_CWORD" -eq 1 ] && words="$words explain"
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
}
complete -o filenames -F _fsgscheck fsgscheck
