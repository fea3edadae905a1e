/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Messages to syslog that never wait. Whoever reads them may have its own files
 * on the mount, and wait there for us; syslog(3) would wait for it.
 */
#ifndef BASE_SYSLOG_H
#define BASE_SYSLOG_H

/*
 * Sends one line of text. priority is that of syslog(3), with the facility.
 * What the other side does not take at once is lost, and how many were lost is
 * said with the next one that it takes. Any thread may call it.
 */
void syslog_send(int priority, const char *text);

/* For tests: another socket than /dev/log. The path is borrowed. */
void syslog_set_path(const char *path);

#endif
