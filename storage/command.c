/* command.c: the controller's commands, as the agent keeps them. */
#include "storage/uplink.h"

#include "store_private.h"

#include "base/limits.h"
#include "proto/message.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_finished(const vw_held_command *held)
{
	const vw_command_update *update = held->update;
	if (!update || !update->has_state)
		return false;
	switch (update->state) {
	case VW_COMMAND_STATE_DONE:
	case VW_COMMAND_STATE_FAILED:
	case VW_COMMAND_STATE_REFUSED:
	case VW_COMMAND_STATE_EXPIRED:
	case VW_COMMAND_STATE_UNSUPPORTED:
		return true;
	default:
		return false;
	}
}

static int key_of(const char *id, struct vw_key *out, struct vw_error *err)
{
	size_t len = id ? strnlen(id, VW_STORE_COMMAND_ID_MAX + 1) : 0;
	if (len == 0 || len > VW_STORE_COMMAND_ID_MAX)
		return vw_error_set(err, VW_EINVAL, "a command needs an id of 1 to %d bytes",
				    VW_STORE_COMMAND_ID_MAX);
	vw_key_text(id, out);
	return 0;
}

int vw_store_command(struct vw_txn *txn, struct vw_arena *arena, const char *id, vw_held_command **out,
		     struct vw_error *err)
{
	struct vw_key key;
	void *held;
	int rc = key_of(id, &key, err);
	if (rc == 0)
		rc = vw_store_get_message(txn, arena, VW_TABLE_COMMANDS, &key,
					  &verifywise__v1__held_command__descriptor, "held command", &held, err);
	if (rc == VW_ENOTFOUND)
		return vw_error_set(err, VW_ENOTFOUND, "command %.64s never came", id);
	if (rc == 0)
		*out = held;
	return rc;
}

/* What is there beside the command that is to be put. */
struct census {
	const char *id; /* of that one */
	bool known;
	uint64_t arrival; /* of that one, when known */
	uint64_t newest_arrival;
	size_t open, finished;
	uint64_t oldest_arrival; /* of the finished ones */
	char oldest[VW_STORE_COMMAND_ID_MAX + 1];
};

static int count_command(struct vw_bytes key, struct vw_bytes value, struct vw_arena *arena, void *arg,
			 struct vw_error *err)
{
	struct census *c = arg;
	void *unpacked;
	(void)key;
	int rc = vw_message_unpack(arena, &verifywise__v1__held_command__descriptor, value.data, value.len,
				   "held command", &unpacked, err);
	if (rc < 0)
		return rc;
	const vw_held_command *held = unpacked;
	if (!held->command || !held->command->id)
		return vw_error_set(err, VW_ECORRUPT, "a held command has no id");
	if (held->arrival > c->newest_arrival)
		c->newest_arrival = held->arrival;
	if (strcmp(held->command->id, c->id) == 0) {
		c->known = true;
		c->arrival = held->arrival;
		return 0;
	}
	if (!is_finished(held)) {
		c->open++;
		return 0;
	}
	if (c->finished++ == 0 || held->arrival < c->oldest_arrival) {
		c->oldest_arrival = held->arrival;
		snprintf(c->oldest, sizeof(c->oldest), "%s", held->command->id);
	}
	return 0;
}

static int check_command(const vw_held_command *held, const struct census *c, struct vw_error *err)
{
	size_t command = protobuf_c_message_get_packed_size(&held->command->base);
	size_t result = held->update ? held->update->result.len : 0;
	if (command > VW_MAX_FLEET_CONTROL)
		return vw_error_set(err, VW_ELIMIT, "command %s: %zu bytes (VW_MAX_FLEET_CONTROL)", c->id, command);
	if (result > VW_MAX_COMMAND_RESULT)
		return vw_error_set(err, VW_ELIMIT, "command %s: a result of %zu bytes (VW_MAX_COMMAND_RESULT)",
				    c->id, result);
	if (!c->known && !is_finished(held) && c->open >= VW_MAX_OPEN_COMMANDS)
		return vw_error_set(err, VW_ELIMIT,
				    "command %s: %d commands are not finished yet (VW_MAX_OPEN_COMMANDS)", c->id,
				    VW_MAX_OPEN_COMMANDS);
	return 0;
}

/* What it takes to do a command is not needed once it is done, and a sealed secret is not kept for longer than that. */
static int write_command(struct vw_txn *txn, struct vw_arena *arena, const struct vw_key *key,
			 const vw_held_command *given, uint64_t arrival, struct vw_error *err)
{
	vw_held_command held = *given;
	vw_command command = *given->command;
	if (is_finished(given)) {
		command.has_content = 0;
		command.n_secrets = 0;
		held.command = &command;
	}
	VW_SET(&held, arrival, arrival);
	return vw_store_put_message(txn, arena, VW_TABLE_COMMANDS, key, &held.base, err);
}

int vw_store_put_command(struct vw_txn *txn, struct vw_arena *arena, const vw_held_command *command,
			 struct vw_error *err)
{
	struct census c = {.id = command->command ? command->command->id : NULL};
	struct vw_key key;
	int rc = key_of(c.id, &key, err);
	if (rc == 0)
		rc = vw_store_each_pair(txn, VW_TABLE_COMMANDS, (struct vw_bytes){NULL, 0}, false, count_command, &c,
					err);
	if (rc == 0)
		rc = check_command(command, &c, err);
	if (rc == 0)
		rc = write_command(txn, arena, &key, command, c.known ? c.arrival : c.newest_arrival + 1, err);
	if (rc < 0 || !is_finished(command) || c.finished < VW_MAX_HELD_COMMANDS)
		return rc;
	vw_key_text(c.oldest, &key);
	return vw_kv_delete(txn, VW_TABLE_COMMANDS, vw_key_bytes(&key), err);
}

static int by_arrival(const void *a, const void *b)
{
	const vw_held_command *const *x = a, *const *y = b;
	return ((*x)->arrival > (*y)->arrival) - ((*x)->arrival < (*y)->arrival);
}

int vw_store_commands(struct vw_txn *txn, struct vw_arena *arena, vw_held_command ***out, size_t *out_count,
		      struct vw_error *err)
{
	int rc = vw_store_all_messages(txn, arena, VW_TABLE_COMMANDS, &verifywise__v1__held_command__descriptor,
				       "held command", (void ***)out, out_count, err);
	if (rc == 0)
		qsort(*out, *out_count, sizeof(**out), by_arrival);
	return rc;
}
