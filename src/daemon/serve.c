/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The daemon: opens what the keeper handed to it, puts the parts together and
 * serves. Wiring only.
 *
 * Who owns which words of the table's counters: from 0 on the recovery engine,
 * from TABLE_COUNTERS_REQUESTS on the server of FUSE requests, and from
 * TABLE_COUNTERS_LATENCIES on the engine's histograms.
 */
#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "backing/backing.h"
#include "base/log.h"
#include "control/server.h"
#include "daemon/commands.h"
#include "daemon/live.h"
#include "daemon/options.h"
#include "daemon/remains.h"
#include "fuse/server.h"
#include "keeper/child.h"
#include "keeper/process.h"
#include "keeper/report.h"
#include "mm/mm.h"
#include "namespace/inode.h"
#include "namespace/requests.h"
#include "namespace/table.h"
#include "recovery/counters.h"
#include "recovery/latency.h"
#include "recovery/recovery.h"
#include "sandbox/capabilities.h"
#include "sandbox/sandbox.h"

static_assert(RECOVERY_NR_COUNTERS <= TABLE_COUNTERS_REQUESTS &&
		      TABLE_COUNTERS_REQUESTS + TABLE_NR_REQUESTS <=
			      TABLE_COUNTERS_LATENCIES,
	      "counters overlap");
static_assert(sizeof(struct recovery_latencies) <=
		      (TABLE_NR_COUNTERS - TABLE_COUNTERS_LATENCIES) *
			      sizeof(uint64_t),
	      "histograms do not fit");

/* How long requests are waited for that are being worked on, in milliseconds. */
#define FINISH_MS 5000

/* Of the counters of requests, by opcode. */
static const char *const request_names[] = {
#define X(opcode, name) [opcode] = "fuse_" name,
	NAMESPACE_REQUESTS(X)
#undef X
};

struct serve {
	char *mountpoint;
	char *text;		/* of the options it was started with */
	char *survival;		/* CHILD_SURVIVES_*: of the files */
	bool detach;		/* from the terminal, once it serves */
	bool takes_over;	/* from a daemon before */
	dev_t dev;		/* of the mount */
	struct options options;	/* the same, understood */
	struct live *live;	/* the options that hold now */
	char *capabilities;	/* names of those that are left */
	struct table *table;
	struct inodes *inodes;
	struct mm *mm;
	struct recovery *recovery;
	struct control *control;
	pid_t keeper_pid;
	struct server_pause pause;
	atomic_flag is_ending;	/* one thread alone closes the parts */
};

/* Set once all is open: where messages go changes then. */
static atomic_bool is_ready;

/* Until then, the keeper hears of errors, too: somebody may wait there. */
static void sink_to_keeper(enum log_level level, const char *format, va_list ap)
{
	char *text;

	if (level != LOG_LEVEL_ERROR || atomic_load(&is_ready) ||
	    vasprintf(&text, format, ap) < 0)
		return;
	report_send(CHILD_REPORT_FD, REPORT_ERROR, text);
	free(text);
}

static void sink_stderr(enum log_level level, const char *format, va_list ap)
{
	va_list copy;

	va_copy(copy, ap);
	sink_to_keeper(level, format, copy);
	va_end(copy);
	log_sink_stderr(level, format, ap);
}

static void sink_syslog(enum log_level level, const char *format, va_list ap)
{
	va_list copy;

	va_copy(copy, ap);
	sink_to_keeper(level, format, copy);
	va_end(copy);
	log_sink_syslog(level, format, ap);
}

static void sink_both(enum log_level level, const char *format, va_list ap)
{
	if (atomic_load(&is_ready))
		sink_syslog(level, format, ap);
	else
		sink_stderr(level, format, ap);
}

static void set_sink(const char *log)
{
	if (!strcmp(log, CHILD_LOG_STDERR))
		log_set_sink(sink_stderr);
	else if (!strcmp(log, CHILD_LOG_SYSLOG))
		log_set_sink(sink_syslog);
	else
		log_set_sink(sink_both);
}

/* The end is the caller's: another thread that comes here waits for it. */
static void take_the_end(struct serve *serve)
{
	while (atomic_flag_test_and_set(&serve->is_ending))
		pause();
}

/*
 * Another daemon is to take over: what is being worked on is finished, for some
 * seconds at most, and this process ends. Recoveries that callers wait for are
 * not answered: the kernel asks the next daemon again.
 */
static _Noreturn void make_way(struct serve *serve)
{
	const struct timespec ms = { .tv_nsec = 1000000 };

	take_the_end(serve);
	control_stop(serve->control);
	atomic_store(&serve->pause.asked, true);
	for (int i = 0; i < FINISH_MS; i++) {
		if (!atomic_load(&serve->pause.nr_busy))
			break;
		nanosleep(&ms, NULL);
	}
	_exit(EXIT_DONE);
}

