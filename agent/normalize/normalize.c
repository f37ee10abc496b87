/* One version's facts, in the order of the record's sections. */
#include "normalize/normalize.h"

#include "draft.h"

#include "base/limits.h"
#include "base/text.h"
#include "clean.h"
#include "proto/message.h"

#include <string.h>

/* The key of a record is kept as it is, so that it stays the same thing's; it only has to be text. */
static char *key_text(struct vw_draft *draft, const char *field, const char *text)
{
	if (!text || vw_utf8_valid(text, strlen(text)))
		return (char *)text;
	return vw_draft_clean(draft, field, text);
}

static void fill_reasons(struct vw_draft *draft)
{
	const struct vw_normalize_input *in = draft->in;
	for (size_t i = 0; i < in->reason_count; i++)
		vw_draft_reason(draft, in->reasons[i].code, in->reasons[i].text);
	bool deleted = in->run && vw_text_equal_nocase(in->run->lifecycle_stage, "deleted");
	if (deleted && !vw_reason_given(in, VW_REASON_RUN_DELETED))
		vw_draft_reason(draft, VW_REASON_RUN_DELETED,
				"the training run was deleted in MLflow, and is still there");
}

static void fill_record(struct vw_draft *draft)
{
	vw_record *record = draft->record;
	record->model_name = key_text(draft, "model_name", draft->version->name);
	record->version_number = key_text(draft, "version_number", draft->version->version);
	record->workspace = key_text(draft, "workspace", vw_non_empty(draft->in->workspace));
	vw_carry_over(draft);
	vw_tags_collect(draft);
	vw_fill_identity(draft);
	vw_fill_lifecycle(draft);
	vw_fill_training(draft);
	vw_fill_lineage(draft);
	vw_fill_risk(draft);
	fill_reasons(draft);
}

static bool too_large(const vw_record *record)
{
	return protobuf_c_message_get_packed_size(&record->base) > VW_MAX_RECORD;
}

/* A record that is too large even without its run loses the largest of what is left, rather than being lost itself. */
static void cut_to_size(struct vw_draft *draft)
{
	vw_record *record = draft->record;
	if (!too_large(record))
		return;
	vw_draft_warn(draft, "section_left_out", "identity.tags", "the tags were too large for a record");
	record->identity->n_tags = 0;
	if (too_large(record)) {
		vw_draft_warn(draft, "section_left_out", "lifecycle.tags", "the tags were too large for a record");
		record->lifecycle->n_tags = 0;
	}
	if (too_large(record)) {
		vw_draft_warn(draft, "section_left_out", "identity.aliases",
			      "the aliases were too large for a record");
		record->identity->n_aliases = 0;
		record->lifecycle->n_aliases = 0;
	}
}

int vw_normalize(struct vw_arena *arena, const struct vw_normalize_input *in, const struct vw_mapping *mapping,
		 vw_record **out_record, struct vw_error *err)
{
	struct vw_draft draft = {.arena = arena,
				 .in = in,
				 .mapping = mapping,
				 .version = in->version,
				 .run = in->run,
				 .experiment = in->experiment,
				 .logged_model = in->logged_model};
	draft.record = VW_NEW(&draft, record);
	if (draft.record)
		fill_record(&draft);
	if (vw_arena_failed(arena))
		return vw_error_set(err, VW_ENOMEM, "version %s of %s: no memory for the record",
				    in->version->version, in->version->name);
	vw_carry_mark(&draft);
	if (vw_reason_given(in, VW_REASON_VALUE_TOO_LARGE))
		cut_to_size(&draft);
	vw_draft_finish(&draft);
	if (vw_arena_failed(arena))
		return vw_error_set(err, VW_ENOMEM, "version %s of %s: no memory for the record",
				    in->version->version, in->version->name);
	if (too_large(draft.record))
		return vw_error_set(err, VW_ELIMIT,
				    "version %s of %s: the record is larger than %zu bytes (VW_MAX_RECORD)",
				    in->version->version, in->version->name, VW_MAX_RECORD);
	*out_record = draft.record;
	return 0;
}
