/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The keeper's life: make everything, then one loop over few events. A signal
 * to end, a report or the end of the daemon, a request on the socket of a dead
 * mount. States:
 *
 *	starting   a daemon was started and has not said that it is ready; a
 *	           first one, or one for an attach (client_fd is who waits)
 *	serving    it is
 *	relieving  it died, and another one was started that takes over. To
 *	           everybody outside that is serving: /dev/fuse is held here, so
 *	           requests wait and nothing fails
 *	dead       no daemon takes over. /dev/fuse is closed, so that nothing
 *	           hangs; tmpfs and socket are kept
 *	ended      nothing is left to do
 */
#include "keeper/keeper.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "backing/backing.h"
#include "base/log.h"
#include "keeper/child.h"
#include "keeper/deaths.h"
#include "keeper/fusemount.h"
#include "keeper/process.h"
#include "keeper/report.h"
#include "keeper/request.h"
#include "keeper/runtime.h"
#include "namespace/table.h"
#include "sandbox/sandbox.h"

enum keeper_state {
	KEEPER_STARTING,
	KEEPER_SERVING,
	KEEPER_RELIEVING,
	KEEPER_DEAD,
	KEEPER_ENDED,
};

struct keeper {
	const struct keeper_config *config;
	enum keeper_state state;
	bool has_served;	/* so there may be files in it */
	bool is_given_up;	/* before it served */
	int result;		/* of keeper_run() */
	int backing_mount_fd;	/* open for backing_set_atime() */
	int root_fd;		/* root of the backing tmpfs */
	int table_fd;		/* memfd of the tables */
	int signal_fd;
	int client_fd;		/* waits for the answer to its attach, or -1 */
	struct runtime runtime;
	struct fusemount mount;
	unsigned long mount_flags; /* MS_*; as they were when a daemon died */
	struct child daemon;
	struct deaths deaths;	/* of the daemons of this mount */
	char *daemon_options;	/* as it reported last, NULL: as at first */
	char *last_error;	/* that a starting daemon reported */
};

static const char *mountpoint_of(const struct keeper *keeper)
{
	return keeper->config->mountpoint;
}

/* ---- making ---- */

static int create_backing(struct keeper *keeper)
{
	char error[512];

	keeper->root_fd = backing_create(keeper->config->tmpfs_options,
					 keeper->config->atime_attr,
					 &keeper->backing_mount_fd, error,
					 sizeof(error));
	if (keeper->root_fd >= 0)
		return 0;
	log_error("%s", error);
	return keeper->root_fd;
}

static int create_table(struct keeper *keeper)
{
	int fd = table_create();

	if (fd < 0) {
		log_error("cannot make the tables: %s", strerror(-fd));
		return fd;
	}
	if (keeper->table_fd >= 0)
		close(keeper->table_fd);
	keeper->table_fd = fd;
	return 0;
}

static int start_daemon(struct keeper *keeper)
{
	struct child_config config = {
		.program_fd = keeper->config->program_fd,
		.fds = { keeper->mount.fuse_fd, keeper->root_fd,
			 keeper->table_fd, keeper->runtime.listen_fd },
		.mountpoint = mountpoint_of(keeper),
		.options = keeper->daemon_options
				   ? keeper->daemon_options
				   : keeper->config->daemon_options,
		.dev = keeper->mount.dev,
		.log = keeper->config->parent_fd < 0 ? CHILD_LOG_STDERR
		       : keeper->has_served	     ? CHILD_LOG_SYSLOG
						     : CHILD_LOG_BOTH,
	};

	return child_start(&keeper->daemon, &config);
}

