#include "x509.h"

#include "base/limits.h"

#include <mbedtls/error.h>
#include <mbedtls/oid.h>
#include <string.h>
#include <time.h>

/* RFC 9336: documents are signed with this key, no TLS. mbedTLS has no name for it. */
#define OID_DOCUMENT_SIGNING "\x2b\x06\x01\x05\x05\x07\x03\x24"

#define OID(text)                                                                                                    \
	{                                                                                                            \
		text, sizeof(text) - 1                                                                               \
	}

const struct x509_usage *x509_usage_of(enum vw_certificate_use use)
{
	static const struct x509_usage usages[] = {
	    [VW_USE_AGENT] = {MBEDTLS_X509_KU_DIGITAL_SIGNATURE, OID(MBEDTLS_OID_CLIENT_AUTH)},
	    [VW_USE_CONTROLLER] = {MBEDTLS_X509_KU_DIGITAL_SIGNATURE, OID(MBEDTLS_OID_SERVER_AUTH)},
	    [VW_USE_RECEIPTS] = {MBEDTLS_X509_KU_DIGITAL_SIGNATURE | MBEDTLS_X509_KU_NON_REPUDIATION,
				 OID(OID_DOCUMENT_SIGNING)},
	    [VW_USE_CA] = {MBEDTLS_X509_KU_KEY_CERT_SIGN | MBEDTLS_X509_KU_CRL_SIGN, {NULL, 0}},
	};
	return &usages[use];
}

int x509_error(struct vw_error *err, int code, int mbedtls_code, const char *what)
{
	char words[160];
	mbedtls_strerror(mbedtls_code, words, sizeof(words));
	bool memory = mbedtls_code == MBEDTLS_ERR_X509_ALLOC_FAILED || mbedtls_code == MBEDTLS_ERR_PK_ALLOC_FAILED;
	return vw_error_set(err, memory ? VW_ENOMEM : code, "%s: %s", what, words);
}

int x509_copy(struct vw_arena *arena, const void *bytes, size_t len, struct vw_bytes *out, struct vw_error *err)
{
	void *copy = vw_arena_memdup(arena, bytes, len);
	if (!copy)
		return vw_error_set(err, VW_ENOMEM, "no memory for %zu bytes", len);
	*out = (struct vw_bytes){copy, len};
	return 0;
}

int x509_public_key(const mbedtls_pk_context *pk, struct vw_arena *arena, struct vw_bytes *out, struct vw_error *err)
{
	unsigned char der[X509_SPKI_MAX];
	int len = mbedtls_pk_write_pubkey_der(pk, der, sizeof(der));
	if (len <= 0)
		return x509_error(err, VW_EINVAL, len, "cannot write a public key");
	/* it writes backwards, to the buffer's end */
	return x509_copy(arena, der + sizeof(der) - len, (size_t)len, out, err);
}

int x509_read_public_key(struct vw_bytes spki, mbedtls_pk_context *pk, struct vw_error *err)
{
	if (spki.len == 0 || spki.len > X509_SPKI_MAX)
		return vw_error_set(err, VW_EINVAL, "not a public key: %zu bytes", spki.len);
	/* not mbedtls_pk_parse_public_key(): that takes PEM and bare PKCS#1 too */
	unsigned char *at = (unsigned char *)spki.data;
	const unsigned char *end = at + spki.len;
	int rc = mbedtls_pk_parse_subpubkey(&at, end, pk);
	if (rc != 0)
		return x509_error(err, VW_EINVAL, rc, "not a public key");
	if (at != end)
		return vw_error_set(err, VW_EINVAL, "not a public key: %zu bytes follow it", (size_t)(end - at));
	return 0;
}

bool x509_is_p256(const mbedtls_pk_context *pk)
{
	return mbedtls_pk_get_type(pk) == MBEDTLS_PK_ECKEY &&
	       mbedtls_ecp_keypair_get_group_id(mbedtls_pk_ec(*pk)) == MBEDTLS_ECP_DP_SECP256R1;
}

int x509_read_certificate(struct vw_bytes der, mbedtls_x509_crt *list, struct vw_error *err)
{
	if (der.len > VW_MAX_CERTIFICATE)
		return vw_error_set(err, VW_ELIMIT, "a certificate of %zu bytes (VW_MAX_CERTIFICATE)", der.len);
	if (der.len == 0)
		return vw_error_set(err, VW_EINVAL, "not a certificate: no bytes");
	int rc = mbedtls_x509_crt_parse_der(list, der.data, der.len);
	if (rc != 0)
		return x509_error(err, VW_EINVAL, rc, "not a certificate");
	while (list->next)
		list = list->next;
	if (list->raw.len != der.len)
		return vw_error_set(err, VW_EINVAL, "not a certificate: %zu bytes follow it",
				    der.len - list->raw.len);
	return 0;
}

bool x509_find_id(const mbedtls_x509_crt *crt, struct vw_spiffe *out)
{
	const mbedtls_x509_buf *uri = NULL;
	for (const mbedtls_x509_sequence *name = &crt->subject_alt_names; name; name = name->next) {
		if (name->buf.tag != (MBEDTLS_ASN1_CONTEXT_SPECIFIC | MBEDTLS_X509_SAN_UNIFORM_RESOURCE_IDENTIFIER))
			continue;
		if (uri)
			return false;
		uri = &name->buf;
	}
	return uri && vw_spiffe_parse((const char *)uri->p, uri->len, out, NULL) == 0;
}

int64_t x509_time_ms(const mbedtls_x509_time *t)
{
	struct tm tm = {.tm_year = t->year - 1900,
			.tm_mon = t->mon - 1,
			.tm_mday = t->day,
			.tm_hour = t->hour,
			.tm_min = t->min,
			.tm_sec = t->sec};
	return (int64_t)timegm(&tm) * 1000;
}

bool x509_time_from_ms(int64_t ms, mbedtls_x509_time *out)
{
	time_t seconds = (time_t)(ms / 1000);
	struct tm tm;
	if (ms < 0 || !gmtime_r(&seconds, &tm) || tm.tm_year + 1900 > 9999)
		return false;
	*out = (mbedtls_x509_time){.year = tm.tm_year + 1900,
				   .mon = tm.tm_mon + 1,
				   .day = tm.tm_mday,
				   .hour = tm.tm_hour,
				   .min = tm.tm_min,
				   .sec = tm.tm_sec};
	return true;
}
