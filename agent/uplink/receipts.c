/* receipts.c: what the controller has stored, as it signed it (fleet/receipt.h), checked against our own chain and kept with the send cursor. */
#include "uplink_private.h"

#include "base/clock.h"
#include "base/digest.h"
#include "base/log.h"
#include "fleet/receipt.h"
#include "proto/message.h"

#include <string.h>

#define STORE_INTERVAL_MS 100 /* between two that are stored, while they come fast */

/* ---- signers ---- */

static int check_signer(const struct session *session, const struct vw_bytes *chain, size_t count, size_t at,
			struct vw_error *err)
{
	struct vw_certificate_facts facts;
	const char *trust_domain = session->trust_domain;
	int code = vw_certificate_check(chain[at], chain, count, session->authorities, session->authority_count,
					VW_USE_RECEIPTS, vw_clock_now(), err);
	if (code == 0)
		code = vw_certificate_read(chain[at], session->arena, &facts, err);
	if (code < 0)
		return code;
	if (!facts.has_id || facts.id.kind != VW_SPIFFE_RECEIPTS || strcmp(facts.id.trust_domain, trust_domain) != 0)
		return vw_error_set(err, VW_EAUTH, "its name is not spiffe://%s/receipts", trust_domain);
	return 0;
}

/* A chain is fine too: what is no signer is there for the signers' sake. */
void receipts_begin(struct session *session, const vw_welcome *welcome)
{
	size_t count = welcome->n_receipt_certificates;
	struct receipts *receipts = &session->receipts;
	struct vw_error err = VW_ERROR_INIT;
	if (count > VW_MAX_CERTIFICATES)
		count = VW_MAX_CERTIFICATES;
	struct vw_bytes *chain = vw_arena_array(session->arena, count + 1, sizeof(*chain));
	receipts->signers = vw_arena_array(session->arena, count + 1, sizeof(*receipts->signers));
	receipts->signer_count = 0;
	for (size_t i = 0; chain && i < count; i++) {
		const ProtobufCBinaryData *der = &welcome->receipt_certificates[i];
		chain[i] = (struct vw_bytes){vw_arena_memdup(session->arena, der->data, der->len), der->len};
	}
	if (vw_arena_failed(session->arena))
		return;
	for (size_t i = 0; i < count; i++) {
		if (check_signer(session, chain, count, i, &err) == 0)
			receipts->signers[receipts->signer_count++] = chain[i];
	}
	if (receipts->signer_count == 0)
		vw_log(VW_LOG_WARN, "receipts_unverifiable",
		       VW_LOG_S("reason", count ? err.message : "the controller named no signer of receipts"));
}

static const struct vw_bytes *find_signer(const struct receipts *receipts, const vw_receipt *receipt)
{
	uint8_t hash[VW_SHA256_SIZE];
	for (size_t i = 0; i < receipts->signer_count; i++) {
		vw_sha256_of(receipts->signers[i].data, receipts->signers[i].len, hash);
		if (receipt->signer_sha256.len == sizeof(hash) &&
		    memcmp(receipt->signer_sha256.data, hash, sizeof(hash)) == 0)
			return &receipts->signers[i];
	}
	return NULL;
}

/* ---- taking ---- */

void receipts_reset(struct receipts *receipts)
{
	vw_arena_close(receipts->arena);
	receipts->arena = NULL;
	receipts->newest = NULL;
}

/* Told to the controller, then the stream ends: without receipts nothing could be shown later. */
static void refuse(struct session *session, uint64_t sequence, const struct vw_error *why)
{
	if (session->receipt_refused)
		return;
	session->receipt_refused = vw_arena_strdup(session->arena, why->message);
	session->receipt_refused_sequence = sequence;
	vw_log(VW_LOG_ERROR, "receipt_refused", VW_LOG_I("sequence", sequence), VW_LOG_S("reason", why->message));
	if (!session->receipt_refused)
		session_fail(session, NEXT_REFUSED, why);
}

static bool keep(struct receipts *receipts, const vw_acknowledgement *acknowledgement)
{
	size_t len = protobuf_c_message_get_packed_size(&acknowledgement->base);
	void *copy = NULL;
	if (!receipts->arena)
		receipts->arena = vw_arena_open(VW_MIB);
	if (!receipts->arena)
		return false;
	vw_arena_reset(receipts->arena);
	receipts->newest = NULL;
	uint8_t *packed = vw_message_pack(receipts->arena, &acknowledgement->base, &len);
	if (packed && vw_message_unpack(receipts->arena, &verifywise__v1__acknowledgement__descriptor, packed, len,
					"acknowledgement", &copy, NULL) == 0)
		receipts->newest = copy;
	return receipts->newest != NULL;
}

void receipts_take(struct session *session, const vw_acknowledgement *acknowledgement, int64_t now)
{
	struct vw_error err = VW_ERROR_INIT;
	struct receipts *receipts = &session->receipts;
	uint64_t sequence = acknowledgement->sequence;
	if (sequence > session->highest_sent)
		vw_error_set(&err, VW_EINVAL, "the controller acknowledges entry %llu, which was not sent to it",
			     (unsigned long long)sequence);
	else if (!acknowledgement->receipt)
		vw_error_set(&err, VW_EINVAL, "the controller acknowledges entry %llu without a receipt",
			     (unsigned long long)sequence);
	if (err.code < 0) {
		refuse(session, sequence, &err);
		return;
	}
	vw_window_acknowledged(&session->window, sequence);
	session->window_full = false;
	session->resumes = 0;
	if (receipts->newest && receipts->newest->sequence >= sequence)
		return;
	if (!receipts->newest)
		receipts->due_at = receipts->stored_at ? receipts->stored_at + STORE_INTERVAL_MS : now;
	if (!keep(receipts, acknowledgement)) {
		vw_error_set(&err, VW_ENOMEM, "no memory for a receipt");
		session_fail(session, NEXT_RETRY, &err);
	}
}

