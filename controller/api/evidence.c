/* evidence.c: ledgers for an auditor, with receipts and signed as a whole: "A controller's export" in docs/ledger.md. A page is in memory at a time. */
#include "routes.h"

#include "base/clock.h"
#include "base/digest.h"
#include "base/limits.h"
#include "entry_json.h"
#include "fleet/chain.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT_DOMAIN "verifywise.export.v1"

struct evidence {
	struct vw_fleet_store *store;
	struct vw_authority *authority;
	int32_t organization;
	char organization_text[16];
	char organization_name[VW_MAX_QUERY];
	int64_t at;
	char after[VW_AGENT_ID_MAX]; /* the agent that was begun last; "": none yet */
	bool one;                    /* only one agent's */
	struct vw_arena *row, *page;
	vw_agent *agent; /* whose ledger is being written, in `row`; NULL: between two */
	struct vw_chain chain;
	struct vw_sha256 sha; /* of all that was written */
	bool begun, over;
};

static int no_memory(struct vw_error *err)
{
	return vw_error_set(err, VW_ENOMEM, "no memory for an export");
}

/* ---- lines ---- */

static void put_text(struct vw_json_writer *w, const char *key, const char *text)
{
	vw_json_key(w, key);
	vw_json_put_text(w, text);
}

static void begin_line(struct vw_json_writer *w, struct vw_buffer *out)
{
	vw_json_writer_init(w, out, false);
	vw_json_begin_object(w);
}

static void end_line(struct vw_json_writer *w)
{
	vw_json_end_object(w);
	vw_buffer_putc(w->out, '\n');
}

static int put_pem(struct vw_json_writer *w, struct vw_bytes certificate, struct vw_error *err)
{
	struct vw_buffer pem;
	vw_buffer_init(&pem, 2 * VW_MAX_CERTIFICATE);
	int code = vw_certificate_pem(certificate, &pem);
	if (code == 0)
		vw_json_put_text(w, vw_buffer_text(&pem));
	vw_buffer_reset(&pem);
	return code < 0 ? no_memory(err) : 0;
}

static int put_first_line(const struct evidence *e, struct vw_buffer *out, struct vw_error *err)
{
	struct vw_json_writer w;
	size_t authorities, signers;
	const struct vw_bytes *authority = vw_authority_chain(e->authority, &authorities);
	const struct vw_bytes *signer = vw_authority_receipt_chain(e->authority, &signers);
	begin_line(&w, out);
	put_text(&w, "export", VW_LEDGER_DOMAIN);
	put_text(&w, "organization", e->organization_text);
	put_text(&w, "organization_name", e->organization_name);
	put_text(&w, "trust_domain", vw_authority_trust_domain(e->authority));
	vw_json_key(&w, "exported_at");
	vw_json_put_time(&w, e->at);
	vw_json_key(&w, "ca");
	int code = put_pem(&w, authority[authorities - 1], err);
	vw_json_key(&w, "receipt_certificates");
	vw_json_begin_array(&w);
	for (size_t i = 0; code == 0 && i < signers; i++)
		code = put_pem(&w, signer[i], err);
	vw_json_end_array(&w);
	end_line(&w);
	return code;
}

static void put_ledger_line(const vw_agent *agent, struct vw_buffer *out)
{
	struct vw_json_writer w;
	char hex[VW_SHA256_HEX];
	static const uint8_t nothing[VW_LEDGER_HASH];
	bool there = agent->chain_sha256.len == VW_LEDGER_HASH;
	begin_line(&w, out);
	put_text(&w, "ledger", VW_LEDGER_DOMAIN);
	put_text(&w, "organization", agent->chain_organization ? agent->chain_organization : "");
	put_text(&w, "agent", agent->chain_agent_id ? agent->chain_agent_id : agent->genesis_agent_id);
	vw_json_key(&w, "epoch");
	vw_json_put_uint64(&w, agent->epoch ? agent->epoch : VW_LEDGER_EPOCH_FIRST);
	put_text(&w, "genesis_agent", agent->genesis_agent_id);
	put_text(&w, "sender", agent->agent_id);
	vw_json_key(&w, "head");
	vw_json_begin_object(&w);
	vw_json_key(&w, "sequence");
	vw_json_put_uint64(&w, agent->sequence);
	put_text(&w, "chain_sha256", vw_hex_encode(there ? agent->chain_sha256.data : nothing, VW_LEDGER_HASH, hex));
	vw_json_end_object(&w);
	end_line(&w);
}

/* As vw-agent writes it: the two can be compared line by line. */
static void put_entry_line(const struct entry_view *view, struct vw_buffer *out)
{
	struct vw_json_writer w;
	char hex[VW_SHA256_HEX];
	begin_line(&w, out);
	vw_json_key(&w, "sequence");
	vw_json_put_uint64(&w, view->sequence);
	entry_put_payload(&w, view);
	put_text(&w, "chain_sha256", vw_hex_encode(view->chained->chain_sha256.data, VW_LEDGER_HASH, hex));
	vw_json_key(&w, "entry");
	vw_message_json(&w, &view->entry->base);
	if (view->record) {
		vw_json_key(&w, "record");
		vw_message_json(&w, &view->record->base);
	}
	end_line(&w);
}

