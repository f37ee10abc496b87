/* line.c: a connection as gRPC has it: a server of its own, so that a call's identity is its server's, and nothing that one peer does to
 * HTTP/2 reaches another's. */
#include "session.h"

#include "base/limits.h"
#include "fleet/codec.h"

#include <grpc/grpc_posix.h>
#include <grpc/grpc_security.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define IDLE_MS         30000 /* a connection without a stream */
#define PING_MS         30000 /* least time between two pings of a peer (facts: gRPC core 1.51) */
#define PING_STRIKES    2
#define STREAMS         2 /* of one connection: the old and the new one while they change */
#define METADATA        (8 * VW_KIB)
#define QUOTA_OF_STREAM (64 * VW_KIB)

/* ---- What gRPC is told ---- */

static grpc_arg number(const char *key, int value)
{
	grpc_arg arg = {.type = GRPC_ARG_INTEGER, .key = (char *)key};
	arg.value.integer = value;
	return arg;
}

grpc_resource_quota *vw_line_quota(int max_sessions)
{
	grpc_resource_quota *quota = grpc_resource_quota_create("sessions");
	grpc_resource_quota_resize(quota, VW_MAX_INGEST_QUEUE + 64 * VW_MIB + (size_t)max_sessions * QUOTA_OF_STREAM);
	return quota;
}

static grpc_server *make_server(grpc_resource_quota *quota)
{
	grpc_arg quota_arg = {.type = GRPC_ARG_POINTER, .key = (char *)GRPC_ARG_RESOURCE_QUOTA};
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
	    /* windows that follow the bandwidth are memory that nobody has counted */
	    number(GRPC_ARG_HTTP2_BDP_PROBE, 0),
	    number(GRPC_ARG_MAX_CONNECTION_IDLE_MS, IDLE_MS),
	    number(GRPC_ARG_ENABLE_CHANNELZ, 0),
	};
	grpc_channel_args all = {sizeof(args) / sizeof(args[0]), args};
	return grpc_server_create(&all, NULL);
}

/* ---- Calls ---- */

static void ask(struct vw_arrival *arrival)
{
	struct vw_line *line = arrival->line;
	grpc_completion_queue *queue = line->server->queue;
	grpc_call_error error;
	grpc_metadata_array_init(&arrival->metadata);
	if (arrival->is_stranger) {
		grpc_call_details_init(&arrival->details);
		error = grpc_server_request_call(line->grpc, &arrival->call, &arrival->details, &arrival->metadata,
						 queue, queue, &arrival->tag);
	} else {
		error =
		    grpc_server_request_registered_call(line->grpc, line->method, &arrival->call, &arrival->deadline,
							&arrival->metadata, NULL, queue, queue, &arrival->tag);
	}
	line->pending += error == GRPC_CALL_OK;
}

static void arrived(struct vw_arrival *arrival)
{
	if (arrival->is_stranger) {
		grpc_call_details_destroy(&arrival->details);
		vw_refuse(arrival->call, &arrival->metadata, GRPC_STATUS_UNIMPLEMENTED, "no such method", NULL);
	} else {
		vw_stream_open(arrival->line, arrival->call, &arrival->metadata);
	}
	ask(arrival);
}

static void release(struct vw_line *line)
{
	if (line->pending > 0 || !line->link_closed)
		return;
	*line->at = line->next;
	if (line->next)
		line->next->at = line->at;
	line->peer->line_count--;
	vw_peer_leave(line->server, line->peer);
	grpc_server_destroy(line->grpc);
	vw_link_free(line->link);
	free(line);
}

void vw_line_event(struct vw_tag *tag, bool ok)
{
	struct vw_line *line = tag->owner;
	if (tag->kind == VW_TAG_ARRIVAL) {
		struct vw_arrival *arrival = tag->owner;
		line = arrival->line;
		if (ok) {
			line->pending--;
			arrived(arrival);
			return;
		}
		grpc_metadata_array_destroy(&arrival->metadata);
		if (arrival->is_stranger)
			grpc_call_details_destroy(&arrival->details);
	}
	line->pending--;
	release(line);
}

/* ---- Begin and end ---- */

static void begin(struct vw_line *line, int plain)
{
	struct vw_session_server *server = line->server;
	line->next = server->lines;
	line->at = &server->lines;
	if (server->lines)
		server->lines->at = &line->next;
	server->lines = line;
	line->grpc = make_server(server->quota);
	grpc_server_register_completion_queue(line->grpc, server->queue, NULL);
	line->method = grpc_server_register_method(line->grpc, VW_FLEET_METHOD, NULL, GRPC_SRM_PAYLOAD_NONE, 0);
	grpc_server_start(line->grpc);
	grpc_server_add_channel_from_fd(line->grpc, plain, server->plain);
	for (int i = 0; i < VW_LINE_ARRIVALS; i++) {
		struct vw_arrival *arrival = &line->arrivals[i];
		arrival->tag = (struct vw_tag){VW_TAG_ARRIVAL, arrival};
		arrival->line = line;
		arrival->is_stranger = i == VW_LINE_ARRIVALS - 1;
		ask(arrival);
	}
}

/* One agent may have a few, whatever it does with them. */
static struct vw_line *make(struct vw_session_server *server, struct vw_link *link)
{
	const struct vw_spiffe *id = &link->peer.id;
	struct vw_peer *peer = server->draining ? NULL : vw_peer_enter(server, id->organization, id->agent_id);
	struct vw_line *line = NULL;
	if (peer && peer->line_count < VW_MAX_AGENT_CONNECTIONS)
		line = calloc(1, sizeof(*line));
	if (line) {
		line->server = server;
		line->link = link;
		line->peer = peer;
		peer->line_count++;
	} else if (peer) {
		vw_tally_add(&server->tally.turned_away, 1);
		vw_peer_leave(server, peer);
	}
	return line;
}

void vw_line_open(struct vw_session_server *server, struct vw_link *link, int plain)
{
	struct vw_line *line = plain < 0 ? NULL : make(server, link);
	link->owner = line;
	if (line)
		begin(line, plain);
	else if (plain >= 0)
		close(plain);
}

void vw_line_shut(struct vw_line *line)
{
	if (!line->shut_tag.owner) {
		line->shut_tag = (struct vw_tag){VW_TAG_LINE_SHUT, line};
		line->pending++;
		grpc_server_shutdown_and_notify(line->grpc, line->server->queue, &line->shut_tag);
	}
	grpc_server_cancel_all_calls(line->grpc);
}

void vw_line_closed(struct vw_link *link)
{
	struct vw_line *line = link->owner;
	if (!line) {
		vw_link_free(link);
		return;
	}
	line->link_closed = true;
	vw_line_shut(line);
	release(line);
}
