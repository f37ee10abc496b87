/* suite.h: what the tests of a store share. They are the same for every store: each program of them is linked with one place_*.c, which
 * says where an empty store is to be had. */
#ifndef TEST_STORE_SUITE_H
#define TEST_STORE_SUITE_H

#include "ledger.h"

#include "base/limits.h"
#include "store/store.h"

/* ---- The one thing that depends on the store: place_lmdb.c, place_pg.c ---- */

struct place;
/* A place where nothing is yet: a folder, a database. NULL: this machine has none, and the tests are skipped. */
struct place *place_make(void);
/* With what it is opened. `create` is the caller's to set; the rest lives as long as the place. */
struct vw_fleet_store_settings place_settings(const struct place *place);
/* Everything in it too. */
void place_drop(struct place *place);
/* True when a second process may open it beside the first. */
bool place_is_shared(void);

/* ---- A store with two tenants ---- */

#define NOW   ((int64_t)1700000000000) /* ms */
#define ORG   ((int32_t)1)             /* has AGENT_A and AGENT_B */
#define OTHER ((int32_t)2)             /* has AGENT_C, and an AGENT_A of its own */

struct shop {
	struct place *place;
	struct vw_fleet_store *store;
	struct vw_arena *arena;
	struct vw_error err;
	vw_agent *agent; /* the last one that joined() let in */
};

/* For cmocka: an empty store; the same with ORG and OTHER and their agents. */
int shop_open(void **state);
int shop_open_with_agents(void **state);
int shop_close(void **state);
/* The shop of this test, which is skipped where there is no place for one. */
static inline struct shop *shop_of(void **state)
{
	struct shop *shop = *state;
	if (!shop->store)
		skip();
	return shop;
}
/* As after the end of the process. */
void shop_reopen(struct shop *shop);
#define suite_test(f)        cmocka_unit_test_setup_teardown(f, shop_open, shop_close)
#define suite_test_agents(f) cmocka_unit_test_setup_teardown(f, shop_open_with_agents, shop_close)

#define shop_ok(shop, rc)                                                                                            \
	do {                                                                                                         \
		int shop_rc = (rc);                                                                                  \
		if (shop_rc != 0)                                                                                    \
			fail_msg("%d: %s", shop_rc, (shop)->err.message);                                            \
	} while (0)
#define shop_fails(shop, rc, code)                                                                                   \
	do {                                                                                                         \
		(shop)->err.message[0] = 0;                                                                          \
		int shop_rc = (rc);                                                                                  \
		if (shop_rc != (code))                                                                               \
			fail_msg("%d and not %d: %s", shop_rc, (code), (shop)->err.message);                         \
		assert_true((shop)->err.message[0] != 0);                                                            \
	} while (0)

/* A token of 1000 uses that never ends; its id. */
void add_token(struct shop *shop, int32_t organization, const char *public_id);
/* An agent as it is enrolled, with `serial` pending; its key is `key` over and over. */
vw_agent *new_agent(struct shop *shop, int32_t organization, const char *agent_id, const char *serial, uint8_t key);
void add_agent(struct shop *shop, int32_t organization, const char *agent_id, const char *token);
vw_agent *get_agent(struct shop *shop, int32_t organization, const char *agent_id);

/* A Hello of this ledger; the caller changes what the test is about. */
vw_hello *hello_of(struct shop *shop, const struct ledger *ledger, uint64_t join_sequence);
/* The rejection, 0 for none. */
int joined(struct shop *shop, int32_t organization, const char *agent_id, const char *serial, const vw_hello *hello);

/* Fails the test when ingest itself fails. */
struct vw_ingest_result ingest(struct shop *shop, int32_t organization, const char *agent_id, vw_entry_batch *batch);
/* `count` versions "1", "2" … of `model` under an agent that begins its ledger with them. */
void ingest_versions(struct shop *shop, int32_t organization, const char *agent_id, struct ledger *ledger,
		     const char *model, int first, int count);
/* One version in one batch; the sequence it got. */
uint64_t ingest_one(struct shop *shop, int32_t organization, const char *agent_id, struct ledger *ledger,
		    const struct seen *seen);

/* The controller's trail holds an event with this action; its text. */
const char *trail_text(struct shop *shop, int32_t organization, const char *action);

#endif
