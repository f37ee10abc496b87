#include "suite.h"

#include "fleet/token.h"

static void open_store(struct shop *shop, bool create)
{
	struct vw_fleet_store_settings settings = place_settings(shop->place);
	settings.create = create;
	shop_ok(shop, vw_fleet_store_open(&settings, &shop->store, &shop->err));
}

int shop_open(void **state)
{
	struct shop *shop = calloc(1, sizeof(*shop));
	*state = shop;
	shop->arena = vw_arena_open(0);
	shop->place = place_make();
	if (!shop->place)
		return 0;
	open_store(shop, true);
	return 0;
}

int shop_open_with_agents(void **state)
{
	vw_organization *organization;
	shop_open(state);
	struct shop *shop = *state;
	if (!shop->place)
		return 0;
	shop_ok(shop, vw_fleet_organization_create(shop->store, shop->arena, ORG, "one", &organization, &shop->err));
	shop_ok(shop,
		vw_fleet_organization_create(shop->store, shop->arena, OTHER, "other", &organization, &shop->err));
	add_token(shop, ORG, "0000000000000001");
	add_token(shop, OTHER, "0000000000000002");
	add_agent(shop, ORG, AGENT_A, "0000000000000001");
	add_agent(shop, ORG, AGENT_B, "0000000000000001");
	add_agent(shop, OTHER, AGENT_A, "0000000000000002");
	add_agent(shop, OTHER, AGENT_C, "0000000000000002");
	return 0;
}

int shop_close(void **state)
{
	struct shop *shop = *state;
	vw_fleet_store_close(shop->store);
	if (shop->place)
		place_drop(shop->place);
	vw_arena_close(shop->arena);
	free(shop);
	return 0;
}

void shop_reopen(struct shop *shop)
{
	vw_fleet_store_close(shop->store);
	shop->store = NULL;
	open_store(shop, false);
}

/* ---- Agents ---- */

void add_token(struct shop *shop, int32_t organization, const char *public_id)
{
	vw_enrollment_token token = VERIFYWISE__V1__ENROLLMENT_TOKEN__INIT;
	uint8_t digest[32] = {1};
	token.public_id = (char *)public_id;
	VW_SET(&token, organization, organization);
	VW_SET_BYTES(&token, secret_sha256, digest, sizeof(digest));
	VW_SET(&token, created_at, NOW);
	VW_SET(&token, uses_allowed, 1000);
	shop_ok(shop, vw_fleet_token_create(shop->store, &token, &shop->err));
}

vw_agent *new_agent(struct shop *shop, int32_t organization, const char *agent_id, const char *serial, uint8_t key)
{
	vw_agent *agent = vw_message_new(shop->arena, &verifywise__v1__agent__descriptor);
	uint8_t *bytes = vw_arena_alloc(shop->arena, 64);
	memset(bytes, key, 64);
	VW_SET(agent, organization, organization);
	agent->agent_id = (char *)agent_id;
	VW_SET(agent, status, VW_AGENT_ACTIVE);
	agent->hostname = (char *)"host";
	VW_SET(agent, enrolled_at, NOW);
	VW_SET_BYTES(agent, enrollment_key, bytes, 64);
	VW_SET_BYTES(agent, sealing_key, bytes, 32);
	agent->pending_serial = (char *)serial;
	VW_SET(agent, pending_not_after, NOW + 1000);
	return agent;
}

void add_agent(struct shop *shop, int32_t organization, const char *agent_id, const char *token)
{
	vw_agent *agent = new_agent(shop, organization, agent_id, "aa", 7);
	agent->enrollment_token = (char *)token;
	shop_ok(shop, vw_fleet_agent_enroll(shop->store, token, NOW, agent, &shop->err));
}

vw_agent *get_agent(struct shop *shop, int32_t organization, const char *agent_id)
{
	vw_agent *agent;
	shop_ok(shop, vw_fleet_agent_get(shop->store, shop->arena, organization, agent_id, &agent, &shop->err));
	return agent;
}

vw_hello *hello_of(struct shop *shop, const struct ledger *ledger, uint64_t join_sequence)
{
	vw_hello *hello = vw_message_new(shop->arena, &verifywise__v1__hello__descriptor);
	VW_SET(hello, join_sequence, join_sequence);
	if (!ledger)
		return hello;
	VW_SET(hello, last_sequence, ledger->chain.head.sequence);
	VW_SET_BYTES(hello, last_chain_sha256, vw_arena_memdup(shop->arena, ledger->chain.head.hash, VW_LEDGER_HASH),
		     VW_LEDGER_HASH);
	return hello;
}

int joined(struct shop *shop, int32_t organization, const char *agent_id, const char *serial, const vw_hello *hello)
{
	struct vw_join join = {.serial = serial, .hello = hello, .now = NOW};
	int rejection = -1;
	shop_ok(shop, vw_fleet_agent_join(shop->store, shop->arena, organization, agent_id, &join, &shop->agent,
					  &rejection, &shop->err));
	return rejection;
}

/* ---- Ingest ---- */

struct vw_ingest_result ingest(struct shop *shop, int32_t organization, const char *agent_id, vw_entry_batch *batch)
{
	struct vw_ingest_batch b = {
	    .organization = organization, .agent_id = agent_id, .session_id = "session", .batch = batch, .now = NOW};
	struct vw_ingest_result result;
	shop_ok(shop, vw_fleet_ingest(shop->store, shop->arena, &b, &result, &shop->err));
	return result;
}

static void ingest_batch(struct shop *shop, int32_t organization, const char *agent_id, vw_entry_batch *batch)
{
	struct vw_ingest_result result = ingest(shop, organization, agent_id, batch);
	if (result.outcome != VW_INGEST_STORED || result.stored != batch->n_entries)
		fail_msg("outcome %d, %zu stored: %s", (int)result.outcome, result.stored, result.reason);
}

void ingest_versions(struct shop *shop, int32_t organization, const char *agent_id, struct ledger *ledger,
		     const char *model, int first, int count)
{
	vw_entry_batch *batch = NULL;
	for (int i = 0; i < count; i++) {
		struct seen seen = {
		    .model = model, .version = vw_arena_printf(shop->arena, "%d", first + i), .at = NOW + i};
		if (!batch)
			batch = batch_of(shop->arena, ledger->chain.head.sequence + 1, 0);
		batch_add(shop->arena, batch, ledger_version(ledger, &seen));
		if (batch->n_entries == VW_MAX_BATCH_ENTRIES || i + 1 == count) {
			ingest_batch(shop, organization, agent_id, batch);
			batch = NULL;
		}
	}
}

uint64_t ingest_one(struct shop *shop, int32_t organization, const char *agent_id, struct ledger *ledger,
		    const struct seen *seen)
{
	uint64_t sequence = ledger->chain.head.sequence + 1;
	ingest_batch(shop, organization, agent_id, batch_of(shop->arena, sequence, 1, ledger_version(ledger, seen)));
	return sequence;
}

const char *trail_text(struct shop *shop, int32_t organization, const char *action)
{
	struct vw_page page = {.limit = 100};
	vw_controller_event **events;
	size_t count;
	char *cursor;
	shop_ok(shop, vw_fleet_event_log(shop->store, shop->arena, organization, &page, &events, &count, &cursor,
					 &shop->err));
	for (size_t i = 0; i < count; i++)
		if (strcmp(events[i]->action, action) == 0)
			return events[i]->text ? events[i]->text : "";
	fail_msg("no event %s", action);
	return NULL;
}
