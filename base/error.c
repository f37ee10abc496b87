#include "base/error.h"

#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Remote text may be in a message: what is ill-formed becomes '?', and a character that was cut at the end goes. */
static void make_valid(char *text, bool cut)
{
	size_t len = strlen(text);
	for (size_t i = 0; i < len;) {
		uint32_t point;
		size_t n = vw_utf8_decode(text + i, len - i, &point);
		if (n == 0 && cut && len - i < 4 && ((unsigned char)text[i] & 0xC0) == 0xC0) {
			text[i] = '\0';
			return;
		}
		if (n == 0)
			text[i] = '?';
		i += n ? n : 1;
	}
}

static __attribute__((format(printf, 2, 0))) void format(char out[VW_ERROR_MESSAGE_MAX], const char *fmt, va_list ap)
{
	int len = vsnprintf(out, VW_ERROR_MESSAGE_MAX, fmt, ap);
	if (len < 0)
		out[0] = '\0';
	make_valid(out, len >= VW_ERROR_MESSAGE_MAX);
}

int vw_error_set(struct vw_error *err, int code, const char *fmt, ...)
{
	if (!err)
		return code;
	/* an argument may point into err->message */
	char text[VW_ERROR_MESSAGE_MAX];
	va_list ap;
	va_start(ap, fmt);
	format(text, fmt, ap);
	va_end(ap);
	err->code = code;
	memcpy(err->message, text, sizeof(text));
	return code;
}

int vw_error_context(struct vw_error *err, int code, const char *fmt, ...)
{
	if (!err)
		return code;
	char context[VW_ERROR_MESSAGE_MAX];
	va_list ap;
	va_start(ap, fmt);
	format(context, fmt, ap);
	va_end(ap);
	if (!err->code)
		err->code = code;
	if (err->message[0])
		return vw_error_set(err, err->code, "%s: %s", context, err->message);
	return vw_error_set(err, err->code, "%s", context);
}

enum vw_disposition vw_error_disposition(int code)
{
	switch (code) {
	case VW_EAGAIN:
	case VW_ETIMEOUT:
		return VW_DO_RETRY;
	case VW_EINVAL:
	case VW_ELIMIT:
	case VW_ENOTFOUND:
	case VW_EFORBIDDEN:
	case VW_EUNSUPPORTED:
		return VW_DO_SKIP;
	default:
		return VW_DO_FATAL;
	}
}

const char *vw_code_name(int code)
{
	static const char *const names[] = {
	    "ok",          "invalid", "limit",       "not_found", "forbidden", "unauthenticated",
	    "unavailable", "timeout", "cancelled",   "memory",    "io",        "full",
	    "corrupt",     "busy",    "unsupported", "config",    "usage",
	};
	if (code > 0 || code < VW_EUSAGE)
		return "unknown";
	return names[-code];
}
