/* entries.c: what a cycle writes into the ledger, and in which order. */
#include "internal.h"

#include "base/clock.h"
#include "base/digest.h"
#include "proto/message.h"

#include <string.h>

vw_entry *sync_entry(struct sync *sync, struct vw_arena *arena)
{
	vw_entry *entry = vw_message_new(arena, &verifywise__v1__entry__descriptor);
	if (!entry)
		return NULL;
	VW_SET(entry, recorded_at, vw_clock_now());
	entry->access = &sync->access;
	return entry;
}

vw_entry *sync_audit_entry(struct sync *sync, struct vw_arena *arena, vw_audit_kind kind, const char *subject,
			   const char *text)
{
	vw_entry *entry = sync_entry(sync, arena);
	vw_audit *audit = vw_message_new(arena, &verifywise__v1__audit__descriptor);
	if (!entry || !audit)
		return NULL;
	entry->body_case = VERIFYWISE__V1__ENTRY__BODY_AUDIT;
	entry->audit = audit;
	VW_SET(audit, kind, kind);
	audit->subject = vw_arena_strdup(arena, subject);
	audit->text = vw_arena_strdup(arena, text);
	return entry;
}

const char *sync_depth_name(const struct sync *sync)
{
	return sync->options->depth == VW_DEPTH_QUICK ? "quick" : "full";
}

/* What changed around us since the last cycle: policy, configuration, credential. At most three entries. */
static int append_preamble(struct sync *sync, struct vw_txn *txn, struct vw_arena *arena, struct vw_error *err)
{
	const vw_sync_state *state = sync->state;
	char from[VW_SHA256_HEX], to[VW_SHA256_HEX];
	struct {
		vw_audit_kind kind;
		const char *text, *from, *to;
	} list[3];
	size_t count = 0;
	char *texts[4] = {0};
	const uint8_t *policy = vw_policy_sha256(sync->cx->policy);
	if (state->policy_sha256.len == VW_SHA256_SIZE && !sync_same_sha256(&state->policy_sha256, policy)) {
		texts[0] = vw_arena_strdup(arena, vw_hex_encode(state->policy_sha256.data, VW_SHA256_SIZE, from));
		texts[1] = vw_arena_strdup(arena, vw_hex_encode(policy, VW_SHA256_SIZE, to));
		list[count].kind = VW_AUDIT_POLICY_CHANGED;
		list[count].text = "another policy is in force";
		list[count].from = texts[0];
		list[count++].to = texts[1];
	}
	if (sync->cx->config_sha256 && state->config_sha256.len == VW_SHA256_SIZE &&
	    !sync_same_sha256(&state->config_sha256, sync->cx->config_sha256)) {
		texts[2] = vw_arena_strdup(arena, vw_hex_encode(state->config_sha256.data, VW_SHA256_SIZE, from));
		texts[3] = vw_arena_strdup(arena, vw_hex_encode(sync->cx->config_sha256, VW_SHA256_SIZE, to));
		list[count].kind = VW_AUDIT_CONFIG_CHANGED;
		list[count].text = "another configuration is in force";
		list[count].from = texts[2];
		list[count++].to = texts[3];
	}
	if (sync->cx->client && state->credential && strcmp(state->credential, sync->cx->credential) != 0) {
		list[count].kind = VW_AUDIT_CREDENTIAL_CHANGED;
		list[count].text = "another credential is used for the tracking server";
		list[count].from = state->credential;
		list[count++].to = sync->cx->credential;
	}
	for (size_t i = 0; i < count; i++) {
		vw_entry *entry = sync_audit_entry(sync, arena, list[i].kind, NULL, list[i].text);
		if (!entry)
			return vw_error_set(err, VW_ENOMEM, "no memory for an audit entry");
		entry->audit->from = vw_arena_strdup(arena, list[i].from);
		entry->audit->to = vw_arena_strdup(arena, list[i].to);
		int code = vw_store_append(txn, sync->cx->store, arena, entry, NULL, NULL, err);
		if (code < 0)
			return code;
	}
	return 0;
}

/* In front of the first change of a cycle: who began to read what, when. A cycle that changes nothing says so in its one
 * sync_finished entry, which names the time of its start too. */
static int append_opening(struct sync *sync, struct vw_txn *txn, struct vw_arena *arena, struct vw_error *err)
{
	vw_entry *entry = sync_audit_entry(sync, arena, VW_AUDIT_SYNC_STARTED, NULL, NULL);
	if (!entry)
		return vw_error_set(err, VW_ENOMEM, "no memory for an audit entry");
	VW_SET(entry, recorded_at, sync->started_at); /* it stands in front of what was learned since */
	entry->audit->depth = vw_arena_strdup(arena, sync_depth_name(sync));
	VW_SET(entry->audit, started_at, sync->started_at);
	int code = vw_store_append(txn, sync->cx->store, arena, entry, NULL, NULL, err);
	if (code < 0)
		return code;
	/* from here on the state is this server's, even if nobody writes the cycle's end */
	vw_sync_state state = *sync->state;
	state.source_uri = (char *)sync->cx->tracking_uri;
	return vw_store_put_sync_state(txn, arena, &state, err);
}

struct commit {
	struct sync *sync;
	struct vw_arena *arena;
	const struct changes *changes;
	vw_entry *last;       /* sync_finished, or NULL */
	vw_sync_state *state; /* with it */
};

static int commit_step(struct vw_txn *txn, void *arg, struct vw_error *err)
{
	struct commit *c = arg;
	int code = 0;
	if (!c->sync->preamble_written)
		code = append_preamble(c->sync, txn, c->arena, err);
	if (code == 0 && !c->sync->opened && c->changes->count > 0)
		code = append_opening(c->sync, txn, c->arena, err);
	for (size_t i = 0; i < c->changes->count && code == 0; i++)
		code = vw_store_append(txn, c->sync->cx->store, c->arena, c->changes->items[i].entry,
				       c->changes->items[i].record, NULL, err);
	if (code == 0 && c->last)
		code = vw_store_append(txn, c->sync->cx->store, c->arena, c->last, NULL, NULL, err);
	if (code == 0 && c->state)
		code = vw_store_put_sync_state(txn, c->arena, c->state, err);
	return code;
}

static int commit(struct commit *c, struct vw_error *err)
{
	int code = vw_kv_write(vw_store_kv(c->sync->cx->store), commit_step, c, err);
	if (code < 0)
		return code;
	c->sync->preamble_written = true;
	c->sync->opened = c->sync->opened || c->changes->count > 0;
	return 0;
}

int sync_commit(struct sync *sync, struct vw_arena *arena, const struct changes *changes, struct vw_error *err)
{
	struct commit c = {sync, arena, changes, NULL, NULL};
	return changes->count > 0 ? commit(&c, err) : 0;
}

int sync_commit_end(struct sync *sync, vw_entry *last, vw_sync_state *state, struct vw_error *err)
{
	struct changes none = {0};
	struct commit c = {sync, sync->arena, &none, last, state};
	return commit(&c, err);
}
