/* A look at libyaml's events, before and after libcyaml's. */
#include "yaml_event.h"

#include <stdbool.h>
#include <string.h>
#include <yaml.h>

enum { MAX_DEPTH = 64 }; /* levels of a document; ours need far less */

static int depth_change(yaml_event_type_t type)
{
	if (type == YAML_SEQUENCE_START_EVENT || type == YAML_MAPPING_START_EVENT)
		return 1;
	return type == YAML_SEQUENCE_END_EVENT || type == YAML_MAPPING_END_EVENT ? -1 : 0;
}

/* ---- Before ---- */

static int refuse(const yaml_mark_t *mark, const char *name, const char *why, struct vw_error *err)
{
	return vw_error_set(err, VW_ECONFIG, "%s:%zu:%zu: %s", name, mark->line + 1, mark->column + 1, why);
}

static int refuse_problem(const yaml_parser_t *parser, const char *bytes, size_t len, const char *name,
			  struct vw_error *err)
{
	yaml_mark_t mark = parser->problem_mark;

	if (parser->error == YAML_MEMORY_ERROR)
		return vw_error_set(err, VW_ENOMEM, "%s: no memory to read it", name);
	if (parser->error == YAML_READER_ERROR) { /* ill-formed characters come with an offset alone */
		mark = (yaml_mark_t){.line = 0};
		for (size_t i = 0; i < parser->problem_offset && i < len; i++) {
			mark.column = bytes[i] == '\n' ? 0 : mark.column + 1;
			mark.line += bytes[i] == '\n' ? 1 : 0;
		}
	}
	return refuse(&mark, name, parser->problem ? parser->problem : "not YAML", err);
}

static int check_event(const yaml_event_t *event, const char *name, int *depth, int *documents, struct vw_error *err)
{
	const char *why = NULL;

	*depth += depth_change(event->type);
	if (*depth > MAX_DEPTH)
		why = "too many levels";
	else if (event->type == YAML_ALIAS_EVENT)
		why = "aliases are not allowed";
	else if (event->type == YAML_DOCUMENT_START_EVENT && ++*documents > 1)
		why = "a second document begins, but only one is allowed";
	else if (event->type == YAML_SCALAR_EVENT && memchr(event->data.scalar.value, 0, event->data.scalar.length))
		why = "a text holds a zero byte";
	return why ? refuse(&event->start_mark, name, why, err) : 0;
}

static int check_events(yaml_parser_t *parser, const char *bytes, size_t len, const char *name, int *out_documents,
			struct vw_error *err)
{
	int depth = 0, documents = 0, code = 0;
	yaml_event_type_t type;

	do {
		yaml_event_t event;
		if (!yaml_parser_parse(parser, &event))
			return refuse_problem(parser, bytes, len, name, err);
		type = event.type;
		code = check_event(&event, name, &depth, &documents, err);
		yaml_event_delete(&event);
	} while (!code && type != YAML_STREAM_END_EVENT);
	if (!code)
		*out_documents = documents;
	return code;
}

int yaml_check(const char *bytes, size_t len, const char *name, int *out_documents, struct vw_error *err)
{
	yaml_parser_t parser;

	if (!yaml_parser_initialize(&parser))
		return vw_error_set(err, VW_ENOMEM, "%s: no memory to read it", name);
	yaml_parser_set_input_string(&parser, (const unsigned char *)bytes, len);
	int code = check_events(&parser, bytes, len, name, out_documents, err);
	yaml_parser_delete(&parser);
	return code;
}

/* ---- After ---- */

struct key_search {
	const struct yaml_place *after;
	const char *key;
	int events; /* since the place was reached */
	int depth;  /* relative to it */
};

static bool is_reached(const struct key_search *search, const yaml_mark_t *mark)
{
	size_t line = mark->line + 1;
	return line > search->after->line ||
	       (line == search->after->line && mark->column + 1 >= search->after->column);
}

/* True when the event is the key. */
static bool step(struct key_search *search, const yaml_event_t *event)
{
	if (search->events == 0 && (event->type < YAML_SCALAR_EVENT || !is_reached(search, &event->start_mark)))
		return false;
	bool first_inside = search->events == 1 && search->depth == 1;
	bool candidate = event->type == YAML_SCALAR_EVENT && (first_inside || (search->depth == 0 && search->events));
	search->events++;
	search->depth += depth_change(event->type);
	return candidate && strcmp((const char *)event->data.scalar.value, search->key) == 0;
}

static unsigned search_events(yaml_parser_t *parser, struct key_search *search)
{
	unsigned line = 0;
	yaml_event_type_t type;

	do {
		yaml_event_t event;
		if (!yaml_parser_parse(parser, &event))
			break;
		type = event.type;
		if (step(search, &event))
			line = (unsigned)event.start_mark.line + 1;
		yaml_event_delete(&event);
	} while (line == 0 && type != YAML_STREAM_END_EVENT);
	return line ? line : search->after->line;
}

unsigned yaml_key_line(const char *bytes, size_t len, const struct yaml_place *after, const char *key)
{
	struct key_search search = {.after = after, .key = key};
	yaml_parser_t parser;

	if (!yaml_parser_initialize(&parser))
		return after->line;
	yaml_parser_set_input_string(&parser, (const unsigned char *)bytes, len);
	unsigned line = search_events(&parser, &search);
	yaml_parser_delete(&parser);
	return line;
}
