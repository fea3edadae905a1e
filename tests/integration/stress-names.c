/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Many processes create, rename, link and remove names in the same few
 * directories. Each knows exactly what its own names are; names that all
 * fight for must come out conserved.
 *
 *	usage: stress-names [-n WORKERS] [-S SEED] [-t SECONDS] [-c] DIRECTORY
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { DIRECTORIES = 4, NAMES = 24, TOKENS = 16, MAX_WORKERS = 64 };

enum kind { NONE, REGULAR, DIRECTORY, SYMLINK, FIFO };

/* What a name of ours is; objects are shared by the names linked to them. */
struct object {
	enum kind kind;
	unsigned number;	/* content of a file, target of a symlink */
	unsigned names;
	ino_t ino;
};

struct worker {
	int id;
	uint64_t random;
	unsigned next_number;
	struct object *names[DIRECTORIES][NAMES];
};

static struct {
	unsigned workers;
	unsigned seconds;
	uint64_t seed;
	bool confuse;		/* forget one name: must be found */
} options = { 20, 20, 0, false };

static struct {
	atomic_bool stop;
	atomic_int failures;
	atomic_ulong operations;
} *shared;

static uint64_t pick(struct worker *w, uint64_t below)
{
	w->random ^= w->random << 13;
	w->random ^= w->random >> 7;
	w->random ^= w->random << 17;
	return (w->random >> 11) % below;
}

__attribute__((format(printf, 2, 3))) static void
fail(const struct worker *w, const char *format, ...)
{
	va_list ap;

	if (atomic_fetch_add(&shared->failures, 1) < 5) {
		printf("FAILED: worker %d: ", w->id);
		va_start(ap, format);
		vprintf(format, ap);
		va_end(ap);
		printf("\n");
		fflush(stdout);
	}
	shared->stop = true;
}

static const char *name_of(const struct worker *w, int directory, int index)
{
	static char names[4][64];
	static int next;
	char *name = names[next++ % 4];

	snprintf(name, sizeof(names[0]), "d%d/w%d-%d", directory, w->id, index);
	return name;
}

/* The call ends as the model says: 0, or this errno. */
static bool expect(struct worker *w, int ret, int error, const char *what,
		   const char *a, const char *b)
{
	int got = ret < 0 ? errno : 0;

	if (got == error)
		return true;
	fail(w, "%s %s %s: expected %s, got %s", what, a, b ? b : "",
	     error ? strerrorname_np(error) : "success",
	     got ? strerrorname_np(got) : "success");
	return false;
}

static void drop(struct object **slot)
{
	if (*slot && --(*slot)->names == 0)
		free(*slot);
	*slot = NULL;
}

static void put(struct worker *w, struct object **slot, enum kind kind,
		const char *name)
{
	struct stat st;

	*slot = calloc(1, sizeof(**slot));
	(*slot)->kind = kind;
	(*slot)->names = 1;
	(*slot)->number = w->next_number;
	if (lstat(name, &st))
		fail(w, "lstat %s right after creation: %s", name,
		     strerror(errno));
	else
		(*slot)->ino = st.st_ino;
}

static int create_file(struct worker *w, const char *name)
{
	int fd = open(name, O_CREAT | O_EXCL | O_RDWR, 0644);

	if (fd < 0)
		return -1;
	if (write(fd, &w->next_number, sizeof(w->next_number)) !=
	    sizeof(w->next_number))
		fail(w, "write to %s: %s", name, strerror(errno));
	close(fd);
	return 0;
}

static void op_create(struct worker *w, struct object **slot, const char *name)
{
	enum kind kind = 1 + pick(w, 4);
	char target[32];
	int ret;

	w->next_number++;
	snprintf(target, sizeof(target), "target-%u", w->next_number);
	switch (kind) {
	case REGULAR: ret = create_file(w, name); break;
	case DIRECTORY: ret = mkdir(name, 0755); break;
	case SYMLINK: ret = symlink(target, name); break;
	default: ret = mkfifo(name, 0644); break;
	}
	if (expect(w, ret, *slot ? EEXIST : 0, "create", name, NULL) && !*slot)
		put(w, slot, kind, name);
}

