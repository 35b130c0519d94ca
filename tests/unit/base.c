/* SPDX-License-Identifier: MIT */
/* Tests of base access: the instruction and arch_prctl must fulfil the same contract. Other tests
 * check how the library chooses between them. */
#include <criterion/criterion.h>

#include <asm/prctl.h>
#include <dlfcn.h>
#include <errno.h>
#include <fsgscheck.h>
#include <fsgscheck/base.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>
#include <x86intrin.h>

#include "filter.h"

#define SOME      UINT64_C(0x123456789000)
#define OTHER     UINT64_C(0x00000badcafe000)

/* EFLAGS.TF: the processor traps after each instruction. */
#define TRAP_FLAG UINT64_C(0x100)

static uint64_t kernels_gs(void)
{
	uint64_t value = 0;

	syscall(SYS_arch_prctl, ARCH_GET_GS, &value);
	return value;
}

static void set_gs(uint64_t base)
{
	syscall(SYS_arch_prctl, ARCH_SET_GS, base);
}

/* One form of the access functions: inline, or a form that bindings for other languages call. */
struct form {
	const char *name;
	int (*get)(uint64_t *base);
	int (*set)(uint64_t base);
	int (*ensure)(uint64_t base);
};

static int get_out_of_line(uint64_t *base)
{
	return fsgs_get_base(FSGS_SEGMENT_GS, base);
}

static int get_by_value(uint64_t *base)
{
	const struct fsgs_base_value value = fsgs_get_base_value(FSGS_SEGMENT_GS);

	if (value.error)
		cr_expect_eq(value.base, 0);
	else
		*base = value.base;
	return value.error;
}

static int set_out_of_line(uint64_t base)
{
	return fsgs_set_base(FSGS_SEGMENT_GS, base);
}

static int ensure_out_of_line(uint64_t base)
{
	return fsgs_ensure_base(FSGS_SEGMENT_GS, base);
}

static const struct form forms[] = {
	{"inline", fsgs_get_gs_base, fsgs_set_gs_base, fsgs_ensure_gs_base},
	{"out of line", get_out_of_line, set_out_of_line, ensure_out_of_line},
	{"by value", get_by_value, set_out_of_line, ensure_out_of_line},
};

#define FORMS (sizeof forms / sizeof *forms)

static void expect_contract(const struct form *form, uint32_t access)
{
	static const uint64_t good[] = {0, 1, SOME, 0xffffffff, 0x100000000, FSGS_BASE_LIMIT - 1};
	static const uint64_t bad[] = {FSGS_BASE_LIMIT,   FSGS_BASE_LIMIT + 1,
				       UINT64_C(1) << 47, UINT64_C(1) << 56,
				       UINT64_C(1) << 63, UINT64_C(0xffff800000001000),
				       UINT64_MAX};
	uint64_t value;

	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		const uint64_t base = good[i];

		value = ~base;
		cr_expect_eq(form->set(base), 0, "%s, access %u: set %lx", form->name, access,
			     base);
		cr_expect_eq(kernels_gs(), base);
		cr_expect_eq(form->get(&value), 0);
		cr_expect_eq(value, base);
		set_gs(OTHER);
		cr_expect_eq(form->get(&value), 0);
		cr_expect_eq(value, OTHER);
		cr_expect_eq(form->ensure(base), 0);
		cr_expect_eq(kernels_gs(), base);
		cr_expect_eq(form->ensure(base), 0);
		cr_expect_eq(kernels_gs(), base);
	}
	set_gs(SOME);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		errno = 4711;
		cr_expect_eq(form->set(bad[i]), -EPERM, "%s, access %u: set %lx", form->name,
			     access, bad[i]);
		cr_expect_eq(form->ensure(bad[i]), -EPERM);
		cr_expect_eq(errno, 4711);
		cr_expect_eq(kernels_gs(), SOME);
	}
	set_gs(0);
}

static int may_use_instruction(void)
{
	struct fsgs_report r;

	cr_assert_eq(fsgs_check(&r, sizeof r, 0), 0);
	return r.access[FSGS_SEGMENT_GS] == FSGS_ACCESS_INSTRUCTION;
}

