/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The command that mounts: checks everything that can be checked beforehand,
 * starts the keeper, and waits until the mount serves. All that comes after
 * the checks is made and cleared away by the keeper.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "backing/backing.h"
#include "base/log.h"
#include "base/mountinfo.h"
#include "daemon/commands.h"
#include "daemon/options.h"
#include "keeper/fusemount.h"
#include "keeper/keeper.h"
#include "keeper/runtime.h"

/* Whether an anchor keeps files that were mounted there. */
static int check_not_anchored(const char *path)
{
	struct anchor anchor;
	struct saved saved;
	int root_fd;

	if (anchor_find(path, &anchor, &root_fd, &saved))
		return 0;
	log_error("the keeper of %s has died and its files are kept in %s: "
		  "hugetmpfs --attach %s mounts them again, umount %s/files "
		  "drops them", path, anchor.path, path, anchor.path);
	saved_free(&saved);
	anchor_close(&anchor);
	close(root_fd);
	return -EBUSY;
}

/* Whether a mount, living or dead, of ours is there already. */
static int check_not_ours(const char *path)
{
	struct runtime_peer peer;
	struct mountinfo info;
	bool is_mounted = false, is_kept;
	dev_t dev = 0;
	int ret;

	if (!mountinfo_at(path, &info)) {
		is_mounted = !strcmp(info.fstype, FUSEMOUNT_TYPE);
		dev = info.dev;
		mountinfo_free(&info);
	}
	is_kept = !runtime_find(path, dev, &peer);
	ret = is_kept ? 0 : check_not_anchored(path);
	if (ret)
		return ret;
	if (is_kept && peer.is_dead)
		log_error("the daemon of %s has died and process %d keeps its "
			  "files: hugetmpfs --attach %s mounts them again, "
			  "kill %d drops them", path, (int) peer.keeper_pid,
			  path, (int) peer.keeper_pid);
	else if (is_mounted && is_kept)
		log_error("a hugetmpfs is mounted on %s already", path);
	else if (is_mounted)
		log_error("a dead hugetmpfs, whose files are gone, is mounted "
			  "on %s: umount it first (umount -l when it is busy)",
			  path);
	else
		return 0;
	return -EBUSY;
}

static int check_mountpoint(const char *path)
{
	struct stat st;
	int ret;

	ret = check_not_ours(path);
	if (!ret)
		ret = needs_check(path);
	if (ret)
		return ret;
	if (stat(path, &st)) {
		ret = -errno;
		log_error("mount point %s: %s%s", path, strerror(-ret),
			  ret == -ENOTCONN ? " (a dead FUSE mount is there: "
					     "umount it first)" : "");
		return ret;
	}
	if (!S_ISDIR(st.st_mode)) {
		log_error("mount point %s is not a directory", path);
		return -ENOTDIR;
	}
	return 0;
}

static int enter_namespace(const char *path)
{
	int fd, ret = 0;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || setns(fd, CLONE_NEWNS)) {
		ret = -errno;
		log_error("cannot enter the mount namespace %s: %s", path,
			  strerror(-ret));
	}
	if (fd >= 0)
		close(fd);
	return ret;
}

/* Everything that can be known before anything is made. */
static int check(const struct options *options, char **mountpoint)
{
	char error[512];
	int ret;

	ret = backing_check(options->tmpfs, error, sizeof(error));
	if (ret) {
		log_error("%s", error);
		return ret;
	}
	ret = machine_check();
	if (ret)
		return ret;
	if (options->namespace_path) {
		ret = enter_namespace(options->namespace_path);
		if (ret)
			return ret;
	}
	ret = commands_mountpoint(options->mountpoint, mountpoint);
	return ret ? ret : check_mountpoint(*mountpoint);
}

/*
 * Where the program lies, by the name that it was called by: links are not
 * followed, so a link that leads to a newer one later is found again.
 */
