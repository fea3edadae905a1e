/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * hugetmpfsctl recover: puts the teams of files together again, and says what
 * came of it.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>

#include "ctl/command.h"
#include "ctl/grid.h"
#include "ctl/json.h"
#include "ctl/message.h"
#include "ctl/recover.h"
#include "ctl/walk.h"

static const char recover_usage[] =
	"recover [--dry-run] [--no-wait] [--range START-[END]] [--json]\n"
	"               [--quiet] PATH...\n"
	"Makes the extents of files huge again, and waits for it. Directories\n"
	"are gone through with all below them, but for other mounts. Needs\n"
	"permission to write to the files. ^C ends it, as does hugetmpfsctl\n"
	"cancel by anybody; what is done stays done.\n"
	"\n"
	"  --dry-run   change nothing: show what each pass would do\n"
	"  --no-wait   queue the extents and return\n"
	"  --range START-[END]\n"
	"              only the extents of files with bytes from START on and\n"
	"              before END, with suffixes as 512k, 3m, 1g\n"
	"  --json      write a JSON object\n"
	"  --quiet     show nothing but errors\n"
	"  -h, --help  show this\n"
	"\n"
	"exit codes: 0 all extents with data are huge and where they belong, or\n"
	"queued with --no-wait; 2 nothing could be done; 3 some are not, some\n"
	"files failed, or it was interrupted or cancelled\n";

struct recover_run {
	struct walk walk; /* first, so that one leads to it */
	bool dry_run;
	bool json;
	bool quiet;
	bool cancelled; /* by somebody else */
	bool ranged;
	struct recover_how how;
	dev_t dev; /* of the file before */
	struct progress progress;
	struct recover_result total;
	uint64_t nr_files;  /* that were worked on */
	uint64_t nr_failed; /* paths with an error */
};

/* The one thing a signal handler can reach. */
static volatile int interrupted;

static void on_signal(int number)
{
	(void) number;
	interrupted = 1;
}

/* The calls under way return EINTR; a second signal ends the program. */
static void catch_signals(void)
{
	struct sigaction action = {
		.sa_handler = on_signal,
		.sa_flags = SA_RESETHAND,
	};

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
}

static bool is_over(const struct recover_run *run)
{
	return interrupted || run->cancelled;
}

static json_t *result_json(const struct recover_result *result,
			   const struct recover_run *run)
{
	bool dry_run = run->dry_run;
	json_t *object = json_object();

	json_set_integer(object, "size_bytes", result->size_bytes);
	json_set(object, "before", json_summary(&result->before));
	json_set(object, "after",
		 dry_run ? json_null() : json_summary(&result->after));
	json_set_integer(object, "recovered_extents", result->nr_recovered);
	json_set_integer(object, "recovered_bytes",
			 result->nr_recovered * HUGETMPFS_EXTENT_BYTES);
	json_set(object, "seconds", json_real((double) result->time_ns / 1e9));
	json_set(object, "bytes_per_second",
		 json_real(recover_bytes_per_second(result)));
	if (run->how.no_wait) {
		json_set_integer(object, "queued_extents", result->nr_queued);
		json_set_integer(object, "queued_before_extents",
				 result->nr_queued_before);
	}
	return object;
}

static void show_json(struct recover_run *run, const char *path,
		      const struct recover_result *result,
		      const struct plan *plan)
{
	json_t *object = json_object(), *members;

	json_set_name(object, "file", path);
	members = result_json(result, run);
	json_object_update(object, members);
	json_decref(members);
	if (run->dry_run)
		json_set(object, "groups", plan_json(plan));
	if (result->error)
		json_set_error(object, result->error,
			       file_error_text(result->error));
	json_item(object, !run->nr_files && !run->nr_failed);
}

static void show_rate(const struct recover_run *run,
		      const struct recover_result *result)
{
	char size[SHOW_SIZE_BYTES];

	if (run->how.no_wait) {
		printf("%" PRIu64 " queued, %" PRIu64 " queued already\n",
		       result->nr_queued, result->nr_queued_before);
		return;
	}

	printf("%" PRIu64 " recovered (%s) in %.2f s, %.2f GiB/s\n",
	       result->nr_recovered,
	       show_size((double) result->nr_recovered * HUGETMPFS_EXTENT_BYTES,
			 size),
	       (double) result->time_ns / 1e9,
	       recover_bytes_per_second(result) / (1 << 30));
}