Test(base, one_contract_by_either_access)
{
	for (uint32_t access = FSGS_ACCESS_INSTRUCTION; access <= FSGS_ACCESS_ARCH_PRCTL;
	     access++) {
		if (access == FSGS_ACCESS_INSTRUCTION && !may_use_instruction())
			continue;
		cr_assert_eq(fsgs_base_force(FSGS_SEGMENT_GS, access), 0);
		cr_assert_eq(fsgs_base_access(FSGS_SEGMENT_GS), access);
		for (size_t i = 0; i < FORMS; i++)
			expect_contract(&forms[i], access);
	}
}

Test(base, refuses_what_is_no_segment)
{
	uint64_t value = SOME;

	errno = 4711;
	cr_expect_eq(fsgs_get_base(FSGS_SEGMENTS, &value), -EINVAL);
	cr_expect_eq(value, SOME);
	cr_expect_eq(fsgs_get_base_value(FSGS_SEGMENTS).error, -EINVAL);
	cr_expect_eq(fsgs_get_base_value(FSGS_SEGMENTS).base, 0);
	cr_expect_eq(fsgs_set_base(FSGS_SEGMENTS, 0), -EINVAL);
	cr_expect_eq(fsgs_ensure_base(UINT32_MAX, 0), -EINVAL);
	cr_expect_eq(fsgs_base_force(FSGS_SEGMENTS, FSGS_ACCESS_ARCH_PRCTL), -EINVAL);
	cr_expect_eq(fsgs_base_force(FSGS_SEGMENT_GS, FSGS_ACCESS_ARCH_PRCTL + 1), -EINVAL);
	cr_expect_eq(fsgs_base_access(FSGS_SEGMENTS), FSGS_ACCESS_NONE);
	cr_expect_eq(errno, 4711);
}

static void expect_limits(void)
{
	for (uint32_t segment = 0; segment < FSGS_SEGMENTS; segment++)
		cr_expect_eq(fsgs_base_limit[segment],
			     fsgs_base_access(segment) == FSGS_ACCESS_INSTRUCTION ? FSGS_BASE_LIMIT
										  : 0);
}

Test(base, first_use_decides_as_the_check_does)
{
	struct fsgs_report r;
	uint64_t value;

	cr_expect_eq(fsgs_base_limit[FSGS_SEGMENT_FS], 0);
	cr_expect_eq(fsgs_base_limit[FSGS_SEGMENT_GS], 0);
	set_gs(SOME);
	cr_expect_eq(fsgs_get_gs_base(&value), 0);
	cr_expect_eq(value, SOME);
	cr_expect_eq(fsgs_check(&r, sizeof r, FSGS_CHECK_CONTEXT), 0);
	for (uint32_t segment = 0; segment < FSGS_SEGMENTS; segment++)
		cr_expect_eq(fsgs_base_access(segment), r.access[segment]);
	expect_limits();
	cr_expect_eq(fsgs_usable(), r.verdict == FSGS_VERDICT_USABLE);
}

Test(base, first_use_reads_fs)
{
	uint64_t home = 0, value = 0;

	syscall(SYS_arch_prctl, ARCH_GET_FS, &home);
	cr_expect_eq(fsgs_get_base(FSGS_SEGMENT_FS, &value), 0);
	cr_expect_eq(value, home);
}

Test(base, first_use_writes_fs)
{
	uint64_t home = 0, value = 0;

	syscall(SYS_arch_prctl, ARCH_GET_FS, &home);
	cr_expect_eq(fsgs_set_base(FSGS_SEGMENT_FS, home), 0);
	syscall(SYS_arch_prctl, ARCH_GET_FS, &value);
	cr_expect_eq(value, home);
}

Test(base, segments_are_decided_apart)
{
	fsgs_base_force(FSGS_SEGMENT_FS, FSGS_ACCESS_INSTRUCTION);
	fsgs_base_force(FSGS_SEGMENT_GS, FSGS_ACCESS_ARCH_PRCTL);
	cr_expect_eq(fsgs_base_access(FSGS_SEGMENT_FS), FSGS_ACCESS_INSTRUCTION);
	cr_expect_eq(fsgs_base_access(FSGS_SEGMENT_GS), FSGS_ACCESS_ARCH_PRCTL);
	expect_limits();
	fsgs_base_force(FSGS_SEGMENT_FS, FSGS_ACCESS_ARCH_PRCTL);
	fsgs_base_force(FSGS_SEGMENT_GS, FSGS_ACCESS_INSTRUCTION);
	cr_expect_eq(fsgs_base_access(FSGS_SEGMENT_FS), FSGS_ACCESS_ARCH_PRCTL);
	cr_expect_eq(fsgs_base_access(FSGS_SEGMENT_GS), FSGS_ACCESS_INSTRUCTION);
	expect_limits();
}

