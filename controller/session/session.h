/* session.h: what the loop's thread owns: tenants, agents, streams. Workers read of them what is said to be fixed. */
#ifndef SESSION_SESSION_H
#define SESSION_SESSION_H

#include "fair.h"
#include "front.h"
#include "inbox.h"
#include "notice.h"
#include "pool.h"
#include "tally.h"
#include "task.h"

#include "base/log.h"
#include "fleet/certificate.h"
#include "fleet/spiffe.h"
#include "session/server.h"

#include <grpc/grpc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define VW_INSTANCE_ID 16 /* bytes */

struct vw_session_server;
struct vw_stream;

/* An organization that has an agent here. */
struct vw_tenant {
	int32_t organization; /* fixed */
	struct vw_tenant *next;
	struct vw_group urgent, bulk; /* of the pool */
	struct vw_flow flow;          /* of the pool: questions about the organization itself */
	struct vw_peer *peers;
	struct vw_stream *parked; /* streams that read again when there is room */
	size_t bytes;             /* that wait to be stored */
	unsigned users;           /* agents and tasks */
	bool look_wanted, looking;
};

/* An agent that has a connection here, or had one whose work is not done. */
struct vw_peer {
	struct vw_tenant *tenant;       /* fixed */
	char agent_id[VW_AGENT_ID_MAX]; /* fixed */
	struct vw_peer *next, *next_of_tenant, **at_of_tenant;
	struct vw_flow urgent, bulk; /* of the pool */
	uint64_t resume_at;          /* of whoever serves the bulk flow: the entry that was asked for; 0: none */
	uint64_t refused;            /* of the same: number of the stream whose entries are not taken any more */
	struct vw_stream *streams;
	struct vw_stream *current; /* the one that was welcomed last */
	unsigned stream_count, task_count, line_count;
	bool look_wanted, looking;
	bool commands_wanted, fetching;
	bool presence_wanted, writing_presence;
	int64_t presence_at; /* monotonic, when it was written last */
};

enum vw_stage {
	VW_STAGE_HELLO,   /* waits for the first message */
	VW_STAGE_JOINING, /* the store is asked */
	VW_STAGE_OPEN,
	VW_STAGE_LEAVING, /* reads no more; ends when what it sent is stored and acknowledged */
	VW_STAGE_ENDING,  /* the last message and the status go out */
	VW_STAGE_GONE     /* the call is over */
};

/* A tag of the completion queue: who is to be told of what. */
enum vw_tag_kind {
	VW_TAG_WAKE,
	VW_TAG_ARRIVAL,
	VW_TAG_LINE_SHUT,
	VW_TAG_READ,
	VW_TAG_WRITTEN,
	VW_TAG_CLOSED,
	VW_TAG_ENDED,
	VW_TAG_REFUSED
};
struct vw_tag {
	enum vw_tag_kind kind;
	void *owner;
};

/* A call that gRPC may hand over. */
struct vw_arrival {
	struct vw_tag tag;
	struct vw_line *line;
	bool is_stranger; /* of a method that there is not */
	grpc_call *call;
	gpr_timespec deadline;
	grpc_call_details details;
	grpc_metadata_array metadata;
};

#define VW_LINE_ARRIVALS 3 /* two calls of ours, and one of a stranger */

/* A connection: the loop's side of a link. */
struct vw_line {
	struct vw_session_server *server;
	struct vw_link *link;
	struct vw_peer *peer;
	struct vw_line *next, **at;
	grpc_server *grpc;
	void *method;
	struct vw_tag shut_tag;
	struct vw_arrival arrivals[VW_LINE_ARRIVALS];
	int pending; /* arrivals that are asked for, and the end of shutting */
	bool link_closed;
};

struct vw_stream {
	struct vw_session_server *server; /* fixed; so are the next six */
	struct vw_peer *peer;
	uint64_t number;
	char session_id[VW_UUID_TEXT];
	char serial[VW_SERIAL_MAX];
	int64_t not_after; /* of the certificate */
	char address[VW_ADDRESS_MAX];
	atomic_bool stopped; /* for workers: what it sent is not to be stored any more */

