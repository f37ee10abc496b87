/* project.h: what is read off a ledger entry: the rows that lists are made of. Both stores write just this, so that they cannot disagree.
 *
 * An agent's texts are taken as they come but for two things: bytes that are no UTF-8 become U+FFFD (PostgreSQL would refuse the row), and
 * what is longer than VW_MAX_ROW_TEXT is cut. The record itself, in the ledger, has it all. */
#ifndef STORE_PROJECT_H
#define STORE_PROJECT_H

#include "base/arena.h"
#include "base/error.h"
#include "proto/model.h"

#include <stdbool.h>
#include <stdint.h>

/* Everything in the arena, or borrowed from the entry. A removal takes the version's gaps away and sets removed_at in the row that is there;
 * all else in that row, its sequence and recorded_at too, stays that of the last record. Without a row there, it makes none. */
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

/* VW_EINVAL: an entry about a version whose record or key cannot be read; it is stored all the same, without rows. Also a record that
 * has not the hash it names. `entry` may be changed where its texts are no UTF-8. */
int vw_project(int32_t organization, const char *agent_id, uint64_t sequence, const vw_entry *entry,
	       struct vw_arena *arena, struct vw_projection *out, struct vw_error *err);

/* The open findings of the entry that `row` was read off. */
int vw_project_gaps(const vw_version_row *row, const vw_entry *entry, struct vw_arena *arena, vw_gap_row ***out,
		    size_t *out_count, struct vw_error *err);

/* Makes every text in a message well-formed UTF-8 of at most `max` bytes; false without memory. For what a store takes from
 * `record` beyond the rows. */
bool vw_project_clean(ProtobufCMessage *message, size_t max, struct vw_arena *arena);

/* The one decimal form of a uint64 that a version number has: no sign, no leading zero. For its order. */
bool vw_version_number(const char *text, uint64_t *out);

#endif
