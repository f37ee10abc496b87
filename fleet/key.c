#include "fleet/key.h"

#include "x509.h"

#include "base/buffer.h"
#include "base/digest.h"
#include "base/file.h"
#include "base/limits.h"
#include "base/secret.h"

#include <mbedtls/ecp.h>
#include <mbedtls/pk.h>
#include <stdlib.h>
#include <string.h>

#define KEY_FILE_MAX (8 * VW_KIB) /* bytes of PEM; a P-256 key has 227 */

struct vw_key {
	mbedtls_pk_context pk;
};

int vw_key_random(void *unused, unsigned char *out, size_t len)
{
	(void)unused;
	vw_random_bytes(out, len);
	return 0;
}

static int key_new(struct vw_key **out, struct vw_error *err)
{
	struct vw_key *key = calloc(1, sizeof(*key));
	if (!key)
		return vw_error_set(err, VW_ENOMEM, "no memory for a key");
	mbedtls_pk_init(&key->pk);
	*out = key;
	return 0;
}

void vw_key_close(struct vw_key *key)
{
	if (!key)
		return;
	/* wipes its numbers */
	mbedtls_pk_free(&key->pk);
	free(key);
}

static void take_key(struct vw_key **from, struct vw_key **out)
{
	*out = *from;
	*from = NULL;
}

int vw_key_generate(struct vw_key **out, struct vw_error *err)
{
	VW_AUTO(vw_key_cleanup) struct vw_key *key = NULL;
	int rc = key_new(&key, err);
	if (rc)
		return rc;
	rc = mbedtls_pk_setup(&key->pk, mbedtls_pk_info_from_type(MBEDTLS_PK_ECKEY));
	if (rc == 0)
		rc = mbedtls_ecp_gen_key(MBEDTLS_ECP_DP_SECP256R1, mbedtls_pk_ec(key->pk), vw_key_random, NULL);
	if (rc != 0)
		return x509_error(err, VW_EIO, rc, "cannot make a key");
	take_key(&key, out);
	return 0;
}

static int parse_key(const struct vw_buffer *pem, const char *path, struct vw_key **out, struct vw_error *err)
{
	VW_AUTO(vw_key_cleanup) struct vw_key *key = NULL;
	int rc = key_new(&key, err);
	if (rc)
		return rc;
	/* mbedTLS knows PEM by the terminating zero, which is counted */
	rc = mbedtls_pk_parse_key(&key->pk, (const unsigned char *)vw_buffer_text(pem), pem->len + 1, NULL, 0,
				  vw_key_random, NULL);
	if (rc == MBEDTLS_ERR_PK_PASSWORD_REQUIRED)
		return vw_error_set(err, VW_EINVAL, "%s is encrypted; a key without a password is needed", path);
	if (rc != 0)
		return vw_error_context(err, x509_error(err, VW_EINVAL, rc, "not a private key"), "%s", path);
	if (!x509_is_p256(&key->pk))
		return vw_error_set(err, VW_EINVAL, "%s: not a P-256 key (openssl ecparam -name prime256v1 -genkey)",
				    path);
	/* a file may name a public key that is not this private key's */
	rc = mbedtls_pk_check_pair(&key->pk, &key->pk, vw_key_random, NULL);
	if (rc != 0)
		return vw_error_set(err, VW_EINVAL, "%s: its private and its public key are not a pair", path);
	take_key(&key, out);
	return 0;
}

int vw_key_read(const char *path, struct vw_key **out, struct vw_error *err)
{
	struct vw_buffer pem;
	int rc = vw_file_check_private(path, err);
	if (rc)
		return rc;
	vw_buffer_init_secret(&pem, KEY_FILE_MAX);
	rc = vw_file_read(path, KEY_FILE_MAX, &pem, err);
	if (rc == 0)
		rc = parse_key(&pem, path, out, err);
	vw_buffer_wipe(&pem);
	return rc;
}

