/* session.h: one stream from its Hello to its end: the protocol's states, and what is sent when.
 *
 * The uplink's thread owns it and gives it the queue's events and the time. It ends with a verdict: when and how to come again. */
#ifndef UPLINK_SESSION_H
#define UPLINK_SESSION_H

#include "stream.h"
#include "window.h"

#define VW_PROTOCOL_MAJOR 1
#define VW_PROTOCOL_MINOR 0

enum session_phase {
	SESSION_HELLO, /* Hello was sent, the answer is awaited */
	SESSION_OPEN,
	SESSION_LEAVING /* nothing but our goodbye is sent any more; acknowledgements still count */
};

/* What is to come after a stream. */
enum session_next {
	NEXT_RETRY,   /* after the growing delay */
	NEXT_AT_ONCE, /* it was only old */
	NEXT_AFTER,   /* when the peer asked for */
	NEXT_REFUSED, /* much later: only a person can change it */
	NEXT_RENEW    /* with another certificate */
};
struct verdict {
	bool given; /* the first that is given stays */
	enum session_next next;
	int64_t after_ms;
	int rejection; /* vw_rejection_reason, or 0 */
	bool silent;   /* cut without a word: it may be about our certificate */
	struct vw_error error;
};

/* Acknowledgements: the newest counts for all before it, so not each is checked and stored (receipts.c). */
struct receipts {
	struct vw_arena *arena;     /* of the newest, until it is stored */
	vw_acknowledgement *newest; /* NULL: none waits */
	int64_t stored_at;          /* monotonic; of the last one */
	int64_t due_at;
	struct vw_bytes *signers; /* certificates, checked, in the session's arena */
	size_t signer_count;
};

struct vw_uplink;

struct session {
	struct vw_uplink *uplink;
	struct vw_dial *dial;
	struct vw_stream *stream;
	struct vw_arena *arena; /* lives as long as the session */
	enum session_phase phase;
	struct verdict verdict;
	bool pending_pair; /* the certificate that it shows was never used before */
	bool half_closed;
	/* of the identity, copied: it may change meanwhile */
	const char *trust_domain, *organization, *agent_id;
	struct vw_bytes *authorities;
	size_t authority_count;
	/* monotonic times, ms; 0: none */
	int64_t opened_at, welcomed_at, ends_at, cancel_at, last_sent_at, health_at;
	int64_t heartbeat_ms;
	uint64_t health_told; /* version of the health that the controller has */
	/* sending */
	struct vw_window window;
	size_t batch_entries, batch_bytes;
	uint64_t join_sequence; /* that the Welcome gave */
	uint64_t next_sequence; /* to be sent */
	uint64_t highest_sent;  /* or stored by the peer already */
	bool window_full;       /* the next entry waits for an acknowledgement */
	bool more;              /* there may be entries that were not sent */
	unsigned resumes;       /* asked for since the last acknowledgement */
	bool acknowledged;      /* something was, on this stream */
	char *receipt_refused;  /* to be told, in the session's arena */
	uint64_t receipt_refused_sequence;
	struct receipts receipts;
};

/* Takes the dial over, also on failure. Hello is on its way when it returns. */
int uplink_session_open(struct vw_uplink *uplink, struct vw_dial *dial, bool pending_pair, struct session **out,
			struct vw_error *err);
/* An event of its stream. */
void session_event(struct session *session, void *tag, bool success);
/* Does what is due: timers, and the next message. Lowers *due (monotonic) to when it is to be called again. */
void session_work(struct session *session, int64_t now, int64_t *due);
/* Says goodbye; the first verdict counts. */
void session_leave(struct session *session, const struct verdict *verdict);
/* Its stream is over: the verdict is complete, and it can be closed. */
bool session_over(struct session *session);
void uplink_session_close(struct session *session); /* NULL is fine */

/* ---- between the files of the session ---- */

/* Ends with what went wrong on our side or what the peer did wrong. */
void session_fail(struct session *session, enum session_next next, const struct vw_error *why);
bool session_send(struct session *session, const vw_agent_message *message);
void session_welcome(struct session *session, const vw_welcome *welcome);
void session_reject(struct session *session, const vw_rejection *rejection);
void session_desired(struct session *session, const vw_desired *desired);
void session_command(struct session *session, const vw_command *command);
/* The most urgent message, if there is one. True: one was sent. */
bool session_send_next(struct session *session, int64_t now, int64_t *due);
vw_agent_message *session_hello(struct session *session, struct vw_arena *arena, struct vw_error *err);

/* Checks the signers that the Welcome named. */
void receipts_begin(struct session *session, const vw_welcome *welcome);
/* An acknowledgement came: its credit counts at once, its receipt is kept until receipts_store(). */
void receipts_take(struct session *session, const vw_acknowledgement *acknowledgement, int64_t now);
/* Checks and stores the newest when it is due, or now. */
void receipts_store(struct session *session, int64_t now, bool at_once, int64_t *due);
void receipts_reset(struct receipts *receipts);

#endif
