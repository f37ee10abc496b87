/* docs/ledger.md from both sides: the vector that Python wrote is read by our functions, and what ours write is read by
 * docs/verify_ledger.py (S3.5, S11.1). */
#include "fixture.h"

#include "base/digest.h"
#include "base/json.h"
#include "fleet/chain.h"
#include "fleet/receipt.h"
#include "proto/message.h"

#include <jansson.h>
#include <sodium.h>

#define EXPORT_DOMAIN "verifywise.export.v1"
#define VERIFIER      VW_TEST_DATA "/../../../../docs/verify_ledger.py"

static struct vw_error err;
static const struct vw_bytes none = {NULL, 0};

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));
	assert_non_null(text);
	return text;
}

/* ---- Reading the vector ---- */

struct reader {
	struct vw_chain chain;
	const char *sender;
	struct vw_bytes ca, signer;
	struct vw_sha256 seen;
	int ledgers, entries, receipts, signatures;
};

static struct vw_bytes from_base64(const char *text)
{
	size_t len = 0, max = strlen(text);
	unsigned char *bytes = vw_arena_alloc(arena, max + 1);
	assert_int_equal(sodium_base642bin(bytes, max, text, max, NULL, &len, NULL, sodium_base64_VARIANT_ORIGINAL),
			 0);
	return (struct vw_bytes){bytes, len};
}

static struct vw_bytes from_hex(const char *text)
{
	unsigned char *bytes = vw_arena_alloc(arena, 32);
	assert_int_equal(strlen(text), 64);
	assert_true(vw_hex_decode(text, bytes, 32));
	return (struct vw_bytes){bytes, 32};
}

static struct vw_bytes from_pem(const char *pem)
{
	struct vw_bytes *read;
	size_t count;
	spill("one.pem", bytes_of(pem));
	assert_ok(vw_certificates_read_file("one.pem", arena, &read, &count, &err), err);
	assert_int_equal(count, 1);
	return read[0];
}

static void read_first(struct reader *r, const json_t *line)
{
	assert_string_equal(text_of(line, "export"), "verifywise.ledger.v1");
	r->ca = from_pem(text_of(line, "ca"));
	r->signer = from_pem(json_string_value(json_array_get(json_object_get(line, "receipt_certificates"), 0)));
	assert_ok(vw_certificate_check(r->signer, NULL, 0, &r->ca, 1, VW_USE_RECEIPTS, NOON + DAY, &err), err);
}

static void read_entry(struct reader *r, const json_t *line)
{
	vw_chained_entry entry = VERIFYWISE__V1__CHAINED_ENTRY__INIT;
	struct vw_bytes payload = from_base64(text_of(line, "payload")),
			hash = from_hex(text_of(line, "chain_sha256"));
	vw_entry *unpacked;
	VW_SET_BYTES(&entry, payload, (uintptr_t)payload.data, payload.len);
	VW_SET_BYTES(&entry, chain_sha256, (uintptr_t)hash.data, hash.len);
	assert_ok(vw_chain_follow(&r->chain, &entry, "7", r->sender, arena, &unpacked, &err), err);
	r->entries++;
}

static void read_receipt(struct reader *r, const json_t *line)
{
	vw_receipt receipt = VERIFYWISE__V1__RECEIPT__INIT;
	struct vw_receipt_facts facts;
	struct vw_bytes body = from_base64(text_of(line, "body")),
			signature = from_base64(text_of(line, "signature"));
	struct vw_bytes signer = from_hex(text_of(line, "signer_sha256"));
	VW_SET_BYTES(&receipt, body, (uintptr_t)body.data, body.len);
	VW_SET_BYTES(&receipt, signature, (uintptr_t)signature.data, signature.len);
	VW_SET_BYTES(&receipt, signer_sha256, (uintptr_t)signer.data, signer.len);
	assert_ok(vw_receipt_read(&receipt, r->signer, arena, &facts, &err), err);
	assert_string_equal(facts.organization, "7");
	assert_string_equal(facts.agent_id, r->sender);
	assert_int_equal(facts.epoch, r->chain.epoch);
	assert_int_equal(facts.head.sequence, r->chain.head.sequence);
	assert_memory_equal(facts.head.hash, r->chain.head.hash, VW_LEDGER_HASH);
	r->receipts++;
}

