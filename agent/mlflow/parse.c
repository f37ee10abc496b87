/* parse.c: an answer's envelope, and the objects in it one by one. */
#include "mlflow/parse.h"

#include "base/json.h"
#include "base/limits.h"
#include "base/text.h"
#include "fields.h"
#include "proto/message.h"
#include "scan.h"

#include <string.h>

/* JSON values in one object: three full lists of entries of five values each have 300,000. */
#define MAX_OBJECT_NODES ((size_t)1000000)
#define MAX_PAGE_TOKEN   (16 * VW_KIB)
#define MAX_TEXT_LINE    ((size_t)256)
#define MAX_ERROR_TEXT   ((size_t)400)

/* ---- one object of each kind; each says if it could be named ---- */

/* A key that can be looked up: there, not empty, not over the cap. */
static bool named(const char *key)
{
	return key && *key && strlen(key) <= VW_MAX_NAME;
}

/* S5.1: of the latest versions that the server refers to, one for each stage, the newest. Versions are listed by themselves,
 * so what is odd here is no flaw. */
static void read_newest_version(const json_t *object, vw_registered_model *model)
{
	const json_t *latest = vw_json_array(object, "latest_versions");
	for (size_t i = 0; i < json_array_size(latest); i++) {
		int64_t number;
		if (vw_json_int64(json_array_get(latest, i), "version", &number) && number > model->newest_version)
			VW_SET(model, newest_version, number);
	}
}

static bool read_model(struct vw_fields *in, const json_t *object, ProtobufCMessage *message)
{
	vw_registered_model *model = (vw_registered_model *)(void *)message;
	vw_fields_read(in, object, message);
	read_newest_version(object, model);
	return named(model->name);
}

/* An empty id is how some servers say that there is none. */
static void drop_empty(char **id)
{
	if (*id && !**id)
		*id = NULL;
}

static bool read_version(struct vw_fields *in, const json_t *object, ProtobufCMessage *message)
{
	vw_model_version *version = (vw_model_version *)(void *)message;
	vw_fields_read(in, object, message);
	drop_empty(&version->run_id);
	return named(version->name) && named(version->version);
}

static bool read_experiment(struct vw_fields *in, const json_t *object, ProtobufCMessage *message)
{
	vw_fields_read(in, object, message);
	return named(((const vw_experiment *)(const void *)message)->experiment_id);
}

static void fill_dataset(struct vw_fields *in, const json_t *object, ProtobufCMessage *message)
{
	vw_dataset_input *input = (vw_dataset_input *)(void *)message;
	vw_fields_read(in, json_object_get(object, "dataset"), message);
	vw_fields_list(in, object, "tags", &verifywise__v1__key_value__descriptor, NULL, &input->n_tags,
		       &input->tags);
}

static bool read_run(struct vw_fields *in, const json_t *object, ProtobufCMessage *message)
{
	vw_run *run = (vw_run *)(void *)message;
	const json_t *info = json_object_get(object, "info");
	vw_fields_read(in, info, message);
	if (!named(run->run_id))
		run->run_id = vw_fields_text(in, info, "run_uuid");
	vw_fields_read(in, json_object_get(object, "data"), message);
	vw_fields_list(in, json_object_get(object, "inputs"), "dataset_inputs",
		       &verifywise__v1__dataset_input__descriptor, fill_dataset, &run->n_dataset_inputs,
		       &run->dataset_inputs);
	vw_fields_texts(in, json_object_get(object, "outputs"), "model_outputs", "model_id", &run->n_model_outputs,
			&run->model_outputs);
	return named(run->run_id);
}

static void fill_metric(struct vw_fields *in, const json_t *object, ProtobufCMessage *message)
{
	vw_fields_read(in, object, message);
	((vw_metric *)(void *)message)->dataset = vw_fields_text(in, object, "dataset_name");
}

static bool read_logged_model(struct vw_fields *in, const json_t *object, ProtobufCMessage *message)
{
	vw_logged_model *model = (vw_logged_model *)(void *)message;
	const json_t *data = json_object_get(object, "data");
	vw_fields_read(in, json_object_get(object, "info"), message);
	drop_empty(&model->source_run_id);
	vw_fields_list(in, data, "params", &verifywise__v1__key_value__descriptor, NULL, &model->n_params,
		       &model->params);
	vw_fields_list(in, data, "metrics", &verifywise__v1__metric__descriptor, fill_metric, &model->n_metrics,
		       &model->metrics);
	return named(model->model_id);
}

/* ---- what each shape holds ---- */

struct shape {
	const char *member; /* of the envelope */
	bool list;
	const ProtobufCMessageDescriptor *type; /* NULL: the texts of member "name" */
	bool (*read)(struct vw_fields *in, const json_t *object, ProtobufCMessage *message);
	size_t offset; /* of the list in the answer */
};

