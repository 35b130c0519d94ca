/* SPDX-License-Identifier: MIT */
#include "neighbours.h"
#include "keyed-stack.h"
#include "state.h"

#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <pthread.h>
#include <sys/mman.h>

#define PAGE 4096UL

static const struct surroundings *around;
static atomic_int stop;

/* --- seteuid(): the C library signals every other thread and waits for it --- */

static long change_ids(void)
{
	EXPECT(seteuid(geteuid()) == 0 && setegid(getegid()) == 0, "seteuid");
	usleep(5000);
	return 1;
}

/* --- A lock that is held during fork(), and also by a thread that checks --- */

static pthread_mutex_t over_fork = PTHREAD_MUTEX_INITIALIZER;
static atomic_long forks_with_check;

static void before_fork(void)
{
	around->hold();
	pthread_mutex_lock(&over_fork);
	around->check();
	atomic_fetch_add(&forks_with_check, 1);
}

static void after_fork(void)
{
	around->check();
	pthread_mutex_unlock(&over_fork);
	around->release();
}

static long check_under_the_lock(void)
{
	around->hold();
	pthread_mutex_lock(&over_fork);
	around->check();
	pthread_mutex_unlock(&over_fork);
	around->release();
	usleep(100);
	return 1;
}

/* --- A stack with its own protection key --- */

static struct keyed_stack keyed;

/* A handler that begins on this stack has no right to the stack's key. So this thread checks only
 * while the process's handlers use the alternate stack, and it blocks all signals, including those
 * of the C library. The check unblocks only the signals that it catches. */
static long check_with_key(void)
{
	const uint64_t all = UINT64_MAX;
	uint64_t mask;
	bool possible;

	around->hold();
	possible = around->on_alternate_stack();
	if (possible) {
		syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, &mask, sizeof mask);
		keyed_stack_call(&keyed, around->check);
		syscall(SYS_rt_sigprocmask, SIG_SETMASK, &mask, NULL, sizeof mask);
	}
	around->release();
	usleep(possible ? 100 : 1000);
	return possible;
}

/* --- Another copy of the library, and a thread that write-protects the copy's data --- */

typedef int check_fn(struct fsgs_report *report, size_t size, uint32_t flags);

static check_fn *check_by_copy;
static struct fsgs_report answer_of_copy;
static _Atomic uintptr_t first, end;
static atomic_long served, unserved;

static int find_data(struct dl_phdr_info *info, size_t size, void *address)
{
	uintptr_t data = 0, data_end = 0, relro_end = 0;
	bool inside = false;

	(void)size;
	for (const ElfW(Phdr) *p = info->dlpi_phdr; p < info->dlpi_phdr + info->dlpi_phnum; p++) {
		const uintptr_t at = info->dlpi_addr + p->p_vaddr;

		if (p->p_type == PT_GNU_RELRO)
			relro_end = at + p->p_memsz;
		if (p->p_type != PT_LOAD)
			continue;
		inside |= (uintptr_t)address - at < p->p_memsz;
		if (p->p_flags & PF_W) {
			data = at;
			data_end = at + p->p_memsz;
		}
	}
	if (!inside)
		return 0;
	atomic_store(&first, ((relro_end > data ? relro_end : data) + PAGE - 1) & ~(PAGE - 1));
	atomic_store(&end, (data_end + PAGE - 1) & ~(PAGE - 1));
	return 1;
}

bool neighbours_serve(const siginfo_t *info)
{
	const uintptr_t at = (uintptr_t)info->si_addr & ~(PAGE - 1);
	long result = SYS_mprotect;

	if (!atomic_load(&end) || at < atomic_load(&first) || at >= atomic_load(&end))
		return false;
	/* A raw system call, because the C library's mprotect() may store errno, which is
	 * thread-local. */
	__asm__ volatile("syscall"
			 : "+a"(result)
			 : "D"(at), "S"(PAGE), "d"(PROT_READ | PROT_WRITE)
			 : "rcx", "r11", "memory");
	atomic_fetch_add(result ? &unserved : &served, 1);
	return true;
}

