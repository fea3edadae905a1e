/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Requests as the kernel sends them, to the daemon's handlers on a folder of
 * tmpfs: whole ones, as the kernel sees to that, with whatever names, numbers
 * and ioctls a user can bring. The answers go to nobody.
 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <linux/fs.h>
#include <linux/fuse.h>
#include <linux/limits.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <hugetmpfs/ioctl.h>

#include "fuse/ops.h"
#include "fuzz/fuzz.h"
#include "fuzz/gate.h"
#include "fuzz/mount.h"
#include "fuzz/policies.h"
#include "namespace/creds.h"
#include "recovery/recovery.h"

#define NR_NODES 8
#define MAX_OFFSET (1 << 22)
#define MAX_ARGUMENT 16384 /* of an ioctl, as the kernel has it */

/* What headers of a kernel may not know yet. */
#define OPCODE_TMPFILE 51
#define OPCODE_STATX   52
struct statx_in {
	uint32_t getattr_flags;
	uint32_t reserved;
	uint64_t fh;
	uint32_t flags;
	uint32_t mask;
};

static struct fixture {
	struct fuzz_mount mount;
	int null_fd;
	int root_fd;
	int memfd;
	struct table *table;
	struct server server;
} me;

static void no_log(enum fuse_log_level level, const char *format, va_list ap)
{
	(void) level;
	(void) format;
	(void) ap;
}

/* ---- what there is to serve ---- */

static void start(void)
{
	fuzz_mount_begin(&me.mount, gate_hook);
	fuse_set_log_func(no_log);
	signal(SIGXFSZ, SIG_IGN);
	signal(SIGIO, SIG_IGN);
	me.null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	fuzz_must(me.null_fd >= 0 && !creds_thread_init());
}