static void op_remove(struct worker *w, struct object **slot, const char *name)
{
	bool directory = *slot && (*slot)->kind == DIRECTORY;
	int fd = -1, error = *slot ? 0 : ENOENT;
	unsigned number, want = *slot ? (*slot)->number : 0;

	if (*slot && (*slot)->kind == REGULAR && pick(w, 3) == 0)
		fd = open(name, O_RDWR);
	if (pick(w, 8) == 0) { /* the wrong call */
		expect(w, directory ? unlink(name) : rmdir(name),
		       directory ? EISDIR : *slot ? ENOTDIR : ENOENT,
		       "wrong removal of", name, NULL);
		if (fd >= 0)
			close(fd);
		return;
	}
	if (expect(w, directory ? rmdir(name) : unlink(name), error, "remove",
		   name, NULL))
		drop(slot);
	if (fd >= 0) {
		if (pread(fd, &number, sizeof(number), 0) != sizeof(number) ||
		    number != want)
			fail(w, "unlinked %s lost its content", name);
		close(fd);
	}
}

static void op_link(struct worker *w, struct object **from, const char *a,
		    struct object **to, const char *b)
{
	int error = !*from ? ENOENT : *to ? EEXIST :
		    (*from)->kind == DIRECTORY ? EPERM : 0;

	if (expect(w, link(a, b), error, "link", a, b) && error == 0) {
		*to = *from;
		(*to)->names++;
	}
}

static void op_rename(struct worker *w, struct object **from, const char *a,
		      struct object **to, const char *b)
{
	bool no_replace = pick(w, 4) == 0;
	int error = 0;

	if (!*from)
		error = ENOENT;
	else if (*to && no_replace)
		error = EEXIST;
	else if (*to && *to != *from && (*from)->kind == DIRECTORY &&
		 (*to)->kind != DIRECTORY)
		error = ENOTDIR;
	else if (*to && *to != *from && (*from)->kind != DIRECTORY &&
		 (*to)->kind == DIRECTORY)
		error = EISDIR;
	if (!expect(w, renameat2(AT_FDCWD, a, AT_FDCWD, b,
				 no_replace ? RENAME_NOREPLACE : 0),
		    error, "rename", a, b) ||
	    error || from == to || *from == *to)
		return;
	drop(to);
	*to = *from;
	*from = NULL;
}

static void op_exchange(struct worker *w, struct object **from, const char *a,
			struct object **to, const char *b)
{
	int error = *from && *to ? 0 : ENOENT;
	struct object *moved = *from;

	if (expect(w, renameat2(AT_FDCWD, a, AT_FDCWD, b, RENAME_EXCHANGE),
		   error, "exchange", a, b) && error == 0) {
		*from = *to;
		*to = moved;
	}
}

/* The name is what the model says, in every respect. */
static void op_check(struct worker *w, struct object **slot, const char *name)
{
	static const mode_t types[] = { 0, S_IFREG, S_IFDIR, S_IFLNK, S_IFIFO };
	struct object *object = *slot;
	char want[32], got[64] = "";
	unsigned number = 0;
	struct stat st;
	int fd;

	if (!expect(w, lstat(name, &st), object ? 0 : ENOENT, "lstat", name,
		    NULL) || !object)
		return;
	if ((st.st_mode & S_IFMT) != types[object->kind] ||
	    st.st_ino != object->ino ||
	    st.st_nlink != (object->kind == DIRECTORY ? 2 : object->names))
		fail(w, "%s: mode %#o nlink %lu ino %lu, expected type %#o "
		     "nlink %u ino %lu", name, st.st_mode,
		     (unsigned long) st.st_nlink, (unsigned long) st.st_ino,
		     types[object->kind], object->names,
		     (unsigned long) object->ino);
	if (object->kind == SYMLINK) {
		snprintf(want, sizeof(want), "target-%u", object->number);
		if (readlink(name, got, sizeof(got) - 1) < 0 ||
		    strcmp(got, want))
			fail(w, "%s leads to %s instead of %s", name, got,
			     want);
	}
	if (object->kind != REGULAR)
		return;
	fd = open(name, O_RDONLY);
	if (fd < 0 || read(fd, &number, sizeof(number)) != sizeof(number) ||
	    number != object->number)
		fail(w, "%s contains %u instead of %u", name, number,
		     object->number);
	if (fd >= 0)
		close(fd);
}

