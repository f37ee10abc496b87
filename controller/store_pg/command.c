#include "store_pg.h"

#include "base/clock.h"
#include "base/digest.h"
#include "base/limits.h"
#include "proto/message.h"

#define COLUMNS                                                                                                      \
	"organization_id AS organization, agent_id, command, state, delivered_at, finished_at, update,"              \
	" int8send(issued_at) || uuid_send(id) AS place"

static bool is_finished(vw_command_state state)
{
	return state >= VW_COMMAND_STATE_DONE;
}

/* Finishes those that were never delivered in time. */
static void expire(struct vw_pg_tx *tx, const char *agent_id, int64_t now)
{
	struct vw_pg_params p;
	vw_pg_agent_params(tx, agent_id, &p);
	vw_pg_int8(&p, now);
	vw_pg_int4(&p, VW_COMMAND_STATE_EXPIRED);
	vw_pg_int4(&p, VW_COMMAND_STATE_QUEUED);
	vw_pg_query(
	    tx,
	    "UPDATE commands SET state = $4, finished_at = $3 WHERE organization_id = $1 AND agent_id = $2::uuid"
	    " AND finished_at IS NULL AND state = $5 AND expires_at <= $3",
	    &p);
}

/* ---- A new one ---- */

static void ask_open(struct vw_pg_tx *tx, const char *agent_id)
{
	struct vw_pg_params p;
	vw_pg_agent_params(tx, agent_id, &p);
	vw_pg_query(tx,
		    "SELECT count(*) FROM commands WHERE organization_id = $1 AND agent_id = $2::uuid"
		    " AND finished_at IS NULL",
		    &p);
}

static void check_open(struct vw_pg_tx *tx)
{
	const PGresult *result = vw_pg_result(tx);
	if (result && vw_pg_int(result, 0, 0) >= VW_MAX_OPEN_COMMANDS)
		vw_pg_refuse(tx, VW_ELIMIT, "the agent has %d commands open already (VW_MAX_OPEN_COMMANDS)",
			     VW_MAX_OPEN_COMMANDS);
}

/* What is given out is kept by its hash, and is what the agent is to have from now on. */
static void put_desired(struct vw_pg_tx *tx, const vw_stored_command *command, vw_agent *agent)
{
	const vw_command *c = command->command;
	bool is_policy = c->kind == VW_COMMAND_SET_POLICY;
	uint8_t *sha256 = vw_arena_alloc(tx->arena, VW_SHA256_SIZE);
	struct vw_pg_params p;
	if (tx->code < 0 || !sha256 || (!is_policy && c->kind != VW_COMMAND_SET_CONFIGURATION))
		return;
	ProtobufCBinaryData *desired = is_policy ? &agent->desired_policy_sha256 : &agent->desired_config_sha256;
	protobuf_c_boolean *has = is_policy ? &agent->has_desired_policy_sha256 : &agent->has_desired_config_sha256;
	*has = c->content.len > 0;
	if (*has) {
		vw_sha256_of(c->content.data, c->content.len, sha256);
		*desired = (ProtobufCBinaryData){VW_SHA256_SIZE, sha256};
		vw_pg_params(tx, &p);
		vw_pg_bytes(&p, sha256, VW_SHA256_SIZE);
		vw_pg_bytes(&p, c->content.data, c->content.len);
		vw_pg_do(tx, "INSERT INTO files VALUES ($1, $2, $3) ON CONFLICT DO NOTHING", &p);
	}
	vw_pg_agent_update(tx, agent);
}

/* Without its secrets: they are in their own table. */
static void insert(struct vw_pg_tx *tx, const vw_stored_command *command)
{
	struct vw_pg_params p;
	vw_command bare = *command->command;
	bare.n_secrets = 0;
	vw_pg_agent_params(tx, command->agent_id, &p);
	vw_pg_fields(&p, &bare.base, "id kind issued_at expires_at");
	vw_pg_packed(&p, &bare.base);
	vw_pg_int4(&p, VW_COMMAND_STATE_QUEUED);
	vw_pg_do(tx,
		 "INSERT INTO commands (organization_id, agent_id, id, kind, issued_at, expires_at, command, state)"
		 " VALUES ($1, $2::uuid, $3::uuid, $4, $5, $6, $7, $8)",
		 &p);
}

static int check_command(const vw_command *command, struct vw_error *err)
{
	if (!command || !command->id || !vw_agent_id_valid(command->id) || !command->has_kind ||
	    !command->has_issued_at)
		return vw_error_set(err, VW_EINVAL, "a command needs an id (UUID in lower case), a kind and a time");
	if (command->content.len > VW_MAX_POLICY_FILE)
		return vw_error_set(err, VW_ELIMIT, "a file of %zu bytes (VW_MAX_POLICY_FILE)", command->content.len);
	return 0;
}