/* A mount, with nothing in it. */
static void mount_open(void)
{
	struct server *server = &me.server;

	me.root_fd = open(me.mount.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	me.memfd = table_create();
	fuzz_must(me.root_fd >= 0 && !table_open(&me.table, me.memfd));
	memset(server, 0, sizeof(*server));
	fuzz_must(!inodes_open(&server->inodes, me.table, me.root_fd));
	server->config = (struct server_config){
		.fuse_fd = me.null_fd,
		.root_fd = me.root_fd,
		.table = me.table,
		.inodes = server->inodes,
		.recovery = me.mount.recovery,
	};
	pthread_mutex_init(&server->calls_mutex, NULL);
	pthread_cond_init(&server->calls_fewer, NULL);
	directories_open(server);
	fuzz_must(!server_open_session(server));
	journal_use(table_journal(me.table), false);
}

static void mount_close(void)
{
	calls_drain(&me.server);
	fuse_session_destroy(me.server.session);
	directories_close(&me.server);
	journal_use(NULL, false);
	inodes_close(me.server.inodes);
	table_close(me.table);
	close(me.memfd);
	close(me.root_fd);
}

/* Extents of each kind, whatever the input before has made of them. */
static void reset_extents(void)
{
	struct fake_mm *fake = &me.mount.fake;

	fake_mm_set(fake, 0, HUGETMPFS_EXTENT_PAGES, 0, false);
	fake_mm_set(fake, 1, 400, 100, false);
	fake_mm_set(fake, 2, 1, 0, false);
	fake_mm_set(fake, 3, HUGETMPFS_EXTENT_PAGES, 0, true);
	fake_mm_put_on(fake, 0, 1, 100);
}

/* Whether nobody waits, and nothing is queued or under way. */
static bool engine_is_idle(void)
{
	struct recovery_load load;
	bool idle;

	pthread_mutex_lock(&me.server.calls_mutex);
	idle = LIST_EMPTY(&me.server.calls);
	pthread_mutex_unlock(&me.server.calls_mutex);
	recovery_load(me.mount.recovery, &load);
	return idle && !load.queued && !load.running;
}

/* After a request: all that was asked for is done, or it is begun and held. */
static void engine_settle(bool holds)
{
	bool held;

	do
		held = gate_set(holds);
	while (!engine_is_idle() && !(holds && held) && !sched_yield());
}

/* ---- requests ---- */

static struct request {
	struct fuse_in_header header;
	char body[MAX_ARGUMENT + 4096];
} request;

static void add(const void *data, size_t size)
{
	memcpy((char *) &request + request.header.len, data, size);
	request.header.len += (uint32_t) size;
}

static void send_request(uint32_t opcode, uint64_t nodeid)
{
	struct journal_slot *slot = table_journal(me.table);

	request.header.opcode = opcode;
	request.header.nodeid = nodeid;
	request.header.unique += 2;
	memcpy(slot->request, &request, request.header.len);
	loop_handle(&me.server, slot);
	journal_clear(slot);
	request.header.len = sizeof(request.header);
}

static void send_init(void)
{
	struct fuse_init_in init = {
		.major = FUSE_KERNEL_VERSION,
		.minor = FUSE_KERNEL_MINOR_VERSION,
		.max_readahead = 1 << 17,
		.flags = UINT32_MAX,
	};

	request.header = (struct fuse_in_header){
		.len = sizeof(request.header), .pid = (uint32_t) getpid(),
	};
	/* without what has its own place for requests */
	init.flags &= ~(1u << 9 | 1u << 8 | 1u << 7);
	add(&init, sizeof(init));
	add("\xff\xff\xff\xff", 4);
	send_request(FUSE_INIT, 0);
}

/* Names are short, without a slash, and neither . nor .. */
static void add_name(struct fuzz_input *input)
{
	static const char *const names[] = { "a", "b", "c", "d", "e" };
	uint8_t byte = fuzz_take_byte(input);
	char name[5] = "";

	if (byte < 200) {
		const char *known = names[byte % 5];

		add(known, strlen(known) + 1);
		return;
	}
	fuzz_take(input, name, 4);
	for (int i = 0; i < 4; i++)
		if (name[i] == '/' || name[i] == '.')
			name[i] = '_';
	if (!name[0])
		name[0] = 'x';
	add(name, strlen(name) + 1);
}

static const char *take_attribute(struct fuzz_input *input)
{
	static const char *const attributes[] = {
		"user.a", "user.b", "trusted.a", "security.capability",
		"system.posix_acl_access", "system.posix_acl_default",
		HUGETMPFS_XATTR_RECOVER, HUGETMPFS_XATTR_NUMA,
	};

	return attributes[fuzz_take_byte(input) %
			  (sizeof(attributes) / sizeof(*attributes))];
}

static void add_attribute(struct fuzz_input *input)
{
	const char *attribute = take_attribute(input);

	add(attribute, strlen(attribute) + 1);
}

/* A structure of the protocol from the input, and how long it is. */
static void add_struct(struct fuzz_input *input, size_t size)
{
	unsigned char bytes[256];

	fuzz_take(input, bytes, size);
	add(bytes, size);
}

static void add_setxattr(struct fuzz_input *input)
{
	struct fuse_setxattr_in in;
	char bytes[64] = "";
	const char *attribute, *value = bytes;
	bool known;

	fuzz_take(input, &in, sizeof(in));
	known = in.size & 0x80;
	in.size %= sizeof(bytes) + 1;
	/* the kernel lets no other flags through */
	in.flags &= 3;
	fuzz_take(input, bytes, in.size);
	attribute = take_attribute(input);
	if (known && !strncmp(attribute, "user.hugetmpfs.", 15)) {
		value = policy_of(attribute, (uint8_t) bytes[0]);
		in.size = (uint32_t) strlen(value);
	}
	add(&in, sizeof(in));
	add(attribute, strlen(attribute) + 1);
	add(value, in.size);
}

static void add_getxattr(struct fuzz_input *input)
{
	struct fuse_getxattr_in in;

	fuzz_take(input, &in, sizeof(in));
	in.size %= XATTR_SIZE_MAX + 1;
	add(&in, sizeof(in));
}

static void add_fallocate(struct fuzz_input *input)
{
	struct fuse_fallocate_in in;

	fuzz_take(input, &in, sizeof(in));
	in.offset %= MAX_OFFSET;
	in.length = in.length % MAX_OFFSET + 1;
	add(&in, sizeof(in));
}

static void add_setattr(struct fuzz_input *input)
{
	struct fuse_setattr_in in;

	fuzz_take(input, &in, sizeof(in));
	in.size &= INT64_MAX;
	add(&in, sizeof(in));
}

static void add_write(struct fuzz_input *input)
{
	struct fuse_write_in in;
	unsigned char data[64];

	fuzz_take(input, &in, sizeof(in));
	in.size %= sizeof(data) + 1;
	in.offset %= MAX_OFFSET;
	fuzz_take(input, data, in.size);
	add(&in, sizeof(in));
	add(data, in.size);
}

static void add_read(struct fuzz_input *input, uint32_t max)
{
	struct fuse_read_in in;

	fuzz_take(input, &in, sizeof(in));
	in.size %= max + 1;
	in.offset &= INT64_MAX;
	add(&in, sizeof(in));
}

/* The argument of an ioctl: what says something, and the rest is zero. */
static uint32_t take_argument(struct fuzz_input *input, uint32_t cmd,
			      void *data, uint32_t size)
{
	struct hugetmpfs_ioc_numa *numa = data;
	size_t given = size < 64 ? size : 64;
	uint8_t byte;

	memset(data, 0, size);
	switch (cmd) {
	case HUGETMPFS_IOC_MAP:
	case HUGETMPFS_IOC_RECOVER:
		given = offsetof(struct hugetmpfs_ioc_extents, extents);
		break;
	case HUGETMPFS_IOC_NUMA_GET:
	case HUGETMPFS_IOC_NUMA_SET:
		given = offsetof(struct hugetmpfs_ioc_numa, text);
		byte = fuzz_take_byte(input);
		fuzz_take(input, numa->text, byte % 64);
		if (byte == UINT8_MAX)
			memset(numa->text, 'a', sizeof(numa->text));
		else if (byte & 0x80)
			strcpy(numa->text, policy_of(HUGETMPFS_XATTR_NUMA,
						     byte % 64));
		break;
	}
	fuzz_take(input, data, given);
	return size;
}

static void add_ioctl(struct fuzz_input *input)
{
	static const uint32_t commands[] = {
		HUGETMPFS_IOC_MAP, HUGETMPFS_IOC_RECOVER, HUGETMPFS_IOC_CANCEL,
		HUGETMPFS_IOC_POLICY, FS_IOC_GETFLAGS, FS_IOC_FSGETXATTR,
		HUGETMPFS_IOC_NUMA_GET, HUGETMPFS_IOC_NUMA_SET,
	};
	static _Alignas(8) unsigned char data[MAX_ARGUMENT];
	uint8_t which = fuzz_take_byte(input);
	struct fuse_ioctl_in in;

	fuzz_take(input, &in, sizeof(in));
	in.cmd = which < 200 ? commands[which % 8] : in.cmd;
	/* what would outlive this: files that cannot be removed */
	if (in.cmd == FS_IOC_SETFLAGS || in.cmd == FS_IOC_FSSETXATTR)
		in.cmd = FS_IOC_GETFLAGS;
	in.flags &= FUSE_IOCTL_DIR;
	/* the kernel takes both from the command */
	in.in_size = in.cmd >> 30 & 1 ? in.cmd >> 16 & 0x3fff : 0;
	in.out_size = in.cmd >> 31 ? in.cmd >> 16 & 0x3fff : 0;
	in.in_size = take_argument(input, in.cmd, data, in.in_size);
	add(&in, sizeof(in));
	add(data, in.in_size);
}

/* A request that may be under way still, or not. */
static void add_interrupt(struct fuzz_input *input)
{
	struct fuse_interrupt_in in = {
		.unique = request.header.unique -
			  2 * (fuzz_take_byte(input) % 4),
	};

	add(&in, sizeof(in));
}

static void add_batch_forget(struct fuzz_input *input)
{
	struct fuse_batch_forget_in in = { .count = fuzz_take_byte(input) % 4 };

	add(&in, sizeof(in));
	for (uint32_t i = 0; i < in.count; i++) {
		const struct fuse_forget_one one = {
			.nodeid = fuzz_take_byte(input) % NR_NODES,
			.nlookup = fuzz_take_byte(input),
		};

		add(&one, sizeof(one));
	}
}

/* What comes after the header of a request. False: not one to be sent. */
static bool add_body(struct fuzz_input *input, uint32_t opcode)
{
	switch (opcode) {
	case FUSE_LOOKUP:
	case FUSE_UNLINK:
	case FUSE_RMDIR:
		add_name(input);
		return true;
	case FUSE_FORGET:
		add_struct(input, sizeof(struct fuse_forget_in));
		return true;
	case FUSE_BATCH_FORGET:
		add_batch_forget(input);
		return true;
	case FUSE_GETATTR:
		add_struct(input, sizeof(struct fuse_getattr_in));
		return true;
	case FUSE_SETATTR:
		add_setattr(input);
		return true;
	case FUSE_READLINK:
	case FUSE_STATFS:
		return true;
	case FUSE_SYMLINK:
		add_name(input);
		add_name(input);
		return true;
	case FUSE_MKNOD:
		add_struct(input, sizeof(struct fuse_mknod_in));
		add_name(input);
		return true;
	case FUSE_MKDIR:
		add_struct(input, sizeof(struct fuse_mkdir_in));
		add_name(input);
		return true;
	case FUSE_RENAME2:
		add_struct(input, sizeof(struct fuse_rename2_in));
		add_name(input);
		add_name(input);
		return true;
	case FUSE_LINK:
		add_struct(input, sizeof(struct fuse_link_in));
		add_name(input);
		return true;
	case FUSE_OPEN:
	case FUSE_OPENDIR:
		add_struct(input, sizeof(struct fuse_open_in));
		return true;
	case OPCODE_TMPFILE:
	case FUSE_CREATE:
		add_struct(input, sizeof(struct fuse_create_in));
		add_name(input);
		return true;
	case FUSE_READ:
	case FUSE_READDIR:
	case FUSE_READDIRPLUS:
		add_read(input, 1 << 20);
		return true;
	case FUSE_WRITE:
		add_write(input);
		return true;
	case FUSE_RELEASE:
	case FUSE_RELEASEDIR:
		add_struct(input, sizeof(struct fuse_release_in));
		return true;
	case FUSE_SETXATTR:
		add_setxattr(input);
		return true;
	case FUSE_GETXATTR:
		add_getxattr(input);
		add_attribute(input);
		return true;
	case FUSE_LISTXATTR:
		add_getxattr(input);
		return true;
	case FUSE_REMOVEXATTR:
		add_attribute(input);
		return true;
	case FUSE_IOCTL:
		add_ioctl(input);
		return true;
	case FUSE_INTERRUPT:
		add_interrupt(input);
		return true;
	case OPCODE_STATX:
		add_struct(input, sizeof(struct statx_in));
		return true;
	case FUSE_FALLOCATE:
		add_fallocate(input);
		return true;
	case FUSE_LSEEK:
		add_struct(input, sizeof(struct fuse_lseek_in));
		return true;
	default:
		return false;
	}
}

static void send_one(struct fuzz_input *input)
{
	uint32_t opcode = fuzz_take_byte(input) % 64;
	uint8_t who = fuzz_take_byte(input);

	request.header.len = sizeof(request.header);
	request.header.uid = who & 0x80 ? 1000 : 0;
	request.header.gid = who & 0x40 ? 1000 : 0;
	/* a thread that is there: it may be sent a signal */
	request.header.pid = (uint32_t) getpid();
	if (!add_body(input, opcode))
		return;
	/* what is held stays so until the answer: or they would race */
	if (opcode == FUSE_IOCTL && who & 0x20)
		gate_set(true);
	send_request(opcode, who % NR_NODES);
	if (opcode == FUSE_IOCTL)
		engine_settle(who & 0x20);
	/* libfuse keeps one that came too late until the next request */
	if (opcode == FUSE_INTERRUPT)
		send_request(FUSE_STATFS, FUSE_ROOT_ID);
}

/* What an application has left, and the kernel then forgets. */
static int remove_one(const char *path, const struct stat *st, int type,
		      struct FTW *ftw)
{
	(void) st;
	(void) type;
	if (ftw->level)
		fuzz_must(!remove(path));
	return 0;
}

static void forget_all(void)
{
	const struct fuse_forget_in all = { UINT64_MAX };
	uint64_t cursor = 0, nodeid;

	while ((nodeid = inodes_next(me.server.inodes, &cursor))) {
		request.header.len = sizeof(request.header);
		add(&all, sizeof(all));
		send_request(FUSE_FORGET, nodeid);
	}
	fuzz_must(inodes_count(me.server.inodes) == 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input input = { data, size };

	if (!me.mount.recovery)
		start();
	mount_open();
	reset_extents();
	send_init();
	for (int i = 0; i < 64 && input.size; i++)
		send_one(&input);
	engine_settle(false);
	forget_all();
	mount_close();
	nftw(me.mount.path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	return 0;
}