Test(base, environment_decides_until_refreshed)
{
	const uint32_t automatic = (fsgs_refresh(), fsgs_base_access(FSGS_SEGMENT_GS));

	setenv("FSGSCHECK_BASE", "arch_prctl", 1);
	cr_expect_eq(fsgs_base_access(FSGS_SEGMENT_GS), automatic);
	fsgs_refresh();
	cr_expect_eq(fsgs_base_access(FSGS_SEGMENT_FS), FSGS_ACCESS_ARCH_PRCTL);
	cr_expect_eq(fsgs_base_access(FSGS_SEGMENT_GS), FSGS_ACCESS_ARCH_PRCTL);
	expect_limits();
	setenv("FSGSCHECK_BASE", "instruction", 1);
	fsgs_refresh();
	cr_expect_eq(fsgs_base_access(FSGS_SEGMENT_FS), FSGS_ACCESS_INSTRUCTION);
	cr_expect_eq(fsgs_base_access(FSGS_SEGMENT_GS), FSGS_ACCESS_INSTRUCTION);
	expect_limits();

	static const char *const others[] = {"auto", "", "INSTRUCTION", "instruction "};

	for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
		setenv("FSGSCHECK_BASE", others[i], 1);
		fsgs_refresh();
		cr_expect_eq(fsgs_base_access(FSGS_SEGMENT_GS), automatic, "\"%s\"", others[i]);
	}
}

/* A program can force FSGS_ACCESS_NONE. The choice remains over a refresh, and ends with
 * FSGS_BASE_AUTO. */
Test(base, forced_to_none)
{
	uint64_t value = SOME;

	cr_expect_neq(FSGS_BASE_AUTO, FSGS_ACCESS_NONE);
	cr_expect_eq(fsgs_base_force(FSGS_SEGMENT_GS, FSGS_ACCESS_NONE), 0);
	cr_expect_eq(fsgs_base_access(FSGS_SEGMENT_GS), FSGS_ACCESS_NONE);
	cr_expect_eq(fsgs_get_gs_base(&value), -ENOTSUP);
	cr_expect_eq(value, SOME);
	cr_expect_eq(fsgs_set_gs_base(SOME), -ENOTSUP);
	cr_expect_eq(fsgs_ensure_gs_base(SOME), -ENOTSUP);
	fsgs_refresh();
	cr_expect_eq(fsgs_base_access(FSGS_SEGMENT_GS), FSGS_ACCESS_NONE, "kept over a refresh");
	cr_expect_eq(fsgs_base_force(FSGS_SEGMENT_GS, FSGS_BASE_AUTO), 0);
	cr_expect_neq(fsgs_base_access(FSGS_SEGMENT_GS), FSGS_ACCESS_NONE);
	setenv("FSGSCHECK_BASE", "none", 1);
	fsgs_refresh();
	cr_expect_eq(fsgs_base_access(FSGS_SEGMENT_GS), FSGS_ACCESS_NONE);
}

Test(base, refresh_tells_of_a_change)
{
	cr_expect_eq(fsgs_refresh(), 1, "nothing was known");
	cr_expect_eq(fsgs_refresh(), 0);
	setenv("FSGSCHECK_BASE", "none", 1);
	cr_expect_eq(fsgs_refresh(), 1);
	cr_expect_eq(fsgs_refresh(), 0);
	cr_expect_eq(fsgs_base_force(FSGS_SEGMENT_GS, FSGS_ACCESS_ARCH_PRCTL), 0);
	cr_expect_eq(fsgs_refresh(), 0, "force has done it already");
	cr_expect_eq(fsgs_set_gs_base(SOME), 0);
	cr_expect_eq(fsgs_refresh(), 0, "a verified set is not a change");
}

