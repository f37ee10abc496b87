/* identity.h: the files of an identity, as a crash or a person may leave them: it can be used, or it says what to do (S4.1). */
#include "identity_files.h"

#include "base/clock.h"
#include "base/file.h"
#include "proto/message.h"

#include "../fleet/fixture.h"

#include <unistd.h>

static struct vw_error err;
static struct authority ca;
static struct vw_identity_pair pair;

static struct vw_bytes certificate(const struct vw_key *key, const char *id, int64_t from, int64_t until)
{
	char serial[VW_SERIAL_MAX];
	struct vw_bytes der;
	struct vw_certificate_order order = {
	    .use = VW_USE_AGENT, .common_name = "vw-agent", .not_before = from, .not_after = until};
	assert_ok(vw_spiffe_parse(id, strlen(id), &order.id, &err), err);
	assert_ok(vw_key_public(key, arena, &order.public_key, &err), err);
	assert_ok(vw_certificate_issue(&order, ca.der, ca.key, arena, &der, serial, &err), err);
	return der;
}

static vw_issued *issued_for(struct vw_bytes der, const char *agent_id)
{
	vw_issued *issued = vw_message_new(arena, &verifywise__v1__issued__descriptor);
	ProtobufCBinaryData *list = vw_arena_array(arena, 1, sizeof(*list));
	list[0] = (ProtobufCBinaryData){der.len, (uint8_t *)(uintptr_t)der.data};
	issued->n_certificates = 1;
	issued->certificates = list;
	issued->organization = (char *)"7";
	issued->trust_domain = (char *)DOMAIN;
	issued->agent_id = (char *)agent_id;
	issued->session_endpoint = (char *)"127.0.0.1:1";
	return issued;
}

static struct vw_bytes write_pair(const char *folder, const char *name, const char *id)
{
	struct vw_key *key;
	assert_ok(vw_key_generate(&key, &err), err);
	struct vw_bytes der = certificate(key, id, NOON, NOON + DAY);
	assert_ok(vw_identity_write_pair(arena, folder, name, key, issued_for(der, AGENT), &err), err);
	vw_key_close(key);
	return der;
}

static void write_held(const char *folder, const char *agent_id)
{
	size_t len;
	vw_held_identity held = VERIFYWISE__V1__HELD_IDENTITY__INIT;
	vw_issued *issued = issued_for(bytes_of(""), agent_id);
	issued->n_certificates = 0;
	held.issued = issued;
	held.url = (char *)"https://127.0.0.1:1";
	const uint8_t *packed = vw_message_pack(arena, &held.base, &len);
	char path[64];
	snprintf(path, sizeof(path), "%s/controller.pb", folder);
	assert_ok(vw_file_write(path, packed, len, 0600, &err), err);
}

/* An identity with both pairs, in `folder`; its pending certificate. */
static void write_all(const char *folder, const char *agent_id)
{
	char id[128], path[64];
	struct vw_key *key;
	struct vw_sealing_key *sealing;
	sh("rm -rf %s && mkdir -p -m 700 %s", folder, folder);
	snprintf(id, sizeof(id), "spiffe://" DOMAIN "/org/7/agent/%s", agent_id);
	assert_ok(vw_key_generate(&key, &err), err);
	snprintf(path, sizeof(path), "%s/enrollment.key", folder);
	assert_ok(vw_key_write(key, path, &err), err);
	vw_key_close(key);
	assert_ok(vw_sealing_key_generate(&sealing, &err), err);
	snprintf(path, sizeof(path), "%s/sealing.key", folder);
	assert_ok(vw_sealing_key_write(sealing, path, &err), err);
	vw_sealing_key_close(sealing);
	snprintf(path, sizeof(path), "%s/authorities.pem", folder);
	assert_ok(vw_certificates_write_file(path, &ca.der, 1, 0600, &err), err);
	write_pair(folder, "current", id);
	write_pair(folder, "pending", id);
	write_held(folder, agent_id);
}

static int set_up(void **state)
{
	if (enter_folder(state) != 0)
		return -1;
	make_authority("ca", &ca);
	sh("mkdir -m 700 state");
	write_all("whole", AGENT);
	return 0;
}

