/* ledger.h: the chain against a vector worked out by other means, and the reader of stored values. */
#include "fixture.h"

#include "base/digest.h"
#include "proto/message.h"

#define DOCS VW_TEST_DATA "/../../../../docs/"

#define AGENT "0b5c1f5e-7f6e-4d0a-9f0e-3d2c1b0a9f8e"

/* Of docs/ledger.md and vector.ndjson: the second entry gives the ledger to organization 7. */
#define ENTRIES 3
static const struct vw_ledger_owner owners[ENTRIES] = {{"", AGENT, 1}, {"7", AGENT, 2}, {"7", AGENT, 2}};
static const char *const payloads[ENTRIES] = {
    "08809494caca332a0908011a056669727374",
    ("08e89b94caca332a2f080e5a2b0a0137122430623563316635652d376636652d346430"
     "612d396630652d3364326331623061396638651802"),
    "08d0a394caca332a0a08021a067365636f6e64"};
static const char *const hashes[ENTRIES] = {"4af911466303a1d8c4762a730ced617887227270d10cd0fecb17bc510a747c41",
					    "91e2bc1150bffcba33c2afa400fc890236b9f64459f19a75decf9212da7cf8d9",
					    "96c836035891332c2872b016a226a61b45ef35c18ed024ace141596cc3fccbe5"};

static void hash_is(const struct vw_ledger_owner *owner, uint64_t n, const uint8_t before[32], const char *hex,
		    bool same)
{
	uint8_t payload[128], hash[32], expected[32];
	size_t len = strlen(payloads[n - 1]) / 2;
	assert_true(vw_hex_decode(payloads[n - 1], payload, len));
	assert_true(vw_hex_decode(hex, expected, 32));
	vw_ledger_hash(owner, n, before, payload, len, hash);
	assert_int_equal(memcmp(hash, expected, 32) == 0, same);
}

static void test_chain_matches_the_vector(void **in)
{
	uint8_t before[32] = {0};
	(void)in;
	for (uint64_t n = 1; n <= ENTRIES; n++) {
		hash_is(&owners[n - 1], n, before, hashes[n - 1], true);
		assert_true(vw_hex_decode(hashes[n - 1], before, 32));
	}
}

static void test_everything_is_in_the_hash(void **in)
{
	uint8_t other[32] = {0};
	struct vw_ledger_owner owner = owners[0];
	(void)in;
	other[31] = 1;
	hash_is(&owners[0], 1, other, hashes[0], false);
	other[31] = 0;
	owner.organization = "7";
	hash_is(&owner, 1, other, hashes[0], false);
	owner.organization = NULL; /* as empty */
	hash_is(&owner, 1, other, hashes[0], true);
	owner = owners[0];
	owner.agent = "0b5c1f5e-7f6e-4d0a-9f0e-3d2c1b0a9f8f";
	hash_is(&owner, 1, other, hashes[0], false);
	owner = owners[0];
	owner.epoch = 2;
	hash_is(&owner, 1, other, hashes[0], false);
	/* lengths are in it: what moves from one text to the next is seen */
	struct vw_ledger_owner a = {"ab", "c", 1}, b = {"a", "bc", 1};
	uint8_t x[32], y[32];
	vw_ledger_hash(&a, 1, other, "p", 1, x);
	vw_ledger_hash(&b, 1, other, "p", 1, y);
	assert_memory_not_equal(x, y, 32);
	vw_ledger_hash(&a, 1, other, "p", 1, x);
	vw_ledger_hash(&a, 2, other, "p", 1, y);
	assert_memory_not_equal(x, y, 32);
}

