#include "embedded.h"

#include "join.h"
#include "presence.h"

#include "base/limits.h"
#include "proto/message.h"

#include <string.h>

int vw_lmdb_agent(struct vw_txn *txn, struct vw_arena *arena, int32_t organization, const char *agent_id,
		  vw_agent **out, struct vw_error *err)
{
	struct vw_lmdb_key key;
	void *found;
	if (!vw_lmdb_key_agent(organization, agent_id, &key))
		return vw_lmdb_not_found("such agent", err);
	int rc = vw_lmdb_get(txn, arena, VW_LMDB_AGENTS, &key, &verifywise__v1__agent__descriptor, "such agent",
			     &found, err);
	if (rc == 0)
		*out = found;
	return rc;
}

int vw_lmdb_put_agent(struct vw_lmdb_tx *tx, const vw_agent *agent, struct vw_error *err)
{
	struct vw_lmdb_key key;
	if (!vw_lmdb_key_agent(agent->organization, agent->agent_id, &key))
		return vw_error_set(err, VW_EINVAL, "an agent's id is no UUID in lower case");
	return vw_lmdb_put(tx, VW_LMDB_AGENTS, &key, &agent->base, err);
}

static int agent_get(struct vw_fleet_store *base, struct vw_arena *arena, int32_t organization, const char *agent_id,
		     vw_agent **out, struct vw_error *err)
{
	struct vw_txn *txn;
	int rc = vw_txn_begin_read(vw_lmdb_of(base)->kv, &txn, err);
	if (rc < 0)
		return rc;
	rc = vw_lmdb_agent(txn, arena, organization, agent_id, out, err);
	vw_txn_end(txn);
	return rc;
}

/* ---- Changing its row ---- */

struct change {
	struct vw_arena *arena;
	int32_t organization;
	const char *agent_id;
	vw_agent_status status;
	const char *text; /* the reason, or the serial */
	const char *by;
	int64_t at;
};

static int status_step(struct vw_lmdb_tx *tx, void *arg, struct vw_error *err)
{
	const struct change *c = arg;
	vw_agent *agent;
	int rc = vw_lmdb_agent(tx->txn, c->arena, c->organization, c->agent_id, &agent, err);
	if (rc < 0)
		return rc;
	vw_agent_put_status(agent, c->status, c->text, c->by, c->at);
	vw_lmdb_change(tx, VW_CHANGE_AGENT, c->organization, c->agent_id);
	return vw_lmdb_put_agent(tx, agent, err);
}

static int agent_set_status(struct vw_fleet_store *base, int32_t organization, const char *agent_id,
			    vw_agent_status status, const char *reason, const char *by, int64_t at,
			    struct vw_error *err)
{
	VW_AUTO(vw_arena_cleanup) struct vw_arena *arena = vw_arena_open(0);
	struct change c = {arena, organization, agent_id, status, reason, by, at};
	if (status < VW_AGENT_ACTIVE || status > VW_AGENT_QUARANTINED)
		return vw_error_set(err, VW_EINVAL, "%d is no status of an agent", (int)status);
	return arena ? vw_lmdb_write(vw_lmdb_of(base), status_step, &c, err) : vw_lmdb_no_memory(err);
}

static int serial_step(struct vw_lmdb_tx *tx, void *arg, struct vw_error *err)
{
	const struct change *c = arg;
	vw_agent *agent;
	int rc = vw_lmdb_agent(tx->txn, c->arena, c->organization, c->agent_id, &agent, err);
	if (rc < 0)
		return rc;
	agent->pending_serial = (char *)c->text;
	VW_SET(agent, pending_not_after, c->at);
	return vw_lmdb_put_agent(tx, agent, err);
}

static int agent_set_pending_serial(struct vw_fleet_store *base, int32_t organization, const char *agent_id,
				    const char *serial, int64_t not_after, struct vw_error *err)
{
	VW_AUTO(vw_arena_cleanup) struct vw_arena *arena = vw_arena_open(0);
	struct change c = {arena, organization, agent_id, VW_AGENT_ACTIVE, serial, NULL, not_after};
	if (!serial || !*serial)
		return vw_error_set(err, VW_EINVAL, "a certificate without a serial number");
	return arena ? vw_lmdb_write(vw_lmdb_of(base), serial_step, &c, err) : vw_lmdb_no_memory(err);
}

/* ---- A stream begins ---- */

struct joining {
	struct vw_arena *arena;
	int32_t organization;
	const char *agent_id;
	const struct vw_join *join;
	vw_agent *agent;
	struct vw_join_answer answer;
};

static int find_facts(struct vw_lmdb_tx *tx, struct joining *j, struct vw_join_facts *facts, vw_organization **out,
		      uint8_t hash[32], struct vw_error *err)
{
	uint64_t acknowledged = j->join->hello->acknowledged_sequence;
	int rc = vw_lmdb_organization(tx->txn, j->arena, j->organization, out, err);
	if (rc == 0)
		facts->organization = *out;
	if (rc == 0 || rc == VW_ENOTFOUND)
		rc = vw_lmdb_agent(tx->txn, j->arena, j->organization, j->agent_id, &j->agent, err);
	if (rc < 0)
		return rc == VW_ENOTFOUND ? 0 : rc;
	facts->agent = j->agent;
	if (acknowledged == 0)
		return 0;
	rc = vw_lmdb_entry_hash(tx->txn, j->organization, j->agent_id, acknowledged, hash, err);
	if (rc == 0)
		facts->hash = hash;
	return rc == VW_ENOTFOUND ? 0 : rc;
}

