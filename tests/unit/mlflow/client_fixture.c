#include "client_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void fixture_forget_environment(void)
{
	static const char *const variables[] = {"http_proxy",
						"HTTP_PROXY",
						"all_proxy",
						"ALL_PROXY",
						"no_proxy",
						"NO_PROXY",
						"SSL_CERT_FILE",
						"MLFLOW_TRACKING_USERNAME",
						"MLFLOW_TRACKING_PASSWORD",
						"MLFLOW_TRACKING_TOKEN",
						"MLFLOW_TRACKING_CREDENTIALS_FILE",
						"CREDENTIALS_DIRECTORY"};
	for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++)
		unsetenv(variables[i]);
	setenv("HOME", "/nonexistent", 1);
}

int fixture_setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	const struct vw_credential_settings none = {0};
	assert_non_null(f);
	assert_int_equal(vw_credentials_open(&none, &f->credentials, &f->err), 0);
	*state = f;
	return 0;
}

void fixture_stop(struct fixture *f)
{
	vw_mlflow_close(f->client);
	f->client = NULL;
	fault_server_stop(&f->server);
}

int fixture_teardown(void **state)
{
	struct fixture *f = *state;
	fixture_stop(f);
	vw_credentials_close(f->credentials);
	free(f);
	return 0;
}

void fixture_start(struct fixture *f, fault_handler handler, struct vw_mlflow_settings settings)
{
	fault_server_start(&f->server, handler);
	if (!settings.tracking_uri)
		settings.tracking_uri = f->server.uri;
	if (!settings.retries)
		settings.retries = 2;
	assert_int_equal(vw_mlflow_open(&settings, f->credentials, &f->cancel, &f->client, &f->err), 0);
}

void fixture_run(struct fixture *f)
{
	assert_int_equal(vw_mlflow_run(f->client, &f->err), 0);
}

static const char *name_of(const struct vw_mlflow_answer *answer, size_t i)
{
	if (answer->models)
		return answer->models[i]->name;
	if (answer->versions)
		return answer->versions[i]->name;
	if (answer->runs)
		return answer->runs[i]->run_id;
	if (answer->experiments)
		return answer->experiments[i]->experiment_id;
	if (answer->logged_models)
		return answer->logged_models[i]->model_id;
	return answer->texts[i];
}

void fixture_note(void *arg, const struct vw_mlflow_answer *answer)
{
	struct fixture *f = arg;
	f->answers++;
	f->code = answer->code;
	f->status = answer->http_status;
	f->count = answer->count;
	f->malformed = answer->malformed;
	f->has_token = answer->next_page_token;
	strcpy(f->message, answer->error->message);
	for (size_t i = 0; i < answer->count && i < FIXTURE_NAMES; i++)
		snprintf(f->names[i], sizeof(f->names[i]), "%s", name_of(answer, i));
}

int fixture_ask(struct fixture *f)
{
	f->answers = 0;
	assert_int_equal(vw_mlflow_get_experiment(f->client, "7", fixture_note, f), 0);
	fixture_run(f);
	assert_int_equal(f->answers, 1);
	return f->code;
}

int fixture_requests(const struct fixture *f)
{
	return atomic_load(&f->server.shared->requests);
}

const char *fixture_seen(const struct fixture *f, int n)
{
	return f->server.shared->log[n];
}
