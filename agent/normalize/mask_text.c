/* Secrets in the middle of text: the shapes of known keys, "password=…", user info in URLs. */
#include "mask_text.h"

#include <stdint.h>
#include <string.h>
#include <strings.h>

#define DIGITS "0123456789"
#define LOWER  "abcdefghijklmnopqrstuvwxyz"
#define UPPER  "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define ALNUM  DIGITS LOWER UPPER

#define BARE_ENDS  " \t\r\n,;&\"'<>()[]{}" /* where a value without quotes ends */
#define VALUE_LOOK ((size_t)512) /* bytes of a value that are looked at, so that no text takes quadratic time */

/* A secret in the text: the bytes [begin, end). */
struct hit {
	size_t begin;
	size_t end;
	const char *kind;
};

/* Text from `floor` on; what is before was decided already. */
struct scan {
	const char *text;
	size_t len;
	size_t floor;
};

size_t vw_mask_length(const char *text)
{
	size_t begin = strlen(VW_MASK_BEGIN);
	if (strncmp(text, VW_MASK_BEGIN, begin) != 0)
		return 0;
	size_t kind = strspn(text + begin, LOWER DIGITS "_");
	bool closed = kind > 0 && strncmp(text + begin + kind, VW_MASK_END, strlen(VW_MASK_END)) == 0;
	return closed ? begin + kind + strlen(VW_MASK_END) : 0;
}

void vw_mask_append(struct vw_buffer *out, const char *kind)
{
	vw_buffer_puts(out, VW_MASK_BEGIN);
	vw_buffer_puts(out, kind);
	vw_buffer_puts(out, VW_MASK_END);
}

static bool is_one_of(char c, const char *set)
{
	return c && strchr(set, c);
}

/* ---- Keys by their shape ---- */

/* What the providers say their keys look like. `least` counts the characters behind the prefix. */
static const struct shape {
	const char *prefix;
	const char *set;
	size_t least;
	size_t most;
	const char *kind;
} shapes[] = {
    {"AKIA", UPPER DIGITS, 16, 16, "aws_access_key"},
    {"ASIA", UPPER DIGITS, 16, 16, "aws_access_key"},
    {"AIza", ALNUM "_-", 35, 35, "google_api_key"},
    {"GOCSPX-", ALNUM "_-", 24, 40, "google_client_secret"},
    {"ghp_", ALNUM, 36, 255, "github_token"},
    {"gho_", ALNUM, 36, 255, "github_token"},
    {"ghu_", ALNUM, 36, 255, "github_token"},
    {"ghs_", ALNUM, 36, 255, "github_token"},
    {"ghr_", ALNUM, 36, 255, "github_token"},
    {"github_pat_", ALNUM "_", 22, 255, "github_token"},
    {"glpat-", ALNUM "_-", 20, 255, "gitlab_token"},
    {"xoxa-", ALNUM "-", 10, 255, "slack_token"},
    {"xoxb-", ALNUM "-", 10, 255, "slack_token"},
    {"xoxe-", ALNUM "-", 10, 255, "slack_token"},
    {"xoxp-", ALNUM "-", 10, 255, "slack_token"},
    {"xoxr-", ALNUM "-", 10, 255, "slack_token"},
    {"xoxs-", ALNUM "-", 10, 255, "slack_token"},
    {"hf_", ALNUM, 30, 60, "huggingface_token"},
    {"dapi", DIGITS "abcdef", 32, 32, "databricks_token"},
    {"sk-", ALNUM "_-", 40, 255, "api_key"},
};

static bool has_digit(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (is_one_of(text[i], DIGITS))
			return true;
	}
	return false;
}

static bool find_shape(const struct scan *s, size_t at, struct hit *out)
{
	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
		const struct shape *shape = &shapes[i];
		size_t prefix = strlen(shape->prefix);
		if (shape->prefix[0] != s->text[at] || strncmp(s->text + at, shape->prefix, prefix) != 0)
			continue;
		size_t len = strspn(s->text + at + prefix, shape->set);
		if (len < shape->least || len > shape->most || is_one_of(s->text[at + prefix + len], ALNUM "_"))
			continue;
		/* "sk-learn-pipeline-with-a-very-long-name" is none */
		if (strcmp(shape->prefix, "sk-") == 0 && !has_digit(s->text + at + prefix, len))
			continue;
		*out = (struct hit){at, at + prefix + len, shape->kind};
		return true;
	}
	return false;
}

