/* record_json.h: the one JSON form of a record, printed by the commands and by the controller's API alike.
 *
 * Its keys, in this order: model_name, version_number, workspace, the sections of record.proto, compliance, completeness,
 * provenance (an object: field without its section to source, or to {"from","raw"}), warnings, source, record_sha256, first_seen_at, last_synced_at, removed_at. A missing value is null, never left out. */
#ifndef PROTO_RECORD_JSON_H
#define PROTO_RECORD_JSON_H

#include "base/json.h"
#include "proto/model.h"

/* All borrowed for the call. */
struct vw_record_view {
	const vw_record *record;
	const vw_version_recorded *entry;
	const vw_access *access;      /* of the entry: where it was read from */
	int64_t recorded_at;          /* of the entry */
	int64_t last_full_started_at; /* start of the last full sync that saw it unchanged, or 0 */
	int64_t removed_at;           /* 0: still there */
};

/* One object. */
void vw_record_json(struct vw_json_writer *w, const struct vw_record_view *view);

#endif