#define LIST(field) offsetof(struct vw_mlflow_answer, field)
static const struct shape shapes[] = {
    [VW_SHAPE_MODELS] = {"registered_models", true, &verifywise__v1__registered_model__descriptor, read_model,
			 LIST(models)},
    [VW_SHAPE_MODEL] = {"registered_model", false, &verifywise__v1__registered_model__descriptor, read_model,
			LIST(models)},
    [VW_SHAPE_VERSIONS] = {"model_versions", true, &verifywise__v1__model_version__descriptor, read_version,
			   LIST(versions)},
    [VW_SHAPE_VERSION] = {"model_version", false, &verifywise__v1__model_version__descriptor, read_version,
			  LIST(versions)},
    [VW_SHAPE_RUNS] = {"runs", true, &verifywise__v1__run__descriptor, read_run, LIST(runs)},
    [VW_SHAPE_RUN] = {"run", false, &verifywise__v1__run__descriptor, read_run, LIST(runs)},
    [VW_SHAPE_EXPERIMENTS] = {"experiments", true, &verifywise__v1__experiment__descriptor, read_experiment,
			      LIST(experiments)},
    [VW_SHAPE_EXPERIMENT] = {"experiment", false, &verifywise__v1__experiment__descriptor, read_experiment,
			     LIST(experiments)},
    [VW_SHAPE_LOGGED_MODELS] = {"models", true, &verifywise__v1__logged_model__descriptor, read_logged_model,
				LIST(logged_models)},
    [VW_SHAPE_LOGGED_MODEL] = {"model", false, &verifywise__v1__logged_model__descriptor, read_logged_model,
			       LIST(logged_models)},
    [VW_SHAPE_WORKSPACES] = {"workspaces", true, NULL, NULL, LIST(texts)},
};

/* ---- collecting ---- */

struct page {
	const struct shape *shape;
	const char *what;
	struct vw_arena *arena;
	void **list;
	size_t size;
	struct vw_mlflow_flaw *flaws;
	size_t flaws_size;
	struct vw_mlflow_answer answer; /* counts, token */
	bool other_members;
};

/* Room for one more in a list that doubles; what it leaves behind stays in the arena. */
static void *grown(struct vw_arena *arena, void *list, size_t count, size_t *size, size_t element)
{
	if (count < *size)
		return list;
	size_t bigger = *size ? 2 * *size : 16;
	void *copy = vw_arena_array(arena, bigger, element);
	if (!copy)
		return NULL;
	if (count)
		memcpy(copy, list, count * element);
	*size = bigger;
	return copy;
}

static void put_object(struct page *page, void *object, unsigned flaws)
{
	struct vw_mlflow_answer *a = &page->answer;
	void **list = grown(page->arena, page->list, a->count, &page->size, sizeof(*list));
	if (!list)
		return; /* the arena remembers */
	page->list = list;
	list[a->count++] = object;
	if (flaws == 0)
		return;
	struct vw_mlflow_flaw *noted =
	    grown(page->arena, page->flaws, a->flaw_count, &page->flaws_size, sizeof(*noted));
	if (!noted)
		return;
	page->flaws = noted;
	noted[a->flaw_count++] = (struct vw_mlflow_flaw){object, flaws};
}

/* Escapes that no text of ours can hold, U+0000 and halves of surrogate pairs, become U+FFFD. Some databases store such. */
static void mend_escapes(char *bytes, size_t len)
{
	bool high = false; /* the escape before this one was a high surrogate */
	char *before = NULL;
	size_t i = 0;
	while (i + 1 < len) {
		bool escape = bytes[i] == '\\' && bytes[i + 1] == 'u' && len - i >= 6;
		const char *hex = bytes + i + 2;
		bool d = escape && (hex[0] == 'd' || hex[0] == 'D');
		bool low = d && hex[1] && strchr("cdefCDEF", hex[1]);
		if (high && !low)
			memcpy(before + 2, "fffd", 4);
		if ((escape && memcmp(hex, "0000", 4) == 0) || (low && !high))
			memcpy(bytes + i + 2, "fffd", 4);
		high = d && !low && hex[1] && strchr("89abAB", hex[1]);
		before = bytes + i;
		i += escape ? 6 : (bytes[i] == '\\' ? 2 : 1);
	}
}

/* One object's JSON: as it is, or mended. */
static int parse_span(const struct page *page, const struct vw_span *span, json_t **out, struct vw_error *err)
{
	if (span->nodes > MAX_OBJECT_NODES)
		return vw_error_set(err, VW_ELIMIT, "%s: an object of more than %zu values", page->what,
				    MAX_OBJECT_NODES);
	int code = vw_json_parse(span->bytes, span->len, page->what, out, err);
	if (code != VW_EINVAL || !memmem(span->bytes, span->len, "\\u", 2))
		return code;
	char *copy = vw_arena_strndup(page->arena, span->bytes, span->len);
	if (!copy)
		return VW_ENOMEM;
	mend_escapes(copy, span->len);
	return vw_json_parse(copy, span->len, page->what, out, err);
}

