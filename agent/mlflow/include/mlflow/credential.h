/* credential.h: with what the agent shows itself to the MLflow server (S4.1, S4.2, S4.4).
 *
 * Sources, first wins: what the controller handed over (vw_credentials_give); files named in the configuration; files in systemd's $CREDENTIALS_DIRECTORY (mlflow_username, mlflow_password,
 * mlflow_token); MLflow's own environment variables (MLFLOW_TRACKING_USERNAME, _PASSWORD, _TOKEN); the [mlflow] section of
 * ~/.mlflow/credentials or $MLFLOW_TRACKING_CREDENTIALS_FILE... For SigV4: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, else
 * the shared credentials file and AWS_PROFILE. Environment variables are wiped where they stand once read. Files are read again when they changed. */
#ifndef MLFLOW_CREDENTIAL_H
#define MLFLOW_CREDENTIAL_H

#include "base/error.h"
#include "base/secret.h"

#include <stdbool.h>
#include <stdint.h>

enum vw_credential_kind { VW_CREDENTIAL_NONE, VW_CREDENTIAL_BASIC, VW_CREDENTIAL_BEARER, VW_CREDENTIAL_SIGV4 };

/* Borrowed strings, all may be NULL. */
struct vw_credential_settings {
	const char *username; /* a user name is no secret */
	const char *username_file;
	const char *password_file;
	const char *token_file;
	bool aws_sigv4;
};

struct vw_credentials; /* a source of credentials, not one credential */

int vw_credentials_open(const struct vw_credential_settings *settings, struct vw_credentials **out,
			struct vw_error *err);
void vw_credentials_close(struct vw_credentials *credentials); /* wipes */

/* Adds user info that stood in the tracking URI ("user:password"); weaker than any other source. */
int vw_credentials_add_userinfo(struct vw_credentials *credentials, const char *userinfo, struct vw_error *err);

/* Secrets from the controller, which then win; copied, each may be NULL; all NULL: none any more. 1 if the credential is another one now, 0 if not, negative when
 * what was given makes none (the credential that was there stays). */
int vw_credentials_give(struct vw_credentials *credentials, const struct vw_secret *username,
			const struct vw_secret *password, const struct vw_secret *token, struct vw_error *err);

/* Reads the files again if they changed. 1 if the credential is another one now, 0 if not, negative if a file cannot be
 * read any more (the credential that was there stays). */
int vw_credentials_refresh(struct vw_credentials *credentials, struct vw_error *err);

enum vw_credential_kind vw_credentials_kind(const struct vw_credentials *credentials);
/* Borrowed until the next refresh or close; NULL where the kind has none. */
const struct vw_secret *vw_credentials_username(const struct vw_credentials *credentials);
const struct vw_secret *
vw_credentials_password(const struct vw_credentials *credentials); /* basic's password, or SigV4's secret key */
const struct vw_secret *
vw_credentials_token(const struct vw_credentials *credentials); /* bearer, or SigV4's session token */

/* What may be written down: "none", "basic:alice", "bearer:sha256-8:1f3a…", "sigv4:AKIA…" with an HMAC-SHA-256 under `key` cut to
 * 8 bytes, so that a weak token cannot be guessed from it. Basic names the user only. Writes into `out`. */
#define VW_CREDENTIAL_LABEL 256
const char *vw_credentials_label(const struct vw_credentials *credentials, const uint8_t key[32],
				 char out[VW_CREDENTIAL_LABEL]);
/* Where it came from, for doctor: "environment", "/etc/vw/token". Borrowed. */
const char *vw_credentials_origin(const struct vw_credentials *credentials);
/* A file of secrets that it was read from and that other users can read or change, for doctor; NULL: none. */
const char *vw_credentials_exposed_file(const struct vw_credentials *credentials);

#endif
