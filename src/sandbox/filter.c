/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The list of system calls: a program that is run by the build and writes the
 * daemon's filter down, for install.c. libseccomp would take longer for it than
 * all else that a daemon does before it reads the tables, at each start, while
 * everybody waits.
 *
 * The list has what the daemon and its libraries call, and
 * what a C library may call instead on the way to the same thing: a function
 * that was open yesterday is openat today and may be openat2 tomorrow. What is
 * missing answers ENOSYS, for which C libraries have another way, rather than
 * end a process that holds up others.
 *
 * Not in it is what a daemon that was taken over from within would want: to
 * execute something, to make memory executable, to mount, to enter or make a
 * namespace, to trace or write to other processes, the network, modules, BPF,
 * keys, changing its user for good. clone3 cannot be looked into; a process
 * made by it has this filter, too.
 *
 * Numbers, not names: libseccomp knows only the names that there were when it
 * was made.
 */
#include <errno.h>
#include <linux/filter.h>
#include <sched.h>
#include <seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>

/* Those that the headers of the build may not have yet. */
#ifndef SYS_cachestat
#define SYS_cachestat 451
#endif
#ifndef SYS_fchmodat2
#define SYS_fchmodat2 452
#endif
#ifndef SYS_futex_wake
#define SYS_futex_wake 454
#define SYS_futex_wait 455
#define SYS_futex_requeue 456
#endif
#ifndef SYS_setxattrat
#define SYS_setxattrat 463
#define SYS_getxattrat 464
#define SYS_listxattrat 465
#define SYS_removexattrat 466
#endif
#ifndef SYS_file_getattr
#define SYS_file_getattr 468
#define SYS_file_setattr 469
#endif

static const int allowed[] = {
	/* descriptors and what is read and written through them */
	SYS_close, SYS_close_range, SYS_dup, SYS_dup3, SYS_fcntl, SYS_ioctl,
	SYS_lseek, SYS_openat, SYS_openat2, SYS_pipe2, SYS_pread64, SYS_preadv,
	SYS_preadv2, SYS_pwrite64, SYS_pwritev, SYS_pwritev2, SYS_read,
	SYS_readv, SYS_splice, SYS_write, SYS_writev,
	/* files by handle, and by name below a descriptor */
	SYS_copy_file_range, SYS_faccessat, SYS_faccessat2, SYS_fallocate,
	SYS_fchmod, SYS_fchmodat, SYS_fchmodat2, SYS_fchown, SYS_fchownat,
	SYS_ftruncate, SYS_getdents64, SYS_linkat, SYS_mkdirat, SYS_mknodat,
	SYS_name_to_handle_at, SYS_newfstatat, SYS_open_by_handle_at,
	SYS_readlinkat, SYS_renameat, SYS_renameat2, SYS_fstat, SYS_statfs,
	SYS_fstatfs, SYS_statx, SYS_symlinkat, SYS_truncate, SYS_umask,
	SYS_unlinkat, SYS_utimensat,
	/* their attributes */
	SYS_fgetxattr, SYS_file_getattr, SYS_file_setattr, SYS_flistxattr,
	SYS_fremovexattr, SYS_fsetxattr, SYS_getxattr, SYS_getxattrat,
	SYS_lgetxattr, SYS_listxattr, SYS_listxattrat, SYS_llistxattr,
	SYS_lremovexattr, SYS_lsetxattr, SYS_removexattr, SYS_removexattrat,
	SYS_setxattr, SYS_setxattrat,
	/* remount: changes of the backing, not another mount */
	SYS_fsconfig, SYS_fspick, SYS_mount_setattr,
	/* memory */
	SYS_brk, SYS_cachestat, SYS_get_mempolicy, SYS_madvise, SYS_mbind,
	SYS_membarrier, SYS_memfd_create, SYS_migrate_pages, SYS_mincore,
	SYS_mlock, SYS_mlock2, SYS_move_pages, SYS_mremap, SYS_msync,
	SYS_munlock, SYS_munmap, SYS_process_madvise, SYS_process_vm_readv,
	SYS_set_mempolicy, SYS_set_mempolicy_home_node,
	/* many of them at once */
	SYS_io_uring_enter, SYS_io_uring_register, SYS_io_uring_setup,
	/* waiting */
	SYS_clock_nanosleep, SYS_epoll_create1, SYS_epoll_ctl, SYS_epoll_pwait,
	SYS_eventfd2, SYS_futex, SYS_futex_requeue, SYS_futex_wait,
	SYS_futex_waitv, SYS_futex_wake, SYS_nanosleep, SYS_ppoll, SYS_pselect6,
	SYS_restart_syscall, SYS_sched_yield, SYS_timerfd_create,
	SYS_timerfd_gettime, SYS_timerfd_settime,
	/* time, chance and the machine */
	SYS_clock_getres, SYS_clock_gettime, SYS_getcpu, SYS_getrandom,
	SYS_getrusage, SYS_gettimeofday, SYS_sysinfo, SYS_times, SYS_uname,
	/* in whose name */
	SYS_capget, SYS_capset, SYS_getegid, SYS_geteuid, SYS_getgid,
	SYS_getgroups, SYS_getresgid, SYS_getresuid, SYS_getuid, SYS_setfsgid,
	SYS_setfsuid, SYS_setgroups,
	/* threads, and short-lived processes in memory cgroups */
	SYS_clone3, SYS_exit, SYS_exit_group, SYS_get_robust_list, SYS_getpgid,
	SYS_getpid, SYS_getppid, SYS_getpriority, SYS_getrlimit, SYS_getsid,
	SYS_gettid, SYS_prctl, SYS_prlimit64, SYS_rseq,
	SYS_sched_get_priority_max, SYS_sched_get_priority_min,
	SYS_sched_getaffinity, SYS_sched_getattr, SYS_sched_getparam,
	SYS_sched_getscheduler, SYS_sched_setaffinity, SYS_set_robust_list,
	SYS_set_tid_address, SYS_setpriority, SYS_wait4, SYS_waitid,
	/* signals */
	SYS_kill, SYS_pidfd_open, SYS_pidfd_send_signal, SYS_rt_sigaction,
	SYS_rt_sigpending, SYS_rt_sigprocmask, SYS_rt_sigreturn,
	SYS_rt_sigsuspend, SYS_rt_sigtimedwait, SYS_sigaltstack, SYS_tgkill,
	SYS_tkill,
	/* the control socket, the keeper, the log */
	SYS_accept, SYS_accept4, SYS_connect, SYS_getpeername, SYS_getsockname,
	SYS_getsockopt, SYS_recvfrom, SYS_recvmsg, SYS_sendmsg, SYS_sendto,
	SYS_setsockopt, SYS_shutdown,
#ifdef SYS_open
	/* the same with no descriptor or flags, on the older architectures */
	SYS_access, SYS_chmod, SYS_chown, SYS_dup2, SYS_epoll_wait, SYS_fork,
	SYS_futimesat, SYS_getdents, SYS_getpgrp, SYS_lchown, SYS_link,
	SYS_lstat, SYS_mkdir, SYS_mknod, SYS_open, SYS_pause, SYS_pipe,
	SYS_poll, SYS_readlink, SYS_rename, SYS_rmdir, SYS_select, SYS_stat,
	SYS_symlink, SYS_time, SYS_unlink, SYS_utime, SYS_utimes, SYS_vfork,
#endif
#ifdef SYS_arch_prctl
	SYS_arch_prctl,
#endif
};

