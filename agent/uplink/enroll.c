/* enroll.c: getting an identity from a controller, and renewing its certificate. */
#include "https.h"
#include "identity_files.h"

#include "base/clock.h"
#include "base/digest.h"
#include "base/file.h"
#include "base/limits.h"
#include "fleet/token.h"
#include "proto/message.h"
#include "storage/uplink.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define ENROLL_DOMAIN "verifywise.enroll.v1"
#define RENEW_DOMAIN  "verifywise.renew.v1"

static int no_memory(struct vw_error *err)
{
	return vw_error_set(err, VW_ENOMEM, "no memory for the enrolment");
}

static struct vw_bytes text_of(const char *text)
{
	return (struct vw_bytes){text, strlen(text)};
}

/* ---- what is sent and answered ---- */

static int post(const char *url, const char *path, const ProtobufCMessage *message, const char *authorities,
		const struct vw_uplink_route *route, struct vw_arena *arena, vw_enroll_response **out,
		struct vw_error *err)
{
	struct vw_buffer answer;
	struct vw_https_request request = {.url = url, .path = path, .authorities = authorities, .route = route};
	uint8_t *packed = vw_message_pack(arena, message, &request.body.len);
	if (!packed)
		return no_memory(err);
	request.body.data = packed;
	vw_buffer_init(&answer, VW_MAX_FLEET_HELLO);
	int code = vw_https(&request, &answer, err);
	if (code == 0)
		code = vw_message_unpack(arena, &verifywise__v1__enroll_response__descriptor,
					 (const uint8_t *)vw_buffer_text(&answer), answer.len,
					 "the controller's answer", (void **)out, err);
	vw_buffer_reset(&answer);
	return code == VW_ECORRUPT
		   ? vw_error_set(err, VW_EINVAL, "%s%s: the answer is none of a controller's", url, path)
		   : code;
}

/* That what was issued is what we asked for: our key, our id, by whom we trust. */
static int check_issued(const vw_issued *issued, const struct vw_key *key, const char *agent_id,
			struct vw_arena *arena, struct vw_error *err)
{
	struct vw_bytes chain[VW_MAX_CERTIFICATES], root, public;
	struct vw_certificate_facts facts;
	if (!issued->organization || !issued->trust_domain || !issued->session_endpoint ||
	    issued->n_authorities != 1 || issued->n_certificates == 0 ||
	    issued->n_certificates > VW_MAX_CERTIFICATES || !issued->agent_id)
		return vw_error_set(err, VW_EINVAL, "the controller's answer lacks something");
	for (size_t i = 0; i < issued->n_certificates; i++)
		chain[i] = (struct vw_bytes){issued->certificates[i].data, issued->certificates[i].len};
	root = (struct vw_bytes){issued->authorities[0].data, issued->authorities[0].len};
	int code = vw_certificate_read(chain[0], arena, &facts, err);
	if (code == 0)
		code = vw_key_public(key, arena, &public, err);
	if (code == 0)
		/* by the certificate's own clock: ours may be wrong, and the stream will say so */
		code = vw_certificate_check(chain[0], chain + 1, issued->n_certificates - 1, &root, 1, VW_USE_AGENT,
					    facts.not_before + 1000, err);
	if (code < 0)
		return vw_error_context(err, code, "the certificate that was issued");
	char organization[16];
	snprintf(organization, sizeof(organization), "%d", facts.id.organization);
	if (!facts.has_id || facts.id.kind != VW_SPIFFE_AGENT || strcmp(facts.id.agent_id, agent_id) != 0 ||
	    strcmp(issued->agent_id, agent_id) != 0 || strcmp(organization, issued->organization) != 0 ||
	    strcmp(facts.id.trust_domain, issued->trust_domain) != 0 || public.len != facts.public_key.len ||
	    memcmp(public.data, facts.public_key.data, public.len) != 0)
		return vw_error_set(err, VW_EINVAL, "the certificate that was issued is for another key or agent");
	return 0;
}

/* ---- enrolment ---- */

