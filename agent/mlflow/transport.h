/* transport.h: HTTP requests to one server, each tried until its answer counts.
 *
 * At most settings.connections requests are in flight, the others wait in the order in which they came. All tries draw
 * from one token bucket, and a Retry-After of the server holds all of them back. Nothing follows a redirect. */
#ifndef MLFLOW_TRANSPORT_H
#define MLFLOW_TRANSPORT_H

#include "base/buffer.h"
#include "calls.h"
#include "mlflow/client.h"

struct vw_transport;

/* What came of a request in the end; valid during the callback. */
struct vw_response {
	int code;
	const struct vw_error *error; /* names the call; empty when code is 0 */
	int http_status;              /* 0 when no answer came */
	struct vw_buffer *body;       /* when code is 0; may be reset as soon as it is not needed any more */
};
typedef void (*vw_response_fn)(void *arg, const struct vw_response *response);

int vw_transport_open(const struct vw_mlflow_settings *settings, struct vw_credentials *credentials,
		      const volatile sig_atomic_t *cancel, struct vw_transport **out, struct vw_error *err);
/* Requests that are still outstanding are answered with VW_ECANCELLED first. */
void vw_transport_close(struct vw_transport *transport);

/* Takes over what `request` holds, also on failure. VW_EUSAGE if it is not on the allow-list. While vw_transport_run() is ending
 * (cancelled, deadline) its code is returned and nothing is queued. */
int vw_transport_start(struct vw_transport *transport, struct vw_request *request, vw_response_fn done, void *arg);
/* As vw_mlflow_run(). */
int vw_transport_run(struct vw_transport *transport, struct vw_error *err);
/* As vw_mlflow_stop(), vw_mlflow_ending(). */
void vw_transport_stop(struct vw_transport *transport);
bool vw_transport_ending(const struct vw_transport *transport);
/* As vw_mlflow_on_tick(). */
void vw_transport_on_tick(struct vw_transport *transport, void (*tick)(void *arg), void *arg);

void vw_transport_begin_cycle(struct vw_transport *transport);
void vw_transport_counts(const struct vw_transport *transport, struct vw_mlflow_counts *out);

#endif