/* fsgs_base_limit has a cache line of its own. The elements after the two segments are reserved. */
Test(base, limits_have_a_cache_line)
{
	cr_expect_eq(sizeof fsgs_base_limit, 64);
	cr_expect_eq((uintptr_t)fsgs_base_limit % 64, 0);
	cr_expect_eq((const char *)&fsgs_base_limit[FSGS_SEGMENT_FS] -
			     (const char *)fsgs_base_limit,
		     FSGS_BASE_LIMIT_FS);
	cr_expect_eq((const char *)&fsgs_base_limit[FSGS_SEGMENT_GS] -
			     (const char *)fsgs_base_limit,
		     FSGS_BASE_LIMIT_GS);
}

/* fsgs_set_gs_base() accepts all addresses below FSGS_BASE_LIMIT. It refuses addresses of the upper
 * half, and addresses that are not canonical. */
Test(base, promised_addresses)
{
	static const uint64_t never[] = {UINT64_C(0x8000000000000000), UINT64_C(0xffff800000000000),
					 UINT64_C(0xff00000000000000), UINT64_C(0x0100000000000000),
					 UINT64_MAX};

	for (uint32_t access = FSGS_ACCESS_INSTRUCTION; access <= FSGS_ACCESS_ARCH_PRCTL;
	     access++) {
		if (access == FSGS_ACCESS_INSTRUCTION && !may_use_instruction())
			continue;
		cr_assert_eq(fsgs_base_force(FSGS_SEGMENT_GS, access), 0);
		for (uint64_t bit = 1; bit < FSGS_BASE_LIMIT; bit <<= 1) {
			cr_expect_eq(fsgs_set_gs_base(bit), 0);
			cr_expect_eq(fsgs_set_gs_base(FSGS_BASE_LIMIT - bit), 0);
		}
		for (size_t i = 0; i < sizeof never / sizeof *never; i++)
			cr_expect_eq(fsgs_set_gs_base(never[i]), -EPERM);
		/* With the instruction, a program can write a base that fsgs_set_gs_base() refuses.
		 * A get must still return this base. */
		if (access == FSGS_ACCESS_INSTRUCTION) {
			uint64_t base = 0;

			__asm__ volatile("wrgsbase %0" : : "r"(FSGS_BASE_LIMIT + 0x10));
			cr_expect_eq(fsgs_get_gs_base(&base), 0);
			cr_expect_eq(base, FSGS_BASE_LIMIT + 0x10);
			cr_expect_eq(fsgs_set_gs_base(base), -EPERM);
			cr_expect_eq(fsgs_set_gs_base(0), 0);
		}
	}
}

Test(base, environment_decides_the_first_use)
{
	setenv("FSGSCHECK_BASE", "arch_prctl", 1);
	cr_expect_eq(fsgs_set_gs_base(SOME), 0);
	cr_expect_eq(kernels_gs(), SOME);
	cr_expect_eq(fsgs_base_limit[FSGS_SEGMENT_GS], 0);
}

Test(base, word_of_the_program_counts_most)
{
	setenv("FSGSCHECK_BASE", "instruction", 1);
	cr_expect_eq(fsgs_base_force(FSGS_SEGMENT_GS, FSGS_ACCESS_ARCH_PRCTL), 0);
	fsgs_refresh();
	cr_expect_eq(fsgs_base_access(FSGS_SEGMENT_GS), FSGS_ACCESS_ARCH_PRCTL);
	cr_expect_eq(fsgs_base_access(FSGS_SEGMENT_FS), FSGS_ACCESS_INSTRUCTION);
	cr_expect_eq(fsgs_base_force(FSGS_SEGMENT_GS, FSGS_BASE_AUTO), 0);
	cr_expect_eq(fsgs_base_access(FSGS_SEGMENT_GS), FSGS_ACCESS_INSTRUCTION);
}

/* 1 if watch() has seen an action of SIGILL other than SIG_IGN. A trial would replace SIG_IGN. */
static volatile sig_atomic_t changed;

static void *watch(void *stop)
{
	while (!atomic_load((atomic_int *)stop)) {
		struct sigaction action;

		sigaction(SIGILL, NULL, &action);
		if (action.sa_handler != SIG_IGN)
			changed = 1;
	}
	return NULL;
}

