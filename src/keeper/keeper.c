/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The keeper's life: make everything, then one loop over few events. A signal
 * to end, a report or the end of the daemon (daemons.c), a request on the socket
 * of a dead mount, the trial of a new program. Its states are in internal.h.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "backing/backing.h"
#include "base/log.h"
#include "keeper/internal.h"
#include "keeper/process.h"
#include "keeper/request.h"
#include "namespace/table.h"
#include "sandbox/sandbox.h"

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

struct child_config keeper_daemon_config(const struct keeper *keeper)
{
	return (struct child_config){
		.program_fd = keeper->program_fd,
		.mode = CHILD_MODE,
		.fds = { keeper->mount.fuse_fd, keeper->root_fd,
			 keeper->table_fd, keeper->runtime.listen_fd },
		.mountpoint = mountpoint_of(keeper),
		.options = keeper->daemon_options
				   ? keeper->daemon_options
				   : keeper->config->daemon_options,
		.dev = keeper->mount.dev,
		.survival = keeper->store.keeps_fds ? CHILD_SURVIVES_STORED
			    : keeper->anchor.path[0] ? CHILD_SURVIVES_ANCHORED
						     : CHILD_SURVIVES_NOT,
		.log = keeper->config->parent_fd < 0 ? CHILD_LOG_STDERR
		       : keeper->has_served	     ? CHILD_LOG_SYSLOG
						     : CHILD_LOG_BOTH,
	};
}

int keeper_start_daemon(struct keeper *keeper)
{
	struct child_config config = keeper_daemon_config(keeper);

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
	ret = keeper_start_daemon(keeper);
	if (ret)
		goto err_umount;
	keeper->state = KEEPER_STARTING;
	keeper->deaths = (struct deaths){ 0 };
	keeper_save(keeper);
	store_put(&keeper->store, STORE_TABLE, keeper->table_fd);
	store_put(&keeper->store, STORE_FUSE, keeper->mount.fuse_fd);
	return 0;

err_umount:
	fusemount_umount(&keeper->mount, MNT_DETACH);
	fusemount_close(&keeper->mount);
	return ret;
}

/* ---- what outlives this process ---- */

int keeper_save(const struct keeper *keeper)
{
	const struct saved saved = {
		.mountpoint = (char *) mountpoint_of(keeper),
		.source = (char *) keeper->config->source,
		.options = (char *) (keeper->daemon_options
					     ? keeper->daemon_options
					     : keeper->config->daemon_options),
		.mount_flags = keeper->mount_flags,
		.dev = keeper->mount.dev,
		.mount_id = keeper->mount.id,
		.unique_id = keeper->mount.unique_id,
	};
	int ret = 0;

	if (keeper->anchor.state_fd >= 0)
		ret = saved_write(keeper->anchor.state_fd, &saved);
	if (!ret && keeper->state_fd >= 0)
		ret = saved_write(keeper->state_fd, &saved);
	if (ret)
		log_error("cannot write down what a next keeper has to know of "
			  "%s: %s", mountpoint_of(keeper), strerror(-ret));
	return ret;
}

void keeper_close_mount(struct keeper *keeper)
{
	fusemount_close(&keeper->mount);
	store_remove(&keeper->store, STORE_FUSE);
}

/* Takes what another keeper has left. */
static int take_rest(struct keeper *keeper, struct keeper_rest *rest)
{
	keeper->root_fd = rest->fds[STORE_ROOT];
	keeper->backing_mount_fd = rest->fds[STORE_BACKING];
	keeper->table_fd = rest->fds[STORE_TABLE];
	keeper->state_fd = rest->fds[STORE_STATE];
	keeper->anchor = rest->anchor;
	keeper->mount = (struct fusemount){
		.fuse_fd = rest->fds[STORE_FUSE],
		.id = rest->saved.mount_id,
		.unique_id = rest->saved.unique_id,
		.dev = rest->saved.dev,
	};
	if (keeper->config->is_anchored && !keeper->anchor.path[0])
		return anchor_adopt(&keeper->anchor, keeper->root_fd);
	return 0;
}