static int note_quarantine(struct vw_lmdb_tx *tx, const struct joining *j, struct vw_error *err)
{
	vw_controller_event event;
	vw_join_event(j->agent, j->answer.action, j->answer.reason, j->join->now, &event);
	vw_lmdb_change(tx, VW_CHANGE_AGENT, j->organization, j->agent_id);
	return vw_lmdb_put_trail(tx, &event, err);
}

static int join_step(struct vw_lmdb_tx *tx, void *arg, struct vw_error *err)
{
	struct joining *j = arg;
	struct vw_join_facts facts = {0};
	vw_organization *organization;
	uint8_t hash[32];
	j->agent = NULL;
	int rc = find_facts(tx, j, &facts, &organization, hash, err);
	if (rc < 0)
		return rc;
	vw_join_decide(&facts, j->join, &j->answer);
	if (j->answer.rejection && !j->answer.is_quarantine)
		return 0;
	rc = vw_lmdb_put_agent(tx, j->agent, err);
	if (rc == 0 && j->answer.is_quarantine)
		rc = note_quarantine(tx, j, err);
	if (rc == 0 && j->answer.is_activation)
		vw_lmdb_change(tx, VW_CHANGE_AGENT, j->organization, j->agent_id);
	return rc;
}

static int agent_join(struct vw_fleet_store *base, struct vw_arena *arena, int32_t organization, const char *agent_id,
		      const struct vw_join *join, vw_agent **out, int *out_rejection, struct vw_error *err)
{
	struct joining j = {.arena = arena, .organization = organization, .agent_id = agent_id, .join = join};
	int rc = vw_lmdb_write(vw_lmdb_of(base), join_step, &j, err);
	/* what the row borrowed from here is read once more */
	if (rc == 0 && j.answer.rejection == 0)
		rc = agent_get(base, arena, organization, agent_id, out, err);
	if (rc == 0)
		*out_rejection = j.answer.rejection;
	return rc;
}

/* ---- Listing ---- */

struct listing {
	struct vw_lmdb_presences *presences;
	const struct vw_agent_query *query;
	struct vw_lmdb_rows agents, rows;
	struct vw_bytes after; /* that key itself is not wanted */
};

static bool has_text(const struct vw_agent_query *query, const vw_agent *agent, const vw_agent_presence *presence)
{
	const char *texts[] = {agent->agent_id, agent->hostname, presence->hostname, presence->source_uri};
	if (!query->text)
		return true;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (texts[i] && strcasestr(texts[i], query->text))
			return true;
	return false;
}

static bool is_wanted(const struct vw_agent_query *query, const vw_agent *agent, const vw_agent_presence *presence)
{
	return (!query->status || agent->status == *query->status) &&
	       (!query->connected || presence->connected == *query->connected) && has_text(query, agent, presence);
}

static int list_one(struct vw_bytes key, struct vw_bytes value, void *arg, struct vw_error *err)
{
	struct listing *l = arg;
	void *message;
	vw_agent_presence *presence;
	if (key.len == l->after.len && memcmp(key.data, l->after.data, key.len) == 0)
		return 0;
	if (l->agents.count == l->query->limit)
		return 1;
	int rc = vw_message_unpack(l->agents.arena, &verifywise__v1__agent__descriptor, value.data, value.len,
				   "agent", &message, err);
	if (rc < 0)
		return rc;
	vw_agent *agent = message;
	rc = vw_lmdb_presence(l->presences, l->agents.arena, agent->organization, agent->agent_id, &presence, err);
	if (rc < 0 || !is_wanted(l->query, agent, presence))
		return rc;
	rc = vw_lmdb_rows_add(&l->agents, agent, err);
	return rc < 0 ? rc : vw_lmdb_rows_add(&l->rows, presence, err);
}

static int agent_list(struct vw_fleet_store *base, struct vw_arena *arena, int32_t organization,
		      const struct vw_agent_query *query, vw_agent ***out, vw_agent_presence ***out_presences,
		      size_t *out_count, struct vw_error *err)
{
	struct vw_lmdb_store *store = vw_lmdb_of(base);
	struct vw_lmdb_key prefix, after = {.len = 0};
	struct vw_txn *txn;
	if (query->limit == 0 || query->limit > VW_MAX_PAGE)
		return vw_error_set(err, VW_EINVAL, "a page has 1 to %d rows (VW_MAX_PAGE)", VW_MAX_PAGE);
	if (query->after && !vw_lmdb_key_agent(organization, query->after, &after))
		return vw_error_set(err, VW_EINVAL, "what to list agents after is no agent's id");
	vw_lmdb_key_organization(organization, &prefix);
	struct listing l = {.presences = store->presences,
			    .query = query,
			    .agents.arena = arena,
			    .rows.arena = arena,
			    .after = vw_lmdb_bytes(&after)};
	int rc = vw_txn_begin_read(store->kv, &txn, err);
	if (rc < 0)
		return rc;
	rc = vw_lmdb_walk(txn, VW_LMDB_AGENTS, vw_lmdb_bytes(&prefix), l.after, false, list_one, &l, err);
	vw_txn_end(txn);
	if (rc < 0)
		return rc;
	*out = (vw_agent **)l.agents.items;
	*out_presences = (vw_agent_presence **)l.rows.items;
	*out_count = l.agents.count;
	return 0;
}

void vw_lmdb_agent_ops(struct vw_fleet_ops *ops)
{
	ops->agent_get = agent_get;
	ops->agent_list = agent_list;
	ops->agent_set_status = agent_set_status;
	ops->agent_set_pending_serial = agent_set_pending_serial;
	ops->agent_join = agent_join;
}
