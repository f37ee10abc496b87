/* credential.c: the credential that is in force, and when it becomes another. */
#include "mlflow/credential.h"

#include "base/digest.h"
#include "base/file.h"
#include "base/text.h"
#include "credential_source.h"

#include <stdlib.h>
#include <string.h>

struct vw_credentials {
	struct vw_credential_sources sources;
	struct vw_credential_set set;
	uint64_t fingerprints[VW_CREDENTIAL_FILES];
};

static void take_fingerprints(const struct vw_credentials *credentials, uint64_t out[VW_CREDENTIAL_FILES])
{
	for (size_t i = 0; i < VW_CREDENTIAL_FILES; i++) {
		const char *path = credentials->sources.files[i];
		out[i] = path ? vw_file_fingerprint(path) : 0;
	}
}

/* Reads all again. 1 if it is another one now; on failure the old one stays. */
static int read_again(struct vw_credentials *credentials, struct vw_error *err)
{
	uint64_t fingerprints[VW_CREDENTIAL_FILES];
	struct vw_credential_set set;

	/* taken before reading: what changes meanwhile is read once more */
	take_fingerprints(credentials, fingerprints);
	int code = vw_credential_sources_read(&credentials->sources, &set, err);
	if (code == 0 && set.kind == VW_CREDENTIAL_NONE && credentials->set.kind != VW_CREDENTIAL_NONE)
		code = vw_error_set(err, VW_ECONFIG, "credentials: they are gone from %s", credentials->set.origin);
	if (code < 0) {
		vw_credential_set_reset(&set);
		return code;
	}
	memcpy(credentials->fingerprints, fingerprints, sizeof(fingerprints));
	bool changed = !vw_credential_set_equal(&set, &credentials->set);
	vw_credential_set_reset(&credentials->set);
	credentials->set = set;
	return changed;
}

int vw_credentials_open(const struct vw_credential_settings *settings, struct vw_credentials **out,
			struct vw_error *err)
{
	struct vw_credentials *credentials = calloc(1, sizeof(*credentials));
	if (!credentials)
		return vw_error_set(err, VW_ENOMEM, "no memory for the credentials");
	int code = vw_credential_sources_init(&credentials->sources, settings);
	if (code < 0)
		vw_error_set(err, code, "no memory for the credentials");
	else
		code = read_again(credentials, err);
	if (code < 0) {
		vw_credentials_close(credentials);
		return code;
	}
	*out = credentials;
	return 0;
}

void vw_credentials_close(struct vw_credentials *credentials)
{
	if (!credentials)
		return;
	vw_credential_set_reset(&credentials->set);
	vw_credential_sources_reset(&credentials->sources);
	free(credentials);
}

/* Percent-decoded; NULL when empty. */
static struct vw_secret *decoded(const char *text, size_t len)
{
	struct vw_buffer plain;
	struct vw_secret *secret = NULL;

	vw_buffer_init_secret(&plain, 0);
	for (size_t i = 0; i < len; i++) {
		bool escape =
		    text[i] == '%' && len - i > 2 && vw_hex_value(text[i + 1]) >= 0 && vw_hex_value(text[i + 2]) >= 0;
		vw_buffer_putc(&plain,
			       escape ? (char)(vw_hex_value(text[i + 1]) * 16 + vw_hex_value(text[i + 2])) : text[i]);
		i += escape ? 2 : 0;
	}
	if (plain.len && vw_buffer_error(&plain) == 0)
		secret = vw_secret_open(plain.data, plain.len);
	vw_buffer_wipe(&plain);
	return secret;
}

int vw_credentials_add_userinfo(struct vw_credentials *credentials, const char *userinfo, struct vw_error *err)
{
	size_t user = strcspn(userinfo, ":");
	const char *password = userinfo[user] ? userinfo + user + 1 : NULL;

	vw_secret_close(credentials->sources.uri_username);
	vw_secret_close(credentials->sources.uri_password);
	credentials->sources.uri_username = decoded(userinfo, user);
	credentials->sources.uri_password = password ? decoded(password, strlen(password)) : NULL;
	int code = read_again(credentials, err);
	return code < 0 ? code : 0;
}

