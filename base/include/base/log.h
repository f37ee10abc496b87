/* log.h: one line per event on standard error, for people and machines alike.
 *
 *	2026-03-01T12:00:00.000Z info event=sync_finished versions=120 created=3
 *
 * or the same as one JSON object per line. Values are escaped (vw_text_append_safe, and quotes around what has
 * spaces); nobody passes a secret. Only coordinators log: main, sync, the daemon. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>

enum vw_log_level { VW_LOG_ERROR, VW_LOG_WARN, VW_LOG_INFO, VW_LOG_DEBUG };
enum vw_log_format { VW_LOG_TEXT, VW_LOG_JSON };

/* Process-wide, set by main, and anew when the configuration is read again, while other threads write. The default is text at VW_LOG_WARN. */
void vw_log_setup(enum vw_log_level level, enum vw_log_format format);
bool vw_log_enabled(enum vw_log_level level);

/* One attribute; build with the macros. */
struct vw_log_attr {
	const char *key;
	const char *text; /* NULL: `number` counts */
	int64_t number;
};
static inline const char *vw_log_text(const char *text)
{
	return text ? text : "";
}
#define VW_LOG_S(k, v) ((struct vw_log_attr){.key = (k), .text = vw_log_text(v)})
#define VW_LOG_I(k, v) ((struct vw_log_attr){.key = (k), .number = (int64_t)(v)})

void vw_log_write(enum vw_log_level level, const char *event, const struct vw_log_attr *attrs, int count);
#define vw_log(level, event, ...)                                                                                    \
	vw_log_write((level), (event), (const struct vw_log_attr[]){__VA_ARGS__},                                    \
		     (int)(sizeof((const struct vw_log_attr[]){__VA_ARGS__}) / sizeof(struct vw_log_attr)))

#endif
