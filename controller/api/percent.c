#include "percent.h"

#include "base/digest.h"
#include "base/limits.h"
#include "base/text.h"

#include <string.h>

char *percent_decode(struct vw_arena *arena, const char *text, size_t len, bool plus)
{
	char *out = vw_arena_alloc(arena, len + 1);
	size_t at = 0;
	for (size_t i = 0; out && i < len; i++) {
		int value = (unsigned char)text[i];
		if (text[i] == '%') {
			int high = len - i > 2 ? vw_hex_value(text[i + 1]) : -1;
			int low = high < 0 ? -1 : vw_hex_value(text[i + 2]);
			value = low < 0 ? 0 : high * 16 + low;
			i += 2;
		} else if (plus && text[i] == '+') {
			value = ' ';
		}
		if (value == 0)
			return NULL;
		out[at++] = (char)value;
	}
	return out && vw_utf8_valid(out, at) ? out : NULL;
}

static int read_parameter(struct vw_arena *arena, const char *text, size_t len, struct api_parameter *out,
			  struct vw_error *err)
{
	const char *sign = memchr(text, '=', len);
	size_t name_len = sign ? (size_t)(sign - text) : len;
	out->name = percent_decode(arena, text, name_len, true);
	out->value = sign ? percent_decode(arena, sign + 1, len - name_len - 1, true) : "";
	if (!out->name || !out->value)
		return vw_error_set(err, VW_EINVAL, "the query cannot be read: it must be percent-encoded UTF-8");
	if (!out->name[0])
		return vw_error_set(err, VW_EINVAL, "the query has a value without a name");
	if (strlen(out->value) > VW_MAX_QUERY || name_len > VW_MAX_QUERY)
		return vw_error_set(err, VW_EINVAL, "%.40s is longer than %d bytes (VW_MAX_QUERY)", out->name,
				    VW_MAX_QUERY);
	return 0;
}

int query_parse(struct vw_arena *arena, const char *text, struct api_parameter out[API_PARAMETERS], size_t *out_count,
		struct vw_error *err)
{
	size_t count = 0;
	for (const char *at = text ? text : ""; *at;) {
		size_t len = strcspn(at, "&");
		if (len > 0 && count == API_PARAMETERS)
			return vw_error_set(err, VW_EINVAL, "the query has more than %d parameters", API_PARAMETERS);
		int code = len > 0 ? read_parameter(arena, at, len, &out[count], err) : 0;
		if (code < 0)
			return code;
		for (size_t i = 0; len > 0 && i < count; i++)
			if (strcmp(out[i].name, out[count].name) == 0)
				return vw_error_set(err, VW_EINVAL, "%.40s is given twice", out[i].name);
		count += len > 0;
		at += len + (at[len] == '&');
	}
	*out_count = count;
	return 0;
}
