#include "held.h"

#include "base/clock.h"
#include "base/digest.h"
#include "base/limits.h"
#include "base/text.h"
#include "proto/message.h"

#include <string.h>

#define TEXT_MAX 1000 /* bytes of a text that is kept */

/* ---- what can be said without looking anything up ---- */

bool vw_held_is_over(const vw_held_command *held)
{
	const vw_command_update *update = held->update;
	return update && update->has_state &&
	       (update->state == VW_COMMAND_STATE_DONE || update->state == VW_COMMAND_STATE_FAILED ||
		update->state == VW_COMMAND_STATE_REFUSED || update->state == VW_COMMAND_STATE_EXPIRED ||
		update->state == VW_COMMAND_STATE_UNSUPPORTED);
}

bool vw_held_is_desired(const char *id)
{
	return strncmp(id, VW_DESIRED_PREFIX, strlen(VW_DESIRED_PREFIX)) == 0;
}

bool vw_held_is_reserved(const char *id)
{
	return vw_held_is_desired(id) || strncmp(id, VW_IN_FORCE_PREFIX, strlen(VW_IN_FORCE_PREFIX)) == 0;
}

const char *vw_held_what(vw_command_kind kind)
{
	switch (kind) {
	case VW_COMMAND_SET_POLICY:
		return "policy";
	case VW_COMMAND_SET_CONFIGURATION:
		return "configuration";
	case VW_COMMAND_SET_SECRETS:
		return "secrets";
	default:
		return NULL;
	}
}

const char *vw_held_kind_name(const vw_command *command)
{
	return command->has_kind ? vw_enum_name(&verifywise__v1__command_kind__descriptor, (int)command->kind)
				 : "unknown";
}

static bool known_kind(const vw_command *command)
{
	return command->has_kind &&
	       protobuf_c_enum_descriptor_get_value(&verifywise__v1__command_kind__descriptor, (int)command->kind);
}

bool vw_held_refused(const struct vw_held_rules *rules, const vw_command *command)
{
	if (command->kind == VW_COMMAND_SET_SECRETS && !rules->secrets)
		return true;
	for (size_t i = 0; rules->refuses && rules->refuses[i]; i++) {
		if (vw_text_equal_nocase(rules->refuses[i], vw_held_kind_name(command)) ||
		    vw_text_equal_nocase(rules->refuses[i], "all"))
			return true;
	}
	return false;
}

/* Zero: it is to be done. */
static vw_command_state decide(const struct vw_held_rules *rules, const vw_command *command, const char **out_text)
{
	if (!known_kind(command)) {
		*out_text = "this agent does not know the kind";
		return VW_COMMAND_STATE_UNSUPPORTED;
	}
	if (vw_held_refused(rules, command)) {
		*out_text = "the local configuration forbids it";
		return VW_COMMAND_STATE_REFUSED;
	}
	if (command->has_expires_at && command->expires_at <= rules->now) {
		*out_text = "it came after its time";
		return VW_COMMAND_STATE_EXPIRED;
	}
	return 0;
}

/* ---- audit entries ---- */

static char *safe(struct vw_arena *arena, const char *text)
{
	struct vw_buffer out;
	if (!text)
		return NULL;
	vw_buffer_init(&out, 8 * TEXT_MAX);
	vw_text_append_safe(&out, vw_arena_strndup(arena, text, strnlen(text, TEXT_MAX)));
	char *copy = vw_arena_strdup(arena, vw_buffer_text(&out));
	vw_buffer_reset(&out);
	return copy;
}

static vw_entry *audit_entry(struct vw_arena *arena, const char *agent_version, vw_audit_kind kind,
			     const vw_command *command)
{
	vw_entry *entry = vw_message_new(arena, &verifywise__v1__entry__descriptor);
	vw_access *access = vw_message_new(arena, &verifywise__v1__access__descriptor);
	vw_audit *audit = vw_message_new(arena, &verifywise__v1__audit__descriptor);
	if (!entry || !access || !audit)
		return NULL;
	access->agent_version = vw_arena_strdup(arena, agent_version);
	VW_SET(entry, recorded_at, vw_clock_now());
	entry->access = access;
	entry->body_case = VERIFYWISE__V1__ENTRY__BODY_AUDIT;
	entry->audit = audit;
	VW_SET(audit, kind, kind);
	audit->subject = safe(arena, command->id);
	audit->depth = safe(arena, command->depth);
	return entry;
}

static char *received_text(struct vw_arena *arena, const vw_command *command)
{
	const char *model = command->model ? vw_arena_printf(arena, " of %s", safe(arena, command->model)) : "";
	const char *by =
	    command->issued_by ? vw_arena_printf(arena, ", issued by %s", safe(arena, command->issued_by)) : "";
	return vw_arena_printf(arena, "%s%s%s", vw_held_kind_name(command), model ? model : "", by ? by : "");
}

static int append_received(struct vw_txn *txn, struct vw_store *store, struct vw_arena *arena, const char *version,
			   const vw_command *command, struct vw_error *err)
{
	vw_entry *entry = audit_entry(arena, version, VW_AUDIT_COMMAND_RECEIVED, command);
	if (!entry)
		return vw_error_set(err, VW_ENOMEM, "no memory for an audit entry");
	entry->audit->text = received_text(arena, command);
	return vw_store_append(txn, store, arena, entry, NULL, NULL, err);
}

