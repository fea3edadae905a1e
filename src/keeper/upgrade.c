/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The trial runs the new program from the fd that later daemons are started
 * from, so what was tried is what is used, whatever becomes of the path.
 */
#include "keeper/upgrade.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "keeper/deaths.h"
#include "keeper/report.h"
#include "keeper/request.h"

/* How long each state may last, in milliseconds. */
static const uint64_t limits_ms[] = {
	[UPGRADE_TRIAL] = 10000,
	[UPGRADE_STOPPING] = 10000,
	[UPGRADE_STARTING] = 30000,
};

void upgrade_init(struct upgrade *upgrade, const char *mountpoint,
		  const char *path)
{
	*upgrade = (struct upgrade){
		.mountpoint = mountpoint,
		.path = path,
		.client_fd = -1,
		.program_fd = -1,
		.trial = { .pidfd = -1, .report_fd = -1 },
	};
}

void upgrade_set_state(struct upgrade *upgrade, enum upgrade_state state)
{
	upgrade->state = state;
	upgrade->expired = false;
	upgrade->deadline_ms = deaths_now_ms() + limits_ms[state];
}

int upgrade_timeout(const struct upgrade *upgrade)
{
	uint64_t now_ms = deaths_now_ms();

	if (upgrade->state == UPGRADE_NONE || upgrade->expired)
		return -1;
	return upgrade->deadline_ms > now_ms
		       ? (int) (upgrade->deadline_ms - now_ms)
		       : 0;
}

bool upgrade_expire(struct upgrade *upgrade)
{
	if (upgrade_timeout(upgrade))
		return false;
	upgrade->expired = true;
	if (upgrade->state != UPGRADE_TRIAL)
		return true;
	kill(upgrade->trial.pid, SIGKILL);
	return false;
}

void upgrade_answer(struct upgrade *upgrade, int error, const char *format, ...)
{
	char *message = NULL;
	va_list ap;

	va_start(ap, format);
	if (vasprintf(&message, format, ap) < 0)
		message = NULL;
	va_end(ap);
	if (error)
		log_error("%s is not upgraded: %s", upgrade->mountpoint,
			  message ? message : strerror(-error));
	request_answer(upgrade->client_fd, error, message);
	free(message);
	free(upgrade->error);
	if (upgrade->program_fd >= 0)
		close(upgrade->program_fd);
	upgrade_init(upgrade, upgrade->mountpoint, upgrade->path);
}

void upgrade_begin(struct upgrade *upgrade, int client_fd,
		   const struct child_config *config)
{
	struct child_config trial = *config;
	int ret;

	if (upgrade->state != UPGRADE_NONE) {
		request_answer(client_fd, -EBUSY, "an upgrade is under way");
		return;
	}
	upgrade->client_fd = client_fd;
	upgrade->program_fd = open(upgrade->path, O_PATH | O_CLOEXEC);
	if (upgrade->program_fd < 0) {
		ret = -errno;
		upgrade_answer(upgrade, ret, "cannot open %s: %s",
			       upgrade->path, strerror(-ret));
		return;
	}
	trial.program_fd = upgrade->program_fd;
	trial.mode = CHILD_MODE_TRIAL;
	ret = child_start(&upgrade->trial, &trial);
	if (ret)
		upgrade_answer(upgrade, ret, "cannot start a process: %s",
			       strerror(-ret));
	else
		upgrade_set_state(upgrade, UPGRADE_TRIAL);
}

bool upgrade_take_report(struct upgrade *upgrade)
{
	int passed_fd;
	char *text;
	int kind = report_receive(upgrade->trial.report_fd, &text, &passed_fd);

	if (passed_fd >= 0)
		close(passed_fd);
	if (kind == REPORT_READY)
		upgrade->passed = true;
	if (kind == REPORT_ERROR) {
		free(upgrade->error);
		upgrade->error = text;
		text = NULL;
	}
	free(text);
	return kind >= 0;
}

/* Why a trial that ended so was not passed. */
static void refuse(struct upgrade *upgrade, int status)
{
	const char *path = upgrade->path;

	if (upgrade->expired)
		upgrade_answer(upgrade, -ETIMEDOUT, "%s did not answer in time",
			       path);
	else if (upgrade->error)
		upgrade_answer(upgrade, -EPROTONOSUPPORT, "%s: %s", path,
			       upgrade->error);
	else if (WIFSIGNALED(status))
		upgrade_answer(upgrade, -ENOEXEC, "%s was killed by signal %d "
			       "(%s) when it was tried", path, WTERMSIG(status),
			       strsignal(WTERMSIG(status)));
	else
		upgrade_answer(upgrade, -ENOEXEC, "%s is no hugetmpfs that can "
			       "take over: tried, it ended with exit code %d",
			       path, WEXITSTATUS(status));
}

bool upgrade_end_trial(struct upgrade *upgrade)
{
	int status;

	while (upgrade_take_report(upgrade))
		;
	status = child_reap(&upgrade->trial);
	if (upgrade->passed && !status)
		return true;
	refuse(upgrade, status);
	return false;
}

void upgrade_abandon(struct upgrade *upgrade)
{
	if (upgrade->trial.pidfd >= 0) {
		kill(upgrade->trial.pid, SIGKILL);
		child_reap(&upgrade->trial);
	}
	if (upgrade->state != UPGRADE_NONE)
		upgrade_answer(upgrade, -ENOTCONN, "it has ended");
}
