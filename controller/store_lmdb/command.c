/* command.c: commands of operators: queued, delivered, answered. */
#include "embedded.h"

#include "base/clock.h"
#include "base/digest.h"
#include "base/limits.h"
#include "proto/message.h"

#include <string.h>

static bool is_finished(vw_command_state state)
{
	return state >= VW_COMMAND_STATE_DONE;
}

int vw_lmdb_command(struct vw_txn *txn, struct vw_arena *arena, const struct vw_lmdb_key *key,
		    vw_stored_command **out, struct vw_error *err)
{
	void *found;
	int rc = vw_lmdb_get(txn, arena, VW_LMDB_COMMANDS, key, &verifywise__v1__stored_command__descriptor,
			     "such command", &found, err);
	if (rc < 0)
		return rc;
	const vw_stored_command *command = found;
	if (!command->command || !command->command->id || !command->agent_id)
		return vw_error_set(err, VW_ECORRUPT, "a stored command is none");
	*out = found;
	return 0;
}

static int put(struct vw_lmdb_tx *tx, const vw_stored_command *command, struct vw_error *err)
{
	struct vw_lmdb_key key;
	if (!vw_lmdb_key_command(command->organization, command->command->id, &key))
		return vw_error_set(err, VW_EINVAL, "a command's id is no UUID in lower case");
	return vw_lmdb_put(tx, VW_LMDB_COMMANDS, &key, &command->base, err);
}

static int finish(struct vw_lmdb_tx *tx, vw_stored_command *command, vw_command_state state, int64_t at,
		  struct vw_error *err)
{
	struct vw_lmdb_key open;
	VW_SET(command, state, state);
	VW_SET(command, finished_at, at);
	if (!vw_lmdb_key_command_open(command, &open))
		return vw_error_set(err, VW_ECORRUPT, "a stored command is none");
	int rc = put(tx, command, err);
	return rc < 0 ? rc : vw_lmdb_delete(tx, VW_LMDB_INDEX, &open, err);
}

/* ---- What is open ---- */

struct open_list {
	struct vw_txn *txn;
	int32_t organization;
	struct vw_lmdb_rows rows;
};

static int next_open(struct vw_bytes key, struct vw_bytes value, void *arg, struct vw_error *err)
{
	struct open_list *l = arg;
	struct vw_lmdb_key command_key;
	vw_stored_command *command;
	(void)value;
	if (!vw_lmdb_key_command_of(key, l->organization, &command_key))
		return vw_error_set(err, VW_ECORRUPT, "the index of open commands leads nowhere");
	int rc = vw_lmdb_command(l->txn, l->rows.arena, &command_key, &command, err);
	return rc < 0 ? rc : vw_lmdb_rows_add(&l->rows, command, err);
}

/* Oldest first. */
static int find_open(struct vw_txn *txn, int32_t organization, const char *agent_id, struct vw_arena *arena,
		     struct vw_lmdb_rows *out, struct vw_error *err)
{
	struct open_list l = {.txn = txn, .organization = organization, .rows.arena = arena};
	struct vw_lmdb_key prefix;
	if (!vw_lmdb_key_commands_open(organization, agent_id, &prefix))
		return vw_lmdb_not_found("such agent", err);
	int rc = vw_lmdb_walk(txn, VW_LMDB_INDEX, vw_lmdb_bytes(&prefix), (struct vw_bytes){NULL, 0}, false,
			      next_open, &l, err);
	*out = l.rows;
	return rc;
}

static bool has_expired(const vw_stored_command *command, int64_t now)
{
	return command->state == VW_COMMAND_STATE_QUEUED && command->command->has_expires_at &&
	       command->command->expires_at <= now;
}

