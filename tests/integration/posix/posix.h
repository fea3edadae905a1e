/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The check library of the behaviour suite. Each topic is one program that
 * takes a directory and proves there what a tmpfs does.
 *
 *	usage: TOPIC DIRECTORY [TEST ...]
 *
 * Every test runs in a child process, in a fresh directory of its own as the
 * working directory (mode 0777), as root, with umask 022 and no supplementary
 * group, and is killed after POSIX_TIMEOUT_S seconds, which the environment
 * can set. Exit status: 0 all passed, 1 a check failed, 2 usage, 77 nothing
 * could be run.
 */
#ifndef POSIX_H
#define POSIX_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <grp.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define POSIX_TIMEOUT_S 120
#define POSIX_SKIP	77

/* Users and groups that need no entry in the system's lists. */
enum {
	USER_A = 61001,
	USER_B = 61002,
	GROUP_A = 62001,
	GROUP_B = 62002,
	GROUP_X = 62003
};

struct posix_test {
	const char *name;
	void (*run)(void);
};

#define T(function) { #function, function }

/* Failed checks of the running test; shared, so that children count too. */
static int *posix_failures;
/* The directory given on the command line, absolute. */
static char posix_directory[PATH_MAX];

__attribute__((format(printf, 3, 4), unused)) static void
posix_fail(const char *file, int line, const char *format, ...)
{
	const char *base = strrchr(file, '/');
	struct rlimit limit = { 0 }, lifted;
	char text[1024];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	/* the limit that a test has set must not silence it */
	getrlimit(RLIMIT_FSIZE, &limit);
	lifted = limit;
	lifted.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_FSIZE, &lifted);
	dprintf(STDOUT_FILENO, "  %s:%d: %s\n", base ? base + 1 : file, line,
		text);
	setrlimit(RLIMIT_FSIZE, &limit);
	__atomic_add_fetch(posix_failures, 1, __ATOMIC_RELAXED);
}

__attribute__((unused)) static const char *posix_error_name(int error)
{
	const char *name = error ? strerrorname_np(error) : "success";

	return name ? name : "unknown error";
}

