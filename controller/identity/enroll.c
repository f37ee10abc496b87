/* enroll.c: the first certificate by a token, the next ones by the enrolment key.
 *
 * Whoever asks is not known yet. So nothing is said that the asker does not know already: a token that is not there, used up or wrong gets one
 * answer, and so does a renewal of an agent that is not there or by a key that is not its own; in about the same time. */
#include "identity/enroll.h"

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/text.h"
#include "proto/message.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define ENROLL_DOMAIN    "verifywise.enroll.v1"
#define RENEW_DOMAIN     "verifywise.renew.v1"
#define RENEW_SKEW_MS    ((uint64_t)5 * 60 * 1000)
#define HOSTNAME_MAX_LEN 255

/* One request on its way. */
struct visit {
	const struct vw_enroller *enroller;
	const char *peer;
	int64_t now;
	struct vw_arena *arena;
	vw_organization *organization; /* the asker's, once it is known */
	vw_rejection_reason refusal;   /* 0: none yet */
	const char *text;
	const char *why; /* for the log alone; NULL: the text */
};

static int refuse(struct visit *v, vw_rejection_reason reason, const char *text)
{
	v->refusal = reason;
	v->text = text;
	return VW_EAUTH;
}

/* The asker is told the same whatever is wrong with it. */
static int refuse_token(struct visit *v, const char *why)
{
	v->why = why;
	return refuse(v, VW_REJECTION_TOKEN, "the token is not valid");
}

static struct vw_bytes bytes_of(const ProtobufCBinaryData *data)
{
	return (struct vw_bytes){data->data, data->len};
}

static struct vw_bytes text_of(const char *text)
{
	return (struct vw_bytes){text, strlen(text)};
}

/* ---- answers ---- */

static int answer(struct visit *v, vw_enroll_response *response, struct vw_bytes *out, struct vw_error *err)
{
	size_t len;
	uint8_t *packed = vw_message_pack(v->arena, &response->base, &len);
	if (!packed)
		return vw_error_set(err, VW_ENOMEM, "no memory for an answer");
	*out = (struct vw_bytes){packed, len};
	return 0;
}

static int answer_refusal(struct visit *v, struct vw_bytes *out, struct vw_error *err)
{
	vw_enroll_response response = VERIFYWISE__V1__ENROLL_RESPONSE__INIT;
	vw_rejection rejection = VERIFYWISE__V1__REJECTION__INIT;
	VW_SET(&rejection, reason, v->refusal);
	VW_SET(&rejection, server_time, v->now);
	rejection.text = (char *)v->text;
	response.answer_case = VERIFYWISE__V1__ENROLL_RESPONSE__ANSWER_REJECTION;
	response.rejection = &rejection;
	vw_log(VW_LOG_WARN, "enrollment_refused", VW_LOG_S("peer", v->peer),
	       VW_LOG_S("reason", v->why ? v->why : v->text));
	return answer(v, &response, out, err);
}

static ProtobufCBinaryData *binaries(struct vw_arena *arena, const struct vw_bytes *list, size_t count)
{
	ProtobufCBinaryData *data = vw_arena_array(arena, count, sizeof(*data));
	for (size_t i = 0; data && i < count; i++)
		data[i] = (ProtobufCBinaryData){list[i].len, (uint8_t *)list[i].data};
	return data;
}

