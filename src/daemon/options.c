/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reading of the command line. An option of -o is one of three kinds: a flag
 * of every mount, which goes to the FUSE mount; an option of tmpfs, which the
 * kernel checks; one of ours.
 */
#include "daemon/options.h"

#include <errno.h>
#include <getopt.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>

#include "base/log.h"
#include "base/optstr.h"
#include "daemon/numa.h"

#define ARRAY_SIZE(array) (sizeof(array) / sizeof(*(array)))

static const char debug_names[] = "all"
#define X(constant, name) ", " name
	LOG_MASKS(X);
#undef X

#define ATIME_FLAGS (MS_NOATIME | MS_RELATIME | MS_STRICTATIME)

/* Flags of every mount: the bits that a word sets and those that it clears. */
static const struct flag {
	const char *name;
	unsigned long set;
	unsigned long clear;
} flags[] = {
	{ "async", 0, MS_SYNCHRONOUS },
	{ "atime", 0, MS_NOATIME },
	{ "dev", 0, MS_NODEV },
	{ "diratime", 0, MS_NODIRATIME },
	{ "dirsync", MS_DIRSYNC, 0 },
	{ "exec", 0, MS_NOEXEC },
	{ "lazytime", MS_LAZYTIME, 0 },
	{ "noatime", MS_NOATIME, ATIME_FLAGS },
	{ "nodev", MS_NODEV, 0 },
	{ "nodiratime", MS_NODIRATIME, 0 },
	{ "noexec", MS_NOEXEC, 0 },
	{ "nolazytime", 0, MS_LAZYTIME },
	{ "norelatime", 0, MS_RELATIME },
	{ "nostrictatime", 0, MS_STRICTATIME },
	{ "nosuid", MS_NOSUID, 0 },
	{ "nosymfollow", MS_NOSYMFOLLOW, 0 },
	{ "relatime", MS_RELATIME, ATIME_FLAGS },
	{ "ro", MS_RDONLY, 0 },
	{ "rw", 0, MS_RDONLY },
	{ "silent", MS_SILENT, 0 },
	{ "strictatime", MS_STRICTATIME, ATIME_FLAGS },
	{ "suid", 0, MS_NOSUID },
	{ "symfollow", 0, MS_NOSYMFOLLOW },
	{ "sync", MS_SYNCHRONOUS, 0 },
};

/* tmpfs's own; whether the value is a number that must not overflow. */
static const struct tmpfs_option {
	const char *name;
	bool number;
} tmpfs_options[] = {
	{ "gid", false },	{ "huge", false },
	{ "inode64", false },	{ "mode", false },
	{ "mpol", false },	{ "nr_blocks", true },
	{ "nr_inodes", true },	{ "size", true },
	{ "uid", false },
};

/*
 * Words of fstab that are for other programs, and what always holds and
 * mount(8), which reads it in mountinfo, gives back with a remount. A word
 * with a value must have that value.
 */
static const struct ignored_word {
	const char *name;
	const char *value;
} ignored_words[] = {
	{ "_netdev", NULL },	 { "_rnetdev", NULL },
	{ "allow_other", NULL }, { "auto", NULL },
	{ "comment", NULL },	 { "default_permissions", NULL },
	{ "defaults", NULL },	 { "group", NULL },
	{ "group_id", "0" },	 { "helper", NULL },
	{ "noauto", NULL },	 { "nofail", NULL },
	{ "nogroup", NULL },	 { "noowner", NULL },
	{ "nouser", NULL },	 { "nousers", NULL },
	{ "owner", NULL },	 { "uhelper", NULL },
	{ "user", NULL },	 { "user_id", "0" },
	{ "users", NULL },
};

static void set_flag(struct options *options, const struct flag *flag)
{
	options->mount_flags &= ~flag->clear;
	options->mount_flags |= flag->set;
	options->mount_mask |= flag->set | flag->clear;
}

static bool is_ignored(const char *name, const char *value)
{
	if (!strncmp(name, "x-", 2) || !strncmp(name, "X-", 2))
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(ignored_words); i++) {
		const struct ignored_word *word = &ignored_words[i];

		if (!strcmp(name, word->name))
			return !word->value ||
			       (value && !strcmp(value, word->value));
	}
	return false;
}

