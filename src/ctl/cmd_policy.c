/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * hugetmpfsctl policy: what files and directories say of themselves.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "ctl/command.h"
#include "ctl/extents.h"
#include "ctl/json.h"
#include "ctl/message.h"
#include "ctl/range.h"

static const char policy_usage[] =
	"policy [show] [--json] PATH...\n"
	"   or: hugetmpfsctl policy set [--numa RULE] [--recover WHAT]\n"
	"                               [--range START-END] [--json] PATH...\n"
	"   or: hugetmpfsctl policy unset [--numa] [--recover]\n"
	"                               [--range START-END] [--json] PATH...\n"
	"Shows and changes what files say of themselves: where their pages belong\n"
	"(--numa) and what is recovered in the background (--recover). Of a\n"
	"directory: what is made in it takes that over. What a file does not say\n"
	"is as the mount has it. unset without either takes both away.\n"
	"Only the owner of a file and root may change --numa.\n"
	"\n"
	"  --numa RULE        default, bind:NODES, prefer:NODE, interleave:NODES\n"
	"                     or follow; NODES as 0 or 0,2-3\n"
	"  --recover WHAT     mapped, all or off\n"
	"  --range START-END  --numa for a part of a file only, in bytes (with k,\n"
	"                     m, g ...), outwards to whole extents; no END: to\n"
	"                     the end of the file, however long it gets\n"
	"  --json             write what holds then: an object for one path, an\n"
	"                     array for several\n"
	"  -h, --help         show this\n"
	"\n"
	"exit codes: 0 done, 2 an error, 3 an error for some of the paths\n";

enum policy_verb { POLICY_SHOW, POLICY_SET, POLICY_UNSET };

struct policy_options {
	enum policy_verb verb;
	bool json;
	bool has_numa;
	bool has_recover;
	bool has_range;
	const char *numa;    /* NULL: to be taken away */
	const char *recover; /* the same */
	struct range range;
};

/* What a path says, and its mount. */
struct policy_state {
	struct hugetmpfs_policy policy;
	char numa[HUGETMPFS_NUMA_BYTES];
	char mount[HUGETMPFS_NUMA_BYTES];
};

