#include "ini.h"

#include "base/buffer.h"
#include "base/limits.h"

#include <string.h>

struct piece {
	const char *at;
	size_t len;
};

static bool blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\f' || c == '\v';
}

static struct piece trimmed(const char *at, size_t len)
{
	while (len && blank(*at)) {
		at++;
		len--;
	}
	while (len && blank(at[len - 1]))
		len--;
	return (struct piece){at, len};
}

static bool is(struct piece piece, const char *text)
{
	return piece.len == strlen(text) && memcmp(piece.at, text, piece.len) == 0;
}

static bool is_nocase(struct piece piece, const char *text)
{
	return piece.len == strlen(text) && strncasecmp(piece.at, text, piece.len) == 0;
}

/* "key = value"; false for any other line. */
static bool split(struct piece line, struct piece *key, struct piece *value)
{
	size_t at = 0;
	while (at < line.len && line.at[at] != '=' && line.at[at] != ':')
		at++;
	if (at == line.len)
		return false;
	*key = trimmed(line.at, at);
	*value = trimmed(line.at + at + 1, line.len - at - 1);
	return true;
}

static struct vw_secret *take(struct piece value, bool interpolated)
{
	struct vw_buffer text;
	struct vw_secret *secret = NULL;

	vw_buffer_init_secret(&text, VW_MAX_SECRET_FILE);
	for (size_t i = 0; i < value.len; i++) {
		vw_buffer_putc(&text, value.at[i]);
		if (interpolated && value.at[i] == '%' && i + 1 < value.len && value.at[i + 1] == '%')
			i++;
	}
	if (text.len && vw_buffer_error(&text) == 0 && !memchr(text.data, '\0', text.len))
		secret = vw_secret_open(text.data, text.len);
	vw_buffer_wipe(&text);
	return secret;
}

struct vw_secret *vw_ini_get(const char *text, size_t len, const char *section, const char *key, bool interpolated)
{
	const char *end = text + len;
	struct piece found = {NULL, 0}, name, value;
	bool inside = false;

	for (const char *next; text < end; text = next) {
		const char *newline = memchr(text, '\n', (size_t)(end - text));
		next = newline ? newline + 1 : end;
		struct piece line = trimmed(text, (size_t)((newline ? newline : end) - text));
		if (line.len == 0 || *line.at == '#' || *line.at == ';')
			continue;
		if (*line.at == '[' && line.at[line.len - 1] == ']')
			inside = is((struct piece){line.at + 1, line.len - 2}, section);
		else if (inside && split(line, &name, &value) && is_nocase(name, key))
			found = value;
	}
	return found.at ? take(found, interpolated) : NULL;
}
