/* Ledger entries as JSON, of bytes that are an agent's own. */
#include "entry_json.h"
#include "fixture.h"

#include <string.h>

static json_t *show(struct vw_arena *arena, const void *payload, size_t len, int64_t removed_at)
{
	struct entry_view view;
	struct vw_buffer out;
	struct vw_json_writer w;
	json_t *root;
	vw_chained_entry chained = VERIFYWISE__V1__CHAINED_ENTRY__INIT;
	VW_SET_BYTES(&chained, payload, payload, len);
	VW_SET_BYTES(&chained, chain_sha256, "01234567890123456789012345678901", 32);
	assert_ok(entry_open(&chained, 5, arena, &view, &f_err));
	vw_buffer_init(&out, 0);
	vw_json_writer_init(&w, &out, false);
	vw_json_begin_object(&w);
	entry_put(&w, &view);
	entry_put_record(&w, &view, removed_at);
	entry_put_payload(&w, &view);
	vw_json_end_object(&w);
	assert_ok(vw_json_parse(vw_buffer_text(&out), out.len, "entry", &root, &f_err));
	vw_buffer_reset(&out);
	return root;
}

static json_t *show_message(struct vw_arena *arena, vw_entry *entry)
{
	size_t len;
	uint8_t *bytes = vw_message_pack(arena, &entry->base, &len);
	return show(arena, bytes, len, 0);
}

static void assert_text(const json_t *root, const char *name, const char *wanted)
{
	assert_string_equal(json_string_value(json_object_get(root, name)), wanted);
}

static void assert_null_member(const json_t *root, const char *name)
{
	assert_true(json_is_null(json_object_get(root, name)));
}

static void shows_a_version(void **state)
{
	struct vw_arena *arena VW_AUTO(vw_arena_cleanup) = vw_arena_open(0);
	vw_record record = VERIFYWISE__V1__RECORD__INIT;
	vw_version_recorded version = VERIFYWISE__V1__VERSION_RECORDED__INIT;
	vw_deployment_event event = VERIFYWISE__V1__DEPLOYMENT_EVENT__INIT, *events[] = {&event};
	vw_entry entry = VERIFYWISE__V1__ENTRY__INIT;
	char *changed[] = {(char *)"identity.owner"};
	size_t len;
	(void)state;
	record.model_name = (char *)"fraud";
	record.version_number = (char *)"3";
	uint8_t *packed = vw_message_pack(arena, &record.base, &len);
	VW_SET_BYTES(&version, record, packed, len);
	VW_SET(&version, life, 2);
	version.changed = changed;
	version.n_changed = 1;
	event.field = (char *)"aliases";
	version.events = events;
	version.n_events = 1;
	VW_SET(&entry, recorded_at, 1772366400000);
	entry.body_case = VERIFYWISE__V1__ENTRY__BODY_VERSION;
	entry.version = &version;
	json_t *root = show_message(arena, &entry);
	assert_int_equal(json_integer_value(json_object_get(root, "sequence")), 5);
	assert_text(root, "chain_sha256", "3031323334353637383930313233343536373839303132333435363738393031");
	assert_text(root, "recorded_at", "2026-03-01T12:00:00.000Z");
	assert_text(root, "kind", "recorded");
	assert_text(root, "model_name", "fraud");
	assert_text(json_array_get(json_object_get(root, "events"), 0), "field", "aliases");
	assert_string_equal(json_string_value(json_array_get(json_object_get(root, "changed"), 0)), "identity.owner");
	assert_int_equal(json_integer_value(json_object_get(root, "life")), 2);
	assert_text(json_object_get(root, "record"), "model_name", "fraud");
	assert_null_member(json_object_get(root, "record"), "removed_at");
	assert_null_member(root, "audit");
	json_decref(root);
}

static void shows_a_removal_and_an_audit(void **state)
{
	struct vw_arena *arena VW_AUTO(vw_arena_cleanup) = vw_arena_open(0);
	vw_version_removed removal = VERIFYWISE__V1__VERSION_REMOVED__INIT;
	vw_deployment_event event = VERIFYWISE__V1__DEPLOYMENT_EVENT__INIT;
	vw_audit audit = VERIFYWISE__V1__AUDIT__INIT;
	vw_entry entry = VERIFYWISE__V1__ENTRY__INIT;
	(void)state;
	removal.model_name = (char *)"fraud";
	removal.event = &event;
	entry.body_case = VERIFYWISE__V1__ENTRY__BODY_REMOVAL;
	entry.removal = &removal;
	json_t *root = show_message(arena, &entry);
	assert_text(root, "kind", "removed");
	assert_text(root, "model_name", "fraud");
	assert_int_equal(json_array_size(json_object_get(root, "events")), 1);
	assert_null_member(root, "record");
	json_decref(root);
	VW_SET(&audit, kind, VW_AUDIT_SYNC_FINISHED);
	entry.body_case = VERIFYWISE__V1__ENTRY__BODY_AUDIT;
	entry.audit = &audit;
	root = show_message(arena, &entry);
	assert_text(root, "kind", "sync_finished");
	assert_null_member(root, "model_name");
	json_decref(root);
}

/* What is no entry, or no record, is shown as what it is: bytes under a hash. */
static void shows_what_cannot_be_read(void **state)
{
	struct vw_arena *arena VW_AUTO(vw_arena_cleanup) = vw_arena_open(0);
	vw_version_recorded version = VERIFYWISE__V1__VERSION_RECORDED__INIT;
	vw_entry entry = VERIFYWISE__V1__ENTRY__INIT;
	(void)state;
	json_t *root = show(arena, "\xff\xff", 2, 0);
	assert_text(root, "kind", "unknown");
	assert_text(root, "payload", "//8=");
	assert_null_member(root, "record");
	json_decref(root);
	VW_SET_BYTES(&version, record, "\xff\xff", 2);
	entry.body_case = VERIFYWISE__V1__ENTRY__BODY_VERSION;
	entry.version = &version;
	root = show_message(arena, &entry);
	assert_text(root, "kind", "recorded");
	assert_null_member(root, "record");
	json_decref(root);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(shows_a_version),
	    cmocka_unit_test(shows_a_removal_and_an_audit),
	    cmocka_unit_test(shows_what_cannot_be_read),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