static int tear_down(void **state)
{
	vw_key_close(ca.key);
	return leave_folder(state);
}

static struct vw_bytes first_of(const char *path)
{
	struct vw_bytes *list;
	size_t count;
	assert_ok(vw_certificates_read_file(path, arena, &list, &count, &err), err);
	return list[0];
}

/* What is shown after a change to a whole identity, "current", "pending" or "none"; NULL: it does not open. */
static const char *shown_after(const char *change)
{
	struct vw_identity *identity;
	const char *shown = "none";
	sh("rm -rf state/identity* && cp -a whole state/identity && cd state/identity && %s", change);
	if (vw_identity_open("state", &identity, &err) < 0)
		return NULL;
	vw_identity_pair(identity, &pair);
	assert_int_equal(pair.authority_count, 1);
	assert_string_equal(vw_identity_url(identity), "https://127.0.0.1:1");
	if (pair.key)
		shown = same_bytes(pair.certificates[0], first_of("whole/current.pem")) ? "current" : "pending";
	assert_int_equal(pair.pending, strcmp(shown, "pending") == 0);
	if (!pair.key)
		assert_int_equal(vw_identity_renew_at(identity), 0); /* at once */
	vw_identity_close(identity);
	return shown;
}

static void test_pairs(void **state)
{
	static const struct {
		const char *change, *shown;
	} cases[] = {
	    {"true", "pending"},
	    {"rm pending.key", "current"},
	    {"rm pending.pem", "current"},
	    {"cp current.key pending.key", "current"}, /* the key of a renewal, and not yet its certificate */
	    {"echo torn >pending.pem", "current"},
	    {"echo torn >pending.key", "current"},
	    {"rm current.key", "pending"},
	    {"cp pending.key current.key", "pending"}, /* between the two of a confirmation */
	    {"echo torn >current.pem", "pending"},
	    {"cp pending.key next.key; cp pending.pem next.pem", "pending"},
	    {"rm pending.*; cp ../../whole/pending.key current.key", "none"},
	    {"rm current.* pending.*", "none"},
	    {"rm current.pem pending.pem", "none"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *shown = shown_after(cases[i].change);
		if (!shown || strcmp(shown, cases[i].shown) != 0)
			fail_msg("%s: %s", cases[i].change, shown ? shown : err.message);
	}
}

static void test_a_pair_of_another_agent(void **state)
{
	(void)state;
	write_pair("whole", "strange", "spiffe://" DOMAIN "/org/7/agent/11111111-7f6e-4d0a-9f0e-3d2c1b0a9f8e");
	assert_string_equal(shown_after("mv strange.key pending.key; mv strange.pem pending.pem"), "current");
	sh("rm whole/strange.*");
}

static void test_what_there_is_only_once(void **state)
{
	static const char *const files[] = {"enrollment.key", "sealing.key", "authorities.pem", "controller.pb"};
	(void)state;
	for (size_t i = 0; i < 4; i++) {
		char change[64];
		snprintf(change, sizeof(change), "echo torn >%s", files[i]);
		assert_null(shown_after(change));
		if (err.code != VW_ECORRUPT || !strstr(err.message, "vw-agent unenroll"))
			fail_msg("%s: %d %s", change, err.code, err.message);
		snprintf(change, sizeof(change), "rm %s", files[i]);
		assert_null(shown_after(change));
		bool last = i == 3;
		assert_int_equal(err.code, last ? VW_ENOTFOUND : VW_ECORRUPT);
		assert_non_null(strstr(err.message, last ? "not enrolled" : "vw-agent unenroll"));
	}
	assert_null(shown_after("chmod 644 enrollment.key"));
	assert_int_equal(err.code, VW_ECONFIG);
	assert_null(shown_after("chmod 644 current.key"));
	assert_int_equal(err.code, VW_ECONFIG);
	struct vw_identity *identity;
	assert_fails(vw_identity_open("nowhere", &identity, &err), VW_ENOTFOUND, err, "not enrolled");
}

/* ---- renewed, confirmed, refused ---- */

static struct vw_identity *opened(const char *change)
{
	struct vw_identity *identity;
	sh("rm -rf state/identity* && cp -a whole state/identity && cd state/identity && %s", change);
	assert_ok(vw_identity_open("state", &identity, &err), err);
	return identity;
}

static struct vw_bytes shown_by(const struct vw_identity *identity)
{
	vw_identity_pair(identity, &pair);
	return pair.certificates[0];
}

static void test_confirmed(void **state)
{
	struct vw_identity *identity = opened("true");
	struct vw_bytes pending = first_of("whole/pending.pem");
	(void)state;
	assert_ok(vw_identity_confirm(identity, &err), err);
	assert_true(same_bytes(shown_by(identity), pending));
	assert_false(pair.pending);
	assert_ok(vw_identity_confirm(identity, &err), err); /* nothing to confirm: nothing happens */
	vw_identity_close(identity);
	assert_ok(vw_identity_open("state", &identity, &err), err);
	assert_true(same_bytes(shown_by(identity), pending));
	assert_false(pair.pending);
	vw_identity_close(identity);
	sh("cd state/identity && ! ls | grep -e pending -e next");
}

static void test_refused_until_the_next_renewal(void **state)
{
	struct vw_identity *identity = opened("true");
	struct vw_key *key;
	(void)state;
	vw_identity_distrust_pending(identity);
	assert_true(same_bytes(shown_by(identity), first_of("whole/current.pem")));
	assert_ok(vw_identity_confirm(identity, &err), err);
	assert_true(same_bytes(shown_by(identity), first_of("whole/current.pem")));
	assert_ok(vw_key_generate(&key, &err), err);
	struct vw_bytes next = certificate(key, AGENT_ID, NOON, NOON + DAY);
	assert_ok(vw_identity_take_pending(identity, key, issued_for(next, AGENT), &err), err);
	assert_true(same_bytes(shown_by(identity), next));
	vw_identity_close(identity);
	assert_ok(vw_identity_open("state", &identity, &err), err);
	assert_true(same_bytes(shown_by(identity), next));
	vw_identity_close(identity);
	/* with nothing else to show, what was refused is shown again */
	identity = opened("rm current.*");
	vw_identity_distrust_pending(identity);
	assert_true(same_bytes(shown_by(identity), first_of("whole/pending.pem")));
	vw_identity_close(identity);
	vw_key_close(key);
}

static void test_when_to_renew(void **state)
{
	struct vw_key *key;
	int64_t least = INT64_MAX, most = 0;
	(void)state;
	assert_ok(vw_key_generate(&key, &err), err);
	struct vw_identity *identity = opened("true");
	for (int i = 0; i < 40; i++) {
		assert_ok(
		    vw_identity_take_pending(
			identity, key, issued_for(certificate(key, AGENT_ID, NOON, NOON + 10 * DAY), AGENT), &err),
		    err);
		int64_t at = vw_identity_renew_at(identity) - NOON;
		assert_in_range(at, 4 * DAY, 6 * DAY);
		least = at < least ? at : least;
		most = at > most ? at : most;
	}
	assert_true(most - least > DAY / 2);
	vw_identity_close(identity);
	vw_key_close(key);
}

/* ---- a new agent, cut off; forgotten ---- */

#define NEW_AGENT "22222222-7f6e-4d0a-9f0e-3d2c1b0a9f8e"

static struct vw_store *open_store(void)
{
	struct vw_store *store;
	assert_ok(vw_store_open("state", VW_KV_WRITE, &store, &err), err);
	return store;
}

static void test_a_new_agent_is_completed(void **state)
{
	static const char *const cut[] = {"true", "mv state/identity state/identity.before-" NEW_AGENT};
	struct vw_enrollment enrollment = {.url = "https://127.0.0.1:1", .state_dir = "state"};
	struct vw_identity *identity;
	vw_issued *issued;
	(void)state;
	for (size_t i = 0; i < 2; i++) {
		sh("rm -rf state && mkdir -m 700 state && cp -a whole state/identity");
		write_all("state/identity.new", NEW_AGENT);
		sh("%s", cut[i]);
		assert_fails(vw_identity_open("state", &identity, &err), VW_ECORRUPT, err, "vw-agent enroll again");
		struct vw_store *store = open_store();
		assert_ok(vw_identity_enroll(store, &enrollment, i == 0, arena, &issued, &err), err);
		assert_string_equal(issued->agent_id, NEW_AGENT);
		assert_string_equal(vw_store_identity(store)->agent_id, NEW_AGENT);
		assert_string_equal(vw_store_identity(store)->organization, "7");
		vw_store_close(store);
		assert_ok(vw_identity_open("state", &identity, &err), err);
		assert_string_equal(vw_identity_issued(identity)->agent_id, NEW_AGENT);
		vw_identity_close(identity);
		sh("test -e state/identity.before-" NEW_AGENT "/enrollment.key && ! test -e state/identity.new");
	}
	/* not whole yet: the old one is in force */
	sh("rm -rf state && mkdir -m 700 state && cp -a whole state/identity");
	write_all("state/identity.new", NEW_AGENT);
	sh("rm state/identity.new/controller.pb");
	assert_ok(vw_identity_open("state", &identity, &err), err);
	assert_string_equal(vw_identity_issued(identity)->agent_id, AGENT);
	vw_identity_close(identity);
}

/* A ledger of one organization does not go to another, not this way either. */
static void test_a_new_agent_of_another_organization(void **state)
{
	struct vw_enrollment enrollment = {.url = "https://127.0.0.1:1", .state_dir = "state"};
	vw_issued *issued;
	(void)state;
	sh("rm -rf state && mkdir -m 700 state");
	struct vw_store *store = open_store();
	assert_ok(vw_identity_take_over(store, "8", vw_store_identity(store)->agent_id, "url", "text", &err), err);
	write_all("state/identity.new", NEW_AGENT);
	assert_fails(vw_identity_enroll(store, &enrollment, true, arena, &issued, &err), VW_EBUSY, err,
		     "belongs to organization 8");
	/* the way out */
	assert_ok(vw_identity_forget(store, "state", &err), err);
	sh("! test -e state/identity.new");
	vw_store_close(store);
}

static void test_enrolled_already(void **state)
{
	struct vw_enrollment enrollment = {.url = "https://127.0.0.1:1", .state_dir = "state"};
	vw_issued *issued;
	(void)state;
	sh("rm -rf state && mkdir -m 700 state && cp -a whole state/identity");
	struct vw_store *store = open_store();
	assert_fails(vw_identity_enroll(store, &enrollment, false, arena, &issued, &err), VW_EBUSY, err,
		     "enrolled already");
	vw_store_close(store);
}

static void test_forgotten(void **state)
{
	struct vw_identity *identity;
	(void)state;
	sh("rm -rf state && mkdir -m 700 state && cp -a whole state/identity && cp whole/pending.key "
	   "state/identity/next.key && "
	   "cp whole/pending.key state/identity/pending.key.a1b2c3");
	struct vw_store *store = open_store();
	assert_ok(vw_identity_forget(store, "state", &err), err);
	sh("[ -z \"$(ls -A state/identity)\" ]");
	assert_fails(vw_identity_forget(store, "state", &err), VW_ENOTFOUND, err, "not enrolled");
	assert_fails(vw_identity_open("state", &identity, &err), VW_ENOTFOUND, err, "not enrolled");
	/* cut off in the middle it can be done again */
	sh("cp whole/controller.pb state/identity");
	assert_fails(vw_identity_open("state", &identity, &err), VW_ECORRUPT, err, "unenroll");
	assert_ok(vw_identity_forget(store, "state", &err), err);
	vw_store_close(store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_pairs),
	    cmocka_unit_test(test_a_pair_of_another_agent),
	    cmocka_unit_test(test_what_there_is_only_once),
	    cmocka_unit_test(test_confirmed),
	    cmocka_unit_test(test_refused_until_the_next_renewal),
	    cmocka_unit_test(test_when_to_renew),
	    cmocka_unit_test(test_a_new_agent_is_completed),
	    cmocka_unit_test(test_a_new_agent_of_another_organization),
	    cmocka_unit_test(test_enrolled_already),
	    cmocka_unit_test(test_forgotten),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
