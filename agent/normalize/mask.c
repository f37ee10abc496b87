/* Every text of MLflow's messages that may hold a secret, rewritten (S11.1, S11.4). */
#include "normalize/mask.h"

#include "fields.h"
#include "mask_text.h"

#include "base/text.h"

#include <stdlib.h>
#include <string.h>

#define ROUNDS_MAX 8 /* an operator's patterns may match again in what is left between masks */

struct vw_masker {
	struct vw_pattern **patterns;
	size_t pattern_count;
	char **spared; /* keys of accountable people beyond the built-in ones */
	size_t spared_count;
};

/* What beside secrets is looked for in a text. */
enum privacy { PRIVACY_SPARED, PRIVACY_PATTERNS, PRIVACY_EMAILS };

/* Tags that are no metadata but contents, or bookkeeping of the client. */
static const char *const dropped[] = {"mlflow.source.git.diff", "mlflow.log-model.history"};

int vw_masker_open(const char *const *patterns, struct vw_masker **out, struct vw_error *err)
{
	struct vw_masker *masker = calloc(1, sizeof(*masker));
	size_t count = 0;
	while (patterns && patterns[count])
		count++;
	if (masker)
		masker->patterns = calloc(count + 1, sizeof(struct vw_pattern *));
	if (!masker || !masker->patterns) {
		vw_masker_close(masker);
		return vw_error_set(err, VW_ENOMEM, "no memory for the patterns of personal data");
	}
	for (size_t i = 0; i < count; i++) {
		int code = vw_pattern_open(patterns[i], &masker->patterns[i], err);
		if (code < 0) {
			vw_masker_close(masker);
			return vw_error_context(err, code, "pattern %zu of personal data", i + 1);
		}
		masker->pattern_count++;
	}
	*out = masker;
	return 0;
}

void vw_masker_close(struct vw_masker *masker)
{
	if (!masker)
		return;
	for (size_t i = 0; i < masker->pattern_count; i++)
		vw_pattern_close(masker->patterns[i]);
	for (size_t i = 0; i < masker->spared_count; i++)
		free(masker->spared[i]);
	free(masker->patterns);
	free(masker->spared);
	free(masker);
}

int vw_masker_spare(struct vw_masker *masker, const char *key, struct vw_error *err)
{
	char **spared = realloc(masker->spared, (masker->spared_count + 1) * sizeof(*spared));
	char *copy = strdup(key);
	if (spared)
		masker->spared = spared;
	if (!spared || !copy) {
		free(copy);
		return vw_error_set(err, VW_ENOMEM, "no memory for the keys of accountable people");
	}
	masker->spared[masker->spared_count++] = copy;
	return 0;
}

static bool is_spelling(const char *const *spellings, const char *key)
{
	for (; *spellings; spellings++) {
		if (vw_key_equal(*spellings, key))
			return true;
	}
	return false;
}

/* Owners and approvers are accountable people: their names are what the record is for. */
static bool is_spared(const struct vw_masker *masker, const char *key)
{
	static const char *const prefixes[] = {"", "verifywise.", "governance."};
	for (size_t p = 0; p < sizeof(prefixes) / sizeof(prefixes[0]); p++) {
		if (!vw_key_has_prefix(key, prefixes[p]))
			continue;
		const char *bare = key + strlen(prefixes[p]);
		if (is_spelling(vw_builtin_spellings(VW_TAG_OWNER), bare) ||
		    is_spelling(vw_builtin_spellings(VW_TAG_APPROVER), bare) ||
		    is_spelling(vw_builtin_spellings(VW_TAG_ACCOUNT), bare))
			return true;
		for (size_t i = 0; i < masker->spared_count; i++) {
			if (vw_key_equal(masker->spared[i], bare))
				return true;
		}
	}
	return false;
}

/* ---- One text ---- */

/* One message's masking; the first failure stays. */
struct work {
	const struct vw_masker *masker;
	struct vw_arena *arena;
	struct vw_buffer out;
	int code;
};

