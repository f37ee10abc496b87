/* csr.c: requests for certificates (PKCS#10, RFC 2986). */
#include "fleet/certificate.h"

#include "x509.h"

#include "base/limits.h"

#include <mbedtls/x509_csr.h>

#define SUBJECT "CN=vw-agent"

int vw_csr_make(const struct vw_key *key, struct vw_arena *arena, struct vw_bytes *out, struct vw_error *err)
{
	unsigned char der[1024];
	mbedtls_x509write_csr csr;
	mbedtls_x509write_csr_init(&csr);
	mbedtls_x509write_csr_set_md_alg(&csr, MBEDTLS_MD_SHA256);
	mbedtls_x509write_csr_set_key(&csr, vw_key_context(key));
	int rc = mbedtls_x509write_csr_set_subject_name(&csr, SUBJECT);
	int len = rc == 0 ? mbedtls_x509write_csr_der(&csr, der, sizeof(der), vw_key_random, NULL) : rc;
	mbedtls_x509write_csr_free(&csr);
	if (len <= 0)
		return x509_error(err, VW_EIO, len, "cannot make a certificate request");
	/* it writes backwards, to the buffer's end */
	return x509_copy(arena, der + sizeof(der) - len, (size_t)len, out, err);
}

/* That whoever made the request holds the key in it. mbedTLS reads the signature and leaves the check to us. */
static int check_signature(mbedtls_x509_csr *csr, struct vw_error *err)
{
	unsigned char digest[MBEDTLS_MD_MAX_SIZE];
	mbedtls_md_type_t type = csr->MBEDTLS_PRIVATE(sig_md);
	const mbedtls_x509_buf *signature = &csr->MBEDTLS_PRIVATE(sig);
	if (type != MBEDTLS_MD_SHA256 && type != MBEDTLS_MD_SHA384 && type != MBEDTLS_MD_SHA512)
		return vw_error_set(err, VW_EINVAL, "the certificate request is not signed with SHA-2");
	const mbedtls_md_info_t *md = mbedtls_md_info_from_type(type);
	int rc = mbedtls_md(md, csr->cri.p, csr->cri.len, digest);
	if (rc == 0)
		rc = mbedtls_pk_verify_ext(csr->MBEDTLS_PRIVATE(sig_pk), csr->MBEDTLS_PRIVATE(sig_opts), &csr->pk,
					   type, digest, mbedtls_md_get_size(md), signature->p, signature->len);
	if (rc != 0)
		return vw_error_set(err, VW_EINVAL, "the certificate request is not signed by the key in it");
	return 0;
}

int vw_csr_public(struct vw_bytes csr, struct vw_arena *arena, struct vw_bytes *out, struct vw_error *err)
{
	mbedtls_x509_csr request;
	if (csr.len == 0 || csr.len > VW_MAX_CSR)
		return vw_error_set(err, VW_EINVAL,
				    "a certificate request of %zu bytes; from 1 to %zu are read (VW_MAX_CSR)",
				    csr.len, VW_MAX_CSR);
	mbedtls_x509_csr_init(&request);
	int rc = mbedtls_x509_csr_parse_der(&request, csr.data, csr.len);
	if (rc != 0)
		rc = x509_error(err, VW_EINVAL, rc, "not a certificate request");
	else if (request.raw.len != csr.len)
		rc = vw_error_set(err, VW_EINVAL, "not a certificate request: bytes follow it");
	else if (!x509_is_p256(&request.pk))
		rc = vw_error_set(err, VW_EINVAL, "the certificate request is not for a P-256 key");
	else
		rc = check_signature(&request, err);
	if (rc == 0)
		rc = x509_public_key(&request.pk, arena, out, err);
	mbedtls_x509_csr_free(&request);
	return rc;
}
