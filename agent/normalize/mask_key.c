/* Is a key one of a secret? By whole words, because "token" means two things to people who train models. */
#include "mask_text.h"

#include "base/text.h"

#include <string.h>
#include <strings.h>

#define WORDS_MAX 32
#define WORD_MAX  24 /* bytes with the zero; longer words are cut, none of ours is longer */

struct words {
	char items[WORDS_MAX][WORD_MAX];
	size_t count;
};

/* One or two words in a row that make a key a secret's. */
static const struct {
	const char *first;
	const char *second;
	const char *kind;
} secrets[] = {
    {"password", NULL, "password"},
    {"passwd", NULL, "password"},
    {"passphrase", NULL, "password"},
    {"pwd", NULL, "password"},
    {"secret", NULL, "secret"},
    {"secrets", NULL, "secret"},
    {"token", NULL, "token"},
    {"api", "key", "api_key"},
    {"apikey", NULL, "api_key"},
    {"access", "key", "access_key"},
    {"accesskey", NULL, "access_key"},
    {"account", "key", "access_key"},
    {"accountkey", NULL, "access_key"},
    {"credential", NULL, "credential"},
    {"credentials", NULL, "credential"},
    {"private", "key", "private_key"},
    {"privatekey", NULL, "private_key"},
    {"connection", "string", "connection_string"},
    {"connectionstring", NULL, "connection_string"},
    {"conn", "string", "connection_string"},
    {"conn", "str", "connection_string"},
    {"authorization", NULL, "authorization"},
};

/* Words written together: "dbpassword", "hftoken". */
static const struct {
	const char *end;
	const char *kind;
} endings[] = {
    {"password", "password"},  {"passwd", "password"},    {"clientsecret", "secret"}, {"appsecret", "secret"},
    {"accesstoken", "token"},  {"authtoken", "token"},    {"apitoken", "token"},      {"hftoken", "token"},
    {"refreshtoken", "token"}, {"sessiontoken", "token"}, {"bearertoken", "token"},   {"secretkey", "secret"},
};

/* Behind the word: then the value is about a secret, and is none. */
static const char *const descriptions[] = {
    "age",      "backend",  "col",      "column",     "columns",  "count",  "counts",  "dir",      "embedding",
    "enabled",  "endpoint", "env",      "expiration", "expires",  "expiry", "feature", "features", "field",
    "fields",   "file",     "index",    "kind",       "len",      "length", "level",   "limit",    "limits",
    "manager",  "max",      "min",      "name",       "names",    "path",   "pattern", "policy",   "present",
    "provider", "regex",    "required", "reset",      "rotation", "scope",  "size",    "strength", "ttl",
    "type",     "types",    "uri",      "url",        "var",
};

/* In front of any: how many there are, or may be. */
static const char *const amounts[] = {"count", "max", "min", "n", "num", "number", "total"};

/* In front of "token": a piece of text, not a credential. */
static const char *const text_tokens[] = {
    "additional", "answer", "audio",     "average", "avg",         "begin",   "bos",     "by",
    "byte",       "char",   "class",     "cls",     "completion",  "context", "decoder", "distillation",
    "document",   "each",   "empty",     "encoder", "end",         "eod",     "eos",     "eot",
    "fill",       "first",  "image",     "input",   "instruction", "label",   "last",    "mask",
    "mean",       "new",    "next",      "oov",     "output",      "pad",     "padding", "per",
    "pooling",    "pre",    "prefix",    "prev",    "previous",    "prompt",  "query",   "question",
    "register",   "sep",    "separator", "single",  "source",      "special", "src",     "start",
    "stop",       "sub",    "suffix",    "target",  "text",        "tgt",     "think",   "thinking",
    "trigger",    "unique", "unk",       "unknown", "video",       "visual",  "word",
};

/* Behind "token", all that may follow when it is a credential. */
static const char *const token_ends[] = {"value", "string", "key", "secret"};

#define ENDING_MIN 6 /* the shortest of `endings` */

#define HAS(list, word) has((list), sizeof(list) / sizeof((list)[0]), (word))

static bool has(const char *const *list, size_t count, const char *word)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(list[i], word) == 0)
			return true;
	}
	return false;
}

static bool is_upper(char c)
{
	return c >= 'A' && c <= 'Z';
}

static bool is_lower(char c)
{
	return c >= 'a' && c <= 'z';
}