/* Finishes those that were never delivered in time; keeps the others. */
static int expire(struct vw_lmdb_tx *tx, struct vw_lmdb_rows *rows, int64_t now, struct vw_error *err)
{
	size_t kept = 0;
	for (size_t i = 0; i < rows->count; i++) {
		vw_stored_command *command = rows->items[i];
		if (!has_expired(command, now)) {
			rows->items[kept++] = command;
			continue;
		}
		int rc = finish(tx, command, VW_COMMAND_STATE_EXPIRED, now, err);
		if (rc < 0)
			return rc;
	}
	rows->count = kept;
	return 0;
}

struct opening {
	struct vw_arena *arena;
	int32_t organization;
	const char *agent_id;
	int64_t now;
	struct vw_lmdb_rows rows;
};

static int open_step(struct vw_lmdb_tx *tx, void *arg, struct vw_error *err)
{
	struct opening *o = arg;
	int rc = find_open(tx->txn, o->organization, o->agent_id, o->arena, &o->rows, err);
	if (rc < 0)
		return rc;
	vw_lmdb_change(tx, VW_CHANGE_COMMAND, o->organization, o->agent_id);
	return expire(tx, &o->rows, o->now, err);
}

static int command_open(struct vw_fleet_store *base, struct vw_arena *arena, int32_t organization,
			const char *agent_id, int64_t now, vw_stored_command ***out, size_t *out_count,
			struct vw_error *err)
{
	struct opening o = {.arena = arena, .organization = organization, .agent_id = agent_id, .now = now};
	struct vw_txn *txn;
	bool expired = false;
	int rc = vw_txn_begin_read(vw_lmdb_of(base)->kv, &txn, err);
	if (rc < 0)
		return rc;
	rc = find_open(txn, organization, agent_id, arena, &o.rows, err);
	vw_txn_end(txn);
	for (size_t i = 0; rc == 0 && i < o.rows.count; i++)
		expired |= has_expired(o.rows.items[i], now);
	if (rc == 0 && expired)
		rc = vw_lmdb_write(vw_lmdb_of(base), open_step, &o, err);
	if (rc < 0)
		return rc;
	*out = (vw_stored_command **)o.rows.items;
	*out_count = o.rows.count;
	return 0;
}

/* ---- Creating ---- */

struct creation {
	struct vw_arena *arena;
	const vw_stored_command *command;
};

static int put_file(struct vw_lmdb_tx *tx, const vw_stored_command *command, const uint8_t sha256[32],
		    struct vw_error *err)
{
	vw_stored_file file = VERIFYWISE__V1__STORED_FILE__INIT;
	struct vw_lmdb_key key;
	vw_lmdb_key_file(command->organization, sha256, &key);
	int has = vw_lmdb_has(tx->txn, VW_LMDB_FILES, &key, err);
	if (has != 0)
		return has < 0 ? has : 0;
	VW_SET(&file, organization, command->organization);
	VW_SET_BYTES(&file, sha256, sha256, 32);
	VW_SET_BYTES(&file, content, command->command->content.data, command->command->content.len);
	return vw_lmdb_put(tx, VW_LMDB_FILES, &key, &file.base, err);
}

/* From now on this is what the agent is to have; with nothing in it, its own. */
static int desire(struct vw_lmdb_tx *tx, const vw_stored_command *command, vw_agent *agent, struct vw_error *err)
{
	const ProtobufCBinaryData *content = &command->command->content;
	uint8_t sha256[VW_SHA256_SIZE];
	bool is_policy = command->command->kind == VW_COMMAND_SET_POLICY;
	bool some = content->len > 0;
	int rc = 0;
	if (some) {
		vw_sha256_of(content->data, content->len, sha256);
		rc = put_file(tx, command, sha256, err);
	}
	ProtobufCBinaryData hash = {some ? sizeof(sha256) : 0, sha256};
	if (is_policy) {
		agent->has_desired_policy_sha256 = some;
		agent->desired_policy_sha256 = hash;
	} else {
		agent->has_desired_config_sha256 = some;
		agent->desired_config_sha256 = hash;
	}
	return rc < 0 ? rc : vw_lmdb_put_agent(tx, agent, err);
}

