/* server.h: the gRPC listener that agents stream to.
 *
 * Not one HTTP/2 byte is read from a peer that has not shown a certificate of our CA. Then the SPIFFE id of the certificate says whose stream it is; the
 * store says whether it may (vw_fleet_agent_join), again for each batch, from what vw_fleet_watch() told since. Entries wait in bounded queues, one for each
 * organization, which are served in turn; the acknowledgement, with its receipt, follows the commit. One thread runs all streams; `workers` threads store. */
#ifndef SESSION_SERVER_H
#define SESSION_SERVER_H

#include "identity/authority.h"
#include "store/store.h"

#include <stdint.h>

struct vw_session_server;

/* Borrowed while the server runs. */
struct vw_session_settings {
	struct vw_fleet_store *store;
	struct vw_authority *authority;
	const char *listen;    /* address:port; port 0: any */
	const char *replica;   /* this process' name */
	int workers;           /* threads that store; a store commits together what several wait for [8] */
	int max_sessions;      /* [VW_MAX_SESSIONS] */
	int64_t heartbeat_ms;  /* agents are asked for one in this time [30 s]; silence of three is a dead stream */
	int64_t max_age_ms;    /* of a stream, -20 % at random [1 h] */
	int64_t clock_skew_ms; /* a Hello that is further off is refused [5 min] */
	const char *minimum_version; /* of agents; NULL: any */
};
int vw_session_server_start(const struct vw_session_settings *settings, struct vw_session_server **out,
			    struct vw_error *err);
int vw_session_server_port(const struct vw_session_server *server);
/* New streams get the certificate of now. */
int vw_session_server_reload(struct vw_session_server *server, struct vw_error *err);
/* The store's change, for vw_fleet_watch(): streams are told, disconnected, given their commands. Any thread; does not block. */
void vw_session_server_change(struct vw_session_server *server, const struct vw_change *change);
/* Asks agents to go elsewhere, stores what is queued, ends. */
void vw_session_server_stop(struct vw_session_server *server);

/* For metrics. */
struct vw_session_counts {
	int64_t sessions; /* open now */
	int64_t sessions_opened, rejected, batches, entries, bytes, duplicates, gaps, forks;
	int64_t queued_bytes, stored_batches, store_retries, commands_sent, revoked_open;
	int64_t rejections[16]; /* by vw_rejection_reason */
	int64_t ingest_us;      /* time that workers spent storing */
	int64_t turned_away;    /* connections for which there was no room */
	int64_t stuck_ms;       /* for so long the store has not taken entries; 0: it takes them */
};
void vw_session_server_count(const struct vw_session_server *server, struct vw_session_counts *out);

#endif
