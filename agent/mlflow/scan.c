#include "scan.h"

#include "base/limits.h"

#include <string.h>

static void skip_space(struct vw_scan *scan)
{
	while (scan->at < scan->len && memchr(" \t\r\n", scan->bytes[scan->at], 4))
		scan->at++;
}

bool vw_scan_take(struct vw_scan *scan, char c)
{
	skip_space(scan);
	if (scan->at >= scan->len || scan->bytes[scan->at] != c)
		return false;
	scan->at++;
	return true;
}

bool vw_scan_at_end(struct vw_scan *scan)
{
	skip_space(scan);
	return scan->at >= scan->len;
}

/* Past the closing quote; the opening one is behind us. */
static bool skip_string(struct vw_scan *scan)
{
	while (scan->at < scan->len) {
		char c = scan->bytes[scan->at++];
		if (c == '"')
			return true;
		if (c == '\\')
			scan->at++;
	}
	return false;
}

/* Past the bracket that closes the one behind us. */
static bool skip_nested(struct vw_scan *scan, size_t *nodes)
{
	int depth = 1;

	while (scan->at < scan->len) {
		switch (scan->bytes[scan->at++]) {
		case '"':
			if (!skip_string(scan))
				return false;
			break;
		case '{':
		case '[':
			++*nodes;
			if (++depth > VW_MAX_JSON_DEPTH)
				return false;
			break;
		case '}':
		case ']':
			if (--depth == 0)
				return true;
			break;
		case ',':
			++*nodes;
			break;
		default:
			break;
		}
	}
	return false;
}

static bool skip_word(struct vw_scan *scan)
{
	static const char ends[] = ",]}:[{\" \t\r\n";
	size_t start = scan->at;
	while (scan->at < scan->len && !memchr(ends, scan->bytes[scan->at], sizeof(ends)))
		scan->at++;
	return scan->at > start;
}

bool vw_scan_value(struct vw_scan *scan, struct vw_span *out)
{
	bool good;
	skip_space(scan);
	size_t start = scan->at;
	size_t nodes = 1;
	if (vw_scan_take(scan, '"'))
		good = skip_string(scan);
	else if (vw_scan_take(scan, '{') || vw_scan_take(scan, '['))
		good = skip_nested(scan, &nodes);
	else
		good = skip_word(scan);
	if (!good || scan->at > scan->len)
		return false;
	*out = (struct vw_span){scan->bytes + start, scan->at - start, nodes};
	return true;
}

bool vw_scan_key(struct vw_scan *scan, struct vw_span *out)
{
	if (!vw_scan_take(scan, '"'))
		return false;
	size_t start = scan->at;
	if (!skip_string(scan))
		return false;
	*out = (struct vw_span){scan->bytes + start, scan->at - start - 1, 1};
	return vw_scan_take(scan, ':');
}

bool vw_span_is(const struct vw_span *span, const char *text)
{
	return span->len == strlen(text) && memcmp(span->bytes, text, span->len) == 0;
}
