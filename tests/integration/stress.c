/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Many processes change a few files in every way while recovery runs over the
 * same files, and every byte is compared with a model in shared memory.
 */
#include "stress.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct stress_options stress_options = {
	.workers = 20,
	.files = 6,
	.seconds = 30,
	.file_bytes = 8 << 20,
	.recover = true,
};
struct stress_shared *stress_shared;

/* For the signal handler: who am I, and where are my mappings. */
static struct stress_worker *current_worker;

uint64_t stress_random(struct stress_worker *worker, uint64_t below)
{
	worker->random ^= worker->random << 13;
	worker->random ^= worker->random >> 7;
	worker->random ^= worker->random << 17;
	return below ? (worker->random >> 11) % below : 0;
}

double stress_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

void stress_path(int file, char *path, size_t size)
{
	snprintf(path, size, "%s/stress-%d", stress_options.directory, file);
}

void stress_log(const struct stress_worker *worker, const char *what, int file,
		off_t offset, off_t length)
{
	unsigned next = atomic_fetch_add(&stress_shared->log_next, 1);

	stress_shared->log[next % STRESS_LOG_ENTRIES] =
		(struct stress_log_entry) { what, offset, length, file,
					    worker->id, stress_now() };
}

/* The last that touched these bytes, the latest first. */
static void print_log(int file, off_t offset)
{
	unsigned next = stress_shared->log_next;
	unsigned nr = next < STRESS_LOG_ENTRIES ? next : STRESS_LOG_ENTRIES;
	double now = stress_now();
	int printed = 0;

	for (unsigned i = next - 1; i + nr + 1 != next && printed < 30; i--) {
		struct stress_log_entry *e =
			&stress_shared->log[i % STRESS_LOG_ENTRIES];

		if (e->file != file || e->offset > offset ||
		    e->offset + e->length <= offset)
			continue;
		printed++;
		printf("    %.6f s ago worker %d: %s at %lld, %lld bytes\n",
		       now - e->at, e->worker, e->what, (long long) e->offset,
		       (long long) e->length);
	}
}

void stress_fail(const struct stress_worker *worker, int file, off_t offset,
		 const char *format, ...)
{
	va_list ap;

	if (atomic_fetch_add(&stress_shared->failures, 1) == 0) {
		printf("FAILED: worker %d, file %d, offset %lld (extent %lld, "
		       "size %lld): ", worker->id, file, (long long) offset,
		       (long long) offset >> 21,
		       (long long) stress_shared->files[file].size);
		va_start(ap, format);
		vprintf(format, ap);
		va_end(ap);
		printf("\n");
		print_log(file, offset);
		fflush(stdout);
	}
	stress_shared->stop = true;
}

void stress_view_drop(struct stress_view *view)
{
	if (view->map)
		munmap(view->map, stress_options.file_bytes);
	if (view->fd >= 0)
		close(view->fd);
	view->map = NULL;
	view->fd = -1;
}

/*
 * Every other mapping is aligned to huge pages by hand, others are where the
 * kernel puts them.
 */
static unsigned char *map_file(struct stress_worker *worker, int fd)
{
	size_t huge = 2 << 20, size = stress_options.file_bytes;
	unsigned char *at, *map;

	if (stress_random(worker, 2)) {
		map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
			   0);
		return map == MAP_FAILED ? NULL : map;
	}
	at = mmap(NULL, size + huge, PROT_NONE,
		  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (at == MAP_FAILED)
		return NULL;
	map = (unsigned char *) (((uintptr_t) at + huge - 1) & -huge);
	if (map > at)
		munmap(at, map - at);
	munmap(map + size, at + huge - map);
	map = mmap(map, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
		   fd, 0);
	return map == MAP_FAILED ? NULL : map;
}

struct stress_view *stress_view_get(struct stress_worker *worker, int file)
{
	struct stress_view *view = &worker->views[file];
	unsigned generation = stress_shared->files[file].generation;
	char path[4096];

	if (view->fd >= 0 && view->generation == generation)
		return view;
	stress_view_drop(view);
	stress_path(file, path, sizeof(path));
	view->fd = open(path, O_RDWR | O_CLOEXEC);
	if (view->fd < 0) {
		stress_fail(worker, file, 0, "open: %s", strerror(errno));
		return NULL;
	}
	view->map = map_file(worker, view->fd);
	if (!view->map) {
		stress_fail(worker, file, 0, "mmap: %s", strerror(errno));
		return NULL;
	}
	view->generation = generation;
	return view;
}

bool stress_compare(const struct stress_worker *worker, int file, off_t offset,
		    size_t length, const unsigned char *got, const char *how)
{
	const unsigned char *want = stress_shared->files[file].model + offset;
	size_t wrong = 0, first;

	if (memcmp(got, want, length) == 0)
		return true;
	for (first = 0; first < length && got[first] == want[first]; first++)
		;
	for (size_t i = first; i < length; i++)
		wrong += got[i] != want[i];
	stress_fail(worker, file, offset + first,
		    "%s: %#x instead of %#x, %zu of %zu bytes are wrong", how,
		    got[first], want[first], wrong, length);
	return false;
}

