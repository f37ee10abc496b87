/* uplink_private.h: what the files of the uplink share. */
#ifndef UPLINK_UPLINK_PRIVATE_H
#define UPLINK_UPLINK_PRIVATE_H

#include "held.h"
#include "job.h"
#include "retry.h"
#include "session.h"
#include "todo.h"
#include "uplink/uplink.h"
#include "waker.h"

#define VW_INSTANCE_ID 16 /* bytes */

struct vw_uplink {
	struct vw_uplink_settings settings;
	uint8_t instance_id[VW_INSTANCE_ID];
	pthread_t thread;
	grpc_completion_queue *queue;
	struct vw_waker waker;
	int event_fd; /* readable while a command waits */

	/* ---- both threads', under the lock ---- */
	pthread_mutex_t lock;
	bool stopping, woken;
	struct vw_todo todo;
	struct vw_outbox outbox;
	unsigned finishing; /* commands whose end is being written */
	uint8_t *health;    /* packed, as it was given; NULL: never */
	size_t health_len;
	uint64_t health_version; /* moves when it changed */
	struct vw_uplink_status status;
	uint64_t waited_from; /* what was acknowledged when the waiting began */
	int64_t server_time;  /* the controller's clock when it told it last, ms; 0: never */
	int64_t told_at;      /* monotonic, of the same moment: our own clock may jump */

	/* ---- the uplink's thread's ---- */
	struct vw_identity *identity; /* not while a job runs */
	struct vw_arena *arena;       /* for one event or one message */
	struct vw_arena *scratch;     /* for one question to the store */
	struct session *live;         /* the one that counts; others are on their way in or out */
	struct session *next, *old;
	struct vw_job job;
	struct vw_retry retry, renewal;
	int64_t connect_at, renew_after; /* monotonic, ms */
	bool renew_now;                  /* the certificate is of no use any more, or a command asks for another */
	bool renewal_failing;
	unsigned silent_ends;    /* in a row */
	int64_t silent_renew_at; /* monotonic; not sooner because of them */
	int64_t certificate_not_after;
	uint64_t sent_since_rest;                   /* bytes */
	char rotating[VW_STORE_COMMAND_ID_MAX + 1]; /* the command that asked for it; "": none */
	char resending[VW_STORE_COMMAND_ID_MAX + 1];
	uint64_t resend_from, resend_until;
};

/* From 0 to 1, without 1. */
double uplink_random(void);
/* Changes of the status happen between these. */
struct vw_uplink_status *uplink_status_begin(struct vw_uplink *uplink);
void uplink_status_end(struct vw_uplink *uplink);
void uplink_set_phase(struct vw_uplink *uplink, enum vw_uplink_phase phase, int64_t next_attempt_ms);
void uplink_note_error(struct vw_uplink *uplink, const struct vw_error *err);
/* The ledger's end now; 0 when it cannot be read. */
uint64_t uplink_ledger_end(struct vw_uplink *uplink);

/* What this agent holds of the controller's secrets, by name. */
int uplink_secrets_held(struct vw_txn *txn, struct vw_arena *arena, vw_secret_held ***out, size_t *out_count,
			struct vw_error *err);

/* ---- commands.c ---- */

/* Those that were not over when the agent ended. */
int uplink_commands_load(struct vw_uplink *uplink, struct vw_error *err);
/* What the controller may not have been told: ends that it has not acknowledged. */
int uplink_commands_tell_again(struct vw_uplink *uplink, uint64_t acknowledged, struct vw_error *err);
void uplink_command_take(struct vw_uplink *uplink, const vw_command *command);
/* Ends one that the uplink does itself. */
void uplink_command_end(struct vw_uplink *uplink, const char *id, vw_command_state state, const char *text);
/* Its state is to be told. */
void uplink_command_tell(struct vw_uplink *uplink, const char *id);
/* Its state as it stands in the store: a CommandUpdate, or Applied for what is desired. VW_ENOTFOUND: it is not held any more. */
int uplink_command_message(struct vw_uplink *uplink, const char *id, struct vw_arena *arena, vw_agent_message **out,
			   struct vw_error *err);
/* What is asked to be sent again goes out from there on; ends the command when all of it was acknowledged. */
void uplink_resend_begin(struct vw_uplink *uplink, struct session *session);
void uplink_resend_check(struct vw_uplink *uplink, const struct session *session);
/* The certificate was renewed and a stream was welcomed with it, or it could not be: ends the command that asked for it. */
void uplink_rotate_end(struct vw_uplink *uplink, vw_command_state state, const char *text);

/* ---- connect and renew: supervise.c ---- */

/* A stream was welcomed. */
void uplink_welcomed(struct vw_uplink *uplink, struct session *session);
/* Starts and collects connections and renewals; lowers *due. */
void uplink_supervise(struct vw_uplink *uplink, int64_t now, int64_t *due);
/* A session's stream is over. */
void uplink_session_over(struct vw_uplink *uplink, struct session *session);

#endif