static char *program_path(void)
{
	const char *name = (const char *) getauxval(AT_EXECFN);
	char *cwd, *path;

	/* of who is started from an fd the kernel knows no other name */
	if (!name || !strncmp(name, "/dev/fd/", strlen("/dev/fd/")))
		return realpath("/proc/self/exe", NULL);
	if (*name == '/')
		return strdup(name);
	cwd = getcwd(NULL, 0);
	if (!cwd || asprintf(&path, "%s/%s", cwd, name) < 0)
		path = NULL;
	free(cwd);
	return path;
}

int mount_run_keeper(const struct options *options, const char *mountpoint,
		     int parent_fd, struct keeper_rest *rest)
{
	struct keeper_config config = {
		.mountpoint = mountpoint,
		.source = options->source,
		.mount_flags = options->mount_flags,
		.atime_attr = options_atime_attr(options->mount_flags),
		.tmpfs_options = options->tmpfs,
		/* without passthrough files without a name would be lost */
		.takes_over = options->passthrough,
		.is_anchored = options->anchor,
		.rest = rest,
		.parent_fd = parent_fd,
	};
	char *text = options_text(options), *path = program_path();
	int ret = -ENOMEM;

	config.daemon_options = text;
	config.program_path = path;
	config.program_fd = open("/proc/self/exe", O_PATH | O_CLOEXEC);
	if (config.program_fd < 0) {
		ret = -errno;
		log_error("cannot open /proc/self/exe: %s", strerror(-ret));
	} else if (text && path) {
		ret = keeper_run(&config);
	} else {
		log_error("not enough memory");
	}
	free(text);
	free(path);
	return ret;
}

/* What a caller's shell or service left open is none of a keeper's business. */
static void close_other_fds(int kept)
{
	if (kept > 3)
		close_range(3, (unsigned) kept - 1, 0);
	close_range((unsigned) kept + 1, ~0U, 0);
}

static int wait_until_it_serves(int fd, pid_t keeper_pid)
{
	int status = 0;
	char byte;

	for (;;) {
		ssize_t length = read(fd, &byte, 1);

		if (length == 1)
			return 0;
		if (!length || errno != EINTR)
			break;
	}
	/* it has ended, and said why unless it was killed */
	if (waitpid(keeper_pid, &status, 0) == keeper_pid &&
	    WIFSIGNALED(status))
		log_error("the keeper was killed by signal %d (%s)",
			  WTERMSIG(status), strsignal(WTERMSIG(status)));
	return -EIO;
}

int mount_run_in_background(const struct options *options,
			    const char *mountpoint, struct keeper_rest *rest)
{
	int fds[2], ret;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC)) {
		ret = -errno;
		log_error("cannot make a pipe: %s", strerror(-ret));
		return ret;
	}
	pid = fork();
	if (pid < 0) {
		ret = -errno;
		log_error("cannot start a process: %s", strerror(-ret));
		close(fds[0]);
		close(fds[1]);
		return ret;
	}
	if (!pid) {
		setsid();
		close(fds[0]);
		/* of a rest they are known */
		if (!rest)
			close_other_fds(fds[1]);
		_exit(mount_run_keeper(options, mountpoint, fds[1], rest)
			      ? EXIT_SYSTEM : EXIT_DONE);
	}
	close(fds[1]);
	ret = wait_until_it_serves(fds[0], pid);
	close(fds[0]);
	return ret;
}

/* What is stored stays so for another try, but not too soon. */
static int try_again(void)
{
	sleep(1);
	return EXIT_AGAIN;
}

int mount_command(const struct options *options)
{
	char *mountpoint = NULL;
	int ret, result;

	if (options->foreground && !options->fake && !resume_stored(&result))
		return result ? try_again() : EXIT_DONE;
	ret = check(options, &mountpoint);
	if (ret || options->fake)
		goto out_free_mountpoint;
	if (options->foreground)
		ret = mount_run_keeper(options, mountpoint, -1, NULL) ? -EIO : 0;
	else
		ret = mount_run_in_background(options, mountpoint, NULL);
out_free_mountpoint:
	free(mountpoint);
	return ret ? commands_exit_code(options, ret) : EXIT_DONE;
}
