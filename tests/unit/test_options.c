/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The command line: what is understood, and that everything else is refused
 * with a message that names it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <cmocka.h>

#include "base/log.h"
#include "daemon/options.h"

#define MAX_ARGS 16

static char *message; /* the last that was logged, not cut */

static void catch(enum log_level level, const char *format, va_list ap)
{
	(void) level;
	free(message);
	assert_true(vasprintf(&message, format, ap) >= 0);
}

/* Splits a command line at blanks and parses it. */
static int parse(struct options *options, const char *line)
{
	static char copy[4096];
	char *argv[MAX_ARGS + 1] = { NULL }, *cursor = copy, *word;
	int argc = 0;

	free(message);
	message = NULL;
	assert_true(strlen(line) < sizeof(copy));
	strcpy(copy, line);
	while ((word = strsep(&cursor, " ")))
		argv[argc++] = word;
	return options_parse(options, argc, argv);
}

static enum hugetmpfs_numa numa_of(const char *line)
{
	struct options options;
	enum hugetmpfs_numa mode;

	assert_int_equal(parse(&options, line), 0);
	mode = options.settings.numa.mode;
	options_free(&options);
	return mode;
}

static void expect_bad(const char *line, const char *expected)
{
	struct options options;

	assert_int_equal(parse(&options, line), -22);
	if (expected) {
		assert_non_null(message);
		assert_string_equal(message, expected);
	}
	options_free(&options);
}

static void expect_text(const char *line, const char *expected)
{
	struct options options;
	char *text;

	assert_int_equal(parse(&options, line), 0);
	text = options_text(&options);
	assert_string_equal(text, expected);
	free(text);
	options_free(&options);
}

static void expect_flags(const char *list, unsigned long flags)
{
	struct options options;

	options_init(&options);
	assert_int_equal(options_parse_list(&options, list), 0);
	assert_int_equal(options.mount_flags, flags);
	options_free(&options);
}

static void test_plain(void **state)
{
	struct options options;

	(void) state;
	assert_int_equal(parse(&options, "hugetmpfs /mnt/x"), 0);
	assert_int_equal(options.action, OPTIONS_MOUNT);
	assert_string_equal(options.source, "hugetmpfs");
	assert_string_equal(options.mountpoint, "/mnt/x");
	assert_true(options.passthrough);
	assert_int_equal(options.settings.recoveries, 8);
	assert_int_equal(options.mount_flags, 0);
	assert_false(options.foreground || options.helper || options.fake);
	assert_null(options.debug);
	options_free(&options);
}

static void test_everything(void **state)
{
	struct options options;

	(void) state;
	assert_int_equal(parse(&options, "/sbin/hugetmpfs -f --debug=fuse,mm "
			       "src -o ro,size=4G,noatime dir "
			       "-o recoveries=3,passthrough=off"), 0);
	assert_true(options.foreground);
	assert_string_equal(options.source, "src");
	assert_string_equal(options.mountpoint, "dir");
	assert_string_equal(options.debug, "fuse:mm");
	assert_int_equal(options.mount_flags, MS_RDONLY | MS_NOATIME);
	assert_int_equal(options.settings.recoveries, 3);
	assert_false(options.passthrough);
	options_free(&options);
	log_set_debug("");
}

static void test_text(void **state)
{
	(void) state;
	expect_text("hugetmpfs d", "huge=within_size,inode64,passthrough=on,"
		    "recoveries=8");
	expect_text("hugetmpfs -o size=50%,huge=never,ro,recoveries=0 d",
		    "size=50%,huge=never,inode64,recoveries=0,passthrough=on");
	expect_text("hugetmpfs -o size=1G,size=2G d",
		    "size=2G,huge=within_size,inode64,passthrough=on,"
		    "recoveries=8");
	expect_text("hugetmpfs -o mpol=bind:0,2,nr_inodes=5k d",
		    "mpol=bind:0,2,nr_inodes=5k,huge=within_size,inode64,"
		    "passthrough=on,recoveries=8");
	expect_text("hugetmpfs -o size=1G,nr_blocks=7,debug=fuse:mm d",
		    "nr_blocks=7,huge=within_size,inode64,debug=fuse:mm,"
		    "passthrough=on,recoveries=8");
	log_set_debug("");
	/* a remount changes what is named and nothing else */
	expect_text("hugetmpfs -o remount,size=8G d", "size=8G");
	expect_text("hugetmpfs -o remount,ro d", "");
}

