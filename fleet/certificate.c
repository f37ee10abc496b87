#include "fleet/certificate.h"

#include "x509.h"

#include "base/digest.h"

#include <string.h>

/* The number's digits without leading zeros, as people and openssl write it. RFC 5280, 4.1.2.2: at most 20 bytes. */
static int read_serial(const mbedtls_x509_buf *serial, char out[VW_SERIAL_MAX], struct vw_error *err)
{
	const unsigned char *at = serial->p;
	size_t len = serial->len;
	while (len > 1 && *at == 0) {
		at++;
		len--;
	}
	if (len == 0 || len > (VW_SERIAL_MAX - 1) / 2)
		return vw_error_set(err, VW_EINVAL, "the certificate's serial number has %zu bytes", len);
	vw_hex_encode(at, len, out);
	return 0;
}

int vw_certificate_read(struct vw_bytes der, struct vw_arena *arena, struct vw_certificate_facts *out,
			struct vw_error *err)
{
	struct vw_certificate_facts facts = {0};
	mbedtls_x509_crt crt;
	mbedtls_x509_crt_init(&crt);
	int rc = x509_read_certificate(der, &crt, err);
	if (rc == 0)
		rc = read_serial(&crt.serial, facts.serial, err);
	if (rc == 0)
		rc = x509_public_key(&crt.pk, arena, &facts.public_key, err);
	if (rc == 0) {
		facts.not_before = x509_time_ms(&crt.valid_from);
		facts.not_after = x509_time_ms(&crt.valid_to);
		facts.has_id = x509_find_id(&crt, &facts.id);
		facts.is_ca = crt.MBEDTLS_PRIVATE(ca_istrue);
		vw_sha256_of(der.data, der.len, facts.sha256);
		*out = facts;
	}
	mbedtls_x509_crt_free(&crt);
	return rc;
}
