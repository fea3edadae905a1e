/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The folder and the engine of fuzz_request and fuzz_control. */
#include "fuzz/mount.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fuzz/fuzz.h"
#include "recovery/recovery.h"

static const char *path_of_mount;

_Noreturn void fuzz_skip(const char *why)
{
	printf("skipped: %s\n", why);
	exit(77);
}

void fuzz_log_nothing(enum log_level level, const char *format, va_list ap)
{
	char line[256];

	(void) level;
	vsnprintf(line, sizeof(line), format, ap);
}

static int no_file(void *arg, uint64_t ino, int flags)
{
	(void) arg;
	(void) ino;
	(void) flags;
	return -ENOENT;
}

static int no_next(void *arg, uint64_t *cursor, uint64_t *ino)
{
	(void) arg;
	(void) cursor;
	(void) ino;
	return -ENOENT;
}

static void remove_path(void)
{
	char command[64];

	snprintf(command, sizeof(command), "rm -rf %s", path_of_mount);
	if (system(command))
		perror(command);
}

void fuzz_mount_begin(struct fuzz_mount *mount,
		      void (*hook)(void *arg, enum fake_op op, uint64_t index))
{
	/* the scan does nothing: what it does depends on the time */
	struct recovery_config config = { .pause_us = 1,
					  .tick_ms = UINT32_MAX,
					  .patience_ms = UINT32_MAX,
					  .open_ino = no_file,
					  .next_ino = no_next };

	if (geteuid())
		fuzz_skip("only root opens files by their handles");
	log_set_sink(fuzz_log_nothing);
	strcpy(mount->path, "/dev/shm/hugetmpfs-fuzz.XXXXXX");
	if (!mkdtemp(mount->path))
		fuzz_skip("there is no /dev/shm to write to");
	fuzz_must(!chmod(mount->path, 0755));
	path_of_mount = mount->path;
	atexit(remove_path);
	fake_mm_init(&mount->fake, 4);
	mount->fake.hook = hook;
	recovery_settings_init(&config.settings);
	/* one after the other, so always in the same order */
	config.settings.recoveries = 1;
	config.settings.recover = RECOVERY_RECOVER_OFF;
	fuzz_must(!recovery_create(&mount->recovery, &config, &mount->fake.ops,
				   &mount->counters));
	fuzz_must(!recovery_start(mount->recovery));
}