/* Which page an address shows, and the byte there, read once more. */
static void print_byte(const char *what, const unsigned char *at)
{
	uint64_t entry = 0, place = (uintptr_t) at / STRESS_PAGE * 8;
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	int byte = *(const volatile unsigned char *) at;

	if (fd < 0 || pread(fd, &entry, sizeof(entry), place) < 0)
		entry = 0;
	close(fd);
	printf("    %s: %#x, pagemap %#llx\n", what, byte,
	       (unsigned long long) entry);
}

/*
 * Tells lost data from a mapping that shows another page than the file has.
 * What is read last may change what it finds: a page fault clears a page that
 * was never written.
 */
static void print_other_ways(const struct stress_view *view, off_t at)
{
	unsigned char *old = view->map + at, *fresh, byte;

	print_byte("the mapping now", old);
	if (pread(view->fd, &byte, 1, at) == 1)
		printf("    read: %#x\n", byte);
	fresh = mmap(NULL, STRESS_PAGE, PROT_READ, MAP_SHARED, view->fd,
		     at & -STRESS_PAGE);
	if (fresh != MAP_FAILED) {
		print_byte("a fresh mapping", fresh + at % STRESS_PAGE);
		munmap(fresh, STRESS_PAGE);
	}
	print_byte("the mapping after that", old);
	usleep(5000);
	print_byte("5 ms later", old);
	madvise((void *) ((uintptr_t) old & -STRESS_PAGE), STRESS_PAGE,
		MADV_DONTNEED);
	print_byte("mapped anew", old);
}

bool stress_compare_mapped(struct stress_worker *worker, int file,
			   off_t offset, size_t length, const char *how)
{
	const struct stress_view *view = &worker->views[file];
	const unsigned char *want = stress_shared->files[file].model + offset;
	const unsigned char *got = view->map + offset;
	bool first = stress_shared->failures == 0;
	size_t at;

	if (memcmp(got, want, length) == 0)
		return true;
	for (at = 0; at < length && got[at] == want[at]; at++)
		;
	if (at == length)
		stress_fail(worker, file, offset, "%s: wrong for a moment",
			    how);
	else if (stress_compare(worker, file, offset + at, length - at,
				got + at, how))
		stress_fail(worker, file, offset + at,
			    "%s: something else for a moment", how);
	if (first && at < length)
		print_other_ways(view, offset + at);
	return false;
}

bool stress_verify_file(struct stress_worker *worker, int file)
{
	struct stress_file *f = &stress_shared->files[file];
	struct stress_view *view = stress_view_get(worker, file);
	unsigned char buffer[65536];
	struct stat st;

	if (!view)
		return false;
	if (fstat(view->fd, &st) || st.st_size != f->size) {
		stress_fail(worker, file, 0, "fstat says size %lld",
			    (long long) st.st_size);
		return false;
	}
	for (off_t at = 0; at < f->size; at += sizeof(buffer)) {
		size_t part = f->size - at < (off_t) sizeof(buffer) ?
				      (size_t) (f->size - at) : sizeof(buffer);
		ssize_t nr = pread(view->fd, buffer, part, at);

		if (nr != (ssize_t) part) {
			stress_fail(worker, file, at, "pread of %zu gave %zd",
				    part, nr);
			return false;
		}
		if (!stress_compare(worker, file, at, part, buffer, "read all"))
			return false;
	}
	return stress_compare_mapped(worker, file, 0, f->size, "map all");
}

static void on_fault(int signal, siginfo_t *info, void *context)
{
	struct stress_worker *worker = current_worker;

	(void) context;
	for (unsigned i = 0; i < stress_options.files; i++) {
		unsigned char *map = worker->views[i].map;
		unsigned char *at = info->si_addr;

		if (map && at >= map && at < map + stress_options.file_bytes)
			stress_fail(worker, i, at - map, "signal %d", signal);
	}
	stress_fail(worker, 0, 0, "signal %d at %p", signal, info->si_addr);
	_exit(1);
}

static pid_t start(int id, void (*run)(struct stress_worker *worker))
{
	struct sigaction action = { .sa_sigaction = on_fault,
				    .sa_flags = SA_SIGINFO };
	struct stress_worker worker = { .id = id };
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	worker.random = (stress_options.seed + 1) * 0x9e3779b97f4a7c15 + id;
	for (int i = 0; i < STRESS_MAX_FILES; i++)
		worker.views[i].fd = -1;
	current_worker = &worker;
	sigaction(SIGBUS, &action, NULL);
	sigaction(SIGSEGV, &action, NULL);
	run(&worker);
	_exit(0);
}

static void work(struct stress_worker *worker)
{
	while (!stress_shared->stop) {
		stress_operation(worker);
		atomic_fetch_add(&stress_shared->operations, 1);
	}
}

