#!/bin/sh
# SPDX-License-Identifier: MIT
# Checks the layout of all C files (clang-format), and the width of lines in C and assembly files. Checks the library with
# cppcheck, clang-tidy and gcc -fanalyzer.
#
#   lint.sh SOURCE [format|width|cppcheck|tidy|analyzer]
#
# If a tool is missing, a run of all tools leaves it out, and a run of that tool alone is skipped. The same happens if
# clang-format, cppcheck or clang-tidy is not of Debian 12's version, because each version judges layout and style
# differently.
set -eu
cd "$1"
what=${2:-format width cppcheck tidy analyzer}
status=0

has() {
	reason='not installed'
	if command -v "$1" >/dev/null; then
		[ $# -gt 1 ] || return 0
		! "$1" --version | grep -Eq "(^Cppcheck|version) $2(\.|\$)" || return 0
		reason="not version $2"
	fi
	echo "$1: $reason, skipped"
	[ "$what" != "$tool" ] || exit 77
	return 1
}

library=$(find lib -name '*.c' ! -name no-trial.c | sort)
flags='-std=c11 -D_GNU_SOURCE -Iinclude -Ilib -Ilib/core -Ilib/linux'

for tool in $what; do
	case $tool in
	format)
		has clang-format 14 || continue
		find include lib examples tests doc -name '*.[ch]' -print0 |
			xargs -0 clang-format --dry-run -Werror || status=1
		;;
	width)
		# clang-format does not break lines in comments and strings, so their width is checked here.
		find include lib examples tests doc \( -name '*.[chS]' -o -name '*.def' -o -name '*.lds' \) -exec awk '
			{
				width = 0
				for (i = 1; i <= length($0); i++)
					width += substr($0, i, 1) == "\t" ? 8 - width % 8 : 1
			}
			width > 100 { print FILENAME ":" FNR ": " width " columns"; wide = 1 }
			END { exit wide }' {} + || status=1
		;;
	cppcheck)
		has cppcheck 2.10 || continue
		cppcheck --quiet --std=c11 --error-exitcode=1 --inline-suppr --force \
			--enable=warning,performance,portability --suppressions-list=tests/guards/cppcheck.txt \
			-D_GNU_SOURCE -D__x86_64__ -Iinclude -Ilib -Ilib/core lib || status=1
		;;
	tidy)
		has clang-tidy 14 || continue
		clang-tidy --quiet $library -- $flags 2>/dev/null || status=1
		;;
	analyzer)
		has gcc || continue
		for file in $library; do
			# gcc 12 does not follow the byte-wise copy of a report (fsgs_report_load()), and reports the whole copy as
			# uninitialised.
			known=
			case $file in
			lib/core/decide.c | lib/core/advice.c | lib/core/ring0.c | lib/core/early.c) known=-Wno-analyzer-use-of-uninitialized-value ;;
			esac
			gcc $flags $known -O1 -fanalyzer -Werror -Wall -Wextra -c -o /dev/null "$file" || status=1
		done
		;;
	esac
	echo "$tool: done"
done
exit $status
