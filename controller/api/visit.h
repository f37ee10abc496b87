/* visit.h: one request on its way through the interface, and what every route uses. */
#ifndef API_VISIT_H
#define API_VISIT_H

#include "api/api.h"

#include "base/json.h"
#include "percent.h"
#include "proto/message.h"
#include "quota.h"

#include <stdatomic.h>

#define API_SEGMENTS 8 /* of a path */

struct vw_api {
	struct vw_api_settings settings;
	struct vw_api_limiter *limiter;
	struct vw_api_feed *feed;
	struct quota listeners; /* event streams */
	struct quota works;     /* exports and verifications */
	int64_t started_at;
	_Atomic int64_t answers[6]; /* by the first digit of their status */
};

struct visit {
	struct vw_api *api;
	const struct vw_api_request *request;
	struct vw_arena *arena;
	const struct api_route *route;
	struct vw_principal who;
	int32_t organization;               /* the one that is asked about; 0: of no one */
	const char *segments[API_SEGMENTS]; /* those that the pattern leaves open, decoded, in order */
	struct api_parameter parameters[API_PARAMETERS];
	size_t parameter_count;
	json_t *input; /* the body; NULL: none */
	int64_t now;
	struct vw_api_response *out;
	struct vw_json_writer json; /* into the response's body */
};

/* Who may call a route. An operator is an admin of organization 0. */
enum api_access { API_PUBLIC, API_READ, API_ADMIN, API_OPERATOR };

/* What a route answers with: 0 after it wrote its answer, else the error that becomes one. */
typedef int (*api_run)(struct visit *v, struct vw_error *err);
struct api_route {
	const char *method;
	const char *pattern; /* "/api/v1/agents/{}/commands" */
	enum api_access access;
	bool tenant;       /* needs an organization */
	const char *query; /* the parameters that it takes, "cursor limit"; any other is refused */
	const char *
	    body; /* the members of its JSON body; "": none but {}; NULL: a body is passed over; "*": bytes that are no JSON */
	size_t body_most; /* bytes; 0: API_SMALL_BODY */
	api_run run;
};
extern const struct api_route api_routes[]; /* ends with a NULL method */

#define API_SMALL_BODY (16 * VW_KIB)

/* The route of the request; also fills `segments`. NULL with the status that says why: 400, 404, 405 (then *out_allow, in the arena). */
const struct api_route *route_find(struct visit *v, int *out_status, const char **out_allow);
/* HEAD is GET without its body, which the listener leaves out. */
bool route_takes(const struct api_route *route, const char *method);
/* Whether `name` is one of the words in a route's list. */
bool route_names(const char *words, const char *name);

/* ---- input ---- */

/* A query parameter; NULL: not given, or empty. At most VW_MAX_QUERY bytes of UTF-8: what is longer, unknown to the route or there twice
 * is refused before it runs. */
const char *visit_query(const struct visit *v, const char *name);
/* Reads a number, a time or a word of an enum. False in *out_given when it was not given; VW_EINVAL names the parameter. */
int visit_query_int(const struct visit *v, const char *name, int64_t least, int64_t most, int64_t *out,
		    bool *out_given, struct vw_error *err);
int visit_query_enum(const struct visit *v, const char *name, const ProtobufCEnumDescriptor *type, int *out,
		     bool *out_given, struct vw_error *err);
int visit_query_bool(const struct visit *v, const char *name, bool *out, bool *out_given, struct vw_error *err);
/* Milliseconds since 1970, or a date, YYYY-MM-DD. */
int visit_query_time(const struct visit *v, const char *name, int64_t *out, struct vw_error *err);
/* `cursor` and `limit` [100]. */
int visit_page(const struct visit *v, struct vw_page *out, struct vw_error *err);
/* A member of the body as text of at most `most` bytes; NULL when absent; VW_EINVAL names it. */
int visit_input_text(const struct visit *v, const char *name, size_t most, const char **out, struct vw_error *err);
int visit_input_int(const struct visit *v, const char *name, int64_t least, int64_t most, int64_t *out,
		    bool *out_given, struct vw_error *err);
int visit_input_bool(const struct visit *v, const char *name, bool *out, struct vw_error *err);

/* ---- output ---- */

/* The answer to an error, whatever was written before. From 500 on, `message` is for the log alone. */
void visit_refuse(struct visit *v, int status, const char *message);
int visit_status_of(int code);

/* {"message": MESSAGE, "data": ... } : begin, then one value with v->json, then end. */
void visit_begin(struct visit *v, int status, const char *message);
void visit_end(struct visit *v);
/* The same with data null. */
void visit_done(struct visit *v, const char *message);
/* data: {"items": [...], "next": CURSOR or null}. */
typedef void (*visit_item)(struct visit *v, size_t index, const void *items);
void visit_list(struct visit *v, const void *items, size_t count, const char *next, visit_item item);
/* A message's fields as an object. */
void visit_message(struct visit *v, const ProtobufCMessage *message);
/* Answers 429 when there are as many of these as there may be: then 0 is all that a route has left to say. */
bool visit_enter(struct visit *v, struct quota *quota);
/* The answer in pieces, of one who entered `quota`: left again when the answer is closed. `stream` is closed by `close` whatever comes, at once after a
 * failure. */
struct visit_stream {
	const char *content_type;
	int (*next)(void *stream, struct vw_buffer *out, struct vw_error *err);
	void (*close)(void *stream);
	void *stream;
	struct quota *quota;
};
int visit_stream(struct visit *v, const struct visit_stream *stream, struct vw_error *err);
void visit_text(struct visit *v, const char *name, const char *text);
void visit_hex(struct visit *v, const char *name, const ProtobufCBinaryData *bytes);

/* ---- what several routes look for ---- */

/* The agent that the path's first open segment names. VW_ENOTFOUND in the same words for one of another organization and for none. */
int visit_agent(struct visit *v, vw_agent **out, struct vw_error *err);

/* Puts an operator's act into the trail. */
int visit_note(struct visit *v, const char *action, const char *object, const char *text, struct vw_error *err);

#endif
