/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The settings and their text. One table says of each what it is; whatever
 * reads or writes them goes by it.
 */
#include "recovery/settings.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "base/optstr.h"

enum setting_kind {
	SETTING_NUMBER, /* uint32_t */
	SETTING_BYTES,	/* uint64_t, with a suffix as tmpfs has it */
	SETTING_SWITCH, /* bool */
	SETTING_RECOVER,
	SETTING_NUMA,
};

#define AT(field) offsetof(struct recovery_settings, field)

static const struct setting {
	const char *key;
	enum setting_kind kind;
	size_t offset;
	uint64_t least, most;
} settings_table[] = {
	{"bytes_per_second", SETTING_BYTES, AT(bytes_per_second), 0, INT64_MAX},
	{"compact", SETTING_SWITCH, AT(compact), 0, 1},
	{"cpu_percent", SETTING_NUMBER, AT(cpu_percent), 0,
	 100 * RECOVERY_MAX_RECOVERIES},
	{"free_block", SETTING_SWITCH, AT(free_block), 0, 1},
	{"latency_us", SETTING_NUMBER, AT(latency_us), 100, 1000000},
	{"max_holes", SETTING_NUMBER, AT(max_holes), 0, 511},
	{"numa", SETTING_NUMA, AT(numa), 0, 0},
	{"pressure_percent", SETTING_NUMBER, AT(pressure_percent), 0, 100},
	{"recover", SETTING_RECOVER, AT(recover), 0, 0},
	{"recoveries", SETTING_NUMBER, AT(recoveries), 0,
	 RECOVERY_MAX_RECOVERIES},
};

#define NR_SETTINGS (sizeof(settings_table) / sizeof(settings_table[0]))

static const char *const recover_names[] = {
	[RECOVERY_RECOVER_OFF] = "off",
	[RECOVERY_RECOVER_MAPPED] = "mapped",
	[RECOVERY_RECOVER_ALL] = "all",
};

void recovery_settings_init(struct recovery_settings *settings)
{
	*settings = (struct recovery_settings){
		.recoveries = 8, /* shmem_huge_recoveries of the series */
		.max_holes = 64,
		.cpu_percent = 100,
		.latency_us = 5000,
		.pressure_percent = 20,
		.free_block = true,
		.recover = RECOVERY_RECOVER_MAPPED,
		.numa = { .last = PLACEMENT_TO_END },
	};
}

static const struct setting *setting_find(const char *key)
{
	for (size_t i = 0; i < NR_SETTINGS; i++) {
		if (!strcmp(key, settings_table[i].key))
			return &settings_table[i];
	}
	return NULL;
}

bool recovery_settings_has(const char *key)
{
	return setting_find(key) != NULL;
}

/* Digits only, and for bytes one of k m g t p e behind them. */
static bool setting_number(const struct setting *setting, const char *value,
			   uint64_t *number)
{
	const char *end;

	return number_parse(value, setting->kind == SETTING_BYTES, &end,
			    number) &&
	       !*end && *number >= setting->least && *number <= setting->most;
}

static bool setting_word(const char *value, uint64_t *number)
{
	for (size_t i = 0; i < sizeof(recover_names) / sizeof(*recover_names);
	     i++) {
		if (!strcmp(value, recover_names[i])) {
			*number = i;
			return true;
		}
	}
	return false;
}

/* One rule, for all extents. error may be NULL. */
static bool setting_rule(const char *value, struct placement_rule *rule,
			 char *error, size_t error_size)
{
	struct placement_policy policy;

	if (placement_parse(value, strlen(value), &policy, error, error_size))
		return false;
	if (policy.nr > 1 || policy.rules[0].first ||
	    policy.rules[0].last != PLACEMENT_TO_END) {
		if (error)
			snprintf(error, error_size,
				 "a mount has one rule, for all extents: give "
				 "the others to its files");
		return false;
	}
	*rule = policy.rules[0];
	return true;
}

static bool setting_store(const struct setting *setting,
			  struct recovery_settings *settings,
			  const char *value)
{
	void *at = (char *) settings + setting->offset;
	uint64_t number;

	switch (setting->kind) {
	case SETTING_NUMBER:
		if (!setting_number(setting, value, &number))
			return false;
		*(uint32_t *) at = (uint32_t) number;
		return true;
	case SETTING_BYTES:
		return setting_number(setting, value, at);
	case SETTING_SWITCH:
		*(bool *) at = !strcmp(value, "on");
		return *(bool *) at || !strcmp(value, "off");
	case SETTING_RECOVER:
		if (!setting_word(value, &number))
			return false;
		settings->recover = (enum recovery_recover) number;
		return true;
	case SETTING_NUMA:
		return setting_rule(value, &settings->numa, NULL, 0);
	}
	return false;
}

