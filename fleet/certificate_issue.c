/* certificate_issue.c: writing certificates. */
#include "fleet/certificate.h"

#include "x509.h"

#include "base/digest.h"

#include <arpa/inet.h>
#include <mbedtls/asn1write.h>
#include <mbedtls/oid.h>
#include <stdio.h>
#include <string.h>

#define SERIAL_BYTES    16
#define DER_MAX         8192 /* a server's with a hundred hosts */
#define COMMON_NAME_MAX 64   /* characters; RFC 5280, appendix A.1, ub-common-name */
#define HOSTS_MAX       100
#define TIME_TEXT       80 /* what any six integers take */

/* What mbedTLS keeps by reference until the certificate is written. */
struct draft {
	mbedtls_x509write_cert cert;
	mbedtls_pk_context subject;
	mbedtls_x509_crt issuer;
	bool self_signed;
};

static void draft_init(struct draft *draft)
{
	memset(draft, 0, sizeof(*draft));
	mbedtls_x509write_crt_init(&draft->cert);
	mbedtls_pk_init(&draft->subject);
	mbedtls_x509_crt_init(&draft->issuer);
}

static void draft_free(struct draft *draft)
{
	/* the issuer's name is in an arena, or the subject's */
	draft->cert.MBEDTLS_PRIVATE(issuer) = NULL;
	mbedtls_x509write_crt_free(&draft->cert);
	mbedtls_pk_free(&draft->subject);
	mbedtls_x509_crt_free(&draft->issuer);
}

static int set_serial(struct draft *draft, char out[VW_SERIAL_MAX])
{
	uint8_t serial[SERIAL_BYTES];
	vw_random_bytes(serial, sizeof(serial));
	/* positive, and the same length always: so no byte has to be put in front or left out */
	serial[0] = (uint8_t)((serial[0] & 0x7f) | 0x40);
	vw_hex_encode(serial, sizeof(serial), out);
	return mbedtls_x509write_crt_set_serial_raw(&draft->cert, serial, sizeof(serial));
}

/* "YYYYMMDDhhmmss" */
static bool format_time(int64_t ms, char out[TIME_TEXT])
{
	mbedtls_x509_time t;
	return x509_time_from_ms(ms, &t) &&
	       snprintf(out, TIME_TEXT, "%04d%02d%02d%02d%02d%02d", t.year, t.mon, t.day, t.hour, t.min, t.sec) == 14;
}

static int set_validity(struct draft *draft, const struct vw_certificate_order *order, struct vw_error *err)
{
	char before[TIME_TEXT], after[TIME_TEXT];
	if (order->not_after <= order->not_before || !format_time(order->not_before, before) ||
	    !format_time(order->not_after, after))
		return vw_error_set(err, VW_EINVAL, "a certificate cannot be valid from %lld to %lld ms",
				    (long long)order->not_before, (long long)order->not_after);
	int rc = mbedtls_x509write_crt_set_validity(&draft->cert, before, after);
	return rc ? x509_error(err, VW_EINVAL, rc, "cannot write a certificate's times") : 0;
}

/* What is too long is cut between two characters: it is for people. */
static size_t common_name_length(const char *name)
{
	size_t len = strnlen(name, COMMON_NAME_MAX + 1);
	if (len <= COMMON_NAME_MAX)
		return len;
	do
		len--;
	while (len > 1 && ((unsigned char)name[len] & 0xc0) == 0x80);
	return len;
}

/* mbedTLS takes a name as text, in which any byte may be \XX. */
static int set_subject(struct draft *draft, const char *common_name, struct vw_error *err)
{
	char text[3 + 3 * COMMON_NAME_MAX + 1] = "CN=";
	size_t len = common_name ? common_name_length(common_name) : 0;
	if (len == 0)
		return vw_error_set(err, VW_EINVAL, "a certificate needs a common name");
	for (size_t i = 0; i < len; i++)
		snprintf(text + 3 + 3 * i, 4, "\\%02X", (unsigned char)common_name[i]);
	int rc = mbedtls_x509write_crt_set_subject_name(&draft->cert, text);
	if (rc)
		return x509_error(err, VW_EINVAL, rc, "cannot write a certificate's common name");
	if (draft->self_signed)
		draft->cert.MBEDTLS_PRIVATE(issuer) = draft->cert.MBEDTLS_PRIVATE(subject);
	return 0;
}

/* The issuer's name, byte for byte as in its own certificate: by way of text the kinds of its strings would be lost. */
static int set_issuer(struct draft *draft, struct vw_arena *arena, struct vw_error *err)
{
	mbedtls_asn1_named_data *list = NULL;
	for (const mbedtls_x509_name *name = &draft->issuer.subject; name; name = name->next) {
		mbedtls_asn1_named_data *copy = vw_arena_memdup(arena, name, sizeof(*name));
		if (!copy)
			return vw_error_set(err, VW_ENOMEM, "no memory for a certificate");
		/* it is written from its end */
		copy->next = list;
		list = copy;
	}
	draft->cert.MBEDTLS_PRIVATE(issuer) = list;
	return 0;
}

