/* enroll.c: getting an identity from a controller. */
#include "https.h"
#include "identity_files.h"
#include "issued.h"

#include "base/clock.h"
#include "base/digest.h"
#include "base/file.h"
#include "base/limits.h"
#include "base/text.h"
#include "fleet/token.h"
#include "proto/message.h"
#include "storage/uplink.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define ENROLL_DOMAIN "verifywise.enroll.v1"

static int no_memory(struct vw_error *err)
{
	return vw_error_set(err, VW_ENOMEM, "no memory for the enrolment");
}

static struct vw_bytes text_of(const char *text)
{
	return (struct vw_bytes){text, strlen(text)};
}

/* One enrolment on its way. */
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
	struct vw_buffer pem, root;
	struct vw_bytes *chain;
	size_t count;
	uint8_t digest[32];
	struct vw_https_request request = {
	    .url = e->asked->url, .path = "/enroll/v1/authorities", .route = &e->asked->route};
	vw_buffer_init(&pem, VW_MAX_CERTIFICATES * VW_MAX_CERTIFICATE * 2);
	vw_buffer_init(&root, 0);
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
		code = vw_certificate_pem(chain[i], &root);
		e->authorities = vw_arena_strdup(e->arena, vw_buffer_text(&root));
		vw_buffer_reset(&root);
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
	/* it may be any bytes, which the request cannot carry */
	if (gethostname(hostname, 255) < 0 || !vw_utf8_valid(hostname, strlen(hostname)))
		hostname[0] = 0;
	int code = vw_csr_make(e->key, e->arena, &csr, err);
	if (code == 0)
		code = vw_key_public(e->enrollment, e->arena, &public, err);
	if (code == 0)
		code = vw_key_sign(e->enrollment, ENROLL_DOMAIN, text_of(e->agent_id), csr, signature, &len, err);
	if (code < 0)
		return code;
	request->token = (char *)vw_secret_text(e->asked->token);
	request->agent_id = e->agent_id;
	request->agent_version = (char *)e->asked->agent_version;
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
	struct vw_expected expected = {
	    .key = e->key, .agent_id = e->agent_id, .authorities = &e->root, .authority_count = 1};
	struct vw_question question = {.url = e->asked->url,
				       .path = "/enroll/v1/enroll",
				       .message = &request.base,
				       .secret = true,
				       .authorities = e->authorities,
				       .route = &e->asked->route};
	int code = fill_request(e, &request, err);
	if (code == 0)
		code = vw_question_ask(&question, e->arena, &response, err);
	if (code < 0)
		return code;
	if (response->answer_case == VERIFYWISE__V1__ENROLL_RESPONSE__ANSWER_REJECTION)
		return refused(e, response->rejection, err);
	*out = response->issued;
	return vw_issued_check(*out, &expected, e->arena, err);
}

/* Whose ledger it is already. */
static int check_ledger(const struct enrolling *e, const vw_issued *issued, struct vw_error *err)
{
	const char *before = vw_store_identity(e->store)->organization;
	if (!before || !before[0] || strcmp(before, issued->organization) == 0)
		return 0;
	return vw_error_set(
	    err, VW_EBUSY,
	    "this ledger belongs to organization %s and cannot go to organization %s; use another state "
	    "folder (--state) for that one",
	    before, issued->organization);
}

/* The chain becomes the organization's, and the agent's. Done twice it is done once. */
static int take_over_ledger(struct enrolling *e, const vw_issued *issued, struct vw_error *err)
{
	const char *text =
	    vw_arena_printf(e->arena, "enrolled as agent %s of organization %s (%s)", issued->agent_id,
			    issued->organization, issued->organization_name ? issued->organization_name : "");
	return text
		   ? vw_identity_take_over(e->store, issued->organization, issued->agent_id, e->asked->url, text, err)
		   : no_memory(err);
}

static int write_held(struct enrolling *e, const vw_issued *issued, struct vw_error *err)
{
	size_t len;
	vw_held_identity held = VERIFYWISE__V1__HELD_IDENTITY__INIT;
	vw_issued slim = *issued; /* certificates are in files of their own */
	slim.n_certificates = slim.n_authorities = 0;
	held.issued = &slim;
	held.url = (char *)e->asked->url;
	VW_SET(&held, enrolled_at, vw_clock_now());
	uint8_t *packed = vw_message_pack(e->arena, &held.base, &len);
	const char *path = path_of(e, "controller.pb");
	return packed && path ? vw_file_write(path, packed, len, 0600, err) : no_memory(err);
}