static int answer_issued(struct visit *v, const vw_agent *agent, struct vw_bytes certificate, struct vw_bytes *out,
			 struct vw_error *err)
{
	size_t count;
	const struct vw_bytes *chain = vw_authority_chain(v->enroller->authority, &count);
	struct vw_bytes sent[VW_MAX_CERTIFICATES] = {certificate};
	vw_enroll_response response = VERIFYWISE__V1__ENROLL_RESPONSE__INIT;
	vw_issued issued = VERIFYWISE__V1__ISSUED__INIT;
	issued.n_certificates = 1;
	for (size_t i = 0; i + 1 < count && issued.n_certificates < VW_MAX_CERTIFICATES; i++)
		sent[issued.n_certificates++] = chain[i];
	issued.certificates = binaries(v->arena, sent, issued.n_certificates);
	issued.n_authorities = 1;
	issued.authorities = binaries(v->arena, &chain[count - 1], 1);
	issued.organization = vw_arena_printf(v->arena, "%" PRId32, agent->organization);
	issued.organization_name = v->organization->name;
	issued.trust_domain = (char *)vw_authority_trust_domain(v->enroller->authority);
	issued.agent_id = agent->agent_id;
	issued.session_endpoint = (char *)v->enroller->session_endpoint;
	VW_SET(&issued, server_time, v->now);
	response.answer_case = VERIFYWISE__V1__ENROLL_RESPONSE__ANSWER_ISSUED;
	response.issued = &issued;
	if (vw_arena_failed(v->arena))
		return vw_error_set(err, VW_ENOMEM, "no memory for an answer");
	return answer(v, &response, out, err);
}

/* ---- the trail ---- */

/* What happened has happened: a trail that cannot be written is logged, not undone. */
static void note(struct visit *v, const vw_agent *agent, const char *action, const char *text)
{
	struct vw_error err = VW_ERROR_INIT;
	vw_controller_event event = VERIFYWISE__V1__CONTROLLER_EVENT__INIT;
	VW_SET(&event, organization, agent->organization);
	VW_SET(&event, at, v->now);
	event.actor = vw_arena_printf(v->arena, "agent:%s", agent->agent_id);
	event.action = (char *)action;
	event.object = agent->agent_id;
	event.text = (char *)text;
	int code = vw_fleet_event_put(v->enroller->store, &event, &err);
	if (code < 0)
		vw_log(VW_LOG_ERROR, "trail_failed", VW_LOG_S("action", action), VW_LOG_S("reason", err.message));
	vw_log(VW_LOG_INFO, action, VW_LOG_I("organization", agent->organization), VW_LOG_S("agent", agent->agent_id),
	       VW_LOG_S("serial", agent->pending_serial), VW_LOG_S("peer", v->peer));
}

/* ---- enrolment ---- */

static int read_request(struct visit *v, struct vw_bytes request, const ProtobufCMessageDescriptor *type, void **out)
{
	struct vw_error unused;
	if (request.len > VW_MAX_FLEET_HELLO ||
	    vw_message_unpack(v->arena, type, request.data, request.len, "the request", out, &unused) < 0)
		return refuse(v, VW_REJECTION_MALFORMED, "the request cannot be read");
	return 0;
}

static int check_form(struct visit *v, const vw_enroll_request *r)
{
	if (!r->agent_id || !vw_agent_id_valid(r->agent_id))
		return refuse(v, VW_REJECTION_MALFORMED, "agent_id is no UUID in lower case");
	if (r->sealing_key.len != 32)
		return refuse(v, VW_REJECTION_MALFORMED, "sealing_key has not 32 bytes");
	if (r->hostname &&
	    (strlen(r->hostname) > HOSTNAME_MAX_LEN || !vw_utf8_valid(r->hostname, strlen(r->hostname))))
		return refuse(v, VW_REJECTION_MALFORMED, "hostname is too long or no UTF-8");
	return 0;
}

/* What the store knows of whoever asks. */
struct known {
	vw_enrollment_token *token;
	vw_agent *agent; /* with this id; NULL: none yet */
};

/* As many questions for a token that is not there as for one that is. */
static int look_up(struct visit *v, const struct vw_token *token, const char *agent_id, struct known *out,
		   struct vw_error *err)
{
	struct vw_fleet_store *store = v->enroller->store;
	int code = vw_fleet_token_get(store, v->arena, token->public_id, &out->token, err);
	int32_t organization = code == 0 ? out->token->organization : 1;
	if (code == 0 || code == VW_ENOTFOUND)
		code = vw_fleet_organization_get(store, v->arena, organization, &v->organization, err);
	if (code == 0 || code == VW_ENOTFOUND)
		code = vw_fleet_agent_get(store, v->arena, organization, agent_id, &out->agent, err);
	return code == VW_ENOTFOUND ? 0 : code;
}