/* Mounts the tmpfs, with nothing known of it, and starts a daemon for it. */
static int bring_up(struct keeper *keeper)
{
	int ret;

	ret = create_table(keeper);
	if (ret)
		return ret;
	ret = fusemount_create(&keeper->mount, mountpoint_of(keeper),
			       keeper->config->source, keeper->mount_flags);
	if (ret)
		return ret;
	ret = runtime_publish(&keeper->runtime, keeper->mount.dev,
			      mountpoint_of(keeper), false);
	if (ret)
		goto err_umount;
	ret = start_daemon(keeper);
	if (ret)
		goto err_umount;
	keeper->state = KEEPER_STARTING;
	keeper->deaths = (struct deaths){ 0 };
	return 0;

err_umount:
	fusemount_umount(&keeper->mount, MNT_DETACH);
	fusemount_close(&keeper->mount);
	return ret;
}

static int create_all(struct keeper *keeper)
{
	int ret;

	ret = create_backing(keeper);
	if (!ret)
		ret = runtime_create(&keeper->runtime);
	return ret ? ret : bring_up(keeper);
}

static void destroy_all(struct keeper *keeper)
{
	fusemount_close(&keeper->mount);
	runtime_remove(&keeper->runtime);
	close(keeper->table_fd);
	close(keeper->root_fd);
	close(keeper->backing_mount_fd);
	close(keeper->signal_fd);
	free(keeper->daemon_options);
	free(keeper->last_error);
}

/* ---- what the daemon says ---- */

static void on_ready(struct keeper *keeper)
{
	if (keeper->state == KEEPER_RELIEVING) {
		keeper->state = KEEPER_SERVING;
		log_info("another daemon has taken %s over",
			 mountpoint_of(keeper));
	}
	if (keeper->state != KEEPER_STARTING)
		return;
	keeper->state = KEEPER_SERVING;
	if (keeper->client_fd >= 0) {
		request_answer(keeper->client_fd, 0, NULL);
		keeper->client_fd = -1;
		log_info("%s is mounted again", mountpoint_of(keeper));
	}
	if (!keeper->has_served && keeper->config->parent_fd >= 0) {
		log_set_sink(log_sink_syslog);
		process_detach_terminal();
		/* it may have been killed this moment: then so be it */
		if (write(keeper->config->parent_fd, "", 1) < 0)
			log_debug(KEEPER, "nobody waits for the mount");
		close(keeper->config->parent_fd);
	}
	keeper->has_served = true;
}

/* Takes one report. False when there is none. */
static bool take_report(struct keeper *keeper)
{
	char *text;
	int kind = report_receive(keeper->daemon.report_fd, &text);

	switch (kind) {
	case REPORT_READY:
		on_ready(keeper);
		break;
	case REPORT_OPTIONS:
		free(keeper->daemon_options);
		keeper->daemon_options = text;
		return true;
	case REPORT_ERROR:
		free(keeper->last_error);
		keeper->last_error = text;
		return true;
	}
	free(text);
	return kind >= 0;
}

/* ---- the end of a daemon ---- */

static void log_death(const struct keeper *keeper, int status)
{
	const char *path = mountpoint_of(keeper);

	if (WIFSIGNALED(status))
		log_error("the daemon of %s was killed by signal %d (%s)", path,
			  WTERMSIG(status), strsignal(WTERMSIG(status)));
	else if (WEXITSTATUS(status))
		log_error("the daemon of %s ended with exit code %d", path,
			  WEXITSTATUS(status));
	else
		log_error("the connection of %s was aborted", path);
}

static void log_kept(const struct keeper *keeper)
{
	const char *path = mountpoint_of(keeper);
	int pid = (int) getpid();

	log_error("the files of %s are kept by process %d: "
		  "hugetmpfs --attach %s mounts them again, "
		  "kill %d drops them", path, pid, path, pid);
}

/* Waits for an attach from here on. */
static void become_dead(struct keeper *keeper)
{
	bool is_mounted;

	keeper->state = KEEPER_DEAD;
	is_mounted = fusemount_is_mounted(&keeper->mount, &keeper->mount_flags);
	runtime_publish(&keeper->runtime, is_mounted ? keeper->mount.dev : 0,
			mountpoint_of(keeper), true);
}

