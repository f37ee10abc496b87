/* value.c: one value from text to its type. */
#include "internal.h"

#include "base/clock.h"
#include "base/secret.h"
#include "base/text.h"
#include "settings/listen.h"

#include <stdio.h>
#include <string.h>

const char *const vw_setting_log_levels[] = {"error", "warn", "info", "debug", NULL};
const char *const vw_setting_log_formats[] = {"text", "json", NULL};

static const char *const no_list[] = {NULL};

/* `at`: the last '@' of the text, or NULL. A query may hold a secret too. What looks like neither is not shown at all. */
static const char *without_userinfo(struct vw_arena *arena, const char *text, const char *at)
{
	const char *scheme = strstr(text, "://");
	size_t before = scheme ? (size_t)(scheme + 3 - text) : 0;
	if (!at)
		return scheme ? vw_uri_redact(arena, text) : text;
	if (at < text + before)
		return "***";
	const char *plain = vw_uri_redact(arena, vw_arena_printf(arena, "%.*s%s", (int)before, text, at + 1));
	if (!plain || strncmp(plain, text, before) != 0)
		return "***";
	return vw_arena_printf(arena, "%.*s***@%s", (int)before, text, plain + before);
}

const char *settings_visible(const struct vw_settings *settings, size_t row)
{
	const struct vw_setting *s = &settings->table->settings[row];
	const char *text = settings->states[row].text, *at = text ? strrchr(text, '@') : NULL;
	if (text && s->type == VW_SETTING_URI)
		return vw_uri_redact(settings->arena, text);
	if (!text || !(s->flags & VW_SETTING_USERINFO))
		return text;
	return without_userinfo(settings->arena, text, at);
}

int settings_refuse(const struct vw_settings *settings, size_t row, const char *wanted, struct vw_error *err)
{
	const struct vw_setting *s = &settings->table->settings[row];
	const struct state *state = &settings->states[row];
	const char *visible = settings_visible(settings, row);
	char where[32] = "";
	unsigned line = state->source ? settings_line(state->source->text, s) : 0;
	if (line)
		snprintf(where, sizeof(where), ":%u", line);
	return vw_error_set(err, VW_ECONFIG, "%s%s: %s%s%s is \"%s\", but should be %s",
			    state->origin ? state->origin : "default", where, s->section ? s->section : "",
			    s->section ? "." : "", s->key, visible ? visible : "", wanted);
}

static int set_bool(struct vw_settings *settings, size_t row, bool *field, struct vw_error *err)
{
	static const char *const yes[] = {"true", "yes", "1", "on"}, *const no[] = {"false", "no", "0", "off"};
	const char *text = settings->states[row].text;
	for (size_t i = 0; i < 4; i++) {
		bool is_yes = vw_text_equal_nocase(text, yes[i]);
		if (!is_yes && !vw_text_equal_nocase(text, no[i]))
			continue;
		*field = is_yes;
		return 0;
	}
	return settings_refuse(settings, row, "true or false", err);
}

static int set_choice(struct vw_settings *settings, size_t row, void *field, struct vw_error *err)
{
	const char *const *choices = settings->table->settings[row].choices;
	struct vw_buffer wanted;
	for (int i = 0; choices[i]; i++) {
		if (!vw_text_equal_nocase(settings->states[row].text, choices[i]))
			continue;
		memcpy(field, &i, sizeof(i)); /* an enum of the program's */
		return 0;
	}
	vw_buffer_init(&wanted, 0);
	for (int i = 0; choices[i]; i++)
		vw_buffer_printf(&wanted, "%s%s", i == 0 ? "" : (choices[i + 1] ? ", " : " or "), choices[i]);
	int code = settings_refuse(settings, row, vw_buffer_text(&wanted), err);
	vw_buffer_reset(&wanted);
	return code;
}

static int set_uri(struct vw_settings *settings, size_t row, const char **field, struct vw_error *err)
{
	struct state *state = &settings->states[row];
	const char *authority = strstr(state->text, "://");
	bool http = strncmp(state->text, "http://", 7) == 0 || strncmp(state->text, "https://", 8) == 0;
	size_t host = authority ? strcspn(authority + 3, "/?#") : 0;
	if (!http || host == 0)
		return settings_refuse(settings, row, "an http:// or https:// address", err);
	if (memchr(authority + 3, '@', host))
		return settings_refuse(settings, row, "an address without user name and password", err);
	/* one spelling of one server */
	size_t len = strlen(state->text);
	while (len > 0 && state->text[len - 1] == '/')
		len--;
	state->text = vw_arena_strndup(settings->arena, state->text, len);
	*field = state->text;
	return 0;
}

