/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The FUSE session: what is asked of the kernel at INIT, and which function
 * answers which request.
 *
 * Not in the table of operations, so answered ENOSYS, which the kernel takes
 * once and for all: flush, fsync and fsyncdir (tmpfs has nothing to do there)
 * and copy_file_range (the kernel then copies in the caller's context, which
 * charges the memory to the caller). Locks stay with the kernel as well.
 */
#include "fuse/server.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "fuse/ops.h"
#include "mm/mm.h"
#include "namespace/creds.h"

/* Largest write request; only without passthrough are there any. */
#define MAX_WRITE_BYTES (256 * 1024)

static const struct fuse_lowlevel_ops server_ops = {
	.init = op_init,
	.lookup = op_lookup,
	.forget = op_forget,
	.forget_multi = op_forget_multi,
	.getattr = op_getattr,
	.setattr = op_setattr,
	.statx = op_statx,
	.statfs = op_statfs,
	.readlink = op_readlink,
	.mknod = op_mknod,
	.mkdir = op_mkdir,
	.symlink = op_symlink,
	.link = op_link,
	.unlink = op_unlink,
	.rmdir = op_rmdir,
	.rename = op_rename,
	.create = op_create,
	.tmpfile = op_tmpfile,
	.open = op_open,
	.release = op_release,
	.read = op_read,
	.write = op_write,
	.fallocate = op_fallocate,
	.lseek = op_lseek,
	.opendir = op_opendir,
	.readdir = op_readdir,
	.readdirplus = op_readdirplus,
	.releasedir = op_releasedir,
	.setxattr = op_setxattr,
	.getxattr = op_getxattr,
	.listxattr = op_listxattr,
	.removexattr = op_removexattr,
	.ioctl = op_ioctl,
};

/* Without these the mount would not behave as tmpfs does. */
static const struct {
	uint64_t capability;
	const char *name;
} needed[] = {
	{ FUSE_CAP_DONT_MASK, "umask in the server" },
	{ FUSE_CAP_POSIX_ACL, "POSIX ACLs" },
	{ FUSE_CAP_HANDLE_KILLPRIV_V2, "clearing of set-id bits by the server" },
	{ FUSE_CAP_PARALLEL_DIROPS, "parallel directory operations" },
	{ FUSE_CAP_EXPORT_SUPPORT, "file handles" },
	{ FUSE_CAP_READDIRPLUS, "listings with attributes" },
	{ FUSE_CAP_READDIRPLUS_AUTO, "listings with attributes on demand" },
};

static void refuse(struct server *server, const char *what)
{
	log_error("this kernel's FUSE lacks %s: Linux 6.9 or later is needed",
		  what);
	server->error = -EOPNOTSUPP;
}

void op_init(void *userdata, struct fuse_conn_info *conn)
{
	struct server *server = userdata;

	loop_reached();
	for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++)
		if (!fuse_set_feature_flag(conn, needed[i].capability))
			refuse(server, needed[i].name);
	if (server->config.passthrough &&
	    !fuse_set_feature_flag(conn, FUSE_CAP_PASSTHROUGH))
		refuse(server, "passthrough");
	fuse_set_feature_flag(conn, FUSE_CAP_CACHE_SYMLINKS);
	/* a truncating open is an open and a truncate (FACTS K4) */
	fuse_unset_feature_flag(conn, FUSE_CAP_ATOMIC_O_TRUNC);
	/* nobody else changes the data: what is cached stays valid */
	fuse_unset_feature_flag(conn, FUSE_CAP_AUTO_INVAL_DATA);
	/* requests in its rings would be lost with this process (K8) */
	fuse_unset_feature_flag(conn, FUSE_CAP_OVER_IO_URING);
	/* the receive loop looks at the bytes of each request */
	fuse_unset_feature_flag(conn, FUSE_CAP_SPLICE_READ);
	conn->max_backing_stack_depth = FUSE_BACKING_STACKED_UNDER;
	conn->max_write = MAX_WRITE_BYTES;
	conn->time_gran = 1;
}

static void log_fuse(enum fuse_log_level level, const char *format, va_list ap)
{
	char line[512];

	vsnprintf(line, sizeof(line), format, ap);
	line[strcspn(line, "\n")] = '\0';
	if (level <= FUSE_LOG_ERR)
		log_error("%s", line);
	else if (level <= FUSE_LOG_WARNING)
		log_warning("%s", line);
	else
		log_debug(FUSE, "%s", line);
}

int server_open_session(struct server *server)
{
	char *argv[] = { "hugetmpfs", NULL, NULL };
	struct fuse_args args = FUSE_ARGS_INIT(1, argv);
	char device[32];
	int fd;

	if (log_debug_enabled(LOG_MASK_BIT_FUSE)) {
		argv[1] = "-d";
		args.argc = 2;
	}
	fuse_set_log_func(log_fuse);
	server->session = fuse_session_new(&args, &server_ops,
					   sizeof(server_ops), server);
	fuse_opt_free_args(&args);
	if (!server->session)
		return -ENOMEM;
	/* mounted by the keeper already (FACTS K2); the session closes its fd */
	fd = fcntl(server->config.fuse_fd, F_DUPFD_CLOEXEC, 3);
	snprintf(device, sizeof(device), "/dev/fd/%d", fd);
	if (fd < 0 || fuse_session_mount(server->session, device)) {
		fuse_session_destroy(server->session);
		return -EBADF;
	}
	return 0;
}

struct charge *server_charge(const struct server *server)
{
	return server->config.mm ? mm_charge(server->config.mm) : NULL;
}

static void ignore_signals(void)
{
	struct sigaction ignore = { .sa_handler = SIG_IGN };

	/* a lease that is tested for a moment may be broken at that moment */
	sigaction(SIGIO, &ignore, NULL);
	sigaction(SIGPIPE, &ignore, NULL);
	sigaction(SIGXFSZ, &ignore, NULL);
}

int server_run(const struct server_config *config)
{
	struct server server = {
		.config = *config,
		.inodes = config->inodes,
		.calls_mutex = PTHREAD_MUTEX_INITIALIZER,
		.calls_fewer = PTHREAD_COND_INITIALIZER,
		.calls = LIST_HEAD_INITIALIZER(server.calls),
		.policies_mutex = PTHREAD_MUTEX_INITIALIZER,
	};
	int ret;

	directories_open(&server);
	ignore_signals();
	ret = creds_thread_init();
	if (ret)
		return ret;
	ret = server_open_session(&server);
	if (ret)
		return ret;
	ret = loop_run(&server);
	calls_drain(&server);
	directories_close(&server);
	fuse_session_destroy(server.session);
	return ret;
}