static void test_text_is_understood(void **state)
{
	struct options options;
	char *text, *again;

	(void) state;
	assert_int_equal(parse(&options, "hugetmpfs -d fuse,control -o "
			       "mpol=interleave:0,1,passthrough=off d"), 0);
	text = options_text(&options);
	options_free(&options);
	options_init(&options);
	assert_int_equal(options_parse_list(&options, text), 0);
	assert_false(options.passthrough);
	assert_string_equal(options.debug, "fuse:control");
	again = options_text(&options);
	assert_string_equal(again, text);
	free(again);
	free(text);
	options_free(&options);
	log_set_debug("");
}

static void test_flags(void **state)
{
	(void) state;
	expect_flags("rw", 0);
	expect_flags("ro,rw", 0);
	expect_flags("nosuid,nodev,noexec,sync",
		     MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_SYNCHRONOUS);
	expect_flags("nosuid,suid,dirsync", MS_DIRSYNC);
	expect_flags("relatime,noatime", MS_NOATIME);
	expect_flags("noatime,strictatime,nodiratime",
		     MS_STRICTATIME | MS_NODIRATIME);
	expect_flags("lazytime,nosymfollow", MS_LAZYTIME | MS_NOSYMFOLLOW);
}

static void test_mask(void **state)
{
	struct options options;

	(void) state;
	options_init(&options);
	assert_int_equal(options_parse_list(&options, "rw,noexec"), 0);
	assert_int_equal(options.mount_mask, MS_RDONLY | MS_NOEXEC);
	options_free(&options);
}

static void test_atime(void **state)
{
	(void) state;
	assert_int_equal(options_atime_attr(0), MOUNT_ATTR_RELATIME);
	assert_int_equal(options_atime_attr(MS_NOATIME | MS_NODIRATIME),
			 MOUNT_ATTR_NOATIME | MOUNT_ATTR_NODIRATIME);
	assert_int_equal(options_atime_attr(MS_STRICTATIME | MS_NOSUID),
			 MOUNT_ATTR_STRICTATIME);
}

static void test_fstab_words(void **state)
{
	(void) state;
	expect_text("mount.hugetmpfs none /mnt -o rw,nofail,noauto,auto,_netdev,"
		    "users,user=me,x-systemd.requires=a.service,X-y,comment=z,"
		    "defaults,allow_other,default_permissions,user_id=0,"
		    "group_id=0,huge=never",
		    "huge=never,inode64,passthrough=on,recoveries=8");
}

static void test_helper(void **state)
{
	struct options options;

	(void) state;
	assert_int_equal(parse(&options, "/sbin/mount.fuse.hugetmpfs none /mnt "
			       "-sfnv -N /proc/1/ns/mnt -o size=1G,strange "
			       "-t fuse.hugetmpfs"), 0);
	assert_true(options.helper && options.fake && options.sloppy);
	assert_false(options.foreground);
	assert_string_equal(options.source, "none");
	assert_string_equal(options.mountpoint, "/mnt");
	assert_string_equal(options.namespace_path, "/proc/1/ns/mnt");
	options_free(&options);
	expect_bad("mount.hugetmpfs /mnt", "no mount point given; try --help");
	expect_bad("mount.hugetmpfs none /mnt --attach", NULL);
	expect_bad("mount.hugetmpfs none /mnt -d all", NULL);
}

static void test_actions(void **state)
{
	static const struct {
		const char *line;
		enum options_action action;
	} cases[] = {
		{ "hugetmpfs --help", OPTIONS_HELP },
		{ "hugetmpfs -h", OPTIONS_HELP },
		{ "hugetmpfs --version", OPTIONS_VERSION },
		{ "hugetmpfs --attach /mnt", OPTIONS_ATTACH },
		{ "hugetmpfs -o ro,remount /mnt", OPTIONS_REMOUNT },
	};

	(void) state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct options options;

		assert_int_equal(parse(&options, cases[i].line), 0);
		assert_int_equal(options.action, cases[i].action);
		options_free(&options);
	}
}

static void test_bad_words(void **state)
{
	(void) state;
	expect_bad("hugetmpfs", "no mount point given; try --help");
	expect_bad("hugetmpfs a b c", "too many arguments: 'c'");
	expect_bad("hugetmpfs --attach a b", "--attach takes one mount point");
	expect_bad("hugetmpfs --nonsense d", NULL);
	expect_bad("hugetmpfs d -o", NULL);
}

static void test_bad_options(void **state)
{
	(void) state;
	expect_bad("hugetmpfs -o sise=4G d", "unknown option 'sise=4G'");
	expect_bad("hugetmpfs -o bind d", "unknown option 'bind'");
	expect_bad("hugetmpfs -o ro=1 d", "unknown option 'ro=1'");
	expect_bad("hugetmpfs -o user_id=5 d", "unknown option 'user_id=5'");
	expect_bad("hugetmpfs -o inode32 d", "option inode32 is not supported: "
		   "inode numbers have 64 bits here");
	expect_bad("hugetmpfs -o recoveries d",
		   "option recoveries needs a value: it is a number from 0 to "
		   "256");
	expect_bad("hugetmpfs -o recover=none d", "bad value 'none' for option "
		   "recover: it is mapped, all or off");
	expect_bad("hugetmpfs -o passthrough=yes d", "bad value 'yes' for "
		   "option passthrough: it is on or off");
}

