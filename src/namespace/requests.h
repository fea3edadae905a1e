/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Names of the FUSE requests that are counted, by their opcode in the kernel's
 * protocol (linux/fuse.h): counter TABLE_COUNTERS_REQUESTS + opcode.
 */
#ifndef NAMESPACE_REQUESTS_H
#define NAMESPACE_REQUESTS_H

#define NAMESPACE_REQUESTS(X)                                                  \
	X(1, "lookup") X(2, "forget") X(3, "getattr") X(4, "setattr")          \
	X(5, "readlink") X(6, "symlink") X(8, "mknod") X(9, "mkdir")           \
	X(10, "unlink") X(11, "rmdir") X(12, "rename") X(13, "link")           \
	X(14, "open") X(15, "read") X(16, "write") X(17, "statfs")             \
	X(18, "release") X(20, "fsync") X(21, "setxattr") X(22, "getxattr")    \
	X(23, "listxattr") X(24, "removexattr") X(25, "flush") X(26, "init")   \
	X(27, "opendir") X(28, "readdir") X(29, "releasedir")                  \
	X(30, "fsyncdir") X(34, "access") X(35, "create") X(36, "interrupt")   \
	X(38, "destroy") X(39, "ioctl") X(40, "poll") X(42, "batch_forget")    \
	X(43, "fallocate") X(44, "readdirplus") X(45, "rename2")               \
	X(46, "lseek") X(47, "copy_file_range") X(50, "syncfs")                \
	X(51, "tmpfile") X(52, "statx")

#endif