/* Judged before any other work is done for it, so that a token that was good once is refused at the price of one that never was. The store has the last
 * word, in its transaction. */
static int check_token(struct visit *v, const vw_enroll_request *r, struct known *out, struct vw_error *err)
{
	static const uint8_t nothing[32];
	struct vw_token token;
	vw_agent asking = VERIFYWISE__V1__AGENT__INIT;
	const char *text = r->token ? r->token : "";
	if (vw_token_parse(text, strlen(text), &token, err) < 0 || token.kind != VW_TOKEN_ENROLLMENT)
		return refuse_token(v, "no token for enrolment");
	int code = look_up(v, &token, r->agent_id, out, err);
	bool has_hash = out->token && out->token->secret_sha256.len == 32;
	bool matches = vw_token_matches(&token, has_hash ? out->token->secret_sha256.data : nothing) && has_hash;
	vw_token_wipe(&token);
	if (code < 0)
		return code;
	if (!matches)
		return refuse_token(v, "a token that is unknown, or its secret is wrong");
	asking.enrollment_key = r->enrollment_key;
	asking.sealing_key = r->sealing_key;
	if (!vw_enrollment_token_is_good(out->token, v->now,
					 vw_enrollment_is_again(out->agent, &asking, out->token->public_id)))
		return refuse_token(
		    v, vw_arena_printf(v->arena, "token %s is used up, expired or revoked", out->token->public_id));
	if (!v->organization || v->organization->disabled)
		return refuse_token(v, "the token's organization is disabled");
	return 0;
}

/* That the asker holds both private keys; and what stands against the agent that it says it is. */
static int check_asker(struct visit *v, const vw_enroll_request *r, const vw_agent *there,
		       struct vw_bytes *out_public, struct vw_error *err)
{
	if (vw_csr_public(bytes_of(&r->csr), v->arena, out_public, err) < 0)
		return refuse(v, VW_REJECTION_MALFORMED,
			      "csr is no request for a P-256 key, or its signature is wrong");
	if (vw_signature_check(bytes_of(&r->enrollment_key), ENROLL_DOMAIN, text_of(r->agent_id), bytes_of(&r->csr),
			       bytes_of(&r->enrollment_signature), err) < 0)
		return refuse(v, VW_REJECTION_MALFORMED, "enrollment_signature is not by enrollment_key");
	if (there && (there->enrollment_key.len != r->enrollment_key.len ||
		      memcmp(there->enrollment_key.data, r->enrollment_key.data, r->enrollment_key.len) != 0))
		return refuse(v, VW_REJECTION_TAKEN, "an agent with this id and another key is enrolled");
	if (there && there->status == VW_AGENT_REVOKED)
		return refuse(v, VW_REJECTION_REVOKED,
			      "the agent was revoked; an operator has to let it in again, a token does not");
	return 0;
}