/* The entries of docs/ledger.md are what protobuf-c packs. */
static void test_payloads_are_packed_entries(void **in)
{
	static const vw_audit_kind kinds[] = {VW_AUDIT_SYNC_STARTED, VW_AUDIT_EPOCH_STARTED, VW_AUDIT_SYNC_FINISHED};
	static const char *const texts[] = {"first", NULL, "second"};
	struct vw_arena *arena = vw_arena_open(0);
	vw_epoch_started epoch = VERIFYWISE__V1__EPOCH_STARTED__INIT;
	(void)in;
	epoch.organization = (char *)owners[1].organization;
	epoch.agent_id = (char *)AGENT;
	VW_SET(&epoch, epoch, owners[1].epoch);
	for (int i = 0; i < ENTRIES; i++) {
		vw_audit audit = VERIFYWISE__V1__AUDIT__INIT;
		vw_entry entry = VERIFYWISE__V1__ENTRY__INIT;
		const vw_epoch_started *found;
		char hex[257];
		size_t len;
		VW_SET(&entry, recorded_at, 1772366400000 + 1000 * i);
		entry.body_case = VERIFYWISE__V1__ENTRY__BODY_AUDIT;
		entry.audit = &audit;
		VW_SET(&audit, kind, kinds[i]);
		audit.text = (char *)texts[i];
		audit.epoch = i == 1 ? &epoch : NULL;
		const uint8_t *bytes = vw_message_pack(arena, &entry.base, &len);
		assert_true(len <= 128);
		assert_string_equal(vw_hex_encode(bytes, len, hex), payloads[i]);
		assert_int_equal(vw_ledger_epoch_of(&entry, &found), i == 1);
	}
	vw_arena_close(arena);
}

static void test_documentation_has_the_vector(void **in)
{
	uint8_t *bytes;
	size_t len;
	(void)in;
	read_bytes(DOCS "ledger.md", &bytes, &len);
	bytes[len] = '\0';
	for (int i = 0; i < ENTRIES; i++) {
		uint8_t payload[128], digest[32];
		char hex[65];
		size_t size = strlen(payloads[i]) / 2;
		assert_true(vw_hex_decode(payloads[i], payload, size));
		vw_sha256_of(payload, size, digest);
		assert_non_null(strstr((char *)bytes, payloads[i]));
		assert_non_null(strstr((char *)bytes, hashes[i]));
		assert_non_null(strstr((char *)bytes, vw_hex_encode(digest, 32, hex)));
	}
	free(bytes);
}

static bool opens(const void *bytes, size_t len)
{
	struct vw_bytes payload;
	const uint8_t *hash;
	return vw_ledger_open_value((struct vw_bytes){bytes, len}, &payload, &hash);
}