static void test_bad_numbers(void **state)
{
	static const char *const values[] = {
		"", "x", "-1", "+1", "1x", "257", "99999999999999999999",
	};

	(void) state;
	for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++) {
		char *line, *expected;

		assert_true(asprintf(&line, "hugetmpfs -o recoveries=%s d",
				     values[i]) > 0);
		assert_true(asprintf(&expected, "bad value '%s' for option "
				     "recoveries: it is a number from 0 to 256",
				     values[i]) > 0);
		expect_bad(line, expected);
		free(line);
		free(expected);
	}
}

static void test_too_large(void **state)
{
	(void) state;
	expect_bad("hugetmpfs -o size=99999999999999999999 d",
		   "value '99999999999999999999' of option size is too large");
	expect_bad("hugetmpfs -o size=16E d",
		   "value '16E' of option size is too large");
	expect_bad("hugetmpfs -o nr_inodes=18014398509481984k d",
		   "value '18014398509481984k' of option nr_inodes is too "
		   "large");
	expect_text("hugetmpfs -o size=15E d", "size=15E,huge=within_size,"
		    "inode64,passthrough=on,recoveries=8");
}

static void test_bad_debug(void **state)
{
	(void) state;
	expect_bad("hugetmpfs -d fuse,what d", "bad value 'fuse,what' for "
		   "option debug: it is a list of all, fuse, namespace, "
		   "recovery, mm, control, keeper");
}

/* Messages and options are as long as they need to be. */
static void test_long(void **state)
{
	char name[3001], line[3100], expected[3100];

	(void) state;
	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	snprintf(line, sizeof(line), "hugetmpfs -o %s d", name);
	snprintf(expected, sizeof(expected), "unknown option '%s'", name);
	expect_bad(line, expected);
}

/* Every machine has a node 0, and none has this many. */
static void test_numa(void **state)
{
	(void) state;
	assert_int_equal(numa_of("hugetmpfs /mnt"), HUGETMPFS_NUMA_DEFAULT);
	assert_int_equal(numa_of("hugetmpfs -o numa=bind:0,recoveries=2 /mnt"),
			 HUGETMPFS_NUMA_BIND);
	assert_int_equal(numa_of("hugetmpfs -o numa=follow /mnt"),
			 HUGETMPFS_NUMA_FOLLOW);
	/* tmpfs's word counts where ours is not given */
	assert_int_equal(numa_of("hugetmpfs -o mpol=prefer:0 /mnt"),
			 HUGETMPFS_NUMA_PREFER);
	assert_int_equal(numa_of("hugetmpfs -o mpol=interleave /mnt"),
			 HUGETMPFS_NUMA_INTERLEAVE);
	assert_int_equal(numa_of("hugetmpfs -o mpol=local /mnt"),
			 HUGETMPFS_NUMA_DEFAULT);
	assert_int_equal(numa_of("hugetmpfs -o numa=default,mpol=bind:0 /mnt"),
			 HUGETMPFS_NUMA_DEFAULT);
	expect_bad("hugetmpfs -o numa=bind:1023 /mnt", NULL);
	assert_non_null(strstr(message, "option numa: node 1023: no such NUMA "
					"node with memory here; there is "));
	expect_bad("hugetmpfs -o numa=bind /mnt",
		   "option numa: bind needs a node: write bind:0");
	expect_bad("hugetmpfs -o numa /mnt",
		   "option numa needs a value: it is default, bind:NODES, "
		   "prefer:NODE, interleave:NODES or follow");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain),
		cmocka_unit_test(test_everything),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_text_is_understood),
		cmocka_unit_test(test_flags),
		cmocka_unit_test(test_mask),
		cmocka_unit_test(test_atime),
		cmocka_unit_test(test_fstab_words),
		cmocka_unit_test(test_helper),
		cmocka_unit_test(test_actions),
		cmocka_unit_test(test_bad_words),
		cmocka_unit_test(test_bad_options),
		cmocka_unit_test(test_bad_numbers),
		cmocka_unit_test(test_too_large),
		cmocka_unit_test(test_bad_debug),
		cmocka_unit_test(test_long),
		cmocka_unit_test(test_numa),
	};
	int failed;

	log_set_sink(catch);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	free(message);
	return failed;
}