/* Changes one byte behind the model's back, as a lost update would. */
static void spoil(struct stress_worker *worker)
{
	while (!stress_shared->stop) {
		int file = stress_random(worker, stress_options.files);
		struct stress_file *f = &stress_shared->files[file];

		usleep(100000);
		pthread_rwlock_wrlock(&f->lock);
		struct stress_view *view = stress_view_get(worker, file);

		if (view && f->size) {
			view->map[stress_random(worker, f->size)] ^= 0x40;
			atomic_fetch_add(&stress_shared->spoilt, 1);
		}
		pthread_rwlock_unlock(&f->lock);
	}
}

/* The last look, when all is quiet. */
static void verify_all(struct stress_worker *worker)
{
	for (unsigned i = 0; i < stress_options.files; i++)
		stress_verify_file(worker, i);
}

static void *shared_memory(size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED) {
		perror("mmap");
		exit(2);
	}
	return memory;
}

static int make_files(void)
{
	pthread_rwlockattr_t attr;
	char path[4096];

	pthread_rwlockattr_init(&attr);
	pthread_rwlockattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	pthread_rwlockattr_setkind_np(
		&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	for (unsigned i = 0; i < stress_options.files; i++) {
		struct stress_file *f = &stress_shared->files[i];

		pthread_rwlock_init(&f->lock, &attr);
		f->run_pages = 1 << i % 4 * 2;
		f->size = stress_options.file_bytes;
		f->model = shared_memory(f->size);
		stress_path(i, path, sizeof(path));
		int fd = open(path, O_CREAT | O_TRUNC | O_RDWR, 0644);

		if (fd < 0 || ftruncate(fd, f->size)) {
			perror(path);
			return -1;
		}
		close(fd);
	}
	return 0;
}

static void remove_files(void)
{
	char path[4096];

	for (unsigned i = 0; i < stress_options.files; i++) {
		stress_path(i, path, sizeof(path));
		unlink(path);
	}
}

static int parse(int argc, char **argv)
{
	int c;

	stress_options.seed = time(NULL) * 100003 + getpid();
	while ((c = getopt(argc, argv, "cf:n:rs:S:t:")) != -1) {
		switch (c) {
		case 'c': stress_options.corrupt = true; break;
		case 'f': stress_options.files = atoi(optarg); break;
		case 'n': stress_options.workers = atoi(optarg); break;
		case 'r': stress_options.recover = false; break;
		case 's': stress_options.file_bytes = atol(optarg) << 20; break;
		case 'S':
			stress_options.seed = strtoull(optarg, NULL, 0);
			break;
		case 't': stress_options.seconds = atoi(optarg); break;
		default: return -1;
		}
	}
	if (optind != argc - 1 || stress_options.files < 1 ||
	    stress_options.files > STRESS_MAX_FILES ||
	    stress_options.workers < 1 ||
	    stress_options.workers > STRESS_MAX_WORKERS ||
	    stress_options.file_bytes < 2 << 20)
		return -1;
	stress_options.directory = argv[optind];
	return 0;
}

static int usage(void)
{
	fputs("usage: stress [-cr] [-f FILES] [-n WORKERS] [-s MIB] [-S SEED] "
	      "[-t SECONDS] DIRECTORY\n"
	      "  -c  spoil a byte now and then: the run must fail\n"
	      "  -r  no recovery beside\n", stderr);
	return 2;
}

/* Lets them run; a worker that ends before its time has failed. */
static void watch(pid_t *pids, int nr)
{
	double end = stress_now() + stress_options.seconds;
	int status;

	while (!stress_shared->stop && stress_now() < end) {
		usleep(50000);
		for (int i = 0; i < nr; i++) {
			if (waitpid(pids[i], &status, WNOHANG) != pids[i] ||
			    stress_shared->stop)
				continue;
			printf("FAILED: process %d ended, status %#x\n", i,
			       status);
			stress_shared->failures++;
			stress_shared->stop = true;
		}
	}
	stress_shared->stop = true;
	for (int i = 0; i < nr; i++)
		waitpid(pids[i], &status, 0);
}

int main(int argc, char **argv)
{
	pid_t pids[STRESS_MAX_WORKERS + 2];
	int nr = 0, status;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (parse(argc, argv))
		return usage();
	stress_shared = shared_memory(sizeof(*stress_shared));
	printf("seed %llu, %u workers, %u files of %zu MiB, %u seconds\n",
	       (unsigned long long) stress_options.seed, stress_options.workers,
	       stress_options.files, stress_options.file_bytes >> 20,
	       stress_options.seconds);
	if (make_files())
		return 2;
	while (nr < (int) stress_options.workers) {
		pids[nr] = start(nr, work);
		nr++;
	}
	if (stress_options.recover) {
		pids[nr] = start(nr, stress_recover_loop);
		nr++;
	}
	if (stress_options.corrupt) {
		pids[nr] = start(nr, spoil);
		nr++;
	}
	watch(pids, nr);
	waitpid(start(nr, verify_all), &status, 0);
	printf("%lu operations, %lu extents recovered, %lu not, %lu spoilt\n",
	       stress_shared->operations, stress_shared->recovered,
	       stress_shared->not_recovered, stress_shared->spoilt);
	remove_files();
	return stress_shared->failures || status ? 1 : 0;
}
