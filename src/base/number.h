/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Numbers and sizes as users write them.
 */
#ifndef BASE_NUMBER_H
#define BASE_NUMBER_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Reads decimal digits, and with suffix one of k m g t p e behind them, as
 * tmpfs has it: powers of 1024, in either case. *end gets what follows. False
 * when there is no number or it does not fit.
 */
bool number_parse(const char *text, bool suffix, const char **end,
		  uint64_t *number);

#endif