/* ---- checking and storing ---- */

static int own_hash(struct vw_uplink *uplink, uint64_t sequence, uint8_t out[VW_LEDGER_HASH], struct vw_error *err)
{
	struct vw_txn *txn;
	struct vw_bytes payload;
	const uint8_t *hash;
	int code = vw_txn_begin_read(vw_store_kv(uplink->settings.store), &txn, err);
	if (code < 0)
		return code;
	code = vw_store_entry_bytes(txn, sequence, &payload, &hash, err);
	if (code == 0)
		memcpy(out, hash, VW_LEDGER_HASH);
	vw_txn_end(txn);
	return code;
}

/* VW_EAUTH: the receipt is not what it should be; other codes: our own store. */
static int check(struct session *session, const vw_acknowledgement *acknowledgement, const struct vw_bytes *signer,
		 struct vw_error *err)
{
	struct vw_receipt_facts facts;
	uint8_t hash[VW_LEDGER_HASH];
	struct vw_error why = VW_ERROR_INIT;
	if (!signer)
		return vw_error_set(err, VW_EAUTH, "its signer is not among those that were named");
	if (vw_receipt_read(acknowledgement->receipt, *signer, session->receipts.arena, &facts, &why) < 0)
		return vw_error_set(err, VW_EAUTH, "%s", why.message);
	if (!facts.organization || strcmp(facts.organization, session->organization) != 0 || !facts.agent_id ||
	    strcmp(facts.agent_id, session->agent_id) != 0)
		return vw_error_set(err, VW_EAUTH, "it is another agent's");
	if (facts.head.sequence != acknowledgement->sequence)
		return vw_error_set(err, VW_EAUTH, "it is for another entry than is acknowledged");
	if (facts.epoch > vw_store_owner(session->uplink->settings.store).epoch)
		return vw_error_set(err, VW_EAUTH, "it is of an epoch that never began");
	int code = own_hash(session->uplink, facts.head.sequence, hash, err);
	if (code < 0)
		return code;
	if (memcmp(hash, facts.head.hash, sizeof(hash)) != 0)
		return vw_error_set(err, VW_EAUTH, "the chain that it signs is not this agent's");
	return 0;
}

struct put {
	const vw_acknowledgement *acknowledgement;
	const struct vw_bytes *signer;
	struct vw_arena *arena;
	int64_t now;
};

static int put_step(struct vw_txn *txn, void *arg, struct vw_error *err)
{
	struct put *put = arg;
	vw_uplink_state *state;
	int code = vw_store_uplink(txn, put->arena, &state, err);
	if (code < 0)
		return code;
	if (state->receipt && state->acknowledged_sequence > put->acknowledgement->sequence)
		return 0; /* sent again from an earlier entry on */
	VW_SET(state, acknowledged_sequence, put->acknowledgement->sequence);
	VW_SET(state, acknowledged_at, put->now);
	state->receipt = put->acknowledgement->receipt;
	VW_SET_BYTES(state, receipt_certificate, put->signer->data, put->signer->len);
	return vw_store_put_uplink(txn, put->arena, state, err);
}

static void note(struct vw_uplink *uplink, uint64_t sequence, int64_t now)
{
	struct vw_uplink_status *status = uplink_status_begin(uplink);
	if (status->acknowledged_sequence < sequence)
		status->acknowledged_sequence = sequence;
	status->acknowledged_at = now;
	status->receipts++;
	uplink_status_end(uplink);
}

static int store(struct session *session, struct vw_error *err)
{
	struct receipts *receipts = &session->receipts;
	const vw_acknowledgement *newest = receipts->newest;
	const struct vw_bytes *signer = find_signer(receipts, newest->receipt);
	int code = newest->sequence > 0 ? check(session, newest, signer, err)
					: vw_error_set(err, VW_EAUTH, "it is for no entry");
	if (code < 0)
		return code;
	struct put put = {newest, signer, receipts->arena, vw_clock_now()};
	code = vw_kv_write(vw_store_kv(session->uplink->settings.store), put_step, &put, err);
	if (code == 0)
		note(session->uplink, newest->sequence, put.now);
	return code;
}

void receipts_store(struct session *session, int64_t now, bool at_once, int64_t *due)
{
	struct receipts *receipts = &session->receipts;
	struct vw_error err = VW_ERROR_INIT;
	if (!receipts->newest)
		return;
	if (!at_once && now < receipts->due_at) {
		if (receipts->due_at < *due)
			*due = receipts->due_at;
		return;
	}
	uint64_t sequence = receipts->newest->sequence;
	int code = store(session, &err);
	receipts->newest = NULL;
	receipts->stored_at = now;
	if (code == 0) {
		session->acknowledged = true;
		return;
	}
	vw_error_context(&err, code, "the receipt for entry %llu", (unsigned long long)sequence);
	if (code == VW_EAUTH)
		refuse(session, sequence, &err);
	else
		session_fail(session, NEXT_RETRY, &err);
}
