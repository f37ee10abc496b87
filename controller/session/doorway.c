#include "doorway.h"

#include "message.h"

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "fleet/codec.h"

#include <grpc/grpc_security.h>
#include <grpc/support/log.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define ARRIVALS        64    /* calls that may come between two turns of the loop without waiting */
#define STRANGERS       8     /* the same, of methods that there are not */
#define HANDSHAKE_MS    10000 /* from accept() to the end of the TLS handshake */
#define IDLE_MS         30000 /* a connection without a stream */
#define PING_MS         30000 /* least time between two pings of a peer (facts: gRPC core 1.51) */
#define PING_STRIKES    2
#define STREAMS         2 /* of one connection: the old and the new one while they change */
#define METADATA        (8 * VW_KIB)
#define FILES_BESIDE    512   /* descriptors for everything but streams: store, HTTPS, handshakes */
#define LOG_MS          10000 /* between two lines of gRPC's */
#define QUOTA_OF_STREAM (64 * VW_KIB)

/* A call that gRPC may hand over. */
struct arrival {
	struct vw_tag tag;
	struct vw_doorway *doorway;
	bool stranger;
	grpc_call *call;
	gpr_timespec deadline;
	grpc_call_details details;
	grpc_metadata_array metadata;
};

struct vw_doorway {
	struct vw_doorway *next;
	struct vw_session_server *server;
	grpc_server *grpc;
	void *method;
	struct vw_tls_view view;
	struct vw_tag shut_tag;
	int pending; /* arrivals that are asked for, and the end of shutting */
	struct arrival arrivals[ARRIVALS + STRANGERS];
};

/* ---- Arrivals ---- */

static void ask(struct arrival *arrival)
{
	struct vw_doorway *doorway = arrival->doorway;
	grpc_completion_queue *queue = doorway->server->queue;
	grpc_call_error error;
	grpc_metadata_array_init(&arrival->metadata);
	if (arrival->stranger) {
		grpc_call_details_init(&arrival->details);
		error = grpc_server_request_call(doorway->grpc, &arrival->call, &arrival->details, &arrival->metadata,
						 queue, queue, &arrival->tag);
	} else {
		error = grpc_server_request_registered_call(doorway->grpc, doorway->method, &arrival->call,
							    &arrival->deadline, &arrival->metadata, NULL, queue,
							    queue, &arrival->tag);
	}
	if (error == GRPC_CALL_OK)
		doorway->pending++;
}

static void ask_all(struct vw_doorway *doorway)
{
	for (int i = 0; i < ARRIVALS + STRANGERS; i++) {
		struct arrival *arrival = &doorway->arrivals[i];
		arrival->tag = (struct vw_tag){VW_TAG_ARRIVAL, arrival};
		arrival->doorway = doorway;
		arrival->stranger = i >= ARRIVALS;
		ask(arrival);
	}
}

static void arrived(struct arrival *arrival)
{
	grpc_call *call = arrival->call;
	if (!arrival->stranger) {
		vw_stream_open(arrival->doorway->server, call, &arrival->metadata);
	} else {
		grpc_call_details_destroy(&arrival->details);
		vw_refuse(call, &arrival->metadata, GRPC_STATUS_UNIMPLEMENTED, "no such method", NULL);
	}
	ask(arrival);
}

bool vw_doorway_event(struct vw_tag *tag, bool ok)
{
	struct vw_doorway *doorway = tag->owner;
	if (tag->kind == VW_TAG_ARRIVAL) {
		struct arrival *arrival = tag->owner;
		doorway = arrival->doorway;
		if (ok) {
			doorway->pending--;
			arrived(arrival);
			return false;
		}
		grpc_metadata_array_destroy(&arrival->metadata);
		if (arrival->stranger)
			grpc_call_details_destroy(&arrival->details);
	}
	if (--doorway->pending > 0)
		return false;
	struct vw_doorway **at = &doorway->server->doorways;
	while (*at != doorway)
		at = &(*at)->next;
	*at = doorway->next;
	grpc_server_destroy(doorway->grpc);
	free(doorway);
	return true;
}

static void shut(struct vw_doorway *doorway)
{
	if (doorway->shut_tag.owner)
		return;
	doorway->shut_tag = (struct vw_tag){VW_TAG_DOORWAY_SHUT, doorway};
	doorway->pending++;
	grpc_server_shutdown_and_notify(doorway->grpc, doorway->server->queue, &doorway->shut_tag);
}

void vw_doorway_shut(struct vw_doorway *doorway)
{
	for (; doorway; doorway = doorway->next)
		shut(doorway);
}

void vw_doorway_cancel(struct vw_doorway *doorway)
{
	for (; doorway; doorway = doorway->next)
		grpc_server_cancel_all_calls(doorway->grpc);
}

/* ---- What gRPC is told ---- */

static grpc_arg number(const char *key, int value)
{
	grpc_arg arg = {.type = GRPC_ARG_INTEGER, .key = (char *)(uintptr_t)key};
	arg.value.integer = value;
	return arg;
}

