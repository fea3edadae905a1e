/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The daemons of a mount as the keeper sees them: what they report, and what
 * comes after the end of one.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "keeper/internal.h"
#include "keeper/process.h"
#include "keeper/report.h"
#include "keeper/request.h"

/* The new program serves; the one before is kept, who knows. */
static void end_upgrade(struct keeper *keeper)
{
	close(keeper->previous_fd);
	keeper->previous_fd = keeper->upgrade.program_fd;
	keeper->upgrade.program_fd = -1;
	upgrade_answer(&keeper->upgrade, 0, "upgraded");
}

/* It may have been killed this moment: then so be it. */
static void tell_parent(int fd)
{
	while (write(fd, "", 1) < 0) {
		if (errno == EPIPE) {
			log_debug(KEEPER, "nobody waits for the mount");
			break;
		}
		usleep(1000);
	}
	close(fd);
}

static void on_ready(struct keeper *keeper, const char *version)
{
	deaths_end_unready(&keeper->deaths);
	if (!keeper->is_announced) {
		/* now at the latest the daemon of the keeper before is gone */
		if (keeper->config->rest)
			runtime_remove_stale();
		store_ready(&keeper->store);
		keeper->is_announced = true;
	}
	if (keeper->state == KEEPER_RELIEVING) {
		keeper->state = KEEPER_SERVING;
		log_info("another daemon, version %s, has taken %s over",
			 version, mountpoint_of(keeper));
	}
	if (keeper->upgrade.state == UPGRADE_STARTING)
		end_upgrade(keeper);
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
		tell_parent(keeper->config->parent_fd);
	}
	keeper->has_served = true;
}

/* Somebody has asked the daemon for an upgrade, and waits at the fd. */
static void on_upgrade(struct keeper *keeper, int client_fd)
{
	struct child_config config = keeper_daemon_config(keeper);

	if (keeper->config->takes_over)
		upgrade_begin(&keeper->upgrade, client_fd, &config);
	else
		request_answer(client_fd, -EOPNOTSUPP, "with passthrough=off no "
			       "daemon can take over from another");
}

void keeper_on_trial_end(struct keeper *keeper)
{
	struct upgrade *upgrade = &keeper->upgrade;
	int ret;

	if (!upgrade_end_trial(upgrade))
		return;
	ret = keeper->state == KEEPER_SERVING
		      ? report_send(keeper->daemon.report_fd, REPORT_STOP, "")
		      : -EAGAIN;
	if (ret)
		upgrade_answer(upgrade, ret, "the daemon has just died; try "
			       "again");
	else
		upgrade_set_state(upgrade, UPGRADE_STOPPING);
}

/* Makes the other one of the two programs that of daemons to come. */
static void swap_programs(struct keeper *keeper)
{
	int fd = keeper->program_fd;

	keeper->program_fd = keeper->upgrade.program_fd;
	keeper->upgrade.program_fd = fd;
}

/* Takes one report. False when there is none. */
bool keeper_take_report(struct keeper *keeper)
{
	int passed_fd;
	char *text;
	int kind = report_receive(keeper->daemon.report_fd, &text, &passed_fd);

	switch (kind) {
	case -ENOMEM:
	case -EINTR:
		/* it is there still */
		usleep(1000);
		return true;
	case REPORT_READY:
		on_ready(keeper, text);
		break;
	case REPORT_OPTIONS:
		free(keeper->daemon_options);
		keeper->daemon_options = text;
		text = NULL;
		report_answer(passed_fd, keeper_save(keeper));
		break;
	case REPORT_ERROR:
		free(keeper->last_error);
		keeper->last_error = text;
		text = NULL;
		break;
	case REPORT_UPGRADE:
		on_upgrade(keeper, passed_fd);
		passed_fd = -1;
		break;
	}
	free(text);
	if (passed_fd >= 0)
		close(passed_fd);
	return kind >= 0;
}

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
void keeper_become_dead(struct keeper *keeper)
{
	bool is_mounted;

	keeper->state = KEEPER_DEAD;
	is_mounted = fusemount_is_mounted(&keeper->mount, &keeper->mount_flags);
	runtime_publish(&keeper->runtime, is_mounted ? keeper->mount.dev : 0,
			mountpoint_of(keeper), true);
	keeper_save(keeper);
}

/* The daemon for an attach has not come up. */
static void fail_attach(struct keeper *keeper, int error)
{
	fusemount_umount(&keeper->mount, MNT_DETACH);
	request_answer(keeper->client_fd, error,
		       keeper->last_error ? keeper->last_error
					  : "the daemon did not come up");
	keeper->client_fd = -1;
	keeper_become_dead(keeper);
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

static enum death kind_of_death(const struct keeper *keeper, int status)
{
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
		return DEATH_KILLED;
	return keeper->state == KEEPER_RELIEVING ? DEATH_UNREADY
						 : DEATH_BY_ITSELF;
}

/*
 * The daemon has ended in an upgrade: as it was told, or it was the first of
 * the new program, then the old one is good enough. Either is no death to be
 * counted.
 */
static void continue_upgrade(struct keeper *keeper, int status)
{
	struct upgrade *upgrade = &keeper->upgrade;

	swap_programs(keeper);
	if (upgrade->state == UPGRADE_STOPPING) {
		log_info("the daemon of %s makes way for a new program",
			 mountpoint_of(keeper));
		upgrade_set_state(upgrade, UPGRADE_STARTING);
		return;
	}
	log_death(keeper, status);
	upgrade_answer(upgrade, -EIO, "the new program did not come up%s%s; "
		       "the one before goes on",
		       keeper->last_error ? ": " : "",
		       keeper->last_error ? keeper->last_error : "");
}

/* To the program before the last upgrade. False when there is none. */
static bool go_back(struct keeper *keeper)
{
	if (keeper->previous_fd < 0)
		return false;
	log_error("the daemon of %s dies again and again since the upgrade: "
		  "the program before goes on", mountpoint_of(keeper));
	close(keeper->program_fd);
	keeper->program_fd = keeper->previous_fd;
	keeper->previous_fd = -1;
	keeper->deaths = (struct deaths){ 0 };
	return true;
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
	if (keeper->upgrade.state >= UPGRADE_STOPPING) {
		continue_upgrade(keeper, status);
	} else if (!deaths_add(&keeper->deaths, deaths_now_ms(),
			       kind_of_death(keeper, status))) {
		log_death(keeper, status);
	} else if (!go_back(keeper)) {
		log_error("the daemon of %s dies again and again",
			  mountpoint_of(keeper));
		return false;
	}
	free(keeper->last_error);
	keeper->last_error = NULL;
	if (keeper_start_daemon(keeper))
		return false;
	keeper->state = KEEPER_RELIEVING;
	return true;
}

void keeper_on_daemon_end(struct keeper *keeper)
{
	bool mount_ended;
	int status;

	while (keeper_take_report(keeper))
		;
	status = child_reap(&keeper->daemon);
	mount_ended = has_ended(keeper);
	if (relieve(keeper, status))
		return;
	if (keeper->upgrade.state >= UPGRADE_STOPPING)
		upgrade_answer(&keeper->upgrade, -ENOTCONN, "it has ended");
	keeper_close_mount(keeper);
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
		keeper_become_dead(keeper);
	}
}

