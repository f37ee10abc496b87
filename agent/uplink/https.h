/* https.h: one request to the controller's HTTPS listener, by libcurl. Only for enrolment and renewal: the rest is the stream. */
#ifndef UPLINK_HTTPS_H
#define UPLINK_HTTPS_H

#include "base/buffer.h"
#include "uplink/identity.h"

struct vw_https_request {
	const char *url;      /* of the listener: https://host[:port] */
	const char *path;     /* "/enroll/v1/..." */
	struct vw_bytes body; /* POST; NULL data: GET */
	const char *
	    authorities; /* PEM of what is trusted; NULL: nobody is checked: only for fetching what a pin then checks */
	const struct vw_uplink_route *route;
	int64_t *out_date; /* the answer's Date, ms; untouched when it has none. NULL: not asked for */
};
/* The answer's body is appended to `out`, whose cap holds. VW_EAGAIN (unreachable, 5xx, 429), VW_ETIMEOUT, VW_ECANCELLED, VW_EAUTH (the peer's certificate), VW_ELIMIT,
 * VW_EINVAL (any other status than 200). Messages name the URL. */
int vw_https(const struct vw_https_request *request, struct vw_buffer *out, struct vw_error *err);

/* "https://host[:port]" and nothing behind it but "/"; VW_ECONFIG. */
int vw_https_check_url(const char *url, struct vw_error *err);

#endif
