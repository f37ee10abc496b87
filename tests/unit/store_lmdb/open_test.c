/* What is opened as a store, and what is not. */
#include "embedded.h"
#include "suite.h"

#include "storage/store.h"

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static int open_with(struct shop *s, const struct vw_fleet_store_settings *settings)
{
	struct vw_fleet_store *store = NULL;
	int rc = vw_fleet_store_open(settings, &store, &s->err);
	vw_fleet_store_close(store);
	return rc;
}

static const char *folder_of(const struct vw_fleet_store_settings *settings)
{
	return settings->url + strlen("lmdb:");
}

static void kinds(void **state)
{
	struct shop *s = shop_of(state);
	struct stat st;
	struct vw_fleet_store_settings settings = place_settings(s->place);
	assert_string_equal(vw_fleet_store_kind(s->store), "lmdb");
	assert_int_equal(stat(folder_of(&settings), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	settings.url = "lmdb:";
	shop_fails(s, open_with(s, &settings), VW_ECONFIG);
	settings = place_settings(s->place);
	settings.verifywise = true;
	shop_fails(s, open_with(s, &settings), VW_ECONFIG);
	assert_says(s->err, "PostgreSQL");
}

static void a_second_process(void **state)
{
	struct shop *s = shop_of(state);
	struct vw_fleet_store_settings settings = place_settings(s->place);
	int status;
	fflush(NULL);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct vw_fleet_store *second;
		_exit(vw_fleet_store_open(&settings, &second, NULL) == VW_EBUSY ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	shop_ok(s, vw_fleet_store_ping(s->store, &s->err));
}

static int put_schema(struct vw_lmdb_tx *tx, void *arg, struct vw_error *err)
{
	struct vw_lmdb_key key;
	vw_lmdb_key_schema(&key);
	return vw_lmdb_put_bytes(tx, VW_LMDB_META, &key, *(struct vw_bytes *)arg, err);
}

static int forget_schema(struct vw_lmdb_tx *tx, void *arg, struct vw_error *err)
{
	struct vw_lmdb_key key;
	(void)arg;
	vw_lmdb_key_schema(&key);
	return vw_lmdb_delete(tx, VW_LMDB_META, &key, err);
}

static void another_schema(void **state)
{
	struct shop *s = shop_of(state);
	struct vw_fleet_store_settings settings = place_settings(s->place);
	struct vw_bytes newer = {"\0\0\0\0\0\0\0\2", 8};
	shop_ok(s, vw_lmdb_write(vw_lmdb_of(s->store), put_schema, &newer, &s->err));
	vw_fleet_store_close(s->store);
	s->store = NULL;
	shop_fails(s, open_with(s, &settings), VW_ECONFIG);
	assert_says(s->err, "another version");
	settings.migrate = true;
	shop_fails(s, open_with(s, &settings), VW_ECONFIG);
	settings.create = true;
	shop_fails(s, open_with(s, &settings), VW_EBUSY);
}

static void a_schema_that_is_none(void **state)
{
	struct shop *s = shop_of(state);
	struct vw_fleet_store_settings settings = place_settings(s->place);
	struct vw_bytes none = {"x", 1};
	shop_ok(s, vw_lmdb_write(vw_lmdb_of(s->store), put_schema, &none, &s->err));
	vw_fleet_store_close(s->store);
	s->store = NULL;
	shop_fails(s, open_with(s, &settings), VW_ECORRUPT);
}

/* The first start ended between the file and its schema. */
static void never_set_up_to_the_end(void **state)
{
	struct shop *s = shop_of(state);
	struct vw_fleet_store_settings settings = place_settings(s->place);
	shop_ok(s, vw_lmdb_write(vw_lmdb_of(s->store), forget_schema, NULL, &s->err));
	vw_fleet_store_close(s->store);
	s->store = NULL;
	shop_fails(s, open_with(s, &settings), VW_ECONFIG);
	assert_says(s->err, "init");
	settings.create = true;
	shop_ok(s, open_with(s, &settings));
	settings.create = false;
	shop_ok(s, open_with(s, &settings));
}

/* An agent's state is no store of the controller's, and is left alone. */
static void an_agents_folder(void **state)
{
	struct shop *s = shop_of(state);
	struct place *place = place_make();
	struct vw_fleet_store_settings settings = place_settings(place);
	struct vw_store *agent;
	assert_int_equal(mkdir(folder_of(&settings), 0700), 0);
	shop_ok(s, vw_store_open(folder_of(&settings), VW_KV_WRITE, &agent, &s->err));
	vw_store_close(agent);
	assert_true(open_with(s, &settings) < 0);
	settings.create = true;
	assert_true(open_with(s, &settings) < 0);
	shop_ok(s, vw_store_open(folder_of(&settings), VW_KV_WRITE, &agent, &s->err));
	vw_store_close(agent);
	place_drop(place);
}

static void a_folder_that_is_open_to_others(void **state)
{
	struct shop *s = shop_of(state);
	struct place *place = place_make();
	struct vw_fleet_store_settings settings = place_settings(place);
	assert_int_equal(mkdir(folder_of(&settings), 0755), 0);
	assert_int_equal(chmod(folder_of(&settings), 0755), 0);
	settings.create = true;
	shop_fails(s, open_with(s, &settings), VW_ECONFIG);
	place_drop(place);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    suite_test(kinds),
	    suite_test(a_second_process),
	    suite_test(another_schema),
	    suite_test(a_schema_that_is_none),
	    suite_test(never_set_up_to_the_end),
	    suite_test(an_agents_folder),
	    suite_test(a_folder_that_is_open_to_others),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