/* The issuer's own key id, as it says it: one that differs from it makes the chain invalid for others (RFC 5280, 4.2.1.1). */
static int set_authority_key_id(struct draft *draft)
{
	unsigned char der[64] = {0}, *at = der + sizeof(der);
	const mbedtls_x509_buf *id = &draft->issuer.subject_key_id;
	if (draft->self_signed || id->len == 0 || id->len > 40)
		return 0;
	int len = mbedtls_asn1_write_raw_buffer(&at, der, id->p, id->len);
	len += mbedtls_asn1_write_len(&at, der, (size_t)len);
	len += mbedtls_asn1_write_tag(&at, der, MBEDTLS_ASN1_CONTEXT_SPECIFIC);
	len += mbedtls_asn1_write_len(&at, der, (size_t)len);
	len += mbedtls_asn1_write_tag(&at, der, MBEDTLS_ASN1_CONSTRUCTED | MBEDTLS_ASN1_SEQUENCE);
	return mbedtls_x509write_crt_set_extension(&draft->cert, MBEDTLS_OID_AUTHORITY_KEY_IDENTIFIER,
						   MBEDTLS_OID_SIZE(MBEDTLS_OID_AUTHORITY_KEY_IDENTIFIER), 0, at,
						   (size_t)len);
}

static int set_usages(struct draft *draft, enum vw_certificate_use use)
{
	const struct x509_usage *usage = x509_usage_of(use);
	int rc =
	    mbedtls_x509write_crt_set_basic_constraints(&draft->cert, use == VW_USE_CA, use == VW_USE_CA ? 0 : -1);
	if (rc == 0)
		rc = mbedtls_x509write_crt_set_key_usage(&draft->cert, usage->key_usage);
	if (rc == 0 && usage->extended.len) {
		const mbedtls_asn1_sequence extended = {
		    .buf = {MBEDTLS_ASN1_OID, usage->extended.len, (unsigned char *)usage->extended.data}};
		rc = mbedtls_x509write_crt_set_ext_key_usage(&draft->cert, &extended);
	}
	if (rc == 0)
		rc = mbedtls_x509write_crt_set_subject_key_identifier(&draft->cert);
	return rc == 0 ? set_authority_key_id(draft) : rc;
}

static bool is_host(const char *host)
{
	size_t len = strnlen(host, 254);
	for (size_t i = 0; i < len; i++) {
		if (host[i] <= ' ' || host[i] > '~')
			return false;
	}
	return len > 0 && len <= 253;
}

static void add_name(mbedtls_x509_san_list *node, int type, const void *bytes, size_t len)
{
	node->node.type = type;
	node->node.san.unstructured_name.p = (unsigned char *)bytes;
	node->node.san.unstructured_name.len = len;
	if (type != MBEDTLS_X509_SAN_UNIFORM_RESOURCE_IDENTIFIER)
		(node - 1)->next = node;
}

/* The one URI, and of a controller its hosts. */
static int set_names(struct draft *draft, const struct vw_certificate_order *order, struct vw_arena *arena,
		     struct vw_error *err)
{
	char uri[VW_SPIFFE_MAX];
	size_t count = 0;
	mbedtls_x509_san_list *names = vw_arena_array(arena, HOSTS_MAX + 1, sizeof(*names));
	unsigned char(*addresses)[16] = vw_arena_array(arena, HOSTS_MAX, sizeof(*addresses));
	if (!names || !addresses)
		return vw_error_set(err, VW_ENOMEM, "no memory for a certificate");
	vw_spiffe_print(&order->id, uri);
	add_name(names, MBEDTLS_X509_SAN_UNIFORM_RESOURCE_IDENTIFIER, uri, strlen(uri));
	for (const char *const *host = order->hosts; host && *host; host++, count++) {
		if (count == HOSTS_MAX)
			return vw_error_set(err, VW_ELIMIT, "more than %d hosts in one certificate", HOSTS_MAX);
		mbedtls_x509_san_list *name = &names[count + 1];
		if (inet_pton(AF_INET, *host, addresses[count]) == 1)
			add_name(name, MBEDTLS_X509_SAN_IP_ADDRESS, addresses[count], 4);
		else if (inet_pton(AF_INET6, *host, addresses[count]) == 1)
			add_name(name, MBEDTLS_X509_SAN_IP_ADDRESS, addresses[count], 16);
		else if (is_host(*host))
			add_name(name, MBEDTLS_X509_SAN_DNS_NAME, *host, strlen(*host));
		else
			return vw_error_set(err, VW_EINVAL, "a host of the certificate is no name or address");
	}
	int rc = mbedtls_x509write_crt_set_subject_alternative_name(&draft->cert, names);
	return rc ? x509_error(err, VW_EINVAL, rc, "cannot write the certificate's names") : 0;
}

