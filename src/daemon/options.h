/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The command line of hugetmpfs, also as the mount helper of mount(8).
 */
#ifndef DAEMON_OPTIONS_H
#define DAEMON_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "recovery/settings.h"

enum options_action {
	OPTIONS_MOUNT,
	OPTIONS_REMOUNT,
	OPTIONS_ATTACH,
	OPTIONS_HELP,
	OPTIONS_VERSION,
};

/* Filled once by options_parse(), const from then on. */
struct options {
	enum options_action action;
	bool helper;		/* called by mount(8) */
	bool fake;		/* helper -f: check everything, mount nothing */
	bool sloppy;		/* helper -s: pass over unknown options */
	bool foreground;	/* -f */
	char *source;		/* first column of mountinfo; "hugetmpfs" */
	char *mountpoint;	/* as given */
	char *namespace_path;	/* helper -N: mount namespace to mount in */
	unsigned long mount_flags; /* MS_*: those to be set */
	unsigned long mount_mask;  /* MS_*: those that were named */
	char *tmpfs;		/* options for the kernel's tmpfs */
	char *own;		/* ours, as optstr: passthrough=, recoveries= ... */
	bool passthrough;	/* passthrough=on, the default */
	bool anchor;		/* the tmpfs outlives its keeper */
	struct recovery_settings settings; /* recoveries=, max_holes= ... */
	char *debug;		/* debug=, names with colons between, or NULL */
};

/* Sets what holds before anything is read. */
void options_init(struct options *options);

/*
 * Reads a command line. What is wrong is logged. Returns 0, or -EINVAL or
 * -ENOMEM; options_free() is right in either case.
 */
int options_parse(struct options *options, int argc, char **argv);

/*
 * Reads a list of options into options that were initialised: the one that
 * the keeper hands to the daemon (options_text()), or that of a remount.
 */
int options_parse_list(struct options *options, const char *list);

/* All options of tmpfs and ours in one list, for the caller to free. */
char *options_text(const struct options *options);

/* MOUNT_ATTR_* of the backing mount that belong to MS_* flags. */
uint64_t options_atime_attr(unsigned long mount_flags);

void options_free(struct options *options);

#endif
