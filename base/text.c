#include "base/text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static unsigned char lower(char c)
{
	return (unsigned char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
}

/* As keys are compared: without case, and every separator is '_'. */
static unsigned char fold(char c)
{
	return c == '-' || c == '.' || c == ' ' ? '_' : lower(c);
}

/* Letters and digits; bytes of other scripts count as letters. */
static bool is_word(char c)
{
	unsigned char l = lower(c);
	return (l >= 'a' && l <= 'z') || (l >= '0' && l <= '9') || l >= 0x80;
}

bool vw_text_equal_nocase(const char *a, const char *b)
{
	if (!a || !b)
		return a == b;
	for (; *a && lower(*a) == lower(*b); a++)
		b++;
	return lower(*a) == lower(*b);
}

/* The length of `prefix`, if `key` begins with it. */
static bool has_prefix(const char *key, const char *prefix, size_t *out_len)
{
	size_t i = 0;
	while (prefix[i] && key[i] && fold(key[i]) == fold(prefix[i]))
		i++;
	*out_len = i;
	return !prefix[i];
}

bool vw_key_equal(const char *a, const char *b)
{
	size_t len;
	if (!a || !b)
		return a == b;
	return has_prefix(a, b, &len) && !a[len];
}

bool vw_key_has_prefix(const char *key, const char *prefix)
{
	size_t len;
	return key && prefix && has_prefix(key, prefix, &len);
}

bool vw_key_contains_word(const char *text, const char *word)
{
	if (!text || !word || !word[0])
		return false;
	char last = word[strlen(word) - 1];
	for (const char *p = text; *p; p++) {
		size_t len;
		if (p > text && is_word(p[-1]) && is_word(word[0]))
			continue;
		if (has_prefix(p, word, &len) && !(is_word(p[len]) && is_word(last)))
			return true;
	}
	return false;
}

/* Unicode's White_Space, and the four separators that str.strip() takes for it. */
static bool is_space(uint32_t c)
{
	return (c >= 0x09 && c <= 0x0D) || (c >= 0x1C && c <= 0x20) || c == 0x85 || c == 0xA0 || c == 0x1680 ||
	       (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F ||
	       c == 0x3000;
}

/* What is between the white space at both ends: *out_len bytes from the result, 0 when blank. */
static const char *strip(const char *text, size_t *out_len)
{
	size_t len = strlen(text);
	size_t begin = len, end = len;
	for (size_t i = 0; i < len;) {
		uint32_t point;
		size_t n = vw_utf8_decode(text + i, len - i, &point);
		bool space = n && is_space(point);
		if (!space && begin == len)
			begin = i;
		i += n ? n : 1;
		if (!space)
			end = i;
	}
	*out_len = end - begin;
	return text + begin;
}

bool vw_text_blank(const char *text)
{
	size_t len = 0;
	if (text)
		strip(text, &len);
	return len == 0;
}

char *vw_text_trim(struct vw_arena *arena, const char *text)
{
	size_t len = 0;
	const char *begin = text ? strip(text, &len) : NULL;
	return len ? vw_arena_strndup(arena, begin, len) : NULL;
}

bool vw_text_int64(const char *text, int64_t *out)
{
	if (!text)
		return false;
	bool negative = *text == '-';
	const char *p = text + negative;
	int64_t value = 0;
	if (!*p)
		return false;
	for (; *p; p++) {
		if (*p < '0' || *p > '9')
			return false;
		/* downwards, for the negative range is the larger one */
		if (__builtin_mul_overflow(value, 10, &value) || __builtin_sub_overflow(value, *p - '0', &value))
			return false;
	}
	if (!negative && __builtin_sub_overflow(0, value, &value))
		return false;
	*out = value;
	return true;
}

bool vw_text_double(const char *text, double *out)
{
	/* strtod would skip white space in front */
	if (!text || !text[0] || is_space((unsigned char)text[0]))
		return false;
	char *end;
	double value = strtod(text, &end);
	if (end == text || *end)
		return false;
	*out = value;
	return true;
}
