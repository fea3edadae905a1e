/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * flock, POSIX and OFD locks between processes, and leases.
 */
#include "posix.h"

#include <sys/file.h>

static int lock_range(int fd, int command, short type, off_t start,
		      off_t length)
{
	struct flock lock = { .l_type = type, .l_whence = SEEK_SET,
			      .l_start = start, .l_len = length };

	return fcntl(fd, command, &lock);
}

static void flock_between_processes(void)
{
	pid_t pid;

	make_file("file", 0644, "x");
	int fd = MUST(open("file", O_RDWR));
	CHECK_OK(flock(fd, LOCK_EX));
	IN_CHILD(pid) {
		int mine = MUST(open("file", O_RDONLY));

		CHECK_ERR(flock(mine, LOCK_EX | LOCK_NB), EWOULDBLOCK);
		CHECK_ERR(flock(mine, LOCK_SH | LOCK_NB), EWOULDBLOCK);
		CHECK_OK(flock(fd, LOCK_EX | LOCK_NB)); /* inherited: ours */
		_exit(0);
	}
	CHECK_CHILD(pid);
	CHECK_OK(flock(fd, LOCK_SH));
	IN_CHILD(pid) {
		int mine = MUST(open("file", O_RDONLY));

		CHECK_OK(flock(mine, LOCK_SH | LOCK_NB));
		CHECK_ERR(flock(mine, LOCK_EX | LOCK_NB), EWOULDBLOCK);
		_exit(0);
	}
	CHECK_CHILD(pid);
	close(fd);
	fd = MUST(open("file", O_RDWR));
	CHECK_OK(flock(fd, LOCK_EX | LOCK_NB));
}

/* A waiter gets the lock when it is given up, and a signal ends the wait. */
static void flock_waits(void)
{
	int ready[2];
	pid_t pid;
	char byte;

	MUST(pipe(ready));
	make_file("file", 0644, "x");
	int fd = MUST(open("file", O_RDWR));
	CHECK_OK(flock(fd, LOCK_EX));
	IN_CHILD(pid) {
		int mine = MUST(open("file", O_RDWR));

		close(fd);
		MUST(write(ready[1], "x", 1));
		CHECK_OK(flock(mine, LOCK_EX));
		MUST(write(ready[1], "x", 1));
		_exit(0);
	}
	MUST(read(ready[0], &byte, 1));
	sleep_ms(50);
	fcntl(ready[0], F_SETFL, O_NONBLOCK);
	CHECK_ERR(read(ready[0], &byte, 1), EAGAIN);
	CHECK_OK(flock(fd, LOCK_UN));
	CHECK_CHILD(pid);
	CHECK_EQ(read(ready[0], &byte, 1), 1);
}

static void posix_ranges(void)
{
	struct flock lock = { .l_type = F_WRLCK, .l_start = 15, .l_len = 1 };
	pid_t pid, parent = getpid();

	make_file("file", 0644, "x");
	int fd = MUST(open("file", O_RDWR));
	CHECK_OK(lock_range(fd, F_SETLK, F_WRLCK, 10, 10));
	CHECK_OK(lock_range(fd, F_SETLK, F_RDLCK, 100, 0));
	IN_CHILD(pid) {
		CHECK_ERR(lock_range(fd, F_SETLK, F_WRLCK, 15, 1), EAGAIN);
		CHECK_ERR(lock_range(fd, F_SETLK, F_RDLCK, 0, 0), EAGAIN);
		CHECK_OK(lock_range(fd, F_SETLK, F_WRLCK, 0, 10));
		CHECK_OK(lock_range(fd, F_SETLK, F_WRLCK, 20, 80));
		CHECK_OK(lock_range(fd, F_SETLK, F_RDLCK, 1000, 5));
		CHECK_ERR(lock_range(fd, F_SETLK, F_WRLCK, 1000, 5), EAGAIN);
		CHECK_OK(fcntl(fd, F_GETLK, &lock));
		CHECK_EQ(lock.l_type, F_WRLCK);
		CHECK_EQ(lock.l_start, 10);
		CHECK_EQ(lock.l_len, 10);
		CHECK_EQ(lock.l_pid, parent);
		_exit(0);
	}
	CHECK_CHILD(pid);
	/* closing any descriptor of the file drops the process's locks */
	close(MUST(open("file", O_RDONLY)));
	IN_CHILD(pid) {
		CHECK_OK(lock_range(fd, F_SETLK, F_WRLCK, 0, 0));
		_exit(0);
	}
	CHECK_CHILD(pid);
}

static void posix_wait_and_deadlock(void)
{
	int ready[2], errors = 0;
	pid_t pid;
	char byte;

	MUST(pipe(ready));
	make_file("file", 0644, "x");
	int fd = MUST(open("file", O_RDWR));
	CHECK_OK(lock_range(fd, F_SETLK, F_WRLCK, 0, 1));
	IN_CHILD(pid) {
		CHECK_OK(lock_range(fd, F_SETLK, F_WRLCK, 1, 1));
		MUST(write(ready[1], "x", 1));
		int ret = lock_range(fd, F_SETLKW, F_WRLCK, 0, 1);
		_exit(ret && errno == EDEADLK ? 1 : ret ? 2 : 0);
	}
	MUST(read(ready[0], &byte, 1));
	sleep_ms(50);
	if (lock_range(fd, F_SETLKW, F_WRLCK, 1, 1)) {
		CHECK_EQ(errno, EDEADLK);
		errors++;
		lock_range(fd, F_SETLK, F_UNLCK, 0, 0);
	}
	CHECK_EQ(errors + WEXITSTATUS(child_status(pid)), 1);
}

