/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A stand-in for a service manager with an fd store, which does no more than is
 * needed, fast; systemd.sh has systemd itself:
 *
 *	manager SOCKET COMMAND ARG...
 *
 * starts the command as systemd starts a service of Type=notify with
 * FileDescriptorStoreMax and Restart=on-failure, and goes on until it ends with
 * exit code 0. It is the parent of orphans, as systemd's user managers are, but
 * reaps none, as process 1 of a container may. Says "ready PID" at each READY=1, "stored NR" when the store
 * changes, and "ended STATUS" when the command has ended.
 */
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_FDS	   16
#define HIGH	   100 /* where fds wait while they are put in order */

static struct {
	char name[32];
	int fd;
} store[MAX_FDS];
static int nr_stored;

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static int listen_at(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	if (fd < 0 || bind(fd, (struct sockaddr *) &address, sizeof(address)))
		die(path);
	return fd;
}

/* In the child: the fds from 3 on, and what it is told of them. */
static void give_fds(void)
{
	char number[16], names[MAX_FDS * 33] = "";

	for (int i = 0; i < nr_stored; i++)
		dup2(store[i].fd, HIGH + i);
	for (int i = 0; i < nr_stored; i++) {
		dup2(HIGH + i, 3 + i);
		if (i)
			strcat(names, ":");
		strcat(names, store[i].name);
	}
	close_range(3 + (unsigned) nr_stored, ~0U, 0);
	if (!nr_stored)
		return;
	snprintf(number, sizeof(number), "%d", (int) getpid());
	setenv("LISTEN_PID", number, 1);
	snprintf(number, sizeof(number), "%d", nr_stored);
	setenv("LISTEN_FDS", number, 1);
	setenv("LISTEN_FDNAMES", names, 1);
}

static pid_t start(const char *socket_path, char **command)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	setenv("NOTIFY_SOCKET", socket_path, 1);
	setenv("FDSTORE", "16", 1);
	give_fds();
	execvp(command[0], command);
	perror(command[0]);
	_exit(127);
}

static void forget(const char *name)
{
	for (int i = nr_stored; i-- > 0;) {
		if (strcmp(store[i].name, name))
			continue;
		close(store[i].fd);
		store[i] = store[--nr_stored];
	}
}

static void handle(char *text, int fd, pid_t pid)
{
	char *line, *name = NULL;
	bool stores = false, removes = false;

	while ((line = strsep(&text, "\n"))) {
		stores |= !strcmp(line, "FDSTORE=1");
		removes |= !strcmp(line, "FDSTOREREMOVE=1");
		if (!strncmp(line, "FDNAME=", 7))
			name = line + 7;
		if (!strcmp(line, "READY=1"))
			printf("ready %d\n", (int) pid);
	}
	if (removes && name)
		forget(name);
	if (stores && name && fd >= 0 && nr_stored < MAX_FDS) {
		snprintf(store[nr_stored].name, sizeof(store[0].name), "%s",
			 name);
		store[nr_stored++].fd = fd;
	} else if (fd >= 0) {
		close(fd);
	}
	if (stores || removes)
		printf("stored %d\n", nr_stored);
	fflush(stdout);
}

/* False when there is no message just now. */
static bool receive(int socket_fd, pid_t pid)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	char text[4096];
	struct iovec part = { text, sizeof(text) - 1 };
	struct msghdr message = {
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	ssize_t n = recvmsg(socket_fd, &message,
			    MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	int fd = -1;

	if (n < 0)
		return false;
	text[n] = '\0';
	if (CMSG_FIRSTHDR(&message))
		memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(fd));
	handle(text, fd, pid);
	return true;
}

int main(int argc, char **argv)
{
	int socket_fd, pidfd, status;
	pid_t pid;

	if (argc < 3)
		return 2;
	if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0))
		die("prctl");
	socket_fd = listen_at(argv[1]);
	do {
		pid = start(argv[1], argv + 2);
		pidfd = pidfd_open(pid, 0);
		for (;;) {
			struct pollfd fds[] = {
				{ socket_fd, POLLIN, 0 },
				{ pidfd, POLLIN, 0 },
			};

			poll(fds, 2, -1);
			if (!receive(socket_fd, pid) && fds[1].revents)
				break;
		}
		waitpid(pid, &status, 0);
		close(pidfd);
		printf("ended %d\n", status);
		fflush(stdout);
	} while (status);
	return 0;
}
