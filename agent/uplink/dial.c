#include "dial.h"

#include "base/clock.h"
#include "base/limits.h"
#include "connect.h"
#include "pump.h"

#include <errno.h>
#include <grpc/grpc_posix.h>
#include <grpc/grpc_security.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* The controller allows a ping every 30 seconds. */
#define KEEPALIVE_MS         60000
#define KEEPALIVE_TIMEOUT_MS 20000

struct vw_dial {
	struct vw_connection *connection;
	struct vw_secure *secure;
	struct vw_pump *pump;
	int plain; /* the pump's end of the socket pair; -1: none */
	grpc_channel *channel;
};

/* ---- the channel ---- */

static grpc_arg number(const char *key, int value)
{
	return (grpc_arg){.type = GRPC_ARG_INTEGER, .key = (char *)key, .value.integer = value};
}

static grpc_arg text(const char *key, const char *value)
{
	return (grpc_arg){.type = GRPC_ARG_STRING, .key = (char *)key, .value.string = (char *)value};
}

/* A channel over one descriptor has no resolver, no balancer and no reconnection. Takes `fd` over. */
static grpc_channel *make_channel(const char *endpoint, int fd)
{
	grpc_arg list[] = {
	    text(GRPC_ARG_DEFAULT_AUTHORITY, endpoint),
	    text(GRPC_ARG_HTTP2_SCHEME, "https"),
	    text(GRPC_ARG_PRIMARY_USER_AGENT_STRING, "vw-agent"),
	    number(GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH, (int)VW_MAX_FLEET_CONTROL),
	    number(GRPC_ARG_MAX_SEND_MESSAGE_LENGTH, (int)VW_MAX_FLEET_MESSAGE),
	    number(GRPC_ARG_KEEPALIVE_TIME_MS, KEEPALIVE_MS),
	    number(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, KEEPALIVE_TIMEOUT_MS),
	    number(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0),
	    number(GRPC_ARG_HTTP2_BDP_PROBE, 0),
	    number(GRPC_ARG_ENABLE_RETRIES, 0),
	    number(GRPC_ARG_ENABLE_CHANNELZ, 0),
	    number(GRPC_ARG_ENABLE_HTTP_PROXY, 0),
	};
	grpc_channel_args args = {sizeof(list) / sizeof(list[0]), list};
	grpc_channel_credentials *insecure = grpc_insecure_credentials_create();
	grpc_channel *channel = grpc_channel_create_from_fd(endpoint, fd, insecure, &args);
	grpc_channel_credentials_release(insecure);
	return channel;
}

static int open_channel(struct vw_dial *dial, const char *endpoint, struct vw_error *err)
{
	int pair[2];
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
		return vw_error_set(err, VW_EIO, "a socket pair: %s", strerror(errno));
	dial->plain = pair[0];
	int code = vw_pump_start(dial->secure, vw_connection_socket(dial->connection), dial->plain, &dial->pump, err);
	if (code < 0) {
		close(pair[1]);
		return code;
	}
	dial->channel = make_channel(endpoint, pair[1]);
	return dial->channel ? 0 : vw_error_set(err, VW_ENOMEM, "gRPC cannot make a channel");
}

/* ---- life ---- */

static int shake_hands(struct vw_dial *dial, const struct vw_secure_order *order, int64_t deadline,
		       const struct vw_uplink_route *route, enum vw_dial_failure *out_failure, struct vw_error *err)
{
	int code = vw_secure_open(order, &dial->secure, err);
	return code < 0 ? code : vw_secure_handshake(dial->secure, deadline, route->cancel, out_failure, err);
}

int vw_dial_open(const char *endpoint, const char *trust_domain, const struct vw_identity_pair *pair,
		 const struct vw_uplink_route *route, struct vw_dial **out, enum vw_dial_failure *out_failure,
		 struct vw_error *err)
{
	int64_t deadline = vw_clock_monotonic() + route->connect_timeout_ms;
	enum vw_dial_failure failure = VW_DIAL_UNREACHABLE;
	struct vw_dial *dial = calloc(1, sizeof(*dial));
	if (!dial) {
		*out_failure = failure;
		return vw_error_set(err, VW_ENOMEM, "no memory for a connection");
	}
	grpc_init();
	dial->plain = -1;
	int code = vw_connection_open(endpoint, route, deadline, &dial->connection, err);
	if (code == 0) {
		struct vw_secure_order order = {vw_connection_socket(dial->connection),
						vw_connection_server_name(dial->connection), trust_domain, pair};
		code = shake_hands(dial, &order, deadline, route, &failure, err);
	}
	if (code == 0)
		code = open_channel(dial, endpoint, err);
	if (code < 0) {
		vw_dial_close(dial);
		*out_failure = failure;
		return vw_error_context(err, code, "controller %s", endpoint);
	}
	*out = dial;
	*out_failure = VW_DIAL_NONE;
	return 0;
}

grpc_channel *vw_dial_channel(struct vw_dial *dial)
{
	return dial->channel;
}

enum vw_dial_failure vw_dial_failure(const struct vw_dial *dial, struct vw_error *err)
{
	return vw_pump_failure(dial->pump, err);
}

bool vw_dial_heard(const struct vw_dial *dial)
{
	return vw_pump_heard(dial->pump);
}

void vw_dial_close(struct vw_dial *dial)
{
	if (!dial)
		return;
	if (dial->channel)
		grpc_channel_destroy(dial->channel);
	vw_pump_stop(dial->pump);
	if (dial->plain >= 0)
		close(dial->plain);
	vw_secure_close(dial->secure);
	vw_connection_close(dial->connection);
	grpc_shutdown();
	free(dial);
}