static int take_object(struct page *page, const struct vw_span *span, struct vw_error *err)
{
	VW_AUTO(vw_json_cleanup) json_t *object = NULL;
	struct vw_fields in = {page->arena, 0};
	int code = parse_span(page, span, &object, err);

	if (code == VW_ENOMEM)
		return code;
	if (code < 0 || !json_is_object(object)) {
		page->answer.malformed++;
		return 0;
	}
	if (!page->shape->type) {
		char *name = vw_fields_text(&in, object, "name");
		if (named(name))
			put_object(page, name, 0);
		else
			page->answer.malformed++;
		return 0;
	}
	void *message = vw_message_new(page->arena, page->shape->type);
	if (!message)
		return 0; /* the arena remembers */
	if (page->shape->read(&in, object, message))
		put_object(page, message, in.flaws);
	else
		page->answer.malformed++;
	return 0;
}

/* ---- the envelope ---- */

static int broken(const struct page *page, const struct vw_scan *scan, struct vw_error *err)
{
	return vw_error_set(err, VW_EINVAL, "%s: the answer is not JSON as MLflow sends it (at byte %zu of %zu)",
			    page->what, scan->at < scan->len ? scan->at : scan->len, scan->len);
}

static int take_list(struct page *page, struct vw_scan *scan, struct vw_error *err)
{
	struct vw_span span;

	if (!vw_scan_take(scan, '['))
		return broken(page, scan, err);
	if (vw_scan_take(scan, ']'))
		return 0;
	do {
		if (!vw_scan_value(scan, &span))
			return broken(page, scan, err);
		int code = take_object(page, &span, err);
		if (code < 0)
			return code;
	} while (vw_scan_take(scan, ','));
	return vw_scan_take(scan, ']') ? 0 : broken(page, scan, err);
}

static int take_token(struct page *page, const struct vw_span *span, struct vw_error *err)
{
	struct vw_buffer text;
	json_t *object = NULL;

	if (span->len > MAX_PAGE_TOKEN)
		return vw_error_set(err, VW_ELIMIT, "%s: a page token of more than %zu bytes", page->what,
				    MAX_PAGE_TOKEN);
	vw_buffer_init(&text, 0);
	vw_buffer_puts(&text, "{\"token\":");
	vw_buffer_append(&text, span->bytes, span->len);
	vw_buffer_putc(&text, '}');
	int code = vw_json_parse(vw_buffer_text(&text), text.len, page->what, &object, err);
	vw_buffer_reset(&text);
	if (code < 0)
		return code;
	const char *token = vw_json_text(page->arena, object, "token");
	page->answer.next_page_token = token && *token ? token : NULL;
	json_decref(object);
	return 0;
}

static int take_member(struct page *page, struct vw_scan *scan, bool *found, struct vw_error *err)
{
	struct vw_span key, value;

	if (!vw_scan_key(scan, &key))
		return broken(page, scan, err);
	bool ours = vw_span_is(&key, page->shape->member);
	struct vw_scan ahead = *scan;
	if (ours && page->shape->list && vw_scan_take(&ahead, '[')) {
		if (*found)
			return broken(page, scan, err);
		*found = true;
		return take_list(page, scan, err);
	}
	if (!vw_scan_value(scan, &value))
		return broken(page, scan, err);
	if (vw_span_is(&key, "next_page_token"))
		return take_token(page, &value, err);
	if (!ours) {
		page->other_members = true;
		return 0;
	}
	if (*found || page->shape->list)
		return vw_span_is(&value, "null") ? 0 : broken(page, scan, err);
	*found = true;
	return take_object(page, &value, err);
}

static int take_envelope(struct page *page, const char *bytes, size_t len, struct vw_error *err)
{
	struct vw_scan scan = {bytes, len, 0};
	bool found = false;

	if (!vw_scan_take(&scan, '{'))
		return broken(page, &scan, err);
	bool empty = vw_scan_take(&scan, '}');
	if (!empty) {
		do {
			int code = take_member(page, &scan, &found, err);
			if (code < 0)
				return code;
		} while (vw_scan_take(&scan, ','));
	}
	if ((!empty && !vw_scan_take(&scan, '}')) || !vw_scan_at_end(&scan))
		return broken(page, &scan, err);
	/* an empty list is left out, but then nothing else is there either: somebody else's JSON is no empty registry */
	if (!found && (page->other_members || !page->shape->list))
		return vw_error_set(err, VW_EINVAL, "%s: the answer has no \"%s\"", page->what, page->shape->member);
	if (!page->shape->list && page->answer.count == 0 && !vw_arena_failed(page->arena))
		return vw_error_set(err, VW_EINVAL, "%s: the object in the answer cannot be read", page->what);
	return 0;
}

