/* Bounded regular expressions by PCRE2, globs by fnmatch. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "base/pattern.h"

#include "base/limits.h"

#include <ctype.h>
#include <fnmatch.h>
#include <pcre2.h>
#include <stdlib.h>
#include <string.h>

/* What one call has cost so far. */
struct cost {
	size_t total;
	size_t position; /* where the previous item began */
};

struct vw_pattern {
	pcre2_code *code;
	pcre2_match_context *limits;
	pcre2_match_data *found; /* of the latest match */
	struct cost *cost;       /* of the latest call; as `found` it is what a const pattern writes to */
};

enum { ITEM_COST = 10 }; /* going from item to item takes as long as some ten characters within one */

/* PCRE2's own limits hold for one starting position and do not see how far a single item runs, so that within them a
 * long text can take quadratic time. This is called between any two items of a pattern and adds up what was done:
 * unlike a clock it gives the same answer everywhere. */
static int count_cost(pcre2_callout_block *block, void *data)
{
	struct cost *cost = data;

	if (block->callout_flags & PCRE2_CALLOUT_STARTMATCH)
		cost->position = block->start_match;
	cost->total += ITEM_COST;
	if (block->current_position > cost->position)
		cost->total += block->current_position - cost->position;
	cost->position = block->current_position;
	return cost->total > VW_PATTERN_COST_LIMIT ? PCRE2_ERROR_CALLOUT : 0;
}

/* Skips a bracket expression: `p` stands behind its '['. */
static const char *skip_class(const char *p)
{
	if (*p == '^')
		p++;
	if (*p == ']')
		p++;
	while (*p && *p != ']') {
		size_t word = p[0] == '[' && p[1] == ':' ? 2 + strspn(p + 2, "^abcdefghijklmnopqrstuvwxyz") : 0;
		if (*p == '\\' && p[1])
			p += 2;
		else if (word && p[word] == ':' && p[word + 1] == ']')
			p += word + 2;
		else
			p++;
	}
	return *p ? p + 1 : p;
}

/* What a group is that begins with the text behind its '(', if it is one of those we refuse. */
static const char *refused_group(const char *p)
{
	if (*p == '*')
		return "a verb";
	if (*p++ != '?')
		return NULL;
	if (*p == '=' || *p == '!' || (*p == '<' && (p[1] == '=' || p[1] == '!')) || *p == '*')
		return "a look-around";
	if (*p == '<' && p[1] == '*')
		return "a look-around";
	if (*p == 'R' || *p == '&' || *p == '+' || isdigit((unsigned char)*p) || (*p == 'P' && p[1] == '>') ||
	    (*p == '-' && isdigit((unsigned char)p[1])))
		return "a recursion";
	if (*p == 'C')
		return "a callout";
	if (*p == '(')
		return "a condition";
	/* both could hide brackets from this look */
	if (*p == '#' || memchr(p, 'x', strspn(p, "^-imnsxJU")))
		return "a comment";
	return NULL;
}

/* PCRE2 cannot be told to refuse these, nor does it say afterwards that it found one. NULL for a good pattern;
 * otherwise its name, and where it stands. */
static const char *refused_construct(const char *text, size_t *out_offset)
{
	for (const char *p = text; *p;) {
		const char *refused = NULL;
		*out_offset = (size_t)(p - text);
		if (p[0] == '\\' && p[1] == 'Q') {
			const char *close = strstr(p, "\\E");
			if (!close)
				return NULL;
			p = close + 2;
		} else if (p[0] == '\\' && p[1]) {
			if (p[1] == 'g' && (p[2] == '<' || p[2] == '\''))
				return "a recursion";
			p += 2;
		} else if (*p == '[') {
			p = skip_class(p + 1);
		} else {
			if (*p == '(')
				refused = refused_group(p + 1);
			p++;
		}
		if (refused)
			return refused;
	}
	return NULL;
}

