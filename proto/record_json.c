#include "proto/record_json.h"

#include "base/digest.h"
#include "proto/message.h"

#include <string.h>

static void put_message(struct vw_json_writer *w, const char *key, const void *message)
{
	vw_json_key(w, key);
	if (message)
		vw_message_json(w, message);
	else
		vw_json_put_null(w);
}

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

/* Fields are named without their section: the names are different without it too, of all that have a choice of sources. */
static const char *bare_name(const char *field)
{
	const char *dot = strchr(field, '.');
	return dot ? dot + 1 : field;
}

static void put_provenance(struct vw_json_writer *w, const vw_record *record)
{
	vw_json_key(w, "provenance");
	vw_json_begin_object(w);
	for (size_t i = 0; i < record->n_provenance; i++) {
		const vw_provenance *p = record->provenance[i];
		if (!p->field)
			continue;
		if (!p->raw) {
			put_text(w, bare_name(p->field), p->from);
			continue;
		}
		vw_json_key(w, bare_name(p->field));
		vw_json_begin_object(w);
		put_text(w, "from", p->from);
		put_text(w, "raw", p->raw);
		vw_json_end_object(w);
	}
	vw_json_end_object(w);
}

static void put_source(struct vw_json_writer *w, const vw_access *access)
{
	vw_json_key(w, "source");
	vw_json_begin_object(w);
	put_text(w, "tracking_uri", access ? access->source_uri : NULL);
	put_text(w, "server_version", access ? access->server_version : NULL);
	vw_json_end_object(w);
}

static int64_t last_synced(const struct vw_record_view *view)
{
	/* an unchanged record is not written again: the last full sync saw it all the same */
	return view->last_full_started_at > view->recorded_at ? view->last_full_started_at : view->recorded_at;
}

void vw_record_json(struct vw_json_writer *w, const struct vw_record_view *view)
{
	const vw_record *r = view->record;
	char hex[VW_SHA256_HEX];

	vw_json_begin_object(w);
	put_text(w, "model_name", r->model_name);
	put_text(w, "version_number", r->version_number);
	put_text(w, "workspace", r->workspace);
	put_message(w, "identity", r->identity);
	put_message(w, "lifecycle", r->lifecycle);
	put_message(w, "training", r->training);
	put_message(w, "lineage", r->lineage);
	put_message(w, "risk", r->risk);
	put_message(w, "artifacts", r->artifacts);
	put_message(w, "compliance", view->entry->compliance);
	put_message(w, "completeness", r->completeness);
	put_provenance(w, r);
	vw_json_key(w, "warnings");
	vw_json_begin_array(w);
	for (size_t i = 0; i < r->n_warnings; i++)
		vw_message_json(w, &r->warnings[i]->base);
	vw_json_end_array(w);
	put_source(w, view->access);
	bool hashed = view->entry->has_record_sha256 && view->entry->record_sha256.len == VW_SHA256_SIZE;
	put_text(w, "record_sha256",
		 hashed ? vw_hex_encode(view->entry->record_sha256.data, VW_SHA256_SIZE, hex) : NULL);
	put_time(w, "first_seen_at", view->entry->first_seen_at);
	put_time(w, "last_synced_at", last_synced(view));
	put_time(w, "removed_at", view->removed_at);
	vw_json_end_object(w);
}
