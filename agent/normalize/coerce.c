#include "coerce.h"

#include "base/limits.h"
#include "base/text.h"
#include "proto/message.h"

#include <string.h>

/* A word of the record and what is taken for it, folded as fold() does. */
struct meaning {
	const char *word;
	const char *spellings[20];
};

static const struct meaning risk[] = {
    {"prohibited", {"prohibited", "unacceptable", "unacceptable_risk", "banned", "forbidden"}},
    {"high", {"high", "high_risk", "high_risk_ai", "high_risk_ai_system", "annex_iii", "annex_3"}},
    {"limited", {"limited", "limited_risk", "transparency_risk"}},
    {"minimal", {"minimal", "minimal_risk", "minimal_or_no_risk", "no_risk"}},
    {NULL, {NULL}},
};

/* From the most to the least sensitive: of several words in one value the first here counts. */
static const struct meaning sensitivity[] = {
    {"special_category",
     {"special_category", "special_categories", "special_category_data", "sensitive_personal_data", "phi", "health",
      "health_data", "biometric", "biometrics", "biometric_data", "genetic", "genetic_data"}},
    {"personal", {"personal", "personal_data", "personal_information", "pii", "true", "yes", "1", "y", "t"}},
    {"confidential", {"confidential", "strictly_confidential", "company_confidential"}},
    {"public", {"public", "public_data", "open_data"}},
    {"none",
     {"none", "false", "no", "0", "n", "f", "no_pii", "non_pii", "non_personal", "not_personal", "no_personal_data"}},
    {NULL, {NULL}},
};

static const struct meaning privacy[] = {
    {"completed",
     {"completed", "complete", "done", "finished", "approved", "passed", "signed_off", "true", "yes", "1", "y"}},
    {"in_progress",
     {"in_progress", "started", "ongoing", "pending", "draft", "open", "in_review", "under_review", "review"}},
    {"missing", {"missing", "none", "no", "false", "0", "n", "not_started", "not_done", "todo", "to_do", "required"}},
    {"not_applicable", {"not_applicable", "n_a", "na", "not_required", "not_needed", "exempt"}},
    {NULL, {NULL}},
};

static const struct meaning deployment[] = {
    {"deployed", {"deployed", "live", "active", "production", "prod", "in_production", "serving", "released"}},
    {"pre_deployment",
     {"pre_deployment", "predeployment", "staging", "staged", "pre_production", "preprod", "canary", "shadow",
      "pilot"}},
    {"retired", {"retired", "archived", "decommissioned", "deprecated", "withdrawn"}},
    {"not_deployed", {"not_deployed", "undeployed", "none", "development", "dev"}},
    {NULL, {NULL}},
};

/* Lower case; whatever is between letters and digits is one '_', and none at the ends. */
static bool fold(const char *text, size_t len, char out[64])
{
	size_t n = 0;
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];
		if (n + 2 > 63)
			return false;
		bool upper = c >= 'A' && c <= 'Z';
		if (upper || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c >= 0x80)
			out[n++] = (char)(upper ? c - 'A' + 'a' : c);
		else if (n > 0 && out[n - 1] != '_')
			out[n++] = '_';
	}
	while (n > 0 && out[n - 1] == '_')
		n--;
	out[n] = '\0';
	return n > 0;
}

static const struct meaning *find(const struct meaning *meanings, const char *text, size_t len)
{
	char folded[64];
	if (!fold(text, len, folded))
		return NULL;
	for (const struct meaning *m = meanings; m->word; m++) {
		for (const char *const *s = m->spellings; *s; s++) {
			if (strcmp(*s, folded) == 0)
				return m;
		}
	}
	return NULL;
}

static const char *find_word(const struct meaning *meanings, const char *text)
{
	const struct meaning *m = find(meanings, text, strlen(text));
	return m ? m->word : NULL;
}

const char *vw_coerce_risk(const char *text)
{
	return find_word(risk, text);
}

const char *vw_coerce_privacy(const char *text)
{
	return find_word(privacy, text);
}

const char *vw_coerce_deployment(const char *text)
{
	return find_word(deployment, text);
}

const char *vw_coerce_sensitivity(const char *text)
{
	const struct meaning *highest = NULL;
	const char *whole = find_word(sensitivity, text);
	if (whole)
		return whole;
	/* "PII, financial": that there are personal data is certain, whatever else there is */
	const char *cut = "[],;/+|'\"";
	for (const char *p = text; *p;) {
		size_t len = strcspn(p, cut);
		const struct meaning *m = find(sensitivity, p, len);
		if (m && (!highest || m < highest))
			highest = m;
		p += len;
		p += strspn(p, cut);
	}
	bool personal = highest && highest <= find(sensitivity, "personal", strlen("personal"));
	return personal ? highest->word : NULL;
}

/* Takes one pair of quotes or brackets off. */
static char *unwrap(struct vw_arena *arena, char *text, const char *open, const char *close)
{
	size_t len = text ? strlen(text) : 0;
	const char *which = len >= 2 ? strchr(open, text[0]) : NULL;
	if (!which || !*which || text[len - 1] != close[which - open])
		return text;
	text[len - 1] = '\0';
	return vw_text_trim(arena, text + 1);
}

char **vw_coerce_list(struct vw_arena *arena, const char *text, size_t *out_count)
{
	size_t count = 0, most = 1;
	char *list = unwrap(arena, vw_text_trim(arena, text), "[({", "])}");
	for (const char *p = list ? list : ""; *p; p++)
		most += *p == ',' || *p == ';';
	char **items = vw_arena_array(arena, most, sizeof(*items));
	for (char *p = list, *rest = NULL; items && p && count < VW_MAX_ENTRIES; p = rest) {
		size_t len = strcspn(p, ",;");
		rest = p[len] ? p + len + 1 : NULL;
		p[len] = '\0';
		char *item = unwrap(arena, vw_text_trim(arena, p), "'\"", "'\"");
		if (item)
			items[count++] = item;
	}
	if (items)
		vw_texts_sort(items, &count);
	*out_count = count;
	return items;
}
