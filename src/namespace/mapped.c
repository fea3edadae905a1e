/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Mapped files without an inode in the table. Seldom are there any, so a list
 * that doubles does. It is swept when it would double: a file that nobody has
 * mapped any more is dropped then.
 */
#include "namespace/mapped.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#define FIRST_FILES 64

struct mapped_file {
	uint64_t ino;
	struct backing_handle handle;
};

struct mapped {
	int root_fd;
	pthread_mutex_t mutex; /* the fields below */
	struct mapped_file *files;
	size_t nr;
	size_t room;
};

int mapped_open(struct mapped **out, int root_fd)
{
	struct mapped *mapped = calloc(1, sizeof(*mapped));

	if (!mapped)
		return -ENOMEM;
	mapped->root_fd = root_fd;
	pthread_mutex_init(&mapped->mutex, NULL);
	*out = mapped;
	return 0;
}

void mapped_close(struct mapped *mapped)
{
	pthread_mutex_destroy(&mapped->mutex);
	free(mapped->files);
	free(mapped);
}

/*
 * Whether somebody else has the file open or mapped: then the kernel refuses a
 * write lease (FACTS S7). The lease is given back at once.
 */
static bool is_in_use(struct mapped *mapped, const struct backing_handle *handle)
{
	int fd = backing_handle_open(mapped->root_fd, handle, O_RDONLY);
	bool in_use;

	if (fd < 0)
		return fd != -ESTALE;
	in_use = fcntl(fd, F_SETLEASE, F_WRLCK) < 0;
	if (!in_use)
		fcntl(fd, F_SETLEASE, F_UNLCK);
	close(fd);
	return in_use;
}

/* Under the mutex. */
static void sweep(struct mapped *mapped)
{
	size_t kept = 0;

	for (size_t i = 0; i < mapped->nr; i++)
		if (is_in_use(mapped, &mapped->files[i].handle))
			mapped->files[kept++] = mapped->files[i];
	mapped->nr = kept;
}

/* Makes room for one more. Under the mutex. */
static bool make_room(struct mapped *mapped)
{
	size_t room = mapped->room ? mapped->room * 2 : FIRST_FILES;
	struct mapped_file *files;

	if (mapped->nr < mapped->room)
		return true;
	sweep(mapped);
	if (mapped->nr < mapped->room / 2)
		return true;
	files = realloc(mapped->files, room * sizeof(*files));
	if (!files)
		return mapped->nr < mapped->room;
	mapped->files = files;
	mapped->room = room;
	return true;
}

static struct mapped_file *find(struct mapped *mapped, uint64_t ino)
{
	for (size_t i = 0; i < mapped->nr; i++)
		if (mapped->files[i].ino == ino)
			return &mapped->files[i];
	return NULL;
}

void mapped_add(struct mapped *mapped, uint64_t ino,
		const struct backing_handle *handle)
{
	struct mapped_file *file;

	if (!is_in_use(mapped, handle))
		return;
	pthread_mutex_lock(&mapped->mutex);
	file = find(mapped, ino);
	if (!file && make_room(mapped))
		file = &mapped->files[mapped->nr++];
	if (file)
		*file = (struct mapped_file){ ino, *handle };
	pthread_mutex_unlock(&mapped->mutex);
}

int mapped_find(struct mapped *mapped, uint64_t ino,
		struct backing_handle *handle)
{
	struct mapped_file *file;

	pthread_mutex_lock(&mapped->mutex);
	file = find(mapped, ino);
	if (file)
		*handle = file->handle;
	pthread_mutex_unlock(&mapped->mutex);
	return file ? 0 : -ENOENT;
}
