/* identity_note.c: what about the identity stands in the ledger. */
#include "identity_files.h"

#include "base/clock.h"
#include "proto/message.h"
#include "storage/uplink.h"

#include <string.h>

struct note {
	struct vw_store *store;
	struct vw_arena *arena;
	vw_audit_kind kind;
	const char *subject, *text;
	const char *organization, *agent_id; /* a new owner of the chain; NULL: none */
};

/* Another agent from here on: what the old one was given and had acknowledged does not count. */
static int forget_stream(struct note *note, struct vw_txn *txn, struct vw_error *err)
{
	vw_uplink_state *state;
	int code = vw_store_uplink(txn, note->arena, &state, err);
	if (code < 0)
		return code;
	state->has_join_sequence = state->has_acknowledged_sequence = state->has_acknowledged_at = 0;
	state->has_receipt_certificate = 0;
	state->receipt = NULL;
	return vw_store_put_uplink(txn, note->arena, state, err);
}

static int begin_epoch(struct note *note, struct vw_txn *txn, struct vw_error *err)
{
	uint64_t sequence;
	int code = 0;
	if (strcmp(vw_store_identity(note->store)->agent_id, note->agent_id) != 0)
		code = forget_stream(note, txn, err);
	return code < 0 ? code
			: vw_store_begin_epoch(txn, note->store, note->arena, note->organization, note->agent_id,
					       &sequence, err);
}

static int write_note(struct vw_txn *txn, void *arg, struct vw_error *err)
{
	struct note *note = arg;
	vw_entry entry = VERIFYWISE__V1__ENTRY__INIT;
	vw_audit audit = VERIFYWISE__V1__AUDIT__INIT;
	uint64_t sequence;
	int code = 0;
	vw_arena_reset(note->arena);
	VW_SET(&entry, recorded_at, vw_clock_now());
	VW_SET(&audit, kind, note->kind);
	audit.subject = (char *)note->subject;
	audit.text = (char *)note->text;
	entry.body_case = VERIFYWISE__V1__ENTRY__BODY_AUDIT;
	entry.audit = &audit;
	if (note->organization)
		code = begin_epoch(note, txn, err);
	return code < 0 ? code : vw_store_append(txn, note->store, note->arena, &entry, NULL, &sequence, err);
}

static int write_in_ledger(struct note *note, struct vw_error *err)
{
	note->arena = vw_arena_open(0);
	if (!note->arena)
		return vw_error_set(err, VW_ENOMEM, "no memory for an audit entry");
	int code = vw_kv_write(vw_store_kv(note->store), write_note, note, err);
	vw_arena_close(note->arena);
	return code;
}

int vw_identity_note(struct vw_store *store, vw_audit_kind kind, const char *subject, const char *text,
		     struct vw_error *err)
{
	struct note note = {.store = store, .kind = kind, .subject = subject, .text = text};
	return write_in_ledger(&note, err);
}

int vw_identity_take_over(struct vw_store *store, const char *organization, const char *agent_id, const char *subject,
			  const char *text, struct vw_error *err)
{
	const vw_agent_identity *own = vw_store_identity(store);
	struct note note = {.store = store, .kind = VW_AUDIT_ENROLLED, .subject = subject, .text = text};
	if (!own->organization || strcmp(own->organization, organization) != 0 ||
	    strcmp(own->agent_id, agent_id) != 0) {
		note.organization = organization;
		note.agent_id = agent_id;
	}
	return write_in_ledger(&note, err);
}