/* All of our names in one directory, none else, each once. */
static void op_list(struct worker *w, int directory)
{
	bool seen[NAMES] = { false };
	struct dirent *entry;
	char path[16];
	int id, index;
	DIR *dir;

	snprintf(path, sizeof(path), "d%d", directory);
	dir = opendir(path);
	if (!dir) {
		fail(w, "opendir %s: %s", path, strerror(errno));
		return;
	}
	while ((entry = readdir(dir))) {
		if (sscanf(entry->d_name, "w%d-%d", &id, &index) != 2 ||
		    id != w->id)
			continue;
		if (index < 0 || index >= NAMES || seen[index] ||
		    !w->names[directory][index])
			fail(w, "%s lists %s %s", path, entry->d_name,
			     seen[index] ? "twice" : "that is gone");
		else
			seen[index] = true;
	}
	closedir(dir);
	for (index = 0; index < NAMES; index++) {
		if (w->names[directory][index] && !seen[index])
			fail(w, "%s does not list w%d-%d", path, w->id, index);
	}
}

/* Tokens change places; none may get lost, whoever wins. */
static void op_token(struct worker *w)
{
	char a[32], b[32];
	int ret;

	snprintf(a, sizeof(a), "t/%d", (int) pick(w, TOKENS));
	snprintf(b, sizeof(b), "t/%d", (int) pick(w, TOKENS));
	if (pick(w, 2))
		ret = renameat2(AT_FDCWD, a, AT_FDCWD, b, RENAME_EXCHANGE);
	else
		ret = renameat2(AT_FDCWD, a, AT_FDCWD, b, RENAME_NOREPLACE);
	if (ret && errno != ENOENT && errno != EEXIST)
		fail(w, "tokens %s %s: %s", a, b, strerror(errno));
}

static void operation(struct worker *w)
{
	int d1 = pick(w, DIRECTORIES), n1 = pick(w, NAMES);
	int d2 = pick(w, DIRECTORIES), n2 = pick(w, NAMES);
	struct object **from = &w->names[d1][n1], **to = &w->names[d2][n2];
	const char *a = name_of(w, d1, n1), *b = name_of(w, d2, n2);

	switch (pick(w, 16)) {
	case 0 ... 4: op_create(w, from, a); break;
	case 5 ... 6: op_remove(w, from, a); break;
	case 7 ... 8: op_rename(w, from, a, to, b); break;
	case 9: op_exchange(w, from, a, to, b); break;
	case 10: op_link(w, from, a, to, b); break;
	case 11: op_token(w); break;
	case 12: op_list(w, d1); break;
	default: op_check(w, from, a); break;
	}
}

static void work(struct worker *w)
{
	while (!shared->stop) {
		operation(w);
		atomic_fetch_add(&shared->operations, 1);
		if (options.confuse && w->id == 0 && pick(w, 500) == 0)
			unlink(name_of(w, pick(w, DIRECTORIES), pick(w,
								     NAMES)));
	}
	for (int d = 0; d < DIRECTORIES; d++) {
		op_list(w, d);
		for (int i = 0; i < NAMES; i++)
			op_check(w, &w->names[d][i], name_of(w, d, i));
	}
}

