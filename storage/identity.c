/* identity.c: whose database this is, and so whose chain. */
#include "store_private.h"

#include "storage/uplink.h"

#include "base/clock.h"
#include "base/digest.h"
#include "proto/message.h"

#include <string.h>

#define KEY_IDENTITY "identity"

static int put_identity(struct vw_txn *txn, struct vw_arena *arena, const vw_agent_identity *identity,
			struct vw_error *err)
{
	struct vw_key key;
	vw_key_text(KEY_IDENTITY, &key);
	return vw_store_put_message(txn, arena, VW_TABLE_META, &key, &identity->base, err);
}

int vw_store_make_identity(struct vw_txn *txn, struct vw_arena *arena, struct vw_error *err)
{
	uint8_t secret[VW_SHA256_SIZE];
	char uuid[VW_UUID_TEXT];
	vw_agent_identity identity = VERIFYWISE__V1__AGENT_IDENTITY__INIT;
	vw_random_bytes(secret, sizeof(secret));
	identity.agent_id = vw_random_uuid(uuid);
	identity.organization = (char *)"";
	VW_SET(&identity, epoch, VW_LEDGER_EPOCH_FIRST);
	VW_SET(&identity, created_at, vw_clock_now());
	VW_SET_BYTES(&identity, fingerprint_key, secret, sizeof(secret));
	return put_identity(txn, arena, &identity, err);
}

int vw_store_identity_now(struct vw_txn *txn, struct vw_arena *arena, vw_agent_identity **out, struct vw_error *err)
{
	struct vw_key key;
	void *read;
	vw_key_text(KEY_IDENTITY, &key);
	int rc = vw_store_get_message(txn, arena, VW_TABLE_META, &key, &verifywise__v1__agent_identity__descriptor,
				      "identity", &read, err);
	if (rc == VW_ENOTFOUND)
		return vw_error_set(err, VW_ECORRUPT, "the state has no identity");
	if (rc < 0)
		return rc;
	const vw_agent_identity *id = read;
	if (!id->agent_id || !id->has_epoch || id->epoch < VW_LEDGER_EPOCH_FIRST ||
	    id->epoch > VW_LEDGER_EPOCH_LAST || id->fingerprint_key.len != VW_SHA256_SIZE)
		return vw_error_set(err, VW_ECORRUPT, "the state's identity is incomplete");
	*out = read;
	return 0;
}

struct vw_ledger_owner vw_owner_of(const vw_agent_identity *id)
{
	return (struct vw_ledger_owner){
	    .organization = id->organization ? id->organization : "", .agent = id->agent_id, .epoch = id->epoch};
}

const vw_agent_identity *vw_store_identity(const struct vw_store *store)
{
	return store->identity;
}

struct vw_ledger_owner vw_store_owner(const struct vw_store *store)
{
	return vw_owner_of(store->identity);
}

/* ---- A new epoch ---- */

static int check_owner(const vw_agent_identity *id, const char *organization, const char *agent_id,
		       struct vw_error *err)
{
	struct vw_ledger_owner now = vw_owner_of(id);
	size_t digits = strspn(organization, "0123456789"), hex = strspn(agent_id, "0123456789abcdef-");
	if (organization[digits] || digits >= VW_LEDGER_ORGANIZATION_MAX)
		return vw_error_set(err, VW_EINVAL, "'%.64s' is no organization's number", organization);
	if (agent_id[hex] || hex != VW_LEDGER_AGENT_MAX - 1)
		return vw_error_set(err, VW_EINVAL, "'%.64s' is no agent's id", agent_id);
	if (strcmp(organization, now.organization) == 0 && strcmp(agent_id, now.agent) == 0)
		return vw_error_set(err, VW_EINVAL, "the ledger belongs to organization '%s' and agent %s already",
				    organization, agent_id);
	if (id->epoch == VW_LEDGER_EPOCH_LAST)
		return vw_error_set(err, VW_ELIMIT, "the ledger cannot change hands any more (VW_LEDGER_EPOCH_LAST)");
	return 0;
}

/* The first entry under the new owner, whom the identity names already. */
static int append_epoch(struct vw_txn *txn, struct vw_arena *arena, const vw_agent_identity *id,
			uint64_t *out_sequence, struct vw_error *err)
{
	vw_entry entry = VERIFYWISE__V1__ENTRY__INIT;
	vw_audit audit = VERIFYWISE__V1__AUDIT__INIT;
	vw_epoch_started epoch = VERIFYWISE__V1__EPOCH_STARTED__INIT;
	struct vw_bytes payload;
	epoch.organization = id->organization;
	epoch.agent_id = id->agent_id;
	VW_SET(&epoch, epoch, id->epoch);
	VW_SET(&audit, kind, VW_AUDIT_EPOCH_STARTED);
	audit.text = *id->organization ? vw_arena_printf(arena, "the ledger belongs to organization %s from here on",
							 id->organization)
				       : (char *)"the ledger belongs to no organization from here on";
	audit.epoch = &epoch;
	VW_SET(&entry, recorded_at, vw_clock_now());
	entry.body_case = VERIFYWISE__V1__ENTRY__BODY_AUDIT;
	entry.audit = &audit;
	payload.data = vw_message_pack(arena, &entry.base, &payload.len);
	if (!payload.data)
		return vw_error_set(err, VW_ENOMEM, "no memory to pack a ledger entry");
	return vw_store_chain(txn, arena, payload, VW_LEDGER_AUDIT, out_sequence, err);
}

/* For vw_txn_on_commit(). The identity of before stays in the store's arena for who still looks at it. */
static void take_over(void *arg)
{
	struct vw_store *store = arg;
	store->identity = store->next_identity;
}

int vw_store_begin_epoch(struct vw_txn *txn, struct vw_store *store, struct vw_arena *arena, const char *organization,
			 const char *agent_id, uint64_t *out_sequence, struct vw_error *err)
{
	vw_agent_identity *id;
	uint64_t sequence;
	int rc = vw_store_identity_now(txn, store->arena, &id, err);
	if (rc == 0)
		rc = check_owner(id, organization, agent_id, err);
	if (rc < 0)
		return rc;
	if (!id->genesis_agent_id)
		id->genesis_agent_id = id->agent_id;
	id->organization = vw_arena_strdup(store->arena, organization);
	id->agent_id = vw_arena_strdup(store->arena, agent_id);
	id->epoch++;
	if (!id->organization || !id->agent_id)
		return vw_error_set(err, VW_ENOMEM, "no memory for an identity");
	rc = put_identity(txn, arena, id, err);
	if (rc == 0)
		rc = append_epoch(txn, arena, id, &sequence, err);
	if (rc < 0)
		return rc;
	store->next_identity = id;
	vw_txn_on_commit(txn, take_over, store);
	if (out_sequence)
		*out_sequence = sequence;
	return 0;
}