static void begin(struct work *work, const struct vw_masker *masker, struct vw_arena *arena)
{
	*work = (struct work){.masker = masker, .arena = arena};
	vw_buffer_init(&work->out, 0);
}

static int end(struct work *work)
{
	vw_buffer_reset(&work->out);
	return work->code;
}

/* Puts what was written in place of the text, if something was found. */
static bool take(struct work *work, char **text, size_t found)
{
	int code = vw_buffer_error(&work->out);
	char *copy = code == 0 && found > 0 ? vw_arena_strdup(work->arena, vw_buffer_text(&work->out)) : NULL;
	vw_buffer_clear(&work->out);
	if (code == 0 && found > 0 && !copy)
		code = VW_ENOMEM;
	if (code < 0)
		work->code = code;
	if (copy)
		*text = copy;
	return copy != NULL;
}

/* The next mask in the text, or its end. */
static const char *next_mask(const char *text)
{
	const char *p = strstr(text, VW_MASK_BEGIN);
	while (p && vw_mask_length(p) == 0)
		p = strstr(p + 1, VW_MASK_BEGIN);
	return p ? p : text + strlen(text);
}

/* Masks what a pattern finds between the masks that are there. A pattern that gives up on a piece masks all of it. */
static size_t mask_pattern(const struct vw_pattern *pattern, const char *text, struct vw_buffer *out)
{
	struct vw_buffer piece;
	size_t found = 0;
	vw_buffer_init(&piece, 0);
	while (*text) {
		size_t len = vw_mask_length(text);
		if (len > 0) {
			vw_buffer_append(out, text, len);
		} else {
			len = (size_t)(next_mask(text) - text);
			vw_buffer_clear(&piece);
			vw_buffer_append(&piece, text, len);
			int count = vw_pattern_mask(pattern, vw_buffer_text(&piece),
						    VW_MASK_BEGIN "personal_data" VW_MASK_END, out);
			found += count < 0 ? 1 : (size_t)count;
		}
		text += len;
	}
	if (vw_buffer_error(&piece))
		out->error = vw_buffer_error(&piece);
	vw_buffer_reset(&piece);
	return found;
}

static bool mask_once(struct work *work, enum privacy privacy, char **text)
{
	bool changed = take(work, text, vw_mask_secrets(*text, &work->out));
	if (privacy == PRIVACY_SPARED)
		return changed;
	for (size_t i = 0; i < work->masker->pattern_count; i++)
		changed |= take(work, text, mask_pattern(work->masker->patterns[i], *text, &work->out));
	if (privacy == PRIVACY_EMAILS)
		changed |= take(work, text, vw_mask_emails(*text, &work->out));
	return changed;
}

/* Until nothing more is found, so that masking twice changes nothing. */
static void mask_text(struct work *work, enum privacy privacy, char **text)
{
	if (!*text || !**text)
		return;
	for (int round = 0; round < ROUNDS_MAX; round++) {
		if (!mask_once(work, privacy, text) || work->code < 0)
			return;
	}
	vw_mask_append(&work->out, "personal_data");
	take(work, text, 1);
}

/* Secrets anywhere, then what only a URI has. What one of them leaves may be something to the other: so until nothing
 * changes. */
static void mask_uri(struct work *work, char **uri)
{
	if (!*uri)
		return;
	for (int round = 0; round < ROUNDS_MAX; round++) {
		const char *before = *uri;
		mask_text(work, PRIVACY_SPARED, uri);
		char *redacted = vw_uri_redact(work->arena, *uri);
		if (!redacted) {
			work->code = VW_ENOMEM;
			return;
		}
		*uri = redacted;
		if (strcmp(before, redacted) == 0)
			return;
	}
	vw_mask_append(&work->out, "uri");
	take(work, uri, 1);
}

/* ---- Lists ---- */

static bool is_dropped(const char *key)
{
	for (size_t i = 0; i < sizeof(dropped) / sizeof(dropped[0]); i++) {
		if (vw_key_equal(dropped[i], key))
			return true;
	}
	return false;
}

