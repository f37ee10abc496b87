/* internal.h: what the settings are made of. */
#ifndef SETTINGS_INTERNAL_H
#define SETTINGS_INTERNAL_H

#include "settings/settings.h"

/* A text that settings were read from. */
struct source {
	const char *name; /* a path, or what the program calls it */
	const char *text; /* NULL for what is no file: a variable, the command line */
};

/* One setting as it is now. */
struct state {
	const char *text;        /* of a scalar; NULL: not set */
	const char *const *list; /* of a list, NULL-terminated; NULL: not set */
	const char *origin;
	const struct source *source; /* for the line; NULL: none */
	char *from_env;              /* the arena's copy of the variable */
};

struct vw_settings {
	const struct vw_settings_table *table;
	void *values;
	struct vw_arena *arena;
	struct state *states; /* one for each row of the table */
	const char *path;
};

/* What a YAML text says; lists and texts in the settings' arena. NULL: not in it. */
struct said {
	const char *text;
	const char *const *list;
};

/* Reads one text against a schema made from the table; `out` has room for each row. */
int settings_parse(const struct vw_settings *settings, const char *text, size_t len, const char *name,
		   struct said *out, struct vw_error *err);
/* The line on which the row's key stands; 0 when it cannot be told. For messages about values. */
unsigned settings_line(const char *text, const struct vw_setting *row);

/* Writes the row's text or list into the program's struct, as its type demands. */
int settings_apply(struct vw_settings *settings, size_t row, struct vw_error *err);
int settings_refuse(const struct vw_settings *settings, size_t row, const char *wanted, struct vw_error *err);
/* The row's text without what must not be seen; in the arena. */
const char *settings_visible(const struct vw_settings *settings, size_t row);

#endif
