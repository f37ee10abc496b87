#include "credential_source.h"

#include "base/buffer.h"
#include "base/file.h"
#include "base/limits.h"
#include "ini.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* From the strongest. Of user and password against token in one place the former win, as in MLflow's own client. */
enum rank { RANK_GIVEN, RANK_CONFIGURED, RANK_SYSTEMD, RANK_ENVIRONMENT, RANK_FILE, RANK_URI, RANK_NONE };

/* ---- the environment: wiped when read, so it is kept here for a second opening ---- */

enum variable { USERNAME, PASSWORD, TOKEN, AWS_KEY_ID, AWS_KEY, AWS_TOKEN, VARIABLES };
static const char *const variable_names[VARIABLES] = {
    [USERNAME] = "MLFLOW_TRACKING_USERNAME", [PASSWORD] = "MLFLOW_TRACKING_PASSWORD",
    [TOKEN] = "MLFLOW_TRACKING_TOKEN",       [AWS_KEY_ID] = "AWS_ACCESS_KEY_ID",
    [AWS_KEY] = "AWS_SECRET_ACCESS_KEY",     [AWS_TOKEN] = "AWS_SESSION_TOKEN",
};
static struct vw_secret *variables[VARIABLES];

static void take_environment(bool sigv4)
{
	for (int i = 0; i < (sigv4 ? VARIABLES : AWS_KEY_ID); i++) {
		struct vw_secret *value = vw_secret_take_env(variable_names[i]);
		if (!value)
			continue;
		vw_secret_close(variables[i]);
		variables[i] = value;
	}
}

static struct vw_secret *copied(const struct vw_secret *secret)
{
	return secret ? vw_secret_open(vw_secret_text(secret), vw_secret_length(secret)) : NULL;
}

/* ---- where to look ---- */

static char *joined(const char *folder, const char *name)
{
	char *path = NULL;
	if (!folder || !*folder || asprintf(&path, "%s/%s", folder, name) < 0)
		return NULL;
	return path;
}

static char *named_or_home(const char *variable, const char *name)
{
	const char *named = getenv(variable);
	return named && *named ? strdup(named) : joined(getenv("HOME"), name);
}

static char *copied_text(const char *text, bool *good)
{
	char *copy = text ? strdup(text) : NULL;
	*good = *good && (copy || !text);
	return copy;
}

int vw_credential_sources_init(struct vw_credential_sources *s, const struct vw_credential_settings *settings)
{
	const char *systemd = getenv("CREDENTIALS_DIRECTORY");
	const char *profile = getenv("AWS_PROFILE");
	bool good = true;

	*s = (struct vw_credential_sources){.sigv4 = settings->aws_sigv4};
	s->username = copied_text(settings->username, &good);
	s->files[VW_FILE_USERNAME] = copied_text(settings->username_file, &good);
	s->files[VW_FILE_PASSWORD] = copied_text(settings->password_file, &good);
	s->files[VW_FILE_TOKEN] = copied_text(settings->token_file, &good);
	s->files[VW_FILE_SYSTEMD_USERNAME] = joined(systemd, "mlflow_username");
	s->files[VW_FILE_SYSTEMD_PASSWORD] = joined(systemd, "mlflow_password");
	s->files[VW_FILE_SYSTEMD_TOKEN] = joined(systemd, "mlflow_token");
	s->files[VW_FILE_MLFLOW] = named_or_home("MLFLOW_TRACKING_CREDENTIALS_FILE", ".mlflow/credentials");
	if (s->sigv4)
		s->files[VW_FILE_AWS] = named_or_home("AWS_SHARED_CREDENTIALS_FILE", ".aws/credentials");
	s->aws_profile = copied_text(profile && *profile ? profile : "default", &good);
	take_environment(s->sigv4);
	return good ? 0 : VW_ENOMEM;
}

void vw_credential_sources_reset(struct vw_credential_sources *s)
{
	free(s->username);
	free(s->aws_profile);
	for (size_t i = 0; i < VW_CREDENTIAL_FILES; i++)
		free(s->files[i]);
	vw_secret_close(s->uri_username);
	vw_secret_close(s->uri_password);
	vw_secret_close(s->given_username);
	vw_secret_close(s->given_password);
	vw_secret_close(s->given_token);
	*s = (struct vw_credential_sources){0};
}

void vw_credential_set_reset(struct vw_credential_set *set)
{
	vw_secret_close(set->username);
	vw_secret_close(set->password);
	vw_secret_close(set->token);
	free(set->origin);
	free(set->exposed);
	*set = (struct vw_credential_set){0};
}

