/* diagnose.c: a bundle that can be sent to support: versions, configuration without secrets, state, the last audit entries; names of
 * models, people and hosts are replaced by short keyed digests, which still show what is the same. */
#include "audit_view.h"

#include "base/digest.h"
#include "base/json.h"
#include "base/text.h"
#include "proto/message.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#define LAST_ENTRIES 200

struct bundle {
	struct vw_json_writer w;
	const vw_agent_identity *identity;
};

/* "x3fa1…": the same name gives the same digest within one state, and nothing else. */
static void put_name(struct bundle *b, const char *key, const char *name)
{
	uint8_t hash[VW_SHA256_SIZE];
	char hex[VW_SHA256_HEX];
	vw_json_key(&b->w, key);
	if (!name) {
		vw_json_put_null(&b->w);
		return;
	}
	vw_hmac_sha256(b->identity->fingerprint_key.data, b->identity->fingerprint_key.len, name, strlen(name), hash);
	vw_hex_encode(hash, 6, hex);
	vw_json_put_text(&b->w, hex);
}

static void put_text(struct bundle *b, const char *key, const char *text)
{
	vw_json_key(&b->w, key);
	vw_json_put_text(&b->w, text);
}

static void put_int(struct bundle *b, const char *key, int64_t value)
{
	vw_json_key(&b->w, key);
	vw_json_put_int64(&b->w, value);
}

static int put_row(const struct audit_row *row, struct vw_arena *arena, void *arg, struct vw_error *err)
{
	struct bundle *b = arg;
	(void)arena;
	(void)err;
	vw_json_begin_object(&b->w);
	put_text(b, "id", row->id);
	vw_json_key(&b->w, "recorded_at");
	vw_json_put_time(&b->w, row->at);
	put_text(b, "kind", row->kind);
	put_name(b, "model", row->model);
	if (row->audit && row->audit->counts) {
		put_text(b, "depth", row->audit->depth);
		put_text(b, "outcome", row->audit->outcome);
		put_int(b, "duration_ms", row->audit->duration_ms);
		vw_json_key(&b->w, "counts");
		vw_message_json(&b->w, &row->audit->counts->base);
	}
	if (row->recorded) {
		vw_json_key(&b->w, "changed");
		vw_json_begin_array(&b->w);
		for (size_t i = 0; i < row->recorded->n_changed; i++)
			vw_json_put_text(&b->w, row->recorded->changed[i]);
		vw_json_end_array(&b->w);
	}
	vw_json_end_object(&b->w);
	return 0;
}

static void put_system(struct bundle *b)
{
	struct utsname name;
	vw_json_key(&b->w, "system");
	vw_json_begin_object(&b->w);
	if (uname(&name) == 0) {
		put_text(b, "kernel", name.release);
		put_text(b, "machine", name.machine);
	}
	vw_json_end_object(&b->w);
}

static void put_config(struct bundle *b, const struct vw_config *config)
{
	vw_json_key(&b->w, "config");
	vw_json_begin_object(&b->w);
	put_name(b, "tracking_uri", config->mlflow.tracking_uri);
	put_text(b, "scheme",
		 config->mlflow.tracking_uri && strncmp(config->mlflow.tracking_uri, "https", 5) == 0 ? "https"
												      : "http");
	put_int(b, "connections", config->mlflow.connections);
	put_int(b, "retries", config->mlflow.retries);
	put_int(b, "quick_interval_ms", config->quick_interval_ms);
	put_int(b, "full_interval_ms", config->full_interval_ms);
	vw_json_key(&b->w, "own_policy");
	vw_json_put_bool(&b->w, config->policy_file != NULL);
	vw_json_key(&b->w, "private_ca");
	vw_json_put_bool(&b->w, config->mlflow.ca_file != NULL);
	vw_json_key(&b->w, "proxy");
	vw_json_put_bool(&b->w, config->mlflow.proxy != NULL);
	vw_json_end_object(&b->w);
}

static int put_state(struct bundle *b, struct vw_store *store, struct vw_error *err)
{
	struct vw_arena *arena VW_AUTO(vw_arena_cleanup) = vw_arena_open(0);
	struct vw_txn *txn;
	struct vw_ledger_head head;
	struct vw_kv_stat stat;
	vw_sync_state *state;
	if (!arena)
		return vw_error_set(err, VW_ENOMEM, "no memory");
	int code = vw_txn_begin_read(vw_store_kv(store), &txn, err);
	if (code < 0)
		return code;
	code = vw_store_sync_state(txn, arena, &state, err);
	if (code == 0)
		code = vw_store_head(txn, &head, err);
	if (code == 0)
		code = vw_kv_stat(vw_store_kv(store), &stat, err);
	if (code == 0) {
		vw_json_key(&b->w, "state");
		vw_json_begin_object(&b->w);
		put_text(b, "server_version", state->server_version);
		put_text(b, "last_outcome", state->last_outcome);
		vw_json_key(&b->w, "last_finished_at");
		vw_json_put_time(&b->w, state->last_finished_at);
		vw_json_key(&b->w, "last_full_finished_at");
		vw_json_put_time(&b->w, state->last_full_finished_at);
		put_int(b, "ledger_sequence", (int64_t)head.sequence);
		put_int(b, "used_bytes", (int64_t)stat.used_bytes);
		put_int(b, "file_bytes", (int64_t)stat.file_bytes);
		vw_json_end_object(&b->w);
	}
	vw_txn_end(txn);
	return code;
}

static int make(struct bundle *b, struct session *session, struct vw_error *err)
{
	struct audit_filter last = {.limit = LAST_ENTRIES};
	vw_json_begin_object(&b->w);
	put_text(b, "vw_agent", VW_AGENT_VERSION);
	put_text(b, "agent_id", b->identity->agent_id);
	put_system(b);
	put_config(b, session->config);
	int code = put_state(b, session->store, err);
	vw_json_key(&b->w, "audit");
	vw_json_begin_array(&b->w);
	if (code == 0)
		code = audit_each(session->store, &last, put_row, b, err);
	vw_json_end_array(&b->w);
	vw_json_end_object(&b->w);
	return code;
}

int diagnose_write(struct session *session, struct vw_buffer *out, struct vw_error *err)
{
	struct bundle bundle = {.identity = vw_store_identity(session->store)};
	vw_json_writer_init(&bundle.w, out, true);
	return make(&bundle, session, err);
}

int run_diagnose(struct vw_cli_invocation *in)
{
	struct session session;
	struct vw_buffer out;
	struct vw_error err = VW_ERROR_INIT;
	const char *path = vw_cli_value(in, "output");
	int code = session_open(in, VW_KV_READ, &session);
	if (code != EXIT_OK)
		return code;
	vw_buffer_init(&out, 0);
	code = diagnose_write(&session, &out, &err);
	FILE *file = code == 0 && path ? fopen(path, "we") : stdout;
	if (!file)
		code = vw_error_set(&err, VW_EIO, "cannot write %s: %s", path, strerror(errno));
	if (code == 0)
		fprintf(file, "%s\n", vw_buffer_text(&out));
	if (file && file != stdout && fclose(file) != 0)
		code = vw_error_set(&err, VW_EIO, "cannot write %s: %s", path, strerror(errno));
	vw_buffer_reset(&out);
	session_close(&session);
	return code < 0 ? report_error(&err) : EXIT_OK;
}
