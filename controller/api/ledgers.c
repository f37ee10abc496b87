/* ledgers.c: an agent's ledger as it was sent: read, and checked anew from the first entry. */
#include "routes.h"

#include "base/digest.h"
#include "base/limits.h"
#include "base/text.h"
#include "entry_json.h"
#include "fleet/chain.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- reading ---- */

static int put_page(struct visit *v, const vw_agent *agent, uint64_t first, size_t limit, struct vw_error *err)
{
	vw_chained_entry **entries;
	size_t count;
	struct entry_view view;
	int code = vw_fleet_ledger_read(v->api->settings.store, v->arena, v->organization, agent->agent_id, first,
					limit, &entries, &count, err);
	if (code < 0)
		return code;
	visit_begin(v, 200, "OK");
	vw_json_begin_object(&v->json);
	vw_json_key(&v->json, "items");
	vw_json_begin_array(&v->json);
	for (size_t i = 0; code == 0 && i < count; i++) {
		code = entry_open(entries[i], first + i, v->arena, &view, err);
		if (code < 0)
			return code;
		vw_json_begin_object(&v->json);
		entry_put(&v->json, &view);
		entry_put_payload(&v->json, &view);
		vw_json_end_object(&v->json);
	}
	vw_json_end_array(&v->json);
	bool more = count > 0 && first + count <= agent->sequence;
	visit_text(v, "next", more ? vw_arena_printf(v->arena, "%" PRIu64, first + count) : NULL);
	vw_json_end_object(&v->json);
	visit_end(v);
	return 0;
}

/* A cursor of this listing is the sequence to go on from. */
int api_ledger_read(struct visit *v, struct vw_error *err)
{
	vw_agent *agent;
	struct vw_page page;
	int64_t from = 1;
	bool given;
	int code = visit_query_int(v, "from", 1, INT64_MAX, &from, &given, err);
	if (code == 0)
		code = visit_page(v, &page, err);
	if (code == 0 && page.cursor && (!vw_text_int64(page.cursor, &from) || from < 1))
		code = vw_error_set(err, VW_EINVAL, "cursor is none of this listing");
	if (code < 0)
		return code;
	code = visit_agent(v, &agent, err);
	if (code < 0)
		return code;
	return put_page(v, agent, (uint64_t)from, page.limit, err);
}

/* ---- checking ---- */

struct check {
	struct vw_chain chain;
	uint64_t first_bad; /* 0: none */
	char reason[256];
};

static void set_bad(struct check *check, uint64_t sequence, const char *reason)
{
	check->first_bad = sequence;
	snprintf(check->reason, sizeof(check->reason), "%.255s", reason);
}

/* Never behind the head that the agent's row named when the check began: entries may be coming in. */
static int check_page(struct visit *v, const char *organization, const vw_agent *agent, struct vw_arena *arena,
		      struct check *check, struct vw_error *err)
{
	vw_chained_entry **entries;
	vw_entry *entry;
	size_t count;
	struct vw_error why = VW_ERROR_INIT;
	uint64_t left = agent->sequence - check->chain.head.sequence;
	int code = vw_fleet_ledger_read(
	    v->api->settings.store, arena, v->organization, agent->agent_id, check->chain.head.sequence + 1,
	    left < VW_MAX_BATCH_ENTRIES ? left : VW_MAX_BATCH_ENTRIES, &entries, &count, err);
	if (code == 0 && count == 0)
		set_bad(check, check->chain.head.sequence + 1, "the ledger ends before its head");
	for (size_t i = 0; code == 0 && i < count && check->first_bad == 0; i++) {
		code = vw_chain_follow(&check->chain, entries[i], organization, agent->agent_id, arena, &entry, &why);
		if (code < 0 && code != VW_ENOMEM) {
			set_bad(check, check->chain.head.sequence + 1, why.message);
			code = 0;
		}
	}
	return code == VW_ENOMEM ? vw_error_set(err, code, "no memory for a ledger") : code;
}

/* From the first entry to the head that the agent's row names. */
static int check_ledger(struct visit *v, const vw_agent *agent, struct check *check, struct vw_error *err)
{
	char organization[16];
	int code = 0;
	struct vw_arena *arena VW_AUTO(vw_arena_cleanup) = vw_arena_open(0);
	if (!arena)
		return vw_error_set(err, VW_ENOMEM, "no memory for a ledger");
	snprintf(organization, sizeof(organization), "%" PRId32, v->organization);
	vw_chain_begin(&check->chain, agent->genesis_agent_id ? agent->genesis_agent_id : agent->agent_id);
	while (code == 0 && check->first_bad == 0 && check->chain.head.sequence < agent->sequence) {
		code = check_page(v, organization, agent, arena, check, err);
		vw_arena_reset(arena);
	}
	if (code < 0 || check->first_bad)
		return code;
	bool same = agent->chain_sha256.len == VW_LEDGER_HASH &&
		    memcmp(agent->chain_sha256.data, check->chain.head.hash, VW_LEDGER_HASH) == 0;
	if (agent->sequence > 0 && !same)
		set_bad(check, agent->sequence, "the head's hash is not the one that was acknowledged");
	return 0;
}

int api_ledger_verify(struct visit *v, struct vw_error *err)
{
	vw_agent *agent;
	char hex[65];
	struct check check = {.first_bad = 0};
	int code = visit_agent(v, &agent, err);
	if (code < 0)
		return code;
	if (!visit_enter(v, &v->api->works))
		return 0;
	code = check_ledger(v, agent, &check, err);
	quota_leave(&v->api->works, v->organization);
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
