#include "settings.h"

#include "base/clock.h"
#include "base/digest.h"
#include "base/file.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/secret.h"
#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The public part first, so that a pointer to it is a pointer to this. */
struct config {
	struct vw_config pub;
	struct vw_arena *arena;
	struct settings_file *file;
	char *text; /* of the file */
	const char *values[SETTING_COUNT];
	const char *origins[SETTING_COUNT];
	struct vw_secret *userinfo;
	struct vw_buffer headers; /* the headers file, split in place: secret */
	const char **header_list;
};

static const char *const no_list[] = {NULL};

/* ---- one value from text to its type ---- */

static int bad_value(const struct config *c, size_t i, const char *wanted, struct vw_error *err)
{
	const struct setting *s = &settings[i];
	const char *origin = c->origins[i];
	unsigned line = c->text && origin == c->pub.path ? settings_file_line(c->text, s->key) : 0;
	char where[32] = "";
	if (line)
		snprintf(where, sizeof(where), ":%u", line);
	return vw_error_set(err, VW_ECONFIG, "%s%s: %s%s%s is \"%s\", but should be %s", origin, where,
			    s->section ? s->section : "", s->section ? "." : "", s->key, c->values[i], wanted);
}

static bool parse_bool(const char *text, bool *out)
{
	static const char *const yes[] = {"true", "yes", "1", "on"}, *const no[] = {"false", "no", "0", "off"};
	for (size_t i = 0; i < 4; i++) {
		if (vw_text_equal_nocase(text, yes[i]) || vw_text_equal_nocase(text, no[i])) {
			*out = vw_text_equal_nocase(text, yes[i]);
			return true;
		}
	}
	return false;
}

static bool parse_word(const char *text, const char *const *words, int *out)
{
	for (int i = 0; words[i]; i++)
		if (vw_text_equal_nocase(text, words[i])) {
			*out = i;
			return true;
		}
	return false;
}

/* user:password@ is a secret: it leaves the URI and the list of values at once. */
static int take_userinfo(struct config *c, size_t i, struct vw_error *err)
{
	const char *uri = c->values[i], *authority = strstr(uri, "://");
	bool http = strncmp(uri, "http://", 7) == 0 || strncmp(uri, "https://", 8) == 0;
	if (!authority || !http || strcspn(authority + 3, "/?#") == 0) {
		c->values[i] = vw_uri_redact(c->arena, uri);
		return bad_value(
		    c, i, "an http:// or https:// address (a local path or database cannot be read by this agent)",
		    err);
	}
	authority += 3;
	size_t len = strcspn(authority, "/?#");
	const char *at = memrchr(authority, '@', len);
	if (!at)
		return 0;
	if (c->origins[i] == c->pub.path)
		return vw_error_set(err, VW_ECONFIG,
				    "%s: mlflow.tracking_uri holds a user name or password; use mlflow.username and "
				    "mlflow.password_file",
				    c->pub.path);
	c->userinfo = vw_secret_open(authority, (size_t)(at - authority));
	c->values[i] = vw_arena_printf(c->arena, "%.*s%s", (int)(authority - uri), uri, at + 1);
	vw_wipe((char *)uri, strlen(uri)); /* the arena's copy */
	if (!c->userinfo || !c->values[i])
		return vw_error_set(err, VW_ENOMEM, "no memory for the configuration");
	return 0;
}

static int set_uri(struct config *c, size_t i, const char **field, struct vw_error *err)
{
	int code = take_userinfo(c, i, err);
	if (code < 0)
		return code;
	/* one spelling of one server: the state is bound to it */
	size_t len = strlen(c->values[i]);
	while (len > 0 && c->values[i][len - 1] == '/')
		len--;
	c->values[i] = vw_arena_strndup(c->arena, c->values[i], len);
	*field = c->values[i];
	return 0;
}

static int set_listen(struct config *c, size_t i, const char **field, struct vw_error *err)
{
	const char *text = c->values[i], *colon = strrchr(text, ':');
	int64_t port;
	if (vw_text_equal_nocase(text, "off")) {
		*field = NULL;
		return 0;
	}
	bool loopback = strncmp(text, "127.", 4) == 0 || strncmp(text, "[::1]:", 6) == 0;
	if (!loopback || !colon || !vw_text_int64(colon + 1, &port) || port < 1 || port > 65535)
		return bad_value(c, i, "a loopback address with port such as 127.0.0.1:9477 or [::1]:9477, or off",
				 err);
	*field = text;
	return 0;
}