/*
 * The kernel takes sizes modulo 2^64 without a word. "12x" is left for it to
 * refuse, here only numbers that do not fit are.
 */
static bool is_too_large(const char *value)
{
	static const char suffixes[] = "kmgtpe";
	unsigned long long number;
	const char *suffix;
	char *end;

	errno = 0;
	number = strtoull(value, &end, 0);
	if (errno == ERANGE)
		return true;
	suffix = *end ? strchr(suffixes, *end | 0x20) : NULL;
	if (!suffix)
		return false;
	return number >> (64 - 10 * (suffix - suffixes + 1)) != 0;
}

static int set_tmpfs(struct options *options, const struct tmpfs_option *option,
		     const char *value)
{
	int ret = 0;

	if (option->number && value && is_too_large(value)) {
		log_error("value '%s' of option %s is too large", value,
			  option->name);
		return -EINVAL;
	}
	/* the two say the same thing in different units: the last one holds */
	if (!strcmp(option->name, "size"))
		ret = optstr_remove(&options->tmpfs, "nr_blocks");
	else if (!strcmp(option->name, "nr_blocks"))
		ret = optstr_remove(&options->tmpfs, "size");
	return ret ? ret : optstr_set(&options->tmpfs, option->name, value);
}

static int set_passthrough(struct options *options, const char *value)
{
	options->passthrough = !strcmp(value, "on");
	if (!options->passthrough && strcmp(value, "off") != 0) {
		log_error("bad value '%s' for option passthrough: it is on or "
			  "off", value);
		return -EINVAL;
	}
	return 0;
}

static char *copy_replacing(const char *text, char from, char to)
{
	char *copy = strdup(text);

	for (char *c = copy; c && *c; c++) {
		if (*c == from)
			*c = to;
	}
	return copy;
}

/* Inside -o a comma would end the option, so that names have colons there. */
static int set_debug(struct options *options, const char *value)
{
	char *names = copy_replacing(value, ':', ',');
	int ret = -ENOMEM;

	free(options->debug);
	options->debug = copy_replacing(value, ',', ':');
	if (!names || !options->debug)
		goto out_free_names;
	ret = log_set_debug(names);
	if (ret)
		log_error("bad value '%s' for option debug: it is a list of "
			  "%s", value, debug_names);
out_free_names:
	free(names);
	return ret;
}

static int set_anchor(struct options *options, const char *value)
{
	options->anchor = !value;
	if (value)
		log_error("option anchor takes no value");
	return value ? -EINVAL : 0;
}

enum { OWN_ANCHOR, OWN_DEBUG, OWN_PASSTHROUGH };

static const struct own_option {
	const char *name;
	int (*set)(struct options *options, const char *value);
} own_options[] = {
	[OWN_ANCHOR] = { "anchor", set_anchor },
	[OWN_DEBUG] = { "debug", set_debug },
	[OWN_PASSTHROUGH] = { "passthrough", set_passthrough },
};

static int set_own(struct options *options, const struct own_option *option,
		   const char *value)
{
	int ret;

	if (!value && option != &own_options[OWN_ANCHOR]) {
		log_error("option %s needs a value", option->name);
		return -EINVAL;
	}
	ret = option->set(options, value);
	if (ret)
		return ret;
	if (option == &own_options[OWN_DEBUG])
		value = options->debug;
	return optstr_set(&options->own, option->name, value);
}

/* What can be changed later, too. */
static int set_setting(struct options *options, const char *name,
		       const char *value)
{
	char error[256];
	int ret;

	ret = recovery_settings_set_one(&options->settings, name, value, error,
					sizeof(error));
	if (ret) {
		log_error("%s", error);
		return ret;
	}
	return optstr_set(&options->own, name, value);
}