/* The daemon for an attach has not come up. */
static void fail_attach(struct keeper *keeper, int error)
{
	fusemount_umount(&keeper->mount, MNT_DETACH);
	request_answer(keeper->client_fd, error,
		       keeper->last_error ? keeper->last_error
					  : "the daemon did not come up");
	keeper->client_fd = -1;
	become_dead(keeper);
}

/*
 * Whether the mount has ended before its daemon did, however that ended. An
 * aborted connection is no end: the mount is there still.
 */
static bool has_ended(const struct keeper *keeper)
{
	return fusemount_is_disconnected(&keeper->mount) &&
	       !fusemount_is_mounted(&keeper->mount, NULL);
}

/* The first daemon has ended before it served. */
static void fail_start(struct keeper *keeper, int status)
{
	if (keeper->is_given_up)
		log_error("mounting %s was given up", mountpoint_of(keeper));
	else if (WIFSIGNALED(status))
		log_death(keeper, status);
	else if (!WEXITSTATUS(status))
		log_error("%s was unmounted before it served",
			  mountpoint_of(keeper));
	/* otherwise it has said itself why */
	fusemount_umount(&keeper->mount, MNT_DETACH);
	keeper->state = KEEPER_ENDED;
	keeper->result = -EIO;
}

/*
 * Starts another daemon on the same connection, unless that has ended, or
 * daemons die all the time. False when the mount is dead.
 */
static bool relieve(struct keeper *keeper, int status)
{
	if (!keeper->config->takes_over || keeper->state == KEEPER_STARTING ||
	    fusemount_is_disconnected(&keeper->mount))
		return false;
	if (deaths_add(&keeper->deaths, deaths_now_ms(),
		       WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)) {
		log_error("the daemon of %s dies again and again",
			  mountpoint_of(keeper));
		return false;
	}
	if (start_daemon(keeper))
		return false;
	keeper->state = KEEPER_RELIEVING;
	return true;
}

static void on_daemon_end(struct keeper *keeper)
{
	bool mount_ended;
	int status;

	while (take_report(keeper))
		;
	status = child_reap(&keeper->daemon);
	mount_ended = has_ended(keeper);
	if (relieve(keeper, status)) {
		log_death(keeper, status);
		return;
	}
	fusemount_close(&keeper->mount);
	if (!keeper->has_served) {
		fail_start(keeper, status);
		return;
	}
	if (!mount_ended || status)
		log_death(keeper, status);
	if (keeper->client_fd >= 0) {
		fail_attach(keeper, -EIO);
	} else if (mount_ended) {
		keeper->state = KEEPER_ENDED;
	} else {
		log_kept(keeper);
		become_dead(keeper);
	}
}

/* ---- requests from outside ---- */

static void on_attach(struct keeper *keeper)
{
	int ret;

	keeper->client_fd = request_accept_attach(keeper->runtime.listen_fd,
						  mountpoint_of(keeper));
	if (keeper->client_fd < 0)
		return;
	free(keeper->last_error);
	keeper->last_error = NULL;
	ret = fusemount_umount(&keeper->mount, MNT_DETACH);
	if (ret == -EBUSY) {
		request_answer(keeper->client_fd, ret,
			       "something is mounted over the dead mount");
		keeper->client_fd = -1;
		return;
	}
	ret = bring_up(keeper);
	if (ret) {
		request_answer(keeper->client_fd, ret, strerror(-ret));
		keeper->client_fd = -1;
		become_dead(keeper);
	}
}

/* Of a daemon that is starting; its end is what happens next. */
static void give_up(struct keeper *keeper)
{
	keeper->is_given_up = !keeper->has_served;
	kill(keeper->daemon.pid, SIGKILL);
}