static void read_signature(struct reader *r, const json_t *line)
{
	struct vw_certificate_facts facts;
	struct vw_sha256 seen = r->seen;
	uint8_t digest[32];
	vw_sha256_final(&seen, digest);
	assert_ok(vw_certificate_read(r->signer, arena, &facts, &err), err);
	assert_memory_equal(facts.sha256, from_hex(text_of(line, "signer_sha256")).data, 32);
	assert_ok(vw_signature_check(facts.public_key, EXPORT_DOMAIN, (struct vw_bytes){digest, 32}, none,
				     from_base64(text_of(line, "signature")), &err),
		  err);
	r->signatures++;
}

static void read_line(struct reader *r, const json_t *line)
{
	if (json_object_get(line, "export")) {
		read_first(r, line);
	} else if (json_object_get(line, "ledger")) {
		vw_chain_begin(&r->chain, text_of(line, "genesis_agent"));
		r->sender = vw_arena_strdup(arena, text_of(line, "sender"));
		r->ledgers++;
	} else if (json_object_get(line, "payload")) {
		read_entry(r, line);
	} else if (json_object_get(line, "receipt")) {
		read_receipt(r, json_object_get(line, "receipt"));
	} else {
		read_signature(r, line);
	}
}

static void test_pythons_vector(void **state)
{
	struct reader r = {.ledgers = 0};
	struct vw_bytes whole = slurp(VW_TEST_DATA "/export.ndjson");
	const char *at = whole.data, *end = at + whole.len;
	(void)state;
	vw_sha256_init(&r.seen);
	while (at < end) {
		size_t len = (size_t)((const char *)memchr(at, '\n', (size_t)(end - at)) - at) + 1;
		json_t *line;
		assert_ok(vw_json_parse(at, len, "the vector", &line, &err), err);
		read_line(&r, line);
		vw_sha256_update(&r.seen, at, len);
		json_decref(line);
		at += len;
	}
	assert_int_equal(r.ledgers, 2);
	assert_int_equal(r.entries, 8);
	assert_int_equal(r.receipts, 2);
	assert_int_equal(r.signatures, 1);
	assert_true(same_bytes(r.ca, from_pem(slurp(VW_TEST_DATA "/export-ca.pem").data)));
}

/* ---- Writing one ---- */

struct writer {
	struct vw_buffer out;
	struct vw_key *key;
	struct vw_certificate_facts signer;
	struct vw_chain chain;
};

static void put_line(struct writer *w, json_t *line)
{
	char *text = json_dumps(line, JSON_COMPACT);
	vw_buffer_printf(&w->out, "%s\n", text);
	free(text);
	json_decref(line);
}

static const char *base64(const void *bytes, size_t len)
{
	return vw_base64_encode(bytes, len, vw_arena_alloc(arena, 4 * ((len + 2) / 3) + 1));
}

static const char *hex(const void *bytes, size_t len)
{
	return vw_hex_encode(bytes, len, vw_arena_alloc(arena, 2 * len + 1));
}

static const char *pem(struct vw_bytes der)
{
	struct vw_buffer text;
	vw_buffer_init(&text, 0);
	assert_int_equal(vw_certificate_pem(der, &text), 0);
	const char *copy = vw_arena_strdup(arena, vw_buffer_text(&text));
	vw_buffer_reset(&text);
	return copy;
}

/* One audit entry; with an epoch it gives the chain to organization 7. The receiver's own function moves `chain`. */
static json_t *next_entry(struct writer *w, uint64_t epoch)
{
	vw_entry entry = VERIFYWISE__V1__ENTRY__INIT, *out;
	vw_audit audit = VERIFYWISE__V1__AUDIT__INIT;
	vw_epoch_started started = VERIFYWISE__V1__EPOCH_STARTED__INIT;
	vw_chained_entry chained = VERIFYWISE__V1__CHAINED_ENTRY__INIT;
	struct vw_ledger_owner owner = {w->chain.organization, w->chain.agent_id, w->chain.epoch};
	uint8_t hash[VW_LEDGER_HASH];
	size_t len;
	entry.body_case = VERIFYWISE__V1__ENTRY__BODY_AUDIT;
	entry.audit = &audit;
	VW_SET(&audit, kind, epoch ? VW_AUDIT_EPOCH_STARTED : VW_AUDIT_SYNC_STARTED);
	if (epoch) {
		started.organization = vw_arena_strdup(arena, "7");
		started.agent_id = vw_arena_strdup(arena, AGENT);
		VW_SET(&started, epoch, epoch);
		audit.epoch = &started;
		owner = (struct vw_ledger_owner){"7", AGENT, epoch};
	}
	uint8_t *payload = vw_message_pack(arena, &entry.base, &len);
	vw_ledger_hash(&owner, w->chain.head.sequence + 1, w->chain.head.hash, payload, len, hash);
	VW_SET_BYTES(&chained, payload, payload, len);
	VW_SET_BYTES(&chained, chain_sha256, hash, sizeof(hash));
	assert_ok(vw_chain_follow(&w->chain, &chained, "7", AGENT, arena, &out, &err), err);
	return json_pack("{s:I,s:s,s:s}", "sequence", (json_int_t)w->chain.head.sequence, "payload",
			 base64(payload, len), "chain_sha256", hex(hash, sizeof(hash)));
}

