/* Where credentials come from, which of them wins, and what may be said of them (S4.1, S4.2, S4.4). */
#include "cmocka_all.h"

#include "mlflow/credential.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

extern char **environ;

struct fixture {
	char home[64];
	struct vw_credentials *credentials;
	struct vw_error err;
};

static const uint8_t key[32] = {1, 2, 3};

static void put_file(const struct fixture *f, const char *name, const char *text, mode_t mode)
{
	char path[256];
	snprintf(path, sizeof(path), "%s/%s", f->home, name);
	unlink(path);
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
	assert_int_equal(chmod(path, mode), 0);
}

static const char *path_of(const struct fixture *f, const char *name)
{
	static char paths[4][256];
	static int next;
	char *path = paths[next++ % 4];
	snprintf(path, sizeof(paths[0]), "%s/%s", f->home, name);
	return path;
}

/* The environment is remembered after it was wiped, so that each test runs in a process of its own. */
static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	strcpy(f->home, "/tmp/vw-credential-XXXXXX");
	assert_non_null(mkdtemp(f->home));
	setenv("HOME", f->home, 1);
	unsetenv("CREDENTIALS_DIRECTORY");
	unsetenv("AWS_PROFILE");
	unsetenv("AWS_SHARED_CREDENTIALS_FILE");
	unsetenv("MLFLOW_TRACKING_CREDENTIALS_FILE");
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	char command[128];
	vw_credentials_close(f->credentials);
	snprintf(command, sizeof(command), "rm -rf '%s'", f->home);
	assert_int_equal(system(command), 0);
	free(f);
	return 0;
}

static int open_with(struct fixture *f, struct vw_credential_settings settings)
{
	vw_credentials_close(f->credentials);
	f->credentials = NULL;
	return vw_credentials_open(&settings, &f->credentials, &f->err);
}

static const char *label(const struct fixture *f)
{
	static char text[VW_CREDENTIAL_LABEL];
	return vw_credentials_label(f->credentials, key, text);
}

static const char *secret(const struct vw_secret *s)
{
	return s ? vw_secret_text(s) : "(none)";
}

static bool environment_holds(const char *text)
{
	for (char **e = environ; *e; e++) {
		if (strstr(*e, text))
			return true;
	}
	return false;
}

static void none(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(open_with(f, (struct vw_credential_settings){0}), 0);
	assert_int_equal(vw_credentials_kind(f->credentials), VW_CREDENTIAL_NONE);
	assert_string_equal(label(f), "none");
	assert_string_equal(vw_credentials_origin(f->credentials), "none");
	assert_null(vw_credentials_password(f->credentials));
	assert_int_equal(vw_credentials_refresh(f->credentials, &f->err), 0);
}

static void mlflow_file(void **state)
{
	struct fixture *f = *state;
	mkdir(path_of(f, ".mlflow"), 0700);
	put_file(f, ".mlflow/credentials",
		 "[mlflow]\nmlflow_tracking_username = bob\nmlflow_tracking_password = p%%w\n", 0600);
	assert_int_equal(open_with(f, (struct vw_credential_settings){0}), 0);
	assert_int_equal(vw_credentials_kind(f->credentials), VW_CREDENTIAL_BASIC);
	assert_string_equal(label(f), "basic:bob");
	assert_string_equal(secret(vw_credentials_password(f->credentials)), "p%w");
	assert_string_equal(vw_credentials_origin(f->credentials), path_of(f, ".mlflow/credentials"));
	assert_null(vw_credentials_exposed_file(f->credentials));
	chmod(path_of(f, ".mlflow/credentials"), 0644);
	assert_int_equal(open_with(f, (struct vw_credential_settings){0}), 0);
	assert_string_equal(vw_credentials_exposed_file(f->credentials), path_of(f, ".mlflow/credentials"));
}

static void mlflow_file_named_by_the_environment(void **state)
{
	struct fixture *f = *state;
	put_file(f, "other", "[mlflow]\nmlflow_tracking_username: u\nmlflow_tracking_password: p\n", 0600);
	setenv("MLFLOW_TRACKING_CREDENTIALS_FILE", path_of(f, "other"), 1);
	assert_int_equal(open_with(f, (struct vw_credential_settings){0}), 0);
	assert_string_equal(label(f), "basic:u");
}

