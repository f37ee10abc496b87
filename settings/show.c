/* show.c: what is in force, for people and as a hash. */
#include "internal.h"

#include "base/digest.h"
#include "base/json.h"

#include <string.h>

void vw_settings_hash(const struct vw_settings *settings, uint8_t out[32])
{
	struct vw_sha256 sha;
	vw_sha256_init(&sha);
	for (size_t i = 0; i < settings->table->count; i++) {
		const struct vw_setting *s = &settings->table->settings[i];
		const char *visible = settings_visible(settings, i);
		const char *const *list = settings->states[i].list;
		unsigned count = 0;
		if (s->flags & VW_SETTING_LIVE)
			continue;
		while (list && list[count])
			count++;
		vw_sha256_update(&sha, s->key, strlen(s->key) + 1);
		if (s->type == VW_SETTING_LIST)
			vw_sha256_update(&sha, &count, sizeof(count)); /* so that lists don't run together */
		else
			vw_sha256_update(&sha, visible ? visible : "", visible ? strlen(visible) + 1 : 1);
		for (unsigned k = 0; k < count; k++)
			vw_sha256_update(&sha, list[k], strlen(list[k]) + 1);
	}
	vw_sha256_final(&sha, out);
}

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

static void show_list(const char *const *list, struct vw_buffer *out)
{
	vw_buffer_putc(out, '[');
	for (size_t i = 0; list && list[i]; i++) {
		vw_buffer_puts(out, i ? ", " : "");
		show_scalar(out, list[i]);
	}
	vw_buffer_putc(out, ']');
}

static void show_setting(const struct vw_settings *settings, size_t row, struct vw_buffer *out)
{
	const struct vw_setting *s = &settings->table->settings[row];
	const struct state *state = &settings->states[row];
	const char *indent = s->section ? "  " : "", *visible = settings_visible(settings, row);
	if (s->type != VW_SETTING_LIST && !visible) {
		vw_buffer_printf(out, "%s# %s: not set\n", indent, s->key);
		return;
	}
	vw_buffer_printf(out, "%s%s: ", indent, s->key);
	if (s->type == VW_SETTING_LIST)
		show_list(state->list, out);
	else
		show_scalar(out, visible);
	vw_buffer_printf(out, "  # %s\n", state->origin);
}

static bool in_section(const struct vw_setting *s, const char *section)
{
	return section ? s->section && strcmp(s->section, section) == 0 : !s->section;
}

static void show_section(const struct vw_settings *settings, const char *section, struct vw_buffer *out)
{
	for (size_t i = 0; i < settings->table->count; i++)
		if (in_section(&settings->table->settings[i], section))
			show_setting(settings, i, out);
}

static bool shown_before(const struct vw_settings_table *table, size_t row)
{
	for (size_t i = 0; i < row; i++)
		if (in_section(&table->settings[i], table->settings[row].section))
			return true;
	return false;
}

void vw_settings_show(const struct vw_settings *settings, struct vw_buffer *out)
{
	const struct vw_settings_table *table = settings->table;
	vw_buffer_printf(out, "# file: %s\n", settings->path ? settings->path : "none");
	for (size_t i = 0; i < table->count; i++) {
		if (!table->settings[i].section || shown_before(table, i))
			continue;
		vw_buffer_printf(out, "%s:\n", table->settings[i].section);
		show_section(settings, table->settings[i].section, out);
	}
	show_section(settings, NULL, out);
}