static void test_stored_value_is_read_strictly(void **in)
{
	uint8_t value[400] = {0x0a, 2, 'p', 'q', 0x12, 32};
	struct vw_bytes payload;
	const uint8_t *hash;
	(void)in;
	assert_true(vw_ledger_open_value((struct vw_bytes){value, 38}, &payload, &hash));
	assert_int_equal(payload.len, 2);
	assert_ptr_equal(payload.data, value + 2);
	assert_ptr_equal(hash, value + 6);
	for (size_t len = 0; len < 38; len++)
		assert_false(opens(value, len));
	assert_false(opens(value, 39)); /* something behind it */
	value[5] = 31;
	assert_false(opens(value, 37)); /* a short hash */
	value[5] = 32;
	value[0] = 0x12;
	assert_false(opens(value, 38)); /* out of order */
	/* a length in more bytes than it needs would be a second form of the same */
	const uint8_t padded[] = {0x0a, 0x82, 0x00, 'p', 'q', 0x12, 32};
	memcpy(value, padded, sizeof(padded));
	assert_false(opens(value, 39));
	/* lengths that reach beyond all memory */
	const uint8_t huge[] = {0x0a, 0xff, 0xff, 0xff, 0xff, 0x7f, 'p'};
	assert_false(opens(huge, sizeof(huge)));
	const uint8_t endless[] = {0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
	assert_false(opens(endless, sizeof(endless)));
	/* 300 bytes: a length of two */
	memset(value, 0, sizeof(value));
	const uint8_t two[] = {0x0a, 0xac, 0x02};
	memcpy(value, two, sizeof(two));
	value[303] = 0x12;
	value[304] = 32;
	assert_true(opens(value, 337));
}

static void test_kind_of_an_entry(void **in)
{
	vw_entry entry = VERIFYWISE__V1__ENTRY__INIT;
	vw_audit audit = VERIFYWISE__V1__AUDIT__INIT;
	(void)in;
	assert_int_equal(vw_ledger_kind_of(&entry), 0);
	entry.body_case = VERIFYWISE__V1__ENTRY__BODY_AUDIT;
	assert_int_equal(vw_ledger_kind_of(&entry), 0); /* says so, but there is none */
	entry.audit = &audit;
	assert_int_equal(vw_ledger_kind_of(&entry), VW_LEDGER_AUDIT);
}

static void epoch_is(const vw_audit *audit, int expected)
{
	vw_entry entry = VERIFYWISE__V1__ENTRY__INIT;
	const vw_epoch_started *found = NULL;
	entry.body_case = VERIFYWISE__V1__ENTRY__BODY_AUDIT;
	entry.audit = (vw_audit *)audit;
	assert_int_equal(vw_ledger_epoch_of(&entry, &found), expected);
	assert_ptr_equal(found, expected == 1 ? audit->epoch : NULL);
}

static void test_entry_that_starts_an_epoch(void **in)
{
	vw_epoch_started right = VERIFYWISE__V1__EPOCH_STARTED__INIT, epoch;
	vw_audit audit = VERIFYWISE__V1__AUDIT__INIT;
	vw_entry other = VERIFYWISE__V1__ENTRY__INIT;
	const vw_epoch_started *found = NULL;
	(void)in;
	assert_int_equal(vw_ledger_epoch_of(&other, &found), 0); /* no body at all */
	epoch_is(&audit, 0);
	VW_SET(&audit, kind, VW_AUDIT_ENROLLED);
	epoch_is(&audit, 0);
	right.organization = (char *)"123456789012345";
	right.agent_id = (char *)AGENT;
	VW_SET(&right, epoch, 2);
	epoch = right;
	audit.epoch = &epoch;
	epoch_is(&audit, VW_EINVAL); /* of another kind */
	audit.has_kind = 0;
	epoch_is(&audit, VW_EINVAL);
	VW_SET(&audit, kind, VW_AUDIT_EPOCH_STARTED);
	epoch_is(&audit, 1);
	epoch.organization = (char *)""; /* nobody's any more */
	epoch_is(&audit, 1);
	audit.epoch = NULL;
	epoch_is(&audit, VW_EINVAL);
	audit.epoch = &epoch;
	epoch.organization = NULL;
	epoch_is(&audit, VW_EINVAL);
	epoch.organization = (char *)"1234567890123456";
	epoch_is(&audit, VW_EINVAL);
	epoch = right;
	epoch.agent_id = NULL;
	epoch_is(&audit, VW_EINVAL);
	epoch.agent_id = (char *)"";
	epoch_is(&audit, VW_EINVAL);
	epoch.agent_id = (char *)"0b5c1f5e-7f6e-4d0a-9f0e-3d2c1b0a9f8e0";
	epoch_is(&audit, VW_EINVAL);
	epoch = right;
	epoch.has_epoch = 0;
	epoch_is(&audit, VW_EINVAL);
	VW_SET(&epoch, epoch, 1); /* the first is nobody's to start */
	epoch_is(&audit, VW_EINVAL);
	epoch.epoch = VW_LEDGER_EPOCH_LAST;
	epoch_is(&audit, 1);
	epoch.epoch++;
	epoch_is(&audit, VW_EINVAL);
}

/* ---- The verifier that is given to auditors ---- */

static int verifier(const char *file, const char *noted)
{
	char command[2 * PATH_MAX];
	snprintf(command, sizeof(command), "python3 %sverify_ledger.py %s %s >/dev/null 2>&1", DOCS, file, noted);
	int status = system(command);
	assert_true(status == 0 || status == 1 << 8);
	return status >> 8;
}

static void noted_is(int sequence, const char *hash, int status)
{
	char noted[80];
	snprintf(noted, sizeof(noted), "%d:%s", sequence, hash);
	assert_int_equal(verifier(VW_TEST_DATA "/vector.ndjson", noted), status);
}

static void test_python_verifier_agrees(void **in)
{
	(void)in;
	assert_int_equal(verifier(VW_TEST_DATA "/vector.ndjson", ""), 0);
	noted_is(1, hashes[0], 0);
	noted_is(2, hashes[1], 0);
	noted_is(2, hashes[0], 1);
	noted_is(4, hashes[2], 1);
	assert_int_equal(verifier("/no/such/file", ""), 1);
}

struct edit {
	const char *from;
	const char *to;
};

/* Each must be found out. */
static void test_python_verifier_sees_each_edit(void **in)
{
	static const struct edit edits[] = {
	    {"\"organization\":\"7\"", "\"organization\":\"8\""},
	    {"9f8e\",\"epoch\"", "9f8f\",\"epoch\""},
	    {"9f8e\",\"head\"", "9f8f\",\"head\""},
	    {"\"epoch\":2", "\"epoch\":1"},
	    {"\"epoch\":2", "\"epoch\":\"2\""},
	    {"verifywise.ledger.v1", "verifywise.ledger.v2"},
	    {"{\"sequence\":3,\"payload\"", "{\"sequence\":4,\"payload\""},
	    {"\"sequence\":1,\"payload\"", "\"sequence\":2,\"payload\""},
	    {"CICU", "CICV"},
	    {"CICU", "CI*U"},
	    {"4af91146", "4af91147"},
	    {"\"payload\":", "\"payload\":\"AAAA\",\"payload\":"},
	    {"\"chain_sha256\":\"4a", "\"chain\":\"4a"},
	    {"{\"ledger\"", "\"ledger\""},
	    {"GAI=", "GAM="}, /* epoch 3 */
	    {"CA5a", "CA9a"}, /* another kind */
	};
	uint8_t *bytes;
	size_t len;
	char *dir = make_dir(), *path = path_in(dir, "edited.ndjson");
	(void)in;
	read_bytes(VW_TEST_DATA "/vector.ndjson", &bytes, &len);
	bytes[len] = '\0';
	for (size_t i = 0; i < sizeof(edits) / sizeof(edits[0]); i++) {
		char edited[4096];
		const char *at = strstr((char *)bytes, edits[i].from);
		assert_non_null(at);
		int before = (int)(at - (char *)bytes);
		int n = snprintf(edited, sizeof(edited), "%.*s%s%s", before, (char *)bytes, edits[i].to,
				 at + strlen(edits[i].from));
		write_bytes(path, (uint8_t *)edited, (size_t)n);
		if (verifier(path, "") != 1)
			fail_msg("not seen: %s for %s", edits[i].to, edits[i].from);
	}
	size_t lines[ENTRIES + 1] = {0};
	for (size_t i = 0, n = 0; i < len; i++)
		if (bytes[i] == '\n')
			lines[n++] = i + 1;
	for (int i = 0; i < ENTRIES; i++) {
		write_bytes(path, bytes, lines[i]); /* cut off behind the first line, an entry, two of them */
		assert_int_equal(verifier(path, ""), 1);
	}
	write_bytes(path, bytes, 0);
	assert_int_equal(verifier(path, ""), 1);
	free(bytes);
	free(path);
	drop_dir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_chain_matches_the_vector),
	    cmocka_unit_test(test_everything_is_in_the_hash),
	    cmocka_unit_test(test_payloads_are_packed_entries),
	    cmocka_unit_test(test_documentation_has_the_vector),
	    cmocka_unit_test(test_stored_value_is_read_strictly),
	    cmocka_unit_test(test_kind_of_an_entry),
	    cmocka_unit_test(test_entry_that_starts_an_epoch),
	    cmocka_unit_test(test_python_verifier_agrees),
	    cmocka_unit_test(test_python_verifier_sees_each_edit),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