	struct vw_stream *next, **at;               /* all */
	struct vw_stream *next_of_peer;             /* of its agent */
	struct vw_stream *next_parked, **at_parked; /* at_parked is NULL while it is not parked */
	grpc_call *call;
	grpc_metadata_array metadata;
	struct vw_tag read_tag, written_tag, closed_tag, ended_tag;
	bool reading, writing, closing, ending; /* operations under way */
	bool greeted;                           /* initial metadata was sent */
	bool half_closed;                       /* the agent sends no more */
	int cancelled;                          /* written by RECV_CLOSE_ON_SERVER */
	grpc_byte_buffer *received;
	enum vw_stage stage;
	unsigned task_count;
	unsigned waiting; /* messages of it that are with the workers */
	size_t bytes;     /* of them */

	struct vw_outgoing *out_first, *out_last; /* Welcome, commands */
	grpc_byte_buffer *acknowledgement;        /* the newest one that was not sent */
	grpc_byte_buffer *resume;
	grpc_byte_buffer *last; /* behind it the stream ends */
	grpc_byte_buffer *sending;
	char sending_command[VW_UUID_TEXT];
	grpc_status_code status;
	const char *reason; /* why it ends: for the log; static storage */

	bool has_instance;
	uint8_t instance_id[VW_INSTANCE_ID];
	char (*known)[VW_UUID_TEXT]; /* commands that were sent on it */
	size_t known_count;
	uint8_t *presence; /* packed AgentPresence */
	size_t presence_len;
	uint64_t last_sequence;                   /* that the agent told of */
	int64_t opened_at, heard_at, write_since; /* monotonic */
	int64_t welcomed_at;                      /* monotonic; 0: it was not */
	int64_t deadline;                         /* monotonic, of the stage; 0: none */
	unsigned controls;                        /* messages but batches since the last upkeep */
};

struct vw_session_server {
	struct vw_session_settings settings;
	char *listen, *replica, *minimum_version; /* what the settings point to */
	grpc_completion_queue *queue;
	struct vw_front *front;
	int max_files; /* that this process may open */
	struct vw_line *lines;
	grpc_resource_quota *quota;     /* memory that all connections may take; beyond, gRPC ends some of them */
	grpc_server_credentials *plain; /* of socket pairs */
	pthread_t thread;
	struct vw_inbox *inbox;
	struct vw_pool *pool;
	struct vw_arena *scratch; /* of one message, or one event */
	struct vw_tally tally;
	struct vw_notices notices;
	struct vw_tag wake_tag;

	struct vw_tenant *tenants[1024];
	struct vw_peer **peers;
	size_t peer_buckets; /* a power of two */
	struct vw_stream *streams;
	unsigned stream_count, peer_count;
	uint64_t next_number;
	size_t bytes;     /* of all tenants */
	int64_t agents;   /* enrolled, as counted last */
	int64_t now;      /* monotonic, of this turn of the loop */
	int64_t time;     /* wall clock, of this turn */
	int64_t swept_at; /* monotonic */
	atomic_bool stop; /* its owner's word */
	bool draining;
	int64_t drain_until, shut_again_at;
	bool shut_last; /* without streams */
};

/* ---- table.c: who is here ---- */

/* Found or made; NULL without memory. */
struct vw_peer *vw_peer_enter(struct vw_session_server *server, int32_t organization, const char *agent_id);
struct vw_peer *vw_peer_find(struct vw_session_server *server, int32_t organization, const char *agent_id);
struct vw_tenant *vw_tenant_find(struct vw_session_server *server, int32_t organization);
/* Frees what nobody uses any more. */
void vw_peer_leave(struct vw_session_server *server, struct vw_peer *peer);
void vw_tenant_leave(struct vw_session_server *server, struct vw_tenant *tenant);

/* ---- line.c: a connection came ---- */

grpc_resource_quota *vw_line_quota(int max_sessions);
/* Takes the descriptor; -1: there is none, and the link will be closed. */
void vw_line_open(struct vw_session_server *server, struct vw_link *link, int plain);
void vw_line_closed(struct vw_link *link);
/* Ends whatever stream is still open there, and the connection. */
void vw_line_shut(struct vw_line *line);
void vw_line_event(struct vw_tag *tag, bool ok);

