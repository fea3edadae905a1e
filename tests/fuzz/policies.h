/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Texts of policies, right and wrong in each way: of those that a fuzzer makes
 * up few are one, and what depends on it would be reached by luck.
 */
#ifndef FUZZ_POLICIES_H
#define FUZZ_POLICIES_H

#include <string.h>

#include <hugetmpfs/types.h>

#define RULES_4(rule) rule " " rule " " rule " " rule " "
#define RULES_16(rule) \
	RULES_4(rule) RULES_4(rule) RULES_4(rule) RULES_4(rule)
#define RULES_64(rule) \
	RULES_16(rule) RULES_16(rule) RULES_16(rule) RULES_16(rule)

static inline const char *policy_pick(const char *const *texts, size_t nr,
				      uint8_t byte)
{
	return texts[byte % nr];
}
#define PICK(texts, byte) \
	policy_pick(texts, sizeof(texts) / sizeof(*(texts)), byte)

/* Of an attribute of this program's own, by a byte of the input. */
static inline const char *policy_of(const char *attribute, uint8_t byte)
{
	static const char *const recover[] = {
		"off", "mapped", "all", "", "always", "ALL",
	};
	static const char *const numa[] = {
		"default", "follow", "bind:0", "bind:1-2", "bind:0,2-3",
		"prefer:1", "prefer:3", "interleave:0-1", "interleave:0,2,3",
		"interleave:0,2@0-1 bind:1@2-", "follow@1- prefer:3@0-0",
		"default@2-3  bind:2 ", "bind:0@0-0 bind:1@2-2 bind:2@4-",
		RULES_64("prefer:1@9-99"),
		/* nodes that are not there, or are none */
		"bind:9", "prefer:63", "interleave:4-1023", "bind:1024",
		"bind:0-1024", "bind:2-1", "bind:", "bind:x", "bind:0,",
		"bind:0,x", "bind:0-", "bind:0-x", "bind:\x01", "prefer:0-1",
		"prefer", "follow:0", "default:",
		/* other rules and ranges */
		"", " ", "local", "Bind:0", "bind:0@", "bind:0@5", "bind:0@5-1",
		"bind:0@x-", "bind:0@-5", "bind:0@5-x", "bind:0@4398046511102-",
		"bind:0@4398046511103-", "follow@1-2@3-4",
		RULES_64("prefer:1@9-99") "follow",
	};

	return strcmp(attribute, HUGETMPFS_XATTR_NUMA) ? PICK(recover, byte)
						       : PICK(numa, byte);
}

#endif
