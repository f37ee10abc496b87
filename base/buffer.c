#include "base/buffer.h"

#include "base/error.h"
#include "base/limits.h"
#include "base/secret.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SIZE_FIRST 256

void vw_buffer_init(struct vw_buffer *buf, size_t cap)
{
	*buf = (struct vw_buffer){.cap = cap ? cap : VW_MAX_BUFFER};
}

void vw_buffer_init_secret(struct vw_buffer *buf, size_t cap)
{
	vw_buffer_init(buf, cap);
	buf->secret = true;
}

void vw_buffer_reset(struct vw_buffer *buf)
{
	if (buf->secret && buf->data)
		vw_wipe(buf->data, buf->size);
	free(buf->data);
	buf->data = NULL;
	buf->len = 0;
	buf->size = 0;
	buf->error = 0;
}

void vw_buffer_clear(struct vw_buffer *buf)
{
	if (buf->secret && buf->data)
		vw_wipe(buf->data, buf->size);
	buf->len = 0;
	buf->error = 0;
	if (buf->data)
		buf->data[0] = '\0';
}

void vw_buffer_wipe(struct vw_buffer *buf)
{
	if (buf->data)
		vw_wipe(buf->data, buf->size);
	vw_buffer_reset(buf);
}

/* realloc may leave the old bytes behind, where nobody can wipe them. */
static char *move_secret(struct vw_buffer *buf, size_t size)
{
	char *data = malloc(size);
	if (!data || !buf->data)
		return data;
	memcpy(data, buf->data, buf->len + 1);
	vw_wipe(buf->data, buf->size);
	free(buf->data);
	return data;
}

/* Makes room for `more` bytes and the terminating zero. */
static bool reserve(struct vw_buffer *buf, size_t more)
{
	size_t cap = buf->cap ? buf->cap : VW_MAX_BUFFER;
	if (buf->error)
		return false;
	if (buf->len > cap || more > cap - buf->len) {
		buf->error = VW_ELIMIT;
		return false;
	}
	size_t need = buf->len + more + 1;
	if (need <= buf->size)
		return true;
	size_t size = buf->size ? buf->size : SIZE_FIRST;
	while (size < need)
		size *= 2;
	/* never more than the cap needs */
	if (size - 1 > cap)
		size = cap + 1;
	char *data = buf->secret ? move_secret(buf, size) : realloc(buf->data, size);
	if (!data) {
		buf->error = VW_ENOMEM;
		return false;
	}
	buf->data = data;
	buf->size = size;
	buf->data[buf->len] = '\0';
	return true;
}

void vw_buffer_append(struct vw_buffer *buf, const void *bytes, size_t len)
{
	if (!reserve(buf, len) || len == 0)
		return;
	memcpy(buf->data + buf->len, bytes, len);
	buf->len += len;
	buf->data[buf->len] = '\0';
}

void vw_buffer_puts(struct vw_buffer *buf, const char *text)
{
	vw_buffer_append(buf, text, strlen(text));
}

void vw_buffer_putc(struct vw_buffer *buf, char c)
{
	vw_buffer_append(buf, &c, 1);
}

void vw_buffer_printf(struct vw_buffer *buf, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	vw_buffer_vprintf(buf, fmt, ap);
	va_end(ap);
}

void vw_buffer_vprintf(struct vw_buffer *buf, const char *fmt, va_list ap)
{
	va_list again;
	va_copy(again, ap);
	int len = vsnprintf(NULL, 0, fmt, ap);
	if (len < 0 && !buf->error)
		buf->error = VW_ENOMEM;
	if (len >= 0 && reserve(buf, (size_t)len)) {
		vsnprintf(buf->data + buf->len, (size_t)len + 1, fmt, again);
		buf->len += (size_t)len;
	}
	va_end(again);
}

int vw_buffer_error(const struct vw_buffer *buf)
{
	return buf->error;
}

const char *vw_buffer_text(const struct vw_buffer *buf)
{
	return buf->data ? buf->data : "";
}
