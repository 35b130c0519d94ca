/* SPDX-License-Identifier: MIT */
/* `fsgscheck run`: the front process, for which the caller waits (tracer.h). */
#include "command.h"
#include "privilege.h"
#include "tracer.h"
#include "../explain/text.h"
#include "../output.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* The last two have the same meaning as in env(1). */
enum { CANNOT_TRACE = 3, BAD_USAGE = 64, CANNOT_EXECUTE = 126, NOT_FOUND = 127 };

/* Maximum time between the arrivals of a signal at the front and at the program, if it was sent to
 * their process group. */
#define GROUP_MILLISECONDS 20

static const char usage[] =
	"usage: fsgscheck run [--json] [--trace] [--untraced-ok]\n"
	"                     [--] PROGRAM [ARGUMENT...]\n"
	"\n"
	"Runs the program. If it dies at an FSGSBASE instruction, names the instruction\n"
	"and its function, why it fails here, and what to do. Otherwise prints nothing.\n"
	"Messages go to standard error.\n"
	"\n"
	"  --json         one JSON object for each death\n"
	"  --trace        also list faults that the program's own handler catches\n"
	"  --untraced-ok  run the program without tracing it where ptrace is refused\n"
	"  --help\n"
	"\n"
	"Exit status: the program's own; 128+N if signal N ended it; 3 if it could not\n"
	"be traced (it was not started then); 64 bad usage; 126 if it could not be\n"
	"executed; 127 not found.\n";

static const struct option options[] = {
	{"json", no_argument, NULL, 'j'},
	{"trace", no_argument, NULL, 't'},
	{"untraced-ok", no_argument, NULL, 'u'},
	{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0},
};

/* What the caller gave to the command: the program's arguments, the signal mask, which the program
 * must inherit, and the option --untraced-ok. */
struct started {
	char **argv;
	sigset_t mask;
	bool untraced_ok;
};

/* Filters a name from the command line for a message, because a file's name may contain any
 * character. */
static const char *shown(const char *name)
{
	static char clean[PATH_MAX];

	text_clean(name, clean, sizeof clean);
	return clean;
}

static int cannot_execute(const char *program, int error)
{
	fprintf(stderr, "fsgscheck: %s: %s\n", shown(program), strerror(error));
	return error == ENOENT ? NOT_FOUND : CANNOT_EXECUTE;
}

/* -- the program ------------------------------------------------------------------------------ */

/* Runs in the new process. Reports that the process is ready, waits until the tracer has attached,
 * and executes the program. If execvp() fails, reports the errno. */
static _Noreturn void become_program(const struct started *started, int words, pid_t tracer)
{
	int word = 0;

	/* Allow the tracer to attach. Otherwise Yama lets only ancestors attach
	 * (Documentation/admin-guide/LSM/Yama.rst). */
	prctl(PR_SET_PTRACER, (unsigned long)tracer, 0, 0, 0);
	if (write(words, &word, sizeof word) != sizeof word ||
	    read(words, &word, sizeof word) != sizeof word)
		_exit(CANNOT_TRACE);
	prctl(PR_SET_PTRACER, 0, 0, 0, 0);
	sigprocmask(SIG_SETMASK, &started->mask, NULL);
	execvp(started->argv[0], started->argv);
	word = errno;
	(void)!write(words, &word, sizeof word);
	_exit(NOT_FOUND);
}

/* The path at which execvp() finds the program. `name` itself if it has a slash, if PATH is not
 * set, or if the program is not found. */
static const char *find_program(const char *name, char *path, size_t size)
{
	const char *at = getenv("PATH");

	if (strchr(name, '/') || !at)
		return name;
	for (;;) {
		const size_t length = strcspn(at, ":");

		snprintf(path, size, "%.*s%s%s", (int)length, at, length ? "/" : "", name);
		if (access(path, X_OK) == 0)
			return path;
		if (!at[length])
			return name;
		at += length + 1;
	}
}

/* -- if the program cannot be traced --------------------------------------------------------- */

static long read_number(const char *path)
{
	FILE *file = fopen(path, "re");
	long number = -1;

	if (file && fscanf(file, "%ld", &number) != 1)
		number = -1;
	if (file)
		fclose(file);
	return number;
}

static long status_number(const char *key)
{
	const size_t length = strlen(key);
	FILE *file = fopen("/proc/self/status", "re");
	char line[256];
	long number = -1;

	while (file && number < 0 && fgets(line, sizeof line, file))
		if (strncmp(line, key, length) == 0)
			number = strtol(line + length, NULL, 10);
	if (file)
		fclose(file);
	return number;
}

