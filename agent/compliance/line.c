/* Where in the file an entry of a list begins. */
#include "schema.h"

#include <stdbool.h>
#include <string.h>
#include <yaml.h>

/* A walk over the events: inside the list `list`, each entry that begins at its own level is counted. */
struct search {
	const char *list;
	size_t index;
	int depth;        /* 1 inside the document's mapping, 2 inside the list */
	bool key_is_next; /* at depth 1: keys and values take turns */
	bool inside;
	size_t seen;
	unsigned line;
};

static void enter(struct search *search, const yaml_event_t *event)
{
	if (search->depth == 2 && search->inside && search->seen++ == search->index)
		search->line = (unsigned)event->start_mark.line + 1;
}

static void scalar(struct search *search, const yaml_event_t *event)
{
	if (search->depth == 1 && search->key_is_next)
		search->inside = strcmp((const char *)event->data.scalar.value, search->list) == 0;
	if (search->depth == 1)
		search->key_is_next = !search->key_is_next;
	enter(search, event);
}

static void step(struct search *search, const yaml_event_t *event)
{
	switch (event->type) {
	case YAML_SCALAR_EVENT:
		scalar(search, event);
		break;
	case YAML_MAPPING_START_EVENT:
	case YAML_SEQUENCE_START_EVENT:
		enter(search, event);
		search->depth++;
		break;
	case YAML_MAPPING_END_EVENT:
	case YAML_SEQUENCE_END_EVENT:
		search->depth--;
		if (search->depth == 1)
			search->key_is_next = true;
		break;
	default:
		break;
	}
}

unsigned vw_policy_line(const char *bytes, size_t len, const char *list, size_t index)
{
	struct search search = {.list = list, .index = index, .key_is_next = true};
	yaml_parser_t parser;
	bool ended = false;

	if (!yaml_parser_initialize(&parser))
		return 0;
	yaml_parser_set_input_string(&parser, (const unsigned char *)bytes, len);
	while (!ended && search.line == 0) {
		yaml_event_t event;
		if (!yaml_parser_parse(&parser, &event))
			break;
		step(&search, &event);
		ended = event.type == YAML_STREAM_END_EVENT;
		yaml_event_delete(&event);
	}
	yaml_parser_delete(&parser);
	return search.line;
}
