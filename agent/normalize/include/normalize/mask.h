/* mask.h: what must not be stored is masked before anything else happens (S11.1, S11.4; record.md, "What is never stored").
 *
 * The mask says which kind: "***masked:aws_access_key***". Masking twice changes nothing. */
#ifndef NORMALIZE_MASK_H
#define NORMALIZE_MASK_H

#include "base/arena.h"
#include "base/error.h"
#include "base/pattern.h"
#include "proto/model.h"

struct vw_masker;

/* `patterns` are the operator's own for personal data in values (NULL-terminated, may be NULL); VW_ECONFIG names one that is none. */
int vw_masker_open(const char *const *patterns, struct vw_masker **out, struct vw_error *err);
void vw_masker_close(struct vw_masker *masker); /* NULL is fine */
/* A further key whose value names an accountable person: what an operator adds to the spellings of identity.owner and
 * risk.compliance_approver (vw_mapping_add_tag). Copied. */
int vw_masker_spare(struct vw_masker *masker, const char *key, struct vw_error *err);

/* Each rewrites the message in place; new text is in the arena. Owner and approver tags keep e-mail addresses; secrets go everywhere. */
int vw_mask_model(const struct vw_masker *masker, struct vw_arena *arena, vw_registered_model *model);
int vw_mask_version(const struct vw_masker *masker, struct vw_arena *arena, vw_model_version *version);
int vw_mask_run(const struct vw_masker *masker, struct vw_arena *arena,
		vw_run *run); /* also drops mlflow.source.git.diff and the like */
int vw_mask_experiment(const struct vw_masker *masker, struct vw_arena *arena, vw_experiment *experiment);
int vw_mask_logged_model(const struct vw_masker *masker, struct vw_arena *arena, vw_logged_model *model);

#endif
