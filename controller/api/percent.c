#include "percent.h"

#include "base/digest.h"
#include "base/text.h"

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