struct enrolling {
	const struct vw_enrollment *asked;
	struct vw_store *store;
	struct vw_arena *arena;
	struct vw_token token;
	const char *folder; /* of what is being made: <state>/identity, or beside it */
	char agent_id[VW_AGENT_ID_MAX];
	char *authorities; /* PEM */
	struct vw_bytes root;
	struct vw_key *enrollment, *key;
	struct vw_sealing_key *sealing;
};

/* The CA is asked for without trust, and is then the one whose hash the token carries, or none. */
static int fetch_authorities(struct enrolling *e, struct vw_error *err)
{
	struct vw_buffer pem, path;
	struct vw_bytes *chain;
	size_t count;
	uint8_t digest[32];
	struct vw_https_request request = {
	    .url = e->asked->url, .path = "/enroll/v1/authorities", .route = &e->asked->route};
	vw_buffer_init(&pem, VW_MAX_CERTIFICATES * VW_MAX_CERTIFICATE * 2);
	vw_buffer_init(&path, 0);
	int code = vw_https(&request, &pem, err);
	if (code == 0)
		code =
		    vw_certificates_parse(vw_buffer_text(&pem), pem.len, request.path, e->arena, &chain, &count, err);
	vw_buffer_reset(&pem);
	if (code < 0)
		return code;
	for (size_t i = 0; i < count; i++) {
		vw_sha256_of(chain[i].data, chain[i].len, digest);
		if (memcmp(digest, e->token.pin, sizeof(digest)) != 0)
			continue;
		e->root = chain[i];
		code = vw_certificate_pem(chain[i], &path);
		e->authorities = vw_arena_strdup(e->arena, vw_buffer_text(&path));
		vw_buffer_reset(&path);
		return code < 0 || !e->authorities ? no_memory(err) : 0;
	}
	return vw_error_set(
	    err, VW_EAUTH,
	    "%s shows another certificate authority than the token names; this is not the controller that made the "
	    "token, or somebody stands between",
	    e->asked->url);
}

static char *path_of(const struct enrolling *e, const char *name)
{
	return vw_arena_printf(e->arena, "%s/%s", e->folder, name);
}

/* A key from an earlier try that was cut off is used again: the controller knows it by then, perhaps. */
static int keep_key(struct enrolling *e, const char *name, struct vw_key **out, struct vw_error *err)
{
	const char *path = path_of(e, name);
	if (!path)
		return no_memory(err);
	int code = vw_key_read(path, out, err);
	if (code != VW_ENOTFOUND)
		return code;
	code = vw_key_generate(out, err);
	return code < 0 ? code : vw_key_write(*out, path, err);
}

static int make_keys(struct enrolling *e, struct vw_error *err)
{
	const char *sealing = path_of(e, "sealing.key");
	if (!sealing)
		return no_memory(err);
	int code = vw_dir_make_private(e->folder, err);
	if (code == 0)
		code = keep_key(e, "enrollment.key", &e->enrollment, err);
	if (code == 0)
		code = keep_key(e, "current.key", &e->key, err);
	if (code < 0)
		return code;
	code = vw_sealing_key_read(sealing, &e->sealing, err);
	if (code != VW_ENOTFOUND)
		return code;
	code = vw_sealing_key_generate(&e->sealing, err);
	return code < 0 ? code : vw_sealing_key_write(e->sealing, sealing, err);
}

static int fill_request(struct enrolling *e, vw_enroll_request *request, struct vw_error *err)
{
	struct vw_bytes csr, public;
	size_t len;
	uint8_t *signature = vw_arena_alloc(e->arena, VW_SIGNATURE_MAX);
	char *hostname = vw_arena_alloc(e->arena, 256);
	if (!signature || !hostname)
		return no_memory(err);
	gethostname(hostname, 255);
	int code = vw_csr_make(e->key, e->arena, &csr, err);
	if (code == 0)
		code = vw_key_public(e->enrollment, e->arena, &public, err);
	if (code == 0)
		code = vw_key_sign(e->enrollment, ENROLL_DOMAIN, text_of(e->agent_id), csr, signature, &len, err);
	if (code < 0)
		return code;
	request->token = (char *)(uintptr_t)vw_secret_text(e->asked->token);
	request->agent_id = e->agent_id;
	request->agent_version = (char *)(uintptr_t)e->asked->agent_version;
	request->hostname = hostname;
	VW_SET_BYTES(request, csr, csr.data, csr.len);
	VW_SET_BYTES(request, enrollment_key, public.data, public.len);
	VW_SET_BYTES(request, enrollment_signature, signature, len);
	VW_SET_BYTES(request, sealing_key, vw_sealing_key_public(e->sealing), VW_SEALING_KEY);
	VW_SET(request, sent_at, vw_clock_now());
	return 0;
}

