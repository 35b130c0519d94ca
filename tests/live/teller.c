/* SPDX-License-Identifier: MIT */
/* Prints each SIGUSR1, SIGCONT, SIGTERM and SIGRTMIN, with the id of the process that sent it.
 * SIGTERM ends this program with status 5. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void tell(int number, siginfo_t *info, void *context)
{
	char text[64];

	(void)context;
	/* Calls write(), because stdio's buffers are not safe in a signal handler. */
	snprintf(text, sizeof text, "%s %d\n", number == SIGRTMIN ? "RTMIN" : sigabbrev_np(number),
		 (int)info->si_pid);
	if (write(STDOUT_FILENO, text, strlen(text)) < 0 || number == SIGTERM)
		_exit(5);
}

int main(void)
{
	static const int numbers[] = {SIGUSR1, SIGCONT, SIGTERM};
	struct sigaction action = {.sa_sigaction = tell, .sa_flags = SA_SIGINFO};

	sigfillset(&action.sa_mask);
	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
		sigaction(numbers[i], &action, NULL);
	sigaction(SIGRTMIN, &action, NULL);
	if (write(STDOUT_FILENO, "ready\n", 6) != 6)
		return 1;
	for (;;)
		pause();
}
