# SPDX-License-Identifier: MIT
# Completion for bash. The shell sources this file, so the file only defines a function and registers it.

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
	if [ "${COMP_WORDS[1]}" = run ] && [ "$COMP_CWORD" -gt 1 ]; then
		local at=2
		while [[ ${COMP_WORDS[at]} = --?* ]]; do at=$((at + 1)); done
		[ "${COMP_WORDS[at]}" != -- ] || at=$((at + 1))
		if [ "$at" -lt "$COMP_CWORD" ]; then
			mapfile -t COMPREPLY < <(compgen -f -- "$current")
		elif [[ $current = -* ]]; then
			mapfile -t COMPREPLY < <(compgen -W '--json --trace --untraced-ok --help' -- "$current")
		else
			mapfile -t COMPREPLY < <(compgen -c -- "$current"; compgen -f -- "$current")
		fi
		return
	fi
	local words='--json --tap --prometheus --quiet --all-cpus --survival --no-trial --help --version'
	[ "$COMP_CWORD" -eq 1 ] && words="$words explain run"
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
}
complete -o filenames -F _fsgscheck fsgscheck