static void configured_files_win(void **state)
{
	struct fixture *f = *state;
	put_file(f, "pw", "file-secret\n", 0600);
	put_file(f, "tok", "tok-secret\r\n", 0600);
	put_file(f, "name", "carol\n", 0644);
	mkdir(path_of(f, "systemd"), 0700);
	put_file(f, "systemd/mlflow_token", "systemd-token", 0600);
	setenv("CREDENTIALS_DIRECTORY", path_of(f, "systemd"), 1);

	assert_int_equal(
	    open_with(f, (struct vw_credential_settings){.username = "alice", .password_file = path_of(f, "pw")}), 0);
	assert_string_equal(label(f), "basic:alice");
	assert_string_equal(secret(vw_credentials_password(f->credentials)), "file-secret");
	assert_string_equal(vw_credentials_origin(f->credentials), path_of(f, "pw"));
	assert_null(vw_credentials_exposed_file(f->credentials));

	assert_int_equal(open_with(f, (struct vw_credential_settings){.username_file = path_of(f, "name"),
								      .password_file = path_of(f, "pw")}),
			 0);
	assert_string_equal(label(f), "basic:carol");

	assert_int_equal(open_with(f, (struct vw_credential_settings){.token_file = path_of(f, "tok")}), 0);
	assert_int_equal(vw_credentials_kind(f->credentials), VW_CREDENTIAL_BEARER);
	assert_string_equal(secret(vw_credentials_token(f->credentials)), "tok-secret");

	/* the systemd folder comes next */
	assert_int_equal(open_with(f, (struct vw_credential_settings){0}), 0);
	assert_string_equal(secret(vw_credentials_token(f->credentials)), "systemd-token");
}

static void environment_of_mlflow(void **state)
{
	struct fixture *f = *state;
	setenv("MLFLOW_TRACKING_TOKEN", "env-token-17", 1);
	assert_int_equal(open_with(f, (struct vw_credential_settings){0}), 0);
	assert_int_equal(vw_credentials_kind(f->credentials), VW_CREDENTIAL_BEARER);
	assert_string_equal(vw_credentials_origin(f->credentials), "environment");
	assert_false(environment_holds("env-token-17"));

	/* user and password win over the token, as in MLflow's own client */
	setenv("MLFLOW_TRACKING_USERNAME", "dave", 1);
	setenv("MLFLOW_TRACKING_PASSWORD", "env-pass-17", 1);
	assert_int_equal(open_with(f, (struct vw_credential_settings){0}), 0);
	assert_string_equal(label(f), "basic:dave");
	assert_false(environment_holds("env-pass-17"));

	/* wiped where it stood, and still known when it is opened once more */
	assert_int_equal(open_with(f, (struct vw_credential_settings){0}), 0);
	assert_string_equal(label(f), "basic:dave");
	assert_string_equal(secret(vw_credentials_password(f->credentials)), "env-pass-17");

	/* but a file named in the configuration is stronger, also for another kind */
	put_file(f, "tok", "file-token", 0600);
	assert_int_equal(open_with(f, (struct vw_credential_settings){.token_file = path_of(f, "tok")}), 0);
	assert_int_equal(vw_credentials_kind(f->credentials), VW_CREDENTIAL_BEARER);
	assert_string_equal(secret(vw_credentials_token(f->credentials)), "file-token");
}

static void halves_are_errors(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(open_with(f, (struct vw_credential_settings){.username = "alice"}), VW_ECONFIG);
	assert_non_null(strstr(f->err.message, "no password"));
	put_file(f, "pw", "very-secret", 0600);
	assert_int_equal(open_with(f, (struct vw_credential_settings){.password_file = path_of(f, "pw")}),
			 VW_ECONFIG);
	assert_non_null(strstr(f->err.message, "no user name"));
	assert_null(strstr(f->err.message, "very-secret"));
}

static void files_that_cannot_be_used(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(open_with(f, (struct vw_credential_settings){.token_file = path_of(f, "nosuch")}),
			 VW_ECONFIG);
	assert_non_null(strstr(f->err.message, "nosuch"));
	put_file(f, "empty", "\n", 0600);
	assert_int_equal(open_with(f, (struct vw_credential_settings){.token_file = path_of(f, "empty")}),
			 VW_ECONFIG);
	assert_int_equal(open_with(f, (struct vw_credential_settings){.token_file = f->home}), VW_ECONFIG);
}