/* What is allowed, in words. */
static void setting_allowed(const struct setting *setting, char *text,
			    size_t size)
{
	switch (setting->kind) {
	case SETTING_NUMBER:
		snprintf(text, size, "a number from %" PRIu64 " to %" PRIu64,
			 setting->least, setting->most);
		break;
	case SETTING_BYTES:
		snprintf(text, size, "a number of bytes from 0 (no limit) to %"
			 PRIu64 ", or with a suffix k, m, g, t, p or e",
			 setting->most);
		break;
	case SETTING_SWITCH:
		snprintf(text, size, "on or off");
		break;
	case SETTING_RECOVER:
		snprintf(text, size, "mapped, all or off");
		break;
	case SETTING_NUMA:
		snprintf(text, size, "default, bind:NODES, prefer:NODE, "
				     "interleave:NODES or follow");
		break;
	}
}

int recovery_settings_set_one(struct recovery_settings *settings,
			      const char *key, const char *value, char *error,
			      size_t error_size)
{
	const struct setting *setting = setting_find(key);
	struct recovery_settings copy = *settings;
	char allowed[192];

	if (!setting) {
		snprintf(error, error_size, "unknown setting '%.100s'", key);
		return -EINVAL;
	}
	if (value && setting_store(setting, &copy, value)) {
		*settings = copy;
		return 0;
	}
	setting_allowed(setting, allowed, sizeof(allowed));
	if (value && setting->kind == SETTING_NUMA) {
		setting_rule(value, &copy.numa, allowed, sizeof(allowed));
		snprintf(error, error_size, "option %s: %s", key, allowed);
	} else if (value) {
		snprintf(error, error_size,
			 "bad value '%.100s' for option %s: it is %s", value,
			 key, allowed);
	} else {
		snprintf(error, error_size,
			 "option %s needs a value: it is %s", key, allowed);
	}
	return -EINVAL;
}

int recovery_settings_parse(struct recovery_settings *settings,
			    const char *text, char *error, size_t error_size)
{
	struct recovery_settings copy = *settings;
	char *words, *cursor, *key, *value;
	bool any = false;
	int ret = 0;

	words = cursor = strdup(text);
	if (!words) {
		snprintf(error, error_size, "not enough memory");
		return -ENOMEM;
	}
	while (!ret && (key = optstr_next(&cursor, &value))) {
		any = true;
		ret = recovery_settings_set_one(&copy, key, value, error,
						error_size);
	}
	free(words);
	if (!ret && !any) {
		snprintf(error, error_size, "no setting is named");
		ret = -EINVAL;
	}
	if (!ret)
		*settings = copy;
	return ret;
}

static void setting_show_rule(const struct setting *setting,
			      const struct placement_rule *rule,
			      recovery_settings_fn *fn, void *arg)
{
	struct placement_policy policy = { .nr = 1 };
	char text[HUGETMPFS_NUMA_BYTES];

	policy.rules[0] = *rule;
	placement_format(&policy, text, sizeof(text));
	fn(arg, setting->key, text);
}

void recovery_settings_show(const struct recovery_settings *settings,
			    recovery_settings_fn *fn, void *arg)
{
	const struct setting *setting;
	char number[24];

	for (size_t i = 0; i < NR_SETTINGS; i++) {
		setting = &settings_table[i];
		const void *at = (const char *) settings + setting->offset;

		switch (setting->kind) {
		case SETTING_NUMBER:
			snprintf(number, sizeof(number), "%" PRIu32,
				 *(const uint32_t *) at);
			fn(arg, setting->key, number);
			break;
		case SETTING_BYTES:
			snprintf(number, sizeof(number), "%" PRIu64,
				 *(const uint64_t *) at);
			fn(arg, setting->key, number);
			break;
		case SETTING_SWITCH:
			fn(arg, setting->key, *(const bool *) at ? "on" : "off");
			break;
		case SETTING_RECOVER:
			fn(arg, setting->key, recover_names[settings->recover]);
			break;
		case SETTING_NUMA:
			setting_show_rule(setting, &settings->numa, fn, arg);
			break;
		}
	}
}