Test(base, forcing_tries_nothing)
{
	atomic_int stop = 0;
	pthread_t thread;

	signal(SIGILL, SIG_IGN);
	pthread_create(&thread, NULL, watch, &stop);
	for (int i = 0; i < 20000; i++) {
		fsgs_base_force(FSGS_SEGMENT_GS, FSGS_ACCESS_ARCH_PRCTL);
		(void)!fsgs_set_gs_base(SOME);
	}
	atomic_store(&stop, 1);
	pthread_join(thread, NULL);
	cr_expect_not(changed);
}

static void expect_not_supported(void)
{
	uint64_t value = SOME;

	for (size_t i = 0; i < FORMS; i++) {
		cr_expect_eq(forms[i].get(&value), -ENOTSUP);
		cr_expect_eq(value, SOME);
		cr_expect_eq(forms[i].set(SOME), -ENOTSUP);
		cr_expect_eq(forms[i].ensure(SOME), -ENOTSUP);
		cr_expect_eq(forms[i].set(UINT64_MAX), -EPERM);
	}
}

Test(base, a_denied_system_call_is_no_access)
{
	fsgs_base_force(FSGS_SEGMENT_GS, FSGS_ACCESS_ARCH_PRCTL);
	filter_call(SYS_arch_prctl, ANY_ARGUMENT, SECCOMP_RET_ERRNO | EPERM);
	expect_not_supported();
}

Test(base, a_system_call_that_does_nothing_is_no_access)
{
	fsgs_base_force(FSGS_SEGMENT_GS, FSGS_ACCESS_ARCH_PRCTL);
	filter_call(SYS_arch_prctl, ANY_ARGUMENT, SECCOMP_RET_ERRNO | 0);
	expect_not_supported();
}

Test(base, a_set_that_does_not_read_back_has_failed)
{
	uint64_t value;

	fsgs_base_force(FSGS_SEGMENT_GS, FSGS_ACCESS_ARCH_PRCTL);
	set_gs(OTHER);
	filter_call(SYS_arch_prctl, ARCH_SET_GS, SECCOMP_RET_ERRNO | 0);
	for (size_t i = 0; i < FORMS; i++) {
		cr_expect_eq(forms[i].set(SOME), -ENOTSUP);
		cr_expect_eq(forms[i].set(OTHER), 0);
		cr_expect_eq(forms[i].get(&value), 0);
		cr_expect_eq(value, OTHER);
	}
}

/* With arch_prctl, the library reads the base back after each set, until one set has changed the
 * base. After that, a set is one system call. fsgs_base_force() makes a new decision, which may be
 * about another kernel, so the library then reads the base back again. */
Test(base, a_set_is_believed_once_it_was_seen_to_work)
{
	uint64_t value;

	fsgs_base_force(FSGS_SEGMENT_GS, FSGS_ACCESS_ARCH_PRCTL);
	set_gs(OTHER);
	cr_expect_eq(fsgs_set_gs_base(OTHER), 0);
	cr_expect_eq(fsgs_set_gs_base(SOME), 0);
	/* From here on, a get fails. So a set that reads the base back would fail, too. */
	filter_call(SYS_arch_prctl, ARCH_GET_GS, SECCOMP_RET_ERRNO | EPERM);
	cr_expect_eq(fsgs_get_gs_base(&value), -ENOTSUP);
	cr_expect_eq(fsgs_set_gs_base(OTHER), 0);
	fsgs_base_force(FSGS_SEGMENT_GS, FSGS_ACCESS_ARCH_PRCTL);
	cr_expect_eq(fsgs_set_gs_base(SOME), -ENOTSUP, "a new decision needs a new proof");
}

/* A set of the value that the base already has does not show that arch_prctl works. So the library
 * reads the base back after the next set, too. */
Test(base, a_set_of_what_is_there_already_proves_nothing)
{
	fsgs_base_force(FSGS_SEGMENT_GS, FSGS_ACCESS_ARCH_PRCTL);
	set_gs(SOME);
	cr_expect_eq(fsgs_set_gs_base(SOME), 0);
	filter_call(SYS_arch_prctl, ARCH_SET_GS, SECCOMP_RET_ERRNO | 0);
	cr_expect_eq(fsgs_set_gs_base(SOME), 0);
	cr_expect_eq(fsgs_set_gs_base(OTHER), -ENOTSUP);
}