static long check_with_copy(void)
{
	struct fsgs_report r;
	const bool held = around->hold();

	if (held)
		EXPECT(check_by_copy(&r, sizeof r, 0) == 0 && r.verdict == answer_of_copy.verdict &&
			       r.refusal == answer_of_copy.refusal,
		       "the copy's verdict %u, refusal %u (%d)", r.verdict, r.refusal,
		       r.refusal_error);
	around->release();
	usleep(held ? 50 : 1000);
	return held;
}

static long protect(void)
{
	const bool held = around->hold();

	if (held)
		mprotect((void *)atomic_load(&first), atomic_load(&end) - atomic_load(&first),
			 PROT_READ);
	around->release();
	usleep(held ? 200 : 1000);
	return held;
}

static void load_copy(void)
{
	void *const library =
		around->library ? dlopen(around->library, RTLD_NOW | RTLD_LOCAL) : NULL;

	EXPECT(library || !around->library, "%s", dlerror());
	check_by_copy = library ? (check_fn *)(uintptr_t)dlsym(library, "fsgs_check") : NULL;
	if (!check_by_copy)
		return;
	(void)!check_by_copy(&answer_of_copy, sizeof answer_of_copy, 0);
	EXPECT(dl_iterate_phdr(find_data, (void *)(uintptr_t)check_by_copy) == 1 &&
		       atomic_load(&first) < atomic_load(&end),
	       "the copy's data: %#lx to %#lx", (unsigned long)first, (unsigned long)end);
}

/* --- The table of all neighbours --- */

static struct neighbour {
	const char *what;
	long (*turn)(void);
	atomic_long turns;
	pthread_t thread;
	bool started;
} neighbours[] = {
	{.what = "changes of user", .turn = change_ids},
	{.what = "checks under a lock of fork", .turn = check_under_the_lock},
	{.what = "checks with a key for the stack", .turn = check_with_key},
	{.what = "checks by another copy", .turn = check_with_copy},
	{.what = "checks by another copy", .turn = check_with_copy},
	{.what = "times of a write barrier", .turn = protect},
};

#define NEIGHBOURS (sizeof neighbours / sizeof *neighbours)

static char stacks[NEIGHBOURS][65536];

static void *live(void *argument)
{
	struct neighbour *const me = argument;
	const stack_t stack = {.ss_sp = stacks[me - neighbours], .ss_size = sizeof *stacks};

	EXPECT(sigaltstack(&stack, NULL) == 0, "sigaltstack");
	while (!atomic_load(&stop))
		atomic_fetch_add(&me->turns, me->turn());
	return NULL;
}

static void start(struct neighbour *one)
{
	if (one->turn == check_with_key && !keyed_stack_make(&keyed))
		return;
	if ((one->turn == check_with_copy || one->turn == protect) && !check_by_copy)
		return;
	one->started = pthread_create(&one->thread, NULL, live, one) == 0;
	EXPECT(one->started, "pthread_create");
}

void neighbours_start(const struct surroundings *given)
{
	around = given;
	load_copy();
	EXPECT(pthread_atfork(before_fork, after_fork, after_fork) == 0, "pthread_atfork");
	for (size_t i = 0; i < NEIGHBOURS; i++)
		start(&neighbours[i]);
}

void neighbours_end(void)
{
	atomic_store(&stop, 1);
	for (size_t i = 0; i < NEIGHBOURS; i++) {
		struct neighbour *const one = &neighbours[i];

		if (!one->started) {
			printf("%-34s not here\n", one->what);
			continue;
		}
		pthread_join(one->thread, NULL);
		printf("%-34s %9ld\n", one->what, atomic_load(&one->turns));
		EXPECT(atomic_load(&one->turns) > 0, "none");
	}
	printf("%-34s %9ld\n", "checks in handlers of fork", atomic_load(&forks_with_check));
	printf("%-34s %9ld\n", "faults of the write barrier", atomic_load(&served));
	EXPECT(atomic_load(&forks_with_check) > 0, "none");
	EXPECT(atomic_load(&unserved) == 0, "mprotect");
	EXPECT(atomic_load(&served) > 0 || !check_by_copy, "none");
}
