/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The receive loop: a pool of threads that take requests from the one
 * /dev/fuse fd.
 *
 * There is always one thread more than there are requests being worked on, up
 * to a limit, so a request that takes long (a large fallocate) keeps no other
 * one waiting. The fd is never cloned: requests read through a clone would be
 * lost with this process (FACTS K1).
 */
#include <errno.h>
#include <linux/fuse.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "fuse/ops.h"
#include "namespace/creds.h"

#define MAX_THREADS 64
#define STACK_BYTES (256 * 1024)

struct loop {
	struct server *server;
	_Atomic uint64_t *counters; /* requests by opcode */
	atomic_int nr_idle;
	atomic_bool stopping; /* no thread is started any more */
	pthread_mutex_t mutex; /* the fields below */
	pthread_t threads[MAX_THREADS];
	unsigned nr_threads;
};

static void *serve(void *arg);

/* Starts one more thread. Failing is no harm while others run. */
static int start_thread(struct loop *loop)
{
	pthread_attr_t attr;
	int ret = 0;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	pthread_mutex_lock(&loop->mutex);
	if (loop->nr_threads < MAX_THREADS && !atomic_load(&loop->stopping)) {
		atomic_fetch_add(&loop->nr_idle, 1);
		ret = -pthread_create(&loop->threads[loop->nr_threads], &attr,
				      serve, loop);
		if (ret)
			atomic_fetch_sub(&loop->nr_idle, 1);
		else
			loop->nr_threads++;
	}
	pthread_mutex_unlock(&loop->mutex);
	pthread_attr_destroy(&attr);
	return ret;
}

static void count(struct loop *loop, const struct fuse_buf *buf)
{
	struct fuse_in_header header;

	memcpy(&header, buf->mem, sizeof(header));
	if (header.opcode < TABLE_NR_REQUESTS)
		atomic_fetch_add_explicit(&loop->counters[header.opcode], 1,
					  memory_order_relaxed);
}

/* Takes one request and answers it. False when there will be no more. */
static bool serve_one(struct loop *loop, struct fuse_buf *buf)
{
	struct fuse_session *session = loop->server->session;
	int ret = fuse_session_receive_buf(session, buf);

	if (ret == -EINTR || ret == -EAGAIN)
		return true;
	if (ret <= 0)
		return false;
	if (atomic_fetch_sub(&loop->nr_idle, 1) == 1)
		start_thread(loop);
	count(loop, buf);
	fuse_session_process_buf(session, buf);
	atomic_fetch_add(&loop->nr_idle, 1);
	return !fuse_session_exited(session);
}

static void *serve(void *arg)
{
	struct loop *loop = arg;
	struct fuse_buf buf = { 0 };
	int ret = creds_thread_init();

	if (ret) {
		log_error("cannot set up the credentials of a thread: %s",
			  strerror(-ret));
		fuse_session_exit(loop->server->session);
		loop->server->error = ret;
	}
	while (!ret && serve_one(loop, &buf))
		;
	free(buf.mem);
	return NULL;
}

/*
 * Answers the kernel's first request, in the calling thread: from there on it
 * is known whether this kernel will do.
 */
static int answer_init(struct loop *loop)
{
	struct server *server = loop->server;
	struct fuse_buf buf = { 0 };
	int ret;

	do {
		ret = fuse_session_receive_buf(server->session, &buf);
	} while (ret == -EINTR || ret == -EAGAIN);
	if (ret > 0) {
		count(loop, &buf);
		fuse_session_process_buf(server->session, &buf);
		ret = server->error;
	} else if (!ret) {
		ret = -ENODEV; /* unmounted before it began */
	}
	free(buf.mem);
	return ret;
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
		pthread_join(loop->threads[i], NULL);
	}
}

int loop_run(struct server *server)
{
	struct loop loop = {
		.server = server,
		.counters = table_counters(server->config.table) +
			    TABLE_COUNTERS_REQUESTS,
		.mutex = PTHREAD_MUTEX_INITIALIZER,
	};
	int ret = answer_init(&loop);

	if (ret)
		return ret;
	if (server->config.passthrough) {
		ret = passthrough_probe(server);
		if (ret) {
			log_error("the kernel does not pass file I/O through: %s",
				  strerror(-ret));
			return -EOPNOTSUPP;
		}
	}
	ret = start_thread(&loop);
	if (ret)
		return ret;
	if (server->config.ready)
		server->config.ready(server->config.ready_arg);
	join_threads(&loop);
	pthread_mutex_destroy(&loop.mutex);
	return server->error;
}
