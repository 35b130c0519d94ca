/* SPDX-License-Identifier: MIT */
/*
 * Code that runs while FS or GS has a foreign base: a base that a case has set, instead of the base
 * that the C library or a sandbox needs. The code must not use thread-local storage, the C library
 * or a stack protector. meson.build compiles foreign.c accordingly.
 */
#ifndef CONFORMANCE_FOREIGN_H
#define CONFORMANCE_FOREIGN_H

#include <signal.h>
#include <stdint.h>

#pragma GCC visibility push(hidden)

/* A fault as the kernel reports it. */
struct foreign_fault {
	int32_t signal; /* 0: none */
	int32_t code;
	uint64_t address; /* si_addr */
	uint64_t rip;
	uint64_t trap; /* the exception vector */
	uint64_t error;
};

/* The bases and selectors at one moment, as the process itself reads them: by the instructions, by
 * arch_prctl and by a load. */
struct sight {
	uint64_t insn[2]; /* RDFSBASE, RDGSBASE */
	uint64_t prctl[2];
	int64_t error[2];     /* result of arch_prctl; if negative, prctl[] holds no base */
	uint64_t load[2];     /* the value at offset 0 of the segment, if the case reads it */
	uint16_t selector[6]; /* ES CS SS DS FS GS */
};

enum sight_selector { SEL_ES, SEL_CS, SEL_SS, SEL_DS, SEL_FS, SEL_GS };

enum set_by { SET_NOT, SET_PRCTL, SET_INSN, SET_INSN32 };

enum { RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8, R9, R10, R11, R12, R13, R14, R15, REGISTERS };

#define TRAIL        16
#define WINDOW_CPUS  64

#define FLAG_TRAP    0x100
/* CF PF AF ZF SF DF OF: the flags that a program may set without side effects. */
#define FLAGS_STATUS UINT64_C(0xcd5)
/* IF and the reserved bit 1, which are always set in user space. */
#define FLAGS_FIXED  UINT64_C(0x202)

struct window {
	/* window.S repeats the offsets of these members. */
	uint64_t in[REGISTERS], out[REGISTERS];
	uint64_t flags, after;
	uint64_t stub; /* address of the stub; 0: there is none */

	/* Before the stub. */
	uint32_t load_selector[2]; /* 1: load `selector` before the base is set */
	uint16_t selector[2];
	uint32_t set_by[2];
	uint64_t set[2];
	uint32_t reload[2]; /* 1: load `selector` after the base was set */

	/* After the stub. */
	void (*event)(struct window *w);
	uint64_t argument[4]; /* of the event */
	uint32_t want_load[2];

	/* The results. */
	struct sight before; /* after the bases were set, before the stub */
	struct sight last;   /* after the event */
	struct sight child;  /* in the process or thread that the event creates */
	struct sight handler;
	struct foreign_fault fault; /* the last fault, in the stub or in the event */
	int64_t result;             /* of the event */

	/* Parameters and results of the signal handler. */
	uint32_t change_in_handler[2];
	uint64_t handler_base[2];
	volatile uint32_t signals; /* counts SIGUSR1, SIGTRAP and faults of the event's code */
	uint32_t trails;
	uint64_t trail[TRAIL]; /* RIP of each SIGTRAP; `trails` is their number */
	uint64_t low, low_end; /* start and end of the code that compat_stub() makes */
	uint32_t astray;       /* 1: a fault at any address ends the stub */
	uint32_t bad_cs;       /* not 0: the handler of SIGUSR1 returns with this CS */

	/* For rivals, children and moves between CPUs. */
	volatile uint64_t turns;
	volatile uint32_t stop;
	uint32_t cpus;
	uint16_t cpu[WINDOW_CPUS];

	int64_t set_error[2]; /* result of arch_prctl; if negative, the instruction set the base */
	uint64_t own[2];      /* the bases to restore */
};

/* window.S */
void window_enter(struct window *w);
extern char window_back[], window_stubs[], window_odd[], window_ud2[], window_end[];
extern char window_sysenter[], window_zap[];
extern char compat_page[], compat_page_end[];
long foreign_clone(unsigned long flags, void *stack, int *parent, int *child, unsigned long tls,
		   void (*body)(void *), void *argument);

/* The size of a stub, and the index of a stub in window_stubs. */
#define STUB_BYTES                   16
#define STUB_INDEX(insn, width, reg) (((insn)*2 + ((width) == 64)) * 16 + (reg))

/* The stubs of window_odd, which assemblers have no mnemonic for: four of each kind, one for each
 * instruction. */
