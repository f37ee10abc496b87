#include "load.h"

#include "base/limits.h"

#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define FRAME_HEADER 9
#define FRAME_MAX    16384
#define WINDOW       65535 /* that both begin with (RFC 9113, 6.9.2) */
#define STREAM       1

enum type { DATA = 0, HEADERS = 1, RST = 3, SETTINGS = 4, PING = 6, GOAWAY = 7, WINDOW_UPDATE = 8 };
enum flag { ACK = 1, END_STREAM = 1, END_HEADERS = 4 };

bool wire_open(struct load_wire *wire, int fd, SSL *ssl)
{
	memset(wire, 0, sizeof(*wire));
	wire->fd = fd;
	wire->ssl = ssl;
	wire->window = wire->stream_window = wire->initial_window = WINDOW;
	vw_buffer_init(&wire->out, 0);
	vw_buffer_init(&wire->pending, 0);
	vw_buffer_init(&wire->in, 0);
	vw_buffer_init(&wire->message, 0);
	wire->wants = EPOLLOUT;
	return SSL_set_fd(ssl, fd) == 1;
}

void wire_close(struct load_wire *wire)
{
	SSL_free(wire->ssl);
	close(wire->fd);
	vw_buffer_reset(&wire->out);
	vw_buffer_reset(&wire->pending);
	vw_buffer_reset(&wire->in);
	vw_buffer_reset(&wire->message);
	wire->ssl = NULL;
	wire->fd = -1;
}

/* ---- Frames that go out ---- */

static void put_number(struct vw_buffer *out, uint32_t number, int bytes)
{
	for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8)
		vw_buffer_putc(out, (char)(number >> shift));
}

static void put_header(struct vw_buffer *out, size_t len, enum type type, int flags, uint32_t stream)
{
	put_number(out, (uint32_t)len, 3);
	vw_buffer_putc(out, (char)type);
	vw_buffer_putc(out, (char)flags);
	put_number(out, stream, 4);
}

static void put_text(struct vw_buffer *out, const char *text)
{
	vw_buffer_putc(out, (char)strlen(text)); /* below 127, not Huffman coded */
	vw_buffer_puts(out, text);
}

