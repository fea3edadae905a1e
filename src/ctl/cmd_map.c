/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * hugetmpfsctl map: what the extents of files are, and why not huge.
 */
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctl/command.h"
#include "ctl/extents.h"
#include "ctl/grid.h"
#include "ctl/json.h"
#include "ctl/message.h"
#include "ctl/nodes.h"

static const char map_usage[] =
	"map [--json] [--numa] [--all] FILE...\n"
	"Shows the extents of files, one cell for each 2 MiB, and the reasons\n"
	"for those that are not huge. Looks only: nothing is brought in from\n"
	"swap. Needs permission to read the file.\n"
	"\n"
	"  --json      write JSON: an object for a file, an array for several\n"
	"  --numa      show on which NUMA node each extent is, and what is on\n"
	"              another one than policy says\n"
	"  --all       show each row, also many that are alike\n"
	"  -h, --help  show this\n";

struct map_options {
	bool json;
	bool all;	/* rows alike as well */
	bool numa;
	bool color;
};

/* The way through one file; either grid or JSON is its output. */
struct map_visit {
	struct extents_visitor visitor; /* first, so that one leads to it */
	struct hugetmpfs_summary summary;
	struct grid grid;
	struct json_stream *stream; /* NULL: grid */
	const char *path;
	bool has_policy;	    /* it could be asked for */
	struct hugetmpfs_policy policy;
	struct nodes_sum *nodes;    /* with --numa */
	char placement[HUGETMPFS_NUMA_BYTES]; /* the same, "" for none */
	bool begun;		    /* the file's output has */
	uint64_t nr_items;
};

static int map_get(struct extents_visitor *visitor, int fd, uint64_t first,
		   uint32_t nr, struct hugetmpfs_extent *extents,
		   uint64_t *size_bytes)
{
	(void) visitor;
	return hugetmpfs_map(fd, first, nr, extents, size_bytes);
}

static json_t *map_object(const struct map_visit *visit)
{
	json_t *object = json_object();

	json_set_name(object, "file", visit->path);
	json_set_integer(object, "size_bytes", visit->visitor.size_bytes);
	if (visit->has_policy)
		json_set_policy(object, &visit->policy);
	return object;
}

/* What stands above the extents. */
static void map_begin(struct map_visit *visit)
{
	char name[SHOW_NAME_BYTES], size[SHOW_SIZE_BYTES];
	const char *own = visit->has_policy
				  ? policy_word(visit->policy.background_file)
				  : NULL;

	if (visit->begun)
		return;
	visit->begun = true;
	if (visit->stream)
		json_stream_open(visit->stream, map_object(visit), "extents");
	else if (visit->nodes)
		printf("%s: %s%s%s\n", show_name(visit->path, name),
		       show_size((double) visit->visitor.size_bytes, size),
		       *visit->placement ? ", with its own policy numa=" : "",
		       visit->placement);
	else
		printf("%s: %s%s%s\n", show_name(visit->path, name),
		       show_size((double) visit->visitor.size_bytes, size),
		       own ? ", with its own policy recover=" : "",
		       own ? own : "");
}

static int map_slice(struct extents_visitor *visitor, uint64_t first,
		     uint32_t nr, const struct hugetmpfs_extent *extents)
{
	struct map_visit *visit = (struct map_visit *) visitor;

	(void) first;
	map_begin(visit);
	hugetmpfs_summary_add(&visit->summary, extents, nr);
	if (visit->nodes)
		nodes_add(visit->nodes, extents, nr);
	for (uint32_t i = 0; i < nr; i++) {
		if (visit->stream)
			json_item(json_extent(&extents[i]), !visit->nr_items++);
		else
			grid_add(&visit->grid, 1,
				 visit->nodes ? grid_node(&extents[i])
					      : extents[i].state);
	}
	return 0;
}

