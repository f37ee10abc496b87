/* entry_json.h: a ledger entry as the interface shows it: in a version's history, in a ledger, in exports. */
#ifndef API_ENTRY_JSON_H
#define API_ENTRY_JSON_H

#include "base/json.h"
#include "proto/model.h"

/* All borrowed for the call. */
struct entry_view {
	uint64_t sequence;
	const vw_chained_entry *chained;
	const vw_entry *entry;   /* NULL: its payload cannot be read */
	const vw_record *record; /* NULL: it holds none that can be read */
};

/* Unpacks entry and record into the arena, and the view borrows `chained`. What cannot be read is stored all the same, and shown without: an agent's
 * bytes are its own. VW_ENOMEM. */
int entry_open(const vw_chained_entry *chained, uint64_t sequence, struct vw_arena *arena, struct entry_view *out,
	       struct vw_error *err);

/* Members of an object that the caller began: sequence, chain_sha256, recorded_at, kind, workspace, model_name, version_number, record_sha256, access, changed,
 * events, life, audit. `kind` is recorded, removed or the audit's kind. */
void entry_put(struct vw_json_writer *w, const struct entry_view *view);
/* The member `record`, in the form of proto/record_json.h, or null. `removed_at`: 0, or when the version went. */
void entry_put_record(struct vw_json_writer *w, const struct entry_view *view, int64_t removed_at);
/* The member `payload`, in base64. Without memory nothing is written, and the buffer's error says so. */
void entry_put_payload(struct vw_json_writer *w, const struct entry_view *view);

#endif