static int refused(const struct enrolling *e, const vw_rejection *rejection, struct vw_error *err)
{
	bool taken = rejection->reason == VW_REJECTION_TAKEN;
	return vw_error_set(err, VW_EAUTH, "%s refused: %s%s", e->asked->url,
			    rejection->text ? rejection->text : "no reason was given",
			    taken ? "; --new-agent gives this one another id" : "");
}

static int ask(struct enrolling *e, vw_issued **out, struct vw_error *err)
{
	vw_enroll_request request = VERIFYWISE__V1__ENROLL_REQUEST__INIT;
	vw_enroll_response *response;
	int code = fill_request(e, &request, err);
	if (code == 0)
		code = post(e->asked->url, "/enroll/v1/enroll", &request.base, e->authorities, &e->asked->route,
			    e->arena, &response, err);
	if (code < 0)
		return code;
	if (response->answer_case == VERIFYWISE__V1__ENROLL_RESPONSE__ANSWER_REJECTION)
		return refused(e, response->rejection, err);
	if (response->answer_case != VERIFYWISE__V1__ENROLL_RESPONSE__ANSWER_ISSUED)
		return vw_error_set(err, VW_EINVAL, "%s: the answer says nothing", e->asked->url);
	*out = response->issued;
	return check_issued(*out, e->key, e->agent_id, e->arena, err);
}

/* The chain becomes the organization's. Done before the files are complete: enrolling again after a crash finds it done. */
static int take_over_ledger(struct enrolling *e, const vw_issued *issued, struct vw_error *err)
{
	const char *before = vw_store_identity(e->store)->organization;
	if (before && before[0] && strcmp(before, issued->organization) != 0)
		return vw_error_set(err, VW_EBUSY,
				    "this ledger belongs to organization %s and cannot go to organization %s; use "
				    "another state folder "
				    "(--state) for that one",
				    before, issued->organization);
	const char *text =
	    vw_arena_printf(e->arena, "enrolled as agent %s of organization %s (%s)", e->agent_id,
			    issued->organization, issued->organization_name ? issued->organization_name : "");
	return text ? vw_identity_take_over(e->store, issued->organization, e->agent_id, e->asked->url, text, err)
		    : no_memory(err);
}

static int write_held(struct enrolling *e, const vw_issued *issued, struct vw_error *err)
{
	size_t len;
	vw_held_identity held = VERIFYWISE__V1__HELD_IDENTITY__INIT;
	vw_issued slim = *issued; /* certificates are in files of their own */
	slim.n_certificates = slim.n_authorities = 0;
	held.issued = &slim;
	held.url = (char *)(uintptr_t)e->asked->url;
	VW_SET(&held, enrolled_at, vw_clock_now());
	uint8_t *packed = vw_message_pack(e->arena, &held.base, &len);
	const char *path = path_of(e, "controller.pb");
	return packed && path ? vw_file_write(path, packed, len, 0600, err) : no_memory(err);
}

static int write_identity(struct enrolling *e, const vw_issued *issued, struct vw_error *err)
{
	const char *authorities = path_of(e, "authorities.pem");
	if (!authorities)
		return no_memory(err);
	int code = vw_identity_write_pair(e->arena, e->folder, "current", e->key, issued, err);
	if (code == 0)
		code = vw_certificates_write_file(authorities, &e->root, 1, 0600, err);
	return code < 0 ? code : write_held(e, issued, err); /* last: with it the agent is enrolled */
}

/* ---- as a new agent ---- */

/* New keys under a new id, made beside the old identity: that stays in force until the new one is whole. A try that was cut off or refused goes on with
 * the same. */
