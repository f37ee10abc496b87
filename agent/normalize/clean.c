#include "clean.h"

#include "base/buffer.h"
#include "base/text.h"
#include "mask_text.h"

#include <string.h>

#define REPLACEMENT "\xEF\xBF\xBD"

static bool is_control(uint32_t point)
{
	if (point == '\t' || point == '\n' || point == '\r')
		return false;
	return point < 0x20 || (point >= 0x7F && point <= 0x9F);
}

/* Most text is ASCII and harmless. */
static bool is_plain(const char *text)
{
	for (const char *p = text; *p; p++) {
		if ((unsigned char)*p >= 0x7F || is_control((unsigned char)*p))
			return false;
	}
	return true;
}

char *vw_text_scrub(struct vw_arena *arena, const char *text, struct vw_scrub *out)
{
	struct vw_buffer clean;
	*out = (struct vw_scrub){0};
	if (!text || is_plain(text))
		return (char *)text;
	vw_buffer_init(&clean, 0);
	size_t len = strlen(text);
	for (size_t i = 0; i < len;) {
		uint32_t point = 0;
		size_t n = vw_utf8_decode(text + i, len - i, &point);
		out->ill_formed |= n == 0;
		out->controls |= n > 0 && is_control(point);
		if (n == 0 || is_control(point))
			vw_buffer_puts(&clean, REPLACEMENT);
		else
			vw_buffer_append(&clean, text + i, n);
		i += n ? n : 1;
	}
	bool changed = out->ill_formed || out->controls;
	char *copy = changed && !vw_buffer_error(&clean) ? vw_arena_strdup(arena, vw_buffer_text(&clean)) : NULL;
	vw_buffer_reset(&clean);
	return changed ? copy : (char *)text;
}

bool vw_value_masked(const char *value, char out[VW_MASK_KIND_MAX], bool *out_whole)
{
	const char *begin = strstr(value, VW_MASK_BEGIN);
	size_t len = begin ? vw_mask_length(begin) : 0;
	if (len == 0)
		return false;
	const char *kind = begin + strlen(VW_MASK_BEGIN);
	size_t kind_len = len - strlen(VW_MASK_BEGIN) - strlen(VW_MASK_END);
	if (kind_len >= VW_MASK_KIND_MAX)
		kind_len = VW_MASK_KIND_MAX - 1;
	memcpy(out, kind, kind_len);
	out[kind_len] = '\0';
	*out_whole = begin == value && value[len] == '\0';
	return true;
}
