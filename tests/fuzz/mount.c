/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The folder and the engine of fuzz_request and fuzz_control. */
#include "fuzz/mount.h"

#include <dirent.h>
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

static bool is_asleep(const char *tid)
{
	char path[300], text[256] = "", *state;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/task/%s/stat", tid);
	file = fopen(path, "re");
	/* or it is gone */
	if (!file || !fgets(text, sizeof(text), file))
		strcpy(text, ") S");
	if (file)
		fclose(file);
	state = strrchr(text, ')');
	return state && state[2] == 'S';
}

static bool are_asleep(void)
{
	DIR *task = opendir("/proc/self/task");
	struct dirent *entry;
	bool asleep = true;

	fuzz_must(task != NULL);
	while (asleep && (entry = readdir(task)))
		asleep = entry->d_name[0] == '.' ||
			 atoi(entry->d_name) == gettid() ||
			 is_asleep(entry->d_name);
	closedir(task);
	return asleep;
}

void fuzz_mount_settle(void)
{
	/* one that is busy for that long is left alone */
	for (int i = 0; i < 1000 && !are_asleep(); i++)
		usleep(100);
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
	/* without open_ino there is no scan: what it does depends on the time */
	struct recovery_config config = { .pause_us = 1,
					  .patience_ms = UINT32_MAX };

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
	fuzz_must(!recovery_create(&mount->recovery, &config, &mount->fake.ops,
				   &mount->counters));
	fuzz_must(!recovery_start(mount->recovery));
	fuzz_mount_settle();
}
