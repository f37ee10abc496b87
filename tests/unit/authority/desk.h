/* desk.h: a controller's desk for enrolment, over an embedded store, and those who come to it. */
#ifndef TEST_AUTHORITY_DESK_H
#define TEST_AUTHORITY_DESK_H

#include "founding.h"

#include "fleet/seal.h"
#include "identity/enroll.h"
#include "proto/message.h"

#include <stdatomic.h>

/* In the current folder. `counted` are the questions that the store was asked since desk_count(). */
struct desk {
	struct vw_authority_settings settings;
	struct vw_authority *authority;
	struct vw_fleet_store *store;
	struct vw_enroller enroller;
	int32_t organization, other;
	int64_t now;
	struct {
		atomic_int tokens, organizations, agents, enrolments;
	} counted;
};
extern struct desk desk;
int desk_open(void **state); /* group setup: with two organizations */
int desk_close(void **state);
void desk_count(void); /* from zero */

/* A new token; its line. `public_id` may be NULL. */
const char *new_token(int32_t organization, uint32_t uses, int64_t life_ms, char public_id[VW_TOKEN_ID_MAX]);
uint32_t uses_of(const char *public_id);

/* An agent: its keys and its id. */
struct agent {
	char id[VW_AGENT_ID_MAX];
	struct vw_key *enrollment, *stream;
	uint8_t sealing[32];
};
void new_agent(struct agent *agent);
void agent_close(struct agent *agent);
vw_agent *row_of(const struct agent *agent, int32_t organization);

/* What a good agent would send; the test changes it before it is sent. */
vw_enroll_request *enroll_request(const struct agent *agent, const char *token);
/* The same with the signature made anew, over what the request has now. */
void sign_again(const struct agent *agent, vw_enroll_request *request);
struct vw_bytes packed(const ProtobufCMessage *message);

/* The answer, which is one. */
vw_enroll_response *enroll_bytes(struct vw_bytes request);
vw_enroll_response *enroll(const vw_enroll_request *request);
/* The certificate that was issued; fails the test when it was refused. */
struct vw_bytes enrolled(const struct agent *agent, const char *token);
/* Fails the test when the answer is no refusal for this reason, or lacks the words. */
void assert_refused(const vw_enroll_response *response, vw_rejection_reason reason, const char *words);
/* That this was issued for the agent's stream key, under the CA. */
void assert_issued(const vw_enroll_response *response, const struct agent *agent, int32_t organization);

/* How many events of this kind the trail has about an agent; `out_text` may be NULL. */
int trail_count(const char *action, const char *object, const char **out_text);

#endif
