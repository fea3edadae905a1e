/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Going on with a mount whose keeper has died: with the fds that the service
 * manager has stored, and then nobody notices; or with the files alone, which
 * the anchor has kept, and then they are mounted anew.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "daemon/commands.h"
#include "daemon/options.h"
#include "keeper/keeper.h"

/* The options that the mount had, for options_free(). */
static int restore_options(const struct saved *saved, struct options *options)
{
	int ret;

	options_init(options);
	ret = options_parse_list(options, saved->options);
	options->mount_flags = saved->mount_flags;
	options->source = strdup(saved->source);
	if (!ret && !options->source)
		ret = -ENOMEM;
	return ret;
}

int resume_stored(int *result)
{
	struct keeper_rest rest = { .anchor.state_fd = -1 };
	struct options options;
	int ret;

	commands_close_fds_from(store_given(rest.fds));
	if (rest.fds[STORE_ROOT] < 0)
		return -ENOENT;
	ret = saved_read(rest.fds[STORE_STATE], &rest.saved);
	if (ret == -ENOMEM) {
		/* they are stored still, for who is started next */
		log_error("not enough memory");
		*result = ret;
		return 0;
	}
	if (ret) {
		log_error("what the service manager has stored is not whole: "
			  "the files are gone");
		for (int i = 0; i < STORE_NR; i++)
			close(rest.fds[i]);
		return -ENOENT;
	}
	*result = restore_options(&rest.saved, &options);
	if (!*result)
		*result = mount_run_keeper(&options, rest.saved.mountpoint, -1,
					   &rest);
	options_free(&options);
	saved_free(&rest.saved);
	return 0;
}

int resume_anchored(const char *path)
{
	struct keeper_rest rest = {
		.fds = { -1, -1, -1, -1, -1 },
		.anchor.state_fd = -1,
	};
	struct options options;
	int ret;

	commands_close_fds_from(3);
	ret = anchor_find(path, &rest.anchor, &rest.fds[STORE_ROOT],
			  &rest.saved);
	if (ret)
		return ret;
	ret = restore_options(&rest.saved, &options);
	if (!ret)
		ret = mount_run_in_background(&options, rest.saved.mountpoint,
					      &rest);
	options_free(&options);
	saved_free(&rest.saved);
	anchor_close(&rest.anchor);
	close(rest.fds[STORE_ROOT]);
	return ret;
}