static int check_creation(struct vw_lmdb_tx *tx, const struct creation *c, vw_agent **out_agent,
			  struct vw_lmdb_rows *out_open, struct vw_error *err)
{
	const vw_stored_command *command = c->command;
	struct vw_lmdb_key key;
	int rc = vw_lmdb_agent(tx->txn, c->arena, command->organization, command->agent_id, out_agent, err);
	if (rc < 0)
		return rc;
	vw_lmdb_key_command(command->organization, command->command->id, &key);
	int has = vw_lmdb_has(tx->txn, VW_LMDB_COMMANDS, &key, err);
	if (has != 0)
		return has < 0 ? has : vw_error_set(err, VW_EBUSY, "a command with this id is there already");
	rc = find_open(tx->txn, command->organization, command->agent_id, c->arena, out_open, err);
	if (rc < 0)
		return rc;
	size_t open = 0;
	for (size_t i = 0; i < out_open->count; i++)
		open += !has_expired(out_open->items[i], command->command->issued_at);
	if (open >= VW_MAX_OPEN_COMMANDS)
		return vw_error_set(err, VW_ELIMIT, "the agent has %d commands open already (VW_MAX_OPEN_COMMANDS)",
				    VW_MAX_OPEN_COMMANDS);
	return 0;
}

static int put_new(struct vw_lmdb_tx *tx, const vw_stored_command *given, struct vw_error *err)
{
	vw_stored_command command = *given;
	vw_command inner = *given->command;
	struct vw_lmdb_key order, open;
	uint8_t agent[VW_LMDB_ID];
	command.command = &inner;
	inner.n_secrets = 0; /* they are in their own table */
	command.update = NULL;
	command.has_delivered_at = command.has_finished_at = 0;
	VW_SET(&command, state, VW_COMMAND_STATE_QUEUED);
	vw_lmdb_id(command.agent_id, agent);
	vw_lmdb_key_command_order(&command, &order);
	vw_lmdb_key_command_open(&command, &open);
	int rc = put(tx, &command, err);
	if (rc == 0)
		rc = vw_lmdb_put_bytes(tx, VW_LMDB_INDEX, &order, (struct vw_bytes){agent, sizeof(agent)}, err);
	return rc < 0 ? rc : vw_lmdb_put_bytes(tx, VW_LMDB_INDEX, &open, (struct vw_bytes){"", 0}, err);
}

static int create_step(struct vw_lmdb_tx *tx, void *arg, struct vw_error *err)
{
	const struct creation *c = arg;
	const vw_stored_command *command = c->command;
	struct vw_lmdb_rows open;
	vw_agent *agent;
	int rc = check_creation(tx, c, &agent, &open, err);
	if (rc == 0)
		rc = expire(tx, &open, command->command->issued_at, err);
	if (rc == 0)
		rc = put_new(tx, command, err);
	if (rc == 0 && (command->command->kind == VW_COMMAND_SET_POLICY ||
			command->command->kind == VW_COMMAND_SET_CONFIGURATION))
		rc = desire(tx, command, agent, err);
	vw_lmdb_change(tx, VW_CHANGE_COMMAND, command->organization, command->agent_id);
	return rc;
}

static int command_create(struct vw_fleet_store *base, const vw_stored_command *command, struct vw_error *err)
{
	const vw_command *inner = command->command;
	uint8_t id[VW_LMDB_ID];
	if (!inner || !vw_lmdb_id(inner->id, id) || !inner->has_kind || !inner->has_issued_at)
		return vw_error_set(err, VW_EINVAL, "a command needs an id (UUID in lower case), a kind and a time");
	if (inner->content.len > VW_MAX_POLICY_FILE)
		return vw_error_set(err, VW_ELIMIT, "a file of %zu bytes (VW_MAX_POLICY_FILE)", inner->content.len);
	VW_AUTO(vw_arena_cleanup) struct vw_arena *arena = vw_arena_open(0);
	struct creation c = {arena, command};
	return arena ? vw_lmdb_write(vw_lmdb_of(base), create_step, &c, err) : vw_lmdb_no_memory(err);
}

