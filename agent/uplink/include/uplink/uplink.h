/* uplink.h: the agent's stream to its controller: a thread of its own, so that a long sync neither delays heartbeats nor acknowledgements.
 *
 * It connects, says hello, sends ledger entries from the acknowledged sequence on while the window has room, keeps receipts, and comes again with a
 * jittered, growing delay when the stream breaks. Entries are read from the store; nothing is queued in memory. What it is told to do it puts down in
 * the store (storage/uplink.h) and hands to the main thread, which does it and reports; a command that came twice is answered from the store.
 *
 *	struct vw_uplink *uplink;
 *	vw_uplink_start(&settings, &uplink, &err);
 *	... poll(vw_uplink_fd(uplink)) ... while (vw_uplink_next_command(uplink, arena, &command)) ...
 *	vw_uplink_stop(uplink);
 */
#ifndef UPLINK_UPLINK_H
#define UPLINK_UPLINK_H

#include "uplink/identity.h"

struct vw_uplink;

/* All borrowed; must outlive the uplink. */
struct vw_uplink_settings {
	struct vw_store *store; /* safe for threads (storage/kv.h) */
	const char *state_dir;
	const char *agent_version;
	const char *source_uri;
	struct vw_uplink_route route;
	const char *const *refuses; /* kinds of commands that the local file forbids, "set_policy"; NULL-terminated */
	bool secrets;               /* takes secrets from the controller */
};
/* VW_ENOTFOUND: not enrolled. Fails only before the thread runs; after that, troubles are in vw_uplink_look() and the log. */
int vw_uplink_start(const struct vw_uplink_settings *settings, struct vw_uplink **out, struct vw_error *err);
/* Says goodbye and waits for the thread, a few seconds at most. NULL is fine. */
void vw_uplink_stop(struct vw_uplink *uplink);

/* ---- From the main thread ---- */

/* There may be new entries in the ledger. Cheap; call it after every sync, and on progress. */
void vw_uplink_wake(struct vw_uplink *uplink);
/* What is told to the controller when something in it changed; copied. The uplink adds what it knows itself (certificate, queue). */
void vw_uplink_set_health(struct vw_uplink *uplink, const vw_health *health);

/* Readable while a command waits. */
int vw_uplink_fd(const struct vw_uplink *uplink);
/* The oldest one that waits, in the arena, or NULL. It was put down in the store as RUNNING, with an audit entry command_received in the same transaction; after a
 * crash it is handed out again. PAUSE, RESUME, SET_* and SYNC are all handed out; RESEND and ROTATE_CERTIFICATE the uplink does itself. */
vw_command *vw_uplink_next_command(struct vw_uplink *uplink, struct vw_arena *arena);
/* Progress of the command that is being done; text and numbers go to the controller, at most once a second. */
void vw_uplink_command_progress(struct vw_uplink *uplink, const char *id, const char *text, int64_t done,
				int64_t total);
/* It is over: DONE, FAILED or REFUSED. Stored with an audit entry command_finished in one transaction, and sent until the controller has it. `result` is JSON or empty. */
int vw_uplink_command_finish(struct vw_uplink *uplink, const char *id, vw_command_state state, const char *text,
			     struct vw_bytes result, struct vw_error *err);

/* A Desired that came with the Welcome or later is handed out as a command too: SET_POLICY, SET_CONFIGURATION, SET_SECRETS with the id "desired:<sha256 hex>" that is
 * reported by Applied instead of CommandUpdate. */

/* ---- For status, health and metrics; any thread ---- */

enum vw_uplink_phase {
	VW_UPLINK_IDLE,
	VW_UPLINK_CONNECTING,
	VW_UPLINK_CONNECTED,
	VW_UPLINK_WAITING,
	VW_UPLINK_REFUSED
};
struct vw_uplink_status {
	enum vw_uplink_phase phase;
	int64_t since;
	int64_t connected_at;    /* 0: not now */
	int64_t next_attempt_at; /* of WAITING and REFUSED */
	uint64_t last_sequence, sent_sequence, acknowledged_sequence;
	int64_t acknowledged_at; /* 0: never */
	int64_t waiting_since;   /* monotonic: entries wait, and none was acknowledged since; 0: none waits */
	int64_t certificate_not_after;
	int64_t clock_offset_ms; /* controller's clock minus ours, at the last Welcome */
	int rejection;           /* vw_rejection_reason; 0: none */
	uint64_t connects, batches, entries_sent, bytes_sent, receipts, duplicates_asked;
	struct vw_error last_error;
};
void vw_uplink_look(const struct vw_uplink *uplink, struct vw_uplink_status *out);

#endif
