/* draft.h: a record in the making: what is read, what was found in the tags, and what is to be said about it. Private.
 *
 * Nothing here fails by itself: an arena without memory gives NULL, and vw_normalize() asks it once at the end. */
#ifndef NORMALIZE_DRAFT_H
#define NORMALIZE_DRAFT_H

#include "fields.h"
#include "normalize/normalize.h"

/* Where tags are looked for, in order of precedence. */
enum vw_place {
	VW_PLACE_VERSION_TAG,
	VW_PLACE_MODEL_TAG,
	VW_PLACE_RUN_TAG,
	VW_PLACE_RUN_PARAM,
	VW_PLACE_EXPERIMENT_TAG,
	VW_PLACES
};

/* A sorted copy of a list of MLflow's, each key once. */
struct vw_place_list {
	vw_key_value **items;
	size_t count;
};

/* The tag that gives a field its value; `entry` is NULL when there is none. */
struct vw_tag_hit {
	const vw_key_value *entry;
	enum vw_place place;
	size_t score; /* within the place; lower wins */
};

/* Pointers; grows by doubling, and becomes a list of the record. */
struct vw_list {
	void **items;
	size_t count;
	size_t size;
};
/* Does nothing without memory, or when `item` is NULL. */
void vw_list_add(struct vw_arena *arena, struct vw_list *list, void *item);

struct vw_draft {
	struct vw_arena *arena;
	const struct vw_normalize_input *in;
	const struct vw_mapping *mapping;
	vw_record *record;

	/* what is read: the input's, or what the previous record knew where that became unreadable (carry.c) */
	const vw_model_version *version;
	const vw_run *run;
	const vw_experiment *experiment;
	const vw_logged_model *logged_model;
	bool version_carried;
	bool run_carried;
	bool experiment_carried;
	bool metrics_carried;

	struct vw_place_list places[VW_PLACES];
	struct vw_tag_hit hits[VW_TAG_FIELDS];

	struct vw_list warnings;   /* vw_warning */
	struct vw_list provenance; /* vw_provenance */
	struct vw_list reasons;    /* vw_reason */
	struct vw_list stale;      /* char */
};

/* Messages of the record, made and initialised. NULL without memory. */
#define VW_NEW(draft, type) ((vw_##type *)vw_message_new((draft)->arena, &verifywise__v1__##type##__descriptor))

void vw_draft_warn(struct vw_draft *draft, const char *code, const char *field, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
/* `raw` is given where the value is not what was found there. Copies nothing. */
void vw_draft_from(struct vw_draft *draft, const char *field, const char *from, const char *raw);
void vw_draft_reason(struct vw_draft *draft, const char *code, const char *text);
void vw_draft_stale(struct vw_draft *draft, const char *name);

/* Well-formed UTF-8 without control characters but tab and line ends; what was replaced is a warning about `field`.
 * NULL stays NULL. The result may be `text` itself. */
char *vw_draft_clean(struct vw_draft *draft, const char *field, const char *text);
/* The same without white space at both ends, NULL when blank; a mask in it is a warning too. */
char *vw_draft_text(struct vw_draft *draft, const char *field, const char *text);
/* A URI without secrets; NULL when blank. */
char *vw_draft_uri(struct vw_draft *draft, const char *field, const char *uri);
/* Text that may be a URI, a name or JSON: without secrets too. NULL stays NULL. */
char *vw_draft_reference(struct vw_draft *draft, char *text);
/* A time of MLflow's, into *out. False when it is missing or none. */
bool vw_draft_time(struct vw_draft *draft, const char *field, bool has, int64_t ms, int64_t *out);
/* A list for the record: clean, sorted, each key once. Warnings name `field` and the key. */
void vw_draft_map(struct vw_draft *draft, const char *field, vw_key_value *const *list, size_t count,
		  vw_key_value ***out_list, size_t *out_count);

/* Puts warnings, provenance and completeness into the record, sorted. */
void vw_draft_finish(struct vw_draft *draft);

/* ---- tags.c ---- */

/* Fills places and hits. */
void vw_tags_collect(struct vw_draft *draft);
/* "run_tag:KEY" of a hit. */
char *vw_tags_from(struct vw_draft *draft, const struct vw_tag_hit *hit);
/* The field's text as the tag gives it, with its provenance noted; NULL when no tag has it. */
char *vw_tags_text(struct vw_draft *draft, enum vw_tag_field field);
/* What the tag says, with nothing noted; NULL when there is none. */
char *vw_tags_peek(struct vw_draft *draft, enum vw_tag_field field);
/* Notes the provenance of a field that was found as `raw` and kept as `value`. */
void vw_tags_note(struct vw_draft *draft, enum vw_tag_field field, const char *raw, const char *value);

/* ---- the sections, one file each ---- */

void vw_carry_over(struct vw_draft *draft); /* carry.c: first, what became unreadable */
void vw_carry_mark(struct vw_draft *draft); /* and last, what of it is in the record */
void vw_fill_identity(struct vw_draft *draft);
void vw_fill_lifecycle(struct vw_draft *draft);
void vw_fill_training(struct vw_draft *draft);
void vw_fill_lineage(struct vw_draft *draft);
void vw_fill_risk(struct vw_draft *draft);

/* ---- small things that several of them need ---- */

/* The value of an MLflow tag with exactly this key; NULL when there is none. */
const char *vw_tag_value(vw_key_value *const *tags, size_t count, const char *key);
/* NULL for NULL and "". */
const char *vw_non_empty(const char *text);
/* The m-… of a source "models:/m-…"; NULL for any other. In the arena. */
char *vw_source_model_id(struct vw_arena *arena, const char *source);
bool vw_reason_given(const struct vw_normalize_input *in, const char *code);

#endif