static int append_finished(struct vw_txn *txn, struct vw_store *store, struct vw_arena *arena, const char *version,
			   vw_held_command *held, struct vw_error *err)
{
	uint64_t sequence;
	const vw_command_update *update = held->update;
	vw_entry *entry = audit_entry(arena, version, VW_AUDIT_COMMAND_FINISHED, held->command);
	if (!entry)
		return vw_error_set(err, VW_ENOMEM, "no memory for an audit entry");
	vw_audit *audit = entry->audit;
	audit->outcome = (char *)vw_enum_name(&verifywise__v1__command_state__descriptor, (int)update->state);
	audit->text = vw_arena_printf(arena, "%s %s%s%s", vw_held_kind_name(held->command), audit->outcome,
				      update->text ? ": " : "", update->text ? update->text : "");
	VW_SET(audit, started_at, held->received_at);
	VW_SET(audit, duration_ms, update->at > held->received_at ? update->at - held->received_at : 0);
	int code = vw_store_append(txn, store, arena, entry, NULL, &sequence, err);
	if (code == 0)
		VW_SET(held, finished_sequence, sequence);
	return code;
}

/* ---- taking ---- */

struct take {
	struct vw_store *store;
	const struct vw_held_rules *rules;
	const vw_command *command;
	struct vw_arena *arena;
	enum vw_held_outcome outcome;
};

/* 1: there is nothing to write. What is desired may be desired again after something else was. */
static int look_up(struct vw_txn *txn, struct take *take, struct vw_error *err)
{
	vw_held_command *held;
	int code = vw_store_command(txn, take->arena, take->command->id, &held, err);
	if (code == VW_ENOTFOUND)
		return 0;
	if (code < 0)
		return code;
	if (!vw_held_is_over(held)) {
		take->outcome = VW_HELD_KNOWN;
		return 1;
	}
	take->outcome = VW_HELD_ANSWERED;
	return vw_held_is_desired(take->command->id) ? 0 : 1;
}

static vw_held_command *new_held(struct take *take, vw_command_state state, const char *text)
{
	vw_held_command *held = vw_message_new(take->arena, &verifywise__v1__held_command__descriptor);
	vw_command_update *update = vw_message_new(take->arena, &verifywise__v1__command_update__descriptor);
	if (!held || !update)
		return NULL;
	held->command = (vw_command *)take->command;
	held->update = update;
	VW_SET(held, received_at, vw_clock_now());
	update->id = take->command->id;
	update->text = (char *)text;
	VW_SET(update, state, state ? state : VW_COMMAND_STATE_RUNNING);
	VW_SET(update, at, held->received_at);
	return held;
}

static int put_answer(struct vw_txn *txn, struct take *take, vw_command_state state, const char *text,
		      struct vw_error *err)
{
	vw_held_command *held = new_held(take, state, text);
	if (!held)
		return vw_error_set(err, VW_ENOMEM, "no memory for a command");
	int code = append_finished(txn, take->store, take->arena, take->rules->agent_version, held, err);
	if (code == 0)
		code = vw_store_put_command(txn, take->arena, held, err);
	take->outcome = VW_HELD_ANSWERED;
	return code;
}

static int take_step(struct vw_txn *txn, void *arg, struct vw_error *err)
{
	struct take *take = arg;
	const char *text = NULL;
	int code = look_up(txn, take, err);
	if (code != 0)
		return code < 0 ? code : 0;
	code = append_received(txn, take->store, take->arena, take->rules->agent_version, take->command, err);
	if (code < 0)
		return code;
	vw_command_state state = decide(take->rules, take->command, &text);
	if (state)
		return put_answer(txn, take, state, text, err);
	vw_held_command *held = new_held(take, 0, NULL);
	if (!held)
		return vw_error_set(err, VW_ENOMEM, "no memory for a command");
	code = vw_store_put_command(txn, take->arena, held, err);
	take->outcome = VW_HELD_NEW;
	if (code == VW_ELIMIT)
		return put_answer(txn, take, VW_COMMAND_STATE_REFUSED, "too many commands wait already", err);
	return code;
}

static int take_in(struct take *take, struct vw_error *err)
{
	struct vw_txn *txn;
	int code = vw_txn_begin_read(vw_store_kv(take->store), &txn, err);
	if (code < 0)
		return code;
	code = look_up(txn, take, err);
	vw_txn_end(txn);
	if (code != 0)
		return code < 0 ? code : 0;
	return vw_kv_write(vw_store_kv(take->store), take_step, take, err);
}

static bool usable_id(const char *id)
{
	size_t len = id ? strnlen(id, VW_STORE_COMMAND_ID_MAX + 1) : 0;
	for (size_t i = 0; i < len; i++) {
		if (id[i] <= ' ' || id[i] > '~')
			return false;
	}
	return len > 0 && len <= VW_STORE_COMMAND_ID_MAX;
}