/* Who issues: an authority whose key this is, or the order's own key. */
static int take_issuer(struct draft *draft, struct vw_bytes issuer, const struct vw_key *key, struct vw_arena *arena,
		       struct vw_error *err)
{
	mbedtls_pk_context *own = vw_key_context(key);
	mbedtls_x509write_crt_set_issuer_key(&draft->cert, own);
	draft->self_signed = issuer.data == NULL;
	if (!draft->self_signed) {
		int rc = x509_read_certificate(issuer, &draft->issuer, err);
		if (rc)
			return vw_error_context(err, rc, "the issuer");
		if (!draft->issuer.MBEDTLS_PRIVATE(ca_istrue) ||
		    mbedtls_x509_crt_check_key_usage(&draft->issuer, MBEDTLS_X509_KU_KEY_CERT_SIGN) != 0)
			return vw_error_set(err, VW_ECONFIG, "the issuer's certificate may not issue others");
	}
	const mbedtls_pk_context *named = draft->self_signed ? &draft->subject : &draft->issuer.pk;
	if (mbedtls_pk_check_pair(named, own, vw_key_random, NULL) != 0)
		return vw_error_set(err, VW_ECONFIG, "the key is not that of the issuer's certificate");
	return draft->self_signed ? 0 : set_issuer(draft, arena, err);
}

static int fill(struct draft *draft, const struct vw_certificate_order *order, struct vw_bytes issuer,
		const struct vw_key *key, struct vw_arena *arena, struct vw_error *err)
{
	int rc = x509_read_public_key(order->public_key, &draft->subject, err);
	if (rc == 0 && !x509_is_p256(&draft->subject))
		rc = vw_error_set(err, VW_EINVAL, "certificates are for P-256 keys");
	if (rc == 0)
		rc = take_issuer(draft, issuer, key, arena, err);
	if (rc == 0)
		rc = set_validity(draft, order, err);
	if (rc == 0)
		rc = set_subject(draft, order->common_name, err);
	if (rc == 0 && order->use != VW_USE_CA)
		rc = set_names(draft, order, arena, err);
	return rc;
}

/* mbedTLS writes backwards, to the buffer's end. */
static int write_der(struct draft *draft, struct vw_arena *arena, struct vw_bytes *out, struct vw_error *err)
{
	unsigned char der[DER_MAX];
	int len = mbedtls_x509write_crt_der(&draft->cert, der, sizeof(der), vw_key_random, NULL);
	if (len <= 0)
		return x509_error(err, VW_EINVAL, len, "cannot write a certificate");
	return x509_copy(arena, der + sizeof(der) - len, (size_t)len, out, err);
}

/* A name with several attributes in one part cannot be written as it is, and the certificate would not lead to its issuer. */
static int check_issuer_name(const struct draft *draft, struct vw_bytes der, struct vw_error *err)
{
	mbedtls_x509_crt made;
	mbedtls_x509_crt_init(&made);
	const mbedtls_x509_buf *name = &draft->issuer.subject_raw;
	int rc = x509_read_certificate(der, &made, err);
	if (rc == 0 && (made.issuer_raw.len != name->len || memcmp(made.issuer_raw.p, name->p, name->len) != 0))
		rc = vw_error_set(err, VW_EUNSUPPORTED,
				  "the issuer's name is of a form that cannot be written; give the CA a plain one");
	mbedtls_x509_crt_free(&made);
	return rc;
}

int vw_certificate_issue(const struct vw_certificate_order *order, struct vw_bytes issuer, const struct vw_key *key,
			 struct vw_arena *arena, struct vw_bytes *out, char out_serial[VW_SERIAL_MAX],
			 struct vw_error *err)
{
	char serial[VW_SERIAL_MAX];
	struct vw_bytes der;
	struct draft draft;
	draft_init(&draft);
	mbedtls_x509write_crt_set_md_alg(&draft.cert, MBEDTLS_MD_SHA256);
	mbedtls_x509write_crt_set_subject_key(&draft.cert, &draft.subject);
	int rc = fill(&draft, order, issuer, key, arena, err);
	if (rc == 0) {
		rc = set_serial(&draft, serial);
		rc = rc == 0 ? set_usages(&draft, order->use) : rc;
		rc = rc ? x509_error(err, VW_EINVAL, rc, "cannot write a certificate") : 0;
	}
	if (rc == 0)
		rc = write_der(&draft, arena, &der, err);
	if (rc == 0 && !draft.self_signed)
		rc = check_issuer_name(&draft, der, err);
	draft_free(&draft);
	if (rc)
		return rc;
	*out = der;
	memcpy(out_serial, serial, sizeof(serial));
	return 0;
}