/* Our getauxval() replaces that of the C library. With `not_enabled`, it answers as under a kernel
 * that has not enabled the instructions. With `hold`, it pauses the check that has called it. */
static atomic_int not_enabled, hold, held;

unsigned long getauxval(unsigned long type)
{
	unsigned long (*real)(unsigned long);

	*(void **)&real = dlsym(RTLD_NEXT, "getauxval");
	unsigned long value = real(type);

	if (type != AT_HWCAP2)
		return value;
	if (atomic_load(&not_enabled))
		value &= ~2ul;
	if (atomic_exchange(&hold, 0)) {
		atomic_store(&held, 1);
		while (atomic_load(&held))
			sched_yield();
	}
	return value;
}

Test(base, follows_the_check)
{
	const uint32_t automatic = fsgs_base_access(FSGS_SEGMENT_GS);
	const int usable = fsgs_usable();

	atomic_store(&not_enabled, 1);
	cr_expect_eq(fsgs_base_access(FSGS_SEGMENT_GS), automatic);
	cr_expect_eq(fsgs_usable(), usable);
	fsgs_refresh();
	cr_expect_eq(fsgs_base_access(FSGS_SEGMENT_FS), FSGS_ACCESS_ARCH_PRCTL);
	cr_expect_eq(fsgs_base_access(FSGS_SEGMENT_GS), FSGS_ACCESS_ARCH_PRCTL);
	cr_expect_eq(fsgs_usable(), 0);
	expect_limits();
	atomic_store(&not_enabled, 0);
	fsgs_refresh();
	cr_expect_eq(fsgs_base_access(FSGS_SEGMENT_GS), automatic);
	cr_expect_eq(fsgs_usable(), usable);
	expect_limits();
}

/* The first use tries arch_prctl, and must survive a filter that raises SIGSYS. */
Test(base, no_access_where_the_filter_kills)
{
	atomic_store(&not_enabled, 1);
	filter_call(SYS_arch_prctl, ANY_ARGUMENT, SECCOMP_RET_TRAP);
	cr_expect_eq(fsgs_base_access(FSGS_SEGMENT_FS), FSGS_ACCESS_NONE);
	cr_expect_eq(fsgs_base_access(FSGS_SEGMENT_GS), FSGS_ACCESS_NONE);
	expect_not_supported();
}

static void *look_again(void *argument)
{
	fsgs_refresh();
	return argument;
}

/* A check that began before the machine changed must not replace the result of a later check. */
Test(base, a_late_survey_gives_way)
{
	pthread_t late;

	atomic_store(&hold, 1);
	pthread_create(&late, NULL, look_again, NULL);
	while (!atomic_load(&held))
		sched_yield();
	atomic_store(&not_enabled, 1);
	fsgs_refresh();
	atomic_store(&held, 0);
	pthread_join(late, NULL);
	cr_expect_eq(fsgs_base_access(FSGS_SEGMENT_GS), FSGS_ACCESS_ARCH_PRCTL);
	expect_limits();
}

struct fs_visit {
	uint64_t foreign;
	int set, get, restored, refused;
	uint64_t seen, after;
};

/* While the FS base is foreign, this function must not use thread-local storage, so it has no
 * canary and no sanitizer. It calls nothing but the library, and its caller blocks all signals. */
#if defined(__clang__)
__attribute__((noinline, no_stack_protector, no_sanitize("all")))
#else
__attribute__((noinline, no_stack_protector, no_sanitize("address", "thread", "undefined")))
#endif
static void
visit_inline(struct fs_visit *visit, uint64_t home)
{
	visit->set = fsgs_set_fs_base(visit->foreign);
	visit->get = fsgs_get_fs_base(&visit->seen);
	visit->refused = fsgs_set_fs_base(FSGS_BASE_LIMIT);
	visit->restored = fsgs_ensure_fs_base(home);
	(void)!fsgs_get_fs_base(&visit->after);
}