static void a_changed_file_is_another_credential(void **state)
{
	struct fixture *f = *state;
	put_file(f, "tok", "first-token", 0600);
	assert_int_equal(open_with(f, (struct vw_credential_settings){.token_file = path_of(f, "tok")}), 0);
	char before[VW_CREDENTIAL_LABEL];
	strcpy(before, label(f));
	assert_int_equal(vw_credentials_refresh(f->credentials, &f->err), 0);

	put_file(f, "tok", "second-token", 0600);
	assert_int_equal(vw_credentials_refresh(f->credentials, &f->err), 1);
	assert_string_equal(secret(vw_credentials_token(f->credentials)), "second-token");
	assert_string_not_equal(label(f), before);
	assert_int_equal(vw_credentials_refresh(f->credentials, &f->err), 0);

	put_file(f, "tok", "second-token\n", 0600); /* another file, the same secret */
	assert_int_equal(vw_credentials_refresh(f->credentials, &f->err), 0);

	unlink(path_of(f, "tok"));
	assert_int_equal(vw_credentials_refresh(f->credentials, &f->err), VW_ECONFIG);
	assert_string_equal(secret(vw_credentials_token(f->credentials)), "second-token"); /* what was there stays */
	put_file(f, "tok", "third-token", 0600);
	assert_int_equal(vw_credentials_refresh(f->credentials, &f->err), 1);
}

static void an_optional_file_that_goes_leaves_what_was_there(void **state)
{
	struct fixture *f = *state;
	mkdir(path_of(f, ".mlflow"), 0700);
	put_file(f, ".mlflow/credentials", "[mlflow]\nmlflow_tracking_username=u\nmlflow_tracking_password=p\n",
		 0600);
	assert_int_equal(open_with(f, (struct vw_credential_settings){0}), 0);
	unlink(path_of(f, ".mlflow/credentials"));
	assert_int_equal(vw_credentials_refresh(f->credentials, &f->err), VW_ECONFIG);
	assert_non_null(strstr(f->err.message, "gone"));
	assert_string_equal(label(f), "basic:u");
}

static void user_info_of_the_uri(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(open_with(f, (struct vw_credential_settings){0}), 0);
	assert_int_equal(vw_credentials_add_userinfo(f->credentials, "er%69n:p%40ss%3", &f->err), 0);
	assert_string_equal(label(f), "basic:erin");
	assert_string_equal(secret(vw_credentials_password(f->credentials)), "p@ss%3");
	assert_string_equal(vw_credentials_origin(f->credentials), "tracking URI");

	/* weaker than any other source */
	put_file(f, "tok", "file-token", 0600);
	assert_int_equal(open_with(f, (struct vw_credential_settings){.token_file = path_of(f, "tok")}), 0);
	assert_int_equal(vw_credentials_add_userinfo(f->credentials, "erin:pass", &f->err), 0);
	assert_int_equal(vw_credentials_kind(f->credentials), VW_CREDENTIAL_BEARER);

	assert_int_equal(open_with(f, (struct vw_credential_settings){0}), 0);
	assert_int_equal(vw_credentials_add_userinfo(f->credentials, "erin", &f->err), VW_ECONFIG);
}

static void aws_environment(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(open_with(f, (struct vw_credential_settings){.aws_sigv4 = true}), VW_ECONFIG);
	assert_non_null(strstr(f->err.message, "AWS_ACCESS_KEY_ID"));
	setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE", 1);
	setenv("AWS_SECRET_ACCESS_KEY", "aws-secret-17", 1);
	setenv("AWS_SESSION_TOKEN", "aws-session-17", 1);
	assert_int_equal(open_with(f, (struct vw_credential_settings){0}), 0);
	assert_true(environment_holds("aws-secret-17")); /* others' business while nothing is signed */
	assert_int_equal(open_with(f, (struct vw_credential_settings){.aws_sigv4 = true}), 0);
	assert_int_equal(vw_credentials_kind(f->credentials), VW_CREDENTIAL_SIGV4);
	assert_string_equal(label(f), "sigv4:AKIAEXAMPLE");
	assert_string_equal(secret(vw_credentials_password(f->credentials)), "aws-secret-17");
	assert_string_equal(secret(vw_credentials_token(f->credentials)), "aws-session-17");
	assert_false(environment_holds("aws-secret-17"));
	assert_false(environment_holds("aws-session-17"));
}

