/* identity_files.h: what identity.c and enroll.c share: the files of <state>/identity. */
#ifndef UPLINK_IDENTITY_FILES_H
#define UPLINK_IDENTITY_FILES_H

#include "uplink/identity.h"

#define VW_IDENTITY_FOLDER "identity"
#define VW_IDENTITY_NEW_FOLDER                                                                                       \
	"identity.new" /* another identity for the same state, until it takes the place of the one that is there */

/* <state>/identity/NAME, or the folder for "". In the arena. */
char *vw_identity_path(struct vw_arena *arena, const char *state_dir, const char *name);
/* The same in the folder of an identity that is being made. */
char *vw_identity_new_path(struct vw_arena *arena, const char *state_dir, const char *name);
/* A controller.pb, checked. VW_ENOTFOUND, VW_ECORRUPT. */
int vw_identity_read_held(struct vw_arena *arena, const char *path, vw_held_identity **out, struct vw_error *err);

/* NAME.key and NAME.pem, of what was issued for this key. */
int vw_identity_write_pair(struct vw_arena *arena, const char *folder, const char *name, const struct vw_key *key,
			   const vw_issued *issued, struct vw_error *err);
/* The same as the identity's pending pair, from now on shown first. */
int vw_identity_take_pending(struct vw_identity *identity, const struct vw_key *key, const vw_issued *issued,
			     struct vw_error *err);

const struct vw_key *vw_identity_enrollment_key(const struct vw_identity *identity);
const char *vw_identity_url(const struct vw_identity *identity);
/* What is trusted, as curl wants it. In the arena. */
int vw_identity_authorities_pem(const struct vw_identity *identity, struct vw_arena *arena, char **out,
				struct vw_error *err);
/* An audit entry of its own: what about the identity, for people, and whom it concerns. */
int vw_identity_note(struct vw_store *store, vw_audit_kind kind, const char *subject, const char *text,
		     struct vw_error *err);
/* The entry ENROLLED; behind a new epoch where the ledger was another owner's. */
int vw_identity_take_over(struct vw_store *store, const char *organization, const char *agent_id, const char *subject,
			  const char *text, struct vw_error *err);

#endif