/* Calls that are allowed when the bits of mask in an argument are value. */
static const struct {
	int number;
	unsigned argument;
	scmp_datum_t mask;
	scmp_datum_t value;
} conditions[] = {
	{ SYS_mmap, 2, PROT_EXEC, 0 },
	{ SYS_mprotect, 2, PROT_EXEC, 0 },
	{ SYS_unshare, 0, ~(scmp_datum_t) CLONE_FS, 0 },
	{ SYS_socket, 0, ~(scmp_datum_t) 0, AF_UNIX },
	{ SYS_socketpair, 0, ~(scmp_datum_t) 0, AF_UNIX },
	{ SYS_clone, 0, CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS |
			CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID |
			CLONE_NEWNET | CLONE_PTRACE, 0 },
};

static int add_rules(scmp_filter_ctx filter)
{
	int ret = 0;

	for (size_t i = 0; !ret && i < sizeof(allowed) / sizeof(*allowed); i++)
		ret = seccomp_rule_add(filter, SCMP_ACT_ALLOW, allowed[i], 0);
	for (size_t i = 0;
	     !ret && i < sizeof(conditions) / sizeof(*conditions); i++)
		ret = seccomp_rule_add(filter, SCMP_ACT_ALLOW,
				       conditions[i].number, 1,
				       SCMP_CMP(conditions[i].argument,
						SCMP_CMP_MASKED_EQ,
						conditions[i].mask,
						conditions[i].value));
	return ret;
}

static int make(scmp_filter_ctx filter, int fd)
{
	int ret = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH,
				   SCMP_ACT_ERRNO(ENOSYS));

	/* without it the same is decided, later */
	seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	if (!ret)
		ret = add_rules(filter);
	return ret ? ret : seccomp_export_bpf(filter, fd);
}

/* As an array of C, on standard output. */
static int write_down(FILE *program)
{
	struct sock_filter line;

	rewind(program);
	printf("/* made by sandbox/filter.c */\n"
	       "static const struct sock_filter filter_program[] = {\n");
	while (fread(&line, sizeof(line), 1, program) == 1)
		printf("\t{ 0x%02x, %u, %u, 0x%08x },\n",
		       (unsigned) line.code, (unsigned) line.jt,
		       (unsigned) line.jf, (unsigned) line.k);
	printf("};\n");
	return ferror(program) || fflush(stdout) ? -EIO : 0;
}

int main(void)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));
	FILE *program = tmpfile();
	int ret = filter && program ? make(filter, fileno(program)) : -ENOMEM;

	if (!ret)
		ret = write_down(program);
	if (ret)
		fprintf(stderr, "cannot make the filter of system calls: %s\n",
			strerror(-ret));
	if (program)
		fclose(program);
	seccomp_release(filter);
	return !!ret;
}