bool vw_credential_set_equal(const struct vw_credential_set *a, const struct vw_credential_set *b)
{
	return a->kind == b->kind && vw_secret_equal(a->username, b->username) &&
	       vw_secret_equal(a->password, b->password) && vw_secret_equal(a->token, b->token);
}

/* ---- reading ---- */

/* The best of what was found so far for one part of a credential. */
struct part {
	struct vw_secret *secret;
	enum rank rank;
	const char *origin; /* borrowed from the sources */
};

struct search {
	const struct vw_credential_sources *sources;
	struct part username, password, token;
	const char *exposed;
};

/* Takes over `secret`, NULL too. Places are looked at from the strongest, so the first stays. */
static void offer(struct part *part, struct vw_secret *secret, enum rank rank, const char *origin)
{
	if (part->secret || !secret) {
		vw_secret_close(secret);
		return;
	}
	*part = (struct part){secret, rank, origin};
}

static int offer_file(struct search *search, struct part *part, enum vw_credential_file file, enum rank rank,
		      struct vw_error *err)
{
	const char *path = search->sources->files[file];
	struct vw_secret *secret = NULL;
	struct vw_error why = VW_ERROR_INIT;
	bool open = false;

	if (!path)
		return 0;
	if (rank != RANK_CONFIGURED && access(path, F_OK) != 0)
		return 0;
	int code = vw_secret_read_file(path, &secret, &open, &why);
	if (code < 0)
		return vw_error_set(err, code == VW_ENOMEM ? code : VW_ECONFIG, "credentials: %s", why.message);
	if (open && part != &search->username)
		search->exposed = path;
	offer(part, secret, rank, path);
	return 0;
}

static int read_ini(struct search *search, enum vw_credential_file file, struct vw_buffer *out, struct vw_error *err)
{
	const char *path = search->sources->files[file];
	struct stat st;

	vw_buffer_init_secret(out, VW_MAX_SECRET_FILE);
	if (!path || access(path, F_OK) != 0)
		return 0; /* as if it were empty */
	int code = vw_file_read(path, VW_MAX_SECRET_FILE, out, err);
	if (code == 0 && stat(path, &st) == 0 && (st.st_mode & (S_IRWXO | S_IWGRP)))
		search->exposed = path;
	return code;
}

static int offer_mlflow_file(struct search *search, struct vw_error *err)
{
	const char *path = search->sources->files[VW_FILE_MLFLOW];
	struct vw_buffer text;
	int code = read_ini(search, VW_FILE_MLFLOW, &text, err);
	if (code == 0) {
		const char *bytes = vw_buffer_text(&text);
		offer(&search->username, vw_ini_get(bytes, text.len, "mlflow", "mlflow_tracking_username", true),
		      RANK_FILE, path);
		offer(&search->password, vw_ini_get(bytes, text.len, "mlflow", "mlflow_tracking_password", true),
		      RANK_FILE, path);
	}
	vw_buffer_wipe(&text);
	return code;
}

static int search_all(struct search *search, struct vw_error *err)
{
	const struct vw_credential_sources *s = search->sources;
	offer(&search->username, copied(s->given_username), RANK_GIVEN, "controller");
	offer(&search->password, copied(s->given_password), RANK_GIVEN, "controller");
	offer(&search->token, copied(s->given_token), RANK_GIVEN, "controller");
	int code = offer_file(search, &search->username, VW_FILE_USERNAME, RANK_CONFIGURED, err);
	if (code == 0 && s->username)
		offer(&search->username, vw_secret_open(s->username, strlen(s->username)), RANK_CONFIGURED,
		      "configuration");
	if (code == 0)
		code = offer_file(search, &search->password, VW_FILE_PASSWORD, RANK_CONFIGURED, err);
	if (code == 0)
		code = offer_file(search, &search->token, VW_FILE_TOKEN, RANK_CONFIGURED, err);
	if (code == 0)
		code = offer_file(search, &search->username, VW_FILE_SYSTEMD_USERNAME, RANK_SYSTEMD, err);
	if (code == 0)
		code = offer_file(search, &search->password, VW_FILE_SYSTEMD_PASSWORD, RANK_SYSTEMD, err);
	if (code == 0)
		code = offer_file(search, &search->token, VW_FILE_SYSTEMD_TOKEN, RANK_SYSTEMD, err);
	if (code < 0)
		return code;
	offer(&search->username, copied(variables[USERNAME]), RANK_ENVIRONMENT, "environment");
	offer(&search->password, copied(variables[PASSWORD]), RANK_ENVIRONMENT, "environment");
	offer(&search->token, copied(variables[TOKEN]), RANK_ENVIRONMENT, "environment");
	code = offer_mlflow_file(search, err);
	if (code < 0)
		return code;
	offer(&search->username, copied(s->uri_username), RANK_URI, "tracking URI");
	offer(&search->password, copied(s->uri_password), RANK_URI, "tracking URI");
	return 0;
}

