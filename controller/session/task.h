/* task.h: what the loop's thread gives to the threads that may wait for the store, and what comes back.
 *
 * A task belongs to one thread at a time: the loop makes it, a worker does it, the loop takes what came of it and frees it. Peer, tenant and stream outlive
 * their tasks; of them a worker reads only what never changes, and of a peer `resume_at`, which belongs to whoever serves its bulk flow. */
#ifndef SESSION_TASK_H
#define SESSION_TASK_H

#include "fair.h"

#include "base/arena.h"
#include "base/digest.h"
#include "base/error.h"
#include "proto/model.h"
#include "session/server.h"

#include <grpc/byte_buffer.h>
#include <stdbool.h>
#include <stdint.h>

struct vw_peer;
struct vw_tenant;
struct vw_stream;

enum vw_task_kind {
	VW_TASK_JOIN,     /* a Hello: may this stream begin */
	VW_TASK_BATCH,    /* entries to be stored */
	VW_TASK_UPDATE,   /* the agent's word about a command, or that it was delivered */
	VW_TASK_COMMANDS, /* which commands wait for the agent */
	VW_TASK_PRESENCE, /* what is known of the connection is put down */
	VW_TASK_LOOK,     /* may this stream go on */
	VW_TASK_TENANT    /* may this organization */
};

/* A message that waits to be sent. */
struct vw_outgoing {
	struct vw_outgoing *next;
	grpc_byte_buffer *buffer;
	char command_id[VW_UUID_TEXT]; /* "": no command */
};

struct vw_task {
	struct vw_item item; /* first: the queues know only this */
	enum vw_task_kind kind;
	struct vw_tenant *tenant;
	struct vw_peer *peer;      /* NULL: VW_TASK_TENANT */
	struct vw_stream *stream;  /* NULL: of no one stream */
	grpc_byte_buffer *message; /* JOIN, BATCH, UPDATE: as it came */
	size_t charged;            /* bytes that its tenant's queue counts for it */
	int64_t server_time;
	uint64_t window;               /* JOIN: bytes that the agent may send ahead */
	char command_id[VW_UUID_TEXT]; /* UPDATE without a message: this one was delivered */
	char (*known)[VW_UUID_TEXT];   /* COMMANDS: sent on this stream already */
	size_t known_count;
	uint8_t *presence; /* PRESENCE: packed; JOIN: what came of it */
	size_t presence_len;
	bool connected; /* PRESENCE: what it says */

	/* what came of it */
	int code;      /* of a failure of the store; 0 */
	int rejection; /* a vw_rejection_reason, 0: none */
	bool moved;    /* LOOK: the agent is on another stream, of another replica */
	uint32_t retry_after_ms;
	char text[256];           /* of a rejection */
	grpc_byte_buffer *answer; /* Welcome, Acknowledgement or Resume */
	bool is_resume;
	struct vw_outgoing *commands;
};

/* NULL without memory. */
struct vw_task *vw_task_new(enum vw_task_kind kind, struct vw_tenant *tenant, struct vw_peer *peer,
			    struct vw_stream *stream);
void vw_task_free(struct vw_task *task); /* NULL is fine */
void vw_outgoing_free(struct vw_outgoing *list);

/* What workers need of the server, and their own arena. */
struct vw_work {
	const struct vw_session_settings *settings;
	struct vw_tally *tally;
	struct vw_arena *arena;
};

/* Does tasks of one flow, linked by their items. Gives those back that are to be done again when the store is there again (the end of the list), or NULL. */
struct vw_task *vw_task_run(struct vw_work *work, struct vw_task *tasks);

/* The parts of it. Each fills its task and frees nothing. */
void vw_work_join(struct vw_work *work, struct vw_task *task);
/* All BATCH tasks at the beginning of the list: gives back the first task that it has not done: one of another kind, or, with *out_again, a
 * batch that the store could not take now. */
struct vw_task *vw_work_batches(struct vw_work *work, struct vw_task *tasks, bool *out_again);
bool vw_work_update(struct vw_work *work, struct vw_task *task); /* false: again later */
void vw_work_commands(struct vw_work *work, struct vw_task *task);
void vw_work_presence(struct vw_work *work, struct vw_task *task);
void vw_work_look(struct vw_work *work, struct vw_task *task);
void vw_work_tenant(struct vw_work *work, struct vw_task *task);

/* A rejection put down in the task; `text` for a person, NULL: the reason's usual words. */
void vw_task_reject(struct vw_task *task, int reason, const char *text);
/* A failure of the store: logged (once in a while: an outage would be said by every agent), told to no peer. */
void vw_task_fail(struct vw_work *work, struct vw_task *task, int code, const struct vw_error *err);

#endif
