/* settings.c: where a value comes from. */
#include "internal.h"

#include "base/file.h"
#include "base/limits.h"
#include "base/secret.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int no_memory(struct vw_error *err)
{
	return vw_error_set(err, VW_ENOMEM, "no memory for the configuration");
}

/* ---- the environment ---- */

/* A variable that is wiped where it stands; its value is kept here for the next time that the settings are read. */
struct kept {
	struct kept *next;
	const char *name; /* of the program's table */
	struct vw_secret *value;
};

static const char *take_variable(const char *name)
{
	static struct kept *all;
	struct kept *kept = all;
	while (kept && strcmp(kept->name, name) != 0)
		kept = kept->next;
	if (!getenv(name))
		return kept ? vw_secret_text(kept->value) : NULL;
	if (!kept) {
		kept = calloc(1, sizeof(*kept));
		if (!kept)
			return NULL;
		*kept = (struct kept){.next = all, .name = name};
		all = kept;
	}
	vw_secret_close(kept->value);
	kept->value = vw_secret_take_env(name);
	return vw_secret_text(kept->value);
}

static bool from_environment(struct vw_settings *settings, const struct vw_setting *row, struct state *out)
{
	for (size_t i = 0; row->type != VW_SETTING_LIST && i < 2 && row->env[i]; i++) {
		const char *name = row->env[i];
		const char *value = row->flags & VW_SETTING_WIPED ? take_variable(name) : getenv(name);
		if (!value || !value[0])
			continue;
		out->from_env = vw_arena_strdup(settings->arena, value);
		out->text = out->from_env;
		out->origin = name;
		return true;
	}
	return false;
}

/* ---- the file ---- */

static int read_file(struct vw_settings *settings, const char *path, struct said *out,
		     const struct source **out_source, struct vw_error *err)
{
	struct vw_buffer text;
	struct source *source = vw_arena_alloc(settings->arena, sizeof(*source));
	settings->path = vw_arena_strdup(settings->arena, path);
	vw_buffer_init(&text, VW_MAX_CONFIG_FILE);
	int code = vw_file_read(path, VW_MAX_CONFIG_FILE, &text, err);
	if (code == 0)
		code = settings_parse(settings, vw_buffer_text(&text), text.len, path, out, err);
	if (code == 0 && source) {
		*source = (struct source){settings->path, vw_arena_strdup(settings->arena, vw_buffer_text(&text))};
		*out_source = source;
	}
	vw_buffer_reset(&text);
	return code;
}

/* Nothing is said when no file is named and none is at the usual places. */
static int find_file(struct vw_settings *settings, const char *path, struct said *out,
		     const struct source **out_source, struct vw_error *err)
{
	const char *named = path ? path : getenv(settings->table->file_env);
	const char *home = vw_dir_config_home(settings->arena), *file = settings->table->file_name;
	const char *places[] = {home ? vw_arena_printf(settings->arena, "%s/%s", home, file) : NULL,
				vw_arena_printf(settings->arena, "/etc/%s", file)};
	if (named && named[0]) {
		int code = read_file(settings, named, out, out_source, err);
		return code == VW_ENOTFOUND ? vw_error_context(err, code, "configuration") : code;
	}
	for (size_t i = 0; i < 2; i++)
		if (places[i] && vw_file_fingerprint(places[i]) != 0)
			return read_file(settings, places[i], out, out_source, err);
	return 0;
}

/* ---- open, close ---- */

static void choose(struct vw_settings *settings, size_t row, const struct said *said, const struct source *source)
{
	const struct vw_setting *s = &settings->table->settings[row];
	struct state *state = &settings->states[row];
	if (from_environment(settings, s, state))
		return;
	if (said->text || said->list)
		*state = (struct state){
		    .text = said->text, .list = said->list, .origin = settings->path, .source = source};
	else
		*state = (struct state){.text = s->fallback, .origin = "default"};
}

static int fill(struct vw_settings *settings, const char *path, struct vw_error *err)
{
	size_t count = settings->table->count;
	const struct source *source = NULL;
	struct said *said = vw_arena_array(settings->arena, count, sizeof(*said));
	settings->states = vw_arena_array(settings->arena, count, sizeof(*settings->states));
	if (!said || !settings->states)
		return no_memory(err);
	int code = find_file(settings, path, said, &source, err);
	for (size_t i = 0; code == 0 && i < count; i++) {
		choose(settings, i, &said[i], source);
		code = settings_apply(settings, i, err);
	}
	if (code == 0 && vw_arena_failed(settings->arena))
		code = no_memory(err);
	return code;
}

