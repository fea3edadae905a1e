/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * hugetmpfsctl why: for each extent of a file that is not huge what stands in
 * the way, and what to do about it.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buddyinfo.h"
#include "ctl/cgroup.h"
#include "ctl/command.h"
#include "ctl/extents.h"
#include "ctl/json.h"
#include "ctl/mappings.h"
#include "ctl/message.h"
#include "ctl/why.h"

#define MAX_NODES 64

/* Mappings that a line of text has room for. */
#define SHOWN_MAPPINGS 8

static const char why_usage[] =
	"why [--json] FILE [EXTENT|FIRST-LAST]\n"
	"Tells for each extent of a file that is not huge why it is not, and\n"
	"what to do; for those that are huge, which process does not have them\n"
	"so. Looks only: nothing is brought in from swap and no page is touched.\n"
	"Needs permission to read the file. Root sees the mappings of all\n"
	"processes, others those of their own.\n"
	"\n"
	"  --json      write a JSON object\n"
	"  -h, --help  show this\n";

/* The way through the file. */
struct why_visit {
	struct extents_visitor visitor; /* first, so that one leads to it */
	struct why why;
	struct mappings mappings;
	const char *path;
	uint8_t *uses; /* of a slice: a row for each mapping */
	uint8_t *column; /* of one extent */
};

static int why_get(struct extents_visitor *visitor, int fd, uint64_t first,
		   uint32_t nr, struct hugetmpfs_extent *extents,
		   uint64_t *size_bytes)
{
	(void) visitor;
	return hugetmpfs_map(fd, first, nr, extents, size_bytes);
}

/* Looks for the page that is in the way, as far as a mapping shows it. */
static int find_busy_page(const struct why_visit *visit, uint64_t index,
			  const char **state)
{
	int page = -1;

	*state = NULL;
	for (size_t i = 0; i < visit->mappings.nr && page < 0; i++)
		page = mapping_busy_page(&visit->mappings.list[i], index,
					 state);
	return page;
}

static int why_slice(struct extents_visitor *visitor, uint64_t first,
		     uint32_t nr, const struct hugetmpfs_extent *extents)
{
	struct why_visit *visit = (struct why_visit *) visitor;
	size_t nr_mappings = visit->mappings.nr;
	const char *state;
	int ret = 0, page;

	for (size_t m = 0; m < nr_mappings; m++)
		mapping_look(&visit->mappings.list[m], first, nr,
			     visit->uses + m * EXTENTS_SLICE);
	for (uint32_t i = 0; i < nr && !ret; i++) {
		enum why_cause cause;

		for (size_t m = 0; m < nr_mappings; m++)
			visit->column[m] = visit->uses[m * EXTENTS_SLICE + i];
		cause = why_judge(&visit->why, &extents[i], visit->column);
		state = NULL;
		page = -1;
		if (cause == WHY_PINNED || cause == WHY_BUSY)
			page = find_busy_page(visit, first + i, &state);
		ret = why_add(&visit->why, &extents[i], 1, cause,
			      visit->column, page, state);
	}
	return ret;
}

/* Mappings of what has no data are nobody's trouble. */
static int why_holes(struct extents_visitor *visitor, uint64_t first,
		     uint64_t nr)
{
	struct why_visit *visit = (struct why_visit *) visitor;
	struct hugetmpfs_extent hole = extents_hole(visitor->size_bytes, first);

	memset(visit->column, MAPPING_NONE, visit->mappings.nr);
	return why_add(&visit->why, &hole, nr, WHY_EMPTY, visit->column, -1,
		       NULL);
}

/* ---- words ---- */

static const char *mapping_problem(enum mapping_use use)
{
	switch (use) {
	case MAPPING_SMALL:
		return "small";
	case MAPPING_MISALIGNED:
		return "misaligned";
	case MAPPING_SHORT:
		return "not_covering";
	default:
		return "private";
	}
}

