#!/bin/sh
# SPDX-License-Identifier: MIT
# The unit tests and a short torture under one tool, in a build directory of its own.
#
#   sanitize.sh SOURCE BUILD address,undefined|thread|memory|cet|memcheck|helgrind
#
# FSGSCHECK_TORTURE_SECONDS  how long threads.c goes on (5)
set -eu
source=$1 build=$2 tool=$3
FSGSCHECK_TORTURE_SECONDS=${FSGSCHECK_TORTURE_SECONDS:-5}
export FSGSCHECK_TORTURE_SECONDS
# A report is a failure; a child that a test lets die on purpose is none.
export ASAN_OPTIONS=detect_leaks=0:abort_on_error=0 UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
export TSAN_OPTIONS=halt_on_error=1:die_after_fork=0:report_signal_unsafe=0

skip() {
	echo "$*"
	exit 77
}

sanitize=none cflags= compiler=clang wrapper=
case $tool in
thread | memory | address,undefined) sanitize=$tool ;;
cet) compiler=gcc cflags=-fcf-protection=full ;;
memcheck | helgrind)
	compiler=gcc
	command -v valgrind >/dev/null || skip "no valgrind"
	wrapper="valgrind -q --tool=$tool --error-exitcode=99 --exit-on-first-error=yes"
	;;
*)
	echo "unknown tool $tool" >&2
	exit 2
	;;
esac
command -v "$compiler" >/dev/null || skip "no $compiler"
if [ "$sanitize" != none ]; then
	echo 'int main(void) { return 0; }' >"$build-$$.c"
	"$compiler" -fsanitize="$sanitize" "$build-$$.c" -o "$build-$$" 2>/dev/null || {
		rm -f "$build-$$.c"
		skip "no runtime for -fsanitize=$sanitize"
	}
	rm -f "$build-$$.c" "$build-$$"
fi

[ -d "$build" ] || CC=$compiler meson setup "$build" "$source" -Db_sanitize=$sanitize -Db_lundef=false \
	-Ddocs=disabled -Dbuildtype=debugoptimized -Dc_args="$cflags" >/dev/null
targets='tests/torture/torture-threads tests/torture/torture-callers tests/torture/torture-inject'
# Criterion is not built for MemorySanitizer, and finds no memory for itself under ThreadSanitizer.
units=
case $tool in
address,undefined | cet) units='auxv check cpuid cpuinfo decide guard names report sweep trial' ;;
esac
for unit in $units; do targets="$targets tests/unit/unit-$unit"; done
ninja -C "$build" $targets >/dev/null

run() {
	echo "== $*"
	status=0
	"$@" || status=$?
	[ $status -eq 0 ] || [ $status -eq 77 ] || exit 1
}

case $tool in
memcheck | helgrind)
	# The trial raises SIGILL there, and threads take turns: what is looked at is memory and locks.
	run $wrapper "$build/tests/torture/torture-callers" small
	;;
*)
	for unit in $units; do run "$build/tests/unit/unit-$unit"; done
	run "$build/tests/torture/torture-callers"
	run "$build/tests/torture/torture-threads"
	;;
esac
echo "$tool: clean"
