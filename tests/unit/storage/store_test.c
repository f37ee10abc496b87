/* store.h: identity, schema, and what was read of models and experiments (S3.3, S10.1). */
#include "fixture.h"

#include "storage/uplink.h"

#include "proto/message.h"

struct state {
	char *dir;
	struct vw_store *store;
	struct vw_txn *view;
	struct vw_arena *arena;
	struct vw_error err;
};

static int setup(void **out)
{
	struct state *s = calloc(1, sizeof(*s));
	s->dir = make_dir();
	s->arena = vw_arena_open(0);
	assert_ok(vw_store_open(s->dir, VW_KV_WRITE, &s->store, &s->err), s->err);
	*out = s;
	return 0;
}

static int teardown(void **in)
{
	struct state *s = *in;
	vw_txn_end(s->view);
	vw_store_close(s->store);
	vw_arena_close(s->arena);
	drop_dir(s->dir);
	free(s);
	return 0;
}

static struct vw_txn *look(struct state *s)
{
	vw_txn_end(s->view);
	s->view = NULL;
	assert_ok(vw_txn_begin_read(vw_store_kv(s->store), &s->view, &s->err), s->err);
	return s->view;
}

static void reopen(struct state *s, enum vw_kv_mode mode)
{
	vw_txn_end(s->view);
	s->view = NULL;
	vw_store_close(s->store);
	s->store = NULL;
	assert_ok(vw_store_open(s->dir, mode, &s->store, &s->err), s->err);
}

/* ---- Identity and schema ---- */

static void test_identity_is_made_once(void **in)
{
	struct state *s = *in;
	const vw_agent_identity *id = vw_store_identity(s->store);
	char uuid[37];
	uint8_t key[32];
	assert_int_equal(strlen(id->agent_id), 36);
	assert_int_equal(id->epoch, 1);
	assert_string_equal(id->organization, "");
	assert_int_equal(id->fingerprint_key.len, 32);
	snprintf(uuid, sizeof(uuid), "%s", id->agent_id);
	memcpy(key, id->fingerprint_key.data, 32);
	reopen(s, VW_KV_READ);
	id = vw_store_identity(s->store);
	assert_string_equal(id->agent_id, uuid);
	assert_memory_equal(id->fingerprint_key.data, key, 32);
	struct vw_ledger_owner owner = vw_store_owner(s->store);
	assert_string_equal(owner.agent, uuid);
	assert_string_equal(owner.organization, "");
	assert_int_equal(owner.epoch, 1);
}

static void test_two_stores_differ(void **in)
{
	struct state *s = *in;
	char *dir = make_dir();
	struct vw_store *other;
	char *first = strdup(vw_store_identity(s->store)->agent_id);
	vw_store_close(s->store);
	assert_ok(vw_store_open(dir, VW_KV_WRITE, &other, &s->err), s->err);
	assert_string_not_equal(vw_store_identity(other)->agent_id, first);
	vw_store_close(other);
	s->store = NULL;
	free(first);
	drop_dir(dir);
}

struct raw {
	const char *key;
	struct vw_bytes value;
};

static int put_meta(struct vw_txn *txn, void *arg, struct vw_error *err)
{
	const struct raw *raw = arg;
	if (!raw->value.data)
		return vw_kv_delete(txn, 0, text(raw->key), err);
	return vw_kv_put(txn, 0, text(raw->key), raw->value, err);
}

static void set_meta(struct state *s, const char *key, const void *bytes, size_t len)
{
	struct raw raw = {key, {bytes, len}};
	reopen(s, VW_KV_WRITE);
	assert_ok(vw_kv_write(vw_store_kv(s->store), put_meta, &raw, &s->err), s->err);
	vw_store_close(s->store);
	s->store = NULL;
}

static void opens_as(struct state *s, int code, const char *says)
{
	for (int mode = VW_KV_READ; mode <= VW_KV_WRITE; mode++) {
		assert_int_equal(vw_store_open(s->dir, (enum vw_kv_mode)mode, &s->store, &s->err), code);
		assert_says(s->err, says);
		assert_says(s->err, s->dir);
	}
}

static void test_newer_schema_is_refused(void **in)
{
	struct state *s = *in;
	set_meta(s, "schema", "\0\0\0\0\0\0\0\3", 8);
	opens_as(s, VW_ECONFIG, "made by a newer vw-agent (schema 3, this one knows 2)");
}

static void test_unknown_older_schema_is_refused(void **in)
{
	struct state *s = *in;
	set_meta(s, "schema", "\0\0\0\0\0\0\0\0", 8);
	opens_as(s, VW_ECONFIG, "schema 0");
}