static int begin_new_agent(struct enrolling *e, struct vw_error *err)
{
	struct vw_buffer text;
	e->folder = vw_identity_path(e->arena, e->asked->state_dir, "");
	e->folder = e->folder ? vw_arena_printf(e->arena, "%s.new", e->folder) : NULL;
	const char *path = e->folder ? path_of(e, "agent_id") : NULL;
	if (!path)
		return no_memory(err);
	int code = vw_dir_make_private(e->folder, err);
	if (code < 0)
		return code;
	vw_buffer_init(&text, VW_AGENT_ID_MAX);
	code = vw_file_read(path, VW_AGENT_ID_MAX, &text, err);
	if (code == 0 && vw_agent_id_valid(vw_buffer_text(&text))) {
		snprintf(e->agent_id, sizeof(e->agent_id), "%s", vw_buffer_text(&text));
	} else if (code == 0 || code == VW_ENOTFOUND || code == VW_ELIMIT) {
		vw_random_uuid(e->agent_id);
		code = vw_file_write(path, e->agent_id, strlen(e->agent_id), 0600, err);
	}
	vw_buffer_reset(&text);
	return code;
}

/* The old identity is kept: its keys may still be wanted to look into what happened. */
static int put_in_place(struct enrolling *e, struct vw_error *err)
{
	const char *place = vw_identity_path(e->arena, e->asked->state_dir, "");
	char *aside = place ? vw_arena_printf(e->arena, "%s.before-%s", place, e->agent_id) : NULL;
	if (!aside)
		return no_memory(err);
	if (rename(place, aside) < 0 && errno != ENOENT)
		return vw_error_set(err, VW_EIO, "cannot rename %s to %s: %s", place, aside, strerror(errno));
	if (rename(e->folder, place) < 0)
		return vw_error_set(err, VW_EIO, "cannot rename %s to %s: %s", e->folder, place, strerror(errno));
	e->folder = place;
	const char *id = path_of(e, "agent_id");
	if (!id)
		return no_memory(err);
	unlink(id);
	return 0;
}

static int enroll(struct enrolling *e, bool new_agent, vw_issued **out, struct vw_error *err)
{
	const struct vw_secret *line = e->asked->token;
	int code = vw_https_check_url(e->asked->url, err);
	if (code == 0)
		code = vw_token_parse(vw_secret_text(line), vw_secret_length(line), &e->token, err);
	if (code == 0 && e->token.kind != VW_TOKEN_ENROLLMENT)
		code = vw_error_set(err, VW_EINVAL, "the token is one of the REST interface, not one for enrolment");
	if (code == 0)
		code = fetch_authorities(e, err);
	if (code == 0 && new_agent)
		code = begin_new_agent(e, err);
	if (code == 0)
		code = make_keys(e, err);
	if (code == 0)
		code = ask(e, out, err);
	if (code == 0)
		code = take_over_ledger(e, *out, err);
	if (code == 0)
		code = write_identity(e, *out, err);
	return code < 0 || !new_agent ? code : put_in_place(e, err);
}

int vw_identity_enroll(struct vw_store *store, const struct vw_enrollment *enrollment, bool new_agent,
		       struct vw_arena *arena, vw_issued **out_issued, struct vw_error *err)
{
	struct enrolling e = {.asked = enrollment, .store = store, .arena = arena};
	const char *held = vw_identity_path(arena, enrollment->state_dir, "controller.pb");
	e.folder = vw_identity_path(arena, enrollment->state_dir, "");
	if (!held || !e.folder)
		return no_memory(err);
	if (!new_agent && access(held, F_OK) == 0)
		return vw_error_set(
		    err, VW_EBUSY,
		    "%s is enrolled already; vw-agent status shows with whom, vw-agent unenroll ends it",
		    enrollment->state_dir);
	snprintf(e.agent_id, sizeof(e.agent_id), "%s", vw_store_identity(store)->agent_id);
	int code = enroll(&e, new_agent, out_issued, err);
	vw_token_wipe(&e.token);
	vw_key_close(e.enrollment);
	vw_key_close(e.key);
	vw_sealing_key_close(e.sealing);
	return code;
}

/* ---- renewal ---- */