static int set_number(struct config *c, size_t i, void *field, struct vw_error *err)
{
	const struct setting *s = &settings[i];
	double number = 0;
	int64_t ms = 0;
	bool whole = s->type == SETTING_INT;
	bool ok = s->type == SETTING_DURATION ? vw_clock_parse_duration(c->values[i], &ms)
					      : vw_text_double(c->values[i], &number);
	if (s->type == SETTING_DURATION)
		number = (double)ms;
	if (!ok || !(number >= s->min && number <= s->max) || (whole && number != (double)(int)number)) {
		char wanted[128];
		if (s->type == SETTING_DURATION)
			snprintf(wanted, sizeof(wanted), "a time such as 90s, 15m, 6h or 7d, from %.0fs to %.0fs",
				 s->min / 1000, s->max / 1000);
		else
			snprintf(wanted, sizeof(wanted), "a %snumber from %g to %g", whole ? "whole " : "", s->min,
				 s->max);
		return bad_value(c, i, wanted, err);
	}
	if (s->type == SETTING_DURATION)
		*(int64_t *)field = ms;
	else if (whole)
		*(int *)field = (int)number;
	else
		*(double *)field = number;
	return 0;
}

static int set_value(struct config *c, size_t i, struct vw_error *err)
{
	static const char *const levels[] = {"error", "warn", "info", "debug", NULL};
	static const char *const formats[] = {"text", "json", NULL};
	void *field = (char *)&c->pub + settings[i].offset;
	int word;
	if (!c->values[i])
		return 0;
	switch (settings[i].type) {
	case SETTING_TEXT:
		*(const char **)field = c->values[i];
		return 0;
	case SETTING_URI:
		return set_uri(c, i, field, err);
	case SETTING_LISTEN:
		return set_listen(c, i, field, err);
	case SETTING_BOOL:
		return parse_bool(c->values[i], field) ? 0 : bad_value(c, i, "true or false", err);
	case SETTING_INT:
	case SETTING_NUMBER:
	case SETTING_DURATION:
		return set_number(c, i, field, err);
	case SETTING_LEVEL:
		if (!parse_word(c->values[i], levels, &word))
			return bad_value(c, i, "error, warn, info or debug", err);
		*(enum vw_log_level *)field = (enum vw_log_level)word;
		return 0;
	case SETTING_FORMAT:
		if (!parse_word(c->values[i], formats, &word))
			return bad_value(c, i, "text or json", err);
		*(enum vw_log_format *)field = (enum vw_log_format)word;
		return 0;
	}
	return 0;
}

/* ---- where a value comes from ---- */

/* The variable is wiped where it stands, so its value is kept here for the next time that the configuration is loaded. */
static const char *tracking_uri_from(struct config *c, const char *name)
{
	static struct vw_secret *kept;
	if (getenv(name)) {
		vw_secret_close(kept);
		kept = vw_secret_take_env(name);
	}
	return vw_arena_strdup(c->arena, vw_secret_text(kept));
}

static const char *from_environment(struct config *c, size_t i)
{
	for (size_t k = 0; k < 2; k++) {
		const char *name = settings[i].env[k], *value = name ? getenv(name) : NULL;
		/* may hold a password */
		if (name && settings[i].type == SETTING_URI)
			value = tracking_uri_from(c, name);
		if (!value || !value[0])
			continue;
		c->origins[i] = name;
		return settings[i].type == SETTING_URI ? value : vw_arena_strdup(c->arena, value);
	}
	return NULL;
}

static void choose(struct config *c, size_t i)
{
	c->values[i] = from_environment(c, i);
	if (c->values[i])
		return;
	if (c->file && c->file->values[i] && c->file->values[i][0]) {
		c->values[i] = c->file->values[i];
		c->origins[i] = c->pub.path;
		return;
	}
	c->values[i] = settings[i].fallback;
	c->origins[i] = "default";
}

static int set_lists(struct config *c)
{
	for (size_t i = 0; i < LIST_COUNT; i++) {
		const char *const **field = (const char *const **)((char *)&c->pub + list_settings[i].offset);
		*field = no_list;
		if (!c->file || c->file->list_counts[i] == 0)
			continue;
		const char **list = vw_arena_array(c->arena, c->file->list_counts[i] + 1, sizeof(*list));
		if (!list)
			return VW_ENOMEM;
		memcpy(list, c->file->lists[i], c->file->list_counts[i] * sizeof(*list));
		*field = list;
	}
	return 0;
}

