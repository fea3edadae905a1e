/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The threads that work in the background of a daemon, with their system calls
 * failing: the scan, its looks, the workers, and the thread of the control
 * socket. A client maps a file by small pages, partly swapped out, and asks for
 * nothing; what a call that fails keeps from being done is done a little later,
 * and all else goes on.
 *
 *	faults-background KEEPER DIRECTORY STRIDE MOST
 *
 * What the threads call is learnt first: thread, call and what it is about make
 * a name. Of those names each STRIDEth fails, the first time that it is called in
 * a round, and then later ones up to the MOSTth. The scan's seconds are made
 * milliseconds, as it waits for them in a call, too.
 */
#include <errno.h>
#include <linux/futex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "daemon.h"
#include "faults-mapper.h"
#include "takeover.h"
#include "traced.h"

#ifndef SYS_cachestat
#define SYS_cachestat 451
#endif
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

#define NAME_BYTES 128
#define MAX_NAMES  256
#define TICK_NS	   5000000
#define LEARN	   2

/* The errno of a call that takes effect all the same. */
#define CARRIED_OUT 0x10000

/* What a call is about. */
enum about { NOTHING, A_PATH, A_FILE, THE_COMMAND, ADVICE_2, ADVICE_3 };

static const struct call {
	long number;
	const char *name;
	enum about about;
	int errors[3]; /* one after the other; none: it does not fail */
} calls[] = {
	{ SYS_openat, "openat", A_PATH, { EMFILE, ENOMEM, ENFILE } },
	{ SYS_read, "read", A_FILE, { EIO, EINTR } },
	{ SYS_pread64, "pread64", A_FILE, { EIO, EINTR } },
	{ SYS_write, "write", A_FILE, { ENOMEM, EINTR } },
	{ SYS_close, "close", A_FILE, { EIO | CARRIED_OUT } },
	{ SYS_getdents64, "getdents64", A_FILE, { ENOMEM } },
	{ SYS_lseek, "lseek", A_FILE, { EIO } },
	{ SYS_fstat, "fstat", A_FILE, { ENOMEM } },
	{ SYS_newfstatat, "newfstatat", A_PATH, { ENOMEM, EACCES } },
	{ SYS_statx, "statx", NOTHING, { ENOMEM } },
	{ SYS_fstatfs, "fstatfs", NOTHING, { ENOMEM } },
	{ SYS_fgetxattr, "fgetxattr", NOTHING, { ENOMEM } },
	{ SYS_fcntl, "fcntl", A_FILE, { EMFILE } },
	{ SYS_open_by_handle_at, "open_by_handle_at", NOTHING,
	  { EMFILE, ENOMEM, ENFILE } },
	{ SYS_ioctl, "ioctl", THE_COMMAND, { EINTR, ENOMEM, EFAULT } },
	{ SYS_cachestat, "cachestat", NOTHING, { EFAULT } },
	{ SYS_move_pages, "move_pages", NOTHING, { ENOMEM, EINTR } },
	{ SYS_madvise, "madvise", ADVICE_2, { EAGAIN, EBUSY, EINTR } },
	{ SYS_process_madvise, "process_madvise", ADVICE_3,
	  { EAGAIN, ENOMEM, ESRCH } },
	{ SYS_mmap, "mmap", NOTHING, { ENOMEM } },
	{ SYS_pidfd_open, "pidfd_open", NOTHING, { EMFILE, ESRCH } },
	{ SYS_io_uring_setup, "io_uring_setup", NOTHING, { ENOMEM } },
	{ SYS_io_uring_enter, "io_uring_enter", NOTHING,
	  { EAGAIN, EINTR, EBUSY } },
	{ SYS_io_uring_register, "io_uring_register", NOTHING, { ENOMEM } },
	{ SYS_clone3, "clone3", NOTHING, { EAGAIN } },
	{ SYS_clone, "clone", NOTHING, { EAGAIN } },
	{ SYS_accept4, "accept4", NOTHING, { EMFILE, ECONNABORTED } },
	{ SYS_sendto, "sendto", NOTHING, { ENOMEM, EPIPE } },
	{ SYS_sendmsg, "sendmsg", NOTHING, { ENOMEM, EPIPE } },
	{ SYS_recvfrom, "recvfrom", NOTHING, { ENOMEM, ECONNRESET } },
	{ SYS_recvmsg, "recvmsg", NOTHING, { ENOMEM, ECONNRESET } },
#ifdef SYS_poll
	{ SYS_poll, "poll", NOTHING, { EINTR, ENOMEM } },
#endif
	{ SYS_ppoll, "ppoll", NOTHING, { EINTR, ENOMEM } },
};

/* What a thread called, about what. */
struct name {
	char text[NAME_BYTES];
	const struct call *call;
	bool of_control;
	unsigned nr;   /* in this round */
	unsigned most; /* in any that was learnt from */
};

