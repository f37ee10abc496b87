/* Packing, unpacking, hashing, sorting. */
#include "base/digest.h"
#include "base/limits.h"
#include "sample.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static const ProtobufCMessageDescriptor *const record_type = &verifywise__v1__record__descriptor;

static int unpack(struct vw_arena *arena, const ProtobufCMessageDescriptor *type, const void *bytes, size_t len,
		  void **out, struct vw_error *err)
{
	return vw_message_unpack(arena, type, bytes, len, "record churn/12", out, err);
}

static void test_round_trip(void **state)
{
	VW_AUTO(vw_arena_cleanup) struct vw_arena *arena = vw_arena_open(0);
	vw_record *record = sample_record(arena);
	struct vw_error err = VW_ERROR_INIT;
	size_t len = 0, again_len = 0;
	void *out = NULL;

	(void)state;
	uint8_t *bytes = vw_message_pack(arena, &record->base, &len);
	assert_non_null(bytes);
	if (unpack(arena, record_type, bytes, len, &out, &err))
		fail_msg("%s", err.message);
	const vw_record *back = out;
	assert_string_equal(back->model_name, "churn");
	assert_null(back->workspace);
	assert_string_equal(back->lifecycle->version_status, ""); /* empty is not missing */
	assert_null(back->lifecycle->version_description);
	assert_false(back->lifecycle->has_last_updated_at);
	assert_int_equal(back->lifecycle->n_tags, 3);
	uint8_t *again = vw_message_pack(arena, &back->base, &again_len);
	assert_int_equal(again_len, len);
	assert_memory_equal(again, bytes, len);
}

static void test_sha256(void **state)
{
	VW_AUTO(vw_arena_cleanup) struct vw_arena *arena = vw_arena_open(0);
	vw_record *record = sample_record(arena);
	uint8_t of_message[VW_SHA256_SIZE], of_bytes[VW_SHA256_SIZE];
	size_t len = 0;

	(void)state;
	uint8_t *bytes = vw_message_pack(arena, &record->base, &len);
	vw_sha256_of(bytes, len, of_bytes);
	assert_int_equal(vw_message_sha256(&record->base, of_message), 0);
	assert_memory_equal(of_message, of_bytes, sizeof(of_bytes));

	vw_record empty = VERIFYWISE__V1__RECORD__INIT;
	vw_sha256_of("", 0, of_bytes);
	assert_int_equal(vw_message_sha256(&empty.base, of_message), 0);
	assert_memory_equal(of_message, of_bytes, sizeof(of_bytes));
	assert_non_null(vw_message_pack(arena, &empty.base, &len));
	assert_int_equal(len, 0);
}

static void test_unpack_empty(void **state)
{
	VW_AUTO(vw_arena_cleanup) struct vw_arena *arena = vw_arena_open(0);
	void *out = NULL;

	(void)state;
	assert_int_equal(unpack(arena, record_type, "", 0, &out, NULL), 0);
	assert_null(((vw_record *)out)->model_name);
}

static void test_unpack_corrupt(void **state)
{
	static const char *const texts[] = {"\xff\xff\xff", "\x0a\x10short", "\x22\x02\x0a\x05", "\x0a", "\x0b\x0c"};
	VW_AUTO(vw_arena_cleanup) struct vw_arena *arena = vw_arena_open(0);

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct vw_error err = VW_ERROR_INIT;
		void *out = (void *)0x1;
		assert_int_equal(unpack(arena, record_type, texts[i], strlen(texts[i]), &out, &err), VW_ECORRUPT);
		assert_ptr_equal(out, (void *)0x1);
		assert_non_null(strstr(err.message, "record churn/12"));
	}
}

/* `count` times the field of the tag `tag`, an empty text or message. */
static uint8_t *repeated(uint8_t tag, size_t count)
{
	uint8_t *bytes = malloc(2 * count);
	for (size_t i = 0; i < count; i++) {
		bytes[2 * i] = tag;
		bytes[2 * i + 1] = 0;
	}
	return bytes;
}

static void test_unpack_too_many(void **state)
{
	VW_AUTO(vw_arena_cleanup) struct vw_arena *arena = vw_arena_open(0);
	struct vw_error err = VW_ERROR_INIT;
	void *out = NULL;
	uint8_t *warnings = repeated(0x62, VW_MAX_ENTRIES + 1); /* field 12 of Record */

	(void)state;
	assert_int_equal(unpack(arena, record_type, warnings, 2 * VW_MAX_ENTRIES, &out, &err), 0);
	out = NULL;
	assert_int_equal(unpack(arena, record_type, warnings, 2 * VW_MAX_ENTRIES + 2, &out, &err), VW_ELIMIT);
	assert_null(out);
	assert_non_null(strstr(err.message, "'warnings' (VW_MAX_ENTRIES)"));
	free(warnings);
}