/* ---- texts ---- */

static char *first_line(const char *bytes, size_t len, size_t longest, struct vw_arena *arena)
{
	while (len && memchr(" \t\r\n", *bytes, 4)) {
		bytes++;
		len--;
	}
	size_t line = 0;
	while (line < len && bytes[line] != '\n' && bytes[line] != '\r' && bytes[line] != '\0')
		line++;
	struct vw_buffer safe;
	vw_buffer_init(&safe, 0);
	char *raw = vw_arena_strndup(arena, bytes, line < longest ? line : longest);
	vw_text_append_safe(&safe, raw ? raw : "");
	if (line > longest)
		vw_buffer_puts(&safe, "…");
	char *text = raw && vw_buffer_error(&safe) == 0 ? vw_arena_strdup(arena, vw_buffer_text(&safe)) : NULL;
	vw_buffer_reset(&safe);
	return text;
}

static int take_text(const char *bytes, size_t len, const char *what, struct vw_arena *arena,
		     struct vw_mlflow_answer *out, struct vw_error *err)
{
	char **texts = vw_arena_array(arena, 1, sizeof(*texts));
	char *line = vw_text_trim(arena, first_line(bytes, len, MAX_TEXT_LINE, arena));
	if (!line && !vw_arena_failed(arena))
		return vw_error_set(err, VW_EINVAL, "%s: the answer is empty", what);
	if (line && *line == '<')
		return vw_error_set(err, VW_EINVAL, "%s: the answer is a web page", what);
	if (!texts || !line)
		return vw_error_set(err, VW_ENOMEM, "%s: no memory", what);
	texts[0] = line;
	out->texts = texts;
	out->count = 1;
	return 0;
}

int vw_mlflow_parse(enum vw_mlflow_shape shape, const char *bytes, size_t len, const char *what,
		    struct vw_arena *arena, struct vw_mlflow_answer *out, struct vw_error *err)
{
	if (len > VW_MAX_RESPONSE)
		return vw_error_set(err, VW_ELIMIT, "%s: the answer is larger than %zu bytes (VW_MAX_RESPONSE)", what,
				    VW_MAX_RESPONSE);
	if (shape == VW_SHAPE_TEXT)
		return take_text(bytes, len, what, arena, out, err);
	struct page page = {.shape = &shapes[shape], .what = what, .arena = arena};
	int code = take_envelope(&page, bytes, len, err);
	if (code == VW_ENOMEM)
		return vw_error_set(err, code, "%s: no memory for the answer", what);
	if (vw_arena_failed(arena))
		return vw_error_set(err, VW_ELIMIT, "%s: the answer's objects do not fit in VW_MAX_ARENA (%zu bytes)",
				    what, VW_MAX_ARENA);
	if (code < 0)
		return code;
	memcpy((char *)out + page.shape->offset, &page.list, sizeof(void *));
	out->count = page.answer.count;
	out->malformed = page.answer.malformed;
	out->flaws = page.flaws;
	out->flaw_count = page.answer.flaw_count;
	out->next_page_token = page.answer.next_page_token;
	return 0;
}

unsigned vw_mlflow_flaws(const struct vw_mlflow_answer *answer, const void *object)
{
	for (size_t i = 0; i < answer->flaw_count; i++) {
		if (answer->flaws[i].object == object)
			return answer->flaws[i].what;
	}
	return 0;
}

/* ---- small answers ---- */

bool vw_mlflow_parse_workspaces_enabled(const char *bytes, size_t len)
{
	VW_AUTO(vw_json_cleanup) json_t *root = NULL;
	if (len > VW_MIB || vw_json_parse(bytes, len, "server-info", &root, NULL) < 0)
		return false;
	return json_is_true(json_object_get(root, "workspaces_enabled"));
}

char *vw_mlflow_parse_error(const char *bytes, size_t len, struct vw_arena *arena)
{
	VW_AUTO(vw_json_cleanup) json_t *root = NULL;
	static const char page[] = "(a web page)";

	if (len <= VW_MIB && vw_json_parse(bytes, len, "", &root, NULL) == 0) {
		const char *code = json_string_value(json_object_get(root, "error_code"));
		const char *message = json_string_value(json_object_get(root, "message"));
		const char *text = vw_arena_printf(arena, "%s%s%s", code ? code : "", code && message ? ": " : "",
						   message ? message : "");
		return text ? first_line(text, strlen(text), MAX_ERROR_TEXT, arena) : NULL;
	}
	char *line = first_line(bytes, len, MAX_ERROR_TEXT, arena);
	return line && *line == '<' ? vw_arena_strdup(arena, page) : line;
}