int vw_key_pem(const struct vw_key *key, struct vw_secret **out, struct vw_error *err)
{
	unsigned char pem[1024];
	int rc = mbedtls_pk_write_key_pem(&key->pk, pem, sizeof(pem));
	struct vw_secret *secret = rc == 0 ? vw_secret_open((char *)pem, strlen((char *)pem)) : NULL;
	vw_wipe(pem, sizeof(pem));
	if (rc != 0)
		return x509_error(err, VW_EINVAL, rc, "cannot write a private key");
	if (!secret)
		return vw_error_set(err, VW_ENOMEM, "no memory for a private key");
	*out = secret;
	return 0;
}

int vw_key_write(const struct vw_key *key, const char *path, struct vw_error *err)
{
	struct vw_secret *pem = NULL;
	int rc = vw_key_pem(key, &pem, err);
	rc = rc == 0 ? vw_file_write(path, vw_secret_text(pem), vw_secret_length(pem), 0600, err)
		     : vw_error_context(err, rc, "%s", path);
	vw_secret_close(pem);
	return rc;
}

int vw_key_public(const struct vw_key *key, struct vw_arena *arena, struct vw_bytes *out, struct vw_error *err)
{
	return x509_public_key(&key->pk, arena, out, err);
}

void *vw_key_context(const struct vw_key *key)
{
	return (void *)&key->pk;
}

/* Each part behind its length, so that no two lists of parts give the same bytes. */
static void add_part(struct vw_sha256 *sha, struct vw_bytes part)
{
	const uint8_t len[] = {(uint8_t)(part.len >> 24), (uint8_t)(part.len >> 16), (uint8_t)(part.len >> 8),
			       (uint8_t)part.len};
	vw_sha256_update(sha, len, sizeof(len));
	if (part.len)
		vw_sha256_update(sha, part.data, part.len);
}

/* False for a part whose length is no u32. */
static bool digest_of(const char *domain, struct vw_bytes a, struct vw_bytes b, uint8_t out[VW_SHA256_SIZE])
{
	struct vw_sha256 sha;
	if (a.len > UINT32_MAX || b.len > UINT32_MAX)
		return false;
	vw_sha256_init(&sha);
	add_part(&sha, (struct vw_bytes){domain, strlen(domain)});
	add_part(&sha, a);
	add_part(&sha, b);
	vw_sha256_final(&sha, out);
	return true;
}

int vw_key_sign(const struct vw_key *key, const char *domain, struct vw_bytes a, struct vw_bytes b,
		uint8_t out[VW_SIGNATURE_MAX], size_t *out_len, struct vw_error *err)
{
	uint8_t digest[VW_SHA256_SIZE], signature[VW_SIGNATURE_MAX];
	size_t len;
	if (!digest_of(domain, a, b, digest))
		return vw_error_set(err, VW_ELIMIT, "too many bytes to sign");
	int rc = mbedtls_pk_sign((mbedtls_pk_context *)vw_key_context(key), MBEDTLS_MD_SHA256, digest, sizeof(digest),
				 signature, sizeof(signature), &len, vw_key_random, NULL);
	if (rc != 0)
		return x509_error(err, VW_EIO, rc, "cannot sign");
	memcpy(out, signature, len);
	*out_len = len;
	return 0;
}

int vw_signature_check(struct vw_bytes public_key, const char *domain, struct vw_bytes a, struct vw_bytes b,
		       struct vw_bytes signature, struct vw_error *err)
{
	uint8_t digest[VW_SHA256_SIZE];
	mbedtls_pk_context pk;
	if (!digest_of(domain, a, b, digest))
		return vw_error_set(err, VW_ELIMIT, "too many bytes to be signed");
	mbedtls_pk_init(&pk);
	int rc = x509_read_public_key(public_key, &pk, err);
	if (rc == 0 && !x509_is_p256(&pk))
		rc = vw_error_set(err, VW_EINVAL, "not a P-256 public key");
	if (rc == 0 && (signature.len == 0 || mbedtls_pk_verify(&pk, MBEDTLS_MD_SHA256, digest, sizeof(digest),
								signature.data, signature.len) != 0))
		rc = vw_error_set(err, VW_EAUTH, "the signature is not this key's over this");
	mbedtls_pk_free(&pk);
	return rc;
}
