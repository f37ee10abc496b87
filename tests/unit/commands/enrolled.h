/* enrolled.h: the fixture's state folder as if it had been enrolled: an identity whose keys are real, without a certificate of its own. */
#ifndef TEST_COMMANDS_ENROLLED_H
#define TEST_COMMANDS_ENROLLED_H

#include "fixture.h"

#include "fleet/seal.h"

/* Writes the identity's files anew, with new keys. */
void enrolled_write(void);
/* A secret as an operator would seal it for the identity that is there now; in the arena. */
vw_sealed_secret *enrolled_seal(struct vw_arena *arena, const char *name, const char *text);

/* What the store says. In the arena. */
vw_uplink_state *enrolled_state(struct vw_arena *arena);
void enrolled_put_state(const vw_uplink_state *state);
size_t enrolled_secrets(struct vw_arena *arena, vw_held_secret ***out);
/* Entries of this kind in the ledger. */
size_t enrolled_count(vw_audit_kind kind);

/* Files of the state folder. */
void enrolled_write_file(const char *name, const char *text);
/* NULL: it is not there. In the arena. */
char *enrolled_read_file(struct vw_arena *arena, const char *name);

#endif