/* A folder of the last agent that wrote schema 1: six entries of three versions, a model, a sync state. */
static void test_schema_1_is_carried_forward(void **in)
{
	struct state *s = *in;
	char *dir = make_dir();
	vw_registered_model *model;
	vw_sync_state *sync;
	vw_uplink_state *uplink;
	struct vw_ledger_check check;
	copy_store(VW_TEST_DATA "/schema1", dir);
	vw_store_close(s->store);
	s->store = NULL;
	assert_int_equal(vw_store_open(dir, VW_KV_READ, &s->store, &s->err), VW_ECONFIG);
	assert_says(s->err, "made by an older vw-agent (schema 1); run vw-agent sync once");
	assert_ok(vw_store_open(dir, VW_KV_WRITE, &s->store, &s->err), s->err);
	assert_string_equal(vw_store_identity(s->store)->agent_id, "ca6e7ab7-8d8d-48c6-94a0-968067d8d939");
	assert_ok(vw_store_model(look(s), s->arena, NULL, "fraud", &model, &s->err), s->err);
	assert_string_equal(model->description, "of before");
	assert_ok(vw_store_sync_state(s->view, s->arena, &sync, &s->err), s->err);
	assert_int_equal(sync->last_full_finished_at, 42);
	assert_ok(vw_store_uplink(s->view, s->arena, &uplink, &s->err), s->err);
	assert_false(uplink->has_acknowledged_sequence);
	vw_txn_end(s->view);
	s->view = NULL;
	assert_int_equal(record_audit(s->store, "after"), 7);
	assert_ok(vw_store_verify(s->store, &check, NULL, NULL, &s->err), s->err);
	assert_int_equal(check.first_bad, 0);
	assert_int_equal(check.entries, 7);
	vw_store_close(s->store);
	assert_ok(vw_store_open(dir, VW_KV_READ, &s->store, &s->err), s->err);
	vw_store_close(s->store);
	s->store = NULL;
	drop_dir(dir);
}

static void test_schema_that_is_no_number(void **in)
{
	struct state *s = *in;
	set_meta(s, "schema", "1", 1);
	opens_as(s, VW_ECORRUPT, "schema version is not a number");
}

static void test_schema_that_is_missing(void **in)
{
	struct state *s = *in;
	set_meta(s, "schema", NULL, 0);
	opens_as(s, VW_ECORRUPT, "no schema version");
}

static void test_identity_that_is_missing(void **in)
{
	struct state *s = *in;
	set_meta(s, "identity", NULL, 0);
	opens_as(s, VW_ECORRUPT, "no identity");
}

static void test_identity_that_is_none(void **in)
{
	struct state *s = *in;
	set_meta(s, "identity", "\x0a\x05xx", 4);
	opens_as(s, VW_ECORRUPT, "identity");
}

static void test_identity_without_a_key(void **in)
{
	struct state *s = *in;
	set_meta(s, "identity", "\x0a\x01x\x18\x01", 5);
	opens_as(s, VW_ECORRUPT, "identity is incomplete");
}

/* ---- Models, experiments, sync state ---- */

struct object {
	const char *workspace;
	vw_registered_model *model;
	vw_experiment *experiment;
	bool changed;
};

static int put_object(struct vw_txn *txn, void *arg, struct vw_error *err)
{
	struct object *o = arg;
	struct vw_arena *arena = vw_arena_open(0);
	int rc = o->model ? vw_store_put_model(txn, arena, o->workspace, o->model, &o->changed, err)
			  : vw_store_put_experiment(txn, arena, o->workspace, o->experiment, &o->changed, err);
	vw_arena_close(arena);
	return rc;
}

static bool put(struct state *s, struct object o)
{
	assert_ok(vw_kv_write(vw_store_kv(s->store), put_object, &o, &s->err), s->err);
	return o.changed;
}

static int list_model(const char *workspace, const vw_registered_model *model, struct vw_arena *arena, void *arg,
		      struct vw_error *err)
{
	struct listing *l = arg;
	(void)arena;
	(void)err;
	size_t len = strlen(l->text);
	snprintf(l->text + len, sizeof(l->text) - len, "%s/%s ", workspace, model->name);
	return 0;
}

static int delete_model(struct vw_txn *txn, void *arg, struct vw_error *err)
{
	return vw_store_delete_model(txn, "w", arg, err);
}

