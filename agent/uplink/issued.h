/* issued.h: what is asked of the HTTPS listener, and whether what it issued is what was asked for. */
#ifndef UPLINK_ISSUED_H
#define UPLINK_ISSUED_H

#include "uplink/identity.h"

/* POSTs the message to PATH below `url`; the answer issues something or refuses. `secret`: what was packed is wiped. VW_EINVAL: what answered is no controller; the
 * codes of vw_https() (https.h). `authorities` is PEM. */
struct vw_question {
	const char *url, *path;
	const ProtobufCMessage *message;
	bool secret;
	const char *authorities;
	const struct vw_uplink_route *route;
};
int vw_question_ask(const struct vw_question *question, struct vw_arena *arena, vw_enroll_response **out,
		    struct vw_error *err);

/* What a certificate has to be for. All borrowed. */
struct vw_expected {
	const struct vw_key *key;
	const char *agent_id;
	const char *organization, *trust_domain; /* NULL: of any, as the answer itself says */
	const struct vw_bytes *authorities;
	size_t authority_count;
};
/* VW_EAUTH: by whom we do not trust; VW_EINVAL: for another key, agent, organization or trust domain, or something is missing. */
int vw_issued_check(const vw_issued *issued, const struct vw_expected *x, struct vw_arena *arena,
		    struct vw_error *err);

#endif