static void show_text(const struct recover_run *run, const char *path,
		      const struct recover_result *result,
		      const struct plan *plan)
{
	char name[SHOW_NAME_BYTES], size[SHOW_SIZE_BYTES];
	double before = hugetmpfs_coverage_percent(&result->before);

	printf("%s: %s, ", show_name(path, name),
	       show_size((double) result->size_bytes, size));
	if (!result->before.data_pages && !result->error) {
		printf("%s: nothing to do\n",
		       result->size_bytes ? "no data" : "empty");
		return;
	}
	if (run->dry_run) {
		grid_coverage(stdout, &result->before);
		puts(" huge");
		plan_print(plan);
		return;
	}
	if (before >= 0)
		printf("%.1f %% -> ", before);
	grid_coverage(stdout, &result->after);
	fputs(" huge, ", stdout);
	show_rate(run, result);
}

static void recover_error(struct walk *walk, const char *path, int error)
{
	struct recover_run *run = (struct recover_run *) walk;
	char name[SHOW_NAME_BYTES];
	json_t *object;

	progress_clear(&run->progress);
	ctl_error("%s: %s", show_name(path, name), file_error_text(error));
	if (run->json) {
		object = json_object();
		json_set_name(object, "file", path);
		json_set_error(object, error, file_error_text(error));
		json_item(object, !run->nr_files && !run->nr_failed);
	}
	run->nr_failed++;
}

static int recover_path(struct walk *walk, const char *path, int path_fd,
			const struct stat *st)
{
	struct recover_run *run = (struct recover_run *) walk;
	struct recover_result result;
	struct plan plan = { 0 };

	if (is_over(run))
		return -EINTR;
	/* each mount has tickets of its own */
	if (st->st_dev != run->dev)
		run->how.ticket = 0;
	run->dev = st->st_dev;
	recover_file(&run->how, path_fd, path,
		     walk->named ? 0 : HUGETMPFS_RECOVER_BOUNDED,
		     run->dry_run ? &plan : NULL, &result);
	if (result.error == -ECANCELED) {
		run->cancelled = true;
		result.error = -EINTR;
	}
	if (result.error && !result.after.nr_extents &&
	    result.error != -EINTR) {
		recover_error(walk, path, result.error);
		plan_clear(&plan);
		return 0;
	}
	progress_clear(&run->progress);
	if (run->json)
		show_json(run, path, &result, &plan);
	else if (!run->quiet)
		show_text(run, path, &result, &plan);
	plan_clear(&plan);
	recover_result_add(&run->total, &result);
	run->nr_files++;
	if (result.error && result.error != -EINTR) {
		char name[SHOW_NAME_BYTES];

		ctl_error("%s: %s", show_name(path, name),
			  file_error_text(result.error));
		run->nr_failed++;
	}
	return is_over(run) ? -EINTR : 0;
}

static int add_size(struct walk *walk, const char *path, int path_fd,
		    const struct stat *st)
{
	struct recover_run *run = (struct recover_run *) walk;

	(void) path;
	(void) path_fd;
	run->total.size_bytes +=
		range_bytes(&run->how.range, (uint64_t) st->st_size);
	return interrupted ? -EINTR : 0;
}

static void no_error(struct walk *walk, const char *path, int error)
{
	(void) walk;
	(void) path;
	(void) error;
}

/* The size of everything, so that the progress can tell what is left. */
static uint64_t total_bytes(const struct range *range, char **paths, int nr)
{
	struct recover_run sizes = {
		.walk = { .file = add_size, .error = no_error },
		.how = { .range = *range },
	};

	for (int i = 0; i < nr && !interrupted; i++)
		walk_path(&sizes.walk, paths[i]);
	return sizes.total.size_bytes;
}