static void ofd_locks(void)
{
	make_file("file", 0644, "x");
	int a = MUST(open("file", O_RDWR)), b = MUST(open("file", O_RDWR));
	pid_t pid;

	CHECK_OK(lock_range(a, F_OFD_SETLK, F_WRLCK, 0, 10));
	CHECK_ERR(lock_range(b, F_OFD_SETLK, F_WRLCK, 5, 1), EAGAIN);
	CHECK_OK(lock_range(b, F_OFD_SETLK, F_WRLCK, 10, 1));
	/* they stay with the description: other closes do not matter */
	close(MUST(open("file", O_RDONLY)));
	CHECK_ERR(lock_range(b, F_OFD_SETLK, F_WRLCK, 5, 1), EAGAIN);
	IN_CHILD(pid) {
		CHECK_OK(lock_range(a, F_OFD_SETLK, F_WRLCK, 0, 5));
		CHECK_ERR(lock_range(b, F_SETLK, F_WRLCK, 0, 1), EAGAIN);
		_exit(0);
	}
	CHECK_CHILD(pid);
	close(a);
	CHECK_OK(lock_range(b, F_OFD_SETLK, F_WRLCK, 0, 0));
}

/* Locks exclude: a counter that many increment under a lock loses nothing. */
static void locks_exclude(void)
{
	unsigned long count = 0;
	pid_t pids[4];

	int fd = MUST(open("file", O_CREAT | O_RDWR, 0644));
	CHECK_EQ(pwrite(fd, &count, sizeof(count), 0), sizeof(count));
	for (int i = 0; i < 4; i++) {
		IN_CHILD(pids[i]) {
			int mine = MUST(open("file", O_RDWR));

			for (int j = 0; j < 500; j++) {
				if (i % 2)
					MUST(lock_range(mine, F_SETLKW, F_WRLCK,
							0, 8));
				else
					MUST(lock_range(mine, F_OFD_SETLKW,
							F_WRLCK, 0, 8));
				MUST(pread(mine, &count, sizeof(count), 0));
				count++;
				MUST(pwrite(mine, &count, sizeof(count), 0));
				MUST(lock_range(mine, i % 2 ? F_SETLK :
						F_OFD_SETLK, F_UNLCK, 0, 8));
			}
			_exit(0);
		}
	}
	for (int i = 0; i < 4; i++)
		CHECK_CHILD(pids[i]);
	CHECK_EQ(pread(fd, &count, sizeof(count), 0), sizeof(count));
	CHECK_EQ(count, 2000);
}

static void killed_holder_lets_go(void)
{
	int ready[2];
	pid_t pid;
	char byte;

	MUST(pipe(ready));
	make_file("file", 0644, "x");
	IN_CHILD(pid) {
		int fd = MUST(open("file", O_RDWR));

		CHECK_OK(flock(fd, LOCK_EX));
		CHECK_OK(lock_range(fd, F_SETLK, F_WRLCK, 0, 0));
		MUST(write(ready[1], "x", 1));
		pause();
	}
	MUST(read(ready[0], &byte, 1));
	int fd = MUST(open("file", O_RDWR));
	CHECK_ERR(flock(fd, LOCK_EX | LOCK_NB), EWOULDBLOCK);
	CHECK_ERR(lock_range(fd, F_SETLK, F_WRLCK, 0, 0), EAGAIN);
	kill(pid, SIGKILL);
	child_status(pid);
	CHECK_OK(flock(fd, LOCK_EX));
	CHECK_OK(lock_range(fd, F_SETLKW, F_WRLCK, 0, 0));
}

static void leases(void)
{
	sigset_t set;
	pid_t pid;

	make_file("file", 0644, "x");
	int fd = MUST(open("file", O_RDWR));
	/* open for writing */
	CHECK_ERR(fcntl(fd, F_SETLEASE, F_RDLCK), EAGAIN);
	CHECK_OK(fcntl(fd, F_SETLEASE, F_WRLCK));
	CHECK_EQ(fcntl(fd, F_GETLEASE), F_WRLCK);
	sigemptyset(&set);
	sigaddset(&set, SIGIO);
	sigprocmask(SIG_BLOCK, &set, NULL);
	IN_CHILD(pid) {
		CHECK_ERR(open("file", O_RDONLY | O_NONBLOCK), EWOULDBLOCK);
		int mine = open("file", O_RDONLY);

		CHECK_OK(mine);
		_exit(0);
	}
	struct timespec limit = { 10, 0 };
	CHECK_EQ(sigtimedwait(&set, NULL, &limit), SIGIO);
	sleep_ms(20);
	CHECK_OK(fcntl(fd, F_SETLEASE, F_UNLCK));
	CHECK_CHILD(pid);
	CHECK_EQ(fcntl(fd, F_GETLEASE), F_UNLCK);
}

static const struct posix_test tests[] = {
	T(flock_between_processes),
	T(flock_waits),
	T(posix_ranges),
	T(posix_wait_and_deadlock),
	T(ofd_locks),
	T(locks_exclude),
	T(killed_holder_lets_go),
	T(leases),
};

POSIX_MAIN(tests)