/* Waits until the keeper says that it is time; never, when it says no more. */
static void wait_for_stop(void)
{
	struct pollfd pollfd = { .fd = CHILD_REPORT_FD, .events = POLLIN };
	int passed_fd, kind;
	char *text;

	do {
		poll(&pollfd, 1, -1);
		kind = report_receive(CHILD_REPORT_FD, &text, &passed_fd);
		free(text);
		if (passed_fd >= 0)
			close(passed_fd);
		while (kind == -EPIPE)
			pause();
	} while (kind != REPORT_STOP);
}

/*
 * Dies with the keeper, even when stopped or stuck: the connection is aborted
 * then and nothing waits for it. The kernel forgets that wish of a thread that
 * changes its credentials, as those do that serve requests; so one thread has
 * it, and listens to the keeper.
 */
static void *watch(void *arg)
{
	struct serve *serve = arg;

	prctl(PR_SET_NAME, "keeper-watch", 0, 0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	if (getppid() != serve->keeper_pid)
		kill(getpid(), SIGKILL);
	wait_for_stop();
	make_way(serve);
}

static int watch_keeper(struct serve *serve)
{
	pthread_attr_t attr;
	pthread_t thread;
	int ret;

	serve->keeper_pid = getppid();
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	ret = -pthread_create(&thread, &attr, watch, serve);
	pthread_attr_destroy(&attr);
	return ret;
}

/* What the keeper gave as arguments; they are overwritten by the title. */
static int read_arguments(struct serve *serve, char **argv)
{
	const char *log = argv[CHILD_ARG_LOG];
	unsigned major, minor;

	set_sink(log);
	serve->detach = !strcmp(log, CHILD_LOG_BOTH);
	if (sscanf(argv[CHILD_ARG_DEV], "%u:%u", &major, &minor) != 2)
		return -EINVAL;
	serve->dev = makedev(major, minor);
	serve->mountpoint = strdup(argv[CHILD_ARG_MOUNTPOINT]);
	serve->text = strdup(argv[CHILD_ARG_OPTIONS]);
	serve->survival = strdup(argv[CHILD_ARG_SURVIVAL]);
	if (!serve->mountpoint || !serve->text || !serve->survival)
		return -ENOMEM;
	options_init(&serve->options);
	return options_parse_list(&serve->options, serve->text);
}

/* Logs what could not be opened. */
static int opened(int ret, const char *what)
{
	if (ret)
		log_error("cannot open %s: %s", what, strerror(-ret));
	return ret;
}

static int open_ino(void *arg, uint64_t ino, int flags)
{
	struct serve *serve = arg;

	return inode_open_ino(serve->inodes, ino, flags);
}

static int next_ino(void *arg, uint64_t *cursor, uint64_t *ino)
{
	struct serve *serve = arg;

	return inodes_next_file(serve->inodes, cursor, ino);
}

static struct recovery_latencies *latencies(const struct serve *serve)
{
	return (void *) (table_counters(serve->table) +
			 TABLE_COUNTERS_LATENCIES);
}

static int open_recovery(struct serve *serve)
{
	struct recovery_config config = {
		.settings = serve->options.settings,
		.dev = serve->dev,
		.latencies = latencies(serve),
		.open_ino = open_ino,
		.next_ino = next_ino,
		.files_arg = serve,
		/* files that were there before may have brought it along */
		.own_policies = !backing_is_empty(CHILD_ROOT_FD),
	};

	return recovery_create(&serve->recovery, &config,
			       mm_real_ops(serve->mm),
			       (void *) table_counters(serve->table));
}

static int open_control(struct serve *serve)
{
	const struct control_counters counters[] = {
		{ .names = recovery_counter_names,
		  .meanings = recovery_counter_meanings,
		  .nr = RECOVERY_NR_COUNTERS },
		{ .names = request_names,
		  .nr = sizeof(request_names) / sizeof(*request_names),
		  .first = TABLE_COUNTERS_REQUESTS },
	};
	struct control_config config = {
		.listen_fd = CHILD_LISTEN_FD,
		.root_fd = CHILD_ROOT_FD,
		.mountpoint = serve->mountpoint,
		.version = PACKAGE_VERSION,
		.keeper_pid = getppid(),
		.passthrough = serve->options.passthrough,
		.survival = serve->survival,
		.seccomp = sandbox_filter_state(),
		.capabilities = serve->capabilities,
		.recovery = serve->recovery,
		.table = serve->table,
		.counters = counters,
		.nr_counters = sizeof(counters) / sizeof(*counters),
		.latencies = latencies(serve),
		.interfaces = mm_interfaces(serve->mm),
		.nr_interfaces = MM_NR_INTERFACES,
		.options = live_options,
		.remount = live_remount,
		.set = live_set,
		.hand_over = live_hand_over,
		.options_arg = serve->live,
	};

	return control_start(&serve->control, &config);
}

static int open_parts(struct serve *serve)
{
	int ret;

	ret = opened(watch_keeper(serve), "a thread");
	if (!ret)
		ret = trial_of_table(CHILD_TABLE_FD);
	if (!ret)
		ret = opened(table_open(&serve->table, CHILD_TABLE_FD),
			     "the tables");
	if (!ret)
		ret = opened(table_lock(serve->table), "the tables alone");
	if (!ret)
		ret = opened(inodes_open(&serve->inodes, serve->table,
					 CHILD_ROOT_FD), "the inodes");
	if (!ret)
		ret = opened(mm_open(&serve->mm, 0), "the memory interfaces");
	if (!ret)
		ret = opened(open_recovery(serve), "the recovery engine");
	if (!ret)
		ret = opened(live_open(&serve->live, serve->text, CHILD_ROOT_FD,
				       CHILD_REPORT_FD, serve->recovery),
			     "the options");
	return ret;
}

/* What no file operation waits for, unless it asks for memory. */
static int open_rest(struct serve *serve)
{
	int ret = opened(mm_probe(serve->mm), "the memory interfaces");
	pid_t second;
	int error = remains_begin(&second);

	if (error)
		log_warning("the daemon after this one will answer later by "
			    "some milliseconds: %s", strerror(-error));
	mm_set_second(serve->mm, second);
	/* the probes' child has had all as well: pages were made anew since */
	sandbox_lock_daemon();
	inodes_lock_memory(serve->inodes);
	if (!ret)
		ret = opened(recovery_start(serve->recovery),
			     "the recovery engine");
	if (!ret)
		ret = opened(open_control(serve), "the control socket");
	return ret;
}

static void on_serving(void *arg)
{
	struct serve *serve = arg;

	/* others are at work: none of the parts can be closed */
	if (serve->takes_over && open_rest(serve))
		_exit(EXIT_SYSTEM);
	atomic_store(&is_ready, true);
	if (serve->detach)
		process_detach_terminal();
	report_send(CHILD_REPORT_FD, REPORT_READY, PACKAGE_VERSION);
}

/*
 * Threads that are stuck in another process use the parts when they are let go:
 * then they stay as they are until the process ends, which is at once.
 */
static void close_parts(struct serve *serve, int exit_code)
{
	unsigned stuck;

	remains_end();
	control_stop(serve->control);
	stuck = recovery_destroy(serve->recovery);
	if (stuck) {
		log_warning("%u threads of %s ended while they waited for a "
			    "process whose address space is locked", stuck,
			    serve->mountpoint);
		_exit(exit_code);
	}
	if (serve->mm)
		mm_close(serve->mm);
	if (serve->inodes)
		inodes_close(serve->inodes);
	if (serve->table)
		table_close(serve->table);
	live_close(serve->live);
	options_free(&serve->options);
	free(serve->capabilities);
	free(serve->text);
	free(serve->survival);
	free(serve->mountpoint);
}

/*
 * After the death of a daemon all wait for this one: the rest follows when it
 * answers. At a mount nobody does, and it is as good as there when it answers.
 */
static int open_all(struct serve *serve)
{
	int ret = open_parts(serve);

	if (ret)
		return ret;
	serve->takes_over = table_has_init(serve->table);
	return serve->takes_over ? 0 : open_rest(serve);
}

static int serve_until_unmounted(struct serve *serve)
{
	struct server_config config = {
		.fuse_fd = CHILD_FUSE_FD,
		.root_fd = CHILD_ROOT_FD,
		.table = serve->table,
		.inodes = serve->inodes,
		.recovery = serve->recovery,
		.mm = serve->mm,
		.passthrough = serve->options.passthrough,
		.pause = &serve->pause,
		.serving = on_serving,
		.serving_arg = serve,
	};

	return server_run(&config);
}

static void log_end(const struct serve *serve, int ret)
{
	if (ret == -EOPNOTSUPP && serve->options.passthrough)
		log_error("FUSE passthrough needs Linux 6.9 or later with "
			  "CONFIG_FUSE_PASSTHROUGH; -o passthrough=off does "
			  "without, and without huge pages in mappings");
	else if (ret)
		log_error("the server of %s ended: %s", serve->mountpoint,
			  strerror(-ret));
}

int serve_command(char **argv)
{
	struct serve serve = { .is_ending = ATOMIC_FLAG_INIT };
	int ret, exit_code;

	umask(0);
	ret = opened(read_arguments(&serve, argv), "what the keeper gave");
	if (!ret) {
		process_set_title("hugetmpfs", "daemon", serve.mountpoint);
		sandbox_enter_daemon(serve.options.debug);
		serve.capabilities =
			capabilities_text(capabilities_effective());
		ret = open_all(&serve);
	}
	if (!ret) {
		ret = serve_until_unmounted(&serve);
		log_end(&serve, ret);
	}
	take_the_end(&serve);
	exit_code = ret ? EXIT_SYSTEM : EXIT_DONE;
	close_parts(&serve, exit_code);
	return exit_code;
}
