#include "base/text.h"

#include "base/digest.h"

#include <string.h>

/* Azure writes a container where others write a user: abfss://container@account.dfs.core.windows.net/. */
static bool user_is_container(const char *uri, size_t scheme_len)
{
	static const char *const schemes[] = {"wasb", "wasbs", "abfs", "abfss"};
	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
		if (strlen(schemes[i]) == scheme_len && strncasecmp(uri, schemes[i], scheme_len) == 0)
			return true;
	}
	return false;
}

/* "host:80ab": what follows the colon is no port, so it may be a password with a '/' or '?' in it. */
static bool has_odd_port(const char *authority, size_t len)
{
	const char *bracket = memchr(authority, ']', len);
	size_t from = authority[0] == '[' && bracket ? (size_t)(bracket - authority) : 0;
	const char *colon = memchr(authority + from, ':', len - from);
	if (!colon)
		return false;
	size_t rest = len - (size_t)(colon + 1 - authority);
	return strspn(colon + 1, "0123456789") < rest;
}

static const char *last_at(const char *text, size_t len)
{
	return memrchr(text, '@', len);
}

/* The length of "scheme" in "scheme://"; 0 when there is none. */
static size_t measure_scheme(const char *uri)
{
	size_t len = strspn(uri, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-.");
	return strncmp(uri + len, "://", 3) == 0 ? len : 0;
}

/* Where the host begins, behind all user info. */
static const char *find_host(const char *authority, bool paths_may_follow_colons)
{
	for (const char *host = authority;;) {
		size_t len = strcspn(host, "/?#");
		const char *at = last_at(host, len);
		if (!at && !paths_may_follow_colons && has_odd_port(host, len))
			at = last_at(host, strlen(host));
		if (!at)
			return host;
		host = at + 1;
	}
}

/* Appends scheme and authority without user info; returns what follows. */
static const char *append_authority(struct vw_buffer *out, const char *uri)
{
	size_t scheme = measure_scheme(uri);
	size_t before = strncmp(uri, "//", 2) == 0 ? 2 : 0;
	if (scheme)
		before = scheme + strlen("://");
	const char *authority = uri + before;
	if (!before) {
		/* "user:pw@host/path" is told from "models:/name@alias" and "git@host:path" by the colon's place */
		size_t len = strcspn(uri, "/?#");
		const char *colon = memchr(uri, ':', len);
		const char *at = last_at(uri, len);
		if (!colon || !at || colon > at)
			return uri;
	}
	/* git+ssh://git@host:folder/repository@tag */
	bool ssh = scheme >= 3 && strncasecmp(authority - 6, "ssh", 3) == 0;
	const char *host = find_host(authority, ssh);
	vw_buffer_append(out, uri, before);
	if (host > authority && user_is_container(uri, scheme)) {
		vw_buffer_append(out, authority, strcspn(authority, ":@"));
		vw_buffer_putc(out, '@');
	}
	return host;
}

/* A parameter's name, percent-decoded. False when it is longer than the buffer. */
static bool decode_name(const char *name, size_t len, char *out, size_t size)
{
	size_t n = 0;
	for (size_t i = 0; i < len; i++) {
		if (n + 1 == size)
			return false;
		int high = name[i] == '%' && i + 2 < len ? vw_hex_value(name[i + 1]) : -1;
		int low = high >= 0 ? vw_hex_value(name[i + 2]) : -1;
		out[n] = name[i];
		if (low >= 0) {
			out[n] = (char)(high * 16 + low);
			i += 2;
		}
		n++;
	}
	out[n] = '\0';
	return true;
}

static bool is_secret_name(const char *name, size_t len)
{
	static const char *const whole[] = {"sig",  "key",           "pw",   "pwd", "pass",
					    "auth", "authorization", "code", "sas"};
	static const char *const parts[] = {"signature",  "credential", "token",     "secret",
					    "password",   "passwd",     "apikey",    "api_key",
					    "access_key", "api-key",    "accesskey", "passphrase"};
	char text[64];
	/* what cannot be judged is not shown */
	if (!decode_name(name, len, text, sizeof(text)))
		return true;
	for (size_t i = 0; i < sizeof(whole) / sizeof(whole[0]); i++) {
		if (vw_text_equal_nocase(text, whole[i]))
			return true;
	}
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		if (strcasestr(text, parts[i]))
			return true;
	}
	return false;
}

/* Parameters of the query, and of the fragment too: OAuth puts tokens there. */
static void append_parameters(struct vw_buffer *out, const char *text)
{
	while (*text) {
		size_t len = strcspn(text, "&;?#");
		const char *equals = memchr(text, '=', len);
		size_t name = equals ? (size_t)(equals - text) : len;
		if (equals && is_secret_name(text, name)) {
			vw_buffer_append(out, text, name);
			vw_buffer_puts(out, "=***");
		} else {
			vw_buffer_append(out, text, len);
		}
		text += len;
		if (*text)
			vw_buffer_putc(out, *text++);
	}
}

char *vw_uri_redact(struct vw_arena *arena, const char *uri)
{
	if (!uri)
		return NULL;
	struct vw_buffer out;
	vw_buffer_init(&out, 0);
	const char *rest = append_authority(&out, uri);
	size_t path = strcspn(rest, "?#");
	vw_buffer_append(&out, rest, path);
	append_parameters(&out, rest + path);
	char *text = vw_arena_strdup(arena, vw_buffer_error(&out) ? "***" : vw_buffer_text(&out));
	vw_buffer_reset(&out);
	return text;
}