#if defined(__clang__)
__attribute__((noinline, no_stack_protector, no_sanitize("all")))
#else
__attribute__((noinline, no_stack_protector, no_sanitize("address", "thread", "undefined")))
#endif
static void
visit_out_of_line(struct fs_visit *visit, uint64_t home)
{
	visit->set = fsgs_set_base(FSGS_SEGMENT_FS, visit->foreign);
	visit->get = fsgs_get_base(FSGS_SEGMENT_FS, &visit->seen);
	visit->refused = fsgs_set_base(FSGS_SEGMENT_FS, FSGS_BASE_LIMIT);
	visit->restored = fsgs_ensure_base(FSGS_SEGMENT_FS, home);
	visit->after = fsgs_get_base_value(FSGS_SEGMENT_FS).base;
}

static void expect_visit(void (*visit)(struct fs_visit *, uint64_t))
{
	struct fs_visit v = {.foreign = SOME};
	uint64_t home = 0;
	sigset_t all, old;

	cr_assert_eq(fsgs_get_fs_base(&home), 0);
	cr_assert_eq(home, (uint64_t)pthread_self());
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	visit(&v, home);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	cr_expect_eq(v.set, 0);
	cr_expect_eq(v.get, 0);
	cr_expect_eq(v.seen, SOME);
	cr_expect_eq(v.refused, -EPERM);
	cr_expect_eq(v.restored, 0);
	cr_expect_eq(v.after, home);
}

Test(base, fs_goes_away_and_comes_back)
{
	const uint32_t automatic = fsgs_base_access(FSGS_SEGMENT_FS);

	expect_visit(visit_inline);
	expect_visit(visit_out_of_line);
	fsgs_base_force(FSGS_SEGMENT_FS, FSGS_ACCESS_ARCH_PRCTL);
	expect_visit(visit_inline);
	expect_visit(visit_out_of_line);
	cr_expect_neq(automatic, FSGS_ACCESS_NONE);
}

static _Thread_local volatile int local;

/* Operations that a thread must not do while its FS base is foreign. Each of them raises
 * SIGSEGV. */
static void use_local(void)
{
	local = 1;
}

static void use_errno(void)
{
	close(-1);
}

static void decide_again(void)
{
	fsgs_refresh();
}

#if defined(__clang__)
__attribute__((noinline, no_stack_protector, no_sanitize("all")))
#else
__attribute__((noinline, no_stack_protector, no_sanitize("address", "thread", "undefined")))
#endif
static void
do_with_foreign_fs(void (*deed)(void))
{
	(void)!fsgs_set_fs_base(0x1000);
	deed();
	__asm__ volatile("syscall" : : "a"((long)SYS_exit_group), "D"(0L) : "rcx", "r11", "memory");
}

Test(base, a_foreign_fs_forbids_thread_local_storage)
{
	static void (*const deeds[])(void) = {use_local, use_errno, decide_again};

	fsgs_base_access(FSGS_SEGMENT_FS);
	for (size_t i = 0; i < sizeof deeds / sizeof *deeds; i++) {
		const pid_t child = fork();
		int status = 0;

		if (child == 0) {
			signal(SIGSEGV, SIG_DFL);
			do_with_foreign_fs(deeds[i]);
		}
		cr_assert_eq(waitpid(child, &status, 0), child);
		cr_expect(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV, "deed %zu: %x", i,
			  (unsigned)status);
	}
}

enum { THREADS = 8, ROUNDS = 2000 };

static pthread_barrier_t start;
static atomic_int wrong;

static void *use(void *argument)
{
	const uint64_t mine = SOME + 0x1000 * (uint64_t)(uintptr_t)argument;

	pthread_barrier_wait(&start);
	for (uint64_t i = 0; i < ROUNDS; i++) {
		uint64_t value = 0;

		if (fsgs_set_gs_base(mine + i) || fsgs_get_gs_base(&value) || value != mine + i)
			atomic_fetch_add(&wrong, 1);
	}
	return NULL;
}

static void *change(void *argument)
{
	(void)argument;
	pthread_barrier_wait(&start);
	for (uint32_t i = 0; i < 100; i++) {
		fsgs_base_force(FSGS_SEGMENT_GS, i % 2 ? FSGS_BASE_AUTO : FSGS_ACCESS_ARCH_PRCTL);
		fsgs_refresh();
	}
	return NULL;
}

