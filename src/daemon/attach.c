/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The command --attach: asks the keeper of a dead daemon to mount its files
 * again. It comes back when that serves.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <hugetmpfs/protocol.h>

#include "base/log.h"
#include "base/mountinfo.h"
#include "daemon/commands.h"
#include "daemon/options.h"
#include "keeper/request.h"
#include "keeper/runtime.h"

/* Nobody lives who has to do with it. */
static int attach_anchored(const char *path)
{
	int ret = resume_anchored(path);

	if (ret == -ENOENT)
		log_error("nobody keeps files of a hugetmpfs on %s", path);
	return ret;
}

static int attach(const char *path)
{
	struct runtime_peer peer;
	struct mountinfo info;
	dev_t dev = 0;
	char *message;
	int ret;

	if (!mountinfo_at(path, &info)) {
		dev = info.dev;
		mountinfo_free(&info);
	}
	ret = runtime_find(path, dev, &peer);
	if (ret == -ENOENT)
		return attach_anchored(path);
	if (ret) {
		log_error("nobody keeps files of a hugetmpfs on %s", path);
		return ret;
	}
	if (!peer.is_dead) {
		log_error("the daemon of %s lives, there is nothing to attach",
			  path);
		return -EBUSY;
	}
	ret = request_send(peer.keeper_pid, PROTOCOL_ATTACH, NULL, &message);
	if (ret)
		log_error("cannot attach %s: %s", path,
			  message ? message : strerror(-ret));
	free(message);
	return ret;
}

int attach_command(const struct options *options)
{
	char *path;
	int ret;

	ret = commands_mountpoint(options->mountpoint, &path);
	if (ret)
		return EXIT_SYSTEM;
	ret = attach(path);
	free(path);
	return ret ? EXIT_SYSTEM : EXIT_DONE;
}
