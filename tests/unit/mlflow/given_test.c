/* What the controller handed over beats what there is here, part by part, and what makes no credential changes nothing (S4.1, S4.2). */
#include "cmocka_all.h"

#include "mlflow/credential.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char home[64];

static int setup(void **state)
{
	struct vw_credentials *credentials;
	struct vw_error err = VW_ERROR_INIT;
	const struct vw_credential_settings none = {0};
	strcpy(home, "/tmp/vw-given-XXXXXX");
	assert_non_null(mkdtemp(home));
	setenv("HOME", home, 1);
	unsetenv("CREDENTIALS_DIRECTORY");
	unsetenv("MLFLOW_TRACKING_CREDENTIALS_FILE");
	assert_int_equal(vw_credentials_open(&none, &credentials, &err), 0);
	*state = credentials;
	return 0;
}

static int teardown(void **state)
{
	char command[96];
	vw_credentials_close(*state);
	snprintf(command, sizeof(command), "rm -r %s", home);
	return system(command);
}

/* Each part NULL: not given. */
static int give(struct vw_credentials *credentials, const char *username, const char *password, const char *token)
{
	const char *texts[3] = {username, password, token};
	struct vw_secret *parts[3];
	struct vw_error err = VW_ERROR_INIT;
	for (int i = 0; i < 3; i++)
		parts[i] = texts[i] ? vw_secret_open(texts[i], strlen(texts[i])) : NULL;
	int code = vw_credentials_give(credentials, parts[0], parts[1], parts[2], &err);
	for (int i = 0; i < 3; i++)
		vw_secret_close(parts[i]); /* it has copies */
	for (int i = 0; i < 3; i++)
		if (texts[i] && code < 0)
			assert_null(strstr(err.message, texts[i]));
	return code;
}

static void a_token_then_none(void **state)
{
	assert_int_equal(give(*state, NULL, NULL, "t0ken-of-theirs"), 1);
	assert_int_equal(vw_credentials_kind(*state), VW_CREDENTIAL_BEARER);
	assert_string_equal(vw_secret_text(vw_credentials_token(*state)), "t0ken-of-theirs");
	assert_string_equal(vw_credentials_origin(*state), "controller");
	assert_int_equal(give(*state, NULL, NULL, "t0ken-of-theirs"), 0);
	assert_int_equal(give(*state, NULL, NULL, "another-0f-theirs"), 1);
	assert_string_equal(vw_secret_text(vw_credentials_token(*state)), "another-0f-theirs");
}

static void beats_what_is_here(void **state)
{
	struct vw_credentials *credentials = *state;
	struct vw_error err = VW_ERROR_INIT;
	assert_int_equal(vw_credentials_add_userinfo(credentials, "local:l0cal-password", &err), 0);
	assert_string_equal(vw_secret_text(vw_credentials_username(credentials)), "local");
	assert_int_equal(give(credentials, "remote", "rem0te-password", NULL), 1);
	assert_string_equal(vw_secret_text(vw_credentials_username(credentials)), "remote");
	assert_string_equal(vw_secret_text(vw_credentials_password(credentials)), "rem0te-password");
	/* taken back: what is here counts again */
	assert_int_equal(give(credentials, NULL, NULL, NULL), 1);
	assert_string_equal(vw_secret_text(vw_credentials_password(credentials)), "l0cal-password");
}

static void half_a_credential_changes_nothing(void **state)
{
	assert_int_equal(give(*state, "remote", "rem0te-password", NULL), 1);
	assert_true(give(*state, "another-user", NULL, NULL) < 0);
	assert_string_equal(vw_secret_text(vw_credentials_username(*state)), "remote");
	assert_string_equal(vw_secret_text(vw_credentials_password(*state)), "rem0te-password");
	/* and what was given last, and works, is what counts from then on */
	struct vw_error err = VW_ERROR_INIT;
	assert_int_equal(vw_credentials_refresh(*state, &err), 0);
	assert_int_equal(vw_credentials_kind(*state), VW_CREDENTIAL_BASIC);
}

static void a_password_for_the_local_user(void **state)
{
	struct vw_credential_settings settings = {.username = "alice"};
	struct vw_credentials *credentials;
	struct vw_error err = VW_ERROR_INIT;
	char path[96];
	(void)state;
	snprintf(path, sizeof(path), "%s/password", home);
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	fputs("0ld-password\n", file);
	fclose(file);
	chmod(path, 0600);
	settings.password_file = path;
	assert_int_equal(vw_credentials_open(&settings, &credentials, &err), 0);
	assert_int_equal(give(credentials, NULL, "n3w-password", NULL), 1);
	assert_string_equal(vw_secret_text(vw_credentials_username(credentials)), "alice");
	assert_string_equal(vw_secret_text(vw_credentials_password(credentials)), "n3w-password");
	vw_credentials_close(credentials);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {TEST(a_token_then_none), TEST(beats_what_is_here),
					   TEST(half_a_credential_changes_nothing),
					   TEST(a_password_for_the_local_user)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