/* Moves the parts of what wins. */
static int choose(struct search *search, struct vw_credential_set *out, struct vw_error *err)
{
	bool complete = search->username.secret && search->password.secret;
	enum rank basic = complete ? search->password.rank : RANK_NONE;
	enum rank bearer = search->token.secret ? search->token.rank : RANK_NONE;
	const char *origin = "none";

	if (!complete && !search->token.secret && (search->username.secret || search->password.secret))
		return vw_error_set(err, VW_ECONFIG, "credentials: there is a %s (%s), but no %s",
				    search->username.secret ? "user name" : "password",
				    search->username.secret ? search->username.origin : search->password.origin,
				    search->username.secret ? "password" : "user name");
	if (complete && basic <= bearer) {
		out->kind = VW_CREDENTIAL_BASIC;
		out->username = search->username.secret;
		out->password = search->password.secret;
		origin = search->password.origin;
		search->username.secret = search->password.secret = NULL;
	} else if (search->token.secret) {
		out->kind = VW_CREDENTIAL_BEARER;
		out->token = search->token.secret;
		origin = search->token.origin;
		search->token.secret = NULL;
	}
	out->origin = strdup(origin);
	return out->origin ? 0 : vw_error_set(err, VW_ENOMEM, "no memory for the credentials");
}

/* ---- AWS ---- */

static int read_aws_file(struct search *search, struct vw_credential_set *out, struct vw_error *err)
{
	const char *profile = search->sources->aws_profile;
	struct vw_buffer text;
	int code = read_ini(search, VW_FILE_AWS, &text, err);
	if (code == 0) {
		const char *bytes = vw_buffer_text(&text);
		out->username = vw_ini_get(bytes, text.len, profile, "aws_access_key_id", false);
		out->password = vw_ini_get(bytes, text.len, profile, "aws_secret_access_key", false);
		out->token = vw_ini_get(bytes, text.len, profile, "aws_session_token", false);
	}
	vw_buffer_wipe(&text);
	return code;
}

static int read_aws(struct search *search, struct vw_credential_set *out, struct vw_error *err)
{
	const char *origin = "environment";
	out->kind = VW_CREDENTIAL_SIGV4;
	if (variables[AWS_KEY_ID] && variables[AWS_KEY]) {
		out->username = copied(variables[AWS_KEY_ID]);
		out->password = copied(variables[AWS_KEY]);
		out->token = copied(variables[AWS_TOKEN]);
	} else {
		int code = read_aws_file(search, out, err);
		if (code < 0)
			return code;
		origin = search->sources->files[VW_FILE_AWS];
	}
	if (!out->username || !out->password)
		return vw_error_set(
		    err, VW_ECONFIG,
		    "credentials: to sign with AWS SigV4, set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or "
		    "profile %s in %s",
		    search->sources->aws_profile, origin ? origin : "~/.aws/credentials");
	out->origin = strdup(origin);
	return out->origin ? 0 : vw_error_set(err, VW_ENOMEM, "no memory for the credentials");
}

/* What becomes part of a header: a line end in it would begin another one. NULL is fine. */
static bool fits_header(const struct vw_secret *secret)
{
	for (const char *c = secret ? vw_secret_text(secret) : ""; *c; c++) {
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			return false;
	}
	return true;
}

static int check_set(const struct vw_credential_set *set, struct vw_error *err)
{
	bool signs = set->kind == VW_CREDENTIAL_SIGV4; /* a user name and password are sent as base64 */
	if (fits_header(set->token) && (!signs || fits_header(set->username)))
		return 0;
	return vw_error_set(err, VW_ECONFIG, "credentials: the token (%s) holds control characters", set->origin);
}

int vw_credential_sources_read(const struct vw_credential_sources *sources, struct vw_credential_set *out,
			       struct vw_error *err)
{
	struct search search = {.sources = sources};
	*out = (struct vw_credential_set){.kind = VW_CREDENTIAL_NONE};
	int code;
	if (sources->sigv4)
		code = read_aws(&search, out, err);
	else if ((code = search_all(&search, err)) == 0)
		code = choose(&search, out, err);
	if (code == 0)
		code = check_set(out, err);
	vw_secret_close(search.username.secret);
	vw_secret_close(search.password.secret);
	vw_secret_close(search.token.secret);
	if (code == 0 && search.exposed && out->kind != VW_CREDENTIAL_NONE)
		out->exposed = strdup(search.exposed);
	return code;
}
