/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Remount: what tmpfs and the recovery engine can change they are asked to
 * change, access times are changed on the backing mount, the rest must be as it
 * was. All or nothing: whatever can fail comes before what cannot be taken back,
 * which is the last change of tmpfs; the keeper hears of it when all is done.
 */
#include "daemon/live.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "backing/backing.h"
#include "base/optstr.h"
#include "daemon/numa.h"
#include "daemon/options.h"
#include "keeper/report.h"
#include "recovery/recovery.h"

/* Below what clients have patience for. */
#define KEEPER_TIMEOUT_MS 20000

struct live {
	char *options;
	int root_fd;
	int report_fd;
	struct recovery *recovery;
};

int live_open(struct live **out, const char *options, int root_fd,
	      int report_fd, struct recovery *recovery)
{
	struct live *live = calloc(1, sizeof(*live));

	if (!live)
		return -ENOMEM;
	live->options = strdup(options);
	if (!live->options) {
		free(live);
		return -ENOMEM;
	}
	live->root_fd = root_fd;
	live->report_fd = report_fd;
	live->recovery = recovery;
	*out = live;
	return 0;
}

void live_close(struct live *live)
{
	if (!live)
		return;
	free(live->options);
	free(live);
}

char *live_options(void *arg)
{
	const struct live *live = arg;

	return strdup(live->options);
}

/* Options that a living mount keeps; tmpfs passes over them silently. */
static const struct fixed_option {
	const char *name;
	const char *instead;
} fixed_options[] = {
	{ "anchor", "mount anew" },
	{ "gid", "use chown" },
	{ "inode64", "it always holds" },
	{ "mode", "use chmod" },
	{ "passthrough", "mount anew" },
	{ "uid", "use chown" },
};

static const struct fixed_option *find_fixed(const char *name)
{
	for (size_t i = 0; i < sizeof(fixed_options) / sizeof(*fixed_options);
	     i++) {
		if (!strcmp(name, fixed_options[i].name))
			return &fixed_options[i];
	}
	return NULL;
}

static int check_fixed(const struct live *live, const struct fixed_option *fixed,
		       const char *value, char *error, size_t error_size)
{
	char *now;
	bool same;
	int ret;

	ret = optstr_value(live->options, fixed->name, &now);
	if (ret)
		return ret;
	same = value ? now && !strcmp(now, value)
		     : optstr_has(live->options, fixed->name);
	free(now);
	if (same)
		return 0;
	snprintf(error, error_size,
		 "option %s%s%s cannot be changed by remount: %s", fixed->name,
		 value ? "=" : "", value ? value : "", fixed->instead);
	return -EINVAL;
}

/* A change under way. */
struct change {
	struct options asked;	/* the list, understood */
	char *tmpfs;		/* what tmpfs is asked to change */
	char *settings;		/* what the recovery engine is */
	char *options;		/* what will hold when all goes well */
};

/* One option of tmpfs or ours: puts it where it belongs. */
static int take_option(const struct live *live, struct change *change,
		       const char *name, const char *value, char *error,
		       size_t error_size)
{
	const struct fixed_option *fixed = find_fixed(name);
	int ret = 0;

	if (fixed)
		return check_fixed(live, fixed, value, error, error_size);
	if (recovery_settings_has(name))
		ret = optstr_set(&change->settings, name, value);
	else if (strcmp(name, "debug") != 0)
		ret = optstr_set(&change->tmpfs, name, value);
	/* the same limit in other units */
	if (!ret && !strcmp(name, "size"))
		ret = optstr_remove(&change->options, "nr_blocks");
	if (!ret && !strcmp(name, "nr_blocks"))
		ret = optstr_remove(&change->options, "size");
	return ret ? ret : optstr_set(&change->options, name, value);
}

static int take_list(const struct live *live, struct change *change,
		     const char *list, char *error, size_t error_size)
{
	char *text, *cursor, *name, *value;
	int ret;

	ret = options_parse_list(&change->asked, list);
	if (ret) {
		if (ret != -ENOMEM)
			snprintf(error, error_size, "bad options '%s'", list);
		return ret;
	}
	change->options = strdup(live->options);
	text = cursor = options_text(&change->asked);
	if (!text || !change->options) {
		free(text);
		return -ENOMEM;
	}
	while (!ret && (name = optstr_next(&cursor, &value)))
		ret = take_option(live, change, name, value, error, error_size);
	free(text);
	return ret;
}

static int change_atime(const struct live *live, const struct change *change,
			char *error, size_t error_size)
{
	unsigned long atime_flags = MS_NOATIME | MS_RELATIME | MS_STRICTATIME |
				    MS_NODIRATIME;
	uint64_t attr = options_atime_attr(change->asked.mount_flags);
	int ret;

	if (!(change->asked.mount_mask & atime_flags))
		return 0;
	ret = backing_set_atime(live->root_fd, attr);
	if (ret)
		snprintf(error, error_size,
			 "cannot change the access times of the tmpfs: %s",
			 strerror(-ret));
	return ret;
}

/* Access times and tmpfs: both or none. The first can be taken back. */
static int change_backing(const struct live *live, const struct change *change,
			  char *error, size_t error_size)
{
	uint64_t atime;
	int ret = backing_atime(live->root_fd, &atime);

	if (ret) {
		snprintf(error, error_size, "cannot look at the tmpfs: %s",
			 strerror(-ret));
		return ret;
	}
	ret = change_atime(live, change, error, error_size);
	if (ret || !change->tmpfs)
		return ret;
	ret = backing_reconfigure(live->root_fd, change->tmpfs, error,
				  error_size);
	if (ret)
		backing_set_atime(live->root_fd, atime);
	return ret;
}