/* ---- The agent's word ---- */

struct word {
	struct vw_arena *arena;
	int32_t organization;
	const char *agent_id;
	const vw_command_update *update;
};

/* What the agent could not or would not take over is not desired any more: it would be sent again with each stream. */
static int undesire(struct vw_lmdb_tx *tx, const struct word *w, const vw_stored_command *command,
		    struct vw_error *err)
{
	const vw_command *c = command->command;
	uint8_t sha256[VW_SHA256_SIZE];
	vw_agent *agent;
	bool is_policy = c->kind == VW_COMMAND_SET_POLICY;
	if (w->update->state == VW_COMMAND_STATE_DONE || (!is_policy && c->kind != VW_COMMAND_SET_CONFIGURATION))
		return 0;
	int rc = vw_lmdb_agent(tx->txn, w->arena, w->organization, w->agent_id, &agent, err);
	if (rc < 0)
		return rc;
	vw_sha256_of(c->content.data, c->content.len, sha256);
	ProtobufCBinaryData *desired = is_policy ? &agent->desired_policy_sha256 : &agent->desired_config_sha256;
	protobuf_c_boolean *has = is_policy ? &agent->has_desired_policy_sha256 : &agent->has_desired_config_sha256;
	if (!*has || desired->len != sizeof(sha256) || memcmp(desired->data, sha256, sizeof(sha256)) != 0)
		return 0;
	*has = false;
	return vw_lmdb_put_agent(tx, agent, err);
}

static int update_step(struct vw_lmdb_tx *tx, void *arg, struct vw_error *err)
{
	const struct word *w = arg;
	vw_command_update update = *w->update;
	struct vw_lmdb_key key;
	vw_stored_command *command;
	if (!vw_lmdb_key_command(w->organization, update.id, &key))
		return vw_lmdb_not_found("such command", err);
	int rc = vw_lmdb_command(tx->txn, w->arena, &key, &command, err);
	if (rc == 0 && (!w->agent_id || strcmp(command->agent_id, w->agent_id) != 0))
		rc = vw_lmdb_not_found("such command", err);
	/* a word that comes late or twice changes nothing */
	if (rc < 0 || is_finished(command->state) || update.state < command->state)
		return rc;
	int64_t at = update.has_at ? update.at : vw_clock_now();
	command->update = &update;
	vw_lmdb_change(tx, VW_CHANGE_COMMAND, w->organization, w->agent_id);
	if (is_finished(update.state)) {
		rc = undesire(tx, w, command, err);
		return rc < 0 ? rc : finish(tx, command, update.state, at, err);
	}
	VW_SET(command, state, update.state);
	if (!command->has_delivered_at)
		VW_SET(command, delivered_at, at);
	return put(tx, command, err);
}

static int command_update(struct vw_fleet_store *base, int32_t organization, const char *agent_id,
			  const vw_command_update *update, struct vw_error *err)
{
	if (update->state < VW_COMMAND_STATE_DELIVERED || update->state > VW_COMMAND_STATE_UNSUPPORTED)
		return vw_error_set(err, VW_EINVAL, "%d is no state that a command can be said to be in",
				    (int)update->state);
	if (update->result.len > VW_MAX_COMMAND_RESULT)
		return vw_error_set(err, VW_ELIMIT, "a result of %zu bytes (VW_MAX_COMMAND_RESULT)",
				    update->result.len);
	VW_AUTO(vw_arena_cleanup) struct vw_arena *arena = vw_arena_open(0);
	struct word w = {arena, organization, agent_id, update};
	return arena ? vw_lmdb_write(vw_lmdb_of(base), update_step, &w, err) : vw_lmdb_no_memory(err);
}

void vw_lmdb_command_ops(struct vw_fleet_ops *ops)
{
	ops->command_create = command_create;
	ops->command_open = command_open;
	ops->command_update = command_update;
}