static int put_signature(struct vw_json_writer *w, const uint8_t *signature, size_t len, const uint8_t signer[32],
			 struct vw_error *err)
{
	char base64[4 * ((VW_SIGNATURE_MAX + 2) / 3) + 1], hex[VW_SHA256_HEX];
	if (len > VW_SIGNATURE_MAX)
		return vw_error_set(err, VW_EIO, "a signature of %zu bytes", len);
	put_text(w, "signature", vw_base64_encode(signature, len, base64));
	put_text(w, "signer_sha256", vw_hex_encode(signer, 32, hex));
	return 0;
}

static int put_receipt_line(const struct evidence *e, struct vw_buffer *out, struct vw_error *err)
{
	struct vw_json_writer w;
	vw_receipt *receipt;
	const struct vw_receipt_facts facts = {.organization = e->organization_text,
					       .agent_id = e->agent->agent_id,
					       .epoch = e->chain.epoch,
					       .head = e->chain.head,
					       .stored_at = e->at};
	int code = vw_authority_receipt(e->authority, &facts, e->page, &receipt, err);
	if (code < 0)
		return code;
	char *body = vw_arena_alloc(e->page, 4 * ((receipt->body.len + 2) / 3) + 1);
	if (!body)
		return no_memory(err);
	begin_line(&w, out);
	vw_json_key(&w, "receipt");
	vw_json_begin_object(&w);
	put_text(&w, "body", vw_base64_encode(receipt->body.data, receipt->body.len, body));
	code = put_signature(&w, receipt->signature.data, receipt->signature.len, receipt->signer_sha256.data, err);
	vw_json_end_object(&w);
	end_line(&w);
	return code;
}

static int put_last_line(struct evidence *e, struct vw_buffer *out, struct vw_error *err)
{
	struct vw_json_writer w;
	uint8_t digest[VW_SHA256_SIZE], signature[VW_SIGNATURE_MAX], signer[32];
	size_t len;
	vw_sha256_final(&e->sha, digest);
	int code = vw_authority_sign(e->authority, EXPORT_DOMAIN, (struct vw_bytes){digest, sizeof(digest)},
				     signature, &len, signer, err);
	if (code < 0)
		return code;
	begin_line(&w, out);
	code = put_signature(&w, signature, len, signer, err);
	end_line(&w);
	e->over = true;
	return code;
}

/* ---- one ledger ---- */

/* Nothing is signed that does not hold: the chain is followed while it is written. */
static int put_entries(struct evidence *e, struct vw_buffer *out, struct vw_error *err)
{
	vw_chained_entry **entries;
	size_t count;
	vw_entry *entry;
	struct entry_view view;
	uint64_t next = e->chain.head.sequence + 1, left = e->agent->sequence - e->chain.head.sequence;
	int code =
	    vw_fleet_ledger_read(e->store, e->page, e->organization, e->agent->agent_id, next,
				 left < VW_MAX_BATCH_ENTRIES ? left : VW_MAX_BATCH_ENTRIES, &entries, &count, err);
	if (code == 0 && count == 0)
		code = vw_error_set(err, VW_ECORRUPT, "the ledger of agent %s ends before entry %" PRIu64,
				    e->agent->agent_id, next);
	for (size_t i = 0; code == 0 && i < count; i++) {
		code = vw_chain_follow(&e->chain, entries[i], e->organization_text, e->agent->agent_id, e->page,
				       &entry, err);
		if (code == 0)
			code = entry_open(entries[i], next + i, e->page, &view, err);
		if (code == 0)
			put_entry_line(&view, out);
	}
	return code < 0 ? vw_error_context(err, code, "the ledger of agent %s", e->agent->agent_id) : 0;
}

static int end_ledger(struct evidence *e, struct vw_buffer *out, struct vw_error *err)
{
	const vw_agent *agent = e->agent;
	int code = 0;
	if (agent->sequence > 0) {
		if (agent->chain_sha256.len != VW_LEDGER_HASH ||
		    memcmp(agent->chain_sha256.data, e->chain.head.hash, VW_LEDGER_HASH) != 0)
			return vw_error_set(err, VW_ECORRUPT,
					    "the ledger of agent %s has not the head that was acknowledged",
					    agent->agent_id);
		code = put_receipt_line(e, out, err);
	}
	e->agent = NULL;
	return code;
}

