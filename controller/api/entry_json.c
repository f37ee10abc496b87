#include "entry_json.h"

#include "base/digest.h"
#include "base/limits.h"
#include "proto/message.h"
#include "proto/record_json.h"

#include <stdlib.h>

static int no_memory(struct vw_error *err)
{
	return vw_error_set(err, VW_ENOMEM, "no memory for a ledger entry");
}

static const vw_version_recorded *version_of(const vw_entry *entry)
{
	return entry && entry->body_case == VERIFYWISE__V1__ENTRY__BODY_VERSION ? entry->version : NULL;
}

static const vw_version_removed *removal_of(const vw_entry *entry)
{
	return entry && entry->body_case == VERIFYWISE__V1__ENTRY__BODY_REMOVAL ? entry->removal : NULL;
}

static const vw_audit *audit_of(const vw_entry *entry)
{
	return entry && entry->body_case == VERIFYWISE__V1__ENTRY__BODY_AUDIT ? entry->audit : NULL;
}

int entry_open(const vw_chained_entry *chained, uint64_t sequence, struct vw_arena *arena, struct entry_view *out,
	       struct vw_error *err)
{
	struct vw_error why;
	void *entry = NULL, *record = NULL;
	if (vw_message_unpack(arena, &verifywise__v1__entry__descriptor, chained->payload.data, chained->payload.len,
			      "a ledger entry", &entry, &why) < 0)
		entry = NULL;
	const vw_version_recorded *version = version_of(entry);
	if (version && version->has_record &&
	    vw_message_unpack(arena, &verifywise__v1__record__descriptor, version->record.data, version->record.len,
			      "a record", &record, &why) < 0)
		record = NULL;
	if (vw_arena_failed(arena))
		return no_memory(err);
	*out = (struct entry_view){sequence, chained, entry, record};
	return 0;
}

/* ---- writing ---- */

static void put_text(struct vw_json_writer *w, const char *key, const char *text)
{
	vw_json_key(w, key);
	vw_json_put_text(w, text);
}

static void put_time(struct vw_json_writer *w, const char *key, int64_t ms)
{
	vw_json_key(w, key);
	vw_json_put_time(w, ms);
}

static void put_hash(struct vw_json_writer *w, const char *key, const ProtobufCBinaryData *hash)
{
	char hex[VW_SHA256_HEX];
	put_text(w, key, hash && hash->len == VW_SHA256_SIZE ? vw_hex_encode(hash->data, hash->len, hex) : NULL);
}

static void put_message(struct vw_json_writer *w, const char *key, const ProtobufCMessage *message)
{
	vw_json_key(w, key);
	vw_message_json(w, message);
}

static const char *kind_of(const vw_entry *entry)
{
	const vw_audit *audit = audit_of(entry);
	if (version_of(entry))
		return "recorded";
	if (removal_of(entry))
		return "removed";
	return audit ? vw_enum_name(&verifywise__v1__audit_kind__descriptor, (int)audit->kind) : "unknown";
}

static void put_subject(struct vw_json_writer *w, const struct entry_view *view)
{
	const vw_record *record = view->record;
	const vw_version_removed *removal = removal_of(view->entry);
	const vw_version_recorded *version = version_of(view->entry);
	put_text(w, "workspace", record ? record->workspace : removal ? removal->workspace : NULL);
	put_text(w, "model_name", record ? record->model_name : removal ? removal->model_name : NULL);
	put_text(w, "version_number", record ? record->version_number : removal ? removal->version_number : NULL);
	put_hash(w, "record_sha256", version ? &version->record_sha256 : removal ? &removal->record_sha256 : NULL);
}

static void put_changed(struct vw_json_writer *w, const vw_version_recorded *version)
{
	vw_json_key(w, "changed");
	vw_json_begin_array(w);
	for (size_t i = 0; version && i < version->n_changed; i++)
		vw_json_put_text(w, version->changed[i]);
	vw_json_end_array(w);
}

static void put_events(struct vw_json_writer *w, const vw_entry *entry)
{
	const vw_version_recorded *version = version_of(entry);
	const vw_version_removed *removal = removal_of(entry);
	vw_json_key(w, "events");
	vw_json_begin_array(w);
	for (size_t i = 0; version && i < version->n_events; i++)
		vw_message_json(w, &version->events[i]->base);
	if (removal && removal->event)
		vw_message_json(w, &removal->event->base);
	vw_json_end_array(w);
}

void entry_put(struct vw_json_writer *w, const struct entry_view *view)
{
	const vw_entry *entry = view->entry;
	const vw_version_recorded *version = version_of(entry);
	const vw_audit *audit = audit_of(entry);
	vw_json_key(w, "sequence");
	vw_json_put_uint64(w, view->sequence);
	put_hash(w, "chain_sha256", &view->chained->chain_sha256);
	put_time(w, "recorded_at", entry ? entry->recorded_at : 0);
	put_text(w, "kind", kind_of(entry));
	put_subject(w, view);
	put_message(w, "access", entry && entry->access ? &entry->access->base : NULL);
	put_changed(w, version);
	put_events(w, entry);
	vw_json_key(w, "life");
	if (version && version->has_life)
		vw_json_put_int64(w, version->life);
	else
		vw_json_put_null(w);
	put_message(w, "audit", audit ? &audit->base : NULL);
}

void entry_put_record(struct vw_json_writer *w, const struct entry_view *view, int64_t removed_at)
{
	vw_json_key(w, "record");
	if (!view->record) {
		vw_json_put_null(w);
		return;
	}
	const struct vw_record_view record = {.record = view->record,
					      .entry = view->entry->version,
					      .access = view->entry->access,
					      .recorded_at = view->entry->recorded_at,
					      .removed_at = removed_at};
	vw_record_json(w, &record);
}

void entry_put_payload(struct vw_json_writer *w, const struct entry_view *view)
{
	const ProtobufCBinaryData *payload = &view->chained->payload;
	char *text = malloc(4 * ((payload->len + 2) / 3) + 1);
	if (!text) {
		w->out->error = VW_ENOMEM;
		return;
	}
	put_text(w, "payload", vw_base64_encode(payload->data, payload->len, text));
	free(text);
}
