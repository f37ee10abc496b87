/* Requests signed with AWS SigV4, checked against a second reading of AWS's description (S4.1). */
#include "cmocka_all.h"

#include "base/buffer.h"
#include "base/digest.h"
#include "fault_server.h"
#include "mlflow/client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECRET_KEY "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
#define SESSION    "session-token/with+chars=="

struct fixture {
	struct fault_server server;
	struct vw_credentials *credentials;
	struct vw_mlflow *client;
	struct vw_error err;
	int code;
};

static bool good(int fd, int n, const char *request)
{
	(void)n;
	return strncmp(request, "GET", 3) == 0 ? fault_answer(fd, 200, "", "{\"registered_models\":[]}")
					       : fault_answer(fd, 200, "", "{\"runs\":[]}");
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	const struct vw_credential_settings aws = {.aws_sigv4 = true};
	setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE", 1);
	setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY, 1);
	setenv("AWS_SESSION_TOKEN", SESSION, 1);
	assert_int_equal(vw_credentials_open(&aws, &f->credentials, &f->err), 0);
	fault_server_start(&f->server, good);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	vw_mlflow_close(f->client);
	vw_credentials_close(f->credentials);
	fault_server_stop(&f->server);
	free(f);
	return 0;
}

static void note(void *arg, const struct vw_mlflow_answer *answer)
{
	((struct fixture *)arg)->code = answer->code;
}

/* ---- the other reading ---- */