static int map_holes(struct extents_visitor *visitor, uint64_t first,
		     uint64_t nr)
{
	struct map_visit *visit = (struct map_visit *) visitor;

	extents_add_holes(&visit->summary, visitor->size_bytes, first, nr);
	if (!visit->stream) {
		grid_add(&visit->grid, nr, HUGETMPFS_HOLE);
		return 0;
	}
	for (; nr; nr--, first++) {
		struct hugetmpfs_extent hole =
			extents_hole(visitor->size_bytes, first);

		json_item(json_extent(&hole), false);
	}
	return 0;
}

/* What stands below the extents. */
static void map_end(struct map_visit *visit)
{
	map_begin(visit);
	if (visit->stream) {
		json_t *object = json_object();

		json_set(object, "summary", json_summary(&visit->summary));
		json_close(object);
	} else if (!visit->summary.nr_extents) {
		puts("empty: nothing to show");
	} else {
		grid_end(&visit->grid);
		if (visit->nodes)
			nodes_print(stdout, visit->nodes);
		else
			grid_summary(stdout, visit->grid.color,
				     &visit->summary);
	}
}

/* An error as a member of the JSON, so that each file has its object. */
static void map_error(struct map_visit *visit, int error)
{
	char name[SHOW_NAME_BYTES];
	const char *text = file_error_text(error);
	json_t *object;

	ctl_error("%s: %s", show_name(visit->path, name), text);
	if (!visit->stream)
		return;
	object = visit->begun ? json_object() : map_object(visit);
	json_set_error(object, error, text);
	if (visit->begun)
		json_close(object);
	else
		json_stream_add(visit->stream, object);
}

static int map_file(const char *path, const struct map_options *options,
		    struct json_stream *stream)
{
	struct map_visit visit = {
		.visitor = { .get = map_get,
			     .slice = map_slice,
			     .holes = map_holes },
		.grid = { .out = stdout,
			  .color = options->color,
			  .nodes = options->numa,
			  .all = options->all },
		.stream = stream,
		.path = path,
	};
	struct nodes_sum nodes = { 0 };
	int fd = extents_open(path, O_RDONLY), ret = fd;

	if (options->numa && !stream)
		visit.nodes = &nodes;
	if (fd >= 0) {
		visit.has_policy = !hugetmpfs_policy(fd, &visit.policy);
		if (hugetmpfs_numa_get(fd, 0, visit.placement))
			*visit.placement = '\0';
		ret = extents_visit(fd, &visit.visitor);
		close(fd);
	}
	if (ret)
		map_error(&visit, ret);
	else
		map_end(&visit);
	return ret;
}

static int map_files(char **paths, int nr,
		     const struct map_options *options)
{
	struct json_stream stream = { .array = nr > 1 };
	int nr_failed = 0;

	for (int i = 0; i < nr; i++) {
		if (i && !options->json)
			putchar('\n');
		if (map_file(paths[i], options,
			     options->json ? &stream : NULL))
			nr_failed++;
	}
	if (options->json)
		json_stream_end(&stream);
	if (!nr_failed)
		return CTL_DONE;
	return nr_failed == nr ? CTL_ERROR : CTL_PARTLY;
}

static int map_run(int argc, char **argv)
{
	static const struct option longopts[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "all", no_argument, NULL, 'a' },
		{ "numa", no_argument, NULL, 'n' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	struct map_options options = { .color = isatty(STDOUT_FILENO) };
	int c, code;

	while ((c = command_option(&command_map, argc, argv, longopts,
				   &code)) >= 0) {
		options.json |= c == 'j';
		options.all |= c == 'a';
		options.numa |= c == 'n';
	}
	if (c == -2)
		return code;
	if (optind == argc)
		return command_misused(&command_map, "no file is named");
	return map_files(argv + optind, argc - optind, &options);
}

const struct command command_map = {
	.name = "map",
	.summary = "show the extents of files and why they are not huge",
	.usage = map_usage,
	.run = map_run,
};
