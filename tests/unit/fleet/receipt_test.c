/* receipt.h: what the controller signs is what is read, by us and by openssl (S3.5, S11.1). */
#include "fixture.h"

#include "fleet/receipt.h"
#include "proto/message.h"

static struct vw_error err;
static struct authority ca;
static struct vw_key *key;
static struct vw_bytes signer;
static struct vw_certificate_facts signer_facts;

static struct vw_receipt_facts some_facts(void)
{
	struct vw_receipt_facts facts = {
	    .organization = "7", .agent_id = AGENT, .epoch = 2, .head = {.sequence = 41}, .stored_at = NOON};
	memset(facts.head.hash, 0xab, sizeof(facts.head.hash));
	return facts;
}

static vw_receipt *make(const struct vw_receipt_facts *facts)
{
	vw_receipt *receipt = NULL;
	assert_ok(vw_receipt_make(facts, key, signer_facts.sha256, arena, &receipt, &err), err);
	return receipt;
}

static void test_made_and_read(void **state)
{
	struct vw_receipt_facts facts = some_facts(), read;
	(void)state;
	assert_ok(vw_receipt_read(make(&facts), signer, arena, &read, &err), err);
	assert_string_equal(read.organization, facts.organization);
	assert_string_equal(read.agent_id, facts.agent_id);
	assert_int_equal(read.epoch, facts.epoch);
	assert_int_equal(read.head.sequence, facts.head.sequence);
	assert_memory_equal(read.head.hash, facts.head.hash, VW_LEDGER_HASH);
	assert_int_equal(read.stored_at, facts.stored_at);
}

/* As docs/ledger.md has it: lengths as big-endian u32, the domain, the body, and nothing. */
static void test_openssl_verifies_it(void **state)
{
	struct vw_receipt_facts facts = some_facts();
	(void)state;
	vw_receipt *receipt = make(&facts);
	FILE *f = fopen("signed", "wb");
	assert_non_null(f);
	fwrite("\0\0\0\x15verifywise.receipt.v1\0\0\0", 1, 28, f);
	fputc((int)receipt->body.len, f);
	fwrite(receipt->body.data, 1, receipt->body.len, f);
	fwrite("\0\0\0\0", 1, 4, f);
	assert_int_equal(fclose(f), 0);
	spill("signature", (struct vw_bytes){receipt->signature.data, receipt->signature.len});
	assert_ok(vw_certificates_write_file("signer.pem", &signer, 1, 0644, &err), err);
	sh("openssl x509 -in signer.pem -pubkey -noout >signer.pub");
	sh("openssl dgst -sha256 -verify signer.pub -signature signature signed");
	sh("printf x >>signed");
	assert_false(sh_says("openssl dgst -sha256 -verify signer.pub -signature signature signed"));
}

static void refuse(const vw_receipt *receipt, struct vw_bytes by, int code, const char *says)
{
	struct vw_receipt_facts read = {.organization = "untouched"};
	assert_fails(vw_receipt_read(receipt, by, arena, &read, &err), code, err, says);
	assert_string_equal(read.organization, "untouched");
}

static void test_changed_ones_are_refused(void **state)
{
	struct vw_receipt_facts facts = some_facts();
	(void)state;
	const vw_receipt *good = make(&facts);
	vw_receipt receipt = *good;
	struct vw_bytes body = {good->body.data, good->body.len},
			signature = {good->signature.data, good->signature.len};
	for (size_t at = 0; at < body.len; at++) {
		receipt.body.data = (uint8_t *)(uintptr_t)with_flip(body, at).data;
		refuse(&receipt, signer, VW_EAUTH, "signature");
	}
	receipt = *good;
	for (size_t at = 0; at < signature.len; at++) {
		receipt.signature.data = (uint8_t *)(uintptr_t)with_flip(signature, at).data;
		refuse(&receipt, signer, VW_EAUTH, "signature");
	}
	receipt = *good;
	receipt.body.len--;
	refuse(&receipt, signer, VW_EAUTH, "signature");
	receipt = *good;
	receipt.signature.len = 0;
	refuse(&receipt, signer, VW_EAUTH, "signature");
	receipt = *good;
	receipt.signer_sha256.len = 31;
	refuse(&receipt, signer, VW_EAUTH, "another certificate");
	receipt = (vw_receipt)VERIFYWISE__V1__RECEIPT__INIT;
	refuse(&receipt, signer, VW_EAUTH, "another certificate");
	refuse(good, issue(&ca, VW_USE_RECEIPTS, NULL), VW_EAUTH, "another certificate");
	refuse(good, bytes_of("x"), VW_EINVAL, "the receipts' certificate");
	/* another signer's signature under our certificate's name */
	VW_AUTO(vw_key_cleanup) struct vw_key *other = NULL;
	vw_receipt *forged;
	assert_ok(vw_key_generate(&other, &err), err);
	assert_ok(vw_receipt_make(&facts, other, signer_facts.sha256, arena, &forged, &err), err);
	refuse(forged, signer, VW_EAUTH, "signature");
}

/* A body that is signed under another domain is no receipt, nor is one that is signed rightly and says nothing. */
static void test_signed_bodies_that_are_no_receipts(void **state)
{
	struct vw_receipt_facts facts = some_facts();
	uint8_t signature[VW_SIGNATURE_MAX];
	size_t len;
	(void)state;
	vw_receipt receipt = *make(&facts);
	assert_ok(vw_key_sign(key, "verifywise.export.v1", (struct vw_bytes){receipt.body.data, receipt.body.len},
			      (struct vw_bytes){NULL, 0}, signature, &len, &err),
		  err);
	VW_SET_BYTES(&receipt, signature, signature, len);
	refuse(&receipt, signer, VW_EAUTH, "signature");

	static const struct vw_receipt_facts bad[] = {
	    {"", AGENT, 2, {1, {0}}, NOON},   {"07", AGENT, 2, {1, {0}}, NOON},
	    {"x", AGENT, 2, {1, {0}}, NOON},  {"12345678901", AGENT, 2, {1, {0}}, NOON},
	    {NULL, AGENT, 2, {1, {0}}, NOON}, {"7", "no uuid", 2, {1, {0}}, NOON},
	    {"7", NULL, 2, {1, {0}}, NOON},   {"7", AGENT, 0, {1, {0}}, NOON},
	    {"7", AGENT, 2, {0, {0}}, NOON},  {"7", AGENT, 2, {1, {0}}, 0},
	};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		refuse(make(&bad[i]), signer, VW_EINVAL, "for which entry");

	receipt = *make(&facts);
	assert_ok(
	    vw_key_sign(key, VW_RECEIPT_DOMAIN, bytes_of("\xff"), (struct vw_bytes){NULL, 0}, signature, &len, &err),
	    err);
	VW_SET_BYTES(&receipt, body, "\xff", 1);
	VW_SET_BYTES(&receipt, signature, signature, len);
	refuse(&receipt, signer, VW_EINVAL, "cannot be read");
}

static int enter(void **state)
{
	int rc = enter_folder(state);
	make_authority("Test CA", &ca);
	signer = issue(&ca, VW_USE_RECEIPTS, &key);
	return rc ? rc : vw_certificate_read(signer, arena, &signer_facts, &err);
}

static int leave(void **state)
{
	vw_key_close(ca.key);
	vw_key_close(key);
	return leave_folder(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_made_and_read),
	    cmocka_unit_test(test_openssl_verifies_it),
	    cmocka_unit_test(test_changed_ones_are_refused),
	    cmocka_unit_test(test_signed_bodies_that_are_no_receipts),
	};
	return cmocka_run_group_tests(tests, enter, leave);
}