/* Three or five base64url parts with dots between; "eyJ" is the beginning of a JSON object. */
static bool find_jwt(const struct scan *s, size_t at, struct hit *out)
{
	size_t end = at, parts = 0;
	bool begins = at == s->floor || s->text[at - 1] != '-';
	if (!begins || strncmp(s->text + at, "eyJ", 3) != 0)
		return false;
	for (;;) {
		size_t len = strspn(s->text + end, ALNUM "_-");
		if (parts < 2 && len < 8)
			return false;
		end += len;
		parts++;
		if (s->text[end] != '.' || parts == 5)
			break;
		end++;
	}
	*out = (struct hit){at, end, "jwt"};
	return parts >= 3;
}

/* From "-----BEGIN … PRIVATE KEY" to the end of its END line, or of the text. */
static bool find_pem(const struct scan *s, size_t at, struct hit *out)
{
	static const char begin[] = "-----BEGIN ", end[] = "-----END ", what[] = "PRIVATE KEY";
	if (strncmp(s->text + at, begin, sizeof(begin) - 1) != 0)
		return false;
	const char *label = s->text + at + sizeof(begin) - 1;
	size_t len = strspn(label, UPPER DIGITS " ");
	if (len < sizeof(what) - 1 || !memmem(label, len, what, sizeof(what) - 1))
		return false;
	const char *close = strstr(label, end);
	size_t stop = s->len;
	if (close) {
		close += sizeof(end) - 1;
		close += strspn(close, UPPER DIGITS " ");
		close += strspn(close, "-");
		stop = (size_t)(close - s->text);
	}
	*out = (struct hit){at, stop, "private_key"};
	return true;
}

static bool find_bearer(const struct scan *s, size_t at, struct hit *out)
{
	if (strncasecmp(s->text + at, "bearer ", 7) != 0)
		return false;
	size_t begin = at + 7;
	if (find_jwt(s, begin, out))
		return true;
	size_t len = strspn(s->text + begin, ALNUM "-._~+/=");
	*out = (struct hit){begin, begin + len, "token"};
	return len >= 20 && has_digit(s->text + begin, len);
}

/* ---- user:password@ in a URL ---- */

/* `at` stands on "://". Of http URLs all user info is masked, for tokens are given as users there; elsewhere what has a
 * password: a user alone is a container in abfss:// and "git" in ssh://. */
static bool find_user_info(const struct scan *s, size_t at, struct hit *out)
{
	if (strncmp(s->text + at, "://", 3) != 0)
		return false;
	size_t begin = at + 3;
	size_t len = strcspn(s->text + begin, "/?# \t\r\n\"'<>");
	const char *user = s->text + begin;
	const char *end = memrchr(user, '@', len);
	size_t scheme = at;
	while (scheme > s->floor && is_one_of(s->text[scheme - 1], ALNUM "+-."))
		scheme--;
	size_t scheme_len = at - scheme;
	bool http = scheme_len >= 4 && (strncasecmp(s->text + at - 4, "http", 4) == 0 ||
					(scheme_len >= 5 && strncasecmp(s->text + at - 5, "https", 5) == 0));
	if (!end || end == user || vw_mask_length(user) == (size_t)(end - user))
		return false;
	*out = (struct hit){begin, (size_t)(end - s->text), "user_info"};
	return http || memchr(user, ':', (size_t)(end - user));
}

/* ---- key=value, "key": "value", --key value ---- */

/* What a credential looks like where a word could stand: long, in one piece, with digits. */
static bool looks_random(const char *value, size_t len)
{
	return len >= 16 && !memchr(value, ' ', len) && has_digit(value, len);
}

struct value {
	size_t begin;
	size_t end;
	bool quoted;
};

