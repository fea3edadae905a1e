/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The progress line: drawn over itself, cut to the width of the terminal.
 */
#include "ctl/progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "ctl/message.h"

#define PROGRESS_DRAW_NS (100 * CLOCK_NS_PER_MS)

void progress_start(struct progress *progress, uint64_t total_bytes)
{
	*progress = (struct progress){
		.on = isatty(STDERR_FILENO),
		.total_bytes = total_bytes,
		.start_ns = clock_now_ns(),
	};
}

static unsigned terminal_columns(void)
{
	struct winsize size;

	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) || !size.ws_col)
		return 80;
	return size.ws_col;
}

/* "1:02:03", or "0:07". */
static void format_time(uint64_t seconds, char *out, size_t bytes)
{
	if (seconds >= 3600)
		snprintf(out, bytes, "%" PRIu64 ":%02u:%02u", seconds / 3600,
			 (unsigned) (seconds / 60 % 60),
			 (unsigned) (seconds % 60));
	else
		snprintf(out, bytes, "%u:%02u", (unsigned) (seconds / 60),
			 (unsigned) (seconds % 60));
}

void progress_format(const struct progress *progress, uint64_t now_ns,
		     const char *path, unsigned columns, char *out,
		     unsigned out_bytes)
{
	double seconds = (double) (now_ns - progress->start_ns) / 1e9;
	double done = (double) progress->done_bytes;
	double rate = seconds > 0 ? done / seconds : 0;
	char name[SHOW_NAME_BYTES], size[SHOW_SIZE_BYTES];
	char left[32] = "", percent[16] = "";

	if (progress->total_bytes) {
		double total = (double) progress->total_bytes;
		double part = done < total ? done / total : 1;

		snprintf(percent, sizeof(percent), "%3.0f %%  ", 100 * part);
		if (rate > 0 && (total - done) / rate < 1e7) {
			char text[24];

			format_time(done < total ? (uint64_t) ((total - done) /
							       rate) : 0,
				    text, sizeof(text));
			snprintf(left, sizeof(left), "%s left  ", text);
		}
	}
	if (columns >= out_bytes)
		columns = out_bytes - 1;
	snprintf(out, columns + 1, "%s%s  %.2f GiB/s  %s%s", percent,
		 show_size(done, size), rate / (1 << 30), left,
		 show_name(path, name));
}

void progress_add(struct progress *progress, uint64_t bytes, const char *path)
{
	uint64_t now = clock_now_ns();
	char line[512];

	progress->done_bytes += bytes;
	/* what is first known is drawn at once */
	if (!progress->on ||
	    (progress->last_ns && now - progress->last_ns < PROGRESS_DRAW_NS))
		return;
	/* the last column stays free: some terminals wrap when it is used */
	progress_format(progress, now, path, terminal_columns() - 1, line,
			sizeof(line));
	fprintf(stderr, "\r%s\033[K", line);
	progress->last_ns = now;
	progress->shown = true;
}

void progress_clear(struct progress *progress)
{
	if (!progress->shown)
		return;
	fputs("\r\033[K", stderr);
	progress->shown = false;
}
