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
# A report is a failure; a child that a test lets die on purpose is none. The handlers
# and alternate stacks are the tests' own.
export ASAN_OPTIONS=detect_leaks=0:abort_on_error=0:use_sigaltstack=0:handle_segv=0:handle_sigbus=0 UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
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
	wrapper="valgrind -q --tool=$tool --error-exitcode=99 --exit-on-first-error=yes --trace-children=yes"
	[ "$tool" = memcheck ] || wrapper="$wrapper --suppressions=$source/tests/guards/helgrind.supp"
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

units='auxv base check cpuid cpuinfo decide guard json names report ring0 ring0-ask sweep trial'
torture='callers inject threads threads-undefined'
case $tool in
# These have functions of the C library in themselves, which MemorySanitizer has, too.
thread | address,undefined | cet) units="$units interposed reading text" ;;
esac
case $tool in
# ThreadSanitizer 14 itself fails where a signal meets a child of vfork() or a thread that ends.
thread) torture='callers inject' ;;
# To MemorySanitizer what the trial hands on is unknown, as lib/linux/trial.c is not instrumented: in its
# deeper callers it would speak of that.
memory) torture= ;;
memcheck) units='auxv cpuid cpuinfo decide json names report ring0 sweep trial' torture= ;;
helgrind) units='check' torture= ;;
esac
targets=examples/fsgscheck/fsgscheck
for unit in $units; do targets="$targets tests/unit/plain-$unit"; done
for part in $torture; do targets="$targets tests/torture/torture-$part"; done
ninja -C "$build" $targets >"$build/ninja.log" || {
	cat "$build/ninja.log"
	exit 1
}

# What a tool cannot follow: its own code uses the FS base where a test has another; it keeps signals for
# later, delivers them with a mask and an errno of its own, and has the kernel's actions to itself; it takes the lock of
# a child that is made anew for the parent's, and has no place for one in the same memory; it does not see what assembly
# writes; it answers a system call itself.
left_out() {
	case $tool/$1 in
	thread/base | memory/base) echo fs_goes_away_and_comes_back ;;
	thread/guard) echo the_owner_may_change_errno passes_on_with_the_owners_mask runs_as_the_owners_would \
		returns_as_the_owner_does a_bare_clone_is_sane a_process_in_the_same_memory_keeps_away ;;
	memory/guard) echo keeps_floating_point_control ;;
	helgrind/check) echo asks_whether_cpuid_faults ;;
	esac
}

run() {
	echo "== $*"
	status=0
	"$@" || status=$?
	[ $status -eq 0 ] || [ $status -eq 77 ] || exit 1
}

if [ "$tool" = cet ]; then
	# One object that is not marked takes both from the whole process. The linked files cannot tell:
	# what a distribution's C library adds may not be marked.
	for object in $(find "$build/lib" -name '*.o'); do
		readelf -n "$object" | grep -q 'IBT, SHSTK' || {
			echo "not marked: $object"
			exit 1
		}
	done
fi
for unit in $units; do run $wrapper "$build/tests/unit/plain-$unit" $(left_out "$unit"); done
for part in $torture; do run "$build/tests/torture/torture-$part"; done
case $tool in
memcheck | helgrind)
	# The instructions do not run there: the trial faults four times, and its verdict is no error.
	echo "== fsgscheck"
	status=0
	$wrapper "$build/examples/fsgscheck/fsgscheck" --all-cpus --survival || status=$?
	[ $status -le 3 ] || exit 1
	;;
esac
echo "$tool: clean"