/* The tmpfs, and where it is kept but here. */
static int create_files(struct keeper *keeper)
{
	int ret;

	if (keeper->config->rest)
		return take_rest(keeper, keeper->config->rest);
	ret = create_backing(keeper);
	if (!ret && keeper->config->is_anchored)
		ret = anchor_create(&keeper->anchor, keeper->backing_mount_fd,
				    keeper->root_fd);
	if (ret || !keeper->store.keeps_fds)
		return ret;
	keeper->state_fd = memfd_create("hugetmpfs-state", MFD_CLOEXEC);
	store_put(&keeper->store, STORE_STATE, keeper->state_fd);
	store_put(&keeper->store, STORE_BACKING, keeper->backing_mount_fd);
	store_put(&keeper->store, STORE_ROOT, keeper->root_fd);
	return 0;
}

/*
 * Another keeper was there before, and its mount is there still: a daemon takes
 * over from the one that died with it.
 */
static int go_on(struct keeper *keeper)
{
	int ret = runtime_publish(&keeper->runtime, keeper->mount.dev,
				  mountpoint_of(keeper), false);

	if (!ret)
		ret = keeper_start_daemon(keeper);
	if (ret)
		return ret;
	log_warning("the keeper of %s has died, another one goes on",
		    mountpoint_of(keeper));
	keeper->state = KEEPER_RELIEVING;
	keeper->has_served = true;
	return 0;
}

/* The same, but nobody is to take over from: what is mounted there is dead. */
static int mount_anew(struct keeper *keeper)
{
	int ret;

	fusemount_is_mounted(&keeper->mount, &keeper->mount_flags);
	ret = fusemount_umount(&keeper->mount, MNT_DETACH);
	if (ret == -EBUSY) {
		log_error("something is mounted over the dead mount on %s",
			  mountpoint_of(keeper));
		return ret;
	}
	keeper_close_mount(keeper);
	return bring_up(keeper);
}

static int create_all(struct keeper *keeper)
{
	int ret;

	ret = create_files(keeper);
	if (!ret)
		ret = runtime_create(&keeper->runtime);
	if (ret)
		return ret;
	if (keeper->mount.fuse_fd >= 0 && keeper->table_fd >= 0 &&
	    !fusemount_is_disconnected(&keeper->mount))
		return go_on(keeper);
	return keeper->config->rest ? mount_anew(keeper) : bring_up(keeper);
}

/* No other keeper goes on. */
static void empty_store(const struct keeper *keeper)
{
	for (int i = 0; i < STORE_NR; i++)
		store_remove(&keeper->store, i);
}

/* The files are dropped, unless another keeper is to have them. */
static void drop_files(struct keeper *keeper)
{
	if (keeper->result && keeper->config->rest) {
		anchor_close(&keeper->anchor);
	} else {
		anchor_remove(&keeper->anchor);
		empty_store(keeper);
	}
	store_close(&keeper->store);
}

static void destroy_all(struct keeper *keeper)
{
	upgrade_abandon(&keeper->upgrade);
	fusemount_close(&keeper->mount);
	drop_files(keeper);
	close(keeper->state_fd);
	runtime_remove(&keeper->runtime);
	close(keeper->table_fd);
	close(keeper->root_fd);
	close(keeper->program_fd);
	close(keeper->previous_fd);
	close(keeper->backing_mount_fd);
	close(keeper->signal_fd);
	free(keeper->daemon_options);
	free(keeper->last_error);
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
		keeper_become_dead(keeper);
	}
}

/* Of a daemon that is starting; its end is what happens next. */
static void give_up(struct keeper *keeper)
{
	keeper->is_given_up = !keeper->has_served;
	kill(keeper->daemon.pid, SIGKILL);
}

/*
 * Somebody wants a mount to end that serves. A service manager would kill us
 * after some time, so for it the mount ends as soon as nobody uses it any more;
 * when it has killed us, what it starts then is to mount anew.
 */