/* ---- arrival.c: a call came ---- */

/* Takes call and metadata: it becomes a stream, or is refused. */
void vw_stream_open(struct vw_line *line, grpc_call *call, grpc_metadata_array *metadata);
/* Answers a call that becomes no stream; takes call, metadata and message (may be NULL). `text` has static storage. */
void vw_refuse(grpc_call *call, grpc_metadata_array *metadata, grpc_status_code status, const char *text,
	       grpc_byte_buffer *message);
void vw_refuse_event(struct vw_tag *tag);

/* ---- stream.c: one call: reading, writing, its end ---- */

/* Starts whatever can be started, frees it when it is over. It may be gone behind this. */
void vw_stream_pump(struct vw_stream *stream);
void vw_stream_send(struct vw_stream *stream, struct vw_outgoing *message);
/* `last` (may be NULL) and a status are the last that it hears. With `at_once` what waited to be sent is dropped, and within a second it is over, whether the
 * peer reads or not. `reason` has static storage. */
void vw_stream_end(struct vw_stream *stream, grpc_byte_buffer *last, grpc_status_code status, const char *reason,
		   bool at_once);
void vw_stream_reject(struct vw_stream *stream, int reason, const char *text, uint32_t retry_after_ms);
/* Reads no more; when all it sent is stored and acknowledged, vw_stream_reconnect(). */
void vw_stream_leave(struct vw_stream *stream, const char *reason);
void vw_stream_reconnect(struct vw_stream *stream, const char *reason, bool at_once);
/* The peer hears nothing any more. */
void vw_stream_cancel(struct vw_stream *stream, const char *reason);
void vw_stream_event(struct vw_tag *tag, bool ok);
/* Streams of a tenant that waited for room. */
void vw_stream_unpark(struct vw_session_server *server, struct vw_tenant *tenant);

/* ---- messages.c: what an agent's messages mean ---- */

/* Takes the message; NULL: the agent sends no more. */
void vw_messages_take(struct vw_stream *stream, grpc_byte_buffer *message);

/* ---- answers.c: what the workers' answers and the store's changes do ---- */

void vw_answers_take(struct vw_session_server *server, struct vw_task *task);
void vw_answers_change(struct vw_session_server *server, const struct vw_change *change);
void vw_answers_gone(struct vw_stream *stream);

/* ---- ask.c: what the workers are asked for; what cannot be asked now stays wanted, and vw_upkeep() asks again ---- */

/* Takes the message. False without memory. */
bool vw_ask_message(struct vw_stream *stream, enum vw_task_kind kind, grpc_byte_buffer *message);
bool vw_ask_delivered(struct vw_stream *stream, const char *command_id);
void vw_ask_look(struct vw_session_server *server, struct vw_peer *peer);
void vw_ask_commands(struct vw_session_server *server, struct vw_peer *peer);
void vw_ask_tenant(struct vw_session_server *server, struct vw_tenant *tenant);
uint64_t vw_ask_window(const struct vw_session_server *server);

/* ---- upkeep.c: what time alone brings ---- */

/* Whether anything of a message came from it within three heartbeats. */
bool vw_stream_is_heard(const struct vw_stream *stream);

/* In ms, when it wants to be called again. */
int64_t vw_upkeep(struct vw_session_server *server);
/* Streams of every tenant that waited for room. */
void vw_upkeep_unpark(struct vw_session_server *server);

/* ---- presence.c ---- */

/* Changes the packed presence of the stream; `change` gets it unpacked, in the scratch arena. False if there is none, or no memory. */
bool vw_presence_edit(struct vw_stream *stream, void (*change)(vw_agent_presence *presence, void *arg), void *arg);
/* Has it written, soon. */
void vw_presence_touch(struct vw_stream *stream);
bool vw_presence_write(struct vw_stream *stream);

/* ---- server.c ---- */

/* Gives a task to the pool. False when task is NULL. */
bool vw_server_push(struct vw_session_server *server, bool urgent, struct vw_task *task);
/* A line about a peer, unless there were too many. */
void vw_server_notice(struct vw_session_server *server, const struct vw_stream *stream, enum vw_log_level level,
		      const char *event, const char *reason);

#endif
