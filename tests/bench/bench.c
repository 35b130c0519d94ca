/* SPDX-License-Identifier: MIT */
/*
 * The times of base access and of the check, compared with their floors and with other methods.
 *
 *     bench [FILE.json]      measures
 *     bench --once           runs two checks and one floor, with a getppid after each, for facts.py
 */
#include "floor.h"
#include "harness.h"

#include <fsgscheck.h>
#include <fsgscheck/base.h>

#include <asm/prctl.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(HAVE_CPU_FEATURES)
#include <cpu_features/cpuinfo_x86.h>
#endif
#if defined(HAVE_LIBCPUID)
#include <libcpuid.h>
#endif

/* The timed loops ignore results, because a check of a result would cost time. */
#pragma GCC diagnostic ignored "-Wunused-result"

#define A UINT64_C(0x123456789000)
#define B UINT64_C(0x12345678a000)

static uint64_t home; /* the thread's FS base */

/* -- access: the raw instruction, the two forms of the library, and the system call -- */

/*
 * The library's inline form has a load and a test before the instruction. They cost one cycle or
 * none, depending on the offset of the loop in a block of 64 bytes. The time of the raw loop
 * depends on this offset, too. A caller's code may have any offset, so both loops are measured at
 * sixteen offsets, and their minima are compared.
 */