int vw_pg_command_create(struct vw_fleet_store *store, const vw_stored_command *command, struct vw_error *err)
{
	struct vw_pg_tx tx;
	vw_agent *agent = NULL;
	int rc = check_command(command->command, err);
	if (rc < 0)
		return rc;
	vw_pg_begin(&tx, vw_pg_of(store)->pool, command->organization, VW_PG_WRITE, err);
	vw_pg_agent_ask(&tx, command->agent_id, true);
	expire(&tx, command->agent_id, command->command->issued_at);
	ask_open(&tx, command->agent_id);
	vw_pg_agent_read(&tx, command->agent_id, tx.arena, &agent);
	vw_pg_result(&tx); /* of what has expired */
	check_open(&tx);
	put_desired(&tx, command, agent);
	insert(&tx, command);
	vw_pg_notify(&tx, VW_CHANGE_COMMAND, command->organization, command->agent_id);
	vw_pg_commit(&tx);
	rc = vw_pg_end(&tx);
	return rc == VW_EBUSY ? vw_error_set(err, rc, "a command with this id is there already") : rc;
}

/* ---- Reading ---- */

int vw_pg_command_get(struct vw_fleet_store *store, struct vw_arena *arena, int32_t organization, const char *id,
		      vw_stored_command **out, struct vw_error *err)
{
	struct vw_pg_tx tx;
	struct vw_pg_params p;
	void *row;
	if (!vw_agent_id_valid(id))
		return vw_error_set(err, VW_ENOTFOUND, "the command is not there");
	vw_pg_begin(&tx, vw_pg_of(store)->pool, organization, VW_PG_READ, err);
	vw_pg_params(&tx, &p);
	vw_pg_text(&p, id);
	vw_pg_query(&tx, "SELECT " COLUMNS " FROM commands WHERE organization_id = $1 AND id = $2::uuid", &p);
	if (vw_pg_one(&tx, &verifywise__v1__stored_command__descriptor, arena, "the command", &row) == 0)
		*out = row;
	return vw_pg_end(&tx);
}

int vw_pg_command_list(struct vw_fleet_store *store, struct vw_arena *arena, int32_t organization,
		       const char *agent_id, const struct vw_page *page, vw_stored_command ***out, size_t *out_count,
		       char **out_cursor, struct vw_error *err)
{
	struct vw_pg_tx tx;
	struct vw_pg_params p;
	struct vw_listing listing;
	struct vw_pg_page got;
	uint8_t place[24];
	bool first;
	vw_listing_begin(&listing, "commands", organization);
	vw_listing_add_text(&listing, agent_id);
	int rc = vw_pg_page_read(&listing, page, sizeof(place), arena, place, &first, err);
	if (rc < 0)
		return rc;
	if (agent_id && !vw_agent_id_valid(agent_id))
		return vw_error_set(err, VW_EINVAL, "what is asked for is no agent's id");
	vw_pg_begin(&tx, vw_pg_of(store)->pool, organization, VW_PG_READ, err);
	vw_pg_params(&tx, &p);
	vw_pg_text(&p, agent_id);
	vw_pg_int8(&p, vw_pg_place_int(place));
	vw_pg_uuid(&p, place + 8);
	vw_pg_int8(&p, (int64_t)page->limit + 1);
	vw_pg_bool(&p, first);
	vw_pg_query(&tx,
		    "SELECT " COLUMNS
		    " FROM commands WHERE organization_id = $1 AND ($2 IS NULL OR agent_id = $2::uuid)"
		    " AND ($6 OR (issued_at, id) < ($3, $4)) ORDER BY issued_at DESC, id DESC LIMIT $5",
		    &p);
	if (vw_pg_page_rows(&tx, &verifywise__v1__stored_command__descriptor, &listing, page, arena, &got) == 0) {
		*out = (vw_stored_command **)got.rows;
		*out_count = got.count;
		*out_cursor = got.cursor;
	}
	return vw_pg_end(&tx);
}

/* ---- Those that wait ---- */

int vw_pg_command_open(struct vw_fleet_store *store, struct vw_arena *arena, int32_t organization,
		       const char *agent_id, int64_t now, vw_stored_command ***out, size_t *out_count,
		       struct vw_error *err)
{
	struct vw_pg_tx tx;
	struct vw_pg_params p;
	void **rows = NULL;
	size_t count = 0;
	bool expired = false;
	vw_pg_begin(&tx, vw_pg_of(store)->pool, organization, VW_PG_WRITE_AGAIN, err);
	expire(&tx, agent_id, now);
	vw_pg_agent_params(&tx, agent_id, &p);
	vw_pg_query(&tx,
		    "SELECT " COLUMNS " FROM commands WHERE organization_id = $1 AND agent_id = $2::uuid"
		    " AND finished_at IS NULL ORDER BY issued_at, id",
		    &p);
	if (vw_pg_affected(vw_pg_result(&tx)) > 0)
		expired = true;
	vw_pg_rows(&tx, &verifywise__v1__stored_command__descriptor, arena, &rows, &count);
	if (expired)
		vw_pg_notify(&tx, VW_CHANGE_COMMAND, organization, agent_id);
	if (vw_pg_commit(&tx) == 0) {
		*out = (vw_stored_command **)rows;
		*out_count = count;
	}
	return vw_pg_end(&tx);
}