static int enroll(struct visit *v, struct vw_bytes request, struct vw_bytes *out, struct vw_error *err)
{
	vw_enroll_request *r;
	struct known known = {NULL, NULL};
	struct vw_bytes public, certificate;
	vw_agent agent = VERIFYWISE__V1__AGENT__INIT;
	char serial[VW_SERIAL_MAX];
	int64_t not_after;
	int code = read_request(v, request, &verifywise__v1__enroll_request__descriptor, (void **)&r);
	if (code == 0)
		code = check_form(v, r);
	if (code == 0)
		code = check_token(v, r, &known, err);
	if (code == 0)
		code = check_asker(v, r, known.agent, &public, err);
	if (code == 0)
		code = vw_authority_issue(v->enroller->authority, known.token->organization, r->agent_id, public,
					  v->now, v->arena, &certificate, serial, &not_after, err);
	if (code < 0)
		return code;
	VW_SET(&agent, organization, known.token->organization);
	VW_SET(&agent, status, VW_AGENT_REVOKED); /* one that is revoked in this moment stays so */
	VW_SET(&agent, pending_not_after, not_after);
	VW_SET_BYTES(&agent, enrollment_key, r->enrollment_key.data, r->enrollment_key.len);
	VW_SET_BYTES(&agent, sealing_key, r->sealing_key.data, r->sealing_key.len);
	agent.agent_id = r->agent_id;
	agent.hostname = r->hostname;
	agent.pending_serial = serial;
	code = vw_fleet_agent_enroll(v->enroller->store, known.token->public_id, v->now, &agent, err);
	if (code == VW_EAUTH)
		return refuse_token(v, "the token was used up or revoked in this moment");
	if (code == VW_EBUSY)
		return refuse(v, VW_REJECTION_TAKEN, "an agent with this id and another key is enrolled");
	if (code < 0)
		return code;
	note(v, &agent, "agent_enrolled",
	     vw_arena_printf(v->arena, "with token %s from %s", known.token->public_id, v->peer));
	return answer_issued(v, &agent, certificate, out, err);
}

int vw_enroll(const struct vw_enroller *enroller, struct vw_bytes request, const char *peer, int64_t now,
	      struct vw_arena *arena, struct vw_bytes *out, struct vw_error *err)
{
	struct visit v = {.enroller = enroller, .peer = peer, .now = now, .arena = arena};
	int code = enroll(&v, request, out, err);
	return v.refusal ? answer_refusal(&v, out, err) : code;
}

/* ---- renewal ---- */

/* The agent that signed. One answer for an agent that is not there and for a signature that is not its own. */
static int find_signer(struct visit *v, const vw_renew_request *request, const vw_renew_body *body, vw_agent **out,
		       struct vw_error *err)
{
	static const char unknown[] = "no such agent, or not its enrolment key";
	size_t count;
	int64_t organization;
	vw_agent *agent = NULL;
	struct vw_certificate_facts ca;
	struct vw_bytes key;
	if (!body->organization || !vw_text_int64(body->organization, &organization) || organization < 1 ||
	    organization > INT32_MAX || !body->agent_id || !vw_agent_id_valid(body->agent_id))
		return refuse(v, VW_REJECTION_MALFORMED, "organization or agent_id is none");
	int code = vw_certificate_read(vw_authority_chain(v->enroller->authority, &count)[0], v->arena, &ca, err);
	if (code < 0)
		return code;
	code = vw_fleet_agent_get(v->enroller->store, v->arena, (int32_t)organization, body->agent_id, &agent, err);
	if (code < 0 && code != VW_ENOTFOUND)
		return code;
	key =
	    code == 0 ? bytes_of(&agent->enrollment_key) : ca.public_key; /* as much work for one that is not there */
	if (vw_signature_check(key, RENEW_DOMAIN, bytes_of(&request->body), (struct vw_bytes){NULL, 0},
			       bytes_of(&request->signature), err) < 0 ||
	    !agent)
		return refuse(v, VW_REJECTION_UNKNOWN_AGENT, unknown);
	*out = agent;
	return 0;
}

/* Any two times: one of them is a peer's. */
static bool is_skewed(int64_t a, int64_t b)
{
	return (a > b ? (uint64_t)a - (uint64_t)b : (uint64_t)b - (uint64_t)a) > RENEW_SKEW_MS;
}

static int check_standing(struct visit *v, const vw_agent *agent, const vw_renew_body *body, struct vw_error *err)
{
	int code =
	    vw_fleet_organization_get(v->enroller->store, v->arena, agent->organization, &v->organization, err);
	if (code < 0)
		return code;
	if (v->organization->disabled)
		return refuse(v, VW_REJECTION_TENANT_DISABLED, "the organization is disabled");
	if (agent->status == VW_AGENT_REVOKED)
		return refuse(v, VW_REJECTION_REVOKED, "the agent was revoked");
	if (agent->status == VW_AGENT_QUARANTINED)
		return refuse(v, VW_REJECTION_DUPLICATE_INSTANCE,
			      "the agent is quarantined until an operator has looked at it");
	if (is_skewed(body->sent_at, v->now))
		return refuse(v, VW_REJECTION_CLOCK_SKEW, "sent_at is more than five minutes off");
	if (!vw_agent_may_show(agent, body->join_sequence))
		return refuse(v, VW_REJECTION_DUPLICATE_INSTANCE,
			      "join_sequence is of an earlier time: a clone or a restored snapshot");
	return 0;
}