/* Prints why ptrace was refused, and the cheapest fix. */
static void say_refused(const char *program, int error)
{
	const long yama = read_number("/proc/sys/kernel/yama/ptrace_scope");
	const long tracer = status_number("TracerPid:");

	fprintf(stderr, "fsgscheck: %s was not started: ", shown(program));
	if (tracer > 0)
		fprintf(stderr,
			"process %ld traces fsgscheck already; start it outside that tracer",
			tracer);
	else if (error == EMFILE || error == ENFILE || error == EAGAIN || error == ENOMEM)
		fprintf(stderr,
			"the limits of this process leave no room to trace it (%s); raise them: "
			"ulimit -a shows them",
			strerror(error));
	else if (yama >= 2)
		fprintf(stderr, "kernel.yama.ptrace_scope is %ld and forbids ptrace; %s", yama,
			yama == 2 ? "run fsgscheck as root" : "only a reboot can lower it");
	else if (status_number("Seccomp:") == 2)
		fprintf(stderr,
			"a seccomp filter refuses ptrace (%s); in a container, allow it: "
			"--cap-add SYS_PTRACE",
			strerror(error));
	else
		fprintf(stderr, "ptrace is refused (%s)", strerror(error));
	fputs("; or run it without tracing: --untraced-ok\n", stderr);
}

static int run_untraced(const struct started *started)
{
	sigprocmask(SIG_SETMASK, &started->mask, NULL);
	execvp(started->argv[0], started->argv);
	return cannot_execute(started->argv[0], errno);
}

static int refuse(const struct started *started, int error)
{
	if (started->untraced_ok)
		return run_untraced(started);
	say_refused(started->argv[0], error);
	return CANNOT_TRACE;
}

/* -- the front while the program runs -------------------------------------------------------- */

/* Stops the front after the program has stopped, so that the shell's job control works. If the
 * program has continued meanwhile, the front does not stop. The raised stop signal stays pending
 * while it is blocked, and a SIGCONT from the tracer discards it. SIGSTOP cannot be blocked, so the
 * tracer sends SIGSTOP to the front. */
static void stop_like(int signal, pid_t program)
{
	siginfo_t continued = {.si_pid = 0};
	sigset_t one;

	if (signal == SIGSTOP)
		return;
	sigemptyset(&one);
	sigaddset(&one, signal);
	raise(signal);
	if (waitid(P_PID, (id_t)program, &continued, WCONTINUED | WNOHANG) == 0 &&
	    continued.si_pid == program) {
		sigtimedwait(&one, NULL, &(struct timespec){0});
		return;
	}
	sigprocmask(SIG_UNBLOCK, &one, NULL);
	sigprocmask(SIG_BLOCK, &one, NULL);
}

/* Passes a signal from another process on to the program, unless the program has received it
 * already as a member of the process group. */
static void relay(struct shared *shared, pid_t program, const siginfo_t *info, int64_t since)
{
	const struct timespec group = {.tv_nsec = GROUP_MILLISECONDS * 1000000L};
	const int signal = info->si_signo;

	nanosleep(&group, NULL);
	if (shared->seen[signal].sender == info->si_pid && shared->seen[signal].when >= since)
		return;
	shared->relayed[signal] = *info;
	if (info->si_code == SI_QUEUE)
		sigqueue(program, signal, info->si_value);
	else
		kill(program, signal);
}

static int wait_for(pid_t program, struct shared *shared, pid_t tracer)
{
	sigset_t all;
	siginfo_t info;
	int64_t since = tracer_now();
	int status;

	sigfillset(&all);
	for (;;) {
		/* A signal that is pending already may have arrived at any time after the last
		 * signal was received, so `since` stays. */
		if (sigtimedwait(&all, &info, &(struct timespec){0}) < 0) {
			if (sigwaitinfo(&all, &info) < 0)
				continue;
			since = tracer_now() - GROUP_MILLISECONDS;
		}
		if (info.si_signo == SIGCHLD) {
			while (waitpid(program, &status, WNOHANG | WUNTRACED) > 0) {
				if (!WIFSTOPPED(status))
					return status;
				stop_like(WSTOPSIG(status), program);
			}
		} else if ((info.si_code == SI_USER || info.si_code == SI_QUEUE) &&
			   info.si_pid != tracer) {
			relay(shared, program, &info, since);
		}
	}
}

/* Closes the caller's open files in the front and the tracer, so that only the program has them.
 * Otherwise a lock or a pipe would stay open after the program has closed it. The descriptors below
 * `from` become /dev/null. The descriptors from `from` to 2, and `keep`, stay open. */
static void close_others(int from, int keep)
{
	const int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	for (int fd = 0; fd < from; fd++)
		if (null >= 0)
			dup2(null, fd);
	for (int fd = from > 3 ? from : 3; fd < keep; fd++)
		close(fd);
	/* Not every C library has close_range(). */
	syscall(SYS_close_range, (unsigned)keep + 1, ~0u, 0);
}

/* Opens /dev/null as each of the descriptors 0 to 2 that the caller has closed. Otherwise the
 * command's own files would get these numbers. execve() closes these descriptors again, so the
 * program starts with them closed. */
static void open_standard(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd > STDERR_FILENO)
		close(fd);
}