static int set_mpol(struct change *change, const char *mpol)
{
	int ret = optstr_set(&change->tmpfs, "mpol", mpol);

	return ret ? ret : optstr_set(&change->options, "mpol", mpol);
}

/* A new rule for pages is one for tmpfs, too, where it had the old one. */
static int take_numa(const struct live *live, struct change *change,
		     const struct placement_rule *before,
		     const struct placement_rule *after)
{
	char *now = NULL, *old = NULL, *new = NULL;
	int ret = optstr_value(live->options, "mpol", &now);

	if (!ret)
		ret = numa_mpol(before, &old);
	if (!ret)
		ret = numa_mpol(after, &new);
	if (!ret && (new || now) && (!now || (old && !strcmp(now, old))))
		ret = set_mpol(change, new ? new : "default");
	free(now);
	free(old);
	free(new);
	return ret;
}

/* The settings that will hold. */
static int take_settings(const struct live *live, struct change *change,
			 struct recovery_settings *settings, char *error,
			 size_t error_size)
{
	struct recovery_settings before;
	char *mpol = NULL;
	int ret = 0;

	recovery_settings_get(live->recovery, &before);
	*settings = before;
	if (change->settings)
		ret = recovery_settings_parse(settings, change->settings, error,
					      error_size);
	if (!ret)
		ret = optstr_value(change->tmpfs, "mpol", &mpol);
	if (ret)
		return ret;
	if (change->settings && optstr_has(change->settings, "numa")) {
		ret = numa_check(&settings->numa, error, error_size);
		if (!ret && !mpol)
			ret = take_numa(live, change, &before.numa,
					&settings->numa);
	} else if (mpol && !optstr_has(live->options, "numa")) {
		numa_follow_mpol(mpol, &settings->numa);
	}
	free(mpol);
	return ret == -ENODEV ? -EINVAL : ret;
}

static int carry_out(struct live *live, struct change *change, char *error,
		     size_t error_size)
{
	struct recovery_settings settings;
	int ret;

	ret = take_settings(live, change, &settings, error, error_size);
	if (ret)
		return ret;
	ret = recovery_settings_prepare(live->recovery, &settings);
	if (ret) {
		snprintf(error, error_size,
			 "nothing was changed: cannot start a thread that "
			 "recovers: %s: see limits of tasks and of memory",
			 strerror(-ret));
		return ret;
	}
	ret = change_backing(live, change, error, error_size);
	if (!ret)
		ret = recovery_settings_set(live->recovery, &settings);
	recovery_settings_ready(live->recovery, &settings);
	return ret;
}

/*
 * Makes *options those that hold, and has the keeper write them down: who is told
 * that this is done may count on it, whatever dies next.
 */
static int hold(struct live *live, char **options, int answer_fd, char *error,
		size_t error_size)
{
	int ret;

	free(live->options);
	live->options = *options;
	*options = NULL;
	ret = report_send_fd(live->report_fd, REPORT_OPTIONS, live->options,
			     answer_fd);
	if (!ret)
		ret = report_answer_wait(answer_fd, KEEPER_TIMEOUT_MS);
	if (ret)
		snprintf(error, error_size, "it is changed, but may get lost: "
			 "the keeper, process %d, has not written it down: %s",
			 (int) getppid(), strerror(-ret));
	return ret;
}

/*
 * Carries a change out that was understood. What may be missing for it is there
 * before anything is changed.
 */
static int apply(struct live *live, struct change *change, char *error,
		 size_t error_size)
{
	int answer_fd = report_answer_open(), ret;

	if (answer_fd < 0) {
		snprintf(error, error_size, "cannot ask the keeper: %s",
			 strerror(-answer_fd));
		return answer_fd;
	}
	ret = carry_out(live, change, error, error_size);
	if (!ret)
		ret = hold(live, &change->options, answer_fd, error,
			   error_size);
	close(answer_fd);
	return ret;
}

static void free_change(struct change *change)
{
	options_free(&change->asked);
	free(change->options);
	free(change->settings);
	free(change->tmpfs);
}

int live_remount(void *arg, const char *list, char *error, size_t error_size)
{
	struct change change = { 0 };
	struct live *live = arg;
	int ret;

	options_init(&change.asked);
	snprintf(error, error_size, "not enough memory");
	ret = take_list(live, &change, list, error, error_size);
	if (!ret)
		ret = apply(live, &change, error, error_size);
	free_change(&change);
	return ret;
}

int live_set(void *arg, const char *list, char *error, size_t error_size)
{
	char *text, *cursor, *name, *value;
	struct change change = { 0 };
	struct live *live = arg;
	int ret = -ENOMEM;

	snprintf(error, error_size, "not enough memory");
	change.options = strdup(live->options);
	change.settings = strdup(list);
	text = cursor = strdup(list);
	if (!change.options || !change.settings || !text)
		goto out_free;
	ret = 0;
	while (!ret && (name = optstr_next(&cursor, &value)))
		ret = optstr_set(&change.options, name, value);
	if (!ret)
		ret = apply(live, &change, error, error_size);
out_free:
	free_change(&change);
	free(text);
	return ret;
}

int live_hand_over(void *arg, int fd)
{
	const struct live *live = arg;

	return report_send_fd(live->report_fd, REPORT_UPGRADE, "", fd);
}