static void test_unpack_too_many_inside(void **state)
{
	VW_AUTO(vw_arena_cleanup) struct vw_arena *arena = vw_arena_open(0);
	struct vw_error err = VW_ERROR_INIT;
	void *out = NULL;
	size_t len = 2 * (VW_MAX_ENTRIES + 1), head = 4;
	uint8_t *aliases = repeated(0x3a, VW_MAX_ENTRIES + 1); /* field 7 of Lifecycle */
	uint8_t *bytes = malloc(head + len);

	(void)state;
	bytes[0] = 0x2a; /* field 5 of Record, then the length as a varint */
	bytes[1] = (uint8_t)(len & 0x7f) | 0x80;
	bytes[2] = (uint8_t)(len >> 7 & 0x7f) | 0x80;
	bytes[3] = (uint8_t)(len >> 14);
	memcpy(bytes + head, aliases, len);
	assert_int_equal(unpack(arena, record_type, bytes, head + len, &out, &err), VW_ELIMIT);
	assert_non_null(strstr(err.message, "'aliases'"));
	free(aliases);
	free(bytes);
}

static void test_unpack_beyond_arena(void **state)
{
	VW_AUTO(vw_arena_cleanup) struct vw_arena *arena = vw_arena_open(64 * VW_KIB);
	struct vw_error err = VW_ERROR_INIT;
	void *out = NULL;
	uint8_t *warnings = repeated(0x62, 10000);

	(void)state;
	assert_int_equal(unpack(arena, record_type, warnings, 20000, &out, &err), VW_ELIMIT);
	assert_non_null(strstr(err.message, "VW_MAX_ARENA"));
	free(warnings);
}

static void test_no_memory(void **state)
{
	VW_AUTO(vw_arena_cleanup) struct vw_arena *arena = vw_arena_open(16);
	vw_record record = VERIFYWISE__V1__RECORD__INIT;
	size_t len = 7;

	(void)state;
	record.model_name = (char *)"a name that does not fit";
	assert_null(vw_message_pack(arena, &record.base, &len));
	assert_int_equal(len, 7);
	assert_null(vw_message_new(arena, record_type));
}

/* ---- Order ---- */

static void test_key_values_sort(void **state)
{
	static const char *const pairs[] = {"b", "1", "a", "2", "\xc3\xa9", "3", "b",
					    "4", "B", "5", "a", "6",        "",  "7"};
	static const char *const expected[] = {"", "7", "B", "5", "a", "6", "b", "4", "\xc3\xa9", "3"};
	VW_AUTO(vw_arena_cleanup) struct vw_arena *arena = vw_arena_open(0);
	vw_key_value **list = sample_map(arena, pairs, 7);
	size_t count = 7;

	(void)state;
	vw_key_values_sort(list, &count);
	assert_int_equal(count, 5);
	for (size_t i = 0; i < count; i++) {
		assert_string_equal(list[i]->key, expected[2 * i]);
		assert_string_equal(list[i]->value, expected[2 * i + 1]);
	}
	count = 0;
	vw_key_values_sort(NULL, &count);
	assert_int_equal(count, 0);
}

static void test_key_values_sort_many(void **state)
{
	VW_AUTO(vw_arena_cleanup) struct vw_arena *arena = vw_arena_open(0);
	size_t count = VW_MAX_ENTRIES;
	vw_key_value **list = vw_arena_array(arena, count, sizeof(*list));

	(void)state;
	for (size_t i = 0; i < count; i++) {
		list[i] = vw_message_new(arena, &verifywise__v1__key_value__descriptor);
		list[i]->key = vw_arena_printf(arena, "%06zu", i % 2 ? count - i : i);
	}
	vw_key_values_sort(list, &count);
	assert_int_equal(count, VW_MAX_ENTRIES);
	for (size_t i = 1; i < count; i++)
		assert_true(strcmp(list[i - 1]->key, list[i]->key) < 0);
}

static void test_texts_sort(void **state)
{
	char b[] = "b", a[] = "a", b2[] = "b", upper[] = "B";
	char *list[] = {b, a, b2, upper, a};
	size_t count = 5;

	(void)state;
	vw_texts_sort(list, &count);
	assert_int_equal(count, 3);
	assert_string_equal(list[0], "B");
	assert_string_equal(list[1], "a");
	assert_string_equal(list[2], "b");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_round_trip),          cmocka_unit_test(test_sha256),
	    cmocka_unit_test(test_unpack_empty),        cmocka_unit_test(test_unpack_corrupt),
	    cmocka_unit_test(test_unpack_too_many),     cmocka_unit_test(test_unpack_too_many_inside),
	    cmocka_unit_test(test_unpack_beyond_arena), cmocka_unit_test(test_no_memory),
	    cmocka_unit_test(test_key_values_sort),     cmocka_unit_test(test_key_values_sort_many),
	    cmocka_unit_test(test_texts_sort),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
