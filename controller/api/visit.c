#include "visit.h"

#include "base/limits.h"
#include "base/text.h"

#include <string.h>

/* ---- input ---- */

const char *visit_query(const struct visit *v, const char *name)
{
	const char *text = v->request->query(name, v->request->arg);
	return text && text[0] ? text : NULL;
}

int visit_query_int(const struct visit *v, const char *name, int64_t least, int64_t most, int64_t *out,
		    bool *out_given, struct vw_error *err)
{
	const char *text = visit_query(v, name);
	*out_given = text != NULL;
	if (!text || (vw_text_int64(text, out) && *out >= least && *out <= most))
		return 0;
	return vw_error_set(err, VW_EINVAL, "%s must be a whole number from %lld to %lld", name, (long long)least,
			    (long long)most);
}

int visit_query_enum(const struct visit *v, const char *name, const ProtobufCEnumDescriptor *type, int *out,
		     bool *out_given, struct vw_error *err)
{
	const char *text = visit_query(v, name);
	*out_given = text != NULL;
	if (!text || vw_enum_value(type, text, out))
		return 0;
	return vw_error_set(err, VW_EINVAL, "%s: %.40s is no such word", name, text);
}

int visit_query_bool(const struct visit *v, const char *name, bool *out, bool *out_given, struct vw_error *err)
{
	const char *text = visit_query(v, name);
	*out_given = text != NULL;
	if (!text)
		return 0;
	*out = strcmp(text, "true") == 0;
	if (*out || strcmp(text, "false") == 0)
		return 0;
	return vw_error_set(err, VW_EINVAL, "%s must be true or false", name);
}

int visit_page(const struct visit *v, struct vw_page *out, struct vw_error *err)
{
	int64_t limit = 100;
	bool given;
	int code = visit_query_int(v, "limit", 1, VW_MAX_PAGE, &limit, &given, err);
	out->cursor = visit_query(v, "cursor");
	out->limit = (size_t)limit;
	return code;
}

int visit_input_text(const struct visit *v, const char *name, size_t most, const char **out, struct vw_error *err)
{
	const json_t *value = json_object_get(v->input, name);
	*out = NULL;
	if (!value || json_is_null(value))
		return 0;
	if (!json_is_string(value) || json_string_length(value) > most)
		return vw_error_set(err, VW_EINVAL, "%s must be a text of at most %zu bytes", name, most);
	*out = json_string_value(value);
	return 0;
}

int visit_input_int(const struct visit *v, const char *name, int64_t least, int64_t most, int64_t *out,
		    bool *out_given, struct vw_error *err)
{
	const json_t *value = json_object_get(v->input, name);
	*out_given = value && !json_is_null(value);
	if (!*out_given)
		return 0;
	if (!json_is_integer(value) || json_integer_value(value) < least || json_integer_value(value) > most)
		return vw_error_set(err, VW_EINVAL, "%s must be a whole number from %lld to %lld", name,
				    (long long)least, (long long)most);
	*out = json_integer_value(value);
	return 0;
}

/* ---- output ---- */

void visit_begin(struct visit *v, int status, const char *message)
{
	vw_buffer_clear(&v->out->body);
	vw_json_writer_init(&v->json, &v->out->body, false);
	v->out->status = status;
	v->out->content_type = "application/json";
	vw_json_begin_object(&v->json);
	vw_json_key(&v->json, "message");
	vw_json_put_text(&v->json, message);
	vw_json_key(&v->json, status < 500 ? "data" : "error");
}

void visit_end(struct visit *v)
{
	vw_json_end_object(&v->json);
	vw_buffer_putc(&v->out->body, '\n');
}

void visit_done(struct visit *v, const char *message)
{
	visit_begin(v, 200, message);
	vw_json_put_null(&v->json);
	visit_end(v);
}

void visit_list(struct visit *v, const void *items, size_t count, const char *next, visit_item item)
{
	visit_begin(v, 200, "OK");
	vw_json_begin_object(&v->json);
	vw_json_key(&v->json, "items");
	vw_json_begin_array(&v->json);
	for (size_t i = 0; i < count; i++)
		item(v, i, items);
	vw_json_end_array(&v->json);
	vw_json_key(&v->json, "next");
	vw_json_put_text(&v->json, next);
	vw_json_end_object(&v->json);
	visit_end(v);
}

void visit_message(struct visit *v, const ProtobufCMessage *message)
{
	vw_message_json(&v->json, message);
}

/* ---- the trail ---- */

int visit_note(struct visit *v, const char *action, const char *object, const char *text, struct vw_error *err)
{
	vw_controller_event event = VERIFYWISE__V1__CONTROLLER_EVENT__INIT;
	VW_SET(&event, organization, v->organization);
	VW_SET(&event, at, v->now);
	event.actor = v->who.name;
	event.action = (char *)(uintptr_t)action;
	event.object = (char *)(uintptr_t)object;
	event.text = (char *)(uintptr_t)text;
	return vw_fleet_event_put(v->api->settings.store, &event, err);
}
