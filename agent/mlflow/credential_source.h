/* credential_source.h: all the places where a credential may come from, and which of them wins. */
#ifndef MLFLOW_CREDENTIAL_SOURCE_H
#define MLFLOW_CREDENTIAL_SOURCE_H

#include "base/secret.h"
#include "mlflow/credential.h"

#include <stdbool.h>

/* One credential. */
struct vw_credential_set {
	enum vw_credential_kind kind;
	struct vw_secret *username;
	struct vw_secret *password;
	struct vw_secret *token;
	char *origin;
	char *exposed; /* a file of secrets that was read and that others can read; NULL: none */
};
void vw_credential_set_reset(struct vw_credential_set *set);
bool vw_credential_set_equal(const struct vw_credential_set *a, const struct vw_credential_set *b);

#define VW_CREDENTIAL_FILES 8
enum vw_credential_file {
	VW_FILE_USERNAME, /* named in the configuration */
	VW_FILE_PASSWORD,
	VW_FILE_TOKEN,
	VW_FILE_SYSTEMD_USERNAME, /* in $CREDENTIALS_DIRECTORY */
	VW_FILE_SYSTEMD_PASSWORD,
	VW_FILE_SYSTEMD_TOKEN,
	VW_FILE_MLFLOW, /* ini */
	VW_FILE_AWS     /* ini */
};

struct vw_credential_sources {
	char *username;                   /* from the configuration */
	char *files[VW_CREDENTIAL_FILES]; /* NULL: not looked at */
	bool sigv4;
	char *aws_profile;
	struct vw_secret *uri_username; /* stood in the tracking URI */
	struct vw_secret *uri_password;
	struct vw_secret *given_username; /* handed over by the controller */
	struct vw_secret *given_password;
	struct vw_secret *given_token;
};

/* Looks at the environment once and remembers the paths. */
int vw_credential_sources_init(struct vw_credential_sources *sources, const struct vw_credential_settings *settings);
void vw_credential_sources_reset(struct vw_credential_sources *sources);

/* Reads everything and picks what wins. VW_ECONFIG and what vw_secret_read_file() gives; `out` must be reset also then. */
int vw_credential_sources_read(const struct vw_credential_sources *sources, struct vw_credential_set *out,
			       struct vw_error *err);

#endif
