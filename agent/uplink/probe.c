#include "uplink/probe.h"

#include "base/clock.h"
#include "base/limits.h"
#include "connect.h"
#include "https.h"
#include "identity_files.h"
#include "secure.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

#define SLICE_MS 200

/* ---- the stream ---- */

/* A client's connection preface and empty SETTINGS (RFC 9113, 3.4): the peer answers with its own. */
static const char PREFACE[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0";

/* One step that is done again until it did something; negative: it is over. */
static int await(int socket, const struct vw_secure_step *step, int64_t deadline, const struct vw_uplink_route *route,
		 struct vw_error *err)
{
	struct pollfd fd = {.fd = socket, .events = step->wants};
	int64_t left = deadline - vw_clock_monotonic();
	if (step->ended)
		return err->code;
	if (route->cancel && __atomic_load_n(route->cancel, __ATOMIC_RELAXED))
		return vw_error_set(err, VW_ECANCELLED, "cancelled");
	if (left <= 0)
		return vw_error_set(err, VW_ETIMEOUT, "the controller says nothing after the TLS handshake");
	if (poll(&fd, 1, (int)(left < SLICE_MS ? left : SLICE_MS)) < 0 && errno != EINTR)
		return vw_error_set(err, VW_EIO, "poll: %s", strerror(errno));
	return 0;
}

/* With TLS 1.3 a refusal of our certificate comes after the handshake: only what the peer then says shows that it took it. */
static int hear(struct vw_secure *secure, int socket, int64_t deadline, const struct vw_uplink_route *route,
		enum vw_dial_failure *out_failure, struct vw_error *err)
{
	struct vw_secure_step step;
	char bytes[64];
	vw_secure_write(secure, PREFACE, sizeof(PREFACE) - 1, &step, err);
	for (;;) {
		vw_secure_read(secure, bytes, sizeof(bytes), &step, err);
		if (step.bytes > 0)
			return 0;
		int code = await(socket, &step, deadline, route, err);
		if (code < 0) {
			*out_failure = step.ended ? step.failure : VW_DIAL_UNREACHABLE;
			return code;
		}
	}
}

static int shake_hands(const struct vw_connection *connection, const struct vw_identity *identity, int64_t deadline,
		       const struct vw_uplink_route *route, enum vw_dial_failure *out_failure, struct vw_error *err)
{
	struct vw_identity_pair pair;
	struct vw_secure *secure;
	int socket = vw_connection_socket(connection);
	vw_identity_pair(identity, &pair);
	if (!pair.key) {
		*out_failure = VW_DIAL_EXPIRED;
		return vw_error_set(err, VW_EAUTH, "there is no certificate yet");
	}
	struct vw_secure_order order = {socket, vw_connection_server_name(connection),
					vw_identity_issued(identity)->trust_domain, &pair};
	int code = vw_secure_open(&order, &secure, err);
	if (code < 0)
		return code;
	code = vw_secure_handshake(secure, deadline, route->cancel, out_failure, err);
	if (code == 0)
		code = hear(secure, socket, deadline, route, out_failure, err);
	if (code == 0)
		vw_secure_goodbye(secure);
	vw_secure_close(secure);
	return code;
}

int vw_uplink_try_stream(const struct vw_identity *identity, const struct vw_uplink_route *route, bool *out_connected,
			 enum vw_dial_failure *out_failure, struct vw_error *err)
{
	int64_t deadline = vw_clock_monotonic() + route->connect_timeout_ms;
	enum vw_dial_failure failure = VW_DIAL_UNREACHABLE;
	struct vw_connection *connection;
	int code =
	    vw_connection_open(vw_identity_issued(identity)->session_endpoint, route, deadline, &connection, err);
	*out_connected = code == 0;
	if (code == 0) {
		code = shake_hands(connection, identity, deadline, route, &failure, err);
		vw_connection_close(connection);
	}
	*out_failure = code == 0 ? VW_DIAL_NONE : failure;
	return code;
}

/* ---- HTTPS ---- */

int vw_uplink_try_https(const struct vw_identity *identity, const struct vw_uplink_route *route,
			int64_t *out_offset_ms, struct vw_error *err)
{
	struct vw_arena *arena VW_AUTO(vw_arena_cleanup) = vw_arena_open(0);
	struct vw_buffer body;
	char *authorities;
	int64_t date = 0;
	if (!arena)
		return vw_error_set(err, VW_ENOMEM, "no memory for a request");
	int code = vw_identity_authorities_pem(identity, arena, &authorities, err);
	if (code < 0)
		return code;
	struct vw_https_request request = {.url = vw_identity_url(identity),
					   .path = "/enroll/v1/authorities",
					   .authorities = authorities,
					   .route = route,
					   .out_date = &date};
	vw_buffer_init(&body, VW_MAX_CERTIFICATES * VW_MAX_CERTIFICATE * 2);
	code = vw_https(&request, &body, err);
	vw_buffer_reset(&body);
	if (code < 0)
		return code;
	*out_offset_ms = date ? date - vw_clock_now() / 1000 * 1000 : 0;
	return 0;
}
