/* visit.c: reading what a request gives, writing what it gets. */
#include "visit.h"

#include "base/clock.h"
#include "base/digest.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define LONG_RETRY_S 5 /* before a long answer that was refused is asked for again */

/* ---- input ---- */

const char *visit_query(const struct visit *v, const char *name)
{
	for (size_t i = 0; i < v->parameter_count; i++)
		if (strcmp(v->parameters[i].name, name) == 0)
			return v->parameters[i].value[0] ? v->parameters[i].value : NULL;
	return NULL;
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

int visit_query_time(const struct visit *v, const char *name, int64_t *out, struct vw_error *err)
{
	const char *text = visit_query(v, name);
	if (!text || vw_clock_parse_date(text, out) || (vw_text_int64(text, out) && *out >= 0))
		return 0;
	return vw_error_set(err, VW_EINVAL, "%s must be a date, YYYY-MM-DD, or milliseconds since 1970", name);
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
	/* 1.0 is a whole number too */
	bool whole = json_is_integer(value) || (json_is_real(value) && fabs(json_real_value(value)) < 1e15 &&
						json_real_value(value) == floor(json_real_value(value)));
	int64_t number = json_is_real(value) && whole ? (int64_t)json_real_value(value) : json_integer_value(value);
	if (!whole || number < least || number > most)
		return vw_error_set(err, VW_EINVAL, "%s must be a whole number from %lld to %lld", name,
				    (long long)least, (long long)most);
	*out = number;
	return 0;
}

int visit_input_bool(const struct visit *v, const char *name, bool *out, struct vw_error *err)
{
	const json_t *value = json_object_get(v->input, name);
	if (value && !json_is_null(value) && !json_is_boolean(value))
		return vw_error_set(err, VW_EINVAL, "%s must be true or false", name);
	*out = json_is_true(value);
	return 0;
}

/* ---- refusals ---- */

int visit_status_of(int code)
{
	switch (code) {
	case VW_EINVAL:
	case VW_EUSAGE:
		return 400;
	case VW_EAUTH:
		return 401;
	case VW_EFORBIDDEN:
		return 403;
	case VW_ENOTFOUND:
		return 404;
	case VW_EBUSY:
	case VW_ELIMIT: /* of what is there: of the request itself it is VW_EINVAL, or 413 */
		return 409;
	case VW_EAGAIN:
	case VW_ETIMEOUT:
	case VW_EFULL:
		return 503;
	default:
		return 500;
	}
}

/* What went wrong inside is logged, not told: it may name hosts or tables. */
void visit_refuse(struct visit *v, int status, const char *message)
{
	bool inside = status >= 500;
	v->out->next = NULL;
	v->out->file_name = NULL;
	v->out->live = false;
	visit_begin(v, status, inside ? "the controller cannot do this now" : message);
	if (inside)
		vw_json_put_text(&v->json, status == 503 ? "unavailable" : "internal");
	else
		vw_json_put_null(&v->json);
	visit_end(v);
	if (status == 503)
		v->out->retry_after_s = 1;
	if (inside || status == 401 || status == 403)
		vw_log(inside ? VW_LOG_ERROR : VW_LOG_INFO, inside ? "request_failed" : "request_refused",
		       VW_LOG_S("method", v->request->method), VW_LOG_S("path", v->request->path),
		       VW_LOG_S("peer", v->request->peer), VW_LOG_I("status", status), VW_LOG_S("reason", message));
}

bool visit_enter(struct visit *v, struct quota *quota)
{
	if (quota_enter(quota, v->organization))
		return true;
	visit_refuse(v, 429, "too many exports, verifications or event streams at a time; see Retry-After");
	v->out->retry_after_s = LONG_RETRY_S;
	return false;
}

/* ---- output ---- */

void visit_text(struct visit *v, const char *name, const char *text)
{
	vw_json_key(&v->json, name);
	vw_json_put_text(&v->json, text);
}

void visit_hex(struct visit *v, const char *name, const ProtobufCBinaryData *bytes)
{
	char hex[VW_SHA256_HEX];
	visit_text(v, name, bytes->len == VW_SHA256_SIZE ? vw_hex_encode(bytes->data, bytes->len, hex) : NULL);
}

/* A stream on its way out, and the place that it holds. */
struct held {
	struct visit_stream stream;
	int32_t organization;
};

static int held_next(void *arg, struct vw_buffer *out, struct vw_error *err)
{
	struct held *held = arg;
	return held->stream.next(held->stream.stream, out, err);
}

static void held_close(void *arg)
{
	struct held *held = arg;
	held->stream.close(held->stream.stream);
	quota_leave(held->stream.quota, held->organization);
	free(held);
}

int visit_stream(struct visit *v, const struct visit_stream *stream, struct vw_error *err)
{
	struct held *held = malloc(sizeof(*held));
	if (!held) {
		stream->close(stream->stream);
		quota_leave(stream->quota, v->organization);
		return vw_error_set(err, VW_ENOMEM, "no memory for an answer");
	}
	*held = (struct held){*stream, v->organization};
	v->out->status = 200;
	v->out->content_type = stream->content_type;
	v->out->next = held_next;
	v->out->close = held_close;
	v->out->stream = held;
	return 0;
}

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

/* ---- what several routes look for ---- */

int visit_agent(struct visit *v, vw_agent **out, struct vw_error *err)
{
	int code = vw_agent_id_valid(v->segments[0]) ? vw_fleet_agent_get(v->api->settings.store, v->arena,
									  v->organization, v->segments[0], out, err)
						     : VW_ENOTFOUND;
	return code == VW_ENOTFOUND ? vw_error_set(err, code, "no such agent") : code;
}

/* ---- the trail ---- */

int visit_note(struct visit *v, const char *action, const char *object, const char *text, struct vw_error *err)
{
	vw_controller_event event = VERIFYWISE__V1__CONTROLLER_EVENT__INIT;
	VW_SET(&event, organization, v->organization);
	VW_SET(&event, at, v->now);
	event.actor = v->who.name;
	event.action = (char *)action;
	event.object = (char *)object;
	event.text = (char *)text;
	return vw_fleet_event_put(v->api->settings.store, &event, err);
}
