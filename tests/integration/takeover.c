/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Kills the daemon of a mount again and again at random moments while workers
 * use the mount, each of which finds out when anything was not as if nothing
 * had happened. Then all is removed, and nothing may be left in the tables.
 *
 *	takeover KEEPER DIRECTORY KILLS [COMMAND ARG...]
 *
 * With a command, that is run in place of each kill, and must succeed.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "daemon.h"
#include "takeover.h"

static struct takeover_shared *shared;

static void die(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	exit(1);
}

static void sleep_us(unsigned us)
{
	struct timespec time = { us / 1000000, us % 1000000 * 1000L };

	nanosleep(&time, NULL);
}

static void begin_shared(const char *directory)
{
	const uint64_t zero[2] = { 0 };
	int fd;

	if (chdir(directory))
		die(directory);
	fd = open("log", O_CREAT | O_EXCL | O_WRONLY, 0600);
	if (fd < 0)
		die("log");
	close(fd);
	fd = open("counter", O_CREAT | O_EXCL | O_WRONLY, 0600);
	if (fd < 0 || write(fd, zero, sizeof(zero)) != sizeof(zero))
		die("counter");
	close(fd);
	if (chdir("/"))
		die("/");
}

static bool check_log(const char *path)
{
	uint64_t next[TAKEOVER_WORKERS] = { 0 }, record[2];
	FILE *file = fopen(path, "re");
	bool good = file != NULL;

	/* in the order in which each has written them, none twice */
	while (good && fread(record, sizeof(record), 1, file))
		good = record[0] < TAKEOVER_WORKERS &&
		       record[1] == next[record[0]]++;
	for (int i = 0; good && i < TAKEOVER_WORKERS; i++)
		good = next[i] == atomic_load(&shared->records[i]);
	if (file)
		fclose(file);
	if (!good)
		fprintf(stderr, "records of the log are lost or there twice\n");
	return good;
}

static bool check_counter(const char *path)
{
	int fd = open(path, O_RDONLY);
	uint64_t values[2];
	bool good = fd >= 0 &&
		    pread(fd, values, sizeof(values), 0) == sizeof(values) &&
		    values[0] + values[1] == atomic_load(&shared->locked);

	if (fd >= 0)
		close(fd);
	if (!good)
		fprintf(stderr, "two have had the lock at once\n");
	return good;
}

static bool check_shared(const char *directory)
{
	char log[4096], counter[4096];
	bool good;

	snprintf(log, sizeof(log), "%s/log", directory);
	snprintf(counter, sizeof(counter), "%s/counter", directory);
	good = check_log(log) && check_counter(counter);
	if (unlink(log) || unlink(counter))
		die(log);
	return good;
}

static bool has_ended(void)
{
	siginfo_t info = { .si_pid = 0 };

	return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) ||
	       info.si_pid;
}

/* Runs a command instead. False when it failed. */
static bool run(char **command)
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		execvp(command[0], command);
		_exit(127);
	}
	if (waitpid(pid, &status, 0) != pid)
		die("waitpid");
	if (status)
		fprintf(stderr, "%s failed\n", command[0]);
	return !status;
}

static unsigned run_commands(unsigned times, char **command)
{
	unsigned done = 0;

	while (done < times && !has_ended() && run(command)) {
		done++;
		sleep_us((unsigned) rand() % 50000);
	}
	return done;
}

/* Kills it some time after it was started, now and then while it comes up. */
static unsigned kill_daemons(int keeper, unsigned kills)
{
	pid_t pid, last = 0;
	unsigned done = 0;

	while (done < kills && !has_ended()) {
		pid = daemon_of(keeper);
		if (!pid || pid == last) {
			sleep_us(200);
			continue;
		}
		sleep_us(rand() % 8 ? (unsigned) rand() % 120000 + 5000
				    : (unsigned) rand() % 12000);
		if (!kill(pid, SIGKILL))
			done++;
		last = pid;
	}
	return done;
}

static bool wait_for_workers(void)
{
	bool good = true;
	int status;

	atomic_store(&shared->stop, true);
	for (int i = 0; i < TAKEOVER_WORKERS; i++) {
		if (wait(&status) < 0)
			die("wait");
		if (WIFSIGNALED(status))
			fprintf(stderr, "a worker was killed by signal %d\n",
				WTERMSIG(status));
		good = good && !status;
	}
	return good;
}

int main(int argc, char **argv)
{
	unsigned kills, done;
	bool good;
	int keeper;

	if (argc < 4)
		return 2;
	srand((unsigned) time(NULL));
	keeper = atoi(argv[1]);
	kills = (unsigned) atoi(argv[3]);
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		die("mmap");
	umask(0);
	begin_shared(argv[2]);
	for (unsigned i = 0; i < TAKEOVER_WORKERS; i++)
		if (!fork())
			takeover_work(shared, argv[2], i);
	done = argc > 4 ? run_commands(kills, argv + 4)
			: kill_daemons(keeper, kills);
	/* a while under the last one */
	sleep_us(200000);
	good = wait_for_workers();
	good = check_shared(argv[2]) && good;
	good = takeover_tables_are_empty(keeper) && good;
	printf("%u times, %lu operations, the slowest took %lu ms\n", done,
	       atomic_load(&shared->operations),
	       atomic_load(&shared->slowest_us) / 1000);
	if (done < kills)
		fprintf(stderr, "ended before its time\n");
	return good && done == kills ? 0 : 1;
}
