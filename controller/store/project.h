/* project.h: what is read off a ledger entry: the rows that lists are made of. Both stores write just this, so that they cannot disagree. */
#ifndef STORE_PROJECT_H
#define STORE_PROJECT_H

#include "base/arena.h"
#include "base/error.h"
#include "proto/model.h"

/* Everything in the arena. */
struct vw_projection {
	vw_version_row *
	    row; /* the version's state after this entry; NULL: the entry is about no version. Of a removal: only key, sequence, recorded_at and removed_at */
	vw_record *record; /* of a version recorded */
	vw_gap_row **gaps; /* all that are open now: they replace the version's former ones */
	size_t gap_count;
	vw_event_row **events;
	size_t event_count;
	bool is_removal;
};

/* VW_EINVAL: an entry about a version whose record or key cannot be read; it is stored all the same, without rows. */
int vw_project(int32_t organization, const char *agent_id, uint64_t sequence, const vw_entry *entry,
	       struct vw_arena *arena, struct vw_projection *out, struct vw_error *err);

#endif