/* The condition holds on tmpfs. */
#define CHECK(condition)                                                       \
	do {                                                                   \
		if (!(condition))                                              \
			posix_fail(__FILE__, __LINE__,                         \
				   "expected as on tmpfs: %s", #condition);    \
	} while (0)

/* The call gives anything but -1. */
#define CHECK_OK(call)                                                         \
	do {                                                                   \
		errno = 0;                                                     \
		if ((long long) (call) == -1)                                  \
			posix_fail(__FILE__, __LINE__,                         \
				   "expected success as on tmpfs, got %s: %s", \
				   posix_error_name(errno), #call);            \
	} while (0)

/* The call gives -1 and this errno. */
#define CHECK_ERR(call, error)                                                 \
	do {                                                                   \
		errno = 0;                                                     \
		long long got_ = (long long) (call);                           \
		int errno_ = got_ == -1 ? errno : 0;                           \
		if (errno_ != (error))                                         \
			posix_fail(__FILE__, __LINE__,                         \
				   "expected %s as on tmpfs, got %s: %s",      \
				   #error, posix_error_name(errno_), #call);   \
	} while (0)

#define CHECK_EQ(got, want)                                                    \
	do {                                                                   \
		long long got_ = (long long) (got);                            \
		long long want_ = (long long) (want);                          \
		if (got_ != want_)                                             \
			posix_fail(__FILE__, __LINE__,                         \
				   "expected %s == %lld as on tmpfs, "         \
				   "got %lld",                                 \
				   #got, want_, got_);                         \
	} while (0)

/* As CHECK_EQ, printed as an octal number. */
#define CHECK_MODE(got, want)                                                  \
	do {                                                                   \
		unsigned got_ = (got), want_ = (want);                         \
		if (got_ != want_)                                             \
			posix_fail(__FILE__, __LINE__,                         \
				   "expected %s == %#o as on tmpfs, got %#o",  \
				   #got, want_, got_);                         \
	} while (0)

/* What the rest of the test cannot do without; gives the value. */
#define MUST(call)                                                             \
	({                                                                     \
		errno = 0;                                                     \
		__typeof__(call) must_ = (call);                               \
		if ((long long) (intptr_t) must_ == -1) {                      \
			posix_fail(__FILE__, __LINE__,                         \
				   "expected success as on tmpfs, got %s: %s", \
				   posix_error_name(errno), #call);            \
			_exit(1);                                              \
		}                                                              \
		must_;                                                         \
	})

#define SKIP(...)                                                              \
	do {                                                                   \
		dprintf(STDOUT_FILENO, "  ");                                  \
		dprintf(STDOUT_FILENO, __VA_ARGS__);                           \
		dprintf(STDOUT_FILENO, "\n");                                  \
		_exit(POSIX_SKIP);                                             \
	} while (0)

/*
 * Acts as an unprivileged user from here on. The saved uid stays 0, so that
 * root_again() can take it back.
 */
__attribute__((unused)) static void user_is_in(uid_t uid, gid_t gid, int nr,
					       const gid_t *groups)
{
	MUST(setgroups(nr, groups));
	MUST(setresgid(gid, gid, 0));
	MUST(setresuid(uid, uid, 0));
	MUST(prctl(PR_SET_DUMPABLE, 1));
}

__attribute__((unused)) static void user_is(uid_t uid, gid_t gid)
{
	user_is_in(uid, gid, 0, NULL);
}

__attribute__((unused)) static void root_again(void)
{
	MUST(setresuid(0, 0, 0));
	MUST(setresgid(0, 0, 0));
	MUST(setgroups(0, NULL));
}

/* Creates or replaces a file with this content (may be NULL) and mode. */
__attribute__((unused)) static void make_file(const char *name, mode_t mode,
					      const char *content)
{
	int fd = MUST(open(name, O_WRONLY | O_CREAT | O_TRUNC, 0600));

	if (content && *content)
		CHECK_EQ(write(fd, content, strlen(content)), strlen(content));
	MUST(fchmod(fd, mode));
	MUST(close(fd));
}

__attribute__((unused)) static bool file_is(const char *name,
					    const char *content)
{
	char buffer[4096];
	int fd = open(name, O_RDONLY);
	ssize_t nr;

	if (fd < 0)
		return false;
	nr = read(fd, buffer, sizeof(buffer));
	close(fd);
	return nr == (ssize_t) strlen(content) &&
	       memcmp(buffer, content, nr) == 0;
}

__attribute__((unused)) static struct stat stat_of(const char *name)
{
	struct stat st = { 0 };

	MUST(lstat(name, &st));
	return st;
}

__attribute__((unused)) static mode_t mode_of(const char *name)
{
	return stat_of(name).st_mode & 07777;
}

__attribute__((unused)) static bool exists(const char *name)
{
	struct stat st;

	return lstat(name, &st) == 0;
}

__attribute__((unused)) static void sleep_ms(long ms)
{
	nanosleep(&(struct timespec) { ms / 1000, ms % 1000 * 1000000 }, NULL);
}

/* Forks; the child has its own count of failures in common with us. */
#define IN_CHILD(pid) if (((pid) = MUST(fork())) == 0)

/* Waits for a child; gives its wait status. */
__attribute__((unused)) static int child_status(pid_t pid)
{
	int status = -1;

	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return status;
}

#define CHECK_CHILD(pid) CHECK_EQ(child_status(pid), 0)

static int posix_remove_one(const char *path, const struct stat *st, int type,
			    struct FTW *ftw)
{
	(void) st;
	(void) type;
	(void) ftw;
	return remove(path) && errno != ENOENT;
}

static void posix_child(const struct posix_test *test, const char *directory)
{
	umask(0);
	if (mkdir(directory, 0777) || chdir(directory)) {
		posix_fail(__FILE__, __LINE__, "no directory %s: %s", directory,
			   posix_error_name(errno));
		_exit(1);
	}
	umask(022);
	MUST(setgroups(0, NULL));
	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	test->run();
	_exit(0);
}

static int posix_timeout_s(void)
{
	const char *text = getenv("POSIX_TIMEOUT_S");

	return text ? atoi(text) : POSIX_TIMEOUT_S;
}

/* Runs one test; gives 0, 1 or POSIX_SKIP. */
static int posix_run(const struct posix_test *test, const char *topic)
{
	char directory[PATH_MAX + 64];
	int status = 0, waited = 0, limit_s = posix_timeout_s();
	pid_t pid, done;

	snprintf(directory, sizeof(directory), "%s/.%s.%d", posix_directory,
		 topic, getpid());
	*posix_failures = 0;
	fflush(stdout);
	pid = fork();
	if (pid == 0)
		posix_child(test, directory);
	while ((done = waitpid(pid, &status, WNOHANG)) == 0 &&
	       waited < limit_s * 200) {
		sleep_ms(5);
		waited++;
	}
	kill(-pid, SIGKILL);
	if (done == 0) {
		posix_fail(__FILE__, __LINE__, "%s: no end after %d seconds",
			   test->name, limit_s);
		kill(pid, SIGKILL);
		return 1; /* a stuck request would make the removal hang too */
	}
	nftw(directory, posix_remove_one, 64, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
	if (WIFSIGNALED(status))
		posix_fail(__FILE__, __LINE__, "%s: killed by signal %d",
			   test->name, WTERMSIG(status));
	if (*posix_failures)
		return 1;
	return WEXITSTATUS(status);
}

static bool posix_wanted(const char *name, int argc, char **argv)
{
	if (argc <= 2)
		return true;
	for (int i = 2; i < argc; i++) {
		if (strcmp(argv[i], name) == 0)
			return true;
	}
	return false;
}

static int posix_main(int argc, char **argv, const struct posix_test *tests,
		      size_t nr)
{
	const char *topic = strrchr(argv[0], '/');
	int passed = 0, failed = 0, skipped = 0, ret;

	topic = topic ? topic + 1 : argv[0];
	if (argc < 2 || !realpath(argv[1], posix_directory)) {
		fprintf(stderr, "usage: %s DIRECTORY [TEST ...]\n", topic);
		return 2;
	}
	if (geteuid() != 0) {
		printf("skip %s: needs root\n", topic);
		return POSIX_SKIP;
	}
	posix_failures = mmap(NULL, sizeof(int), PROT_READ | PROT_WRITE,
			      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	for (size_t i = 0; i < nr; i++) {
		if (!posix_wanted(tests[i].name, argc, argv))
			continue;
		ret = posix_run(&tests[i], topic);
		printf("%s %s.%s\n",
		       ret == 0 ? "ok  " : ret == POSIX_SKIP ? "skip" : "FAIL",
		       topic, tests[i].name);
		passed += ret == 0;
		skipped += ret == POSIX_SKIP;
		failed += ret != 0 && ret != POSIX_SKIP;
	}
	printf("%s: %d passed, %d failed, %d skipped\n", topic, passed, failed,
	       skipped);
	if (failed)
		return 1;
	return passed ? 0 : POSIX_SKIP;
}

#define POSIX_MAIN(tests)                                                      \
	int main(int argc, char **argv)                                        \
	{                                                                      \
		return posix_main(argc, argv, tests,                           \
				  sizeof(tests) / sizeof((tests)[0]));         \
	}

#endif