/* Memory that connections may take in all; beyond, gRPC ends some of them. */
static grpc_resource_quota *make_quota(int max_sessions)
{
	grpc_resource_quota *quota = grpc_resource_quota_create("sessions");
	grpc_resource_quota_resize(quota, VW_MAX_INGEST_QUEUE + 64 * VW_MIB + (size_t)max_sessions * QUOTA_OF_STREAM);
	return quota;
}

static grpc_server *make_server(int max_sessions)
{
	grpc_resource_quota *quota = make_quota(max_sessions);
	grpc_arg quota_arg = {.type = GRPC_ARG_POINTER, .key = (char *)(uintptr_t)GRPC_ARG_RESOURCE_QUOTA};
	quota_arg.value.pointer.p = quota;
	quota_arg.value.pointer.vtable = grpc_resource_quota_arg_vtable();
	grpc_arg args[] = {
	    quota_arg,
	    number(GRPC_ARG_MAX_CONCURRENT_STREAMS, STREAMS),
	    number(GRPC_ARG_MAX_METADATA_SIZE, (int)METADATA),
	    number(GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH, (int)VW_MAX_FLEET_MESSAGE),
	    /* a few bytes must not become 18 MiB behind our back */
	    number(GRPC_ARG_ENABLE_PER_MESSAGE_DECOMPRESSION, 0),
	    number(GRPC_ARG_ENABLE_PER_MESSAGE_COMPRESSION, 0),
	    number(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, PING_MS),
	    number(GRPC_ARG_HTTP2_MAX_PING_STRIKES, PING_STRIKES),
	    number(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0),
	    number(GRPC_ARG_HTTP2_BDP_PROBE, 0),
	    number(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS, HANDSHAKE_MS),
	    number(GRPC_ARG_MAX_CONNECTION_IDLE_MS, IDLE_MS),
	    number(GRPC_ARG_ENABLE_CHANNELZ, 0),
	    /* a doorway that takes over from a deaf one listens beside it for a moment */
	    number(GRPC_ARG_ALLOW_REUSEPORT, 1),
	};
	grpc_channel_args all = {sizeof(args) / sizeof(args[0]), args};
	grpc_server *server = grpc_server_create(&all, NULL);
	grpc_resource_quota_unref(quota);
	return server;
}

int vw_doorway_open(struct vw_session_server *server, struct vw_tls *tls, const char *host, int *port,
		    struct vw_error *err)
{
	char address[300];
	struct vw_doorway *doorway = calloc(1, sizeof(*doorway));
	if (!doorway)
		return vw_error_set(err, VW_ENOMEM, "no memory to listen");
	doorway->server = server;
	doorway->grpc = make_server(server->settings.max_sessions);
	grpc_server_register_completion_queue(doorway->grpc, server->queue, NULL);
	doorway->method = grpc_server_register_method(doorway->grpc, VW_FLEET_METHOD, NULL, GRPC_SRM_PAYLOAD_NONE, 0);
	grpc_server_credentials *credentials = vw_tls_credentials(tls, &doorway->view);
	snprintf(address, sizeof(address), "%s:%d", host, *port);
	int bound = credentials ? grpc_server_add_http2_port(doorway->grpc, address, credentials) : 0;
	grpc_server_credentials_release(credentials);
	doorway->next = server->doorways;
	server->doorways = doorway;
	grpc_server_start(doorway->grpc);
	ask_all(doorway);
	if (bound == 0) {
		shut(doorway);
		return vw_error_set(err, VW_ECONFIG, "cannot listen on %s for agents", address);
	}
	*port = bound;
	return 0;
}

/* ---- The process around it ---- */

int vw_doorway_raise_files(int sessions, int *out_sessions, struct vw_error *err)
{
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return vw_error_set(err, VW_EIO, "cannot ask for the limit of open files");
	if (limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
		getrlimit(RLIMIT_NOFILE, &limit);
	}
	if (limit.rlim_cur <= FILES_BESIDE)
		return vw_error_set(err, VW_ECONFIG,
				    "this process may open %llu files, too few for any agent: raise the limit "
				    "(ulimit -n, LimitNOFILE=)",
				    (unsigned long long)limit.rlim_cur);
	rlim_t room = limit.rlim_cur - FILES_BESIDE;
	*out_sessions = room < (rlim_t)sessions ? (int)room : sessions;
	return 0;
}

static atomic_bool is_deaf;
static atomic_llong logged_at, unlogged;

/* From gRPC's threads. */
static void on_log(gpr_log_func_args *args)
{
	long long now = vw_clock_monotonic(), last = atomic_load(&logged_at);
	if (args->severity < GPR_LOG_SEVERITY_ERROR)
		return;
	if (strstr(args->message, "Failed accept4"))
		atomic_store(&is_deaf, true);
	if ((last > 0 && now - last < LOG_MS) || !atomic_compare_exchange_strong(&logged_at, &last, now)) {
		atomic_fetch_add(&unlogged, 1);
		return;
	}
	vw_log(VW_LOG_WARN, "grpc", VW_LOG_S("message", args->message),
	       VW_LOG_I("unlogged", atomic_exchange(&unlogged, 0)));
}

void vw_doorway_log(void)
{
	gpr_set_log_function(on_log);
}

bool vw_doorway_deaf(void)
{
	return atomic_exchange(&is_deaf, false);
}