static int set_option(struct options *options, const char *name,
		      const char *value)
{
	for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
		if (!value && !strcmp(name, flags[i].name)) {
			set_flag(options, &flags[i]);
			return 0;
		}
	}
	for (size_t i = 0; i < ARRAY_SIZE(tmpfs_options); i++) {
		if (!strcmp(name, tmpfs_options[i].name))
			return set_tmpfs(options, &tmpfs_options[i], value);
	}
	for (size_t i = 0; i < ARRAY_SIZE(own_options); i++) {
		if (!strcmp(name, own_options[i].name))
			return set_own(options, &own_options[i], value);
	}
	if (recovery_settings_has(name))
		return set_setting(options, name, value);
	if (!value && !strcmp(name, "remount")) {
		options->action = OPTIONS_REMOUNT;
		return 0;
	}
	if (options->sloppy || is_ignored(name, value))
		return 0;
	if (!strcmp(name, "inode32"))
		log_error("option inode32 is not supported: inode numbers have "
			  "64 bits here");
	else
		log_error("unknown option '%s%s%s'", name, value ? "=" : "",
			  value ? value : "");
	return -EINVAL;
}

/* The daemon gets what is understood here as one list, and reads it again. */
static int set_whole(struct options *options, const char *name,
		     const char *value)
{
	int one = 1;

	if (value && !is_ignored(name, value))
		one = optstr_is_one(name, value);
	if (one < 0)
		return one;
	if (!one) {
		log_error("bad value '%s' for option %s: there is a comma in it",
			  value, name);
		return -EINVAL;
	}
	return set_option(options, name, value);
}

/* Where the mount does not say where pages belong, its tmpfs does. */
static int settle_numa(struct options *options)
{
	char *mpol;
	int ret;

	if (optstr_has(options->own, "numa"))
		return 0;
	ret = optstr_value(options->tmpfs, "mpol", &mpol);
	if (mpol)
		numa_follow_mpol(mpol, &options->settings.numa);
	free(mpol);
	return ret;
}

int options_parse_list(struct options *options, const char *list)
{
	char *copy, *cursor, *name, *value;
	int ret = 0;

	copy = cursor = strdup(list);
	if (!copy)
		return -ENOMEM;
	while (!ret && (name = optstr_next(&cursor, &value)))
		ret = set_whole(options, name, value);
	free(copy);
	return ret ? ret : settle_numa(options);
}

uint64_t options_atime_attr(unsigned long mount_flags)
{
	uint64_t attr = MOUNT_ATTR_RELATIME;

	if (mount_flags & MS_NOATIME)
		attr = MOUNT_ATTR_NOATIME;
	else if (mount_flags & MS_STRICTATIME)
		attr = MOUNT_ATTR_STRICTATIME;
	if (mount_flags & MS_NODIRATIME)
		attr |= MOUNT_ATTR_NODIRATIME;
	return attr;
}

/* What the command line said, before it is understood. */
struct words {
	char *list;		/* all the -o together */
	const char *debug;	/* -d */
	const char *operands[2];
	int nr_operands;
};

static int add_list(struct words *words, const char *list)
{
	char *longer;

	if (asprintf(&longer, "%s%s%s", words->list ? words->list : "",
		     words->list ? "," : "", list) < 0)
		return -ENOMEM;
	free(words->list);
	words->list = longer;
	return 0;
}

enum { OPT_ATTACH = 256, OPT_VERSION };

static int take_option(struct options *options, struct words *words, int opt)
{
	switch (opt) {
	case 'f':
		*(options->helper ? &options->fake : &options->foreground) =
			true;
		return 0;
	case 'o':
		return add_list(words, optarg);
	case 'd':
		words->debug = optarg;
		return 0;
	case 's':
		options->sloppy = true;
		return 0;
	case 'N':
		free(options->namespace_path);
		options->namespace_path = strdup(optarg);
		return options->namespace_path ? 0 : -ENOMEM;
	case 'n': /* there is no mtab any more */
	case 'v':
	case 't': /* the type with which mount(8) found us */
		return 0;
	case OPT_ATTACH:
		options->action = OPTIONS_ATTACH;
		return 0;
	case 'h':
		options->action = OPTIONS_HELP;
		return 0;
	case OPT_VERSION:
		options->action = OPTIONS_VERSION;
		return 0;
	default: /* getopt has said what is wrong */
		log_error("try --help");
		return -EINVAL;
	}
}