/* Between quotes, which in JSON within JSON have backslashes; or a bare word. At most VALUE_LOOK bytes of it. */
static struct value read_value(const struct scan *s, size_t at)
{
	size_t most = at + VALUE_LOOK < s->len ? at + VALUE_LOOK : s->len;
	bool escaped = s->text[at] == '\\' && is_one_of(s->text[at + 1], "\"'");
	size_t i = at + escaped;
	struct value value = {at, at, is_one_of(s->text[i], "\"'")};
	if (!value.quoted) {
		while (value.end < most && !is_one_of(s->text[value.end], BARE_ENDS))
			value.end++;
		return value;
	}
	char quote = s->text[i++];
	value.begin = i;
	for (; i < most && s->text[i] != quote; i++) {
		if (s->text[i] != '\\')
			continue;
		if (escaped && s->text[i + 1] == quote)
			break;
		i += i + 1 < most;
	}
	value.end = i;
	return value;
}

/* The key that ends before `end`, without quotes and spaces around; its length. */
static size_t key_before(const struct scan *s, size_t end, size_t *out_begin)
{
	while (end > s->floor && s->text[end - 1] == ' ')
		end--;
	if (end > s->floor && is_one_of(s->text[end - 1], "\"'"))
		end--;
	if (end > s->floor && s->text[end - 1] == '\\')
		end--;
	size_t begin = end;
	while (begin > s->floor && is_one_of(s->text[begin - 1], ALNUM "_-."))
		begin--;
	*out_begin = begin;
	return end - begin;
}

static const char *kind_of_parameter(const struct scan *s, size_t begin, size_t len)
{
	const char *key = s->text + begin;
	char before = begin > s->floor ? s->text[begin - 1] : '\0';
	bool signature = (len == 3 && strncasecmp(key, "sig", 3) == 0) ||
			 (len >= 9 && strncasecmp(key + len - 9, "signature", 9) == 0);
	if (signature && is_one_of(before, "?&"))
		return "signature";
	/* of a connection string: "Uid=sa;Pwd=…" */
	if (before == ';' && len == 3 && strncasecmp(key, "pwd", 3) == 0)
		return "password";
	return vw_secret_key_kind(key, len);
}

/* In prose "password: required to log in" is no password; a line's only word or one with digits may be. */
static bool is_prose(const struct scan *s, const struct value *value)
{
	size_t len = value->end - value->begin;
	size_t rest = value->end + strspn(s->text + value->end, " \t");
	bool alone = !s->text[rest] || is_one_of(s->text[rest], "\r\n,;}");
	return !alone && !(len >= 6 && has_digit(s->text + value->begin, len));
}

static bool judge_value(const struct scan *s, const char *kind, size_t at, bool colon, struct hit *out)
{
	bool spaced = s->text[at] == ' ';
	struct value value = read_value(s, at + strspn(s->text + at, " "));
	const char *text = s->text + value.begin;
	size_t len = value.end - value.begin;
	if (vw_mask_length(text) > 0 || vw_secret_value_harmless(kind, text, len))
		return false;
	if (strcmp(kind, "token") == 0 && !looks_random(text, len))
		return false;
	if (colon && spaced && !value.quoted && is_prose(s, &value))
		return false;
	/* of a very long one, all */
	if (len == VALUE_LOOK)
		value.end += strcspn(s->text + value.end, value.quoted ? "\"'" : BARE_ENDS);
	*out = (struct hit){value.begin, value.end, kind};
	return true;
}

/* `at` stands on '=' or ':'. */
static bool find_assignment(const struct scan *s, size_t at, struct hit *out)
{
	size_t key;
	size_t len = key_before(s, at, &key);
	if (len == 0 || len > 128 || s->text[at + 1] == '=' || strncmp(s->text + at, "://", 3) == 0)
		return false;
	const char *kind = kind_of_parameter(s, key, len);
	return kind && judge_value(s, kind, at + 1, s->text[at] == ':', out);
}

