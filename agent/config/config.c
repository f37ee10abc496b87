#include "settings.h"

#include "base/file.h"
#include "base/limits.h"
#include "base/secret.h"
#include "base/text.h"
#include "proto/message.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The public part first, so that a pointer to it is a pointer to this. */
struct config {
	struct vw_config pub;
	struct vw_settings *settings;
	struct vw_secret *userinfo;
	struct vw_buffer headers; /* the headers file, split in place: secret */
	const char **header_list;
};

static int no_memory(struct vw_error *err)
{
	return vw_error_set(err, VW_ENOMEM, "no memory for the configuration");
}

/* ---- what is special to the agent ---- */

/* Whether the value stands in a variable: only there may a password be, since nobody but this process reads it there. */
static bool in_variable(const struct vw_setting *setting, const char *origin)
{
	for (size_t i = 0; i < 2; i++)
		if (setting->env[i] && strcmp(setting->env[i], origin) == 0)
			return true;
	return false;
}

int config_take_userinfo(const struct vw_settings *settings, const struct vw_setting *setting, const char **text,
			 struct vw_error *err)
{
	struct config *c = vw_settings_values(settings);
	const char *uri = *text, *authority = strstr(uri, "://");
	const char *origin = vw_settings_origin(settings, setting->offset);
	bool http = strncmp(uri, "http://", 7) == 0 || strncmp(uri, "https://", 8) == 0;
	if (!authority || !http || strcspn(authority + 3, "/?#") == 0)
		return vw_settings_refuse(
		    settings, setting->offset,
		    "an http:// or https:// address (a local path or database cannot be read by this agent)", err);
	authority += 3;
	const char *at = memrchr(authority, '@', strcspn(authority, "/?#"));
	if (!at)
		return 0;
	if (!in_variable(setting, origin))
		return vw_error_set(err, VW_ECONFIG,
				    "%s: mlflow.tracking_uri holds a user name or password; use mlflow.username and "
				    "mlflow.password_file",
				    origin);
	vw_secret_close(c->userinfo);
	c->userinfo = vw_secret_open(authority, (size_t)(at - authority));
	*text = vw_arena_printf(vw_settings_arena(settings), "%.*s%s", (int)(authority - uri), uri, at + 1);
	return c->userinfo && *text ? 0 : no_memory(err);
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
	c->header_list = vw_arena_array(vw_settings_arena(c->settings), count + 2, sizeof(char *));
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

/* Where the state is; in the arena. */
static const char *state_folder(struct config *c, const char *state_dir, struct vw_error *err)
{
	struct vw_arena *arena = vw_settings_arena(c->settings);
	if (state_dir || c->pub.state_dir)
		return state_dir ? state_dir : c->pub.state_dir;
	const char *home = vw_dir_state_home(arena);
	if (!home) {
		vw_error_set(err, VW_ECONFIG,
			     "no place for the state: set VW_STATE_DIR, state_dir in the configuration, or HOME");
		return NULL;
	}
	const char *folder = vw_arena_printf(arena, "%s/verifywise-agent", home);
	if (!folder)
		no_memory(err);
	return folder;
}

/* ---- what the controller gave ---- */

static bool listed(const char *const *list, const char *word)
{
	while (*list && !vw_text_equal_nocase(*list, word))
		list++;
	return *list != NULL;
}

static bool is_kind(const char *word)
{
	int value;
	return vw_text_equal_nocase(word, "all") ||
	       vw_enum_value(&verifywise__v1__command_kind__descriptor, word, &value);
}

/* Never what says how far the controller may go, nor where what it gave lies. */
static bool is_settable(const char *word)
{
	char key[128];
	if (strncmp(word, "controller.", strlen("controller.")) == 0 || strcmp(word, "state_dir") == 0)
		return false;
	for (size_t i = 0; i < config_settings.count; i++) {
		const struct vw_setting *row = &config_settings.settings[i];
		snprintf(key, sizeof(key), "%s%s%s", row->section ? row->section : "", row->section ? "." : "",
			 row->key);
		if (strcmp(key, word) == 0)
			return true;
	}
	return false;
}

/* A word that is misspelt would forbid, or allow, nothing, and nobody would see it. */
static int check_words(const struct config *c, struct vw_error *err)
{
	const char *path = c->pub.path ? c->pub.path : "the configuration";
	for (const char *const *word = c->pub.controller_refuse; *word; word++)
		if (!is_kind(*word))
			return vw_error_set(err, VW_ECONFIG,
					    "%s: controller.refuse: there is no command %.64s; there are sync, "
					    "reevaluate, set_policy, set_configuration, set_secrets, pause, resume, "
					    "resend, rotate_certificate, diagnose, and all",
					    path, *word);
	for (const char *const *word = c->pub.controller_settings; *word; word++)
		if (!is_settable(*word))
			return vw_error_set(err, VW_ECONFIG,
					    "%s: controller.settings: %.64s is no setting that the controller may "
					    "set; an example of one is schedule.quick",
					    path, *word);
	return 0;
}

bool vw_config_refuses(const struct vw_config *config, const char *kind)
{
	return listed(config->controller_refuse, kind) || listed(config->controller_refuse, "all");
}

static bool may_be_set(void *context, const char *key)
{
	const struct config *c = context;
	return is_settable(key) && listed(c->pub.controller_settings, key);
}

static char *given_path(struct config *c, const char *folder, const char *name)
{
	return vw_arena_printf(vw_settings_arena(c->settings), "%s/controller/%s", folder, name);
}

static int overlay(struct config *c, const char *text, size_t len, struct vw_error *err)
{
	return vw_settings_overlay(c->settings, text, len, "controller", may_be_set, c, err);
}

static int overlay_file(struct config *c, const char *folder, struct vw_error *err)
{
	struct vw_buffer text;
	const char *path = given_path(c, folder, "configuration.yaml");
	if (!path)
		return no_memory(err);
	if (access(path, F_OK) != 0)
		return 0;
	vw_buffer_init(&text, VW_MAX_CONFIG_FILE);
	int code = vw_file_read(path, VW_MAX_CONFIG_FILE, &text, err);
	if (code == 0)
		code = overlay(c, vw_buffer_text(&text), text.len, err);
	vw_buffer_reset(&text);
	return code < 0 ? vw_error_context(err, code, "%s (deleted, it comes again)", path) : 0;
}

static int lay_over(struct config *c, const char *folder, const struct vw_config_given *given, struct vw_error *err)
{
	if (vw_config_refuses(&c->pub, "set_configuration"))
		return 0;
	if (!given || !given->has_configuration)
		return overlay_file(c, folder, err);
	return given->configuration_len ? overlay(c, given->configuration, given->configuration_len, err) : 0;
}

static int take_policy(struct config *c, const char *folder, const struct vw_config_given *given,
		       struct vw_error *err)
{
	const char *path = given_path(c, folder, "policy.yaml");
	if (!path)
		return no_memory(err);
	bool there = given && given->has_policy ? given->policy_len > 0 : access(path, F_OK) == 0;
	if (!there || vw_config_refuses(&c->pub, "set_policy"))
		return 0;
	return vw_settings_set(c->settings, offsetof(struct vw_config, policy_file), path, "controller", err);
}

/* Where the state is does not belong to what was decided: the hash is taken before it is set. */
static int place_state(struct config *c, const char *folder, const char *state_dir,
		       const struct vw_config_given *given, struct vw_error *err)
{
	int code = lay_over(c, folder, given, err);
	vw_settings_hash(c->settings, c->pub.sha256);
	if (code == 0)
		code = take_policy(c, folder, given, err);
	if (code < 0 || (!state_dir && c->pub.state_dir))
		return code;
	return vw_settings_set(c->settings, offsetof(struct vw_config, state_dir), folder,
			       state_dir ? "--state" : "default", err);
}

static int fill(struct config *c, const char *path, const char *state_dir, const struct vw_config_given *given,
		struct vw_error *err)
{
	int code = vw_settings_open(&config_settings, path, c, &c->settings, err);
	if (code < 0)
		return code;
	c->pub.path = vw_settings_path(c->settings);
	c->pub.tracking_userinfo = vw_secret_text(c->userinfo);
	code = check_words(c, err);
	if (code < 0)
		return code;
	const char *folder = state_folder(c, state_dir, err);
	if (!folder)
		return err ? err->code : VW_ECONFIG;
	code = place_state(c, folder, state_dir, given, err);
	if (c->pub.credential.aws_sigv4)
		c->pub.mlflow.aws_sigv4_service = "execute-api"; /* as MLflow's own client signs */
	return code < 0 ? code : read_headers(c, err);
}

int vw_config_load(const char *path, const char *state_dir, struct vw_config **out, struct vw_error *err)
{
	return vw_config_try(path, state_dir, NULL, out, err);
}

int vw_config_try(const char *path, const char *state_dir, const struct vw_config_given *given,
		  struct vw_config **out, struct vw_error *err)
{
	struct config *c = calloc(1, sizeof(*c));
	if (!c)
		return no_memory(err);
	vw_buffer_init(&c->headers, VW_MAX_SECRET_FILE);
	int code = fill(c, path, state_dir, given, err);
	if (code == 0) {
		*out = &c->pub;
		return 0;
	}
	vw_config_close(&c->pub);
	if (code == VW_ENOMEM)
		return code;
	if (err)
		err->code = VW_ECONFIG; /* also for a file of headers that is not there */
	return VW_ECONFIG;
}

void vw_config_close(struct vw_config *config)
{
	struct config *c = (struct config *)config;
	if (!c)
		return;
	vw_secret_close(c->userinfo);
	vw_buffer_wipe(&c->headers);
	vw_settings_close(c->settings);
	free(c);
}

void vw_config_show(const struct vw_config *config, struct vw_buffer *out)
{
	vw_settings_show(((const struct config *)config)->settings, out);
}