/* ---- The agent's word ---- */

/* The agent's row first, as everywhere: two that take the same locks in another order would wait for each other. */
static vw_stored_command *ask_command(struct vw_pg_tx *tx, const char *agent_id, const char *id)
{
	struct vw_pg_params p;
	vw_agent *agent;
	void *row = NULL;
	vw_pg_agent_ask(tx, agent_id, true);
	vw_pg_agent_params(tx, agent_id, &p);
	vw_pg_text(&p, id);
	vw_pg_query(tx,
		    "SELECT " COLUMNS " FROM commands"
		    " WHERE organization_id = $1 AND agent_id = $2::uuid AND id = $3::uuid FOR UPDATE",
		    &p);
	vw_pg_agent_read(tx, agent_id, tx->arena, &agent);
	vw_pg_one(tx, &verifywise__v1__stored_command__descriptor, tx->arena, "the agent's command", &row);
	return row;
}

static void put_update(struct vw_pg_tx *tx, const char *agent_id, const vw_command_update *update)
{
	struct vw_pg_params p;
	vw_pg_agent_params(tx, agent_id, &p);
	vw_pg_text(&p, update->id);
	vw_pg_int4(&p, (int32_t)update->state);
	vw_pg_int8(&p, update->has_at ? update->at : vw_clock_now());
	vw_pg_packed(&p, &update->base);
	vw_pg_do(tx,
		 is_finished(update->state)
		     ? "UPDATE commands SET state = $4, finished_at = $5, update = $6"
		       " WHERE organization_id = $1 AND agent_id = $2::uuid AND id = $3::uuid"
		     : "UPDATE commands SET state = $4, delivered_at = coalesce(delivered_at, $5),"
		       " update = $6"
		       " WHERE organization_id = $1 AND agent_id = $2::uuid AND id = $3::uuid",
		 &p);
}

/* What the agent could not or would not take over is not desired any more: it would be sent again with each stream. */
static void clear_desired(struct vw_pg_tx *tx, const char *agent_id, const vw_command *command)
{
	uint8_t sha256[VW_SHA256_SIZE];
	struct vw_pg_params p;
	bool is_policy = command->kind == VW_COMMAND_SET_POLICY;
	if (!is_policy && command->kind != VW_COMMAND_SET_CONFIGURATION)
		return;
	vw_sha256_of(command->content.data, command->content.len, sha256);
	vw_pg_agent_params(tx, agent_id, &p);
	vw_pg_bytes(&p, sha256, VW_SHA256_SIZE);
	vw_pg_do(tx,
		 is_policy ? "UPDATE agents SET desired_policy_sha256 = NULL"
			     " WHERE organization_id = $1 AND agent_id = $2::uuid AND desired_policy_sha256 = $3"
			   : "UPDATE agents SET desired_config_sha256 = NULL"
			     " WHERE organization_id = $1 AND agent_id = $2::uuid AND desired_config_sha256 = $3",
		 &p);
}

int vw_pg_command_update(struct vw_fleet_store *store, int32_t organization, const char *agent_id,
			 const vw_command_update *update, struct vw_error *err)
{
	struct vw_pg_tx tx;
	if (update->state < VW_COMMAND_STATE_DELIVERED || update->state > VW_COMMAND_STATE_UNSUPPORTED)
		return vw_error_set(err, VW_EINVAL, "%d is no state that a command can be said to be in",
				    (int)update->state);
	if (update->result.len > VW_MAX_COMMAND_RESULT)
		return vw_error_set(err, VW_ELIMIT, "a result of %zu bytes (VW_MAX_COMMAND_RESULT)",
				    update->result.len);
	if (!update->id || !vw_agent_id_valid(update->id))
		return vw_error_set(err, VW_ENOTFOUND, "the agent's command is not there");
	vw_pg_begin(&tx, vw_pg_of(store)->pool, organization, VW_PG_WRITE_AGAIN, err);
	const vw_stored_command *stored = ask_command(&tx, agent_id, update->id);
	/* a word that comes late or twice changes nothing */
	if (stored && !is_finished(stored->state) && update->state >= stored->state) {
		put_update(&tx, agent_id, update);
		if (is_finished(update->state) && update->state != VW_COMMAND_STATE_DONE)
			clear_desired(&tx, agent_id, stored->command);
		vw_pg_notify(&tx, VW_CHANGE_COMMAND, organization, agent_id);
		vw_pg_commit(&tx);
	}
	return vw_pg_end(&tx);
}