static struct {
	pid_t daemon, client;
	struct name names[MAX_NAMES];
	unsigned nr_names;
	struct name *failing; /* NULL: none does */
	unsigned nth;	      /* of its calls that fails */
	bool has_failed;
} me;

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	exit(1);
}

/* ---- names ---- */

/* Numbers do not count, but for the process that maps the file. */
static void add_words(char *name, const char *words)
{
	size_t used = strlen(name);
	char *end;

	while (*words && used < NAME_BYTES - 8) {
		if (*words < '0' || *words > '9') {
			name[used++] = *words++;
			continue;
		}
		used += (size_t) sprintf(name + used, "%s",
					 strtol(words, &end, 10) == me.client
						 ? "MAPPER" : "N");
		words = end;
	}
	name[used] = '\0';
}

static void add_path(char *name, uint64_t address)
{
	char path[64] = "";
	struct iovec here = { path, sizeof(path) - 1 };
	struct iovec there = { (void *) (uintptr_t) address,
			       sizeof(path) - 1 };

	/* less of it where the page ends */
	if (process_vm_readv(me.daemon, &here, 1, &there, 1, 0) < 0) {
		there.iov_len = 4096 - (address & 4095);
		if (there.iov_len < sizeof(path))
			process_vm_readv(me.daemon, &here, 1, &there, 1, 0);
	}
	add_words(name, path);
}

static void add_file(char *name, uint64_t fd)
{
	char path[64], link[96];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int) me.daemon,
		 (int) fd);
	n = readlink(path, link, sizeof(link) - 1);
	link[n > 0 ? n : 0] = '\0';
	add_words(name, link);
}

static void add_about(char *name, enum about about, const uint64_t *args)
{
	size_t used = strlen(name);

	switch (about) {
	case NOTHING:
		break;
	case A_PATH:
		add_path(name, args[1]);
		break;
	case A_FILE:
		add_file(name, args[0]);
		break;
	case THE_COMMAND:
		snprintf(name + used, NAME_BYTES - used, "%#x",
			 (unsigned) args[1]);
		break;
	case ADVICE_2:
	case ADVICE_3:
		snprintf(name + used, NAME_BYTES - used, "%d",
			 (int) args[about == ADVICE_2 ? 2 : 3]);
		break;
	}
}

/* Whose memory it is, a sanitizer's or an allocator's own, cannot be told. */
static bool can_fail(const struct call *call, const uint64_t *args)
{
	if (call->number == SYS_mmap)
		return (int) args[4] >= 0;
	if (call->number == SYS_madvise)
		return args[2] == MADV_COLLAPSE || args[2] == MADV_WILLNEED ||
		       args[2] == MADV_POPULATE_READ;
	return true;
}

static struct name *name_of(const char *thread,
			    const struct __ptrace_syscall_info *info)
{
	const struct call *call = calls;
	char text[NAME_BYTES];

	while (call < calls + sizeof(calls) / sizeof(*calls) &&
	       (uint64_t) call->number != info->entry.nr)
		call++;
	if (call == calls + sizeof(calls) / sizeof(*calls) ||
	    !can_fail(call, info->entry.args))
		return NULL;
	snprintf(text, sizeof(text), "%s: %s ", thread, call->name);
	add_about(text, call->about, info->entry.args);
	for (unsigned i = 0; i < me.nr_names; i++)
		if (!strcmp(me.names[i].text, text))
			return &me.names[i];
	if (me.nr_names == MAX_NAMES)
		return NULL;
	me.names[me.nr_names] = (struct name){
		.call = call,
		.of_control = !strcmp(thread, "control"),
	};
	strcpy(me.names[me.nr_names].text, text);
	return &me.names[me.nr_names++];
}

/* ---- stops ---- */

/* NULL for a thread that has nothing to do with the background. */
static const char *thread_name(pid_t tid)
{
	static const char *const of_background[] = {
		"control", "recovery", "recovery-look", "recovery-scan",
	};
	char path[64], line[32] = "";
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/comm", (int) me.daemon,
		 (int) tid);
	file = fopen(path, "re");
	if (!file)
		return NULL;
	if (fgets(line, sizeof(line), file))
		line[strcspn(line, "\n")] = '\0';
	fclose(file);
	for (size_t i = 0; i < sizeof(of_background) / sizeof(char *); i++)
		if (!strcmp(line, of_background[i]))
			return of_background[i];
	return NULL;
}

/* The end of a wait comes soon: time passes faster for the scan. */
static void hurry(const uint64_t *args)
{
	struct timespec until;
	struct iovec here = { &until, sizeof(until) };
	struct iovec there = { (void *) (uintptr_t) args[3], sizeof(until) };

	if ((args[1] & FUTEX_CMD_MASK) != FUTEX_WAIT_BITSET || !args[3])
		return;
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += TICK_NS;
	if (until.tv_nsec >= 1000000000) {
		until.tv_nsec -= 1000000000;
		until.tv_sec++;
	}
	if (process_vm_writev(me.daemon, &here, 1, &there, 1, 0) < 0)
		die("process_vm_writev");
}

