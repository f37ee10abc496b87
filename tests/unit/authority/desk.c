#include "desk.h"

#include "base/digest.h"
#include "base/log.h"

#include "backend.h"

struct desk desk;

/* ---- a store that counts ---- */

static const struct vw_fleet_ops *plain;
static struct vw_fleet_ops counting;

static int count_token(struct vw_fleet_store *s, struct vw_arena *a, const char *id, vw_enrollment_token **out,
		       struct vw_error *e)
{
	desk.counted.tokens++;
	return plain->token_get(s, a, id, out, e);
}

static int count_organization(struct vw_fleet_store *s, struct vw_arena *a, int32_t organization,
			      vw_organization **out, struct vw_error *e)
{
	desk.counted.organizations++;
	return plain->organization_get(s, a, organization, out, e);
}

static int count_agent(struct vw_fleet_store *s, struct vw_arena *a, int32_t organization, const char *id,
		       vw_agent **out, struct vw_error *e)
{
	desk.counted.agents++;
	return plain->agent_get(s, a, organization, id, out, e);
}

static int count_enrolment(struct vw_fleet_store *s, const char *token, int64_t now, const vw_agent *agent,
			   struct vw_error *e)
{
	desk.counted.enrolments++;
	return plain->agent_enroll(s, token, now, agent, e);
}

static void let_it_count(struct vw_fleet_store *store)
{
	plain = store->ops;
	counting = *plain;
	counting.token_get = count_token;
	counting.organization_get = count_organization;
	counting.agent_get = count_agent;
	counting.agent_enroll = count_enrolment;
	store->ops = &counting;
}

void desk_count(void)
{
	memset(&desk.counted, 0, sizeof(desk.counted));
}

/* ---- the desk ---- */

int desk_open(void **state)
{
	struct vw_fleet_store_settings store = {.url = "lmdb:store", .create = true};
	vw_organization *organization;
	if (enter_folder(state) != 0)
		return -1;
	vw_log_setup(VW_LOG_ERROR, VW_LOG_TEXT);
	desk.settings = settings_of("authority");
	desk.authority = found(&desk.settings);
	assert_ok(vw_fleet_store_open(&store, &desk.store, &err), err);
	let_it_count(desk.store);
	desk.enroller = (struct vw_enroller){desk.store, desk.authority, "controller.example:8444"};
	desk.now = vw_clock_now();
	assert_ok(vw_fleet_organization_create(desk.store, arena, 0, "one", &organization, &err), err);
	desk.organization = organization->id;
	assert_ok(vw_fleet_organization_create(desk.store, arena, 0, "other", &organization, &err), err);
	desk.other = organization->id;
	return 0;
}

int desk_close(void **state)
{
	vw_fleet_store_close(desk.store);
	vw_authority_close(desk.authority);
	return leave_folder(state);
}

const char *new_token(int32_t organization, uint32_t uses, int64_t life_ms, char public_id[VW_TOKEN_ID_MAX])
{
	char id[VW_TOKEN_ID_MAX];
	struct vw_secret *line;
	assert_ok(vw_enroll_token(&desk.enroller, organization, "label", desk.now + life_ms, uses, "local:tester",
				  desk.now, &line, id, &err),
		  err);
	const char *copy = vw_arena_strdup(arena, vw_secret_text(line));
	vw_secret_close(line);
	if (public_id)
		memcpy(public_id, id, sizeof(id));
	return copy;
}

uint32_t uses_of(const char *public_id)
{
	vw_enrollment_token *token;
	assert_ok(vw_fleet_token_get(desk.store, arena, public_id, &token, &err), err);
	return token->uses;
}

/* ---- who comes to it ---- */

void new_agent(struct agent *agent)
{
	vw_random_uuid(agent->id);
	vw_random_bytes(agent->sealing, sizeof(agent->sealing));
	assert_ok(vw_key_generate(&agent->enrollment, &err), err);
	assert_ok(vw_key_generate(&agent->stream, &err), err);
}

void agent_close(struct agent *agent)
{
	vw_key_close(agent->enrollment);
	vw_key_close(agent->stream);
}

vw_agent *row_of(const struct agent *agent, int32_t organization)
{
	vw_agent *row;
	assert_ok(vw_fleet_agent_get(desk.store, arena, organization, agent->id, &row, &err), err);
	return row;
}

void sign_again(const struct agent *agent, vw_enroll_request *r)
{
	size_t len;
	uint8_t *signature = vw_arena_alloc(arena, VW_SIGNATURE_MAX);
	struct vw_bytes csr = {r->csr.data, r->csr.len};
	assert_ok(
	    vw_key_sign(agent->enrollment, "verifywise.enroll.v1", bytes_of(r->agent_id), csr, signature, &len, &err),
	    err);
	VW_SET_BYTES(r, enrollment_signature, signature, len);
}

