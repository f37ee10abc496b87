/* ledgers.c: an agent's ledger as it was sent: read, and checked anew from the first entry. */
#include "routes.h"

#include "base/digest.h"
#include "base/limits.h"
#include "fleet/chain.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int find_agent(struct visit *v, vw_agent **out, struct vw_error *err)
{
	int code = vw_agent_id_valid(v->segments[0]) ? vw_fleet_agent_get(v->api->settings.store, v->arena,
									  v->organization, v->segments[0], out, err)
						     : VW_ENOTFOUND;
	return code == VW_ENOTFOUND ? vw_error_set(err, code, "no such agent") : code;
}

/* ---- reading ---- */

struct ledger_rows {
	vw_chained_entry **entries;
	uint64_t first;
};

static void put_entry(struct visit *v, size_t i, const void *items)
{
	const struct ledger_rows *rows = items;
	vw_json_begin_object(&v->json);
	vw_json_key(&v->json, "sequence");
	vw_json_put_uint64(&v->json, rows->first + i);
	vw_message_json_fields(&v->json, &rows->entries[i]->base);
	vw_json_end_object(&v->json);
}

int api_ledger_read(struct visit *v, struct vw_error *err)
{
	vw_agent *agent;
	struct vw_page page;
	struct ledger_rows rows;
	size_t count;
	int64_t from = 1;
	bool given;
	int code = find_agent(v, &agent, err);
	if (code == 0)
		code = visit_query_int(v, "from", 1, INT64_MAX, &from, &given, err);
	if (code == 0)
		code = visit_page(v, &page, err);
	if (code < 0)
		return code;
	rows.first = (uint64_t)from;
	code = vw_fleet_ledger_read(v->api->settings.store, v->arena, v->organization, agent->agent_id, rows.first,
				    page.limit, &rows.entries, &count, err);
	if (code < 0)
		return code;
	uint64_t behind = rows.first + count;
	visit_list(v, &rows, count, behind <= agent->sequence ? vw_arena_printf(v->arena, "%" PRIu64, behind) : NULL,
		   put_entry);
	return 0;
}

/* ---- checking ---- */

struct check {
	struct vw_chain chain;
	uint64_t first_bad; /* 0: none */
	char reason[256];
};

static int check_page(struct visit *v, const char *organization, const vw_agent *agent, struct vw_arena *arena,
		      struct check *check, size_t *out_count, struct vw_error *err)
{
	vw_chained_entry **entries;
	vw_entry *entry;
	struct vw_error why = VW_ERROR_INIT;
	int code =
	    vw_fleet_ledger_read(v->api->settings.store, arena, v->organization, agent->agent_id,
				 check->chain.head.sequence + 1, VW_MAX_BATCH_ENTRIES, &entries, out_count, err);
	for (size_t i = 0; code == 0 && i < *out_count && check->first_bad == 0; i++) {
		if (vw_chain_follow(&check->chain, entries[i], organization, agent->agent_id, arena, &entry, &why) ==
		    0)
			continue;
		check->first_bad = check->chain.head.sequence + 1;
		snprintf(check->reason, sizeof(check->reason), "%.255s", why.message);
	}
	return code;
}

/* From the first entry to the head that the agent's row names. */
static int check_ledger(struct visit *v, const vw_agent *agent, struct check *check, struct vw_error *err)
{
	char organization[16];
	size_t count = 1;
	int code = 0;
	struct vw_arena *arena VW_AUTO(vw_arena_cleanup) = vw_arena_open(0);
	if (!arena)
		return vw_error_set(err, VW_ENOMEM, "no memory for a ledger");
	snprintf(organization, sizeof(organization), "%" PRId32, v->organization);
	vw_chain_begin(&check->chain, agent->genesis_agent_id ? agent->genesis_agent_id : agent->agent_id);
	while (code == 0 && count > 0 && check->first_bad == 0) {
		code = check_page(v, organization, agent, arena, check, &count, err);
		vw_arena_reset(arena);
	}
	if (code < 0 || check->first_bad)
		return code;
	if (check->chain.head.sequence < agent->sequence) {
		check->first_bad = check->chain.head.sequence + 1;
		snprintf(check->reason, sizeof(check->reason), "the ledger ends before its head, %" PRIu64,
			 agent->sequence);
	} else if (agent->chain_sha256.len == 32 && check->chain.head.sequence == agent->sequence &&
		   memcmp(agent->chain_sha256.data, check->chain.head.hash, 32) != 0) {
		check->first_bad = agent->sequence;
		snprintf(check->reason, sizeof(check->reason),
			 "the head's hash is not the one that was acknowledged");
	}
	return 0;
}

int api_ledger_verify(struct visit *v, struct vw_error *err)
{
	vw_agent *agent;
	char hex[65];
	struct check check = {.first_bad = 0};
	int code = find_agent(v, &agent, err);
	if (code == 0)
		code = check_ledger(v, agent, &check, err);
	if (code < 0)
		return code;
	visit_begin(v, 200, check.first_bad ? "broken" : "sound");
	vw_json_begin_object(&v->json);
	vw_json_key(&v->json, "sound");
	vw_json_put_bool(&v->json, check.first_bad == 0);
	vw_json_key(&v->json, "entries");
	vw_json_put_uint64(&v->json, check.chain.head.sequence);
	vw_json_key(&v->json, "head_sha256");
	vw_json_put_text(&v->json, vw_hex_encode(check.chain.head.hash, 32, hex));
	vw_json_key(&v->json, "first_bad");
	if (check.first_bad)
		vw_json_put_uint64(&v->json, check.first_bad);
	else
		vw_json_put_null(&v->json);
	vw_json_key(&v->json, "reason");
	vw_json_put_text(&v->json, check.first_bad ? check.reason : NULL);
	vw_json_end_object(&v->json);
	visit_end(v);
	return 0;
}