static int compile(const char *text, pcre2_code **out, struct vw_error *err)
{
	uint32_t options = PCRE2_UTF | PCRE2_MATCH_INVALID_UTF | PCRE2_NEVER_BACKSLASH_C | PCRE2_AUTO_CALLOUT;
	int code = 0;
	size_t offset = 0;
	PCRE2_UCHAR message[256];

	if (strlen(text) > VW_MAX_PATTERN)
		return vw_error_set(err, VW_ELIMIT, "a pattern has more than %d bytes (VW_MAX_PATTERN)",
				    VW_MAX_PATTERN);
	const char *refused = refused_construct(text, &offset);
	if (refused)
		return vw_error_set(err, VW_ECONFIG, "pattern '%s': at offset %zu: %s is not allowed here", text,
				    offset, refused);
	*out = pcre2_compile((PCRE2_SPTR)text, PCRE2_ZERO_TERMINATED, options, &code, &offset, NULL);
	if (*out)
		return 0;
	pcre2_get_error_message(code, message, sizeof(message));
	return vw_error_set(err, VW_ECONFIG, "pattern '%s': at offset %zu: %s", text, offset, (const char *)message);
}

static bool has_back_reference(const pcre2_code *code)
{
	uint32_t highest = 0;

	pcre2_pattern_info(code, PCRE2_INFO_BACKREFMAX, &highest);
	return highest > 0;
}

static int prepare(struct vw_pattern *p, struct vw_error *err)
{
	p->limits = pcre2_match_context_create(NULL);
	p->found = pcre2_match_data_create(1, NULL);
	p->cost = calloc(1, sizeof(*p->cost));
	if (!p->limits || !p->found || !p->cost)
		return vw_error_set(err, VW_ENOMEM, "no memory for a pattern");
	pcre2_set_match_limit(p->limits, VW_PATTERN_MATCH_LIMIT);
	pcre2_set_depth_limit(p->limits, VW_PATTERN_DEPTH_LIMIT);
	pcre2_set_heap_limit(p->limits, VW_PATTERN_HEAP_KIB);
	pcre2_set_callout(p->limits, count_cost, p->cost);
	return 0;
}

int vw_pattern_open(const char *text, struct vw_pattern **out, struct vw_error *err)
{
	struct vw_pattern *p = calloc(1, sizeof(*p));

	if (!p)
		return vw_error_set(err, VW_ENOMEM, "no memory for a pattern");
	int code = compile(text, &p->code, err);
	if (!code && has_back_reference(p->code))
		code = vw_error_set(err, VW_ECONFIG, "pattern '%s': a back-reference is not allowed here", text);
	if (!code)
		code = prepare(p, err);
	if (code) {
		vw_pattern_close(p);
		return code;
	}
	*out = p;
	return 0;
}

void vw_pattern_close(struct vw_pattern *p)
{
	if (!p)
		return;
	free(p->cost);
	pcre2_match_data_free(p->found);
	pcre2_match_context_free(p->limits);
	pcre2_code_free(p->code);
	free(p);
}

static int match_at(const struct vw_pattern *p, const char *text, size_t len, size_t start, uint32_t options)
{
	int rc = pcre2_match(p->code, (PCRE2_SPTR)text, len, start, options, p->found, p->limits);

	if (rc >= 0)
		return 1;
	return rc == PCRE2_ERROR_NOMATCH ? 0 : VW_ELIMIT;
}

int vw_pattern_match(const struct vw_pattern *p, const char *text)
{
	p->cost->total = 0;
	return match_at(p, text, strlen(text), 0, 0);
}

int vw_pattern_mask(const struct vw_pattern *p, const char *text, const char *mask, struct vw_buffer *out)
{
	const size_t *found = pcre2_get_ovector_pointer(p->found);
	size_t before = out->len, len = strlen(text), done = 0;
	int count = 0, rc;

	p->cost->total = 0;
	/* an empty match hides nothing */
	while ((rc = match_at(p, text, len, done, PCRE2_NOTEMPTY)) == 1) {
		vw_buffer_append(out, text + done, found[0] - done);
		vw_buffer_puts(out, mask);
		done = found[1];
		count++;
	}
	if (rc < 0) {
		out->len = before;
		vw_buffer_puts(out, mask);
		return rc;
	}
	vw_buffer_append(out, text + done, len - done);
	return count;
}

bool vw_glob_match(const char *glob, const char *text)
{
	return fnmatch(glob, text, 0) == 0;
}