Test(base, many_threads_begin_at_once_while_one_changes_its_mind)
{
	pthread_t threads[THREADS], changer;

	pthread_barrier_init(&start, NULL, THREADS + 1);
	for (uintptr_t i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, use, (void *)i);
	pthread_create(&changer, NULL, change, NULL);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	pthread_join(changer, NULL);
	cr_expect_eq(wrong, 0);
	cr_expect_eq(fsgs_base_access(FSGS_SEGMENT_GS),
		     may_use_instruction() ? FSGS_ACCESS_INSTRUCTION : FSGS_ACCESS_ARCH_PRCTL);
	expect_limits();
}

/* A signal handler forces an access while a call of fsgs_base_force() for the other access runs.
 * The processor traps after each instruction of that call, and the handler acts after instruction
 * number `when`. Each number is tried. The decision that began last must be in force, for the
 * inline functions, too. */
static volatile sig_atomic_t stepping;
static long steps, when;

static void decide_otherwise(int sig, siginfo_t *info, void *context)
{
	greg_t *const flags = &((ucontext_t *)context)->uc_mcontext.gregs[REG_EFL];

	(void)sig;
	(void)info;
	if (!stepping)
		*flags &= ~(greg_t)TRAP_FLAG;
	if (++steps == when)
		fsgs_base_force(FSGS_SEGMENT_GS, FSGS_ACCESS_ARCH_PRCTL);
}

Test(base, a_decision_may_come_inside_another)
{
	struct sigaction action = {.sa_sigaction = decide_otherwise, .sa_flags = SA_SIGINFO};
	int was_later = 0;

	sigaction(SIGTRAP, &action, NULL);
	fsgs_base_force(FSGS_SEGMENT_FS, FSGS_ACCESS_ARCH_PRCTL);
	do {
		fsgs_base_force(FSGS_SEGMENT_GS, FSGS_ACCESS_ARCH_PRCTL);
		steps = 0;
		when++;
		stepping = 1;
		__writeeflags(__readeflags() | TRAP_FLAG);
		fsgs_base_force(FSGS_SEGMENT_GS, FSGS_ACCESS_INSTRUCTION);
		stepping = 0;
		if (steps == 0)
			cr_skip_test("no single steps here");

		const uint32_t access = fsgs_base_access(FSGS_SEGMENT_GS);

		cr_expect_eq(fsgs_base_limit[FSGS_SEGMENT_GS],
			     access == FSGS_ACCESS_INSTRUCTION ? FSGS_BASE_LIMIT : 0, "step %ld",
			     when);
		/* If the handler's decision is in force at the end for one value of `when`, it must
		 * be in force for each larger value, too. */
		was_later |= access == FSGS_ACCESS_ARCH_PRCTL;
		cr_expect_eq(access,
			     was_later && steps >= when ? FSGS_ACCESS_ARCH_PRCTL
							: FSGS_ACCESS_INSTRUCTION,
			     "step %ld", when);
	} while (steps >= when);
	cr_expect(was_later);
	cr_expect_gt(when, 50);
}

Test(base, a_child_inherits_access_and_base)
{
	int status = 0;

	cr_assert_eq(fsgs_set_gs_base(SOME), 0);
	const pid_t child = fork();

	if (child == 0) {
		uint64_t value = 0;

		_exit(!(fsgs_get_gs_base(&value) == 0 && value == SOME &&
			fsgs_set_gs_base(OTHER) == 0 && kernels_gs() == OTHER));
	}
	cr_assert_eq(waitpid(child, &status, 0), child);
	cr_expect_eq(status, 0);
	cr_expect_eq(kernels_gs(), SOME);
}

static volatile sig_atomic_t handled;

static void handler(int sig)
{
	uint64_t value = 0;

	(void)sig;
	handled = fsgs_get_gs_base(&value) == 0 && value == SOME && fsgs_set_gs_base(OTHER) == 0;
}

Test(base, a_handler_sees_the_base_and_what_it_sets_stays)
{
	uint64_t value;

	signal(SIGUSR1, handler);
	cr_assert_eq(fsgs_set_gs_base(SOME), 0);
	raise(SIGUSR1);
	cr_expect(handled);
	cr_expect_eq(fsgs_get_gs_base(&value), 0);
	cr_expect_eq(value, OTHER);
}
