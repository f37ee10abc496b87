/* spiffe.h: names of agents and controllers, as URI SANs of their certificates.
 *
 *	spiffe://<trust-domain>/org/<organization>/agent/<uuid>
 *	spiffe://<trust-domain>/controller
 *	spiffe://<trust-domain>/receipts
 *
 * Source: SPIFFE-ID.md, section 2: lower-case trust domain of [a-z0-9.-_], at most 255 bytes; the whole at most 2048. Pure. */
#ifndef FLEET_SPIFFE_H
#define FLEET_SPIFFE_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VW_SPIFFE_MAX       512 /* of those that we write, with the terminating zero */
#define VW_TRUST_DOMAIN_MAX 256 /* with the terminating zero */
#define VW_AGENT_ID_MAX     37  /* a UUID in its canonical form, with the terminating zero */

enum vw_spiffe_kind { VW_SPIFFE_AGENT, VW_SPIFFE_CONTROLLER, VW_SPIFFE_RECEIPTS };

struct vw_spiffe {
	enum vw_spiffe_kind kind;
	char trust_domain[VW_TRUST_DOMAIN_MAX];
	int32_t organization;           /* of an agent; from 1 */
	char agent_id[VW_AGENT_ID_MAX]; /* of an agent; lower-case UUID */
};

/* VW_EINVAL says what is wrong: anything that is not exactly one of the forms above, as it would be printed. */
int vw_spiffe_parse(const char *uri, size_t len, struct vw_spiffe *out, struct vw_error *err);
/* Writes the text; never too long for `out`. */
void vw_spiffe_print(const struct vw_spiffe *id, char out[VW_SPIFFE_MAX]);

bool vw_trust_domain_valid(const char *text);
bool vw_agent_id_valid(const char *text); /* lower-case canonical UUID */

#endif