static const char *header(const char *request, const char *name, char out[1024])
{
	char line[128];
	snprintf(line, sizeof(line), "\r\n%s:", name);
	const char *at = strcasestr(request, line);
	assert_non_null(at);
	at += strlen(line);
	at += strspn(at, " ");
	snprintf(out, 1024, "%.*s", (int)strcspn(at, "\r"), at);
	return out;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void append_query(struct vw_buffer *out, char *query)
{
	char *parts[32];
	size_t count = 0;
	for (char *part = strtok(query, "&"); part && count < 32; part = strtok(NULL, "&"))
		parts[count++] = part;
	qsort(parts, count, sizeof(*parts), by_text);
	for (size_t i = 0; i < count; i++)
		vw_buffer_printf(out, "%s%s", i ? "&" : "", parts[i]);
}

static void hash_hex(const void *bytes, size_t len, char out[VW_SHA256_HEX])
{
	uint8_t digest[VW_SHA256_SIZE];
	vw_sha256_of(bytes, len, digest);
	vw_hex_encode(digest, sizeof(digest), out);
}

static void canonical_request(struct vw_buffer *out, const char *request, const char *signed_headers)
{
	char method[8], target[4096], names[256], value[1024], digest[VW_SHA256_HEX];
	assert_int_equal(sscanf(request, "%7s %4095s", method, target), 2);
	char *query = strchr(target, '?');
	if (query)
		*query++ = '\0';
	vw_buffer_printf(out, "%s\n%s\n", method, target);
	if (query)
		append_query(out, query);
	vw_buffer_puts(out, "\n");
	snprintf(names, sizeof(names), "%s", signed_headers);
	for (char *name = strtok(names, ";"); name; name = strtok(NULL, ";"))
		vw_buffer_printf(out, "%s:%s\n", name, header(request, name, value));
	const char *body = strstr(request, "\r\n\r\n") + 4;
	hash_hex(body, strlen(body), digest);
	vw_buffer_printf(out, "\n%s\n%s", signed_headers, digest);
}

static void signature(const char *date, const char *to_sign, char out[VW_SHA256_HEX])
{
	static const char *const scope[] = {"eu-central-1", "execute-api", "aws4_request"};
	uint8_t k[VW_SHA256_SIZE];
	static const char first[] = "AWS4" SECRET_KEY;
	vw_hmac_sha256(first, strlen(first), date, 8, k);
	for (size_t i = 0; i < 3; i++)
		vw_hmac_sha256(k, sizeof(k), scope[i], strlen(scope[i]), k);
	vw_hmac_sha256(k, sizeof(k), to_sign, strlen(to_sign), k);
	vw_hex_encode(k, sizeof(k), out);
}

static void check(const char *request)
{
	char authorization[1024], date[1024], signed_headers[256], given[80], digest[VW_SHA256_HEX];
	char expected[VW_SHA256_HEX], day[16], to_sign[1280];
	struct vw_buffer canonical;

	header(request, "Authorization", authorization);
	header(request, "X-Amz-Date", date);
	assert_int_equal(sscanf(authorization,
				"AWS4-HMAC-SHA256 Credential=AKIAEXAMPLE/%8s/eu-central-1/execute-api/aws4_request, "
				"SignedHeaders=%255[^,], Signature=%79s",
				day, signed_headers, given),
			 3);
	assert_int_equal(strncmp(day, date, 8), 0);
	assert_non_null(strstr(signed_headers, "host;"));
	assert_non_null(strstr(signed_headers, "x-amz-date"));
	assert_non_null(strstr(signed_headers, "x-amz-security-token"));
	vw_buffer_init(&canonical, 0);
	canonical_request(&canonical, request, signed_headers);
	hash_hex(canonical.data, canonical.len, digest);
	snprintf(to_sign, sizeof(to_sign), "AWS4-HMAC-SHA256\n%s\n%s/eu-central-1/execute-api/aws4_request\n%s", date,
		 day, digest);
	signature(day, to_sign, expected);
	assert_string_equal(given, expected);
	vw_buffer_reset(&canonical);
}

static void signed_requests(void **state)
{
	struct fixture *f = *state;
	char token[1024];
	const char *experiments[] = {"1"};
	const char *runs[] = {"a", "b"};
	struct vw_mlflow_settings s = {
	    .tracking_uri = f->server.uri, .aws_sigv4_service = "execute-api", .aws_region = "eu-central-1"};
	struct vw_mlflow_query query = {.model = "a/b c'\xc3\xa4&=~", .page_token = "dG9rZW4=="};
	assert_int_equal(vw_mlflow_open(&s, f->credentials, NULL, &f->client, &f->err), 0);
	assert_int_equal(vw_mlflow_search_models(f->client, &query, note, f), 0);
	assert_int_equal(vw_mlflow_run(f->client, &f->err), 0);
	assert_int_equal(f->code, 0);
	assert_int_equal(vw_mlflow_search_runs(f->client, experiments, 1, runs, 2, note, f), 0);
	assert_int_equal(vw_mlflow_run(f->client, &f->err), 0);
	assert_int_equal(f->code, 0);
	check(f->server.shared->log[0]);
	check(f->server.shared->log[1]);
	assert_string_equal(header(f->server.shared->log[0], "x-amz-security-token", token), SESSION);
	assert_null(strstr(f->server.shared->log[0], SECRET_KEY));
}

/* curl 8.14 would sign it wrongly, and the gateway's refusal would look like a missing permission. */
static void a_plus_sign_is_refused_here(void **state)
{
	struct fixture *f = *state;
	struct vw_mlflow_settings s = {.tracking_uri = f->server.uri, .aws_region = "eu-central-1"};
	assert_int_equal(vw_mlflow_open(&s, f->credentials, NULL, &f->client, &f->err), 0);
	assert_int_equal(vw_mlflow_get_model(f->client, "a+b", note, f), 0);
	assert_int_equal(vw_mlflow_run(f->client, &f->err), 0);
	assert_int_equal(f->code, VW_EUNSUPPORTED);
	assert_int_equal(atomic_load(&f->server.shared->requests), 0);
}

static void a_region_is_needed(void **state)
{
	struct fixture *f = *state;
	struct vw_mlflow_settings s = {.tracking_uri = f->server.uri};
	assert_int_equal(vw_mlflow_open(&s, f->credentials, NULL, &f->client, &f->err), VW_ECONFIG);
	assert_non_null(strstr(f->err.message, "AWS_REGION"));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {TEST(signed_requests), TEST(a_plus_sign_is_refused_here),
					   TEST(a_region_is_needed)};
	unsetenv("http_proxy");
	unsetenv("HTTP_PROXY");
	unsetenv("all_proxy");
	unsetenv("ALL_PROXY");
	setenv("HOME", "/nonexistent", 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
