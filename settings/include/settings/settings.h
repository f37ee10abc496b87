/* settings.h: what an operator decided, from one YAML file and the environment, into a program's own struct.
 *
 * A program has a table with one row for each setting: its name in the file, the environment variable that beats the file, its
 * default, its type and its place in the struct. Reading, showing and hashing all walk this table; controller/config is such
 * a table and such a struct.
 *
 *	struct conf { const char *listen; int64_t timeout_ms; const char *const *origins; };
 *	static const struct vw_setting rows[] = {
 *	    {.key = "listen", .env = {"VW_LISTEN"}, .fallback = "0.0.0.0:8443", .type = VW_SETTING_LISTEN, .offset = offsetof(struct conf,
 *	     listen), .flags = VW_SETTING_ANYWHERE},
 *	    {.section = "rest", .key = "timeout", .fallback = "30s", .type = VW_SETTING_DURATION, .offset = offsetof(struct conf,
 *	     timeout_ms), .min = 1000, .max = 600000},
 *	    {.section = "rest", .key = "origins", .type = VW_SETTING_LIST, .offset = offsetof(struct conf, origins)},
 *	};
 *	static const struct vw_settings_table table = {rows, 3, "VW_CONFIG", "verifywise/controller.yaml"};
 *
 * Precedence: what a program sets itself (the command line), the environment, the file, the default. An empty variable is as good as none.
 * The file has one level of sections. Secrets are never in it, only names of files that hold them. Errors name file, line and key. */
#ifndef SETTINGS_SETTINGS_H
#define SETTINGS_SETTINGS_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum vw_setting_type {
	VW_SETTING_TEXT,     /* const char * */
	VW_SETTING_URI,      /* const char *; http or https, without user info; a '/' at its end is taken off */
	VW_SETTING_BOOL,     /* bool */
	VW_SETTING_INT,      /* int */
	VW_SETTING_NUMBER,   /* double */
	VW_SETTING_DURATION, /* int64_t, ms; "90s", "15m", "6h", "7d" */
	VW_SETTING_CHOICE,   /* an enum: the index of the word in `choices` */
	VW_SETTING_LISTEN, /* const char *; an address with port that vw_listen_parse() takes, port 1 or more; NULL for "off" */
	VW_SETTING_LIST /* const char *const *, NULL-terminated, never NULL; from the file only */
};

enum vw_setting_flag {
	VW_SETTING_ANYWHERE = 1, /* LISTEN: not only on loopback */
	VW_SETTING_USERINFO = 2, /* TEXT: may hold "user:password@", which is neither shown nor hashed */
	VW_SETTING_WIPED =
	    4, /* the environment variable may hold a secret: it is overwritten where it stands once it was read, and
				    known to the next vw_settings_open() all the same */
	VW_SETTING_LIVE = 8 /* may change while the program runs: not hashed */
};

struct vw_settings;
struct vw_setting {
	const char *section; /* NULL: at the top of the file */
	const char *key;
	const char *env[2];
	const char *fallback; /* the default as text; NULL: none, the field stays as it is */
	enum vw_setting_type type;
	size_t offset;
	double min, max;            /* of numbers; durations in ms */
	const char *const *choices; /* of a CHOICE, NULL-terminated */
	unsigned flags;             /* enum vw_setting_flag */
	/* Looks at the text before its type does and may put another in its place, of the arena: for a value that holds more than one thing,
	 * such as a secret. NULL: none. */
	int (*prepare)(const struct vw_settings *settings, const struct vw_setting *setting, const char **text,
		       struct vw_error *err);
};

/* Choices for log.level and log.format, in the order of base/log.h's enums. */
extern const char *const vw_setting_log_levels[];
extern const char *const vw_setting_log_formats[];

struct vw_settings_table {
	const struct vw_setting *settings;
	size_t count;
	const char *file_env; /* names the file, if the command line does not */
	const char
	    *file_name; /* else looked for in $XDG_CONFIG_HOME (or ~/.config), then in /etc; then it may be missing */
};

/* Fills `out_values`, the program's struct, which the caller has zeroed; the texts and lists in it live as long as the settings.
 * `path`: the file that the command line names, or NULL. VW_ECONFIG, VW_ENOMEM. */
int vw_settings_open(const struct vw_settings_table *table, const char *path, void *out_values,
		     struct vw_settings **out, struct vw_error *err);
void vw_settings_close(struct vw_settings *settings); /* NULL is fine */

/* Memory that lives as long as the settings. */
struct vw_arena *vw_settings_arena(const struct vw_settings *settings);
/* The struct given to vw_settings_open(). */
void *vw_settings_values(const struct vw_settings *settings);
/* Of the file that was read; NULL: none. */
const char *vw_settings_path(const struct vw_settings *settings);
/* Where the value of a field comes from: a file's path, a variable's name, "default"; "--state" if the program said so. */
const char *vw_settings_origin(const struct vw_settings *settings, size_t offset);

/* Another value for a field, read as its type demands: of the command line, or a default that had to be found out. `origin` (static) is
 * shown with it. Not for lists. */
int vw_settings_set(struct vw_settings *settings, size_t offset, const char *value, const char *origin,
		    struct vw_error *err);
/* Sets the error "FILE:LINE: section.key is "value", but should be `wanted`": for what only the program can check. VW_ECONFIG. */
int vw_settings_refuse(const struct vw_settings *settings, size_t offset, const char *wanted, struct vw_error *err);

/* Settings from elsewhere, such as the controller: `text` is YAML like the file's, and beats file and environment, in all or nothing:
 * after a failure the settings are to be closed. `may` says for each key ("schedule.quick") whether it can be set from there; VW_EFORBIDDEN
 * names the first that cannot. `origin` (static) is shown, and names the text in errors. */
int vw_settings_overlay(struct vw_settings *settings, const char *text, size_t len, const char *origin,
			bool (*may)(void *context, const char *key), void *context, struct vw_error *err);

/* SHA-256 of what is in force now, without secrets, places in the file and what is VW_SETTING_LIVE. */
void vw_settings_hash(const struct vw_settings *settings, uint8_t out[32]);
/* What is in force, as YAML that reads back, with a comment for each value's origin; secrets are shown as "***". */
void vw_settings_show(const struct vw_settings *settings, struct vw_buffer *out);

#endif