static int find_agent(struct evidence *e, struct vw_error *err)
{
	struct vw_agent_query query = {.after = e->after[0] ? e->after : NULL, .limit = 1};
	vw_agent **agents;
	vw_agent_presence **presences;
	size_t count;
	vw_arena_reset(e->row);
	int code = vw_fleet_agent_list(e->store, e->row, e->organization, &query, &agents, &presences, &count, err);
	if (code == 0 && count == 1)
		e->agent = agents[0];
	return code;
}

static int begin_ledger(struct evidence *e, struct vw_buffer *out, struct vw_error *err)
{
	int code = e->one ? 0 : find_agent(e, err);
	if (code < 0)
		return code;
	if (!e->agent)
		return put_last_line(e, out, err);
	snprintf(e->after, sizeof(e->after), "%s", e->agent->agent_id);
	if (!e->agent->genesis_agent_id) /* nothing came from it yet */
		e->agent->genesis_agent_id = e->agent->agent_id;
	vw_chain_begin(&e->chain, e->agent->genesis_agent_id);
	put_ledger_line(e->agent, out);
	return 0;
}

/* ---- the whole ---- */

static int step(struct evidence *e, struct vw_buffer *out, struct vw_error *err)
{
	vw_arena_reset(e->page);
	if (!e->begun) {
		e->begun = true;
		return put_first_line(e, out, err);
	}
	if (e->one && !e->after[0])
		return begin_ledger(e, out, err);
	if (e->agent && e->chain.head.sequence < e->agent->sequence)
		return put_entries(e, out, err);
	if (e->agent)
		return end_ledger(e, out, err);
	return begin_ledger(e, out, err);
}

static int evidence_next(void *stream, struct vw_buffer *out, struct vw_error *err)
{
	struct evidence *e = stream;
	size_t from = out->len;
	int code = step(e, out, err);
	if (code == 0 && vw_buffer_error(out))
		code = vw_error_set(err, vw_buffer_error(out), "no memory for an export");
	if (code < 0)
		return code;
	if (!e->over)
		vw_sha256_update(&e->sha, out->data + from, out->len - from);
	return !e->over;
}

static void evidence_close(void *stream)
{
	struct evidence *e = stream;
	vw_arena_close(e->row);
	vw_arena_close(e->page);
	free(e);
}

static int evidence_open(struct visit *v, struct evidence **out, struct vw_error *err)
{
	vw_organization *organization;
	int code = vw_fleet_organization_get(v->api->settings.store, v->arena, v->organization, &organization, err);
	if (code < 0)
		return code;
	struct evidence *e = calloc(1, sizeof(*e));
	if (!e)
		return no_memory(err);
	e->store = v->api->settings.store;
	e->authority = v->api->settings.authority;
	e->organization = v->organization;
	e->at = v->now;
	snprintf(e->organization_text, sizeof(e->organization_text), "%" PRId32, v->organization);
	snprintf(e->organization_name, sizeof(e->organization_name), "%s", organization->name);
	vw_sha256_init(&e->sha);
	e->row = vw_arena_open(0);
	e->page = vw_arena_open(0);
	if (!e->row || !e->page) {
		evidence_close(e);
		return no_memory(err);
	}
	*out = e;
	return 0;
}

static int answer(struct visit *v, struct evidence *e, const char *object, struct vw_error *err)
{
	const struct visit_stream stream = {"application/x-ndjson", evidence_next, evidence_close, e, &v->api->works};
	v->out->file_name = vw_arena_printf(v->arena, "ledger-%" PRId32 ".ndjson", v->organization);
	int code = visit_stream(v, &stream, err);
	if (code < 0 || strcmp(v->request->method, "HEAD") == 0)
		return code;
	return visit_note(v, "ledger_exported", object, NULL, err);
}

static int open_one(struct visit *v, const char *agent_id, struct evidence **out, struct vw_error *err)
{
	struct evidence *e;
	int code = evidence_open(v, &e, err);
	if (code < 0)
		return code;
	e->one = true;
	code = vw_fleet_agent_get(e->store, e->row, e->organization, agent_id, &e->agent, err);
	if (code < 0)
		evidence_close(e);
	else
		*out = e;
	return code;
}

int api_ledger_export(struct visit *v, struct vw_error *err)
{
	vw_agent *agent;
	struct evidence *e;
	int code = visit_agent(v, &agent, err);
	if (code < 0)
		return code;
	if (!visit_enter(v, &v->api->works))
		return 0;
	code = open_one(v, agent->agent_id, &e, err);
	if (code < 0) {
		quota_leave(&v->api->works, v->organization);
		return code;
	}
	return answer(v, e, agent->agent_id, err);
}

int api_ledger_export_all(struct visit *v, struct vw_error *err)
{
	struct evidence *e;
	if (!visit_enter(v, &v->api->works))
		return 0;
	int code = evidence_open(v, &e, err);
	if (code < 0) {
		quota_leave(&v->api->works, v->organization);
		return code;
	}
	return answer(v, e, "all agents", err);
}