static void test_models_are_written_when_changed(void **in)
{
	struct state *s = *in;
	vw_registered_model model = VERIFYWISE__V1__REGISTERED_MODEL__INIT, *found;
	struct vw_kv_stat before, after;
	model.name = (char *)"fraud";
	model.description = (char *)"one";
	assert_true(put(s, (struct object){.model = &model}));
	assert_ok(vw_kv_stat(vw_store_kv(s->store), &before, &s->err), s->err);
	assert_false(put(s, (struct object){.model = &model}));
	assert_ok(vw_kv_stat(vw_store_kv(s->store), &after, &s->err), s->err);
	assert_int_equal(after.last_txn, before.last_txn); /* not a byte (S9.1) */
	model.description = (char *)"two";
	assert_true(put(s, (struct object){.model = &model}));
	assert_true(put(s, (struct object){.workspace = "w", .model = &model}));
	assert_ok(vw_store_model(look(s), s->arena, NULL, "fraud", &found, &s->err), s->err);
	assert_string_equal(found->description, "two");
	assert_int_equal(vw_store_model(s->view, s->arena, NULL, "other", &found, &s->err), VW_ENOTFOUND);
	assert_says(s->err, "no model 'other'");
	struct listing l = {.stop_after = 0}, rest = {.stop_after = 0};
	assert_ok(vw_store_each_model(s->view, list_model, &l, &s->err), s->err);
	assert_string_equal(l.text, "/fraud w/fraud ");
	assert_ok(vw_kv_write(vw_store_kv(s->store), delete_model, (void *)"fraud", &s->err), s->err);
	assert_ok(vw_store_each_model(look(s), list_model, &rest, &s->err), s->err);
	assert_string_equal(rest.text, "/fraud ");
}

static void test_experiments_are_kept_by_id(void **in)
{
	struct state *s = *in;
	vw_experiment experiment = VERIFYWISE__V1__EXPERIMENT__INIT, *found;
	experiment.experiment_id = (char *)"7";
	experiment.name = (char *)"nightly";
	assert_true(put(s, (struct object){.experiment = &experiment}));
	assert_false(put(s, (struct object){.experiment = &experiment}));
	assert_ok(vw_store_experiment(look(s), s->arena, "", "7", &found, &s->err), s->err); /* "" is no workspace */
	assert_string_equal(found->name, "nightly");
	assert_int_equal(vw_store_experiment(s->view, s->arena, NULL, "8", &found, &s->err), VW_ENOTFOUND);
	experiment.experiment_id = NULL;
	struct object nameless = {.experiment = &experiment};
	assert_int_equal(vw_kv_write(vw_store_kv(s->store), put_object, &nameless, &s->err), VW_EINVAL);
}

static int put_sync_state(struct vw_txn *txn, void *arg, struct vw_error *err)
{
	struct vw_arena *arena = vw_arena_open(0);
	int rc = vw_store_put_sync_state(txn, arena, arg, err);
	vw_arena_close(arena);
	return rc;
}

static void test_sync_state_is_zeroed_at_first(void **in)
{
	struct state *s = *in;
	vw_sync_state *state;
	assert_ok(vw_store_sync_state(look(s), s->arena, &state, &s->err), s->err);
	assert_false(state->has_last_full_finished_at);
	assert_null(state->last_outcome);
	VW_SET(state, last_full_finished_at, 42);
	state->last_outcome = (char *)"ok";
	assert_ok(vw_kv_write(vw_store_kv(s->store), put_sync_state, state, &s->err), s->err);
	reopen(s, VW_KV_READ);
	assert_ok(vw_store_sync_state(look(s), s->arena, &state, &s->err), s->err);
	assert_int_equal(state->last_full_finished_at, 42);
	assert_string_equal(state->last_outcome, "ok");
}

int main(void)
{
#define WITH_STORE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	    WITH_STORE(test_identity_is_made_once),           WITH_STORE(test_two_stores_differ),
	    WITH_STORE(test_newer_schema_is_refused),         WITH_STORE(test_unknown_older_schema_is_refused),
	    WITH_STORE(test_schema_1_is_carried_forward),     WITH_STORE(test_schema_that_is_no_number),
	    WITH_STORE(test_schema_that_is_missing),          WITH_STORE(test_identity_that_is_missing),
	    WITH_STORE(test_identity_that_is_none),           WITH_STORE(test_identity_without_a_key),
	    WITH_STORE(test_models_are_written_when_changed), WITH_STORE(test_experiments_are_kept_by_id),
	    WITH_STORE(test_sync_state_is_zeroed_at_first),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
