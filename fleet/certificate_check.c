/* certificate_check.c: whether a certificate is what a peer says it is (RFC 5280, section 6, by mbedTLS), and is for this use. */
#include "fleet/certificate.h"

#include "x509.h"

#include "base/clock.h"
#include "base/limits.h"

#include <mbedtls/oid.h>
#include <string.h>

#define OUT_OF_TIME ((uint32_t)(MBEDTLS_X509_BADCERT_EXPIRED | MBEDTLS_X509_BADCERT_FUTURE))

/* mbedTLS compares with the machine's clock, we with the caller's: its words on time are replaced. */
struct moment {
	mbedtls_x509_time now;
	const mbedtls_x509_crt *late, *early; /* the lowest in the chain that has expired, or is not valid yet */
};

static int judge_time(void *arg, mbedtls_x509_crt *crt, int depth, uint32_t *flags)
{
	struct moment *moment = arg;
	(void)depth;
	*flags &= ~OUT_OF_TIME;
	/* called from the top of the chain to its end */
	if (mbedtls_x509_time_cmp(&crt->valid_to, &moment->now) < 0) {
		*flags |= MBEDTLS_X509_BADCERT_EXPIRED;
		moment->late = crt;
	}
	if (mbedtls_x509_time_cmp(&crt->valid_from, &moment->now) > 0) {
		*flags |= MBEDTLS_X509_BADCERT_FUTURE;
		moment->early = crt;
	}
	return 0;
}

static const char *text_of(const mbedtls_x509_time *t, char out[VW_TIME_TEXT])
{
	return vw_clock_format(x509_time_ms(t), out);
}

static int say_why(uint32_t flags, const struct moment *moment, const mbedtls_x509_crt *leaf, struct vw_error *err)
{
	char when[VW_TIME_TEXT];
	if (flags & MBEDTLS_X509_BADCERT_NOT_TRUSTED)
		return vw_error_set(err, VW_EAUTH,
				    "the certificate was issued by none of the authorities trusted here");
	if (flags & ~OUT_OF_TIME)
		return vw_error_set(err, VW_EAUTH, "the certificate, or one above it, is made with weak algorithms");
	if (moment->late)
		return vw_error_set(err, VW_EAUTH, "the certificate%s expired on %s",
				    moment->late == leaf ? "" : " of an authority above it",
				    text_of(&moment->late->valid_to, when));
	return vw_error_set(err, VW_EAUTH, "the certificate%s is not valid before %s; is the clock right?",
			    moment->early == leaf ? "" : " of an authority above it",
			    text_of(&moment->early->valid_from, when));
}

static int check_chain(mbedtls_x509_crt *leaf, mbedtls_x509_crt *trusted, int64_t now, struct vw_error *err)
{
	uint32_t flags = 0;
	struct moment moment = {0};
	if (!x509_time_from_ms(now, &moment.now))
		return vw_error_set(err, VW_EINVAL, "certificates cannot be checked at this time: %lld ms",
				    (long long)now);
	int rc = mbedtls_x509_crt_verify_with_profile(leaf, trusted, NULL, &mbedtls_x509_crt_profile_default, NULL,
						      &flags, judge_time, &moment);
	if (rc == 0)
		return 0;
	if (rc != MBEDTLS_ERR_X509_CERT_VERIFY_FAILED)
		return x509_error(err, VW_EAUTH, rc, "the certificate cannot be checked");
	return say_why(flags, &moment, leaf, err);
}

/* The usages must be there: without them a certificate would be good for anything. */
static bool has_usage(const mbedtls_x509_crt *crt, const struct x509_usage *usage)
{
	if (!mbedtls_x509_crt_has_ext_type(crt, MBEDTLS_X509_EXT_KEY_USAGE) ||
	    mbedtls_x509_crt_check_key_usage(crt, MBEDTLS_X509_KU_DIGITAL_SIGNATURE) != 0)
		return false;
	for (const mbedtls_x509_sequence *own = &crt->ext_key_usage; own; own = own->next) {
		if (own->buf.len == usage->extended.len && own->buf.len > 0 &&
		    memcmp(own->buf.p, usage->extended.data, own->buf.len) == 0)
			return true;
	}
	return false;
}