static const char *mapping_words(enum mapping_use use)
{
	switch (use) {
	case MAPPING_SMALL:
		return "uses it by small pages";
	case MAPPING_MISALIGNED:
		return "its address and offset differ modulo 2 MiB";
	case MAPPING_SHORT:
		return "the mapping does not cover the whole extent";
	default:
		return "the mapping is MAP_PRIVATE";
	}
}

static void format_numbers(char *out, size_t size, unsigned least,
			   unsigned most)
{
	if (least == most)
		snprintf(out, size, "%u", least);
	else
		snprintf(out, size, "%u to %u", least, most);
}

/* How many pages are where they do not belong, and where that is. */
static void format_place(const struct why_group *group, char *out, size_t size)
{
	char numbers[32], target[48] = "";

	if (!group->misplaced_most)
		return;
	format_numbers(numbers, sizeof(numbers), group->misplaced_least,
		       group->misplaced_most);
	if (group->target_nid >= 0)
		snprintf(target, sizeof(target), " than on node %d",
			 group->target_nid);
	snprintf(out, size, "%s of its pages are elsewhere%s; most of it is on "
		 "node %d", numbers, target, group->nid);
}

/* What there is to add to the words, "" for nothing. */
static void format_details(const struct why_visit *visit,
			   const struct why_group *group, char *out,
			   size_t size)
{
	char numbers[32], limit[SHOW_SIZE_BYTES], usage[SHOW_SIZE_BYTES];
	uint32_t blocks[MAX_NODES];
	struct cgroup cgroup;
	size_t at = 0;
	int nodes;

	*out = '\0';
	switch (group->cause) {
	case WHY_HOLES:
		format_numbers(numbers, sizeof(numbers), group->holes_least,
			       group->holes_most);
		snprintf(out, size, "%s of its pages have no data, up to %u "
			 "are filled, those beyond the end of the file counted "
			 "in", numbers, visit->why.policy.max_holes);
		break;
	case WHY_COLD:
		format_numbers(numbers, sizeof(numbers), group->swapped_least,
			       group->swapped_most);
		snprintf(out, size, "%s of its pages are on swap", numbers);
		break;
	case WHY_PINNED:
	case WHY_BUSY:
		if (group->page >= 0)
			snprintf(out, size, "page %d of it is %s", group->page,
				 group->page_state);
		break;
	case WHY_NO_HUGE_PAGE:
		nodes = buddyinfo_read(blocks, MAX_NODES);
		for (int i = 0; i < nodes && at < size; i++)
			at += (size_t) snprintf(out + at, size - at,
						"%snode %d has %u free now",
						i ? ", " : "", i, blocks[i]);
		break;
	case WHY_GROUP_FULL:
		if (!cgroup_find(group->group, &cgroup))
			snprintf(out, size, "the cgroup with number %" PRIu32
				 ", not to be seen here", group->group);
		else if (cgroup.limited)
			snprintf(out, size, "%s: %s of %s are used",
				 cgroup.path,
				 show_size((double) cgroup.usage_bytes, usage),
				 show_size((double) cgroup.limit_bytes, limit));
		else
			snprintf(out, size, "%s, which has no limit now",
				 cgroup.path);
		break;
	case WHY_FAILED:
		snprintf(out, size, "%s", strerror(group->error));
		break;
	case WHY_NODE_FULL:
	case WHY_NO_NODE:
	case WHY_MISPLACED:
		format_place(group, out, size);
		break;
	default:
		break;
	}
}

/* ---- text ---- */

static void print_mappings(const struct why_visit *visit,
			   const struct why_group *group)
{
	char name[SHOW_NAME_BYTES];
	size_t nr = 0;

	for (size_t i = 0; i < visit->mappings.nr; i++) {
		const struct mapping *mapping = &visit->mappings.list[i];
		enum mapping_use use = group->uses[i];

		if (use == MAPPING_NONE)
			continue;
		if (nr++ >= SHOWN_MAPPINGS)
			continue;
		printf("  process %d (%s) at 0x%" PRIx64 ": %s\n",
		       (int) mapping->pid, show_name(mapping->name, name),
		       mapping_address(mapping, group->first),
		       mapping_words(use));
	}
	if (nr > SHOWN_MAPPINGS)
		printf("  and %zu mappings more\n", nr - SHOWN_MAPPINGS);
}

