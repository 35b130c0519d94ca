/* SPDX-License-Identifier: MIT */
/*
 * A cooperative scheduler with per-task data behind GS.
 *
 * Thread-local storage belongs to threads, so a task that moves between threads needs storage of
 * its own. Here GS points to the task's storage, as FS points to the thread's. So a task reaches
 * its storage with one instruction in any thread. A switch of tasks also switches the GS base. Each
 * task always sees its own base.
 */
#include "gs.h"

#include <pthread.h>
#include <sched.h>

enum { THREADS = 3, TASKS = 48, STEPS = 400, STACK = 64 * 1024 };

struct worker {
	pthread_t thread;
	void *stack; /* the thread's own RSP, saved while a task runs on the thread */
	unsigned switches;
};

struct task {
	struct task *self; /* address of this structure: a pointer that works without GS */
	struct worker *worker;
	struct task *next;
	void *stack;
	uint64_t sum;
	uint32_t number;
	uint32_t moves; /* between threads */
	uint32_t wrong;
	uint32_t done;
};

/* The task that runs in the current thread: GS points to it. */
#define SELF (*(struct task __seg_gs volatile *)0)

/*
 * Pushes the registers that a callee must preserve, stores the stack pointer in *save, changes to
 * the stack `to`, and pops the registers that were pushed there.
 */
void switch_stack(void **save, void *to);
__asm__(".text\n"
	".type switch_stack, @function\n"
	"switch_stack:\n"
	"	pushq %rbp\n"
	"	pushq %rbx\n"
	"	pushq %r12\n"
	"	pushq %r13\n"
	"	pushq %r14\n"
	"	pushq %r15\n"
	"	movq %rsp, (%rdi)\n"
	"	movq %rsi, %rsp\n"
	"	popq %r15\n"
	"	popq %r14\n"
	"	popq %r13\n"
	"	popq %r12\n"
	"	popq %rbx\n"
	"	popq %rbp\n"
	"	ret\n"
	".size switch_stack, . - switch_stack\n");

static pthread_barrier_t start_line; /* no thread may finish before the others begin */

static struct {
	pthread_mutex_t lock;
	struct task *first, **last;
	int unfinished;
} queue = {PTHREAD_MUTEX_INITIALIZER, NULL, &queue.first, TASKS};

static void put(struct task *task)
{
	pthread_mutex_lock(&queue.lock);
	task->next = NULL;
	*queue.last = task;
	queue.last = &task->next;
	pthread_mutex_unlock(&queue.lock);
}

static struct task *take(int *unfinished)
{
	pthread_mutex_lock(&queue.lock);

	struct task *const task = queue.first;

	if (task) {
		queue.first = task->next;
		if (!queue.first)
			queue.last = &queue.first;
	}
	*unfinished = queue.unfinished;
	pthread_mutex_unlock(&queue.lock);
	return task;
}

static void count_finished(void)
{
	pthread_mutex_lock(&queue.lock);
	queue.unfinished--;
	pthread_mutex_unlock(&queue.lock);
}

/* Called by a task: lets other tasks run. The task may continue in another thread. */
static __attribute__((noinline)) void yield(void)
{
	struct task *const self = SELF.self;

	switch_stack(&self->stack, self->worker->stack);
}

/* The code of each task: counts in its own data, and checks that the data is still its own. */
static _Noreturn void run_task(void)
{
	struct task *const mine = SELF.self;

	for (uint64_t step = 1; step <= STEPS; step++) {
		uint64_t base = 0;

		SELF.sum += step * SELF.number;
		must(get_gs(&base));
		if (base != (uintptr_t)mine || SELF.number != mine->number)
			mine->wrong++;
		yield();
	}
	SELF.done = 1;
	for (;;)
		yield();
}

static void *run_worker(void *argument)
{
	struct worker *const worker = argument;
	struct task *task;
	int unfinished;

	pthread_barrier_wait(&start_line);
	while ((task = take(&unfinished)) || unfinished) {
		if (!task) {
			sched_yield(); /* the remaining tasks run in other threads */
			continue;
		}
		task->moves += task->worker && task->worker != worker;
		task->worker = worker;
		worker->switches++;
		must(set_gs((uintptr_t)task));
		switch_stack(&worker->stack, task->stack);
		/* The task has left its stack only now, so only now may another thread run the
		 * task. */
		if (task->done)
			count_finished();
		else
			put(task);
	}
	must(set_gs(0));
	return NULL;
}

/* Makes a stack from which switch_stack() returns to the start of run_task(). */
static void *prepare_stack(void)
{
	char *const bottom = aligned_alloc(16, STACK);
	void **top;

	if (!bottom) {
		perror("cannot allocate a stack");
		exit(EXIT_FAILURE);
	}
	top = (void **)(bottom + STACK);
	*--top = NULL; /* instead of a return address: run_task() never returns */
	*--top = (void *)(uintptr_t)run_task;
	for (int i = 0; i < 6; i++)
		*--top = NULL;
	return top;
}

int main(void)
{
	static struct task tasks[TASKS];
	static struct worker workers[THREADS];
	const uint64_t steps = STEPS;
	unsigned switches = 0, moves = 0, wrong = 0;

	for (uint32_t i = 0; i < TASKS; i++) {
		tasks[i].self = &tasks[i];
		tasks[i].number = i;
		tasks[i].stack = prepare_stack();
		put(&tasks[i]);
	}

	pthread_barrier_init(&start_line, NULL, THREADS);

	const double start = now_ns();

	for (int i = 0; i < THREADS; i++)
		if (pthread_create(&workers[i].thread, NULL, run_worker, &workers[i])) {
			fputs("not ok: cannot create a thread\n", stderr);
			return EXIT_FAILURE;
		}
	for (int i = 0; i < THREADS; i++) {
		pthread_join(workers[i].thread, NULL);
		switches += workers[i].switches;
	}

	const double end = now_ns();

	for (uint32_t i = 0; i < TASKS; i++) {
		wrong += tasks[i].wrong + (tasks[i].sum != i * (steps * (steps + 1) / 2));
		moves += tasks[i].moves;
	}
	wrong += switches != TASKS * (STEPS + 1);
	printf("%s: %u switches of %d tasks on %d threads by %s, %u moves, %.1f ns each, %u "
	       "wrong\n",
	       wrong ? "not ok" : "ok", switches, TASKS, THREADS, access_name(), moves,
	       (end - start) / switches, wrong);
	return wrong ? EXIT_FAILURE : EXIT_SUCCESS;
}