static int exit_code(const struct recover_run *run)
{
	if (run->nr_failed && !run->nr_files)
		return CTL_ERROR;
	if (is_over(run) || run->nr_failed)
		return CTL_PARTLY;
	if (!run->dry_run && (run->total.nr_missed || run->total.nr_misplaced))
		return CTL_PARTLY;
	return CTL_DONE;
}

static void show_total(const struct recover_run *run)
{
	if (interrupted)
		ctl_error("interrupted; what is done stays done");
	else if (run->cancelled)
		ctl_error("cancelled by somebody else; what is done stays done");
	if (run->json) {
		json_t *object = json_object(), *total;

		json_set(object, "interrupted", json_boolean(interrupted));
		json_set(object, "cancelled", json_boolean(run->cancelled));
		total = result_json(&run->total, run);
		json_set_integer(total, "files", run->nr_files);
		json_set_integer(total, "failed", run->nr_failed);
		json_set(object, "total", total);
		json_close(object);
		putchar('\n');
		return;
	}
	if (run->quiet || (!run->nr_files && run->nr_failed))
		return;
	if (!run->nr_files) {
		puts("no files: nothing to do");
		return;
	}
	if (run->nr_files > 1) {
		printf("%" PRIu64 " files: ", run->nr_files);
		grid_coverage(stdout, &run->total.after);
		fputs(" huge, ", stdout);
		if (run->dry_run)
			puts("nothing was changed");
		else
			show_rate(run, &run->total);
	}
	if (!run->dry_run)
		grid_reasons(stdout, &run->total.after);
}

static void begin_json(const struct recover_run *run)
{
	struct json_stream stream = { 0 };
	json_t *object = json_object();

	json_set(object, "dry_run", json_boolean(run->dry_run));
	json_stream_open(&stream, object, "files");
}

static int recover_paths(struct recover_run *run, char **paths, int nr)
{
	catch_signals();
	progress_start(&run->progress, 0);
	/* without a terminal nobody sees what is left */
	if (run->progress.on && !run->quiet && !run->dry_run)
		progress_start(&run->progress,
			       total_bytes(&run->how.range, paths, nr));
	if (run->quiet || run->dry_run)
		run->progress.on = false;
	if (run->json)
		begin_json(run);
	for (int i = 0; i < nr && !is_over(run); i++)
		walk_path(&run->walk, paths[i]);
	progress_clear(&run->progress);
	show_total(run);
	return exit_code(run);
}

static bool are_no_directories(char **paths, int nr)
{
	struct stat st;

	for (int i = 0; i < nr; i++) {
		if (!stat(paths[i], &st) && S_ISDIR(st.st_mode))
			return false;
	}
	return true;
}

static int recover_run(int argc, char **argv)
{
	static const struct option longopts[] = {
		{ "dry-run", no_argument, NULL, 'd' },
		{ "no-wait", no_argument, NULL, 'n' },
		{ "range", required_argument, NULL, 'r' },
		{ "json", no_argument, NULL, 'j' },
		{ "quiet", no_argument, NULL, 'q' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	struct recover_run run = {
		.walk = { .file = recover_path, .error = recover_error },
	};
	int c, code;

	while ((c = command_option(&command_recover, argc, argv, longopts,
				   &code)) >= 0) {
		run.dry_run |= c == 'd';
		run.json |= c == 'j';
		run.quiet |= c == 'q';
		run.how.no_wait |= c == 'n';
		run.ranged |= c == 'r';
		if (c == 'r' && !range_parse_bytes(optarg, &run.how.range))
			return command_misused(
				&command_recover,
				"\"%s\" is no range: START-END in bytes, as "
				"0-512m or 3g-, START before END",
				optarg);
	}
	if (c == -2)
		return code;
	if (optind == argc)
		return command_misused(&command_recover, "no path is named");
	if (run.ranged && !are_no_directories(argv + optind, argc - optind))
		return command_misused(&command_recover,
				       "a range is for files, not for "
				       "directories");
	run.how.progress = &run.progress;
	run.how.interrupted = &interrupted;
	return recover_paths(&run, argv + optind, argc - optind);
}

const struct command command_recover = {
	.name = "recover",
	.summary = "make the extents of files huge again",
	.usage = recover_usage,
	.run = recover_run,
};