static void print_advice(const struct why_visit *visit,
			 const struct why_group *group)
{
	const char *advice = why_advice(group->cause);
	char name[SHOW_NAME_BYTES];

	if (why_recover_helps(group->cause))
		printf("  do: hugetmpfsctl recover --range %" PRIu64
		       "m-%" PRIu64 "m %s\n",
		       2 * group->first, 2 * (group->first + group->nr),
		       show_name(visit->path, name));
	if (advice)
		printf("  %s: %s\n",
		       why_recover_helps(group->cause) ? "or" : "do", advice);
}

static void print_group(const struct why_visit *visit,
			const struct why_group *group)
{
	char details[CGROUP_PATH_BYTES + 128];

	if (group->nr == 1)
		printf("extent %" PRIu64, group->first);
	else
		printf("extents %" PRIu64 "-%" PRIu64, group->first,
		       group->first + group->nr - 1);
	/* one beyond the end of the file has no state */
	if (group->cause == WHY_HUGE || group->cause == WHY_BEYOND_EOF)
		printf(": %s\n", why_words(group->cause));
	else
		printf(" (%s): %s\n", hugetmpfs_state_name(group->state),
		       why_words(group->cause));
	format_details(visit, group, details, sizeof(details));
	if (*details)
		printf("  %s\n", details);
	print_mappings(visit, group);
	print_advice(visit, group);
}

static void print_text(const struct why_visit *visit)
{
	char name[SHOW_NAME_BYTES], size[SHOW_SIZE_BYTES];
	const struct why *why = &visit->why;

	const char *own = policy_word(why->policy.background_file);

	printf("%s: %s, %" PRIu64 " of %" PRIu64 " extents huge%s%s\n",
	       show_name(visit->path, name),
	       show_size((double) visit->visitor.size_bytes, size),
	       why->nr_huge, why->nr_extents,
	       own ? ", with its own policy recover=" : "", own ? own : "");
	for (size_t i = 0; i < why->nr; i++)
		print_group(visit, &why->groups[i]);
	if (visit->mappings.hidden)
		printf("%u processes of others may not be looked at%s\n",
		       visit->mappings.hidden,
		       geteuid() ? ": root sees all" : "");
}

/* ---- JSON ---- */

static json_t *mappings_json(const struct why_visit *visit,
			     const struct why_group *group)
{
	json_t *array = json_array(), *object;
	char address[32];

	for (size_t i = 0; i < visit->mappings.nr; i++) {
		const struct mapping *mapping = &visit->mappings.list[i];

		if (group->uses[i] == MAPPING_NONE)
			continue;
		object = json_object();
		json_set_integer(object, "pid", (uint64_t) mapping->pid);
		json_set_name(object, "process", mapping->name);
		snprintf(address, sizeof(address), "0x%" PRIx64,
			 mapping_address(mapping, group->first));
		json_set(object, "address", json_string(address));
		json_set(object, "problem",
			 json_string(mapping_problem(group->uses[i])));
		json_append(array, object);
	}
	return array;
}

static json_t *group_json(const struct why_visit *visit,
			  const struct why_group *group)
{
	char details[CGROUP_PATH_BYTES + 128];
	const char *advice = why_advice(group->cause);
	json_t *object = json_object();

	json_set_integer(object, "first", group->first);
	json_set_integer(object, "last", group->first + group->nr - 1);
	json_set(object, "state",
		 group->cause == WHY_BEYOND_EOF ?
			 json_null() :
			 json_string(hugetmpfs_state_name(group->state)));
	json_set(object, "cause", json_string(why_name(group->cause)));
	json_set(object, "text", json_string(why_words(group->cause)));
	format_details(visit, group, details, sizeof(details));
	json_set_name(object, "details", details);
	json_set(object, "recover_helps",
		 json_boolean(why_recover_helps(group->cause)));
	json_set(object, "advice", advice ? json_string(advice) : json_null());
	json_set_integer(object, "hole_pages", group->holes_most);
	json_set_integer(object, "swapped_pages", group->swapped_most);
	json_set_nodes(object, group->nid, group->target_nid,
		       group->misplaced_most);
	json_set(object, "busy_page",
		 group->page < 0 ? json_null() : json_integer(group->page));
	json_set(object, "mappings", mappings_json(visit, group));
	return object;
}