static void count(struct traced_thread *thread, struct name *name)
{
	unsigned nr_errors = 1, error;

	if (++name->nr != me.nth || name != me.failing || me.has_failed)
		return;
	while (nr_errors < 3 && name->call->errors[nr_errors])
		nr_errors++;
	error = (unsigned) name->call->errors[(me.nth - 1) % nr_errors];
	traced_fail(thread, (int) (error & ~(unsigned) CARRIED_OUT),
		    error & CARRIED_OUT);
	me.has_failed = true;
}

static void look_at(pid_t tid)
{
	struct traced_thread *thread = traced_thread_of(tid);
	struct __ptrace_syscall_info info;
	const char *text;
	struct name *name;

	traced_is_step(thread, &info);
	if (info.op != PTRACE_SYSCALL_INFO_ENTRY)
		return;
	text = thread_name(tid);
	if (!text)
		return;
	if (info.entry.nr == SYS_futex && !strcmp(text, "recovery-scan"))
		hurry(info.entry.args);
	name = name_of(text, &info);
	if (name)
		count(thread, name);
}

/* ---- rounds ---- */

/* Until the client has ended; its wait status. */
static int serve(void)
{
	int status;
	pid_t tid;

	for (;;) {
		tid = waitpid(-1, &status, __WALL);
		if (tid < 0)
			die("waitpid");
		if (tid == me.client)
			return status;
		if (tid == me.daemon && !WIFSTOPPED(status)) {
			fprintf(stderr, "the daemon has ended\n");
			exit(1);
		}
		if (!WIFSTOPPED(status)) {
			traced_forget_thread(tid);
			continue;
		}
		if (WSTOPSIG(status) == (SIGTRAP | 0x80))
			look_at(tid);
		traced_go_on(tid, status);
	}
}

/* Whether there was such a call, which failed. */
static bool run(struct name *failing, unsigned nth)
{
	bool may_fail = failing && failing->of_control;
	int status;

	me.failing = failing;
	me.nth = nth;
	me.has_failed = false;
	for (unsigned i = 0; i < me.nr_names; i++)
		me.names[i].nr = 0;
	me.client = fork();
	if (me.client < 0)
		die("fork");
	if (!me.client)
		_exit(faults_mapper(may_fail));
	status = serve();
	if (!status)
		return me.has_failed;
	fprintf(stderr, "wrong, with call %u of \"%s\" %s\n", nth,
		failing ? failing->text : "nothing",
		me.has_failed ? "failing" : "to fail");
	exit(1);
}

static void learn(void)
{
	for (int i = 0; i < LEARN; i++) {
		run(NULL, 0);
		for (unsigned j = 0; j < me.nr_names; j++)
			if (me.names[j].nr > me.names[j].most)
				me.names[j].most = me.names[j].nr;
	}
}

/* How many of the calls of this name have failed. */
static unsigned fail_each(struct name *name, unsigned most)
{
	unsigned failed = 0;

	if (most > name->most)
		most = name->most;
	for (unsigned nth = 1; nth <= most; nth += 1 + nth / 4)
		failed += run(name, nth);
	printf("%s: %u failed\n", name->text, failed);
	fflush(stdout);
	return failed;
}

/* Ends with the process: only then the daemon goes on without it. */
static _Noreturn void run_all(unsigned stride, unsigned most)
{
	unsigned total = 0, failed = 0, learnt;

	traced_begin(me.daemon);
	learn();
	learnt = me.nr_names;
	for (unsigned i = 0; i < learnt; i += stride, total++)
		failed += fail_each(&me.names[i], most) > 0;
	run(NULL, 0);
	printf("%u of %u names have failed, of %u\n", failed, total, learnt);
	/* what is called depends on when, but most is called always */
	exit(failed * 2 < total);
}

int main(int argc, char **argv)
{
	pid_t keeper, tracer;
	int status;

	if (argc != 5 || atoi(argv[3]) < 1 || atoi(argv[4]) < 1)
		return 2;
#ifndef __x86_64__
	fprintf(stderr, "only where registers are those of x86-64\n");
	return 77;
#endif
	keeper = atoi(argv[1]);
	if (chdir(argv[2]))
		die(argv[2]);
	me.daemon = daemon_of(keeper);
	tracer = fork();
	if (!tracer)
		run_all((unsigned) atoi(argv[3]), (unsigned) atoi(argv[4]));
	if (waitpid(tracer, &status, 0) != tracer || status)
		return 1;
	if (daemon_of(keeper) != me.daemon) {
		fprintf(stderr, "the daemon has ended meanwhile\n");
		return 1;
	}
	return chdir("/") || !takeover_tables_are_empty(keeper);
}
