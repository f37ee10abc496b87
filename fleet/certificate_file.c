/* certificate_file.c: certificates as PEM (RFC 7468). */
#include "fleet/certificate.h"

#include "x509.h"

#include "base/digest.h"
#include "base/file.h"
#include "base/limits.h"

#include <string.h>

/* Base64, line ends, and words around it: openssl writes the certificate's text in front. */
#define PEM_FILE_MAX (VW_MAX_CERTIFICATES * 4 * VW_MAX_CERTIFICATE)

#define PEM_BEGIN "-----BEGIN CERTIFICATE-----\n"
#define PEM_END   "-----END CERTIFICATE-----\n"
#define PEM_LINE  64 /* characters */

static int copy_list(const mbedtls_x509_crt *list, struct vw_arena *arena, struct vw_bytes **out, size_t *out_count,
		     struct vw_error *err)
{
	struct vw_bytes *copies = vw_arena_array(arena, VW_MAX_CERTIFICATES, sizeof(*copies));
	size_t count = 0;
	if (!copies)
		return vw_error_set(err, VW_ENOMEM, "no memory for certificates");
	for (; list && list->raw.len; list = list->next) {
		if (count == VW_MAX_CERTIFICATES)
			return vw_error_set(err, VW_ELIMIT, "more than %d certificates (VW_MAX_CERTIFICATES)",
					    VW_MAX_CERTIFICATES);
		if (list->raw.len > VW_MAX_CERTIFICATE)
			return vw_error_set(err, VW_ELIMIT, "a certificate of %zu bytes (VW_MAX_CERTIFICATE)",
					    list->raw.len);
		int rc = x509_copy(arena, list->raw.p, list->raw.len, &copies[count++], err);
		if (rc)
			return rc;
	}
	*out = copies;
	*out_count = count;
	return 0;
}

/* mbedTLS passes over what it cannot read and counts it; here one bad certificate is an error. */
static int read_pem(const struct vw_buffer *pem, struct vw_arena *arena, struct vw_bytes **out, size_t *out_count,
		    struct vw_error *err)
{
	const char *text = vw_buffer_text(pem);
	if (!strstr(text, "-----BEGIN CERTIFICATE-----"))
		return vw_error_set(err, VW_EINVAL, "holds no certificate in PEM");
	mbedtls_x509_crt list;
	mbedtls_x509_crt_init(&list);
	int rc = mbedtls_x509_crt_parse(&list, (const unsigned char *)text, pem->len + 1);
	if (rc > 0)
		rc = vw_error_set(err, VW_EINVAL, "%d of its certificates cannot be read", rc);
	else if (rc < 0)
		rc = x509_error(err, VW_EINVAL, rc, "its certificate cannot be read");
	else
		rc = copy_list(&list, arena, out, out_count, err);
	mbedtls_x509_crt_free(&list);
	return rc;
}

int vw_certificates_parse(const char *pem, size_t len, const char *what, struct vw_arena *arena,
			  struct vw_bytes **out, size_t *out_count, struct vw_error *err)
{
	struct vw_buffer text;
	vw_buffer_init(&text, PEM_FILE_MAX);
	vw_buffer_append(&text, pem, len);
	int rc = vw_buffer_error(&text);
	if (rc < 0)
		vw_error_set(err, rc, "too long to be certificates");
	else
		rc = read_pem(&text, arena, out, out_count, err);
	vw_buffer_reset(&text);
	return rc ? vw_error_context(err, rc, "%s", what) : 0;
}

int vw_certificates_read_file(const char *path, struct vw_arena *arena, struct vw_bytes **out, size_t *out_count,
			      struct vw_error *err)
{
	struct vw_buffer pem;
	vw_buffer_init(&pem, PEM_FILE_MAX);
	int rc = vw_file_read(path, PEM_FILE_MAX, &pem, err);
	if (rc == 0) {
		rc = read_pem(&pem, arena, out, out_count, err);
		rc = rc ? vw_error_context(err, rc, "%s", path) : 0;
	}
	vw_buffer_reset(&pem);
	return rc;
}

int vw_certificate_pem(struct vw_bytes der, struct vw_buffer *out)
{
	const uint8_t *at = der.data;
	char line[PEM_LINE + 1];
	vw_buffer_puts(out, PEM_BEGIN);
	for (size_t left = der.len; left;) {
		size_t part = left < PEM_LINE / 4 * 3 ? left : PEM_LINE / 4 * 3;
		vw_buffer_puts(out, vw_base64_encode(at, part, line));
		vw_buffer_putc(out, '\n');
		at += part;
		left -= part;
	}
	vw_buffer_puts(out, PEM_END);
	return vw_buffer_error(out);
}

int vw_certificates_write_file(const char *path, const struct vw_bytes *certificates, size_t count, unsigned mode,
			       struct vw_error *err)
{
	struct vw_buffer pem;
	vw_buffer_init(&pem, PEM_FILE_MAX);
	for (size_t i = 0; i < count; i++)
		vw_certificate_pem(certificates[i], &pem);
	int rc = vw_buffer_error(&pem);
	rc = rc ? vw_error_set(err, rc, "%s: no room for %zu certificates", path, count)
		: vw_file_write(path, pem.data, pem.len, mode, err);
	vw_buffer_reset(&pem);
	return rc;
}