static void print_json(const struct why_visit *visit)
{
	json_t *object = json_object(), *groups = json_array();

	json_set_name(object, "file", visit->path);
	json_set_integer(object, "size_bytes", visit->visitor.size_bytes);
	json_set_integer(object, "extents", visit->why.nr_extents);
	json_set_integer(object, "huge", visit->why.nr_huge);
	json_set_policy(object, &visit->why.policy);
	json_set_integer(object, "hidden_processes", visit->mappings.hidden);
	for (size_t i = 0; i < visit->why.nr; i++)
		json_append(groups, group_json(visit, &visit->why.groups[i]));
	json_set(object, "groups", groups);
	json_print(object);
}

/* ---- the command ---- */

/* Finds out what all extents have in common, then goes through them. */
static int why_look(struct why_visit *visit, int fd)
{
	struct hugetmpfs_extent beyond = {
		.index = visit->visitor.range.first,
	};
	struct stat st;
	int ret = hugetmpfs_policy(fd, &visit->why.policy);

	if (!ret && fstat(fd, &st))
		ret = -errno;
	if (!ret)
		ret = mappings_find(&visit->mappings, st.st_dev, st.st_ino);
	if (ret)
		return ret;
	visit->why.nr_mappings = visit->mappings.nr;
	visit->uses = malloc(visit->mappings.nr * EXTENTS_SLICE + 1);
	visit->column = calloc(visit->mappings.nr + 1, 1);
	if (!visit->uses || !visit->column)
		return -ENOMEM;
	ret = extents_visit(fd, &visit->visitor);
	if (ret == -ENXIO)
		ret = why_add(&visit->why, &beyond,
			      visit->visitor.range.end - beyond.index,
			      WHY_BEYOND_EOF, visit->column, -1, NULL);
	return ret;
}

static int why_file(const char *path, const struct range *range, bool json)
{
	struct why_visit visit = {
		.visitor = { .get = why_get,
			     .slice = why_slice,
			     .holes = why_holes,
			     .range = *range },
		.path = path,
	};
	char name[SHOW_NAME_BYTES];
	int fd = extents_open(path, O_RDONLY), ret = fd;

	if (fd >= 0) {
		ret = why_look(&visit, fd);
		close(fd);
	}
	if (ret)
		ctl_error("%s: %s", show_name(path, name),
			  file_error_text(ret));
	else if (json)
		print_json(&visit);
	else
		print_text(&visit);
	free(visit.uses);
	free(visit.column);
	why_clear(&visit.why);
	mappings_clear(&visit.mappings);
	return ret ? CTL_ERROR : CTL_DONE;
}

static int why_run(int argc, char **argv)
{
	static const struct option longopts[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	struct range range = { 0 };
	bool json = false;
	int c, code;

	while ((c = command_option(&command_why, argc, argv, longopts,
				   &code)) >= 0)
		json |= c == 'j';
	if (c == -2)
		return code;
	if (optind == argc)
		return command_misused(&command_why, "no file is named");
	if (argc - optind > 2)
		return command_misused(&command_why,
				       "one file has to be named");
	if (optind + 1 < argc && !range_parse_extents(argv[optind + 1], &range))
		return command_misused(&command_why,
				       "\"%s\" is no extent: a number, or two "
				       "as 3-7", argv[optind + 1]);
	return why_file(argv[optind], &range, json);
}

const struct command command_why = {
	.name = "why",
	.summary = "tell why extents of a file are not huge, and what to do",
	.usage = why_usage,
	.run = why_run,
};
