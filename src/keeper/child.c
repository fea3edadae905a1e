/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Starting the daemon. It is executed anew from the program that the keeper
 * itself was started from, also when that file has been replaced since, or from
 * the one that it was upgraded to; so it begins with a clean memory and with
 * nothing but what is handed to it.
 */
#include "keeper/child.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "base/oom.h"

#define NR_FDS	     (CHILD_END_FD - CHILD_FUSE_FD)
#define ABOVE_ALL_FDS 64 /* where fds wait while their places are taken */

/* Puts the fds to their places. May only run in the child. */
static int place_fds(const int *wanted, int *program_fd)
{
	int fds[NR_FDS];

	for (int i = 0; i < NR_FDS; i++) {
		fds[i] = fcntl(wanted[i], F_DUPFD_CLOEXEC, ABOVE_ALL_FDS);
		if (fds[i] < 0)
			return -errno;
	}
	*program_fd = fcntl(*program_fd, F_DUPFD_CLOEXEC, ABOVE_ALL_FDS);
	if (*program_fd < 0)
		return -errno;
	for (int i = 0; i < NR_FDS; i++) {
		if (dup2(fds[i], CHILD_FUSE_FD + i) < 0)
			return -errno;
	}
	if (close_range(CHILD_END_FD, ~0U, CLOSE_RANGE_CLOEXEC))
		return -errno;
	return 0;
}

static void set_limits(void)
{
	struct rlimit limit;

	if (!getrlimit(RLIMIT_NOFILE, &limit)) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

/* Signals that are for the keeper: umount ends a daemon, nothing else. */
static void set_signals(void)
{
	sigset_t none;

	signal(SIGTERM, SIG_IGN);
	signal(SIGINT, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGPIPE, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static int run_in_child(const struct child_config *config, char **argv,
			const int *fds, pid_t keeper_pid)
{
	int program_fd = config->program_fd;
	int ret;

	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	if (getppid() != keeper_pid)
		return -ESRCH; /* it died before it could tell us so */
	/* a ^C at the terminal is for the keeper */
	setpgid(0, 0);
	set_limits();
	set_signals();
	/* the daemon sees to that itself, from what it was for all of us */
	oom_unprotect();
	ret = place_fds(fds, &program_fd);
	if (ret)
		return ret;
	syscall(SYS_execveat, program_fd, "", argv, environ, AT_EMPTY_PATH);
	return -errno;
}

static int fork_daemon(struct child *child, const struct child_config *config,
		       int report_fd)
{
	char dev[32];
	char *argv[CHILD_NR_ARGS + 1] = {
		[CHILD_ARG_NAME] = (char *) "hugetmpfs",
		[CHILD_ARG_MODE] = (char *) config->mode,
		[CHILD_ARG_OPTIONS] = (char *) config->options,
		[CHILD_ARG_DEV] = dev,
		[CHILD_ARG_LOG] = (char *) config->log,
		[CHILD_ARG_MOUNTPOINT] = (char *) config->mountpoint,
		[CHILD_ARG_SURVIVAL] = (char *) config->survival,
	};
	int fds[NR_FDS];
	pid_t keeper_pid = getpid();
	int ret;

	snprintf(dev, sizeof(dev), "%u:%u", major(config->dev),
		 minor(config->dev));
	memcpy(fds, config->fds, sizeof(fds));
	fds[CHILD_REPORT_FD - CHILD_FUSE_FD] = report_fd;
	child->pid = fork();
	if (child->pid < 0)
		return -errno;
	if (!child->pid) {
		ret = run_in_child(config, argv, fds, keeper_pid);
		log_error("cannot start the daemon: %s", strerror(-ret));
		_exit(127);
	}
	return 0;
}

int child_start(struct child *child, const struct child_config *config)
{
	int pair[2], ret;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair)) {
		ret = -errno;
		goto err_log;
	}
	ret = fork_daemon(child, config, pair[1]);
	close(pair[1]);
	if (ret)
		goto err_close_report;
	child->pidfd = pidfd_open(child->pid, 0);
	if (child->pidfd < 0) {
		ret = -errno;
		goto err_kill;
	}
	child->report_fd = pair[0];
	return 0;

err_kill:
	kill(child->pid, SIGKILL);
	waitpid(child->pid, NULL, 0);
err_close_report:
	close(pair[0]);
err_log:
	child->pidfd = -1;
	log_error("cannot start a daemon: %s", strerror(-ret));
	return ret;
}

int child_reap(struct child *child)
{
	int status = 0;

	while (waitpid(child->pid, &status, 0) < 0 && errno == EINTR)
		;
	close(child->pidfd);
	close(child->report_fd);
	child->pidfd = child->report_fd = -1;
	return status;
}

void child_adopt_orphans(void)
{
	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
}

static bool is_one_of(pid_t pid, const struct child *const *children, size_t nr)
{
	for (size_t i = 0; i < nr; i++) {
		if (children[i]->pidfd >= 0 && children[i]->pid == pid)
			return true;
	}
	return false;
}

void child_reap_orphans(const struct child *const *children, size_t nr)
{
	siginfo_t info;

	for (;;) {
		/* how to tell that there is none */
		info.si_pid = 0;
		if (waitid(P_ALL, 0, &info,
			   WEXITED | WNOHANG | WNOWAIT | __WALL) ||
		    !info.si_pid || is_one_of(info.si_pid, children, nr))
			return;
		waitid(P_PID, (id_t) info.si_pid, &info, WEXITED | __WALL);
	}
}
