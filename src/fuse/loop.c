/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The receive loop: a pool of threads that take requests from the one
 * /dev/fuse fd.
 *
 * There is always one thread more than there are requests being worked on, up
 * to a limit, so a request that takes long (a large fallocate) keeps no other
 * one waiting. The fd is never cloned: requests read through a clone would be
 * lost with this process (FACTS K1).
 *
 * Each thread receives into its slot of the journal, where the next process
 * finds what this one was working on when it died.
 */
#include <errno.h>
#include <linux/fuse.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memlock.h"
#include "fuse/ops.h"
#include "namespace/creds.h"

#define MAX_THREADS JOURNAL_NR_SLOTS
#define STACK_BYTES (256 * 1024)
#define MEMORY_US   1000 /* until it is asked for again */

struct worker {
	struct loop *loop;
	struct journal_slot *slot;
	pthread_t thread;
};

struct loop {
	struct server *server;
	atomic_int nr_idle;
	pthread_mutex_t mutex; /* the fields below */
	struct worker workers[MAX_THREADS];
	unsigned nr_threads;
};

static void *serve(void *arg);

/* Starts one more thread. Failing is no harm while others run. */
static int start_thread(struct loop *loop)
{
	struct worker *worker;
	pthread_attr_t attr;
	int ret = 0;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	pthread_mutex_lock(&loop->mutex);
	if (loop->nr_threads < MAX_THREADS) {
		atomic_fetch_add(&loop->nr_idle, 1);
		worker = &loop->workers[loop->nr_threads];
		worker->loop = loop;
		worker->slot = table_journal(loop->server->config.table) +
			       loop->nr_threads;
		ret = -pthread_create(&worker->thread, &attr, serve, worker);
		if (ret)
			atomic_fetch_sub(&loop->nr_idle, 1);
		else
			loop->nr_threads++;
	}
	pthread_mutex_unlock(&loop->mutex);
	pthread_attr_destroy(&attr);
	return ret;
}

static void count(struct server *server, const void *request)
{
	_Atomic uint64_t *counters = table_counters(server->config.table) +
				     TABLE_COUNTERS_REQUESTS;
	struct fuse_in_header header;

	memcpy(&header, request, sizeof(header));
	if (header.opcode < TABLE_NR_REQUESTS)
		atomic_fetch_add_explicit(&counters[header.opcode], 1,
					  memory_order_relaxed);
}

/* Whether the request of this thread has come to its handler. */
static __thread bool is_reached;

void loop_reached(void)
{
	is_reached = true;
}

bool loop_process(struct server *server, void *request, size_t bytes)
{
	struct fuse_buf buf = { .mem = request, .size = bytes };

	is_reached = false;
	fuse_session_process_buf(server->session, &buf);
	return is_reached;
}

/* Requests that the kernel takes no error for and does not ask again. */
static bool cannot_be_refused(uint32_t opcode)
{
	switch (opcode) {
	case FUSE_FORGET:
	case FUSE_BATCH_FORGET:
	case FUSE_RELEASE:
	case FUSE_RELEASEDIR:
		return true;
	default:
		return false;
	}
}

void loop_handle(struct server *server, struct journal_slot *slot)
{
	struct fuse_in_header header;

	memcpy(&header, slot->request, sizeof(header));
	while (!loop_process(server, slot->request, header.len) &&
	       cannot_be_refused(header.opcode) &&
	       !fuse_session_exited(server->session))
		usleep(MEMORY_US);
}

/*
 * Waits for a request. Returns its length, 0 when there was none after all, or
 * -ENODEV when there will be no more, or another negative errno.
 */
static ssize_t receive(struct server *server, void *request, size_t room)
{
	ssize_t n = read(server->config.fuse_fd, request, room);

	if (n >= (ssize_t) sizeof(struct fuse_in_header))
		return n;
	if (n >= 0)
		return -EIO;
	/* ENOENT: it was interrupted before it was received */
	if (errno == EINTR || errno == EAGAIN || errno == ENOENT)
		return 0;
	return -errno;
}