vw_enroll_request *enroll_request(const struct agent *agent, const char *token)
{
	struct vw_bytes csr, public;
	vw_enroll_request *r = vw_message_new(arena, &verifywise__v1__enroll_request__descriptor);
	assert_ok(vw_csr_make(agent->stream, arena, &csr, &err), err);
	assert_ok(vw_key_public(agent->enrollment, arena, &public, &err), err);
	r->token = (char *)token;
	r->agent_id = (char *)agent->id;
	r->agent_version = (char *)"0.1.0";
	r->hostname = (char *)"host";
	VW_SET_BYTES(r, csr, csr.data, csr.len);
	VW_SET_BYTES(r, enrollment_key, public.data, public.len);
	VW_SET_BYTES(r, sealing_key, agent->sealing, 32);
	VW_SET(r, sent_at, desk.now);
	sign_again(agent, r);
	return r;
}

struct vw_bytes packed(const ProtobufCMessage *message)
{
	struct vw_bytes bytes;
	bytes.data = vw_message_pack(arena, message, &bytes.len);
	assert_non_null(bytes.data);
	return bytes;
}

vw_enroll_response *enroll_bytes(struct vw_bytes request)
{
	void *response;
	struct vw_bytes out;
	assert_ok(vw_enroll(&desk.enroller, request, "192.0.2.1", desk.now, arena, &out, &err), err);
	assert_ok(vw_message_unpack(arena, &verifywise__v1__enroll_response__descriptor, out.data, out.len, "answer",
				    &response, &err),
		  err);
	return response;
}

vw_enroll_response *enroll(const vw_enroll_request *request)
{
	return enroll_bytes(packed(&request->base));
}

void assert_refused(const vw_enroll_response *response, vw_rejection_reason reason, const char *words)
{
	assert_int_equal(response->answer_case, VERIFYWISE__V1__ENROLL_RESPONSE__ANSWER_REJECTION);
	if (response->rejection->reason != reason || !strstr(response->rejection->text, words))
		fail_msg("%d: %s", response->rejection->reason, response->rejection->text);
	assert_int_equal(response->rejection->server_time, desk.now);
}

void assert_issued(const vw_enroll_response *response, const struct agent *agent, int32_t organization)
{
	size_t count;
	struct vw_bytes public;
	struct vw_certificate_facts facts;
	if (response->answer_case != VERIFYWISE__V1__ENROLL_RESPONSE__ANSWER_ISSUED)
		fail_msg("refused: %s", response->rejection->text);
	const vw_issued *issued = response->issued;
	assert_int_equal(issued->n_certificates, 1);
	assert_int_equal(issued->n_authorities, 1);
	struct vw_bytes der = {issued->certificates[0].data, issued->certificates[0].len};
	const struct vw_bytes *ca = vw_authority_chain(desk.authority, &count);
	assert_ok(vw_certificate_check(der, NULL, 0, ca, 1, VW_USE_AGENT, desk.now, &err), err);
	assert_ok(vw_certificate_read(der, arena, &facts, &err), err);
	assert_ok(vw_key_public(agent->stream, arena, &public, &err), err);
	assert_same(facts.public_key, public);
	assert_string_equal(facts.id.agent_id, agent->id);
	assert_int_equal(facts.id.organization, organization);
	assert_string_equal(facts.id.trust_domain, DOMAIN);
	assert_string_equal(issued->agent_id, agent->id);
	assert_int_equal(atoi(issued->organization), organization);
	assert_string_equal(issued->trust_domain, DOMAIN);
	assert_string_equal(issued->session_endpoint, "controller.example:8444");
	assert_int_equal(issued->server_time, desk.now);
	vw_agent *row = row_of(agent, organization);
	assert_string_equal(row->pending_serial, facts.serial);
	assert_int_equal(row->pending_not_after / 1000, facts.not_after / 1000);
}

struct vw_bytes enrolled(const struct agent *agent, const char *token)
{
	vw_enroll_response *response = enroll(enroll_request(agent, token));
	assert_issued(response, agent, desk.organization);
	return (struct vw_bytes){response->issued->certificates[0].data, response->issued->certificates[0].len};
}

int trail_count(const char *action, const char *object, const char **out_text)
{
	struct vw_page page = {.limit = 1000};
	vw_controller_event **events;
	size_t count;
	char *cursor;
	int found = 0;
	assert_ok(vw_fleet_event_log(desk.store, arena, 0, &page, &events, &count, &cursor, &err), err);
	for (size_t i = 0; i < count; i++) {
		if (strcmp(events[i]->action, action) != 0 || strcmp(events[i]->object, object) != 0)
			continue;
		found++;
		if (out_text)
			*out_text = events[i]->text;
	}
	return found;
}