static _Noreturn void become_tracer(struct tracing *tracing, int words)
{
	int error;

	/* If the front is killed, the tracer ends, too. The program and its descendants continue
	 * untraced. */
	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	if (getppid() != tracing->front)
		_exit(CANNOT_TRACE);
	setsid();
	if (read(words, &tracing->program, sizeof tracing->program) != sizeof tracing->program)
		_exit(CANNOT_TRACE);
	error = tracer_seize(tracing->program);
	if (write(words, &error, sizeof error) != sizeof error || error)
		_exit(CANNOT_TRACE);
	close_others(2, words);
	tracer_serve(tracing);
	_exit(EXIT_SUCCESS);
}

static void end_child(pid_t child)
{
	kill(child, SIGKILL);
	while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
		;
}

/* Attaches the tracer to the waiting program. Returns 0 or an errno. */
static int attach(int to_tracer, int to_program, pid_t program)
{
	int word;

	if (read(to_program, &word, sizeof word) != sizeof word)
		return ECHILD;
	/* If the tracer ends without an answer, assume that a seccomp filter has killed it. */
	if (write(to_tracer, &program, sizeof program) != sizeof program ||
	    read(to_tracer, &word, sizeof word) != sizeof word)
		return EPERM;
	return word;
}

static int run(const struct started *started, struct tracing *tracing)
{
	int tracer_words[2], program_words[2], error, word = 0;
	pid_t tracer, program;

	open_standard();
	tracing->front = getpid();
	tracing->shared = mmap(NULL, sizeof *tracing->shared, PROT_READ | PROT_WRITE,
			       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (tracing->shared == MAP_FAILED ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, tracer_words) != 0)
		return refuse(started, errno);
	tracer = fork();
	if (tracer < 0)
		return refuse(started, errno);
	if (tracer == 0) {
		close(tracer_words[0]);
		become_tracer(tracing, tracer_words[1]);
	}
	close(tracer_words[1]);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, program_words) != 0 ||
	    (program = fork()) < 0) {
		error = errno;
		end_child(tracer);
		return refuse(started, error);
	}
	if (program == 0) {
		close(program_words[0]);
		become_program(started, program_words[1], tracer);
	}
	close(program_words[1]);
	/* The front must ignore no signal. If it ignored SIGCHLD, it would not learn how the
	 * program ended. If it ignored a stop signal, it could not stop. The program has already
	 * inherited the actions of the caller. */
	for (int signal = 1; signal < NSIG; signal++)
		if (signal != SIGKILL && signal != SIGSTOP)
			(void)sigaction(signal, &(struct sigaction){.sa_handler = SIG_DFL}, NULL);
	error = attach(tracer_words[0], program_words[0], program);
	if (error) {
		end_child(program);
		end_child(tracer);
		return refuse(started, error);
	}
	/* Let the new process execute the program. If execvp() fails, the process sends the errno.
	 * If it succeeds, the socket is closed, and read() returns 0. */
	if (write(program_words[0], &word, sizeof word) == sizeof word &&
	    read(program_words[0], &word, sizeof word) == sizeof word) {
		end_child(program);
		end_child(tracer);
		return cannot_execute(started->argv[0], word);
	}
	close_others(3, 2);

	const int status = wait_for(program, tracing->shared, tracer);

	/* The tracer ends by itself after the program, when it has printed its last output. */
	while (waitpid(tracer, NULL, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int run_command(int argc, char **argv)
{
	struct started started = {.untraced_ok = false};
	struct tracing tracing = {.json = false};
	char path[4096];
	sigset_t all;
	int option;

	optind = 1;
	opterr = 0;
	while ((option = getopt_long(argc, argv, "+", options, NULL)) != -1) {
		switch (option) {
		case 'j':
			tracing.json = true;
			break;
		case 't':
			tracing.trace = true;
			break;
		case 'u':
			started.untraced_ok = true;
			break;
		case 'h':
			fputs(usage, stdout);
			return flushed(stdout) ? EXIT_SUCCESS : CANNOT_TRACE;
		default:
			fprintf(stderr, "fsgscheck: bad option: %s; try 'fsgscheck run --help'\n",
				shown(argv[optind - 1]));
			return BAD_USAGE;
		}
	}
	if (optind == argc) {
		fputs("fsgscheck: run needs a program; try 'fsgscheck run --help'\n", stderr);
		return BAD_USAGE;
	}
	started.argv = argv + optind;
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &started.mask);
	if (!privilege_is_kept() &&
	    privilege_is_gained(find_program(started.argv[0], path, sizeof path))) {
		if (started.untraced_ok)
			return run_untraced(&started);
		fprintf(stderr,
			"fsgscheck: %s was not started: the kernel takes the privileges from a "
			"set-user-id program that is traced; run fsgscheck as root, or use "
			"--untraced-ok\n",
			shown(started.argv[0]));
		return CANNOT_TRACE;
	}
	return run(&started, &tracing);
}
