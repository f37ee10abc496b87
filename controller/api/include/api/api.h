/* api.h: the REST interface as a function of a request, without any HTTP library: the listeners call it, and so does the command line, in its own process
 * or over the control socket. docs/openapi.yaml describes it.
 *
 * Answers are in VerifyWise's envelope: {"message": ..., "data": ...} below 500, {"message": ..., "error": ...} from 500 on. Safe for threads. */
#ifndef API_API_H
#define API_API_H

#include "base/buffer.h"
#include "identity/enroll.h"
#include "session/server.h"
#include "store/store.h"

#include <stdbool.h>

#define VW_PRINCIPAL_NAME 320 /* bytes, with the terminating zero */

/* Who asks. Organization 0 is the operator: may name any organization. */
struct vw_principal {
	int32_t organization;
	vw_role role;
	/* for the trail: "user:alice:0123456789abcdef" (its token's public id), "verifywise:alice@example.org", "local:root" */
	char name[VW_PRINCIPAL_NAME];
	char user[VW_TOKEN_ID_MAX]; /* public id of a token of ours; "": none */
	int64_t expires_at;         /* 0: never */
};

struct vw_api_request {
	const char *method; /* "GET" */
	const char *path;   /* "/api/v1/agents", as it was sent: decoded where it is looked at, not before */
	const char *query;  /* "limit=10&text=a%20b", as it was sent, behind the '?'; NULL: none */
	const char *(*header)(const char *name, void *arg); /* NULL: not given */
	void *arg;
	struct vw_bytes body;
	const char *peer;
	const struct vw_principal *
	    local; /* of the control socket and the command line: no token needed; NULL: the Authorization header decides */
};

struct vw_api_response {
	int status;
	const char *content_type; /* static */
	struct vw_buffer body;    /* when `next` is NULL */
	/* Long answers come in pieces: appends the next one to `out`. 1: more follows, 0: that was all, negative: cut off. For server-sent events it may append nothing: then
	 * it is asked again a little later. */
	int (*next)(void *stream, struct vw_buffer *out, struct vw_error *err);
	void (*close)(void *stream);
	void *stream;
	bool
	    live; /* the pieces have no end of their own: they may be ended at any time, and are whole all the same */
	int retry_after_s;     /* 0: none */
	const char *allow;     /* for Allow; in the arena of the request; NULL: none */
	const char *file_name; /* for Content-Disposition; in the arena of the request; NULL: none */
};

struct vw_api_settings {
	struct vw_fleet_store *store;
	struct vw_authority *authority;
	struct vw_session_server *sessions; /* NULL in the command line's own process */
	const struct vw_enroller *enroller;
	const struct vw_secret *jwt_secret; /* VerifyWise's HS256 key; NULL: its tokens are refused */
	double requests_per_second;         /* of one principal [50] */
	int burst;                          /* [100] */
	const char *replica;
};
struct vw_api;
int vw_api_open(const struct vw_api_settings *settings, struct vw_api **out, struct vw_error *err);
void vw_api_close(struct vw_api *api);
/* Before a body is read: how many bytes of it are welcome. False when the request is refused for its path, its method, its type or whose it is: then
 * `out` is the answer, and no body is read. */
bool vw_api_admit(struct vw_api *api, const struct vw_api_request *request, struct vw_arena *arena, size_t *out_most,
		  struct vw_api_response *out);
/* Always answers; the response is initialised here and closed by vw_api_response_close(). */
void vw_api_handle(struct vw_api *api, const struct vw_api_request *request, struct vw_arena *arena,
		   struct vw_api_response *out);
void vw_api_response_close(struct vw_api_response *response);
/* The store's change, for those who listen to server-sent events. Any thread; does not block. */
void vw_api_change(struct vw_api *api, const struct vw_change *change);

#endif
