/* identity.h: who the agent is to its controller: keys and certificates in files, and how they are got and renewed (S4.1, S11.1).
 *
 *	<state>/identity/controller.pb      packed Issued: organization, trust domain, addresses; and the enrolment URL
 *	<state>/identity/enrollment.key     P-256; proves who asks for a renewal, also when the certificate has expired. Never replaced
 *	<state>/identity/sealing.key        X25519; opens secrets that an operator sealed to this agent
 *	<state>/identity/current.{key,pem}  the key and certificate of the stream
 *	<state>/identity/pending.{key,pem}  renewed, not yet used; its first use makes it current, the old one works until then
 *	<state>/identity/authorities.pem    what is trusted
 *
 * All are 0600 in a 0700 folder, written by way of a temporary file, fsync and rename; a crash at any point leaves a usable identity, or one of which
 * vw_identity_open() says what to do. No
 * answer of a controller makes the agent delete any of them: only `unenroll` does. HTTPS by libcurl, the CA pinned by the token. */
#ifndef UPLINK_IDENTITY_H
#define UPLINK_IDENTITY_H

#include "base/arena.h"
#include "base/error.h"
#include "base/secret.h"
#include "fleet/certificate.h"
#include "fleet/seal.h"
#include "proto/model.h"
#include "storage/store.h"

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

/* How the controller is reached; borrowed. */
struct vw_uplink_route {
	const char *
	    proxy; /* NULL: from the environment (https_proxy, no_proxy); "" : none. http://[user:password@]host:port */
	int64_t connect_timeout_ms;
	int64_t request_timeout_ms;
	const volatile sig_atomic_t *cancel; /* non-zero: VW_ECANCELLED within a second; may be NULL */
};

struct vw_enrollment {
	const char *url;               /* https://host[:port]: the controller's HTTPS listener */
	const struct vw_secret *token; /* the line an operator handed over (fleet/token.h) */
	const char *state_dir;
	const char *agent_version;
	struct vw_uplink_route route;
};
/* Fetches the CA and compares it with the token's pin, makes the keys, sends the CSR, writes the identity's files, and begins a new epoch of the ledger under
 * the organization. Done again after a crash or a lost answer it goes on with the same keys. `out_issued` in the arena.
 * VW_EAUTH: the pin is another CA's, or the token was refused (the message says which); VW_EBUSY: this state is enrolled already, or its ledger has been sent
 * to another organization: use another state folder. With `new_agent` the state gets a new agent id: the remedy for a clone or a restored snapshot. It is
 * made in <state>/identity.new, and takes the old identity's place, which is kept beside it, once it is whole: a refusal changes nothing. */
int vw_identity_enroll(struct vw_store *store, const struct vw_enrollment *enrollment, bool new_agent,
		       struct vw_arena *arena, vw_issued **out_issued, struct vw_error *err);
/* Deletes the identity's files and writes an audit entry. The ledger and the agent's id stay. VW_ENOTFOUND: not enrolled. */
int vw_identity_forget(struct vw_store *store, const char *state_dir, struct vw_error *err);

struct vw_identity;
/* VW_ENOTFOUND: not enrolled. VW_ECORRUPT: not whole, or between two; the message says what to do. Of a pair that is damaged the other is used, or a new one is
 * got. */
int vw_identity_open(const char *state_dir, struct vw_identity **out, struct vw_error *err);
void vw_identity_close(struct vw_identity *identity); /* NULL is fine */
const vw_issued *vw_identity_issued(const struct vw_identity *identity);
const struct vw_sealing_key *vw_identity_sealing_key(const struct vw_identity *identity);

/* What the next stream is to show: the pending pair if there is one, else the current. Borrowed until the identity changes or is closed.
 * With neither (a crash while they were written) `key` is NULL and not_after 0, as if it had expired: renew. */
struct vw_identity_pair {
	const struct vw_key *key;
	const struct vw_bytes *certificates; /* DER, leaf first */
	size_t certificate_count;
	const struct vw_bytes *authorities;
	size_t authority_count;
	int64_t not_before, not_after;
	bool pending;
};
void vw_identity_pair(const struct vw_identity *identity, struct vw_identity_pair *out);
/* A stream was welcomed with the pending pair: it becomes the current one. */
int vw_identity_confirm(struct vw_identity *identity, struct vw_error *err);
/* A stream was refused with the pending pair: the current one is shown again until the next renewal. */
void vw_identity_distrust_pending(struct vw_identity *identity);
/* When to renew: half of the certificate's life, ±10 % by a hash of the serial. */
int64_t vw_identity_renew_at(const struct vw_identity *identity);
/* A new key and certificate, as pending, by the enrolment key: works with an expired certificate too. VW_EAUTH with *out_rejection set when the controller refused;
 * its server_time serves once to try again when our clock is off. */
int vw_identity_renew(struct vw_identity *identity, uint64_t join_sequence, const struct vw_uplink_route *route,
		      struct vw_arena *arena, vw_rejection **out_rejection, struct vw_error *err);

#endif