int vw_held_take(struct vw_store *store, const struct vw_held_rules *rules, const vw_command *command,
		 enum vw_held_outcome *out, struct vw_error *err)
{
	if (!usable_id(command->id))
		return vw_error_set(err, VW_EINVAL, "a command without a usable id");
	struct vw_arena *arena VW_AUTO(vw_arena_cleanup) = vw_arena_open(4 * VW_MAX_FLEET_CONTROL);
	if (!arena)
		return vw_error_set(err, VW_ENOMEM, "no memory for a command");
	struct take take = {.store = store, .rules = rules, .command = command, .arena = arena};
	int code = take_in(&take, err);
	if (code == 0)
		*out = take.outcome;
	return code;
}

/* ---- finishing ---- */

static void set_hash(protobuf_c_boolean *has, ProtobufCBinaryData *field, const uint8_t *hash)
{
	*has = hash != NULL;
	field->data = (uint8_t *)hash;
	field->len = hash ? VW_SHA256_SIZE : 0;
}

/* A file of the controller's: its hash; NULL: back to the local one. */
static void note_file(vw_uplink_state *state, bool policy, bool good, const uint8_t *hash)
{
	protobuf_c_boolean *has = policy ? &state->has_policy_sha256 : &state->has_config_sha256;
	ProtobufCBinaryData *field = policy ? &state->policy_sha256 : &state->config_sha256;
	protobuf_c_boolean *has_failed = policy ? &state->has_failed_policy_sha256 : &state->has_failed_config_sha256;
	ProtobufCBinaryData *failed = policy ? &state->failed_policy_sha256 : &state->failed_config_sha256;
	if (good)
		set_hash(has, field, hash);
	set_hash(has_failed, failed, good ? NULL : hash);
}

/* False when the command says nothing of the state. */
static bool note_outcome(vw_uplink_state *state, const vw_command *command, bool good, struct vw_arena *arena)
{
	uint8_t hash[VW_SHA256_SIZE];
	const uint8_t *kept = NULL;
	switch (command->kind) {
	case VW_COMMAND_SET_POLICY:
	case VW_COMMAND_SET_CONFIGURATION:
		if (command->has_content && command->content.len > 0) {
			vw_sha256_of(command->content.data, command->content.len, hash);
			kept = vw_arena_memdup(arena, hash, sizeof(hash));
		}
		note_file(state, command->kind == VW_COMMAND_SET_POLICY, good, kept);
		return true;
	case VW_COMMAND_PAUSE:
	case VW_COMMAND_RESUME:
		if (good)
			VW_SET(state, paused, command->kind == VW_COMMAND_PAUSE);
		return good;
	default:
		return false;
	}
}

struct finish {
	struct vw_store *store;
	const char *agent_version;
	const struct vw_held_end *end;
	struct vw_arena *arena;
};

static int finish_step(struct vw_txn *txn, void *arg, struct vw_error *err)
{
	struct finish *f = arg;
	vw_held_command *held;
	vw_uplink_state *state;
	vw_command_update *update = vw_message_new(f->arena, &verifywise__v1__command_update__descriptor);
	int code = vw_store_command(txn, f->arena, f->end->id, &held, err);
	if (code < 0)
		return code;
	if (!update || !held->command)
		return vw_error_set(err, update ? VW_ECORRUPT : VW_ENOMEM, "command %.64s is not whole", f->end->id);
	if (vw_held_is_over(held))
		return vw_error_set(err, VW_EINVAL, "command %.64s is over already", f->end->id);
	held->update = update;
	update->id = held->command->id;
	update->text = safe(f->arena, f->end->text);
	VW_SET(update, state, f->end->state);
	VW_SET(update, at, vw_clock_now());
	if (f->end->result.len > 0)
		VW_SET_BYTES(update, result, f->end->result.data, f->end->result.len);
	code = append_finished(txn, f->store, f->arena, f->agent_version, held, err);
	if (code == 0)
		code = vw_store_uplink(txn, f->arena, &state, err);
	if (code == 0 && note_outcome(state, held->command, f->end->state == VW_COMMAND_STATE_DONE, f->arena))
		code = vw_store_put_uplink(txn, f->arena, state, err);
	return code < 0 ? code : vw_store_put_command(txn, f->arena, held, err);
}

int vw_held_finish(struct vw_store *store, const char *agent_version, const struct vw_held_end *end,
		   struct vw_error *err)
{
	if (end->state != VW_COMMAND_STATE_DONE && end->state != VW_COMMAND_STATE_FAILED &&
	    end->state != VW_COMMAND_STATE_REFUSED && end->state != VW_COMMAND_STATE_EXPIRED)
		return vw_error_set(err, VW_EINVAL, "command %.64s cannot end in state %d", end->id, (int)end->state);
	struct vw_arena *arena VW_AUTO(vw_arena_cleanup) = vw_arena_open(4 * VW_MAX_FLEET_CONTROL);
	if (!arena)
		return vw_error_set(err, VW_ENOMEM, "no memory for a command");
	struct finish finish = {store, agent_version, end, arena};
	return vw_kv_write(vw_store_kv(store), finish_step, &finish, err);
}