/* Between "hf" and "Token" in "hfToken", between "HF" and "Token" in "HFToken". */
static bool begins_word(const char *key, size_t len, size_t i)
{
	if (i == 0 || !is_upper(key[i]))
		return false;
	return is_lower(key[i - 1]) || (is_upper(key[i - 1]) && i + 1 < len && is_lower(key[i + 1]));
}

static void split(const char *key, size_t len, struct words *out)
{
	size_t n = 0; /* letters of the word that is being read */
	out->count = 0;
	for (size_t i = 0; i < len; i++) {
		bool letter = is_upper(key[i]) || is_lower(key[i]);
		if (n > 0 && (!letter || begins_word(key, len, i))) {
			out->items[out->count++][n] = '\0';
			n = 0;
		}
		if (out->count == WORDS_MAX)
			return;
		if (letter && n + 1 < WORD_MAX)
			out->items[out->count][n++] = (char)(is_upper(key[i]) ? key[i] - 'A' + 'a' : key[i]);
	}
	if (n > 0)
		out->items[out->count++][n] = '\0';
}

/* The words [begin, end) say `kind`; do the others say otherwise? */
static bool is_about(const struct words *words, size_t begin, size_t end, const char *kind)
{
	bool token = strcmp(kind, "token") == 0;
	const char *before = begin > 0 ? words->items[begin - 1] : "";
	if (HAS(amounts, before) || (token && HAS(text_tokens, before)))
		return true;
	for (size_t i = end; i < words->count; i++) {
		if (HAS(descriptions, words->items[i]) || (token && !HAS(token_ends, words->items[i])))
			return true;
	}
	return false;
}

static const char *kind_at(const struct words *words, size_t i, size_t *out_end)
{
	const char *word = words->items[i];
	const char *next = i + 1 < words->count ? words->items[i + 1] : "";
	/* PWD alone is the working directory */
	if (words->count == 1 && strcmp(word, "pwd") == 0)
		return NULL;
	for (size_t s = 0; s < sizeof(secrets) / sizeof(secrets[0]); s++) {
		if (secrets[s].first[0] != word[0])
			continue;
		const char *second = secrets[s].second;
		if (strcmp(secrets[s].first, word) == 0 && (!second || strcmp(second, next) == 0)) {
			*out_end = i + (second ? 2 : 1);
			return secrets[s].kind;
		}
	}
	*out_end = i + 1;
	size_t len = strlen(word);
	for (size_t e = 0; len > ENDING_MIN && e < sizeof(endings) / sizeof(endings[0]); e++) {
		size_t end = strlen(endings[e].end);
		if (len >= end && strcmp(word + len - end, endings[e].end) == 0)
			return endings[e].kind;
	}
	return NULL;
}

const char *vw_secret_key_kind(const char *key, size_t len)
{
	struct words words;
	size_t end;
	split(key, len, &words);
	for (size_t i = 0; i < words.count; i++) {
		const char *kind = kind_at(&words, i, &end);
		if (kind && !is_about(&words, i, end, kind))
			return kind;
	}
	return NULL;
}

static bool is_word_of(const char *const *list, size_t count, const char *value, size_t len)
{
	for (size_t i = 0; i < count; i++) {
		if (strlen(list[i]) == len && strncasecmp(list[i], value, len) == 0)
			return true;
	}
	return false;
}

static bool is_number(const char *value, size_t len)
{
	size_t i = 0;
	while (i < len && strchr("0123456789+-.eE_", value[i]))
		i++;
	return i == len;
}

bool vw_secret_value_harmless(const char *kind, const char *value, size_t len)
{
	static const char *const truths[] = {"true", "false", "yes", "no",        "none",
					     "null", "nil",   "n/a", "undefined", "unset"};
	bool token = strcmp(kind, "token") == 0;
	if (len == 0 || strspn(value, "* ") >= len || vw_mask_length(value) == len)
		return true;
	if (is_word_of(truths, sizeof(truths) / sizeof(truths[0]), value, len))
		return true;
	/* ${NAME}, {{secrets/scope/key}}: where it is, not what it is */
	bool braces = value[len - 1] == '}' && (strncmp(value, "${", 2) == 0 || strncmp(value, "{{", 2) == 0);
	if (braces && !memchr(value, '}', len - (value[0] == '$' ? 1 : 2)))
		return true;
	if (!token)
		return false;
	/* a count, or "[PAD]" and "</s>" */
	bool bracketed = (value[0] == '[' && value[len - 1] == ']') || (value[0] == '<' && value[len - 1] == '>');
	return is_number(value, len) || (bracketed && len <= 24);
}