/* `at` stands on "--". */
static bool find_argument(const struct scan *s, size_t at, struct hit *out)
{
	bool begins = at == s->floor || s->text[at - 1] != '-';
	if (!begins || strncmp(s->text + at, "--", 2) != 0)
		return false;
	size_t len = strspn(s->text + at + 2, ALNUM "_-");
	size_t space = at + 2 + len;
	if (len == 0 || len > 128 || s->text[space] != ' ')
		return false;
	const char *kind = vw_secret_key_kind(s->text + at + 2, len);
	return kind && s->text[space + 1] != '-' && judge_value(s, kind, space, false, out);
}

/* ---- The walk ---- */

static bool word_begins(const struct scan *s, size_t at)
{
	return at == s->floor || !is_one_of(s->text[at - 1], ALNUM "_");
}

/* What can begin at this character; most can begin nothing, which is why masking costs little. */
static bool find(const struct scan *s, size_t at, struct hit *out)
{
	switch (s->text[at]) {
	case ':':
		return find_user_info(s, at, out) || find_assignment(s, at, out);
	case '=':
		return find_assignment(s, at, out);
	case '-':
		return find_pem(s, at, out) || find_argument(s, at, out);
	case 'e':
		return word_begins(s, at) && find_jwt(s, at, out);
	case 'B':
	case 'b':
		return word_begins(s, at) && find_bearer(s, at, out);
	case 'A':
	case 'G':
	case 'd':
	case 'g':
	case 'h':
	case 's':
	case 'x':
		return word_begins(s, at) && find_shape(s, at, out);
	default:
		return false;
	}
}

size_t vw_mask_secrets(const char *text, struct vw_buffer *out)
{
	struct scan s = {text, strlen(text), 0};
	size_t done = 0, count = 0;
	for (size_t at = 0; at < s.len;) {
		struct hit hit;
		size_t mask = text[at] == '*' ? vw_mask_length(text + at) : 0;
		if (mask == 0 && !find(&s, at, &hit)) {
			at++;
			continue;
		}
		if (mask == 0) {
			vw_buffer_append(out, text + done, hit.begin - done);
			vw_mask_append(out, hit.kind);
			done = hit.end;
			count++;
		}
		at = mask ? at + mask : hit.end;
		s.floor = at;
	}
	if (count > 0)
		vw_buffer_append(out, text + done, s.len - done);
	return count;
}

/* ---- E-mail addresses ---- */

static bool is_local(char c)
{
	return is_one_of(c, ALNUM "._%+-") || (unsigned char)c >= 0x80;
}

/* `at` stands on '@'. */
static bool find_email(const struct scan *s, size_t at, struct hit *out)
{
	size_t begin = at;
	while (begin > s->floor && is_local(s->text[begin - 1]))
		begin--;
	size_t end = at + 1 + strspn(s->text + at + 1, ALNUM ".-");
	while (end > at + 1 && is_one_of(s->text[end - 1], ".-"))
		end--;
	const char *dot = memrchr(s->text + at + 1, '.', end - at - 1);
	size_t top = dot ? (size_t)(s->text + end - dot - 1) : 0;
	if (begin == at || top < 2 || strspn(dot + 1, LOWER UPPER) < top || dot == s->text + at + 1)
		return false;
	/* abfss://container@account… and git@host:path are places */
	bool in_url = begin >= s->floor + 2 && s->text[begin - 1] == '/' && s->text[begin - 2] == '/';
	bool is_path = s->text[end] == ':' && s->text[end + 1] && !is_one_of(s->text[end + 1], " \t\r\n");
	*out = (struct hit){begin, end, "email"};
	return !in_url && !is_path;
}

size_t vw_mask_emails(const char *text, struct vw_buffer *out)
{
	struct scan s = {text, strlen(text), 0};
	size_t done = 0, count = 0;
	for (const char *p = text; (p = strchr(p, '@')); p++) {
		struct hit hit;
		if (!find_email(&s, (size_t)(p - text), &hit))
			continue;
		vw_buffer_append(out, text + done, hit.begin - done);
		vw_mask_append(out, hit.kind);
		done = hit.end;
		s.floor = hit.end;
		p = text + hit.end - 1;
		count++;
	}
	if (count > 0)
		vw_buffer_append(out, text + done, s.len - done);
	return count;
}