#define PLACES 16
#define AT(name, place, body)                                                             \
	static __attribute__((noinline, aligned(64))) void name##_##place(unsigned times) \
	{                                                                                 \
		uint64_t base = home;                                                     \
                                                                                          \
		__asm__ volatile(".skip " #place ", 0x90");                               \
		for (unsigned i = 0; i < times; i++) {                                    \
			body;                                                             \
		}                                                                         \
		keep(base);                                                               \
	}
/* clang-format off */
#define ALL_PLACES(X, ...) \
	X(__VA_ARGS__, 0)  X(__VA_ARGS__, 4)  X(__VA_ARGS__, 8)  X(__VA_ARGS__, 12) \
	X(__VA_ARGS__, 16) X(__VA_ARGS__, 20) X(__VA_ARGS__, 24) X(__VA_ARGS__, 28) \
	X(__VA_ARGS__, 32) X(__VA_ARGS__, 36) X(__VA_ARGS__, 40) X(__VA_ARGS__, 44) \
	X(__VA_ARGS__, 48) X(__VA_ARGS__, 52) X(__VA_ARGS__, 56) X(__VA_ARGS__, 60)
/* clang-format on */
#define DEFINE(name, body, place) AT(name, place, body)
#define MENTION(name, place)      name##_##place,
#define PLACED(name, body)                                                             \
	ALL_PLACES(DEFINE, name, body)                                                 \
	static void name(unsigned times)                                               \
	{                                                                              \
		static void (*const places[])(unsigned) = {ALL_PLACES(MENTION, name)}; \
		static unsigned next;                                                  \
                                                                                       \
		places[next++ % PLACES](times);                                        \
	}

PLACED(raw_rdgs, __asm__ volatile(FSGS_ASM(FSGS_RDGSBASE, "%0") : "=r"(base)); keep(base))
PLACED(raw_rdfs, __asm__ volatile(FSGS_ASM(FSGS_RDFSBASE, "%0") : "=r"(base)); keep(base))
PLACED(raw_wrgs, __asm__ volatile(FSGS_ASM(FSGS_WRGSBASE, "%0") : : "r"(base) : "memory"))
PLACED(raw_wrfs, __asm__ volatile(FSGS_ASM(FSGS_WRFSBASE, "%0") : : "r"(base) : "memory"))
PLACED(get_gs, fsgs_get_gs_base(&base); keep(base))
PLACED(get_fs, fsgs_get_fs_base(&base); keep(base))
PLACED(set_gs, fsgs_set_gs_base(base))
PLACED(set_fs, fsgs_set_fs_base(base))

static void call_get_gs(unsigned times)
{
	uint64_t base = 0;

	for (unsigned i = 0; i < times; i++) {
		fsgs_get_base(FSGS_SEGMENT_GS, &base);
		keep(base);
	}
}

static void call_set_gs(unsigned times)
{
	for (unsigned i = 0; i < times; i++)
		fsgs_set_base(FSGS_SEGMENT_GS, A);
}

static void ensure_same(unsigned times)
{
	fsgs_set_gs_base(A);
	for (unsigned i = 0; i < times; i++)
		fsgs_ensure_gs_base(A);
}

static void ensure_other(unsigned times)
{
	for (unsigned i = 0; i < times; i++)
		fsgs_ensure_gs_base(i % 2 ? A : B);
}

/* The floor of get_and_set(): a single function that gets and sets would have to execute at least
 * these two instructions. */
static void raw_swap(unsigned times)
{
	uint64_t before;

	for (unsigned i = 0; i < times; i++) {
		__asm__ volatile(FSGS_ASM(FSGS_RDGSBASE, "%0") : "=r"(before));
		keep(before);
		__asm__ volatile(FSGS_ASM(FSGS_WRGSBASE, "%0") : : "r"(A) : "memory");
	}
}

static void get_and_set(unsigned times)
{
	uint64_t before = 0;

	for (unsigned i = 0; i < times; i++) {
		fsgs_get_gs_base(&before);
		keep(before);
		fsgs_set_gs_base(A);
	}
}

/* -- functions that choose the access for a row -- */

static void automatic(void)
{
	fsgs_base_force(FSGS_SEGMENT_FS, FSGS_ACCESS_INSTRUCTION);
	fsgs_base_force(FSGS_SEGMENT_GS, FSGS_ACCESS_INSTRUCTION);
}

/* The library trusts arch_prctl only after a set has changed the base. The sets of the row
 * FALLBACK_FIRST_SET store the value that the base already has, so the library reads the base back
 * after each set. */
static void by_prctl(void)
{
	fsgs_base_force(FSGS_SEGMENT_GS, FSGS_ACCESS_ARCH_PRCTL);
	syscall(SYS_arch_prctl, ARCH_SET_GS, A);
}

static void by_trusted_prctl(void)
{
	by_prctl();
	fsgs_set_gs_base(B);
}

/*
 * Measures a get while another CPU writes to memory near the limit that a get reads, because a
 * program may have its own data there. Writes before and after the cache line of fsgs_base_limit
 * must not slow the get down. Writes within the cache line of shared_line.limit show the cost of a
 * shared line.
 */
static struct {
	_Alignas(64) uint64_t limit;
	uint64_t hot;
} shared_line = {FSGS_BASE_LIMIT, 0};

PLACED(get_shared,
       if (0 < __atomic_load_n(&shared_line.limit,
			       __ATOMIC_RELAXED)) __asm__ volatile(FSGS_ASM(FSGS_RDGSBASE, "%0")
								   : "=r"(base));
       keep(base))

enum burst { NONE, AROUND_OWN_LINE, WITHIN_SHARED_LINE };

/* In cycles of the time stamp counter. If more than AWAY passes between two writes, the writer was
 * interrupted. A burst of writes takes BURST. */
#define AWAY  UINT64_C(10000)
#define BURST UINT64_C(400000)

static atomic_int wanted;
static atomic_uint bursts, absences;
static _Atomic(uint64_t) written_at; /* the time stamp of the last write */

static uint64_t ticks(void)
{
	uint32_t low, high;

	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
	return (uint64_t)high << 32 | low;
}

/* Adds zero, because another part of the program may use the variable. */
static void touch(uint64_t *at)
{
	for (int i = 0; i < 4; i++)
		__asm__ volatile("lock addq $0, %0" : "+m"(*at));
}

static void write_burst(enum burst burst)
{
	uint64_t *own = (uint64_t *)(uintptr_t)fsgs_base_limit;
	const uint64_t start = ticks();
	uint64_t last = start, t;

	__asm__("" : "+r"(own)); /* hides the accesses beyond the array from the compiler */
	atomic_store(&written_at, start);
	atomic_fetch_add(&bursts, 1);
	do {
		if (burst == WITHIN_SHARED_LINE) {
			touch(&shared_line.hot);
		} else {
			touch(own - 1);
			touch(own + FSGS_BASE_LIMITS);
		}
		t = ticks();
		if (t - last > AWAY)
			atomic_fetch_add(&absences, 1);
		last = t;
		atomic_store(&written_at, t);
	} while (t - start < BURST);
}

static void *write_bursts(void *unused)
{
	for (;;) {
		const enum burst burst = (enum burst)atomic_exchange(&wanted, NONE);

		if (burst == NONE)
			usleep(20);
		else
			write_burst(burst);
	}
	return unused;
}

/* Starts the writer on any allowed CPU except the last, on which the measuring thread will run.
 * Returns nonzero on failure, for example if there is no other CPU. */
static int start_writer(void)
{
	cpu_set_t others;
	pthread_t thread;
	int last = CPU_SETSIZE - 1;

	if (sched_getaffinity(0, sizeof others, &others) || CPU_COUNT(&others) < 2 ||
	    pthread_create(&thread, NULL, write_bursts, NULL))
		return -1;
	while (!CPU_ISSET((size_t)last, &others))
		last--;
	CPU_CLR((size_t)last, &others);
	return pthread_setaffinity_np(thread, sizeof others, &others);
}

static unsigned absences_before;

static void await(enum burst burst)
{
	const unsigned before = atomic_load(&bursts);

	automatic();
	atomic_store(&wanted, burst);
	while (atomic_load(&bursts) == before)
		;
	absences_before = atomic_load(&absences);
}

static void around_own_line(void)
{
	await(AROUND_OWN_LINE);
}

static void within_shared_line(void)
{
	await(WITHIN_SHARED_LINE);
}

/* If the writer paused, makes the sample so long that it cannot be the minimum of its row. */
static void spoil_undisturbed(void)
{
	if (ticks() - atomic_load(&written_at) > AWAY || atomic_load(&absences) != absences_before)
		usleep(1000);
}

static void get_disturbed(unsigned times)
{
	get_gs(times);
	spoil_undisturbed();
}

static void get_shared_disturbed(unsigned times)
{
	get_shared(times);
	spoil_undisturbed();
}

static void prctl_get(unsigned times)
{
	uint64_t base = 0;

	for (unsigned i = 0; i < times; i++) {
		syscall(SYS_arch_prctl, ARCH_GET_GS, &base);
		keep(base);
	}
}

static void prctl_set(unsigned times)
{
	for (unsigned i = 0; i < times; i++)
		syscall(SYS_arch_prctl, ARCH_SET_GS, A);
}

/* -- a sandbox: enters, reads its memory once through GS, and leaves -- */

static uint64_t memory[8];

static uint64_t guest(void)
{
	uint64_t value;

	__asm__ volatile("movq %%gs:8, %0" : "=r"(value));
	return value;
}

static void sandbox(unsigned times)
{
	for (unsigned i = 0; i < times; i++) {
		uint64_t outside = 0;

		fsgs_get_gs_base(&outside);
		fsgs_set_gs_base((uintptr_t)memory);
		keep(guest());
		fsgs_set_gs_base(outside);
	}
}

static void sandbox_prctl(unsigned times)
{
	for (unsigned i = 0; i < times; i++) {
		uint64_t outside = 0;

		syscall(SYS_arch_prctl, ARCH_GET_GS, &outside);
		syscall(SYS_arch_prctl, ARCH_SET_GS, (uintptr_t)memory);
		keep(guest());
		syscall(SYS_arch_prctl, ARCH_SET_GS, outside);
	}
}

/* -- the check -- */

static void check(unsigned times)
{
	struct fsgs_report report;

	for (unsigned i = 0; i < times; i++)
		fsgs_check(&report, sizeof report, 0);
}

static void check_floor(unsigned times)
{
	for (unsigned i = 0; i < times; i++) {
		floor_begin();
		floor_get_gs();
		floor_end();
	}
}

/* After the fork in another row, the first write to each data page raises a page fault. This check
 * runs before the sample, so that these faults are not measured. */
static void check_once(void)
{
	check(1);
}

static void floor_once(void)
{
	check_floor(1);
}

static void usable(unsigned times)
{
	for (unsigned i = 0; i < times; i++)
		keep((uint64_t)fsgs_usable());
}

static void fork_and_wait(unsigned times)
{
	for (unsigned i = 0; i < times; i++) {
		const pid_t child = fork();
		int status;

		if (child == 0) {
			raw_rdfs(1);
			_exit(0);
		}
		waitpid(child, &status, 0);
	}
}

/* The usual way to test an instruction: a handler, and a jump buffer that saves the signal mask. */
static sigjmp_buf jump;

static void jump_out(int sig)
{
	(void)sig;
	siglongjmp(jump, 1);
}

static void probe(void (*instruction)(unsigned times))
{
	struct sigaction action, previous;

	memset(&action, 0, sizeof action);
	action.sa_handler = jump_out;
	sigaction(SIGILL, &action, &previous);
	if (sigsetjmp(jump, 1) == 0)
		instruction(1);
	sigaction(SIGILL, &previous, NULL);
}

static void sigsetjmp_each(unsigned times)
{
	for (unsigned i = 0; i < times; i++) {
		probe(raw_rdfs);
		probe(raw_rdgs);
		probe(raw_wrfs);
		probe(raw_wrgs);
	}
}

static void builtin(unsigned times)
{
	for (unsigned i = 0; i < times; i++) {
		__builtin_cpu_init();
		keep((uint64_t)__builtin_cpu_supports("avx2"));
	}
}

#if defined(HAVE_CPU_FEATURES)
#define NO_CPU_FEATURES NULL
static void cpu_features(unsigned times)
{
	for (unsigned i = 0; i < times; i++) {
		const X86Info info = GetX86Info();

		keep((uint64_t)info.features.avx2);
	}
}
#else
#define NO_CPU_FEATURES "built without libcpu-features-dev"
#define cpu_features    NULL
#endif

#if defined(HAVE_LIBCPUID)
#define NO_LIBCPUID NULL
static void libcpuid(unsigned times)
{
	for (unsigned i = 0; i < times; i++) {
		struct cpu_id_t id;

		keep((uint64_t)cpu_identify(NULL, &id));
	}
}
#else
#define NO_LIBCPUID "built without libcpuid-dev"
#define libcpuid    NULL
#endif

enum {
	RAW_RDGS,
	RAW_RDFS,
	RAW_WRGS,
	RAW_WRFS,
	RAW_SWAP,
	PRCTL_GET,
	PRCTL_SET,
	GET_GS,
	GET_FS,
	GET_SHARED_LINE,
	GET_OWN_LINE,
	GET_OWN_LINE_SPEEDUP,
	SET_GS,
	SET_FS,
	CALL_GET_GS,
	CALL_GET_SPEEDUP,
	CALL_SET_GS,
	ENSURE_SAME,
	ENSURE_OTHER,
	GET_AND_SET,
	FALLBACK_GET,
	FALLBACK_SET,
	FALLBACK_FIRST_SET,
	FALLBACK_ENSURE,
	SANDBOX_PRCTL,
	SANDBOX,
	SANDBOX_FALLBACK,
	CHECK_FLOOR,
	CHECK,
	USABLE,
	BUILTIN,
	FORK,
	SIGSETJMP,
	CPU_FEATURES,
	LIBCPUID,
	ROWS
};

#define FAST 4000
#define CALL 200

/* The initialisers have a value for every member, even for members that a kind of row does not
 * use. */
#define FLOOR(name, body, times)                                     \
	{                                                            \
		name, body, times, NO_FLOOR, NO_BOUND, 0, NULL, NULL \
	}
#define AGAINST(floor, name, body, times, before)                   \
	{                                                           \
		name, body, times, floor, NO_BOUND, 0, before, NULL \
	}
#define BOUND(floor, kind, limit, name, body, times, before)        \
	{                                                           \
		name, body, times, floor, kind, limit, before, NULL \
	}
#define OPTIONAL(floor, skip, name, body)                     \
	{                                                     \
		name, body, 1, floor, NO_BOUND, 0, NULL, skip \
	}

static struct row rows[ROWS] = {
	[RAW_RDGS] = FLOOR("RDGSBASE", raw_rdgs, FAST),
	[RAW_RDFS] = FLOOR("RDFSBASE", raw_rdfs, FAST),
	[RAW_WRGS] = FLOOR("WRGSBASE", raw_wrgs, FAST),
	[RAW_WRFS] = FLOOR("WRFSBASE", raw_wrfs, FAST),
	[RAW_SWAP] = FLOOR("RDGSBASE, WRGSBASE", raw_swap, FAST),
	[PRCTL_GET] = FLOOR("arch_prctl(ARCH_GET_GS)", prctl_get, CALL),
	[PRCTL_SET] = FLOOR("arch_prctl(ARCH_SET_GS)", prctl_set, CALL),
	[GET_GS] = BOUND(RAW_RDGS, RATIO, 1.10, "inline get of GS", get_gs, FAST, automatic),
	[GET_FS] = BOUND(RAW_RDFS, RATIO, 1.10, "inline get of FS", get_fs, FAST, automatic),
	[GET_SHARED_LINE] = AGAINST(GET_GS, "limit beside hot data of another CPU",
				    get_shared_disturbed, FAST, within_shared_line),
	[GET_OWN_LINE] = BOUND(GET_GS, RATIO, 1.25, "limit in its own line, hot data around it",
			       get_disturbed, FAST, around_own_line),
	[GET_OWN_LINE_SPEEDUP] =
		BOUND(GET_SHARED_LINE, SPEEDUP, 1.25, "own line: speedup over the shared line",
		      get_disturbed, FAST, around_own_line),
	[SET_GS] = BOUND(RAW_WRGS, RATIO, 1.05, "inline set of GS", set_gs, FAST, automatic),
	[SET_FS] = BOUND(RAW_WRFS, RATIO, 1.05, "inline set of FS", set_fs, FAST, automatic),
	[CALL_GET_GS] =
		BOUND(RAW_RDGS, EXCESS, 3, "out-of-line get of GS", call_get_gs, FAST, automatic),
	[CALL_GET_SPEEDUP] = BOUND(PRCTL_GET, SPEEDUP, 25, "out-of-line get of GS, by arch_prctl",
				   call_get_gs, FAST, automatic),
	[CALL_SET_GS] = AGAINST(RAW_WRGS, "out-of-line set of GS", call_set_gs, FAST, automatic),
	[ENSURE_SAME] = AGAINST(SET_GS, "ensure, base is right", ensure_same, FAST, automatic),
	[ENSURE_OTHER] = AGAINST(SET_GS, "ensure, base differs", ensure_other, FAST, automatic),
	[GET_AND_SET] =
		AGAINST(RAW_SWAP, "inline get, then set of GS", get_and_set, FAST, automatic),
	[FALLBACK_GET] =
		BOUND(PRCTL_GET, RATIO, 1.10, "fallback get of GS", call_get_gs, CALL, by_prctl),
	[FALLBACK_SET] = BOUND(PRCTL_SET, RATIO, 1.10, "fallback set of GS", call_set_gs, CALL,
			       by_trusted_prctl),
	[FALLBACK_FIRST_SET] = BOUND(PRCTL_SET, RATIO, 2.2, "fallback set of GS, read back",
				     call_set_gs, CALL, by_prctl),
	[FALLBACK_ENSURE] = AGAINST(FALLBACK_SET, "fallback ensure, base is right", ensure_same,
				    CALL, by_prctl),
	[SANDBOX_PRCTL] = FLOOR("sandbox call, plain arch_prctl", sandbox_prctl, CALL),
	[SANDBOX] = AGAINST(SANDBOX_PRCTL, "sandbox call, instruction", sandbox, FAST, automatic),
	[SANDBOX_FALLBACK] =
		AGAINST(SANDBOX_PRCTL, "sandbox call, fallback", sandbox, CALL, by_prctl),
	[CHECK_FLOOR] =
		AGAINST(NO_FLOOR, "floor: two CPUID, 17 system calls", check_floor, 4, floor_once),
	[CHECK] =
		BOUND(CHECK_FLOOR, RATIO, 1.25, "whole check, all four work", check, 4, check_once),
	[USABLE] = BOUND(NO_FLOOR, ABSOLUTE, 2, "fsgs_usable(), cached", usable, FAST, NULL),
	[BUILTIN] = AGAINST(USABLE, "__builtin_cpu_supports", builtin, FAST, NULL),
	[FORK] = AGAINST(CHECK, "fork, RDFSBASE, wait", fork_and_wait, 1, NULL),
	[SIGSETJMP] = AGAINST(CHECK, "sigsetjmp(1) and sigaction each, no CPUID", sigsetjmp_each, 4,
			      NULL),
	[CPU_FEATURES] = OPTIONAL(CHECK, NO_CPU_FEATURES, "cpu_features GetX86Info", cpu_features),
	[LIBCPUID] = OPTIONAL(CHECK, NO_LIBCPUID, "libcpuid cpu_identify", libcpuid),
};

/* Rows that are left out if the instructions do not run. */
static const int instruction_rows[] = {
	RAW_SWAP,     GET_AND_SET,
	RAW_RDGS,     RAW_RDFS,
	RAW_WRGS,     RAW_WRFS,
	GET_GS,       GET_FS,
	SET_GS,       SET_FS,
	CALL_GET_GS,  GET_SHARED_LINE,
	GET_OWN_LINE, GET_OWN_LINE_SPEEDUP,
	CALL_SET_GS,  CALL_GET_SPEEDUP,
	ENSURE_SAME,  ENSURE_OTHER,
	SANDBOX,      FORK,
	SIGSETJMP,    CHECK,
	CHECK_FLOOR,
};

/* Whether the trial of all four instructions succeeds. The verdict does not matter, because the
 * instructions can be measured even if the kernel does not advertise them. */
static int instructions_run(void)
{
	struct fsgs_report report;

	if (fsgs_check(&report, sizeof report, 0))
		return 0;
	for (int i = 0; i < FSGS_INSNS; i++)
		if (report.trials[i].outcome != FSGS_OUTCOME_OK)
			return 0;
	return 1;
}

int main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "--once") == 0) {
		check(1);
		syscall(SYS_getppid);
		check(1);
		syscall(SYS_getppid);
		check_floor(1);
		syscall(SYS_getppid);
		return 0;
	}
	if (!instructions_run())
		for (size_t i = 0; i < sizeof instruction_rows / sizeof *instruction_rows; i++)
			rows[instruction_rows[i]].skip = "the instructions do not run here";
	if (!fsgs_usable())
		rows[SANDBOX].skip = "the kernel does not keep the GS base of the sandbox";
	if (start_writer())
		rows[GET_SHARED_LINE].skip = rows[GET_OWN_LINE].skip =
			rows[GET_OWN_LINE_SPEEDUP].skip = "there is no second CPU";
	if (fsgs_get_fs_base(&home) || fsgs_base_access(FSGS_SEGMENT_GS) == FSGS_ACCESS_NONE) {
		puts("the bases cannot be reached here");
		return 77;
	}
	return bench("libfsgscheck", rows, ROWS, argv[1]);
}
