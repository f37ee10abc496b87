#include "views.h"

#include "base/clock.h"
#include "base/digest.h"
#include "base/json.h"
#include "cli/terminal.h"
#include "proto/message.h"
#include "storage/uplink.h"
#include "uplink/identity.h"

#include <stdio.h>
#include <string.h>

/* What there is, counted in one walk. */
struct totals {
	int64_t models, versions, removed, production, incomplete, gaps, unknown, compliant;
};

static int count_version(const struct vw_record_view *view, struct vw_arena *arena, void *arg, struct vw_error *err)
{
	struct totals *t = arg;
	const vw_record *r = view->record;
	(void)arena;
	(void)err;
	if (view->removed_at) {
		t->removed++;
		return 0;
	}
	t->versions++;
	t->production +=
	    r->lifecycle && r->lifecycle->lifecycle_stage && strcmp(r->lifecycle->lifecycle_stage, "Production") == 0;
	t->incomplete += r->completeness && r->completeness->state && strcmp(r->completeness->state, "partial") == 0;
	const char *status = view_status(view);
	t->gaps += strcmp(status, "gaps") == 0;
	t->unknown += strcmp(status, "unknown") == 0;
	t->compliant += strcmp(status, "compliant") == 0;
	return 0;
}

static int count_model(const char *workspace, const vw_registered_model *model, struct vw_arena *arena, void *arg,
		       struct vw_error *err)
{
	(void)workspace;
	(void)model;
	(void)arena;
	(void)err;
	((struct totals *)arg)->models++;
	return 0;
}

struct status {
	struct totals totals;
	vw_sync_state *state;
	struct vw_ledger_head head;
	struct vw_kv_stat stat;
	const vw_agent_identity *identity;
	vw_uplink_state *uplink;
	struct vw_identity *enrolled; /* NULL: with no controller */
};

static int read_status(struct vw_store *store, struct vw_arena *arena, struct status *s, struct vw_error *err)
{
	struct view_filter all = {.with_removed = true};
	struct vw_txn *txn;
	int code = vw_txn_begin_read(vw_store_kv(store), &txn, err);
	if (code < 0)
		return code;
	code = vw_store_sync_state(txn, arena, &s->state, err);
	if (code == 0)
		code = vw_store_head(txn, &s->head, err);
	if (code == 0)
		code = vw_store_uplink(txn, arena, &s->uplink, err);
	if (code == 0)
		code = vw_store_each_model(txn, count_model, &s->totals, err);
	vw_txn_end(txn);
	if (code == 0)
		code = views_each(store, &all, count_version, &s->totals, err);
	if (code == 0)
		code = vw_kv_stat(vw_store_kv(store), &s->stat, err);
	s->identity = vw_store_identity(store);
	return code;
}

static const char *when(int64_t ms, struct vw_arena *arena)
{
	char time[VW_TIME_TEXT], age[VW_TIME_TEXT];
	if (ms == 0)
		return "never";
	vw_clock_format(ms, time);
	return vw_arena_printf(arena, "%s (%s)", time, vw_clock_format_age(ms, vw_clock_now(), age));
}

/* For an operator who compares it, before a secret is sealed, with what the controller says. */
static const char *sealing_key(const struct status *s, struct vw_arena *arena)
{
	char hex[2 * VW_SEALING_KEY + 1];
	return vw_arena_strdup(
	    arena, vw_hex_encode(vw_sealing_key_public(vw_identity_sealing_key(s->enrolled)), VW_SEALING_KEY, hex));
}

static void print_uplink(const struct status *s, struct vw_arena *arena)
{
	struct vw_identity_pair pair;
	if (!s->enrolled) {
		printf("controller       none; vw-agent enroll joins one\n");
		return;
	}
	const vw_issued *issued = vw_identity_issued(s->enrolled);
	vw_identity_pair(s->enrolled, &pair);
	printf("controller       %s, organization %s%s%s%s\n", vw_cli_safe(arena, issued->session_endpoint),
	       issued->organization, issued->organization_name ? " (" : "",
	       issued->organization_name ? vw_cli_safe(arena, issued->organization_name) : "",
	       issued->organization_name ? ")" : "");
	printf("acknowledged     %llu of %llu entries, %s%s\n", (unsigned long long)s->uplink->acknowledged_sequence,
	       (unsigned long long)s->head.sequence, when(s->uplink->acknowledged_at, arena),
	       s->uplink->paused ? "; paused by the controller" : "");
	printf("certificate      until %s\n", when(pair.not_after, arena));
	printf("sealing key      %s\n", sealing_key(s, arena));
}

