/* What the server's refusals mean, and that no message gives a secret away (S2.1, S4.2, S12). */
#include "client_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define GOOD "{\"experiment\":{\"experiment_id\":\"7\",\"name\":\"e\"}}"

/* ---- what a status means ---- */

static bool status_by_id(int fd, int n, const char *request)
{
	int status = 0;
	(void)n;
	const char *id = strstr(request, "experiment_id=");
	sscanf(id ? id : "", "experiment_id=%d", &status);
	const char *json = "{\"error_code\":\"INVALID_PARAMETER_VALUE\",\"message\":\"no\"}";
	if (status == 1404)
		json = "{\"error_code\":\"RESOURCE_DOES_NOT_EXIST\",\"message\":\"gone\"}";
	if (status == 1500)
		json = "{\"error_code\":\"FEATURE_DISABLED\",\"message\":\"off\"}";
	if (status == 2404)
		json = "{\"error_code\":\"ENDPOINT_NOT_FOUND\",\"message\":\"what\"}";
	if (status == 404 || status == 405)
		json = "<!doctype html>\n<title>404</title>";
	if (status == 1403)
		json = "Invalid Host header";
	return fault_answer(fd, status % 1000, "", json);
}

static void statuses(void **state)
{
	struct fixture *f = *state;
	static const struct {
		const char *id;
		int code;
		const char *said;
	} cases[] = {
	    {"400", VW_EINVAL, "INVALID_PARAMETER_VALUE: no"},
	    {"401", VW_EAUTH, "credentials: none"},
	    {"403", VW_EFORBIDDEN, "403"},
	    {"1403", VW_EFORBIDDEN, "MLFLOW_SERVER_ALLOWED_HOSTS"},
	    {"404", VW_EUNSUPPORTED, "path prefix"}, /* no proof that the object is gone */
	    {"1404", VW_ENOTFOUND, "gone"},
	    {"2404", VW_EUNSUPPORTED, "ENDPOINT_NOT_FOUND"},
	    {"405", VW_EUNSUPPORTED, "405"},
	    {"409", VW_EINVAL, "409"},
	    {"413", VW_ELIMIT, "413"},
	    {"501", VW_EUNSUPPORTED, "501"},
	    {"1500", VW_EUNSUPPORTED, "FEATURE_DISABLED"},
	    {"204", VW_EINVAL, "204"},
	};
	fixture_start(f, status_by_id, (struct vw_mlflow_settings){0});
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int before = fixture_requests(f);
		assert_int_equal(vw_mlflow_get_experiment(f->client, cases[i].id, fixture_note, f), 0);
		assert_int_equal(vw_mlflow_run(f->client, &f->err), 0);
		assert_int_equal(f->code, cases[i].code);
		assert_non_null(strstr(f->message, cases[i].said));
		assert_non_null(strstr(f->message, "experiments/get"));
		assert_int_equal(fixture_requests(f), before + 1); /* these do not pass */
	}
}

static bool redirects(int fd, int n, const char *request)
{
	(void)request;
	if (n > 0)
		return fault_answer(fd, 200, "", GOOD);
	return fault_answer(fd, 302, "Location: https://user:sekret@login.example.org/sso?ticket=sekret\r\n", "");
}

static void redirects_are_not_followed(void **state)
{
	struct fixture *f = *state;
	fixture_start(f, redirects, (struct vw_mlflow_settings){0});
	assert_int_equal(fixture_ask(f), VW_ECONFIG);
	assert_int_equal(fixture_requests(f), 1);
	assert_non_null(strstr(f->message, "login.example.org/sso"));
	assert_null(strstr(f->message, "sekret"));
}

static bool a_web_page(int fd, int n, const char *request)
{
	(void)n;
	(void)request;
	return fault_answer(fd, 200, "Content-Type: text/html\r\n", "<html>Please sign in</html>");
}

static void a_page_is_no_answer(void **state)
{
	struct fixture *f = *state;
	fixture_start(f, a_web_page, (struct vw_mlflow_settings){0});
	assert_int_equal(fixture_ask(f), VW_EINVAL);
	assert_int_equal(f->status, 200);
}

/* ---- secrets ---- */

/* A gateway that quotes the whole request in its error page. */
static bool echoes(int fd, int n, const char *request)
{
	char line[FAULT_LOG_BYTES];
	(void)n;
	size_t at = 0;
	for (const char *c = request; *c && at + 1 < sizeof(line); c++)
		line[at++] = *c == '\r' || *c == '\n' ? ' ' : *c;
	line[at] = '\0';
	return fault_answer(fd, 400, "", line);
}

static void an_echo_gives_no_secret_away(void **state)
{
	struct fixture *f = *state;
	const char *headers[] = {"X-Api-Key: k3y-value-sekret", NULL};
	assert_int_equal(vw_credentials_add_userinfo(f->credentials, "alice:pass-sekret", &f->err), 0);
	fixture_start(f, echoes, (struct vw_mlflow_settings){.headers = headers});
	assert_int_equal(fixture_ask(f), VW_EINVAL);
	assert_non_null(strstr(f->message, "X-Api-Key: ***"));
	assert_null(strstr(f->message, "sekret"));
	assert_null(strstr(f->message, "YWxpY2U6cGFzcy1zZWtyZXQ=")); /* alice:pass-sekret */
	/* what the server itself was sent */
	assert_non_null(strstr(f->server.shared->log[0], "Authorization: Basic YWxpY2U6cGFzcy1zZWtyZXQ="));
	assert_non_null(strstr(f->server.shared->log[0], "X-Api-Key: k3y-value-sekret"));
	assert_null(strcasestr(f->server.shared->log[0], "Origin:"));
}

static bool wants_the_new_token(int fd, int n, const char *request)
{
	(void)n;
	bool good = strstr(request, "Authorization: Bearer new-token\r\n");
	return good ? fault_answer(fd, 200, "", GOOD) : fault_answer(fd, 401, "", "who are you?");
}

static void write_token(const char *path, const char *text)
{
	char other[300];
	snprintf(other, sizeof(other), "%s.new", path);
	FILE *file = fopen(other, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
	assert_int_equal(rename(other, path), 0);
}

static void a_refused_token_is_read_again(void **state)
{
	struct fixture *f = *state;
	char path[] = "/tmp/vw-token-XXXXXX";
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	close(fd);
	write_token(path, "old-token");
	const struct vw_credential_settings settings = {.token_file = path};
	vw_credentials_close(f->credentials);
	assert_int_equal(vw_credentials_open(&settings, &f->credentials, &f->err), 0);
	fixture_start(f, wants_the_new_token, (struct vw_mlflow_settings){0});
	assert_int_equal(fixture_ask(f), VW_EAUTH);
	assert_int_equal(fixture_requests(f), 1); /* the same token again would be refused again */
	assert_non_null(strstr(f->message, path));
	assert_null(strstr(f->message, "old-token"));
	write_token(path, "new-token");
	assert_int_equal(fixture_ask(f), 0);
	assert_int_equal(fixture_requests(f), 3);
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    FIXTURE_TEST(statuses),
	    FIXTURE_TEST(redirects_are_not_followed),
	    FIXTURE_TEST(a_page_is_no_answer),
	    FIXTURE_TEST(an_echo_gives_no_secret_away),
	    FIXTURE_TEST(a_refused_token_is_read_again),
	};
	fixture_forget_environment();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