static int find_file(struct config *c, const char *path, struct vw_error *err)
{
	const char *named = path ? path : getenv("VW_CONFIG");
	char *home = vw_dir_config_home(c->arena);
	const char *places[] = {home ? vw_arena_printf(c->arena, "%s/verifywise/agent.yaml", home) : NULL,
				"/etc/verifywise/agent.yaml"};
	if (named && named[0]) {
		c->pub.path = vw_arena_strdup(c->arena, named);
		int code = settings_file_read(c->pub.path, &c->file, &c->text, err);
		return code == VW_ENOTFOUND ? vw_error_context(err, code, "configuration") : code;
	}
	for (size_t i = 0; i < 2; i++) {
		if (!places[i] || vw_file_fingerprint(places[i]) == 0)
			continue;
		c->pub.path = places[i];
		return settings_file_read(places[i], &c->file, &c->text, err);
	}
	return 0;
}

/* "Name: value" lines into a list; the values are secrets and stay in this one buffer. */
static int read_headers(struct config *c, struct vw_error *err)
{
	size_t count = 0, at = 0;
	if (!c->pub.headers_file)
		return 0;
	int code = vw_file_read(c->pub.headers_file, VW_MAX_SECRET_FILE, &c->headers, err);
	if (code < 0)
		return vw_error_context(err, code, "mlflow.headers_file");
	for (size_t i = 0; i < c->headers.len; i++)
		count += c->headers.data[i] == '\n';
	c->header_list = vw_arena_array(c->arena, count + 2, sizeof(char *));
	if (!c->header_list)
		return vw_error_set(err, VW_ENOMEM, "no memory for headers");
	char *save = NULL;
	unsigned line = 0;
	for (char *text = strtok_r(c->headers.data, "\n", &save); text; text = strtok_r(NULL, "\n", &save)) {
		line++;
		text[strcspn(text, "\r")] = '\0';
		if (vw_text_blank(text) || text[0] == '#')
			continue;
		size_t name = strcspn(text, ": \t");
		if (name == 0 || text[name] != ':')
			return vw_error_set(err, VW_ECONFIG, "%s: header %u is not of the form \"Name: value\"",
					    c->pub.headers_file, line);
		c->header_list[at++] = text;
	}
	c->pub.mlflow.headers = c->header_list;
	return 0;
}

/* A proxy's address may hold a password. In the arena. */
static const char *without_secret(const struct config *c, size_t i)
{
	const char *value = c->values[i], *at = value ? strrchr(value, '@') : NULL;
	if (!at || settings[i].offset != offsetof(struct vw_config, mlflow.proxy))
		return value;
	const char *scheme = strstr(value, "://");
	return vw_arena_printf(c->arena, "%.*s***%s", scheme ? (int)(scheme + 3 - value) : 0, value, at);
}

static void hash(struct config *c)
{
	struct vw_sha256 sha;
	vw_sha256_init(&sha);
	for (size_t i = 0; i < SETTING_COUNT; i++) {
		const char *value = without_secret(c, i);
		value = value ? value : "";
		vw_sha256_update(&sha, settings[i].key, strlen(settings[i].key) + 1);
		vw_sha256_update(&sha, value, strlen(value) + 1);
	}
	for (size_t i = 0; i < LIST_COUNT; i++) {
		unsigned count = c->file ? c->file->list_counts[i] : 0; /* so that lists don't run together */
		vw_sha256_update(&sha, list_settings[i].key, strlen(list_settings[i].key) + 1);
		vw_sha256_update(&sha, &count, sizeof(count));
		for (unsigned k = 0; c->file && k < c->file->list_counts[i]; k++)
			vw_sha256_update(&sha, c->file->lists[i][k], strlen(c->file->lists[i][k]) + 1);
	}
	vw_sha256_final(&sha, c->pub.sha256);
}

/* Where the state is belongs to the command line then, for whoever asks what is in force. */
static void note_state(struct config *c)
{
	for (size_t i = 0; i < SETTING_COUNT; i++) {
		if (settings[i].offset != offsetof(struct vw_config, state_dir))
			continue;
		c->values[i] = c->pub.state_dir;
		c->origins[i] = "--state";
	}
}

static int fill(struct config *c, const char *state_dir, struct vw_error *err)
{
	for (size_t i = 0; i < SETTING_COUNT; i++) {
		choose(c, i);
		int code = set_value(c, i, err);
		if (code < 0)
			return code;
	}
	if (set_lists(c) < 0)
		return vw_error_set(err, VW_ENOMEM, "no memory for the configuration");
	if (state_dir)
		c->pub.state_dir = vw_arena_strdup(c->arena, state_dir);
	if (!c->pub.state_dir) {
		char *home = vw_dir_state_home(c->arena);
		if (!home)
			return vw_error_set(
			    err, VW_ECONFIG,
			    "no place for the state: set VW_STATE_DIR, state_dir in the configuration, or HOME");
		c->pub.state_dir = vw_arena_printf(c->arena, "%s/verifywise-agent", home);
	}
	if (c->pub.credential.aws_sigv4)
		c->pub.mlflow.aws_sigv4_service = "execute-api"; /* as MLflow's own client signs */
	c->pub.tracking_userinfo = vw_secret_text(c->userinfo);
	hash(c);
	if (state_dir)
		note_state(c);
	return read_headers(c, err);
}

