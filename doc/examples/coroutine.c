/* SPDX-License-Identifier: MIT */
/* Two coroutines, each with a GS base of its own, on one thread. */
#define _GNU_SOURCE
#include <fsgscheck/base.h>
#include <stdio.h>
#include <ucontext.h>

struct task {
	ucontext_t context;
	uint64_t gs; /* the GS base while the task does not run */
	uint64_t heap[2];
	char stack[32768];
};

static struct task tasks[2];
static ucontext_t home;
static int failed;

/* Saves the GS base of the task that stops, and sets the base of the task that continues. */
static int switch_task(struct task *from, struct task *to)
{
	const int error = fsgs_get_gs_base(&from->gs);

	if (error)
		return error;
	/* -EPERM: the task has written, by WRGSBASE, a base that fsgs_ensure_gs_base() refuses. */
	return fsgs_ensure_gs_base(to->gs);
}

static void run(int number)
{
	struct task *const me = &tasks[number], *const other = &tasks[!number];

	for (int i = 0; i < 1000; i++) {
		__asm__ volatile("incq %%gs:8" : : : "memory");
		if (switch_task(me, other)) {
			failed = 1;
			break;
		}
		if (swapcontext(&me->context, &other->context))
			failed = 1;
	}
}

int main(void)
{
	uint64_t before = 0;

	if (fsgs_get_gs_base(&before)) {
		puts("the GS base cannot be reached here: keep the pointer in a register");
		return 1;
	}
	for (int i = 0; i < 2; i++) {
		tasks[i].gs = (uintptr_t)tasks[i].heap;
		getcontext(&tasks[i].context);
		tasks[i].context.uc_stack.ss_sp = tasks[i].stack;
		tasks[i].context.uc_stack.ss_size = sizeof tasks[i].stack;
		tasks[i].context.uc_link = &home;
		makecontext(&tasks[i].context, (void (*)(void))(uintptr_t)&run, 1, i);
	}
	if (fsgs_set_gs_base(tasks[0].gs) || swapcontext(&home, &tasks[0].context) ||
	    fsgs_set_gs_base(before))
		return 1;
	printf("%llu and %llu steps, GS base by %s\n", (unsigned long long)tasks[0].heap[1],
	       (unsigned long long)tasks[1].heap[1],
	       fsgs_name(FSGS_LIST_ACCESS, fsgs_base_access(FSGS_SEGMENT_GS)));
	return failed || tasks[0].heap[1] != 1000 || tasks[1].heap[1] != 1000;
}