/* Sorts a command line into words. */
static int take_words(struct options *options, struct words *words, int argc,
		      char **argv)
{
	static const struct option longs[] = {
		{ "attach", no_argument, NULL, OPT_ATTACH },
		{ "debug", required_argument, NULL, 'd' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, OPT_VERSION },
		{ NULL, 0, NULL, 0 },
	};
	const char *shorts = options->helper ? "sfnvN:o:t:" : "fd:ho:";
	int opt, ret;

	optind = 0; /* a new command line, also for getopt */
	while ((opt = getopt_long(argc, argv, shorts,
				  options->helper ? longs + ARRAY_SIZE(longs) - 1 : longs,
				  NULL)) != -1) {
		ret = take_option(options, words, opt);
		if (ret)
			return ret;
	}
	for (; optind < argc; optind++) {
		if (words->nr_operands == 2) {
			log_error("too many arguments: '%s'", argv[optind]);
			return -EINVAL;
		}
		words->operands[words->nr_operands++] = argv[optind];
	}
	return 0;
}

/* New pages are put where they belong by tmpfs, if it can. */
static int set_mpol(struct options *options)
{
	char error[256], *mpol;
	int ret;

	if (!optstr_has(options->own, "numa"))
		return 0;
	if (numa_check(&options->settings.numa, error, sizeof(error))) {
		log_error("option numa: %s", error);
		return -EINVAL;
	}
	if (optstr_has(options->tmpfs, "mpol"))
		return 0;
	ret = numa_mpol(&options->settings.numa, &mpol);
	if (mpol)
		ret = optstr_set(&options->tmpfs, "mpol", mpol);
	free(mpol);
	return ret;
}

/* Puts in what was not said. */
static int set_defaults(struct options *options)
{
	char **tmpfs = &options->tmpfs, **own = &options->own;
	char recoveries[16];
	int ret = 0;

	if (options->action != OPTIONS_MOUNT)
		return 0;
	if (!optstr_has(*tmpfs, "huge"))
		ret = optstr_set(tmpfs, "huge", "within_size");
	if (!ret && !optstr_has(*tmpfs, "inode64"))
		ret = optstr_set(tmpfs, "inode64", NULL);
	if (!ret && !optstr_has(*own, "passthrough"))
		ret = optstr_set(own, "passthrough", "on");
	snprintf(recoveries, sizeof(recoveries), "%u",
		 options->settings.recoveries);
	if (!ret && !optstr_has(*own, "recoveries"))
		ret = optstr_set(own, "recoveries", recoveries);
	return ret ? ret : set_mpol(options);
}

static int set_operands(struct options *options, const struct words *words)
{
	const char *source = "hugetmpfs";

	if (words->nr_operands < (options->helper ? 2 : 1)) {
		log_error("no mount point given; try --help");
		return -EINVAL;
	}
	if (words->nr_operands == 2) {
		if (options->action == OPTIONS_ATTACH) {
			log_error("--attach takes one mount point");
			return -EINVAL;
		}
		source = words->operands[0];
	}
	options->source = strdup(source);
	options->mountpoint = strdup(words->operands[words->nr_operands - 1]);
	return options->source && options->mountpoint ? 0 : -ENOMEM;
}

int options_parse(struct options *options, int argc, char **argv)
{
	struct words words = { 0 };
	int ret;

	options_init(options);
	options->helper = !strncmp(basename(argv[0]), "mount.",
				   strlen("mount."));
	ret = take_words(options, &words, argc, argv);
	if (ret || options->action == OPTIONS_HELP ||
	    options->action == OPTIONS_VERSION)
		goto out_free_list;
	if (words.list)
		ret = options_parse_list(options, words.list);
	if (!ret && words.debug)
		ret = set_own(options, &own_options[OWN_DEBUG], words.debug);
	if (!ret)
		ret = set_operands(options, &words);
	if (!ret)
		ret = set_defaults(options);
out_free_list:
	free(words.list);
	return ret;
}

char *options_text(const struct options *options)
{
	char *text;

	if (asprintf(&text, "%s%s%s", options->tmpfs ? options->tmpfs : "",
		     options->tmpfs && options->own ? "," : "",
		     options->own ? options->own : "") < 0)
		return NULL;
	return text;
}

void options_init(struct options *options)
{
	*options = (struct options){
		.action = OPTIONS_MOUNT,
		.passthrough = true,
	};
	recovery_settings_init(&options->settings);
}

void options_free(struct options *options)
{
	free(options->source);
	free(options->mountpoint);
	free(options->namespace_path);
	free(options->tmpfs);
	free(options->own);
	free(options->debug);
}