static struct vw_secret *copied(const struct vw_secret *secret)
{
	return secret ? vw_secret_open(vw_secret_text(secret), vw_secret_length(secret)) : NULL;
}

static void set_given(struct vw_credential_sources *sources, struct vw_secret *const given[3])
{
	sources->given_username = given[0];
	sources->given_password = given[1];
	sources->given_token = given[2];
}

static void close_given(struct vw_secret *const given[3])
{
	for (int i = 0; i < 3; i++)
		vw_secret_close(given[i]);
}

int vw_credentials_give(struct vw_credentials *credentials, const struct vw_secret *username,
			const struct vw_secret *password, const struct vw_secret *token, struct vw_error *err)
{
	struct vw_credential_sources *sources = &credentials->sources;
	struct vw_secret *const before[3] = {sources->given_username, sources->given_password, sources->given_token};
	struct vw_secret *const now[3] = {copied(username), copied(password), copied(token)};
	set_given(sources, now);
	int code = read_again(credentials, err);
	if (code < 0)
		set_given(sources, before);
	close_given(code < 0 ? now : before);
	return code;
}

int vw_credentials_refresh(struct vw_credentials *credentials, struct vw_error *err)
{
	uint64_t now[VW_CREDENTIAL_FILES];
	take_fingerprints(credentials, now);
	if (memcmp(now, credentials->fingerprints, sizeof(now)) == 0)
		return 0;
	return read_again(credentials, err);
}

enum vw_credential_kind vw_credentials_kind(const struct vw_credentials *credentials)
{
	return credentials->set.kind;
}

const struct vw_secret *vw_credentials_username(const struct vw_credentials *credentials)
{
	return credentials->set.username;
}

const struct vw_secret *vw_credentials_password(const struct vw_credentials *credentials)
{
	return credentials->set.password;
}

const struct vw_secret *vw_credentials_token(const struct vw_credentials *credentials)
{
	return credentials->set.token;
}

const char *vw_credentials_origin(const struct vw_credentials *credentials)
{
	return credentials->set.origin;
}

const char *vw_credentials_exposed_file(const struct vw_credentials *credentials)
{
	return credentials->set.exposed;
}

/* ---- the label ---- */

#define FINGERPRINT_BYTES 8

static void append_name(struct vw_buffer *out, const struct vw_secret *name)
{
	vw_text_append_safe(out, vw_secret_text(name));
}

static void append_fingerprint(struct vw_buffer *out, const struct vw_secret *secret, const uint8_t key[32])
{
	uint8_t mac[VW_SHA256_SIZE];
	char hex[2 * FINGERPRINT_BYTES + 1];
	vw_hmac_sha256(key, 32, vw_secret_text(secret), vw_secret_length(secret), mac);
	vw_buffer_printf(out, "sha256-8:%s", vw_hex_encode(mac, FINGERPRINT_BYTES, hex));
	vw_wipe(mac, sizeof(mac));
}

const char *vw_credentials_label(const struct vw_credentials *credentials, const uint8_t key[32],
				 char out[VW_CREDENTIAL_LABEL])
{
	struct vw_buffer label;
	vw_buffer_init(&label, 0);
	switch (vw_credentials_kind(credentials)) {
	case VW_CREDENTIAL_NONE:
		vw_buffer_puts(&label, "none");
		break;
	case VW_CREDENTIAL_BASIC:
		vw_buffer_puts(&label, "basic:");
		append_name(&label, vw_credentials_username(credentials));
		break;
	case VW_CREDENTIAL_BEARER:
		vw_buffer_puts(&label, "bearer:");
		append_fingerprint(&label, vw_credentials_token(credentials), key);
		break;
	case VW_CREDENTIAL_SIGV4:
		vw_buffer_puts(&label, "sigv4:");
		append_name(&label, vw_credentials_username(credentials));
		break;
	}
	size_t len = label.len < VW_CREDENTIAL_LABEL ? label.len : VW_CREDENTIAL_LABEL - 1;
	while (len && len < label.len && ((unsigned char)label.data[len] & 0xc0) == 0x80)
		len--; /* not within a character */
	memcpy(out, vw_buffer_text(&label), len);
	out[len] = '\0';
	vw_buffer_reset(&label);
	return out;
}
