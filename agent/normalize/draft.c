/* Warnings, provenance and reasons of a record in the making. */
#include "draft.h"

#include "base/text.h"
#include "clean.h"
#include "mask_text.h"
#include "proto/message.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WARNINGS_MAX 500             /* in one record; what is more is counted in one more */
#define TIME_MAX     253402300799999 /* ms: the end of year 9999, which RFC 3339 cannot pass */

void vw_list_add(struct vw_arena *arena, struct vw_list *list, void *item)
{
	if (!item)
		return;
	if (list->count == list->size) {
		size_t size = list->size ? 2 * list->size : 16;
		void **items = vw_arena_array(arena, size, sizeof(*items));
		if (!items)
			return;
		if (list->count > 0)
			memcpy(items, list->items, list->count * sizeof(*items));
		list->items = items;
		list->size = size;
	}
	list->items[list->count++] = item;
}

void vw_draft_warn(struct vw_draft *draft, const char *code, const char *field, const char *fmt, ...)
{
	char text[512];
	struct vw_scrub scrub;
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	vw_warning *warning = VW_NEW(draft, warning);
	if (!warning)
		return;
	warning->code = (char *)code;
	/* scrubbed, for both may have been cut within a character */
	warning->field = vw_text_scrub(draft->arena, field, &scrub);
	warning->text = vw_arena_strdup(draft->arena, vw_text_scrub(draft->arena, text, &scrub));
	if (warning->field && warning->text)
		vw_list_add(draft->arena, &draft->warnings, warning);
}

void vw_draft_from(struct vw_draft *draft, const char *field, const char *from, const char *raw)
{
	vw_provenance *provenance = VW_NEW(draft, provenance);
	if (!provenance)
		return;
	provenance->field = (char *)field;
	provenance->from = (char *)from;
	provenance->raw = (char *)raw;
	if (from)
		vw_list_add(draft->arena, &draft->provenance, provenance);
}

void vw_draft_reason(struct vw_draft *draft, const char *code, const char *text)
{
	struct vw_scrub scrub;
	vw_reason *reason = VW_NEW(draft, reason);
	if (!reason)
		return;
	reason->code = vw_text_scrub(draft->arena, code, &scrub);
	reason->text = vw_text_scrub(draft->arena, text ? text : "", &scrub);
	if (reason->code && reason->text)
		vw_list_add(draft->arena, &draft->reasons, reason);
}

void vw_draft_stale(struct vw_draft *draft, const char *name)
{
	vw_list_add(draft->arena, &draft->stale, (void *)name);
}

static void warn_scrubbed(struct vw_draft *draft, const char *field, const struct vw_scrub *scrub)
{
	if (scrub->ill_formed)
		vw_draft_warn(draft, "invalid_utf8", field, "bytes that are not UTF-8 were replaced by U+FFFD");
	if (scrub->controls)
		vw_draft_warn(draft, "control_characters", field, "control characters were replaced by U+FFFD");
}

char *vw_draft_clean(struct vw_draft *draft, const char *field, const char *text)
{
	struct vw_scrub scrub;
	char *clean = vw_text_scrub(draft->arena, text, &scrub);
	warn_scrubbed(draft, field, &scrub);
	return clean;
}

static void warn_masked(struct vw_draft *draft, const char *field, const char *value)
{
	char kind[VW_MASK_KIND_MAX];
	bool whole;
	if (vw_value_masked(value, kind, &whole))
		vw_draft_warn(draft, "value_masked", field, "%s was masked: %s", whole ? "the value" : "a part",
			      kind);
}

char *vw_draft_text(struct vw_draft *draft, const char *field, const char *text)
{
	char *clean = vw_text_trim(draft->arena, vw_draft_clean(draft, field, text));
	if (clean)
		warn_masked(draft, field, clean);
	return clean;
}

char *vw_draft_uri(struct vw_draft *draft, const char *field, const char *uri)
{
	return vw_uri_redact(draft->arena, vw_draft_text(draft, field, uri));
}

char *vw_draft_reference(struct vw_draft *draft, char *text)
{
	/* "sales:2024@v3" has no user info, and JSON was masked as JSON */
	if (!text || !strstr(text, "://") || text[0] == '{' || text[0] == '[')
		return text;
	return vw_uri_redact(draft->arena, text);
}

bool vw_draft_time(struct vw_draft *draft, const char *field, bool has, int64_t ms, int64_t *out)
{
	if (!has || ms == 0)
		return false;
	if (ms < 0 || ms > TIME_MAX) {
		vw_draft_warn(draft, "time_invalid", field, "%" PRId64 " ms since 1970 is no time", ms);
		return false;
	}
	*out = ms;
	return true;
}