/* Every token is there once more, under whatever name. */
static void check_tokens(void)
{
	struct worker nobody = { .id = -1 };
	bool seen[TOKENS] = { false };
	struct dirent *entry;
	DIR *dir = opendir("t");
	int token, found = 0;

	while (dir && (entry = readdir(dir))) {
		int fd;

		if (entry->d_name[0] == '.')
			continue;
		fd = openat(dirfd(dir), entry->d_name, O_RDONLY);
		if (fd < 0 || read(fd, &token,
				   sizeof(token)) != sizeof(token) ||
		    token < 0 || token >= TOKENS || seen[token])
			fail(&nobody, "token %s is damaged or doubled",
			     entry->d_name);
		else
			seen[token] = true;
		close(fd);
		found++;
	}
	if (dir)
		closedir(dir);
	if (found != TOKENS / 2)
		fail(&nobody, "%d tokens of %d", found, TOKENS / 2);
}

static int set_up(const char *directory)
{
	char name[32];

	if (chdir(directory) || mkdir("stress-names", 0755) ||
	    chdir("stress-names") || mkdir("t", 0755))
		return -1;
	for (int i = 0; i < DIRECTORIES; i++) {
		snprintf(name, sizeof(name), "d%d", i);
		if (mkdir(name, 0755))
			return -1;
	}
	/* half as many tokens as places */
	for (int i = 0; i < TOKENS / 2; i++) {
		snprintf(name, sizeof(name), "t/%d", i);
		int fd = open(name, O_CREAT | O_RDWR, 0644);

		if (fd < 0 || write(fd, &i, sizeof(i)) != sizeof(i))
			return -1;
		close(fd);
	}
	return 0;
}

static pid_t start(int id)
{
	struct worker w = { .id = id };
	pid_t pid = fork();

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		w.random = (options.seed + 1) * 0x9e3779b97f4a7c15 + id;
		work(&w);
		_exit(0);
	}
	return pid;
}

/* Makes the kernel forget names and inodes again and again. */
static void forget_caches(void)
{
	int fd = open("/proc/sys/vm/drop_caches", O_WRONLY);

	if (fd < 0)
		return;
	if (write(fd, "2", 1) != 1)
		perror("drop_caches");
	close(fd);
}

static int parse(int argc, char **argv)
{
	int c;

	options.seed = time(NULL) * 100003 + getpid();
	while ((c = getopt(argc, argv, "cn:S:t:")) != -1) {
		switch (c) {
		case 'c': options.confuse = true; break;
		case 'n': options.workers = atoi(optarg); break;
		case 'S': options.seed = strtoull(optarg, NULL, 0); break;
		case 't': options.seconds = atoi(optarg); break;
		default: return -1;
		}
	}
	return optind == argc - 1 && options.workers >= 1 &&
	       options.workers <= MAX_WORKERS ? 0 : -1;
}

int main(int argc, char **argv)
{
	pid_t pids[MAX_WORKERS];
	int status;

	if (parse(argc, argv)) {
		fputs("usage: stress-names [-c] [-n WORKERS] [-S SEED] "
		      "[-t SECONDS] DIRECTORY\n", stderr);
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("seed %llu, %u workers, %u seconds\n",
	       (unsigned long long) options.seed, options.workers,
	       options.seconds);
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (set_up(argv[optind])) {
		perror(argv[optind]);
		return 2;
	}
	for (unsigned i = 0; i < options.workers; i++)
		pids[i] = start(i);
	for (unsigned i = 0; i < options.seconds * 2 && !shared->stop; i++) {
		usleep(500000);
		forget_caches();
	}
	shared->stop = true;
	for (unsigned i = 0; i < options.workers; i++) {
		waitpid(pids[i], &status, 0);
		if (status) {
			printf("FAILED: worker %u, status %#x\n", i, status);
			shared->failures++;
		}
	}
	check_tokens();
	printf("%lu operations\n", shared->operations);
	if (chdir("..") || system("rm -rf stress-names"))
		shared->failures++;
	return shared->failures ? 1 : 0;
}
