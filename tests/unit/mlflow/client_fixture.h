/* client_fixture.h: a client, a server that does what a test tells it to, and what came of the last call. */
#ifndef TEST_CLIENT_FIXTURE_H
#define TEST_CLIENT_FIXTURE_H

#include "cmocka_all.h"

#include "fault_server.h"
#include "mlflow/client.h"

#include <signal.h>

#define FIXTURE_NAMES 64

struct fixture {
	struct fault_server server;
	struct vw_credentials *credentials;
	struct vw_mlflow *client;
	struct vw_error err;
	volatile sig_atomic_t cancel;
	/* of the last answer */
	int answers;
	int code;
	int status;
	size_t count;
	size_t malformed;
	bool has_token;
	char names[FIXTURE_NAMES][64]; /* what its objects are called */
	char message[VW_ERROR_MESSAGE_MAX];
};

/* For main: proxies, credentials and a home of the machine's own would be used otherwise. */
void fixture_forget_environment(void);

int fixture_setup(void **state);
int fixture_teardown(void **state);
#define FIXTURE_TEST(f) cmocka_unit_test_setup_teardown(f, fixture_setup, fixture_teardown)

/* Starts the server and opens a client at it; the tracking URI is filled in unless it is given. */
void fixture_start(struct fixture *f, fault_handler handler, struct vw_mlflow_settings settings);
void fixture_stop(struct fixture *f); /* both; another start may follow */

/* Works until no call is outstanding, which must succeed. */
void fixture_run(struct fixture *f);
/* A callback: notes the answer. */
void fixture_note(void *arg, const struct vw_mlflow_answer *answer);
/* One experiments/get to its end; its code. */
int fixture_ask(struct fixture *f);

int fixture_requests(const struct fixture *f);
/* Request number `n` as the server saw it. */
const char *fixture_seen(const struct fixture *f, int n);

#endif