static void aws_shared_file(void **state)
{
	struct fixture *f = *state;
	mkdir(path_of(f, ".aws"), 0700);
	put_file(f, ".aws/credentials",
		 "[default]\naws_access_key_id = AKIADEFAULT\naws_secret_access_key = d%%\n"
		 "[prod]\naws_access_key_id = AKIAPROD\naws_secret_access_key = p\naws_session_token = t\n",
		 0600);
	assert_int_equal(open_with(f, (struct vw_credential_settings){.aws_sigv4 = true}), 0);
	assert_string_equal(label(f), "sigv4:AKIADEFAULT");
	assert_string_equal(secret(vw_credentials_password(f->credentials)), "d%%");
	assert_null(vw_credentials_token(f->credentials));
	setenv("AWS_PROFILE", "prod", 1);
	assert_int_equal(open_with(f, (struct vw_credential_settings){.aws_sigv4 = true}), 0);
	assert_string_equal(label(f), "sigv4:AKIAPROD");
	assert_string_equal(secret(vw_credentials_token(f->credentials)), "t");
	setenv("AWS_PROFILE", "nosuch", 1);
	assert_int_equal(open_with(f, (struct vw_credential_settings){.aws_sigv4 = true}), VW_ECONFIG);
	assert_non_null(strstr(f->err.message, "nosuch"));
}

/* A line end in it would be another header. */
static void a_token_is_one_line(void **state)
{
	struct fixture *f = *state;
	put_file(f, "tok", "abc\x01sekret", 0600);
	assert_int_equal(open_with(f, (struct vw_credential_settings){.token_file = path_of(f, "tok")}), VW_ECONFIG);
	assert_non_null(strstr(f->err.message, "tok"));
	assert_null(strstr(f->err.message, "sekret"));
	put_file(f, "tok", "good\nsecond line\n", 0600);
	assert_int_equal(open_with(f, (struct vw_credential_settings){.token_file = path_of(f, "tok")}), 0);
	assert_string_equal(secret(vw_credentials_token(f->credentials)), "good");
}

/* A token may be weak: a plain hash of it could be guessed (S4.4). */
static void labels_tell_no_secret(void **state)
{
	struct fixture *f = *state;
	char one[VW_CREDENTIAL_LABEL], other[VW_CREDENTIAL_LABEL];
	uint8_t other_key[32] = {9};
	put_file(f, "tok", "token-secret", 0600);
	assert_int_equal(open_with(f, (struct vw_credential_settings){.token_file = path_of(f, "tok")}), 0);
	vw_credentials_label(f->credentials, key, one);
	vw_credentials_label(f->credentials, other_key, other);
	assert_int_equal(strncmp(one, "bearer:sha256-8:", 16), 0);
	assert_int_equal(strlen(one), 16 + 16);
	assert_string_not_equal(one, other);
	assert_null(strstr(one, "token-secret"));
}

static void labels_are_safe_and_fit(void **state)
{
	struct fixture *f = *state;
	char name[600];
	for (size_t i = 0; i < 598; i += 2)
		memcpy(name + i, "\xc3\xa4", 2);
	name[598] = '\0';
	put_file(f, "pw", "p", 0600);
	assert_int_equal(
	    open_with(f, (struct vw_credential_settings){.username = name, .password_file = path_of(f, "pw")}), 0);
	const char *text = label(f);
	assert_true(strlen(text) < VW_CREDENTIAL_LABEL);
	assert_int_equal((unsigned char)text[strlen(text) - 1], 0xa4); /* whole characters */
	assert_int_equal(open_with(f, (struct vw_credential_settings){.username = "a\x1b[0m\n",
								      .password_file = path_of(f, "pw")}),
			 0);
	assert_null(strpbrk(label(f), "\x1b\n"));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	for (char **e = environ; *e;) {
		char name[64];
		size_t len = strcspn(*e, "=");
		bool ours = strncmp(*e, "MLFLOW_", 7) == 0 || strncmp(*e, "AWS_", 4) == 0;
		if (!ours || len >= sizeof(name)) {
			e++;
			continue;
		}
		memcpy(name, *e, len);
		name[len] = '\0';
		unsetenv(name);
	}
	/* those that set the environment come last: what they set is remembered */
	const struct CMUnitTest tests[] = {
	    TEST(none),
	    TEST(mlflow_file),
	    TEST(mlflow_file_named_by_the_environment),
	    TEST(configured_files_win),
	    TEST(halves_are_errors),
	    TEST(files_that_cannot_be_used),
	    TEST(a_changed_file_is_another_credential),
	    TEST(an_optional_file_that_goes_leaves_what_was_there),
	    TEST(user_info_of_the_uri),
	    TEST(a_token_is_one_line),
	    TEST(labels_tell_no_secret),
	    TEST(labels_are_safe_and_fit),
	    TEST(aws_shared_file),
	    TEST(aws_environment),
	    TEST(environment_of_mlflow),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