static json_t *receipt_of(struct writer *w)
{
	struct vw_receipt_facts facts = {.organization = "7",
					 .agent_id = AGENT,
					 .epoch = w->chain.epoch,
					 .head = w->chain.head,
					 .stored_at = NOON + DAY / 2};
	vw_receipt *receipt;
	assert_ok(vw_receipt_make(&facts, w->key, w->signer.sha256, arena, &receipt, &err), err);
	return json_pack("{s:{s:s,s:s,s:s}}", "receipt", "body", base64(receipt->body.data, receipt->body.len),
			 "signature", base64(receipt->signature.data, receipt->signature.len), "signer_sha256",
			 hex(receipt->signer_sha256.data, 32));
}

static void put_signature(struct writer *w)
{
	uint8_t digest[32], signature[VW_SIGNATURE_MAX];
	size_t len;
	vw_sha256_of(w->out.data, w->out.len, digest);
	assert_ok(vw_key_sign(w->key, EXPORT_DOMAIN, (struct vw_bytes){digest, 32}, none, signature, &len, &err),
		  err);
	put_line(w, json_pack("{s:s,s:s}", "signature", base64(signature, len), "signer_sha256",
			      hex(w->signer.sha256, 32)));
}

static json_t *ledger_line(const struct writer *w)
{
	return json_pack("{s:s,s:s,s:s,s:I,s:s,s:s,s:{s:I,s:s}}", "ledger", VW_LEDGER_DOMAIN, "organization",
			 w->chain.organization, "agent", w->chain.agent_id, "epoch", (json_int_t)w->chain.epoch,
			 "genesis_agent", AGENT, "sender", AGENT, "head", "sequence",
			 (json_int_t)w->chain.head.sequence, "chain_sha256", hex(w->chain.head.hash, 32));
}

static void write_export(struct writer *w, const struct authority *ca, struct vw_bytes signer)
{
	json_t *entries[4];
	put_line(w, json_pack("{s:s,s:s,s:s,s:s,s:s,s:s,s:[s]}", "export", "verifywise.ledger.v1", "organization",
			      "7", "organization_name", "Acme", "trust_domain", DOMAIN, "exported_at",
			      "2026-03-02T00:00:00.000Z", "ca", pem(ca->der), "receipt_certificates", pem(signer)));
	vw_chain_begin(&w->chain, AGENT);
	for (int i = 0; i < 4; i++)
		entries[i] = next_entry(w, i == 1 ? 2 : 0);
	put_line(w, ledger_line(w));
	for (int i = 0; i < 4; i++)
		put_line(w, entries[i]);
	put_line(w, receipt_of(w));
	put_signature(w);
}

static void test_python_reads_ours(void **state)
{
	struct authority ca, other;
	struct writer w = {.key = NULL};
	(void)state;
	make_authority("Fleet CA", &ca);
	make_authority("Other CA", &other);
	struct vw_bytes signer = issue(&ca, VW_USE_RECEIPTS, &w.key);
	assert_ok(vw_certificate_read(signer, arena, &w.signer, &err), err);
	vw_buffer_init(&w.out, 0);
	write_export(&w, &ca, signer);
	spill("export.ndjson", (struct vw_bytes){w.out.data, w.out.len});
	spill("ca.pem", bytes_of(pem(ca.der)));
	spill("other.pem", bytes_of(pem(other.der)));
	sh("python3 %s export.ndjson --ca ca.pem", VERIFIER);
	assert_non_null(strstr(slurp("log").data, "4 entries"));
	assert_non_null(strstr(slurp("log").data, "countersigned up to 4"));
	assert_false(sh_says("python3 %s export.ndjson --ca other.pem", VERIFIER));
	assert_false(sh_says(
	    "sed 's/Acme/Acne/' export.ndjson >changed.ndjson && python3 %s changed.ndjson --ca ca.pem", VERIFIER));
	vw_buffer_reset(&w.out);
	vw_key_close(w.key);
	vw_key_close(ca.key);
	vw_key_close(other.key);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_pythons_vector),
	    cmocka_unit_test(test_python_reads_ours),
	};
	return cmocka_run_group_tests(tests, enter_folder, leave_folder);
}