/* A file or a directory; never anything else, which opening might start. */
static int policy_open(const char *path, bool change)
{
	int path_fd = open(path, O_PATH | O_CLOEXEC), fd;
	struct stat st;

	if (path_fd < 0)
		return -errno;
	if (!fstat(path_fd, &st) && S_ISDIR(st.st_mode)) {
		fd = openat(path_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		fd = fd < 0 ? -errno : fd;
	} else {
		fd = extents_reopen(path_fd, change ? O_WRONLY : O_RDONLY);
	}
	close(path_fd);
	return fd;
}

static int policy_get(int fd, struct policy_state *state)
{
	int ret = hugetmpfs_policy(fd, &state->policy);

	if (!ret)
		ret = hugetmpfs_numa_get(fd, 0, state->numa);
	if (!ret)
		ret = hugetmpfs_numa_get(fd, HUGETMPFS_NUMA_OF_MOUNT,
					 state->mount);
	return ret;
}

static json_t *policy_object(const char *path, const struct policy_state *state)
{
	json_t *object = json_object();

	json_set_name(object, "path", path);
	json_set(object, "numa", *state->numa ? json_string(state->numa)
					      : json_null());
	json_set(object, "numa_mount", json_string(state->mount));
	json_set_policy(object, &state->policy);
	return object;
}

static void policy_print(const char *path, const struct policy_state *state)
{
	const char *recover = policy_word(state->policy.background_file);
	char name[SHOW_NAME_BYTES];

	printf("%s:\n", show_name(path, name));
	if (*state->numa)
		printf("  numa     %s\n", state->numa);
	else
		printf("  numa     %s (as the mount has it)\n", state->mount);
	if (recover)
		printf("  recover  %s\n", recover);
	else
		printf("  recover  %s (as the mount has it)\n",
		       policy_word(state->policy.background_mount));
}

/* Returns 0 or a negative errno, with words of the daemon in message, if any. */
static int policy_change(int fd, const struct policy_options *options,
			 char *message, size_t message_bytes)
{
	const struct range *range = &options->range;
	uint64_t last = range->end ? range->end - 1 : HUGETMPFS_NUMA_TO_END;
	int ret = 0;

	if (options->has_numa)
		ret = hugetmpfs_numa_set(fd, range->first, last, options->numa,
					 message, message_bytes);
	if (ret || !options->has_recover)
		return ret;
	if (options->recover)
		ret = fsetxattr(fd, HUGETMPFS_XATTR_RECOVER, options->recover,
				strlen(options->recover), 0);
	else
		ret = fremovexattr(fd, HUGETMPFS_XATTR_RECOVER);
	ret = ret ? -errno : 0;
	if (ret == -EOPNOTSUPP)
		snprintf(message, message_bytes,
			 "this kernel's tmpfs has no user attributes (Linux "
			 "6.6 or later is needed)");
	/* it says nothing: that is what was wanted */
	return !options->recover && (ret == -ENODATA || ret == -EOPNOTSUPP)
		       ? 0
		       : ret;
}

static int policy_path(const char *path, const struct policy_options *options,
		       struct json_stream *stream)
{
	bool change = options->verb != POLICY_SHOW;
	char name[SHOW_NAME_BYTES], message[256] = "";
	struct policy_state state;
	json_t *object;
	int fd = policy_open(path, change), ret = fd;

	if (fd >= 0) {
		ret = change ? policy_change(fd, options, message,
					     sizeof(message))
			     : 0;
		if (!ret)
			ret = policy_get(fd, &state);
		close(fd);
	}
	if (ret && !*message)
		snprintf(message, sizeof(message), "%s", file_error_text(ret));
	if (ret)
		ctl_error("%s: %s", show_name(path, name), message);
	if (options->json) {
		object = ret ? json_object() : policy_object(path, &state);
		if (ret) {
			json_set_name(object, "path", path);
			json_set_error(object, ret, message);
		}
		json_stream_add(stream, object);
	} else if (!ret && !change) {
		policy_print(path, &state);
	}
	return ret;
}

static int policy_paths(char **paths, int nr,
			const struct policy_options *options)
{
	struct json_stream stream = { .array = nr > 1 };
	int nr_failed = 0;

	for (int i = 0; i < nr; i++)
		nr_failed += policy_path(paths[i], options, &stream) != 0;
	if (options->json)
		json_stream_end(&stream);
	if (!nr_failed)
		return CTL_DONE;
	return nr_failed == nr ? CTL_ERROR : CTL_PARTLY;
}

/* False when the command is over with the exit code in *code. */
static bool policy_option(struct policy_options *options, int c, int *code)
{
	switch (c) {
	case 'j':
		options->json = true;
		return true;
	case 'n':
		options->has_numa = true;
		options->numa = optarg;
		break;
	case 'r':
		options->has_recover = true;
		options->recover = optarg;
		break;
	case 'a':
		options->has_range = true;
		break;
	}
	if (c == 'n' && optarg && !*optarg) {
		*code = command_misused(&command_policy, "--numa is empty; "
					"policy unset --numa takes it away");
		return false;
	}
	if (c == 'r' && optarg && strcmp(optarg, "off") &&
	    strcmp(optarg, "mapped") && strcmp(optarg, "all")) {
		*code = command_misused(&command_policy,
					"--recover: \"%s\" is not mapped, all "
					"or off", optarg);
		return false;
	}
	if (c == 'a' && !range_parse_bytes(optarg, &options->range)) {
		*code = command_misused(&command_policy,
					"--range: \"%s\" is not START-END with "
					"END after START", optarg);
		return false;
	}
	return true;
}

/* Whether the options go together. */
static bool policy_makes_sense(struct policy_options *options, int *code)
{
	if (options->verb == POLICY_UNSET && !options->has_numa &&
	    !options->has_recover) {
		options->has_numa = true;
		options->has_recover = !options->has_range;
	}
	if (options->verb == POLICY_SET && !options->has_numa &&
	    !options->has_recover) {
		*code = command_misused(&command_policy,
					"set needs --numa or --recover");
		return false;
	}
	if (options->has_range && options->has_recover) {
		*code = command_misused(&command_policy,
					"--range is for --numa alone: set "
					"--recover by itself");
		return false;
	}
	return true;
}

static const struct option *policy_longopts(enum policy_verb verb)
{
	static const struct option show[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	static const struct option set[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "numa", required_argument, NULL, 'n' },
		{ "range", required_argument, NULL, 'a' },
		{ "recover", required_argument, NULL, 'r' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	static const struct option unset[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "numa", no_argument, NULL, 'n' },
		{ "range", required_argument, NULL, 'a' },
		{ "recover", no_argument, NULL, 'r' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};

	return verb == POLICY_SHOW ? show : verb == POLICY_SET ? set : unset;
}

static int policy_run(int argc, char **argv)
{
	static const char *const verbs[] = {
		[POLICY_SHOW] = "show",
		[POLICY_SET] = "set",
		[POLICY_UNSET] = "unset",
	};
	struct policy_options options = { .verb = POLICY_SHOW };
	int c, code = CTL_DONE;

	for (unsigned i = 0; argc > 1 && i < NR(verbs); i++) {
		if (strcmp(argv[1], verbs[i]))
			continue;
		options.verb = (enum policy_verb) i;
		argc--;
		argv++;
		break;
	}
	while ((c = command_option(&command_policy, argc, argv,
				   policy_longopts(options.verb), &code)) >= 0) {
		if (!policy_option(&options, c, &code))
			return code;
	}
	if (c == -2 || !policy_makes_sense(&options, &code))
		return code;
	if (optind == argc)
		return command_misused(&command_policy, "no path is named");
	return policy_paths(argv + optind, argc - optind, &options);
}

const struct command command_policy = {
	.name = "policy",
	.summary = "show and change what files say of themselves",
	.usage = policy_usage,
	.run = policy_run,
};