/* Somebody wants us to end. */
static void on_signal(struct keeper *keeper)
{
	struct signalfd_siginfo info;
	const char *path = mountpoint_of(keeper);
	int ret;

	if (read(keeper->signal_fd, &info, sizeof(info)) != sizeof(info) ||
	    info.ssi_signo == SIGHUP)
		return;
	switch (keeper->state) {
	case KEEPER_STARTING:
		give_up(keeper);
		break;
	case KEEPER_SERVING:
	case KEEPER_RELIEVING:
		ret = fusemount_umount(&keeper->mount, 0);
		if (ret == -ENOENT)
			log_warning("%s was unmounted, but is in use still; "
				    "it ends with its last open file", path);
		else if (ret == -EBUSY)
			log_warning("%s is in use and stays mounted", path);
		else if (ret)
			log_error("cannot unmount %s: %s", path,
				  strerror(-ret));
		break;
	case KEEPER_DEAD:
		log_warning("the files of %s are dropped", path);
		fusemount_umount(&keeper->mount, MNT_DETACH);
		keeper->state = KEEPER_ENDED;
		break;
	case KEEPER_ENDED:
		break;
	}
}

/* ---- the loop ---- */

static void wait_for_event(struct keeper *keeper)
{
	enum { SIGNAL, DAEMON, REPORT, SOCKET, PARENT, NR };
	bool first = !keeper->has_served;
	/* a negative fd is passed over by poll */
	struct pollfd fds[NR] = {
		[SIGNAL] = { keeper->signal_fd, POLLIN, 0 },
		[DAEMON] = { keeper->daemon.pidfd, POLLIN, 0 },
		[REPORT] = { keeper->daemon.report_fd, POLLIN, 0 },
		[SOCKET] = { keeper->state == KEEPER_DEAD
				     ? keeper->runtime.listen_fd
				     : -1, POLLIN, 0 },
		[PARENT] = { first ? keeper->config->parent_fd : -1, 0, 0 },
	};

	if (poll(fds, NR, -1) < 0)
		return;
	/* a closed socket is readable, too, and gives no report */
	if (fds[REPORT].revents && take_report(keeper))
		return;
	if (fds[REPORT].revents)
		poll(&fds[DAEMON], 1, -1);
	if (fds[DAEMON].revents)
		on_daemon_end(keeper);
	else if (fds[SIGNAL].revents)
		on_signal(keeper);
	else if (fds[SOCKET].revents)
		on_attach(keeper);
	else if (fds[PARENT].revents) /* by ^C for one */
		give_up(keeper);
}

static int open_signals(void)
{
	sigset_t set;
	int fd;

	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN); /* an error will do */
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	fd = signalfd(-1, &set, SFD_CLOEXEC);
	if (fd >= 0)
		return fd;
	fd = -errno;
	log_error("cannot wait for signals: %s", strerror(-fd));
	return fd;
}

static void set_up_process(const struct keeper_config *config)
{
	struct rlimit limit;

	/* tables grow, and a file's size is limited by who writes it */
	if (!getrlimit(RLIMIT_FSIZE, &limit)) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_FSIZE, &limit);
	}
	if (chdir("/"))
		log_warning("cannot change to /: %s", strerror(errno));
	umask(0);
	process_set_title("hugetmpfs-keep", "keeper", config->mountpoint);
}

int keeper_run(const struct keeper_config *config)
{
	struct keeper keeper = {
		.config = config,
		.mount_flags = config->mount_flags,
		.backing_mount_fd = -1,
		.root_fd = -1,
		.table_fd = -1,
		.client_fd = -1,
		.mount.fuse_fd = -1,
		.daemon = { .pidfd = -1, .report_fd = -1 },
	};

	set_up_process(config);
	sandbox_enter_keeper();
	keeper.signal_fd = keeper.result = open_signals();
	if (keeper.result >= 0)
		keeper.result = create_all(&keeper);
	if (keeper.result)
		keeper.state = KEEPER_ENDED;
	while (keeper.state != KEEPER_ENDED)
		wait_for_event(&keeper);
	destroy_all(&keeper);
	return keeper.result;
}