int vw_settings_open(const struct vw_settings_table *table, const char *path, void *out_values,
		     struct vw_settings **out, struct vw_error *err)
{
	struct vw_settings *settings = calloc(1, sizeof(*settings));
	if (!settings || !(settings->arena = vw_arena_open(0))) {
		free(settings);
		return no_memory(err);
	}
	settings->table = table;
	settings->values = out_values;
	int code = fill(settings, path, err);
	if (code == 0) {
		*out = settings;
		return 0;
	}
	vw_settings_close(settings);
	if (code == VW_ENOMEM)
		return code;
	if (err)
		err->code = VW_ECONFIG; /* also for a file that is not there */
	return VW_ECONFIG;
}

void vw_settings_close(struct vw_settings *settings)
{
	if (!settings)
		return;
	for (size_t i = 0; settings->states && i < settings->table->count; i++) {
		char *text = settings->states[i].from_env;
		if (text && (settings->table->settings[i].flags & VW_SETTING_WIPED))
			vw_wipe(text, strlen(text));
	}
	vw_arena_close(settings->arena);
	free(settings);
}

struct vw_arena *vw_settings_arena(const struct vw_settings *settings)
{
	return settings->arena;
}

void *vw_settings_values(const struct vw_settings *settings)
{
	return settings->values;
}

const char *vw_settings_path(const struct vw_settings *settings)
{
	return settings->path;
}

/* ---- after opening ---- */

/* An offset that no row has is a bug of the program's own. */
static size_t row_at(const struct vw_settings *settings, size_t offset)
{
	size_t i = 0;
	while (i < settings->table->count && settings->table->settings[i].offset != offset)
		i++;
	if (i == settings->table->count)
		abort();
	return i;
}

const char *vw_settings_origin(const struct vw_settings *settings, size_t offset)
{
	return settings->states[row_at(settings, offset)].origin;
}

int vw_settings_set(struct vw_settings *settings, size_t offset, const char *value, const char *origin,
		    struct vw_error *err)
{
	size_t row = row_at(settings, offset);
	struct state *state = &settings->states[row];
	state->text = vw_arena_strdup(settings->arena, value);
	state->origin = origin;
	state->source = NULL;
	if (!state->text)
		return no_memory(err);
	return settings_apply(settings, row, err);
}

int vw_settings_refuse(const struct vw_settings *settings, size_t offset, const char *wanted, struct vw_error *err)
{
	return settings_refuse(settings, row_at(settings, offset), wanted, err);
}

static int check_allowed(const struct vw_settings *settings, const struct said *said, const char *origin,
			 bool (*may)(void *, const char *), void *context, struct vw_error *err)
{
	char key[128];
	for (size_t i = 0; i < settings->table->count; i++) {
		const struct vw_setting *s = &settings->table->settings[i];
		if (!said[i].text && !said[i].list)
			continue;
		snprintf(key, sizeof(key), "%s%s%s", s->section ? s->section : "", s->section ? "." : "", s->key);
		if (!may(context, key))
			return vw_error_set(err, VW_EFORBIDDEN, "%s: %s may not be set from there", origin, key);
	}
	return 0;
}

int vw_settings_overlay(struct vw_settings *settings, const char *text, size_t len, const char *origin,
			bool (*may)(void *context, const char *key), void *context, struct vw_error *err)
{
	size_t count = settings->table->count;
	struct said *said = vw_arena_array(settings->arena, count, sizeof(*said));
	struct source *source = vw_arena_alloc(settings->arena, sizeof(*source));
	if (!said || !source)
		return no_memory(err);
	if (len > VW_MAX_CONFIG_FILE)
		return vw_error_set(err, VW_ELIMIT, "%s: more than VW_MAX_CONFIG_FILE (%zu bytes)", origin,
				    VW_MAX_CONFIG_FILE);
	*source = (struct source){origin, vw_arena_strndup(settings->arena, text, len)};
	int code = settings_parse(settings, text, len, origin, said, err);
	if (code == 0)
		code = check_allowed(settings, said, origin, may, context, err);
	for (size_t i = 0; code == 0 && i < count; i++) {
		if (!said[i].text && !said[i].list)
			continue;
		settings->states[i] =
		    (struct state){said[i].text, said[i].list, origin, source, settings->states[i].from_env};
		code = settings_apply(settings, i, err);
	}
	return code;
}