/*
 * False when what was received is for the next process. Busy first, then the
 * look: who asked for the pause and sees nobody busy knows that nobody will be.
 */
static bool begin_request(struct server_pause *pause)
{
	atomic_fetch_add(&pause->nr_busy, 1);
	if (!atomic_load(&pause->asked))
		return true;
	atomic_fetch_sub(&pause->nr_busy, 1);
	return false;
}

/* The request stays in the slot, as if this process had died just now. */
static _Noreturn void wait_for_the_end(void)
{
	for (;;)
		pause();
}

/* Takes one request and answers it. False when there will be no more. */
static bool serve_one(struct loop *loop, struct journal_slot *slot)
{
	struct server *server = loop->server;
	ssize_t n = receive(server, slot->request, sizeof(slot->request));

	if (n < 0) {
		fuse_session_exit(server->session);
		if (n != -ENODEV)
			server->error = (int) n;
		return false;
	}
	if (!n)
		return true;
	if (!begin_request(server->config.pause))
		wait_for_the_end();
	if (atomic_fetch_sub(&loop->nr_idle, 1) == 1)
		start_thread(loop);
	count(server, slot->request);
	loop_handle(server, slot);
	journal_clear(slot);
	atomic_fetch_sub(&server->config.pause->nr_busy, 1);
	memlock_heap();
	atomic_fetch_add(&loop->nr_idle, 1);
	return !fuse_session_exited(server->session);
}

static void *serve(void *arg)
{
	struct worker *worker = arg;
	struct loop *loop = worker->loop;
	int ret = creds_thread_init();

	if (ret) {
		log_error("cannot set up the credentials of a thread: %s",
			  strerror(-ret));
		fuse_session_exit(loop->server->session);
		loop->server->error = ret;
	}
	memlock_stack();
	journal_prepare(worker->slot);
	journal_use(worker->slot, false);
	while (!ret && serve_one(loop, worker->slot))
		;
	return NULL;
}

/*
 * Answers the kernel's first request, in the calling thread: from there on it
 * is known whether this kernel will do.
 */
static int answer_init(struct server *server)
{
	void *request = malloc(JOURNAL_BYTES);
	ssize_t n;
	int ret;

	if (!request)
		return -ENOMEM;
	do {
		n = receive(server, request, JOURNAL_BYTES);
	} while (!n);
	if (n > 0) {
		count(server, request);
		table_save_init(server->config.table, request, (size_t) n);
		ret = loop_process(server, request, (size_t) n)
			      ? server->error
			      : -ENOMEM;
	} else {
		ret = (int) n; /* -ENODEV: unmounted before it began */
	}
	free(request);
	return ret;
}

/* Makes the session ready to serve. Returns 0 or a negative errno. */
static int begin(struct server *server)
{
	int ret;

	if (table_has_init(server->config.table)) {
		ret = takeover_run(server);
		if (ret)
			log_error("cannot take over from the daemon before: %s",
				  strerror(-ret));
		return ret;
	}
	ret = answer_init(server);
	if (ret || !server->config.passthrough)
		return ret;
	ret = passthrough_probe(server);
	if (ret >= 0)
		return 0;
	log_error("the kernel does not pass file I/O through: %s",
		  strerror(-ret));
	return -EOPNOTSUPP;
}

static void join_threads(struct loop *loop)
{
	unsigned nr;

	/* a thread may still be starting the next one */
	for (unsigned i = 0;; i++) {
		pthread_mutex_lock(&loop->mutex);
		nr = loop->nr_threads;
		pthread_mutex_unlock(&loop->mutex);
		if (i >= nr)
			return;
		pthread_join(loop->workers[i].thread, NULL);
	}
}

int loop_run(struct server *server)
{
	struct loop loop = {
		.server = server,
		.mutex = PTHREAD_MUTEX_INITIALIZER,
	};
	int ret = begin(server);

	if (!ret)
		ret = start_thread(&loop);
	if (ret)
		return ret;
	if (server->config.serving)
		server->config.serving(server->config.serving_arg);
	join_threads(&loop);
	pthread_mutex_destroy(&loop.mutex);
	return server->error;
}