/* The entry itself where nothing has to be changed in it. Warnings name it "lifecycle.tags.team". */
static vw_key_value *clean_entry(struct vw_draft *draft, const char *field, vw_key_value *entry)
{
	struct vw_scrub of_key, of_value;
	char *key = vw_text_scrub(draft->arena, entry->key, &of_key);
	char *value = vw_text_scrub(draft->arena, entry->value ? entry->value : "", &of_value);
	if (!key || !value)
		return NULL;
	of_key.ill_formed |= of_value.ill_formed;
	of_key.controls |= of_value.controls;
	if (of_key.ill_formed || of_key.controls || strstr(value, VW_MASK_BEGIN)) {
		/* the key is cut so that a warning stays readable */
		const char *path = vw_arena_printf(draft->arena, "%s.%.200s", field, key);
		warn_scrubbed(draft, path ? path : field, &of_key);
		warn_masked(draft, path ? path : field, value);
	}
	if (key == entry->key && value == entry->value)
		return entry;
	vw_key_value *copy = VW_NEW(draft, key_value);
	if (copy) {
		copy->key = key;
		copy->value = value;
	}
	return copy;
}

void vw_draft_map(struct vw_draft *draft, const char *field, vw_key_value *const *list, size_t count,
		  vw_key_value ***out_list, size_t *out_count)
{
	struct vw_list map = {0};
	for (size_t i = 0; i < count; i++) {
		if (vw_non_empty(list[i]->key))
			vw_list_add(draft->arena, &map, clean_entry(draft, field, list[i]));
	}
	size_t given = map.count;
	vw_key_values_sort((vw_key_value **)map.items, &map.count);
	if (map.count < given)
		vw_draft_warn(draft, "duplicate_key", field, "a key was given more than once: the last one counts");
	*out_list = (vw_key_value **)map.items;
	*out_count = map.count;
}

/* ---- What is said about the record goes into it ---- */

static int compare_texts(const char *a, const char *b)
{
	return strcmp(a ? a : "", b ? b : "");
}

static int compare_warnings(const void *a, const void *b)
{
	const vw_warning *x = *(vw_warning *const *)a;
	const vw_warning *y = *(vw_warning *const *)b;
	int order = strcmp(x->code, y->code);
	order = order ? order : strcmp(x->field, y->field);
	return order ? order : strcmp(x->text, y->text);
}

static int compare_provenance(const void *a, const void *b)
{
	const vw_provenance *x = *(vw_provenance *const *)a;
	const vw_provenance *y = *(vw_provenance *const *)b;
	return strcmp(x->field, y->field);
}

static int compare_reasons(const void *a, const void *b)
{
	const vw_reason *x = *(vw_reason *const *)a;
	const vw_reason *y = *(vw_reason *const *)b;
	int order = strcmp(x->code, y->code);
	return order ? order : compare_texts(x->text, y->text);
}

/* Sorts, and keeps one of those that are equal. */
static void sort_list(struct vw_list *list, int (*compare)(const void *, const void *))
{
	size_t kept = 0;
	if (list->count == 0)
		return;
	qsort(list->items, list->count, sizeof(*list->items), compare);
	for (size_t i = 1; i < list->count; i++) {
		if (compare(&list->items[kept], &list->items[i]) != 0)
			list->items[++kept] = list->items[i];
	}
	list->count = kept + 1;
}

static void finish_warnings(struct vw_draft *draft)
{
	sort_list(&draft->warnings, compare_warnings);
	if (draft->warnings.count > WARNINGS_MAX) {
		size_t more = draft->warnings.count - WARNINGS_MAX;
		draft->warnings.count = WARNINGS_MAX;
		vw_draft_warn(draft, "warnings_left_out", "warnings", "%zu more warnings are left out", more);
		sort_list(&draft->warnings, compare_warnings);
	}
	draft->record->warnings = (vw_warning **)draft->warnings.items;
	draft->record->n_warnings = draft->warnings.count;
}

static void finish_completeness(struct vw_draft *draft)
{
	const struct vw_normalize_input *in = draft->in;
	vw_completeness *c = VW_NEW(draft, completeness);
	if (!c)
		return;
	sort_list(&draft->reasons, compare_reasons);
	c->reasons = (vw_reason **)draft->reasons.items;
	c->n_reasons = draft->reasons.count;
	c->state = (char *)"complete";
	for (size_t i = 0; i < c->n_reasons; i++) {
		if (strcmp(c->reasons[i]->code, VW_REASON_RUN_DELETED) != 0)
			c->state = (char *)"partial";
	}
	c->stale = (char **)draft->stale.items;
	c->n_stale = draft->stale.count;
	vw_texts_sort(c->stale, &c->n_stale);
	if (c->n_stale > 0) {
		/* what was stale already is as old as it was */
		const vw_completeness *before = in->previous->completeness;
		bool older = before && before->has_stale_since_at;
		VW_SET(c, stale_since_at, older ? before->stale_since_at : in->previous_at);
	}
	draft->record->completeness = c;
}

void vw_draft_finish(struct vw_draft *draft)
{
	finish_completeness(draft);
	sort_list(&draft->provenance, compare_provenance);
	draft->record->provenance = (vw_provenance **)draft->provenance.items;
	draft->record->n_provenance = draft->provenance.count;
	finish_warnings(draft);
}
