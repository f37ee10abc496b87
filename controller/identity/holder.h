/* holder.h: a private key with its certificates: NAME.key and NAME.pem in the authority's folder. */
#ifndef IDENTITY_HOLDER_H
#define IDENTITY_HOLDER_H

#include "base/arena.h"
#include "base/limits.h"
#include "fleet/certificate.h"

struct holder {
	struct vw_arena *arena; /* of what follows */
	struct vw_key *key;     /* NULL: there is none */
	struct vw_bytes chain[VW_MAX_CERTIFICATES];
	size_t count;
	struct vw_certificate_facts facts; /* of the first */
};

/* Replaces what `out` holds. VW_ENOTFOUND: one of the files is not there; VW_EINVAL: what is in them is none, or does not belong together;
 * VW_ECONFIG: the key is open to others. Then `out` stays as it was. */
int holder_read(const char *folder, const char *name, struct holder *out, struct vw_error *err);
/* For a key and certificates that are somewhere else. */
int holder_read_files(const char *key_path, const char *pem_path, struct holder *out, struct vw_error *err);
void holder_close(struct holder *holder);
/* What goes with a certificate to a peer that trusts what is above them. */
void holder_append(struct holder *holder, const struct vw_bytes *above, size_t count);

bool holder_has(const char *folder, const char *name, const char *kind); /* NAME.kind is there */
/* A mode of 0600 for the key. */
int holder_write_key(const char *folder, const char *name, const struct vw_key *key, struct vw_error *err);
int holder_write_chain(const char *folder, const char *name, const struct vw_bytes *chain, size_t count,
		       struct vw_error *err);

#endif