static int fill_renewal(const struct vw_identity *identity, const struct vw_key *key, uint64_t join_sequence,
			int64_t now, struct vw_arena *arena, vw_renew_request *request, struct vw_error *err)
{
	struct vw_bytes csr, packed, none = {NULL, 0};
	vw_renew_body body = VERIFYWISE__V1__RENEW_BODY__INIT;
	uint8_t *signature = vw_arena_alloc(arena, VW_SIGNATURE_MAX);
	size_t len;
	int code = signature ? vw_csr_make(key, arena, &csr, err) : no_memory(err);
	if (code < 0)
		return code;
	body.organization = vw_identity_issued(identity)->organization;
	body.agent_id = vw_identity_issued(identity)->agent_id;
	VW_SET_BYTES(&body, csr, csr.data, csr.len);
	VW_SET(&body, sent_at, now);
	VW_SET(&body, join_sequence, join_sequence);
	packed.data = vw_message_pack(arena, &body.base, &packed.len);
	if (!packed.data)
		return no_memory(err);
	code = vw_key_sign(vw_identity_enrollment_key(identity), RENEW_DOMAIN, packed, none, signature, &len, err);
	VW_SET_BYTES(request, body, packed.data, packed.len);
	VW_SET_BYTES(request, signature, signature, len);
	return code;
}

int vw_identity_authorities_pem(const struct vw_identity *identity, struct vw_arena *arena, char **out,
				struct vw_error *err)
{
	struct vw_identity_pair pair;
	struct vw_buffer pem;
	int code = 0;
	vw_identity_pair(identity, &pair);
	vw_buffer_init(&pem, 0);
	for (size_t i = 0; code == 0 && i < pair.authority_count; i++)
		code = vw_certificate_pem(pair.authorities[i], &pem);
	*out = vw_arena_strdup(arena, vw_buffer_text(&pem));
	vw_buffer_reset(&pem);
	return code < 0 || !*out ? no_memory(err) : 0;
}

static int ask_renewal(struct vw_identity *identity, const struct vw_key *key, uint64_t join_sequence, int64_t now,
		       const struct vw_uplink_route *route, struct vw_arena *arena, vw_enroll_response **out,
		       struct vw_error *err)
{
	char *authorities;
	vw_renew_request request = VERIFYWISE__V1__RENEW_REQUEST__INIT;
	int code = vw_identity_authorities_pem(identity, arena, &authorities, err);
	if (code == 0)
		code = fill_renewal(identity, key, join_sequence, now, arena, &request, err);
	return code < 0 ? code
			: post(vw_identity_url(identity), "/enroll/v1/renew", &request.base, authorities, route,
			       arena, out, err);
}

int vw_identity_renew(struct vw_identity *identity, uint64_t join_sequence, const struct vw_uplink_route *route,
		      struct vw_arena *arena, vw_rejection **out_rejection, struct vw_error *err)
{
	struct vw_key *key VW_AUTO(vw_key_cleanup) = NULL;
	vw_enroll_response *response = NULL;
	int code = vw_key_generate(&key, err);
	if (code == 0)
		code = ask_renewal(identity, key, join_sequence, vw_clock_now(), route, arena, &response, err);
	/* our clock is off: the controller's own time serves for one more try */
	if (code == 0 && response->answer_case == VERIFYWISE__V1__ENROLL_RESPONSE__ANSWER_REJECTION &&
	    response->rejection->reason == VW_REJECTION_CLOCK_SKEW)
		code = ask_renewal(identity, key, join_sequence, response->rejection->server_time, route, arena,
				   &response, err);
	if (code < 0)
		return code;
	if (response->answer_case == VERIFYWISE__V1__ENROLL_RESPONSE__ANSWER_REJECTION) {
		*out_rejection = response->rejection;
		return vw_error_set(err, VW_EAUTH, "%s refused to renew the certificate: %s",
				    vw_identity_url(identity),
				    response->rejection->text ? response->rejection->text : "no reason was given");
	}
	if (response->answer_case != VERIFYWISE__V1__ENROLL_RESPONSE__ANSWER_ISSUED)
		return vw_error_set(err, VW_EINVAL, "%s: the answer says nothing", vw_identity_url(identity));
	code = check_issued(response->issued, key, vw_identity_issued(identity)->agent_id, arena, err);
	return code < 0 ? code : vw_identity_take_pending(identity, key, response->issued, err);
}
