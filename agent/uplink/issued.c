#include "issued.h"

#include "connect.h"
#include "https.h"

#include "base/limits.h"
#include "base/text.h"
#include "proto/message.h"

#include <stdio.h>
#include <string.h>

#define NAME_MAX_LEN 255 /* bytes of an organization's name */

/* ---- the question ---- */

static int read_answer(const struct vw_question *q, const struct vw_buffer *answer, struct vw_arena *arena,
		       vw_enroll_response **out, struct vw_error *err)
{
	void *response = NULL;
	int code = vw_message_unpack(arena, &verifywise__v1__enroll_response__descriptor,
				     (const uint8_t *)vw_buffer_text(answer), answer->len, "the controller's answer",
				     &response, err);
	if (code < 0 && code != VW_ECORRUPT)
		return code;
	vw_enroll_response *r = response;
	if (code < 0 || r->answer_case == VERIFYWISE__V1__ENROLL_RESPONSE__ANSWER__NOT_SET)
		return vw_error_set(err, VW_EINVAL, "%s%s: the answer is none of a controller's", q->url, q->path);
	*out = r;
	return 0;
}

int vw_question_ask(const struct vw_question *q, struct vw_arena *arena, vw_enroll_response **out,
		    struct vw_error *err)
{
	struct vw_buffer answer;
	struct vw_https_request request = {
	    .url = q->url, .path = q->path, .authorities = q->authorities, .route = q->route};
	uint8_t *packed = vw_message_pack(arena, q->message, &request.body.len);
	if (!packed)
		return vw_error_set(err, VW_ENOMEM, "no memory for a request");
	request.body.data = packed;
	vw_buffer_init(&answer, VW_MAX_FLEET_HELLO);
	int code = vw_https(&request, &answer, err);
	if (q->secret)
		vw_wipe(packed, request.body.len);
	if (code == 0)
		code = read_answer(q, &answer, arena, out, err);
	vw_buffer_reset(&answer);
	return code;
}

/* ---- the answer ---- */

static int check_words(const vw_issued *issued, struct vw_error *err)
{
	const char *name = issued->organization_name ? issued->organization_name : "";
	if (!issued->organization || !issued->trust_domain || !issued->agent_id || !issued->session_endpoint ||
	    issued->n_certificates == 0 || issued->n_certificates > VW_MAX_CERTIFICATES)
		return vw_error_set(err, VW_EINVAL, "the controller's answer lacks something");
	if (strlen(name) > NAME_MAX_LEN || !vw_utf8_valid(name, strlen(name)))
		return vw_error_set(err, VW_EINVAL, "the organization's name is too long or no UTF-8");
	return vw_endpoint_check(issued->session_endpoint, err);
}

static bool is(const char *wanted, const char *given)
{
	return !wanted || strcmp(wanted, given) == 0;
}

/* The certificate's words, those beside it, and what was asked for: all the same. */
static bool is_ours(const vw_issued *issued, const struct vw_expected *x, const struct vw_certificate_facts *facts,
		    struct vw_bytes public)
{
	char organization[16];
	snprintf(organization, sizeof(organization), "%d", facts->id.organization);
	return facts->has_id && facts->id.kind == VW_SPIFFE_AGENT && is(x->agent_id, facts->id.agent_id) &&
	       is(x->agent_id, issued->agent_id) && is(issued->organization, organization) &&
	       is(x->organization, organization) && is(issued->trust_domain, facts->id.trust_domain) &&
	       is(x->trust_domain, facts->id.trust_domain) && public.len == facts->public_key.len &&
	       memcmp(public.data, facts->public_key.data, public.len) == 0;
}

int vw_issued_check(const vw_issued *issued, const struct vw_expected *x, struct vw_arena *arena,
		    struct vw_error *err)
{
	struct vw_bytes chain[VW_MAX_CERTIFICATES], public;
	struct vw_certificate_facts facts;
	int code = check_words(issued, err);
	if (code < 0)
		return code;
	for (size_t i = 0; i < issued->n_certificates; i++)
		chain[i] = (struct vw_bytes){issued->certificates[i].data, issued->certificates[i].len};
	code = vw_certificate_read(chain[0], arena, &facts, err);
	if (code == 0)
		code = vw_key_public(x->key, arena, &public, err);
	if (code == 0)
		/* by the certificate's own clock: ours may be wrong, and the stream will say so */
		code = vw_certificate_check(chain[0], chain + 1, issued->n_certificates - 1, x->authorities,
					    x->authority_count, VW_USE_AGENT, facts.not_before + 1000, err);
	if (code < 0)
		return vw_error_context(err, code, "the certificate that was issued");
	if (!is_ours(issued, x, &facts, public))
		return vw_error_set(err, VW_EINVAL,
				    "the certificate that was issued is for another key, agent or organization");
	return 0;
}
