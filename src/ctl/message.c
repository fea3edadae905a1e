/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Messages, and names and numbers for people.
 */
#include "ctl/message.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <hugetmpfs/types.h>

#include "ctl/command.h"

void ctl_error(const char *format, ...)
{
	va_list ap;

	fputs("hugetmpfsctl: ", stderr);
	va_start(ap, format);
	vfprintf(stderr, format, ap);
	va_end(ap);
	fputc('\n', stderr);
}

const char *file_error_text(int error)
{
	switch (-error) {
	case ENOTTY:
		return "not on a hugetmpfs mount";
	case ENOTCONN:
	case ECONNABORTED:
		return "the daemon of the mount is dead; hugetmpfs --attach "
		       "rescues its files";
	case EISDIR:
		return "is a directory; name files";
	case EMEDIUMTYPE:
		return "not a regular file";
	case EAGAIN:
		return "too many requests are waiting, try later";
	case ENXIO:
		return "the range lies beyond the end of the file";
	case ETXTBSY:
		return "a program runs from it, so it cannot be opened for "
		       "writing";
	default:
		return strerror(-error);
	}
}

const char *mount_error_text(int error)
{
	switch (-error) {
	case EACCES:
	case EPERM:
		return "only root may ask the daemon";
	case ENODEV:
		return "the mount has no entry in /run/hugetmpfs; was it "
		       "mounted from another container?";
	case ECONNREFUSED:
		return "the keeper of the mount is gone; unmount it";
	case ETIMEDOUT:
		return "the daemon does not answer";
	case ECONNRESET:
	case EPIPE:
		return "the daemon ended before it had answered";
	case EPROTO:
		return "the daemon's answer makes no sense; is it of another "
		       "version?";
	default:
		return file_error_text(error);
	}
}

const char *policy_word(unsigned background)
{
	switch (background) {
	case HUGETMPFS_BACKGROUND_OFF:
		return "off";
	case HUGETMPFS_BACKGROUND_MAPPED:
		return "mapped";
	case HUGETMPFS_BACKGROUND_ALL:
		return "all";
	default:
		return NULL;
	}
}

const char *show_name(const char *name, char out[SHOW_NAME_BYTES])
{
	size_t length = 0;

	for (; *name && length + 5 <= SHOW_NAME_BYTES; name++) {
		unsigned char c = (unsigned char) *name;

		if (c == '\\')
			length += (size_t) sprintf(out + length, "\\\\");
		else if (c < 0x20 || c == 0x7f)
			length += (size_t) sprintf(out + length, "\\%03o", c);
		else
			out[length++] = (char) c;
	}
	out[length] = '\0';
	return out;
}

const char *show_size(double bytes, char out[SHOW_SIZE_BYTES])
{
	static const char *const units[] = { "bytes", "KiB", "MiB", "GiB",
					     "TiB",   "PiB", "EiB" };
	size_t unit = 0;

	while (bytes >= 1024 && unit + 1 < NR(units)) {
		bytes /= 1024;
		unit++;
	}
	snprintf(out, SHOW_SIZE_BYTES, unit ? "%.1f %s" : "%.0f %s", bytes,
		 units[unit]);
	return out;
}
