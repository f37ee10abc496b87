/* fixture.h: the interface over an LMDB store and an authority in a folder that goes away again. */
#ifndef TEST_API_FIXTURE_H
#define TEST_API_FIXTURE_H

#include "cmocka_all.h"
#include "visit.h"

#define assert_ok(call)                                                                                              \
	do {                                                                                                         \
		struct vw_error *said = &f_err;                                                                      \
		said->message[0] = 0;                                                                                \
		int code_of_call = (call);                                                                           \
		if (code_of_call != 0)                                                                               \
			fail_msg("%s: %d, %s", #call, code_of_call, said->message);                                  \
	} while (0)

#define JWT_KEY "the-key-of-the-tests"

struct fixture {
	char folder[64];
	struct vw_fleet_store *store;
	struct vw_authority *authority;
	struct vw_enroller enroller;
	struct vw_secret *jwt_secret;
	struct vw_api *api;
	struct vw_arena *arena;
	int32_t organization, other; /* "acme", "other" */
	char operator[128], admin[128], auditor[128],
	    stranger[128]; /* Bearer tokens; the last is an admin of `other` */
};
extern struct vw_error f_err;

int fixture_open(void **state);
int fixture_close(void **state);
/* With another rate. */
void fixture_limit(struct fixture *f, double per_second, int burst);

/* One request; the response is the caller's to close. `token` NULL: none; `target` with its query. */
struct question {
	const char *method, *target, *token, *body, *type, *peer;
};
void ask(struct fixture *f, const struct question *question, struct vw_api_response *out);
/* The status, and what the body says: its JSON, which is the caller's. */
int ask_json(struct fixture *f, const char *method, const char *target, const char *token, const char *body,
	     json_t **out);
int ask_status(struct fixture *f, const char *method, const char *target, const char *token, const char *body);

#endif