int vw_config_load(const char *path, const char *state_dir, struct vw_config **out, struct vw_error *err)
{
	struct config *c = calloc(1, sizeof(*c));
	if (!c || !(c->arena = vw_arena_open(0))) {
		free(c);
		return vw_error_set(err, VW_ENOMEM, "no memory for the configuration");
	}
	vw_buffer_init(&c->headers, VW_MAX_SECRET_FILE);
	int code = find_file(c, path, err);
	if (code == 0)
		code = fill(c, state_dir, err);
	if (code == 0 && vw_arena_failed(c->arena))
		code = vw_error_set(err, VW_ENOMEM, "no memory for the configuration");
	if (code < 0) {
		vw_config_close(&c->pub);
		if (code == VW_ENOMEM)
			return code;
		if (err)
			err->code = VW_ECONFIG; /* also for a file that is not there */
		return VW_ECONFIG;
	}
	*out = &c->pub;
	return 0;
}

void vw_config_close(struct vw_config *config)
{
	struct config *c = (struct config *)config;
	if (!c)
		return;
	vw_secret_close(c->userinfo);
	vw_buffer_wipe(&c->headers);
	settings_file_free(c->file);
	free(c->text);
	vw_arena_close(c->arena);
	free(c);
}

/* ---- showing ---- */

/* As YAML that reads back as the same text, and that a terminal does not obey. */
static void show_scalar(struct vw_buffer *out, const char *text)
{
	static const char harmless[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./-:";
	struct vw_json_writer w;
	size_t len = strlen(text);
	bool printable = true;
	for (size_t i = 0; i < len; i++)
		printable = printable && text[i] >= 0x20 && text[i] < 0x7f;
	if (len > 0 && strspn(text, harmless) == len && !strchr("-:", text[0]) && text[len - 1] != ':') {
		vw_buffer_puts(out, text);
		return;
	}
	if (!printable) {
		/* a text of JSON is one of YAML */
		vw_json_writer_init(&w, out, false);
		vw_json_put_text(&w, text);
		return;
	}
	vw_buffer_putc(out, '\'');
	for (; *text; text++) {
		if (*text == '\'')
			vw_buffer_putc(out, '\'');
		vw_buffer_putc(out, *text);
	}
	vw_buffer_putc(out, '\'');
}

static void show_setting(const struct config *c, size_t i, struct vw_buffer *out)
{
	const char *indent = settings[i].section ? "  " : "";
	const char *value = without_secret(c, i);
	if (!value && settings[i].offset == offsetof(struct vw_config, state_dir))
		value = c->pub.state_dir;
	if (!value) {
		vw_buffer_printf(out, "%s# %s: not set\n", indent, settings[i].key);
		return;
	}
	vw_buffer_printf(out, "%s%s: ", indent, settings[i].key);
	show_scalar(out, value);
	vw_buffer_printf(out, "  # %s\n", c->origins[i]);
}

static void show_list(const struct config *c, size_t i, struct vw_buffer *out)
{
	const char *const *list = *(const char *const *const *)((const char *)&c->pub + list_settings[i].offset);
	vw_buffer_printf(out, "%s%s: [", list_settings[i].section ? "  " : "", list_settings[i].key);
	for (size_t k = 0; list[k]; k++) {
		vw_buffer_puts(out, k ? ", " : "");
		show_scalar(out, list[k]);
	}
	vw_buffer_printf(out, "]  # %s\n", list[0] ? c->pub.path : "default");
}

void vw_config_show(const struct vw_config *config, struct vw_buffer *out)
{
	static const char *const sections[] = {"mlflow", "scope", "schedule", "log", NULL};
	const struct config *c = (const struct config *)config;
	vw_buffer_printf(out, "# file: %s\n", c->pub.path ? c->pub.path : "none");
	for (size_t k = 0; k < 5; k++) {
		const char *section = sections[k];
		if (section)
			vw_buffer_printf(out, "%s:\n", section);
		for (size_t i = 0; i < SETTING_COUNT; i++)
			if (section ? settings[i].section && strcmp(settings[i].section, section) == 0
				    : !settings[i].section)
				show_setting(c, i, out);
		for (size_t i = 0; i < LIST_COUNT; i++)
			if (section ? list_settings[i].section && strcmp(list_settings[i].section, section) == 0
				    : !list_settings[i].section)
				show_list(c, i, out);
	}
}
