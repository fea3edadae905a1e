/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A core dump is written, or its reader waited for, before the process is gone.
 * Should it go to the mount itself, it would wait for a daemon for ever; so
 * there is none.
 *
 * The filter of system calls is for the daemon alone: the next daemon, and that
 * of a newer program, would have the keeper's.
 */
#include "sandbox/sandbox.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>

#include "base/log.h"
#include "base/memlock.h"
#include "base/oom.h"
#include "sandbox/capabilities.h"
#include "sandbox/filter.h"

static char filter_state[80] = "off: not yet";

/* Who starts this without a privilege sees it in the status. */
static void warn(const char *what, int ret)
{
	if (ret == -EPERM || ret == -EACCES)
		log_debug(KEEPER, "cannot %s: %s", what, strerror(-ret));
	else if (ret)
		log_warning("cannot %s: %s", what, strerror(-ret));
}

static void say_off(const char *why)
{
	snprintf(filter_state, sizeof(filter_state), "off: %s", why);
}

static void enter_filter(bool debugging)
{
	int ret;

	if (debugging) {
		say_off("debug messages are asked for");
		return;
	}
	if (SANITIZED) {
		say_off("built with a sanitizer");
		return;
	}
	ret = filter_install();
	if (!ret) {
		strcpy(filter_state, "on");
	} else if (ret == -EOPNOTSUPP) {
		say_off("built without libseccomp");
	} else {
		say_off(strerror(-ret));
		warn("limit the system calls of the daemon", ret);
	}
}

void sandbox_enter_daemon(bool debugging)
{
	/* to be killed is no harm to anybody; what has leaked comes back then */
	warn("lower oom_score_adj", oom_protect(OOM_SCORE_SELDOM));
	warn("lock memory", memlock_begin());
	warn("give up all capabilities that are not needed",
	     capabilities_limit_daemon());
	if (!debugging)
		prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	enter_filter(debugging);
}

void sandbox_lock_daemon(void)
{
	warn("lock memory", memlock_finish());
}

void sandbox_enter_keeper(void)
{
	/* its death would be the end of the files, and give little back */
	warn("lower oom_score_adj", oom_protect(OOM_SCORE_NEVER));
	warn("lock memory", memlock_for_good());
	warn("give up all capabilities that are not needed",
	     capabilities_limit_keeper());
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

const char *sandbox_filter_state(void)
{
	return filter_state;
}