static int renew(struct visit *v, struct vw_bytes packed, struct vw_bytes *out, struct vw_error *err)
{
	vw_renew_request *request;
	vw_renew_body *body;
	vw_agent *agent;
	struct vw_bytes public, certificate;
	char serial[VW_SERIAL_MAX];
	int64_t not_after;
	int code = read_request(v, packed, &verifywise__v1__renew_request__descriptor, (void **)&request);
	if (code == 0)
		code = read_request(v, bytes_of(&request->body), &verifywise__v1__renew_body__descriptor,
				    (void **)&body);
	if (code == 0)
		code = find_signer(v, request, body, &agent, err);
	if (code == 0)
		code = check_standing(v, agent, body, err);
	if (code == 0 && vw_csr_public(bytes_of(&body->csr), v->arena, &public, err) < 0)
		code =
		    refuse(v, VW_REJECTION_MALFORMED, "csr is no request for a P-256 key, or its signature is wrong");
	if (code == 0)
		code = vw_authority_issue(v->enroller->authority, agent->organization, agent->agent_id, public,
					  v->now, v->arena, &certificate, serial, &not_after, err);
	if (code == 0)
		code = vw_fleet_agent_set_pending_serial(v->enroller->store, agent->organization, agent->agent_id,
							 serial, not_after, err);
	if (code < 0)
		return code;
	agent->pending_serial = serial;
	note(v, agent, "certificate_renewed", vw_arena_printf(v->arena, "from %s", v->peer));
	return answer_issued(v, agent, certificate, out, err);
}

int vw_enroll_renew(const struct vw_enroller *enroller, struct vw_bytes request, const char *peer, int64_t now,
		    struct vw_arena *arena, struct vw_bytes *out, struct vw_error *err)
{
	struct visit v = {.enroller = enroller, .peer = peer, .now = now, .arena = arena};
	int code = renew(&v, request, out, err);
	return v.refusal ? answer_refusal(&v, out, err) : code;
}

/* ---- tokens ---- */

int vw_enroll_token(const struct vw_enroller *enroller, int32_t organization, const char *label, int64_t expires_at,
		    uint32_t uses, const char *by, int64_t now, struct vw_secret **out_line,
		    char out_public_id[VW_TOKEN_ID_MAX], struct vw_error *err)
{
	uint8_t pin[32], digest[32];
	struct vw_token token;
	struct vw_secret *line = NULL;
	vw_enrollment_token row = VERIFYWISE__V1__ENROLLMENT_TOKEN__INIT;
	vw_authority_pin(enroller->authority, pin);
	vw_token_make(VW_TOKEN_ENROLLMENT, pin, &token);
	vw_token_digest(&token, digest);
	row.public_id = token.public_id;
	row.label = (char *)label;
	row.created_by = (char *)by;
	VW_SET(&row, organization, organization);
	VW_SET(&row, created_at, now);
	VW_SET(&row, expires_at, expires_at);
	VW_SET(&row, uses_allowed, uses);
	VW_SET_BYTES(&row, secret_sha256, digest, sizeof(digest));
	int code = vw_token_print(&token, &line, err);
	if (code == 0)
		code = vw_fleet_token_create(enroller->store, &row, err);
	if (code == 0) {
		memcpy(out_public_id, token.public_id, VW_TOKEN_ID_MAX);
		*out_line = line;
		line = NULL;
	}
	vw_secret_close(line);
	vw_token_wipe(&token);
	return code;
}
