/* settings.h: every setting in one table: its name in the file, the environment variable that beats the file, its default, its type
 * and its place in struct vw_config. Reading, showing, hashing and documenting all walk this table. */
#ifndef CONFIG_SETTINGS_H
#define CONFIG_SETTINGS_H

#include "config/config.h"

#include <stddef.h>

enum setting_type {
	SETTING_TEXT,     /* const char * */
	SETTING_URI,      /* const char *; http or https, user info is taken apart */
	SETTING_BOOL,     /* bool */
	SETTING_INT,      /* int */
	SETTING_NUMBER,   /* double */
	SETTING_DURATION, /* int64_t, ms */
	SETTING_LEVEL,    /* enum vw_log_level */
	SETTING_FORMAT,   /* enum vw_log_format */
	SETTING_LISTEN    /* const char *; a loopback address and port, or "off" */
};

struct setting {
	const char *section; /* NULL: at the top of the file */
	const char *key;
	const char *env[2];
	const char *fallback; /* as text; NULL: none */
	enum setting_type type;
	size_t offset;
	double min, max; /* of numbers; durations in ms */
};

struct list_setting {
	const char *section;
	const char *key;
	size_t offset; /* of a const char *const * */
};

#define SETTING_COUNT 30
#define LIST_COUNT    5
extern const struct setting settings[SETTING_COUNT];
extern const struct list_setting list_settings[LIST_COUNT];

/* What the file says, as text; filled by libcyaml. */
struct settings_file {
	char *values[SETTING_COUNT];
	char **lists[LIST_COUNT];
	unsigned list_counts[LIST_COUNT];
};

/* file.c: reads the file against a schema made from the tables. The result is freed with settings_file_free(). */
int settings_file_read(const char *path, struct settings_file **out, char **out_text, struct vw_error *err);
void settings_file_free(struct settings_file *file);
/* The line on which `key` stands; 0 when it cannot be told. For messages about values. */
unsigned settings_file_line(const char *text, const char *key);

#endif
