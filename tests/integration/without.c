/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Runs a command, and all that it starts, on a kernel that seems to lack some
 * of the interfaces of mm/mm.h: a system call of theirs answers as it does where
 * they are missing. See usage_text. What is a file in /proc or /sys is not for
 * system calls to hide; those names are known here, and refused.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "mm/mm.h"
#include "mm/sys.h"

static const char usage_text[] =
	"usage: without NAME[,NAME...] COMMAND [ARG...]\n"
	"       without --list\n"
	"The names are those that status shows; --list writes them, one a line,\n"
	"each with how it can be taken away: by call, or by a file.\n";

/* A call that answers with an error, always or with one argument only. */
struct rule {
	enum mm_interface_id interface;
	int call;
	int argument; /* -1: any */
	uint32_t value;
	int error;
};

/* What a kernel answers that does not know them: ADVICE to madvise(2) ... */
#define ADVICE(interface, advice)                                              \
	{MM_##interface, SYS_madvise, 2, advice, EINVAL},                      \
	{MM_##interface, SYS_process_madvise, 3, advice, EINVAL}
#define REQUEST(interface, request)                                            \
	{MM_##interface, SYS_ioctl, 1, (uint32_t) (request), ENOTTY}
#define CALL(interface, name, error)                                           \
	{MM_##interface, SYS_##name, -1, 0, error}

static const struct rule rules[] = {
	ADVICE(COLLAPSE, MADV_COLLAPSE),
	CALL(PROCESS_COLLAPSE, process_madvise, ENOSYS),
	CALL(CACHESTAT, cachestat, ENOSYS),
	REQUEST(PAGEMAP_SCAN, PAGEMAP_SCAN_IOC),
	REQUEST(PROCMAP_QUERY, MM_SYS_PROCMAP_QUERY),
	CALL(IO_URING, io_uring_setup, ENOSYS),
	ADVICE(POPULATE_READ, MADV_POPULATE_READ),
	CALL(PAGE_NODES, move_pages, ENOSYS),
	CALL(USER_XATTRS, setxattr, EOPNOTSUPP),
	CALL(USER_XATTRS, lsetxattr, EOPNOTSUPP),
	CALL(USER_XATTRS, fsetxattr, EOPNOTSUPP),
	CALL(USER_XATTRS, getxattr, EOPNOTSUPP),
	CALL(USER_XATTRS, lgetxattr, EOPNOTSUPP),
	CALL(USER_XATTRS, fgetxattr, EOPNOTSUPP),
};

#define NR_RULES (sizeof(rules) / sizeof(rules[0]))

static const char *const names[MM_NR_INTERFACES] = {
#define X(constant, name, absence) [MM_##constant] = name,
	MM_INTERFACES(X)
#undef X
};

static bool has_rule(int interface)
{
	for (size_t i = 0; i < NR_RULES; i++) {
		if ((int) rules[i].interface == interface)
			return true;
	}
	return false;
}

static int list(void)
{
	for (int i = 0; i < MM_NR_INTERFACES; i++)
		printf("%s %s\n", names[i], has_rule(i) ? "call" : "file");
	return 0;
}

static int find(const char *name)
{
	for (int i = 0; i < MM_NR_INTERFACES; i++) {
		if (!strcmp(names[i], name))
			return i;
	}
	return -1;
}

static int add_rule(scmp_filter_ctx filter, const struct rule *rule)
{
	const struct scmp_arg_cmp equal = {
		.arg = (unsigned) rule->argument,
		.op = SCMP_CMP_MASKED_EQ,
		.datum_a = UINT32_MAX,
		.datum_b = rule->value,
	};

	return seccomp_rule_add_array(filter,
				      SCMP_ACT_ERRNO((uint16_t) rule->error),
				      rule->call, rule->argument >= 0, &equal);
}

/* Takes one interface away; says why when that is impossible. */
static int add_interface(scmp_filter_ctx filter, const char *name)
{
	int interface = find(name), ret = 0;

	if (interface < 0 || !has_rule(interface)) {
		fprintf(stderr, "without: %s: %s\n", name,
			interface < 0 ? "no such interface"
				      : "this is a file, no system call");
		return -EINVAL;
	}
	for (size_t i = 0; !ret && i < NR_RULES; i++) {
		if ((int) rules[i].interface == interface)
			ret = add_rule(filter, &rules[i]);
	}
	if (ret)
		fprintf(stderr, "without: %s: %s\n", name, strerror(-ret));
	return ret;
}

/* Without no_new_privs, which the kernel asks of others than root only. */
static int load(char *list_of_names)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
	char *rest = NULL, *name;
	int ret = 0;

	if (!filter)
		return -ENOMEM;
	name = strtok_r(list_of_names, ",", &rest);
	for (; name && !ret; name = strtok_r(NULL, ",", &rest))
		ret = add_interface(filter, name);
	if (!ret) {
		ret = seccomp_attr_set(filter, SCMP_FLTATR_CTL_NNP, 0);
		if (!ret)
			ret = seccomp_load(filter);
		if (ret)
			fprintf(stderr, "without: seccomp: %s\n",
				strerror(-ret));
	}
	seccomp_release(filter);
	return ret;
}

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "--list"))
		return list();
	if (argc < 3) {
		fputs(usage_text, stderr);
		return 1;
	}
	if (load(argv[1]))
		return 2;
	execvp(argv[2], argv + 2);
	fprintf(stderr, "without: %s: %s\n", argv[2], strerror(errno));
	return 2;
}
