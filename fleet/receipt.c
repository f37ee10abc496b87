#include "fleet/receipt.h"

#include "proto/message.h"

#include <string.h>

#define ORGANIZATION_DIGITS 10 /* of an int32 */

static const struct vw_bytes nothing = {NULL, 0};

int vw_receipt_make(const struct vw_receipt_facts *facts, const struct vw_key *key, const uint8_t signer_sha256[32],
		    struct vw_arena *arena, vw_receipt **out, struct vw_error *err)
{
	vw_receipt_body body = VERIFYWISE__V1__RECEIPT_BODY__INIT;
	uint8_t signature[VW_SIGNATURE_MAX];
	size_t body_len, signature_len;
	body.organization = (char *)facts->organization;
	body.agent_id = (char *)facts->agent_id;
	VW_SET(&body, epoch, facts->epoch);
	VW_SET(&body, sequence, facts->head.sequence);
	VW_SET_BYTES(&body, chain_sha256, facts->head.hash, sizeof(facts->head.hash));
	VW_SET(&body, stored_at, facts->stored_at);
	uint8_t *packed = vw_message_pack(arena, &body.base, &body_len);
	vw_receipt *receipt = vw_message_new(arena, &verifywise__v1__receipt__descriptor);
	if (!packed || !receipt)
		return vw_error_set(err, VW_ENOMEM, "no memory for a receipt");
	int rc = vw_key_sign(key, VW_RECEIPT_DOMAIN, (struct vw_bytes){packed, body_len}, nothing, signature,
			     &signature_len, err);
	if (rc)
		return rc;
	uint8_t *signature_copy = vw_arena_memdup(arena, signature, signature_len);
	uint8_t *signer_copy = vw_arena_memdup(arena, signer_sha256, 32);
	if (!signature_copy || !signer_copy)
		return vw_error_set(err, VW_ENOMEM, "no memory for a receipt");
	VW_SET_BYTES(receipt, body, packed, body_len);
	VW_SET_BYTES(receipt, signature, signature_copy, signature_len);
	VW_SET_BYTES(receipt, signer_sha256, signer_copy, 32);
	*out = receipt;
	return 0;
}

/* From 1, as it is printed. */
static bool is_organization(const char *text)
{
	size_t len = text ? strnlen(text, ORGANIZATION_DIGITS + 1) : 0;
	return len > 0 && len <= ORGANIZATION_DIGITS && text[0] != '0' && strspn(text, "0123456789") == len;
}

static int read_body(const vw_receipt *receipt, struct vw_arena *arena, struct vw_receipt_facts *out,
		     struct vw_error *err)
{
	void *message;
	int rc = vw_message_unpack(arena, &verifywise__v1__receipt_body__descriptor, receipt->body.data,
				   receipt->body.len, "receipt", &message, err);
	if (rc)
		return rc == VW_ENOMEM ? rc : vw_error_set(err, VW_EINVAL, "the receipt's body cannot be read");
	const vw_receipt_body *body = message;
	if (!is_organization(body->organization) || !body->agent_id || !vw_agent_id_valid(body->agent_id) ||
	    body->epoch == 0 || body->sequence == 0 || body->chain_sha256.len != VW_LEDGER_HASH ||
	    body->stored_at <= 0)
		return vw_error_set(err, VW_EINVAL, "the receipt does not say for which entry of whom it is");
	*out = (struct vw_receipt_facts){.organization = body->organization,
					 .agent_id = body->agent_id,
					 .epoch = body->epoch,
					 .head.sequence = body->sequence,
					 .stored_at = body->stored_at};
	memcpy(out->head.hash, body->chain_sha256.data, VW_LEDGER_HASH);
	return 0;
}

int vw_receipt_read(const vw_receipt *receipt, struct vw_bytes signer, struct vw_arena *arena,
		    struct vw_receipt_facts *out, struct vw_error *err)
{
	struct vw_certificate_facts certificate;
	struct vw_receipt_facts facts;
	int rc = vw_certificate_read(signer, arena, &certificate, err);
	if (rc)
		return vw_error_context(err, rc, "the receipts' certificate");
	if (receipt->signer_sha256.len != sizeof(certificate.sha256) ||
	    memcmp(receipt->signer_sha256.data, certificate.sha256, sizeof(certificate.sha256)) != 0)
		return vw_error_set(err, VW_EAUTH, "the receipt names another certificate as its signer's");
	rc = vw_signature_check(certificate.public_key, VW_RECEIPT_DOMAIN,
				(struct vw_bytes){receipt->body.data, receipt->body.len}, nothing,
				(struct vw_bytes){receipt->signature.data, receipt->signature.len}, err);
	if (rc)
		return vw_error_context(err, rc, "receipt");
	rc = read_body(receipt, arena, &facts, err);
	if (rc == 0)
		*out = facts;
	return rc;
}