enum odd {
	ODD_LOCK64,
	ODD_LOCK32,
	ODD_REX_R,
	ODD_REX_X,
	ODD_REX_FIRST,
	ODD_66,
	ODD_67,
	ODD_F2_F3,
	ODD_F3_F2,
	ODD_CS,
	ODD_FS,
	ODD_GS
};

/* Sets the bases, executes the stub, runs the event, and restores the bases. Reads bases and
 * selectors before the stub and after the event. */
void foreign_window(struct window *w);

/* The handler of all signals that a case catches. A fault in a stub ends the stub. An unexpected
 * fault is noted in *foreign_crash, and ends the process. */
void foreign_signal(int signal, siginfo_t *info, void *context);
extern struct window *foreign_now;
extern struct foreign_fault *foreign_crash;

/* Bits of foreign_deadly: system calls that kill their caller on this machine. Before the first
 * case, child processes try these calls. Afterwards foreign_prctl() does not make a call that
 * kills, but returns -ENOSYS. */
#define FOREIGN_CALL(get, segment) (1u << ((get)*2 + (segment)))
#define FOREIGN_INT80              (1u << 4) /* the 32-bit entry */
/* Any system call while the GS base is not the sandbox's: some sandboxes keep their own data behind
 * GS. If this bit is set, the window puts the sandbox's base into GS while it calls arch_prctl. */
#define FOREIGN_GS_CALL            (1u << 5)
extern uint32_t foreign_deadly;
long foreign_prctl(int get, int segment, uint64_t argument);
/* Writes a GS base before each of several system calls: another base if `changed`, else the base
 * that GS has. If a call does not return, the process ends. If only the changed base ends the
 * process, FOREIGN_GS_CALL must be set. `set_handler` installs a handler for SIGSEGV. */
void foreign_gs_call(int changed, void (*set_handler)(void (*handler)(int)));
/* The caller's GS base, read by RDGSBASE: for use if arch_prctl does not work. 0 if RDGSBASE does
 * not run. */
uint64_t foreign_own_gs(void);
extern uint32_t foreign_runs; /* the instructions run here */

/* The rival of a window: another process or thread on the same CPU. Sets its own bases repeatedly,
 * counts turns in *w, and yields. When w->stop is set, the rival exits. Never returns. */
void foreign_rival(struct window *w);
/* foreign_rival() as the first function of a thread. */
void foreign_rival_thread(void *w);

/* Events. */
void event_syscalls(struct window *w);
void event_int80(struct window *w);
void event_yield(struct window *w); /* argument 3: the rival's window; yields until the rival ran */
void event_spin(struct window *w);  /* argument 3: the rival's window; spins until the rival ran */
void event_sleep(struct window *w); /* argument 0: nanoseconds */
void event_storm(struct window *w); /* argument 0: how often to send SIGUSR1 to this thread */
void event_iret(struct window *w);  /* argument 0: how often the kernel's IRET is made to fault */
void event_touch(struct window *w); /* argument 0: address, 1: how many pages to write to */
void event_hop(struct window *w);   /* moves to each CPU of cpu[] */
void event_breakpoint(struct window *w);
void event_undefined(struct window *w);
void event_fault(struct window *w); /* a load from a non-canonical address */
void event_divide(struct window *w);
void event_step(struct window *w);          /* a system call while the trap flag is set */
void event_ticks(struct window *w);         /* argument 0: nanoseconds of CPU time to spin */
void event_stop(struct window *w);          /* SIGSTOP to itself */
void event_mark_and_spin(struct window *w); /* sets stop to 1, spins until stop is 2 */
void event_load(struct window *w);   /* argument 0: segment, 1: offset; sets result and fault */
void event_addr32(struct window *w); /* event_load() with a 32-bit effective address */
void event_lea(struct window *w);    /* argument 0: segment; sets result */
void event_store(struct window *w);  /* argument 0: segment, 1: offset, 2: value */
void event_fork(struct window *w);   /* argument 0: clone flags, 1: stack, 2: TLS */
void event_fork_change(struct window *w); /* event_fork(); the child sets its own bases */
void event_exec(struct window *w);        /* argument 0: path, 1: argv, 2: envp */
void event_abort(struct window *w);
void event_selector(struct window *w);  /* argument 0: segment, 1: selector, 2: 0 MOV, 1 POP */
void event_set_prctl(struct window *w); /* argument 0: segment, 1: base; sets result */

#pragma GCC visibility pop

#endif
