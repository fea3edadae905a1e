/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The one log sink of the daemon, keeper and mount program. Messages are in
 * lower case, without a full stop. Thread-safe. Libraries never log.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdarg.h>
#include <stdbool.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* Subsystems of debug messages; names as in the option debug=. */
#define LOG_MASKS(X) X(FUSE, "fuse") X(NAMESPACE, "namespace") X(RECOVERY, "recovery") \
	X(MM, "mm") X(CONTROL, "control") X(KEEPER, "keeper")

enum log_mask_bit {
#define X(constant, name) LOG_MASK_BIT_##constant,
	LOG_MASKS(X)
#undef X
	LOG_NR_MASKS
};

/* Where messages go; the default is standard error. */
typedef void log_sink_fn(enum log_level level, const char *format, va_list ap);

void log_set_sink(log_sink_fn *sink); /* before any thread is started */
void log_sink_syslog(enum log_level level, const char *format, va_list ap);
void log_sink_stderr(enum log_level level, const char *format, va_list ap);

/*
 * Turns on the debug messages of the comma-separated subsystems ("all" is
 * every one). Returns 0, or -EINVAL at an unknown name, changing nothing.
 */
int log_set_debug(const char *names);
bool log_debug_enabled(enum log_mask_bit subsystem);

void log_write(enum log_level level, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#define log_error(...) log_write(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_write(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_info(...) log_write(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(SUBSYSTEM, ...)                                              \
	do {                                                                   \
		if (log_debug_enabled(LOG_MASK_BIT_##SUBSYSTEM))               \
			log_write(LOG_LEVEL_DEBUG, __VA_ARGS__);               \
	} while (0)

#endif
