/* What the operator may give as the server and how to reach it, and what is said of the rest. */
#include "cmocka_all.h"

#include "attempt.h"
#include "http/curl.h"

#include <stdlib.h>
#include <string.h>

struct fixture {
	struct vw_credentials *credentials;
	struct vw_endpoint endpoint;
	struct vw_error err;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	const struct vw_credential_settings settings = {0};
	setenv("HOME", "/nonexistent", 1);
	assert_true(vw_curl_init());
	assert_int_equal(vw_credentials_open(&settings, &f->credentials, &f->err), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	vw_endpoint_reset(&f->endpoint);
	vw_credentials_close(f->credentials);
	free(f);
	return 0;
}

static int use(struct fixture *f, struct vw_mlflow_settings settings)
{
	vw_endpoint_reset(&f->endpoint);
	return vw_endpoint_init(&f->endpoint, &settings, f->credentials, &f->err);
}

static void tracking_uris(void **state)
{
	struct fixture *f = *state;
	static const char *const good[][2] = {
	    {"http://127.0.0.1:5000", "http://127.0.0.1:5000"}, {"http://127.0.0.1:5000/", "http://127.0.0.1:5000"},
	    {"http://host/ml/flow//", "http://host/ml/flow"},   {"HTTP://host:80/a%20b", "http://host:80/a%20b"},
	    {"http://[::1]:5000", "http://[::1]:5000"},
	};
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_int_equal(use(f, (struct vw_mlflow_settings){.tracking_uri = good[i][0]}), 0);
		assert_string_equal(f->endpoint.base, good[i][1]);
		assert_false(f->endpoint.tls);
	}
}

static void tracking_uris_that_are_no_server(void **state)
{
	struct fixture *f = *state;
	static const char *const bad[] = {"",
					  "   ",
					  "databricks",
					  "sqlite:///x.db",
					  "file:///x",
					  "ftp://host",
					  "http://",
					  "host:5000",
					  "./mlruns",
					  "http://ho st",
					  "http://h/?x=1",
					  "http://h/#x",
					  "http://h:99999",
					  "http://h/?token=sekret"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(use(f, (struct vw_mlflow_settings){.tracking_uri = bad[i]}), VW_ECONFIG);
		assert_non_null(strstr(f->err.message, "tracking URI"));
		assert_null(strstr(f->err.message, "sekret"));
		assert_null(f->endpoint.base);
	}
	assert_int_equal(use(f, (struct vw_mlflow_settings){.tracking_uri = NULL}), VW_ECONFIG);
	assert_non_null(strstr(f->err.message, "MLFLOW_TRACKING_URI"));
}

static void user_info_does_not_belong_there(void **state)
{
	struct fixture *f = *state;
	static const char *const bad[] = {"http://alice:sekret@host/", "http://alice@host", "http://:sekret@host"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(use(f, (struct vw_mlflow_settings){.tracking_uri = bad[i]}), VW_ECONFIG);
		assert_null(strstr(f->err.message, "sekret"));
		assert_null(strstr(f->err.message, "alice"));
	}
}

static void ca_files(void **state)
{
	struct fixture *f = *state;
	struct vw_mlflow_settings s = {.tracking_uri = "https://host", .ca_file = "/nonexistent/ca.pem"};
	assert_int_equal(use(f, s), VW_ECONFIG);
	assert_non_null(strstr(f->err.message, "/nonexistent/ca.pem"));
	s.ca_file = "/etc/passwd"; /* looked at when it is used */
	assert_int_equal(use(f, s), 0);
	assert_string_equal(f->endpoint.ca_file, "/etc/passwd");
	assert_true(f->endpoint.tls);
	s.insecure_tls = true;
	assert_int_equal(use(f, s), 0);
	assert_null(f->endpoint.ca_file);
	s = (struct vw_mlflow_settings){.tracking_uri = "https://host"};
	setenv("SSL_CERT_FILE", "/nonexistent/env.pem", 1);
	assert_int_equal(use(f, s), VW_ECONFIG);
	setenv("SSL_CERT_FILE", "/etc/passwd", 1);
	assert_int_equal(use(f, s), 0);
	assert_string_equal(f->endpoint.ca_file, "/etc/passwd");
	unsetenv("SSL_CERT_FILE");
	s.tracking_uri = "http://host"; /* nothing to check */
	s.ca_file = "/nonexistent/ca.pem";
	assert_int_equal(use(f, s), 0);
}

static int with_header(struct fixture *f, const char *line)
{
	const char *headers[] = {"X-Good: yes", line, NULL};
	return use(f, (struct vw_mlflow_settings){.tracking_uri = "http://host", .headers = headers});
}

static void headers(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(with_header(f, "X-Api-Key: abc"), 0);
	assert_int_equal(with_header(f, "Host: mlflow.example.org"), 0); /* host validation of 3.5+ */
	assert_int_equal(with_header(f, "Authorization: Custom abc"), 0);
	static const char *const bad[] = {"sekret",
					  ": sekret",
					  "a b: sekret",
					  "X-A: sekret\r\nX-B: y",
					  "X-A: sekret\n",
					  "X-A: sekret\x7f",
					  "Origin: http://sekret",
					  "content-length: 5",
					  "Transfer-Encoding: chunked",
					  "X-HTTP-Method-Override: DELETE"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(with_header(f, bad[i]), VW_ECONFIG);
		assert_non_null(strstr(f->err.message, "header 2"));
		assert_null(strstr(f->err.message, "sekret"));
	}
}

static void authorization_given_twice(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(vw_credentials_add_userinfo(f->credentials, "u:p", &f->err), 0);
	assert_int_equal(with_header(f, "authorization: Bearer sekret"), VW_ECONFIG);
	assert_null(strstr(f->err.message, "sekret"));
}

static void defaults(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(use(f, (struct vw_mlflow_settings){.tracking_uri = "http://host"}), 0);
	const struct vw_mlflow_settings *s = &f->endpoint.settings;
	assert_int_equal(s->connections, 4);
	assert_int_equal(s->burst, 40);
	assert_int_equal(s->retries, 5);
	assert_int_equal(s->connect_timeout_ms, 10000);
	assert_int_equal(s->request_timeout_ms, 120000);
	assert_int_equal(s->cycle_timeout_ms, 0);
	assert_true(s->requests_per_second > 19 && s->requests_per_second < 21);
	static const struct vw_mlflow_settings bad[] = {{.tracking_uri = "http://h", .connections = -1},
							{.tracking_uri = "http://h", .connections = 1000},
							{.tracking_uri = "http://h", .requests_per_second = -1},
							{.tracking_uri = "http://h", .burst = -2},
							{.tracking_uri = "http://h", .request_timeout_ms = -1},
							{.tracking_uri = "http://h", .page_runs = -1}};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(use(f, bad[i]), VW_ECONFIG);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {TEST(tracking_uris),
					   TEST(tracking_uris_that_are_no_server),
					   TEST(user_info_does_not_belong_there),
					   TEST(ca_files),
					   TEST(headers),
					   TEST(authorization_given_twice),
					   TEST(defaults)};
	unsetenv("SSL_CERT_FILE");
	unsetenv("MLFLOW_TRACKING_TOKEN");
	unsetenv("MLFLOW_TRACKING_USERNAME");
	unsetenv("MLFLOW_TRACKING_PASSWORD");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