static int set_listen(struct vw_settings *settings, size_t row, const char **field, struct vw_error *err)
{
	struct vw_listen_address address;
	const char *text = settings->states[row].text;
	bool anywhere = settings->table->settings[row].flags & VW_SETTING_ANYWHERE;
	if (vw_text_equal_nocase(text, "off")) {
		*field = NULL;
		return 0;
	}
	if (!vw_listen_parse(text, &address) || address.at.v4.sin_port == 0 || !(anywhere || address.loopback))
		return settings_refuse(settings, row,
				       anywhere ? "an address with port such as 0.0.0.0:8443 or [::]:8443, or off"
						: "a loopback address with port such as 127.0.0.1:9477 or "
						  "[::1]:9477, or off",
				       err);
	*field = text;
	return 0;
}

static int refuse_number(struct vw_settings *settings, size_t row, struct vw_error *err)
{
	const struct vw_setting *s = &settings->table->settings[row];
	char wanted[128];
	if (s->type == VW_SETTING_DURATION)
		snprintf(wanted, sizeof(wanted), "a time such as 90s, 15m, 6h or 7d, from %.0fs to %.0fs",
			 s->min / 1000, s->max / 1000);
	else
		snprintf(wanted, sizeof(wanted), "a %snumber from %g to %g",
			 s->type == VW_SETTING_INT ? "whole " : "", s->min, s->max);
	return settings_refuse(settings, row, wanted, err);
}

static int set_number(struct vw_settings *settings, size_t row, void *field, struct vw_error *err)
{
	const struct vw_setting *s = &settings->table->settings[row];
	const char *text = settings->states[row].text;
	double number = 0;
	int64_t ms = 0;
	bool ok = s->type == VW_SETTING_DURATION ? vw_clock_parse_duration(text, &ms) : vw_text_double(text, &number);
	if (s->type == VW_SETTING_DURATION)
		number = (double)ms;
	if (!ok || !(number >= s->min && number <= s->max))
		return refuse_number(settings, row, err);
	if (s->type == VW_SETTING_INT && number != (double)(int)number)
		return refuse_number(settings, row, err);
	if (s->type == VW_SETTING_DURATION)
		*(int64_t *)field = ms;
	else if (s->type == VW_SETTING_INT)
		*(int *)field = (int)number;
	else
		*(double *)field = number;
	return 0;
}

/* What may hold a secret besides is split before anything else sees it; the variable's copy is wiped then. */
static int prepare(struct vw_settings *settings, size_t row, struct vw_error *err)
{
	const struct vw_setting *s = &settings->table->settings[row];
	struct state *state = &settings->states[row];
	const char *text = state->text;
	if (!s->prepare)
		return 0;
	int code = s->prepare(settings, s, &text, err);
	if (code < 0)
		return code;
	if (text != state->text && state->text == state->from_env)
		vw_wipe(state->from_env, strlen(state->from_env));
	if (!text)
		return vw_error_set(err, VW_ENOMEM, "no memory for the configuration");
	state->text = text;
	return 0;
}

int settings_apply(struct vw_settings *settings, size_t row, struct vw_error *err)
{
	const struct vw_setting *s = &settings->table->settings[row];
	const struct state *state = &settings->states[row];
	void *field = (char *)settings->values + s->offset;
	if (s->type == VW_SETTING_LIST) {
		*(const char *const **)field = state->list ? state->list : no_list;
		return 0;
	}
	if (!state->text)
		return 0;
	int code = prepare(settings, row, err);
	if (code < 0)
		return code;
	switch (s->type) {
	case VW_SETTING_TEXT:
		*(const char **)field = state->text;
		return 0;
	case VW_SETTING_URI:
		return set_uri(settings, row, field, err);
	case VW_SETTING_BOOL:
		return set_bool(settings, row, field, err);
	case VW_SETTING_CHOICE:
		return set_choice(settings, row, field, err);
	case VW_SETTING_LISTEN:
		return set_listen(settings, row, field, err);
	default:
		return set_number(settings, row, field, err);
	}
}