/* A pair that an earlier identity did not come to use would be shown before this one. */
static int drop_pending(struct enrolling *e, struct vw_error *err)
{
	static const char *const names[] = {"pending.key", "pending.pem"};
	for (size_t i = 0; i < 2; i++) {
		const char *path = path_of(e, names[i]);
		if (!path)
			return no_memory(err);
		if (unlink(path) < 0 && errno != ENOENT)
			return vw_error_set(err, VW_EIO, "cannot delete %s: %s", path, strerror(errno));
	}
	return 0;
}

static int write_identity(struct enrolling *e, const vw_issued *issued, struct vw_error *err)
{
	const char *authorities = path_of(e, "authorities.pem");
	if (!authorities)
		return no_memory(err);
	int code = vw_identity_write_pair(e->arena, e->folder, "current", e->key, issued, err);
	if (code == 0)
		code = vw_certificates_write_file(authorities, &e->root, 1, 0600, err);
	if (code == 0)
		code = drop_pending(e, err);
	return code < 0 ? code : write_held(e, issued, err); /* last: with it the agent is enrolled */
}

/* ---- as a new agent ---- */

/* New keys under a new id, made beside the old identity: that stays in force until the new one is whole. A try that was cut off or refused goes on with
 * the same. */
static int begin_new_agent(struct enrolling *e, struct vw_error *err)
{
	struct vw_buffer text;
	e->folder = vw_identity_new_path(e->arena, e->asked->state_dir, "");
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
static int put_in_place(struct enrolling *e, const char *agent_id, struct vw_error *err)
{
	const char *place = vw_identity_path(e->arena, e->asked->state_dir, "");
	const char *from = vw_identity_new_path(e->arena, e->asked->state_dir, "");
	const char *id = vw_identity_new_path(e->arena, e->asked->state_dir, "agent_id");
	char *aside = place ? vw_arena_printf(e->arena, "%s.before-%s", place, agent_id) : NULL;
	if (!from || !id || !aside)
		return no_memory(err);
	unlink(id);
	if (rename(place, aside) < 0 && errno != ENOENT)
		return vw_error_set(err, VW_EIO, "cannot rename %s to %s: %s", place, aside, strerror(errno));
	if (rename(from, place) < 0)
		return vw_error_set(err, VW_EIO, "cannot rename %s to %s: %s", from, place, strerror(errno));
	return 0;
}

/* The files are whole, and the old identity is not used any more (identity.c): the rest needs no controller. */
static int complete_new_agent(struct enrolling *e, vw_issued **out, struct vw_error *err)
{
	vw_held_identity *held;
	const char *path = vw_identity_new_path(e->arena, e->asked->state_dir, "controller.pb");
	if (!path)
		return no_memory(err);
	int code = vw_identity_read_held(e->arena, path, &held, err);
	if (code == 0)
		code = check_ledger(e, held->issued, err);
	if (code == 0)
		code = take_over_ledger(e, held->issued, err);
	if (code == 0)
		code = put_in_place(e, held->issued->agent_id, err);
	if (code == 0)
		*out = held->issued;
	return code;
}

/* ---- all of it ---- */

static int get_issued(struct enrolling *e, bool new_agent, vw_issued **out, struct vw_error *err)
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
	return code < 0 ? code : check_ledger(e, *out, err);
}

/* A crash before the last file leaves an agent that is what it was; enrolling again goes on with the same keys. */
static int enroll(struct enrolling *e, bool new_agent, vw_issued **out, struct vw_error *err)
{
	int code = get_issued(e, new_agent, out, err);
	if (code < 0)
		return code;
	if (!new_agent) {
		code = take_over_ledger(e, *out, err);
		return code < 0 ? code : write_identity(e, *out, err);
	}
	code = write_identity(e, *out, err);
	return code < 0 ? code : complete_new_agent(e, out, err);
}

int vw_identity_enroll(struct vw_store *store, const struct vw_enrollment *enrollment, bool new_agent,
		       struct vw_arena *arena, vw_issued **out_issued, struct vw_error *err)
{
	struct enrolling e = {.asked = enrollment, .store = store, .arena = arena};
	const char *held = vw_identity_path(arena, enrollment->state_dir, "controller.pb");
	const char *staged = vw_identity_new_path(arena, enrollment->state_dir, "controller.pb");
	e.folder = vw_identity_path(arena, enrollment->state_dir, "");
	if (!held || !staged || !e.folder)
		return no_memory(err);
	if (access(staged, F_OK) == 0)
		return complete_new_agent(&e, out_issued, err);
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
