/* renew.c: the next certificate, by the enrolment key. */
#include "identity_files.h"
#include "issued.h"

#include "base/clock.h"
#include "proto/message.h"

#define RENEW_DOMAIN "verifywise.renew.v1"

static int no_memory(struct vw_error *err)
{
	return vw_error_set(err, VW_ENOMEM, "no memory for a renewal");
}

/* One renewal on its way. */
struct renewing {
	const struct vw_identity *identity;
	const struct vw_key *key; /* the new one */
	uint64_t join_sequence;
	const struct vw_uplink_route *route;
	struct vw_arena *arena;
};

static int fill(const struct renewing *r, int64_t now, vw_renew_request *request, struct vw_error *err)
{
	struct vw_bytes csr, packed, none = {NULL, 0};
	vw_renew_body body = VERIFYWISE__V1__RENEW_BODY__INIT;
	uint8_t *signature = vw_arena_alloc(r->arena, VW_SIGNATURE_MAX);
	size_t len;
	int code = signature ? vw_csr_make(r->key, r->arena, &csr, err) : no_memory(err);
	if (code < 0)
		return code;
	body.organization = vw_identity_issued(r->identity)->organization;
	body.agent_id = vw_identity_issued(r->identity)->agent_id;
	VW_SET_BYTES(&body, csr, csr.data, csr.len);
	VW_SET(&body, sent_at, now);
	VW_SET(&body, join_sequence, r->join_sequence);
	packed.data = vw_message_pack(r->arena, &body.base, &packed.len);
	if (!packed.data)
		return no_memory(err);
	code = vw_key_sign(vw_identity_enrollment_key(r->identity), RENEW_DOMAIN, packed, none, signature, &len, err);
	VW_SET_BYTES(request, body, packed.data, packed.len);
	VW_SET_BYTES(request, signature, signature, len);
	return code;
}

static int ask(const struct renewing *r, int64_t now, vw_enroll_response **out, struct vw_error *err)
{
	char *authorities;
	vw_renew_request request = VERIFYWISE__V1__RENEW_REQUEST__INIT;
	int code = vw_identity_authorities_pem(r->identity, r->arena, &authorities, err);
	if (code == 0)
		code = fill(r, now, &request, err);
	if (code < 0)
		return code;
	struct vw_question question = {.url = vw_identity_url(r->identity),
				       .path = "/enroll/v1/renew",
				       .message = &request.base,
				       .authorities = authorities,
				       .route = r->route};
	return vw_question_ask(&question, r->arena, out, err);
}

static bool is_rejection(const vw_enroll_response *response)
{
	return response->answer_case == VERIFYWISE__V1__ENROLL_RESPONSE__ANSWER_REJECTION;
}

static int check(const struct renewing *r, const vw_issued *issued, struct vw_error *err)
{
	struct vw_identity_pair pair;
	const vw_issued *own = vw_identity_issued(r->identity);
	vw_identity_pair(r->identity, &pair);
	struct vw_expected expected = {.key = r->key,
				       .agent_id = own->agent_id,
				       .organization = own->organization,
				       .trust_domain = own->trust_domain,
				       .authorities = pair.authorities,
				       .authority_count = pair.authority_count};
	return vw_issued_check(issued, &expected, r->arena, err);
}

int vw_identity_renew(struct vw_identity *identity, uint64_t join_sequence, const struct vw_uplink_route *route,
		      struct vw_arena *arena, vw_rejection **out_rejection, struct vw_error *err)
{
	struct vw_key *key VW_AUTO(vw_key_cleanup) = NULL;
	vw_enroll_response *response = NULL;
	int code = vw_key_generate(&key, err);
	struct renewing r = {identity, key, join_sequence, route, arena};
	if (code == 0)
		code = ask(&r, vw_clock_now(), &response, err);
	/* our clock is off: the controller's own time serves for one more try */
	if (code == 0 && is_rejection(response) && response->rejection->reason == VW_REJECTION_CLOCK_SKEW)
		code = ask(&r, response->rejection->server_time, &response, err);
	if (code < 0)
		return code;
	if (is_rejection(response)) {
		*out_rejection = response->rejection;
		return vw_error_set(err, VW_EAUTH, "%s refused to renew the certificate: %s",
				    vw_identity_url(identity),
				    response->rejection->text ? response->rejection->text : "no reason was given");
	}
	code = check(&r, response->issued, err);
	return code < 0 ? code : vw_identity_take_pending(identity, key, response->issued, err);
}