static void print_text(const struct session *session, const struct status *s, struct vw_arena *arena)
{
	const struct totals *t = &s->totals;
	const vw_sync_state *state = s->state;
	printf("tracking server  %s%s%s\n", s->state->source_uri ? s->state->source_uri : "none yet",
	       state->server_version ? ", MLflow " : "",
	       state->server_version ? vw_cli_safe(arena, state->server_version) : "");
	printf("credential       %s\n", vw_cli_safe(arena, state->credential));
	printf("last sync        %s, %s\n", when(state->last_finished_at, arena),
	       state->last_outcome ? state->last_outcome : "-");
	if (state->last_error && state->last_error[0])
		printf("                 %s\n", vw_cli_safe(arena, state->last_error));
	printf("last full sync   %s\n", when(state->last_full_finished_at, arena));
	printf("inventory        %lld models, %lld versions (%lld in production), %lld removed, %lld incomplete\n",
	       (long long)t->models, (long long)t->versions, (long long)t->production, (long long)t->removed,
	       (long long)t->incomplete);
	printf("compliance       %lld compliant, %lld with gaps, %lld unknown\n", (long long)t->compliant,
	       (long long)t->gaps, (long long)t->unknown);
	printf("ledger           %llu entries, agent %s, epoch %llu\n", (unsigned long long)s->head.sequence,
	       s->identity->agent_id, (unsigned long long)s->identity->epoch);
	print_uplink(s, arena);
	printf("state            %s, %.1f MB used\n", session->config->state_dir, (double)s->stat.used_bytes / 1e6);
}

static void put_int(struct vw_json_writer *w, const char *key, int64_t value)
{
	vw_json_key(w, key);
	vw_json_put_int64(w, value);
}

static void put_text(struct vw_json_writer *w, const char *key, const char *text)
{
	vw_json_key(w, key);
	vw_json_put_text(w, text);
}

static void put_uplink(struct vw_json_writer *w, const struct status *s, struct vw_arena *arena)
{
	struct vw_identity_pair pair;
	vw_json_key(w, "controller");
	if (!s->enrolled) {
		vw_json_put_null(w);
		return;
	}
	const vw_issued *issued = vw_identity_issued(s->enrolled);
	vw_identity_pair(s->enrolled, &pair);
	vw_json_begin_object(w);
	put_text(w, "endpoint", issued->session_endpoint);
	put_text(w, "organization", issued->organization);
	put_text(w, "organization_name", issued->organization_name);
	put_int(w, "acknowledged_sequence", (int64_t)s->uplink->acknowledged_sequence);
	vw_json_key(w, "acknowledged_at");
	vw_json_put_time(w, s->uplink->acknowledged_at);
	vw_json_key(w, "certificate_not_after");
	vw_json_put_time(w, pair.not_after);
	put_text(w, "sealing_key", sealing_key(s, arena));
	vw_json_key(w, "paused");
	vw_json_put_bool(w, s->uplink->paused);
	vw_json_end_object(w);
}

static void print_json(const struct session *session, const struct status *s, struct vw_arena *arena)
{
	const struct totals *t = &s->totals;
	struct vw_buffer out;
	struct vw_json_writer w;
	vw_buffer_init(&out, 0);
	vw_json_writer_init(&w, &out, true);
	vw_json_begin_object(&w);
	put_text(&w, "tracking_uri", s->state->source_uri);
	put_text(&w, "server_version", s->state->server_version);
	put_text(&w, "credential", s->state->credential);
	vw_json_key(&w, "last_sync_at");
	vw_json_put_time(&w, s->state->last_finished_at);
	put_text(&w, "last_outcome", s->state->last_outcome);
	put_text(&w, "last_error", s->state->last_error);
	vw_json_key(&w, "last_full_sync_at");
	vw_json_put_time(&w, s->state->last_full_finished_at);
	put_int(&w, "models", t->models);
	put_int(&w, "versions", t->versions);
	put_int(&w, "production", t->production);
	put_int(&w, "removed", t->removed);
	put_int(&w, "incomplete", t->incomplete);
	put_int(&w, "compliant", t->compliant);
	put_int(&w, "gaps", t->gaps);
	put_int(&w, "unknown", t->unknown);
	put_text(&w, "agent_id", s->identity->agent_id);
	put_int(&w, "epoch", (int64_t)s->identity->epoch);
	put_int(&w, "ledger_sequence", (int64_t)s->head.sequence);
	put_uplink(&w, s, arena);
	put_text(&w, "state_dir", session->config->state_dir);
	put_int(&w, "used_bytes", (int64_t)s->stat.used_bytes);
	put_int(&w, "file_bytes", (int64_t)s->stat.file_bytes);
	put_int(&w, "last_transaction", (int64_t)s->stat.last_txn);
	vw_json_end_object(&w);
	puts(vw_buffer_text(&out));
	vw_buffer_reset(&out);
}

int run_status(struct vw_cli_invocation *in)
{
	struct session session;
	struct status status = {0};
	struct vw_error err = VW_ERROR_INIT;
	int code = session_open(in, VW_KV_READ, &session);
	if (code != EXIT_OK)
		return code;
	struct vw_arena *arena VW_AUTO(vw_arena_cleanup) = vw_arena_open(0);
	code = arena ? read_status(session.store, arena, &status, &err) : vw_error_set(&err, VW_ENOMEM, "no memory");
	if (code == 0)
		code = vw_identity_open(session.config->state_dir, &status.enrolled, &err);
	if (code == VW_ENOTFOUND)
		code = 0;
	if (code == 0 && strcmp(vw_cli_value(in, "format"), "json") == 0)
		print_json(&session, &status, arena);
	else if (code == 0)
		print_text(&session, &status, arena);
	vw_identity_close(status.enrolled);
	session_close(&session);
	return code < 0 ? report_error(&err) : EXIT_OK;
}
