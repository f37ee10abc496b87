/* buffer.h: bytes that grow up to a cap. The text is always zero-terminated behind `len`.
 *
 * Appending to a buffer that failed does nothing: check vw_buffer_error() once at the end. */
#ifndef BASE_BUFFER_H
#define BASE_BUFFER_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct vw_buffer {
	char *data; /* NULL while empty and never written */
	size_t len;
	size_t size;
	size_t cap;
	int error;   /* 0, VW_ELIMIT or VW_ENOMEM; sticky until reset */
	bool secret; /* growing, clearing and resetting wipe what is given up */
};

/* `cap` in bytes, without the terminating zero; 0 means VW_MAX_BUFFER. */
void vw_buffer_init(struct vw_buffer *buf, size_t cap);
/* The same for a secret: no copy is left behind when it grows, and its end wipes it. */
void vw_buffer_init_secret(struct vw_buffer *buf, size_t cap);
void vw_buffer_reset(struct vw_buffer *buf); /* frees */
void vw_buffer_clear(struct vw_buffer *buf); /* keeps the memory, forgets content and error */
void vw_buffer_wipe(struct vw_buffer *buf);  /* overwrites, then frees: for secrets */

void vw_buffer_append(struct vw_buffer *buf, const void *bytes, size_t len);
void vw_buffer_puts(struct vw_buffer *buf, const char *text);
void vw_buffer_putc(struct vw_buffer *buf, char c);
void vw_buffer_printf(struct vw_buffer *buf, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void vw_buffer_vprintf(struct vw_buffer *buf, const char *fmt, va_list ap) __attribute__((format(printf, 2, 0)));
int vw_buffer_error(const struct vw_buffer *buf);
/* The text, never NULL. */
const char *vw_buffer_text(const struct vw_buffer *buf);

#endif
