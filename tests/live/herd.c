/* SPDX-License-Identifier: MIT */
/*
 * herd threads N, or herd children N: starts N threads or N child processes. No thread ends before
 * all threads have started. Each thread or child returns its number, from 0, modulo 256. Prints the
 * sum of the returned values.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX 4096

static pthread_barrier_t all;

static void *live(void *number)
{
	pthread_barrier_wait(&all);
	return number;
}

static long threads(long count)
{
	static pthread_t herd[MAX];
	pthread_attr_t small;
	void *back;
	long sum = 0;

	pthread_attr_init(&small);
	pthread_attr_setstacksize(&small, 65536);
	pthread_barrier_init(&all, NULL, (unsigned)count);
	for (long i = 0; i < count; i++)
		if (pthread_create(&herd[i], &small, live, (void *)(i % 256)) != 0)
			return -1;
	for (long i = 0; i < count; i++) {
		pthread_join(herd[i], &back);
		sum += (long)back;
	}
	return sum;
}

static long children(long count)
{
	long sum = 0;
	int status;

	for (long i = 0; i < count; i++)
		if (fork() == 0)
			_exit((int)(i % 256));
	while (wait(&status) > 0)
		sum += WEXITSTATUS(status);
	return sum;
}

int main(int argc, char **argv)
{
	const long count = argc == 3 ? atol(argv[2]) : 0;

	if (count < 1 || count > MAX)
		return 64;
	printf("%ld\n", strcmp(argv[1], "threads") == 0 ? threads(count) : children(count));
	return 0;
}
