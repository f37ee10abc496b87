/* A receipt as it came, which is never accepted; and its body signed rightly, which is accepted only when it says something. */
#include "fleet/receipt.h"

#include "proto/message.h"

#include <stdlib.h>
#include <string.h>

static struct vw_key *key;
static struct vw_certificate_facts signer;
static uint8_t der[2048];
static size_t der_len;

static void make_signer(void)
{
	struct vw_arena *arena = vw_arena_open(0);
	struct vw_certificate_order order = {.use = VW_USE_RECEIPTS,
					     .id = {.kind = VW_SPIFFE_RECEIPTS, .trust_domain = "d"},
					     .common_name = "receipts",
					     .not_before = 0,
					     .not_after = INT64_C(4000000000000)};
	char serial[VW_SERIAL_MAX];
	struct vw_bytes made;
	if (vw_key_generate(&key, NULL) != 0 || vw_key_public(key, arena, &order.public_key, NULL) != 0 ||
	    vw_certificate_issue(&order, (struct vw_bytes){NULL, 0}, key, arena, &made, serial, NULL) != 0 ||
	    vw_certificate_read(made, arena, &signer, NULL) != 0)
		abort();
	memcpy(der, made.data, made.len);
	der_len = made.len;
	vw_arena_close(arena);
}

static void read_receipt(vw_receipt *receipt, struct vw_arena *arena)
{
	struct vw_error err = VW_ERROR_INIT;
	struct vw_receipt_facts facts;
	const struct vw_bytes by = {der, der_len};
	uint8_t signature[VW_SIGNATURE_MAX];
	size_t len;
	if (vw_receipt_read(receipt, by, arena, &facts, &err) == 0)
		abort();
	VW_SET_BYTES(receipt, signer_sha256, signer.sha256, 32);
	if (vw_receipt_read(receipt, by, arena, &facts, &err) == 0)
		abort();
	if (vw_key_sign(key, VW_RECEIPT_DOMAIN, (struct vw_bytes){receipt->body.data, receipt->body.len},
			(struct vw_bytes){NULL, 0}, signature, &len, &err) != 0)
		abort();
	VW_SET_BYTES(receipt, signature, signature, len);
	int rc = vw_receipt_read(receipt, by, arena, &facts, &err);
	if (rc != 0 && rc != VW_EINVAL)
		abort();
	if (rc == 0 &&
	    (atol(facts.organization) < 1 || !vw_agent_id_valid(facts.agent_id) || facts.head.sequence == 0))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vw_arena *arena = vw_arena_open(0);
	void *receipt;
	if (!key)
		make_signer();
	if (arena &&
	    vw_message_unpack(arena, &verifywise__v1__receipt__descriptor, data, size, "fuzz", &receipt, NULL) == 0)
		read_receipt(receipt, arena);
	vw_arena_close(arena);
	return 0;
}