/* Source: RFC 7541, 6.1 and 6.2.1, and its static table. */
void wire_call(struct load_wire *wire, const char *authority)
{
	struct vw_buffer block;
	vw_buffer_init(&block, 0);
	vw_buffer_append(&block, "\x83\x87\x44", 3); /* POST, https, :path */
	put_text(&block, "/verifywise.v1.Fleet/Session");
	vw_buffer_putc(&block, 0x41); /* :authority */
	put_text(&block, authority);
	vw_buffer_putc(&block, 0x5f); /* content-type */
	put_text(&block, "application/grpc");
	vw_buffer_putc(&block, 0x40);
	put_text(&block, "te");
	put_text(&block, "trailers");
	vw_buffer_puts(&wire->out, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
	put_header(&wire->out, 0, SETTINGS, 0, 0);
	put_header(&wire->out, block.len, HEADERS, END_HEADERS, STREAM);
	vw_buffer_append(&wire->out, block.data, block.len);
	vw_buffer_reset(&block);
}

void wire_send(struct load_wire *wire, const ProtobufCMessage *message)
{
	size_t len = protobuf_c_message_get_packed_size(message);
	uint8_t *packed = malloc(len + 1);
	if (!packed)
		load_fail("no memory");
	protobuf_c_message_pack(message, packed);
	vw_buffer_putc(&wire->pending, 0); /* not compressed */
	put_number(&wire->pending, (uint32_t)len, 4);
	vw_buffer_append(&wire->pending, packed, len);
	free(packed);
}

size_t wire_waiting(const struct load_wire *wire)
{
	return wire->pending.len - wire->pending_at + wire->out.len - wire->out_at;
}

static void cut(struct vw_buffer *buffer, size_t *at)
{
	if (*at < buffer->len)
		return;
	vw_buffer_clear(buffer);
	*at = 0;
}

/* As much as the windows take. */
static void put_data(struct load_wire *wire)
{
	while (wire->pending_at < wire->pending.len && wire->out.len - wire->out_at < 4 * FRAME_MAX) {
		int64_t room = wire->window < wire->stream_window ? wire->window : wire->stream_window;
		size_t len = wire->pending.len - wire->pending_at;
		len = len < FRAME_MAX ? len : FRAME_MAX;
		if (room <= 0)
			return;
		len = (int64_t)len < room ? len : (size_t)room;
		put_header(&wire->out, len, DATA, 0, STREAM);
		vw_buffer_append(&wire->out, wire->pending.data + wire->pending_at, len);
		wire->pending_at += len;
		wire->window -= (int64_t)len;
		wire->stream_window -= (int64_t)len;
	}
	cut(&wire->pending, &wire->pending_at);
}

/* ---- Frames that come in ---- */

static uint32_t number_at(const uint8_t *bytes, int count)
{
	uint32_t number = 0;
	for (int i = 0; i < count; i++)
		number = number << 8 | bytes[i];
	return number;
}

static void on_settings(struct load_wire *wire, const uint8_t *bytes, size_t len, int flags)
{
	if (flags & ACK)
		return;
	for (size_t i = 0; i + 6 <= len; i += 6) {
		if (number_at(bytes + i, 2) != 4) /* INITIAL_WINDOW_SIZE */
			continue;
		int64_t value = number_at(bytes + i + 2, 4);
		wire->stream_window += value - wire->initial_window;
		wire->initial_window = value;
	}
	put_header(&wire->out, 0, SETTINGS, ACK, 0);
}

static void consume(struct load_wire *wire, size_t len)
{
	wire->consumed += (uint32_t)len;
	if (wire->consumed < WINDOW / 2)
		return;
	for (uint32_t stream = 0; stream <= STREAM; stream += STREAM) {
		put_header(&wire->out, 4, WINDOW_UPDATE, 0, stream);
		put_number(&wire->out, wire->consumed, 4);
	}
	wire->consumed = 0;
}

static void on_data(struct load_wire *wire, const uint8_t *bytes, size_t len,
		    void (*each)(const uint8_t *bytes, size_t len, void *arg), void *arg)
{
	struct vw_buffer *message = &wire->message;
	size_t at = 0;
	vw_buffer_append(message, bytes, len);
	while (message->len - at >= 5) {
		const uint8_t *head = (const uint8_t *)message->data + at;
		size_t size = number_at(head + 1, 4);
		if (message->len - at - 5 < size)
			break;
		each(head + 5, size, arg);
		at += 5 + size;
	}
	if (at > 0) {
		memmove(message->data, message->data + at, message->len - at);
		message->len -= at;
	}
	consume(wire, len);
}

static void on_frame(struct load_wire *wire, const uint8_t *frame, size_t len,
		     void (*each)(const uint8_t *bytes, size_t len, void *arg), void *arg)
{
	const uint8_t *payload = frame + FRAME_HEADER;
	int flags = frame[4];
	switch ((enum type)frame[3]) {
	case DATA:
		on_data(wire, payload, len, each, arg);
		break;
	case SETTINGS:
		on_settings(wire, payload, len, flags);
		break;
	case PING:
		if (!(flags & ACK)) {
			put_header(&wire->out, 8, PING, ACK, 0);
			vw_buffer_append(&wire->out, payload, 8);
		}
		break;
	case WINDOW_UPDATE:
		*(number_at(frame + 5, 4) == 0 ? &wire->window : &wire->stream_window) += number_at(payload, 4);
		break;
	case HEADERS:
		wire->ended |= flags & END_STREAM;
		break;
	case RST:
	case GOAWAY:
		wire->ended = true;
		break;
	}
}

static void take_frames(struct load_wire *wire, void (*each)(const uint8_t *bytes, size_t len, void *arg), void *arg)
{
	size_t at = 0;
	while (wire->in.len - at >= FRAME_HEADER) {
		const uint8_t *frame = (const uint8_t *)wire->in.data + at;
		size_t len = number_at(frame, 3);
		if (wire->in.len - at - FRAME_HEADER < len)
			break;
		on_frame(wire, frame, len, each, arg);
		at += FRAME_HEADER + len;
	}
	if (at > 0) {
		memmove(wire->in.data, wire->in.data + at, wire->in.len - at);
		wire->in.len -= at;
	}
	if (wire->in.len == 0)
		vw_buffer_reset(&wire->in);
}

/* ---- TLS ---- */

/* True when it may go on later. */
static bool wait_tls(struct load_wire *wire, int result)
{
	int error = SSL_get_error(wire->ssl, result);
	if (error == SSL_ERROR_WANT_WRITE)
		wire->wants |= EPOLLOUT;
	return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE;
}

static bool write_out(struct load_wire *wire)
{
	for (;;) {
		put_data(wire);
		if (wire->out_at == wire->out.len)
			break;
		ERR_clear_error();
		int n = SSL_write(wire->ssl, wire->out.data + wire->out_at, (int)(wire->out.len - wire->out_at));
		if (n <= 0)
			return wait_tls(wire, n);
		wire->out_at += (size_t)n;
		cut(&wire->out, &wire->out_at);
	}
	if (wire->pending.len == 0)
		vw_buffer_reset(&wire->out);
	return true;
}

static bool read_in(struct load_wire *wire, void (*each)(const uint8_t *bytes, size_t len, void *arg), void *arg)
{
	uint8_t bytes[FRAME_MAX];
	for (;;) {
		ERR_clear_error();
		int n = SSL_read(wire->ssl, bytes, sizeof(bytes));
		if (n <= 0)
			return wait_tls(wire, n);
		vw_buffer_append(&wire->in, bytes, (size_t)n);
		take_frames(wire, each, arg);
	}
}

bool wire_move(struct load_wire *wire, void (*each)(const uint8_t *bytes, size_t len, void *arg), void *arg)
{
	wire->wants = EPOLLIN;
	if (!wire->shaken) {
		ERR_clear_error();
		int n = SSL_connect(wire->ssl);
		if (n != 1)
			return wait_tls(wire, n);
		wire->shaken = true;
	}
	return read_in(wire, each, arg) && write_out(wire) && !wire->ended;
}
