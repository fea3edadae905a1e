/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How the tools and the daemon talk about a mount as a whole: a text protocol
 * on a SOCK_SEQPACKET socket that only root may use. Programs use the library
 * (hugetmpfs_connect() and friends); this is for the two ends of it.
 *
 * Request: one packet, one line, without NUL: a command, and after one space
 * its argument, to the end of the line; a newline at the end is allowed.
 *
 *	ping			is somebody there? answers with no line
 *	status			everything about the mount; looks at every file
 *	status no-scan		the same without looking at the files
 *	counters		the counters alone
 *	counters INO		those of one file, by its inode number
 *	metrics			status no-scan, and what each counter means
 *	metrics scan		the same, and it looks at every file
 *	cancel			ends all recoveries that were asked for; answers
 *				"cancelled EXTENTS"
 *	remount OPTIONS		changes options of the mount
 *	set [SETTINGS]		changes settings of recovery, "KEY=VALUE,...",
 *				all or none; answers with those that hold
 *	trace			each step of recovery as it comes, in lines
 *				"trace TIME_NS INO EXTENT PASS BEFORE AFTER PAGES
 *				DURATION_NS REASON PID ERRNO PATH"; "lost NR"
 *				for those that the client was too slow for, and
 *				"tracing" at the beginning and once a second
 *	upgrade			goes on with the program as it is installed now;
 *				answers when a daemon of it serves, or the one
 *				from before goes on
 *
 * Answer: one or more packets of whole lines, each ended by a newline. The
 * first line is
 *
 *	ok
 *	error ERRNO MESSAGE	ERRNO is a decimal errno; ends the answer
 *
 * After "ok" lines "KEY VALUE" follow, and the line "end" closes the answer;
 * without it the answer was cut short. An answer that takes long has a line
 * "scanned EXTENTS" about once a second, so silence means trouble. New keys may
 * be added and keys may come more than once (interface, counter); clients pass
 * over those that they do not know. An answer may also turn out to be an error
 * in the middle: an "error" line in place of "end".
 *
 * In VALUE, MESSAGE, OPTIONS and SETTINGS a newline is written "\n" and a backslash "\\".
 *
 * While one request of a connection is being answered the next is not read. The
 * daemon closes a connection that takes nothing for PROTOCOL_SEND_TIMEOUT_MS,
 * but for a trace, which goes on until the client closes it; then, and when the
 * mount ends, it is ended as any answer.
 *
 * Where the daemon is dead its keeper holds the socket. It knows one command
 * and answers every other with "error 107 ..." (ENOTCONN):
 *
 *	attach			mounts the files again; answers when that serves
 *
 * A daemon that lives answers "attach" with an error.
 */
#ifndef HUGETMPFS_PROTOCOL_H
#define HUGETMPFS_PROTOCOL_H

/*
 * Each mount has a folder there, named by the pid of its keeper, with the
 * socket and a file that says which mount it is, in lines
 * "dev MAJOR:MINOR", "mountpoint PATH" (escaped as above) and "state STATE",
 * which is "serving", or "dead" when the files wait for an attach.
 */
#define PROTOCOL_RUNTIME_DIR "/run/hugetmpfs"
#define PROTOCOL_SOCKET_NAME "control"
#define PROTOCOL_MOUNT_NAME  "mount"

/* Longest request and longest packet of an answer, in bytes. */
#define PROTOCOL_REQUEST_BYTES 4096
#define PROTOCOL_ANSWER_BYTES  16384

#define PROTOCOL_SEND_TIMEOUT_MS 10000

#define PROTOCOL_OK    "ok"
#define PROTOCOL_ERROR "error"
#define PROTOCOL_END   "end"

#define PROTOCOL_ATTACH	  "attach"
#define PROTOCOL_CANCEL	  "cancel"
#define PROTOCOL_PING	  "ping"
#define PROTOCOL_STATUS	  "status"
#define PROTOCOL_TRACE	  "trace"
#define PROTOCOL_NO_SCAN  "no-scan"
#define PROTOCOL_SCAN	  "scan"
#define PROTOCOL_COUNTERS "counters"
#define PROTOCOL_METRICS  "metrics"
#define PROTOCOL_REMOUNT  "remount"
#define PROTOCOL_SET	  "set"
#define PROTOCOL_UPGRADE  "upgrade"

#endif
