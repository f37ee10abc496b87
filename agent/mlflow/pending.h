/* pending.h: a call that is under way, from its request to its callback. */
#ifndef MLFLOW_PENDING_H
#define MLFLOW_PENDING_H

#include "mlflow/parse.h"
#include "transport.h"

struct vw_pending {
	struct vw_mlflow *client;
	enum vw_mlflow_shape shape;
	const char *name; /* of the request that was sent last */
	char *exact;      /* only objects of this model count; NULL: all */
	vw_mlflow_callback done;
	void *arg;
};

/* NULL without memory. */
struct vw_pending *vw_pending_open(struct vw_mlflow *client, enum vw_mlflow_shape shape, vw_mlflow_callback done,
				   void *arg);
/* Queues a request whose answer goes to done(arg). Takes over the request; the call stays the caller's. */
int vw_pending_send(struct vw_pending *call, struct vw_request *request, vw_response_fn done, void *arg);
/* What most answers are for: parsed and delivered. `arg` is the call. */
void vw_pending_answered(void *arg, const struct vw_response *response);
/* Reads an answer of the call's shape; the response's code and error if it is none. Frees the body. */
int vw_pending_parse(const struct vw_pending *call, const struct vw_response *response, struct vw_arena *arena,
		     struct vw_mlflow_answer *answer, struct vw_error *err);
/* The callback, once; then everything is freed, the arena too unless it was taken. */
void vw_pending_deliver(struct vw_pending *call, struct vw_mlflow_answer *answer);
void vw_pending_fail(struct vw_pending *call, int code, const struct vw_error *error, int http_status);
void vw_pending_close(struct vw_pending *call); /* without a callback; NULL is fine */

#endif
