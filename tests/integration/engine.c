/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The engine on a real kernel and a plain tmpfs, without any FUSE: engine DIR
 * [TOPIC...] runs the topics, or all of them.
 */
#include "engine.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *dir;

void tmpfs_mount(const char *options)
{
	if (mount("engine-test", dir, "tmpfs", 0, options)) {
		perror("skipped: mount");
		exit(77);
	}
}

void tmpfs_umount(void)
{
	int ret = umount(dir);

	/* whoever looks at a mapper that ends may let go of its files last */
	for (int i = 0; ret && errno == EBUSY && i < 200; i++) {
		usleep(10000);
		ret = umount(dir);
	}
	check_equal(ret, 0);
}

void file_make(struct file *file, uint64_t bytes)
{
	snprintf(file->path, sizeof(file->path), "%s/file", dir);
	file->fd = open(file->path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	check(file->fd >= 0);
	check_equal(ftruncate(file->fd, (off_t) bytes), 0);
	check_equal(fstat(file->fd, &file->st), 0);
}

void file_end(struct file *file)
{
	close(file->fd);
	unlink(file->path);
}

/* The pattern: each 8 bytes hold a number made of their offset. */
static void pattern(uint64_t *words, uint64_t start, size_t bytes)
{
	for (size_t i = 0; i < bytes / 8; i++)
		words[i] = (start / 8 + i) * 0x9e3779b97f4a7c15u + 1;
}

void file_fill(struct file *file, uint64_t start, uint64_t end, size_t step)
{
	uint64_t *words = malloc(step);

	check(words);
	for (; start < end; start += step) {
		if (end - start < step)
			step = end - start;
		pattern(words, start, step);
		check_equal(pwrite(file->fd, words, step, (off_t) start), step);
	}
	free(words);
}

void file_check(struct file *file, uint64_t start, uint64_t end)
{
	uint64_t is[PAGE / 8], should[PAGE / 8];
	size_t bytes;

	for (; start < end; start += bytes) {
		bytes = end - start < PAGE ? end - start : PAGE;
		pattern(should, start, bytes);
		check_equal(pread(file->fd, is, bytes, (off_t) start), bytes);
		check(!memcmp(is, should, bytes));
	}
}

void file_punch(struct file *file, uint64_t start, uint64_t bytes)
{
	check_equal(fallocate(file->fd,
			      FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			      (off_t) start, (off_t) bytes),
		    0);
}

uint64_t file_kib(struct file *file)
{
	struct stat st;

	check_equal(fstat(file->fd, &st), 0);
	return (uint64_t) st.st_blocks / 2;
}

static void mapper_run(struct file *file, uint32_t nr, enum mapping how, int in,
		       int out)
{
	size_t bytes = nr * EXTENT;
	volatile char sum = 0;
	uint64_t addr;
	char *at, go;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	at = mmap(NULL, bytes + 2 * EXTENT, PROT_NONE,
		  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	addr = ((uint64_t) (uintptr_t) at + EXTENT - 1) & ~(EXTENT - 1);
	if (how == MAPPED_MISALIGNED)
		addr += PAGE;
	at = mmap((void *) (uintptr_t) addr, bytes, PROT_READ,
		  MAP_FIXED |
			  (how == MAPPED_PRIVATE ? MAP_PRIVATE : MAP_SHARED),
		  file->fd, 0);
	if (at == MAP_FAILED || write(out, &addr, sizeof(addr)) != sizeof(addr))
		_exit(1);
	while (read(in, &go, 1) == 1) {
		for (size_t i = 0; i < bytes; i += PAGE)
			sum += at[i];
		if (write(out, &go, 1) != 1)
			break;
	}
	_exit(0);
}

void mapper_start(struct mapper *mapper, struct file *file, uint32_t nr,
		  enum mapping how)
{
	int in[2], out[2];

	check_equal(pipe(in), 0);
	check_equal(pipe(out), 0);
	fflush(stdout);
	mapper->pid = fork();
	check(mapper->pid >= 0);
	if (mapper->pid == 0) {
		close(in[1]);
		mapper_run(file, nr, how, in[0], out[1]);
	}
	close(in[0]);
	close(out[1]);
	mapper->go = in[1];
	mapper->went = out[0];
	check_equal(read(mapper->went, &mapper->addr, sizeof(mapper->addr)),
		    sizeof(mapper->addr));
}

void mapper_touch(struct mapper *mapper)
{
	char go = 1;

	check_equal(write(mapper->go, &go, 1), 1);
	check_equal(read(mapper->went, &go, 1), 1);
}

void mapper_end(struct mapper *mapper)
{
	kill(mapper->pid, SIGKILL);
	check_equal(waitpid(mapper->pid, NULL, 0), mapper->pid);
	close(mapper->go);
	close(mapper->went);
}

uint64_t smaps_kib(pid_t pid, const char *path, const char *field)
{
	uint64_t sum = 0, value;
	bool ours = false;
	char line[512];
	FILE *smaps;

	snprintf(line, sizeof(line), "/proc/%d/smaps", (int) pid);
	smaps = fopen(line, "r");
	check(smaps);
	while (fgets(line, sizeof(line), smaps)) {
		if (strchr(line, '-') && strchr(line, ':') > strchr(line, '-'))
			ours = strstr(line, path) != NULL;
		else if (ours && !strncmp(line, field, strlen(field)) &&
			 sscanf(line + strlen(field), ": %lu", &value) == 1)
			sum += value;
	}
	fclose(smaps);
	return sum;
}

void engine_start(struct engine *engine, struct file *file, unsigned without)
{
	struct recovery_config config = {.dev = file->st.st_dev};

	recovery_settings_init(&config.settings);
	config.settings.recoveries = 4;
	memset(engine, 0, sizeof(*engine));
	check_equal(mm_open(&engine->mm, without), 0);
	check_equal(recovery_create(&engine->recovery, &config,
				    mm_real_ops(engine->mm), &engine->counters),
		    0);
	check_equal(recovery_start(engine->recovery), 0);
}

void engine_stop(struct engine *engine)
{
	recovery_destroy(engine->recovery);
	mm_close(engine->mm);
}

int engine_map(struct engine *engine, struct file *file, uint64_t first,
	       uint32_t nr, struct hugetmpfs_extent *extents)
{
	struct recovery_file at = {.fd = file->fd, .ino = file->st.st_ino};
	uint64_t size_bytes;

	return recovery_map(engine->recovery, &at, first, nr, extents,
			    &size_bytes);
}

struct answer {
	pthread_mutex_t lock;
	pthread_cond_t cond;
	bool done;
	int nr;
	struct hugetmpfs_extent *extents;
};

static void answer_take(void *arg, const struct recovery_result *result)
{
	struct answer *answer = arg;

	pthread_mutex_lock(&answer->lock);
	answer->nr = result->error ? result->error : (int) result->nr;
	memcpy(answer->extents, result->extents,
	       result->nr * sizeof(*result->extents));
	answer->done = true;
	pthread_cond_signal(&answer->cond);
	pthread_mutex_unlock(&answer->lock);
}

int engine_recover(struct engine *engine, struct file *file, uint64_t first,
		   uint32_t nr, struct hugetmpfs_extent *extents)
{
	struct recovery_file at = {.fd = file->fd, .ino = file->st.st_ino};
	struct answer answer = {.extents = extents};

	pthread_mutex_init(&answer.lock, NULL);
	pthread_cond_init(&answer.cond, NULL);
	check_equal(recovery_submit(engine->recovery, &at, first, nr, 0,
				    answer_take, &answer, NULL),
		    0);
	pthread_mutex_lock(&answer.lock);
	while (!answer.done)
		pthread_cond_wait(&answer.cond, &answer.lock);
	pthread_mutex_unlock(&answer.lock);
	return answer.nr;
}

/* Runs the topics that are named, or all. Returns how many. */
static int run_topics(const struct topic *topics, int argc, char **argv)
{
	int ran = 0;

	for (; topics->name; topics++) {
		bool wanted = argc == 0;

		for (int i = 0; i < argc; i++)
			wanted |= !strcmp(argv[i], topics->name);
		if (!wanted)
			continue;
		printf("%s\n", topics->name);
		topics->run();
		ran++;
	}
	return ran;
}

int main(int argc, char **argv)
{
	if (argc < 2) {
		fprintf(stderr, "Usage: engine DIR [TOPIC...]\n");
		return 2;
	}
	dir = argv[1];
	setvbuf(stdout, NULL, _IOLBF, 0);
	check(run_topics(engine_look_topics, argc - 2, argv + 2) +
		      run_topics(engine_recover_topics, argc - 2, argv + 2) >
	      0);
	return 0;
}