static void end_mount(struct keeper *keeper)
{
	const char *path = mountpoint_of(keeper);
	int ret = fusemount_umount(&keeper->mount, 0);

	if (ret == -EBUSY && keeper->store.socket_fd >= 0) {
		ret = fusemount_umount(&keeper->mount, MNT_DETACH);
		ret = ret ? ret : -ENOENT;
	}
	if (!ret || ret == -ENOENT)
		empty_store(keeper);
	if (ret == -ENOENT)
		log_warning("%s was unmounted, but is in use still; "
			    "it ends with its last open file", path);
	else if (ret == -EBUSY)
		log_warning("%s is in use and stays mounted", path);
	else if (ret)
		log_error("cannot unmount %s: %s", path, strerror(-ret));
}

/* Somebody wants us to end. */
static void on_signal(struct keeper *keeper)
{
	struct signalfd_siginfo info;

	if (read(keeper->signal_fd, &info, sizeof(info)) != sizeof(info) ||
	    info.ssi_signo == SIGHUP || info.ssi_signo == SIGCHLD)
		return;
	switch (keeper->state) {
	case KEEPER_STARTING:
		give_up(keeper);
		break;
	case KEEPER_SERVING:
	case KEEPER_RELIEVING:
		end_mount(keeper);
		break;
	case KEEPER_DEAD:
		log_warning("the files of %s are dropped",
			    mountpoint_of(keeper));
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
	enum { SIGNAL, DAEMON, REPORT, SOCKET, PARENT, TRIAL, NR };
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
		[TRIAL] = { keeper->upgrade.trial.pidfd, POLLIN, 0 },
	};

	if (poll(fds, NR, upgrade_timeout(&keeper->upgrade)) < 0)
		return;
	if (upgrade_expire(&keeper->upgrade))
		kill(keeper->daemon.pid, SIGKILL);
	/* a closed socket is readable, too, and gives no report */
	if (fds[REPORT].revents && keeper_take_report(keeper))
		return;
	if (fds[REPORT].revents)
		poll(&fds[DAEMON], 1, -1);
	if (fds[DAEMON].revents)
		keeper_on_daemon_end(keeper);
	else if (fds[SIGNAL].revents)
		on_signal(keeper);
	else if (fds[TRIAL].revents)
		keeper_on_trial_end(keeper);
	else if (fds[SOCKET].revents)
		on_attach(keeper);
	else if (fds[PARENT].revents) /* by ^C for one */
		give_up(keeper);
}

/*
 * What dead daemons have left behind (daemon/remains.c), after each event: nobody
 * waits for that.
 */
static void reap_orphans(const struct keeper *keeper)
{
	const struct child *const children[] = {
		&keeper->daemon,
		&keeper->upgrade.trial,
	};

	child_reap_orphans(children, sizeof(children) / sizeof(*children));
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
	sigaddset(&set, SIGCHLD); /* reap_orphans() */
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
	child_adopt_orphans();
}

int keeper_run(const struct keeper_config *config)
{
	struct keeper keeper = {
		.config = config,
		.program_fd = config->program_fd,
		.previous_fd = -1,
		.mount_flags = config->mount_flags,
		.backing_mount_fd = -1,
		.root_fd = -1,
		.table_fd = -1,
		.state_fd = -1,
		.anchor.state_fd = -1,
		.client_fd = -1,
		.mount.fuse_fd = -1,
		.daemon = { .pidfd = -1, .report_fd = -1 },
	};

	set_up_process(config);
	sandbox_enter_keeper();
	store_open(&keeper.store);
	upgrade_init(&keeper.upgrade, config->mountpoint, config->program_path);
	keeper.signal_fd = keeper.result = open_signals();
	if (keeper.result >= 0)
		keeper.result = create_all(&keeper);
	if (keeper.result)
		keeper.state = KEEPER_ENDED;
	while (keeper.state != KEEPER_ENDED) {
		wait_for_event(&keeper);
		reap_orphans(&keeper);
	}
	destroy_all(&keeper);
	return keeper.result;
}
