#include "fleet/spiffe.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define SCHEME "spiffe://"

/* SPIFFE-ID.md, section 2.1; the characters are what makes two spellings of one domain impossible. */
static bool is_trust_domain(const char *text, size_t len)
{
	if (len == 0 || len >= VW_TRUST_DOMAIN_MAX)
		return false;
	for (size_t i = 0; i < len; i++) {
		char c = text[i];
		if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '.' && c != '-' && c != '_')
			return false;
	}
	return true;
}

bool vw_trust_domain_valid(const char *text)
{
	return text && is_trust_domain(text, strnlen(text, VW_TRUST_DOMAIN_MAX));
}

static bool is_agent_id(const char *text, size_t len)
{
	if (len != VW_AGENT_ID_MAX - 1)
		return false;
	for (size_t i = 0; i < len; i++) {
		char c = text[i];
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;
		if (dash ? c != '-' : !(c >= '0' && c <= '9') && !(c >= 'a' && c <= 'f'))
			return false;
	}
	return true;
}

bool vw_agent_id_valid(const char *text)
{
	return text && is_agent_id(text, strnlen(text, VW_AGENT_ID_MAX));
}

/* What is left of a path. */
struct rest {
	const char *at;
	size_t len;
};

static bool take(struct rest *rest, const char *literal)
{
	size_t len = strlen(literal);
	if (rest->len < len || memcmp(rest->at, literal, len) != 0)
		return false;
	rest->at += len;
	rest->len -= len;
	return true;
}

/* From 1, as it would be printed: no sign, no leading zero. */
static bool take_organization(struct rest *rest, int32_t *out)
{
	int64_t value = 0;
	size_t digits = 0;
	while (digits < rest->len && rest->at[digits] >= '0' && rest->at[digits] <= '9') {
		value = 10 * value + (rest->at[digits++] - '0');
		if (value == 0 || value > INT32_MAX)
			return false;
	}
	if (digits == 0)
		return false;
	rest->at += digits;
	rest->len -= digits;
	*out = (int32_t)value;
	return true;
}

static int parse_agent(struct rest path, struct vw_spiffe *id, struct vw_error *err)
{
	id->kind = VW_SPIFFE_AGENT;
	if (!take_organization(&path, &id->organization))
		return vw_error_set(err, VW_EINVAL, "SPIFFE id: its organization is not a number from 1 to %" PRId32,
				    INT32_MAX);
	if (!take(&path, "/agent/"))
		return vw_error_set(err, VW_EINVAL, "SPIFFE id: /org/<id> is not followed by /agent/<uuid>");
	if (!is_agent_id(path.at, path.len))
		return vw_error_set(err, VW_EINVAL, "SPIFFE id: its agent is not a lower-case UUID");
	memcpy(id->agent_id, path.at, path.len);
	return 0;
}

static int parse_path(struct rest path, struct vw_spiffe *id, struct vw_error *err)
{
	static const char *const names[] = {
	    [VW_SPIFFE_CONTROLLER] = "/controller", [VW_SPIFFE_RECEIPTS] = "/receipts"};
	if (take(&path, "/org/"))
		return parse_agent(path, id, err);
	for (unsigned kind = VW_SPIFFE_CONTROLLER; kind <= VW_SPIFFE_RECEIPTS; kind++) {
		if (path.len == strlen(names[kind]) && memcmp(path.at, names[kind], path.len) == 0) {
			id->kind = (enum vw_spiffe_kind)kind;
			return 0;
		}
	}
	return vw_error_set(err, VW_EINVAL,
			    "SPIFFE id: its path is none of an agent, the controller or the receipts");
}

int vw_spiffe_parse(const char *uri, size_t len, struct vw_spiffe *out, struct vw_error *err)
{
	struct vw_spiffe id = {0};
	struct rest rest = {uri, len};
	if (!take(&rest, SCHEME))
		return vw_error_set(err, VW_EINVAL, "SPIFFE id: does not begin with " SCHEME);
	const char *slash = memchr(rest.at, '/', rest.len);
	size_t domain = slash ? (size_t)(slash - rest.at) : rest.len;
	if (!is_trust_domain(rest.at, domain))
		return vw_error_set(err, VW_EINVAL,
				    "SPIFFE id: its trust domain is not 1 to %d characters of a-z 0-9 . - _",
				    VW_TRUST_DOMAIN_MAX - 1);
	memcpy(id.trust_domain, rest.at, domain);
	int rc = parse_path((struct rest){rest.at + domain, rest.len - domain}, &id, err);
	if (rc)
		return rc;
	*out = id;
	return 0;
}

void vw_spiffe_print(const struct vw_spiffe *id, char out[VW_SPIFFE_MAX])
{
	if (id->kind == VW_SPIFFE_AGENT)
		snprintf(out, VW_SPIFFE_MAX, SCHEME "%s/org/%" PRId32 "/agent/%s", id->trust_domain, id->organization,
			 id->agent_id);
	else
		snprintf(out, VW_SPIFFE_MAX, SCHEME "%s/%s", id->trust_domain,
			 id->kind == VW_SPIFFE_CONTROLLER ? "controller" : "receipts");
}