static int check_use(const mbedtls_x509_crt *crt, enum vw_certificate_use use, struct vw_error *err)
{
	static const struct {
		enum vw_spiffe_kind kind;
		const char *name;
	} uses[] = {
	    [VW_USE_AGENT] = {VW_SPIFFE_AGENT, "an agent"},
	    [VW_USE_CONTROLLER] = {VW_SPIFFE_CONTROLLER, "a controller"},
	    [VW_USE_RECEIPTS] = {VW_SPIFFE_RECEIPTS, "the signer of receipts"},
	};
	struct vw_spiffe id;
	bool is_ca = crt->MBEDTLS_PRIVATE(ca_istrue);
	if (use == VW_USE_CA && (!is_ca || mbedtls_x509_crt_check_key_usage(crt, MBEDTLS_X509_KU_KEY_CERT_SIGN) != 0))
		return vw_error_set(err, VW_EAUTH, "the certificate is not an authority's: it may not issue others");
	if (use == VW_USE_CA)
		return 0;
	if (is_ca || !has_usage(crt, x509_usage_of(use)))
		return vw_error_set(err, VW_EAUTH, "the certificate is not for use by %s", uses[use].name);
	/* only a controller has other names beside its URI: its hosts */
	if (!x509_find_id(crt, &id) || id.kind != uses[use].kind ||
	    (use != VW_USE_CONTROLLER && crt->subject_alt_names.next))
		return vw_error_set(err, VW_EAUTH, "the certificate does not have exactly one name, that of %s",
				    uses[use].name);
	return 0;
}

static int read_list(const struct vw_bytes *certificates, size_t count, mbedtls_x509_crt *list, const char *what,
		     struct vw_error *err)
{
	if (count > VW_MAX_CERTIFICATES)
		return vw_error_set(err, VW_ELIMIT, "more than %d %s (VW_MAX_CERTIFICATES)", VW_MAX_CERTIFICATES,
				    what);
	for (size_t i = 0; i < count; i++) {
		int rc = x509_read_certificate(certificates[i], list, err);
		if (rc)
			return vw_error_context(err, rc, "%s", what);
	}
	return 0;
}

/* mbedTLS would take a trusted certificate of version 1 for an authority, and a trusted leaf for its own. */
static int check_authorities(const mbedtls_x509_crt *trusted, struct vw_error *err)
{
	for (; trusted && trusted->raw.len; trusted = trusted->next) {
		if (!trusted->MBEDTLS_PRIVATE(ca_istrue))
			return vw_error_set(err, VW_EAUTH,
					    "a certificate that is trusted as an authority may not issue others");
	}
	return 0;
}

int vw_certificate_check(struct vw_bytes der, const struct vw_bytes *intermediates, size_t intermediate_count,
			 const struct vw_bytes *authorities, size_t authority_count, enum vw_certificate_use use,
			 int64_t now, struct vw_error *err)
{
	mbedtls_x509_crt chain, trusted;
	mbedtls_x509_crt_init(&chain);
	mbedtls_x509_crt_init(&trusted);
	int rc = x509_read_certificate(der, &chain, err);
	if (rc == 0)
		rc = read_list(intermediates, intermediate_count, &chain, "intermediate certificates", err);
	if (rc == 0)
		rc = read_list(authorities, authority_count, &trusted, "authorities", err);
	if (rc == 0)
		rc = check_authorities(&trusted, err);
	if (rc == 0)
		rc = check_use(&chain, use, err);
	if (rc == 0)
		rc = check_chain(&chain, &trusted, now, err);
	mbedtls_x509_crt_free(&chain);
	mbedtls_x509_crt_free(&trusted);
	return rc;
}