static void mask_entry(struct work *work, enum privacy privacy, vw_key_value *entry)
{
	const char *kind = entry->key ? vw_secret_key_kind(entry->key, strlen(entry->key)) : NULL;
	if (!entry->value)
		return;
	if (kind && !vw_secret_value_harmless(kind, entry->value, strlen(entry->value))) {
		vw_mask_append(&work->out, kind);
		take(work, &entry->value, 1);
		return;
	}
	/* most values have nothing that could be a person's */
	bool personal = work->masker->pattern_count > 0 || strchr(entry->value, '@');
	if (!personal || (entry->key && is_spared(work->masker, entry->key)))
		privacy = PRIVACY_SPARED;
	mask_text(work, privacy, &entry->value);
}

static void mask_entries(struct work *work, enum privacy privacy, vw_key_value **list, size_t *count)
{
	size_t kept = 0;
	for (size_t i = 0; i < *count; i++) {
		if (list[i]->key && is_dropped(list[i]->key))
			continue;
		mask_entry(work, privacy, list[i]);
		list[kept++] = list[i];
	}
	*count = kept;
}

static void mask_metrics(struct work *work, vw_metric **metrics, size_t count)
{
	for (size_t i = 0; i < count; i++)
		mask_text(work, PRIVACY_EMAILS, &metrics[i]->dataset);
}

static void mask_dataset(struct work *work, vw_dataset_input *input)
{
	mask_text(work, PRIVACY_EMAILS, &input->name);
	/* a URI, or JSON with one in it: user info and signatures are found in both */
	mask_text(work, PRIVACY_EMAILS, &input->source);
	mask_entries(work, PRIVACY_EMAILS, input->tags, &input->n_tags);
}

/* ---- Messages ---- */

int vw_mask_model(const struct vw_masker *masker, struct vw_arena *arena, vw_registered_model *model)
{
	struct work work;
	begin(&work, masker, arena);
	mask_text(&work, PRIVACY_PATTERNS, &model->description);
	mask_entries(&work, PRIVACY_PATTERNS, model->tags, &model->n_tags);
	return end(&work);
}

int vw_mask_version(const struct vw_masker *masker, struct vw_arena *arena, vw_model_version *version)
{
	struct work work;
	begin(&work, masker, arena);
	mask_text(&work, PRIVACY_PATTERNS, &version->description);
	mask_text(&work, PRIVACY_PATTERNS, &version->status_message);
	mask_uri(&work, &version->source);
	mask_entries(&work, PRIVACY_PATTERNS, version->tags, &version->n_tags);
	return end(&work);
}

int vw_mask_run(const struct vw_masker *masker, struct vw_arena *arena, vw_run *run)
{
	struct work work;
	begin(&work, masker, arena);
	mask_uri(&work, &run->artifact_uri);
	mask_metrics(&work, run->metrics, run->n_metrics);
	mask_entries(&work, PRIVACY_EMAILS, run->params, &run->n_params);
	mask_entries(&work, PRIVACY_PATTERNS, run->tags, &run->n_tags);
	for (size_t i = 0; i < run->n_dataset_inputs; i++)
		mask_dataset(&work, run->dataset_inputs[i]);
	return end(&work);
}

int vw_mask_experiment(const struct vw_masker *masker, struct vw_arena *arena, vw_experiment *experiment)
{
	struct work work;
	begin(&work, masker, arena);
	mask_text(&work, PRIVACY_PATTERNS, &experiment->name);
	mask_uri(&work, &experiment->artifact_location);
	mask_entries(&work, PRIVACY_PATTERNS, experiment->tags, &experiment->n_tags);
	return end(&work);
}

int vw_mask_logged_model(const struct vw_masker *masker, struct vw_arena *arena, vw_logged_model *model)
{
	struct work work;
	begin(&work, masker, arena);
	mask_text(&work, PRIVACY_PATTERNS, &model->name);
	mask_uri(&work, &model->artifact_uri);
	mask_metrics(&work, model->metrics, model->n_metrics);
	mask_entries(&work, PRIVACY_EMAILS, model->params, &model->n_params);
	mask_entries(&work, PRIVACY_PATTERNS, model->tags, &model->n_tags);
	return end(&work);
}
