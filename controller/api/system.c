/* system.c: enrolment's bodies, health, metrics, and the interface's own description. */
#include "routes.h"

#include "base/limits.h"
#include "openapi.h"

#include <inttypes.h>
#include <string.h>

#define STUCK_MS 10000 /* then this controller is not ready */

/* ---- enrolment ---- */

int api_enroll_authorities(struct visit *v, struct vw_error *err)
{
	size_t count;
	const struct vw_bytes *chain = vw_authority_chain(v->api->settings.authority, &count);
	v->out->status = 200;
	v->out->content_type = "application/x-pem-file";
	for (size_t i = 0; i < count; i++)
		if (vw_certificate_pem(chain[i], &v->out->body) < 0)
			return vw_error_set(err, VW_ENOMEM, "no memory for an answer");
	return 0;
}

typedef int (*enroll_step)(const struct vw_enroller *enroller, struct vw_bytes request, const char *peer, int64_t now,
			   struct vw_arena *arena, struct vw_bytes *out_response, struct vw_error *err);

static int answer_with(struct visit *v, enroll_step step, struct vw_error *err)
{
	struct vw_bytes answer;
	int code =
	    step(v->api->settings.enroller, v->request->body, v->request->peer, v->now, v->arena, &answer, err);
	if (code < 0)
		return code == VW_EAUTH ? vw_error_set(err, VW_EIO, "the request was refused without an answer")
					: code;
	v->out->status = 200;
	v->out->content_type = "application/protobuf";
	vw_buffer_append(&v->out->body, answer.data, answer.len);
	return 0;
}

int api_enroll_enroll(struct visit *v, struct vw_error *err)
{
	return answer_with(v, vw_enroll, err);
}

int api_enroll_renew(struct visit *v, struct vw_error *err)
{
	return answer_with(v, vw_enroll_renew, err);
}

/* ---- health ---- */

int api_health(struct visit *v, struct vw_error *err)
{
	(void)err;
	visit_done(v, "alive");
	return 0;
}

/* A store may answer questions and take nothing: a disk that is full. */
static int check_ingest(const struct vw_session_server *sessions, struct vw_error *err)
{
	struct vw_session_counts counts;
	if (!sessions)
		return 0;
	vw_session_server_count(sessions, &counts);
	if (counts.stuck_ms < STUCK_MS)
		return 0;
	return vw_error_set(err, VW_EAGAIN, "the store has not taken agents' entries for %" PRId64 " s",
			    counts.stuck_ms / 1000);
}

int api_ready(struct visit *v, struct vw_error *err)
{
	int code = vw_fleet_store_ping(v->api->settings.store, err);
	if (code == 0)
		code = check_ingest(v->api->settings.sessions, err);
	if (code == 0)
		visit_done(v, "ready");
	return code < 0 ? VW_EAGAIN : 0;
}

/* ---- metrics: Prometheus' text format, version 0.0.4 ---- */

static void put_metric(struct vw_buffer *out, const char *name, const char *type, const char *help, int64_t value)
{
	vw_buffer_printf(out, "# HELP %s %s\n# TYPE %s %s\n%s %" PRId64 "\n", name, help, name, type, name, value);
}

static void put_sessions(struct vw_buffer *out, const struct vw_session_counts *c)
{
	put_metric(out, "vw_controller_sessions", "gauge", "Open streams of agents.", c->sessions);
	put_metric(out, "vw_controller_sessions_opened_total", "counter", "Streams that were welcomed.",
		   c->sessions_opened);
	put_metric(out, "vw_controller_batches_total", "counter", "Batches of entries that came.", c->batches);
	put_metric(out, "vw_controller_entries_total", "counter", "Ledger entries that were stored.", c->entries);
	put_metric(out, "vw_controller_entry_bytes_total", "counter", "Payload bytes that came.", c->bytes);
	put_metric(out, "vw_controller_duplicates_total", "counter", "Entries that came again.", c->duplicates);
	put_metric(out, "vw_controller_gaps_total", "counter", "Batches that began behind what is stored.", c->gaps);
	put_metric(out, "vw_controller_forks_total", "counter", "Entries that contradict what is stored.", c->forks);
	put_metric(out, "vw_controller_queued_bytes", "gauge", "Payload bytes that wait to be stored.",
		   c->queued_bytes);
	put_metric(out, "vw_controller_stored_batches_total", "counter", "Batches that were stored.",
		   c->stored_batches);
	put_metric(out, "vw_controller_store_retries_total", "counter", "Times that the store was away.",
		   c->store_retries);
	put_metric(out, "vw_controller_commands_sent_total", "counter", "Commands that were delivered.",
		   c->commands_sent);
	put_metric(out, "vw_controller_revoked_open_total", "counter",
		   "Open streams that were ended by a revocation.", c->revoked_open);
	put_metric(out, "vw_controller_connections_turned_away_total", "counter",
		   "Connections of agents for which there was no room.", c->turned_away);
	put_metric(out, "vw_controller_store_stuck_milliseconds", "gauge",
		   "For so long the store has not taken entries.", c->stuck_ms);
	put_metric(out, "vw_controller_ingest_microseconds_total", "counter", "Time spent storing.", c->ingest_us);
	vw_buffer_puts(out, "# HELP vw_controller_rejections_total Streams that were refused, by reason.\n"
			    "# TYPE vw_controller_rejections_total counter\n");
	for (int i = 1; i < 16; i++) {
		const ProtobufCEnumValue *value =
		    protobuf_c_enum_descriptor_get_value(&verifywise__v1__rejection_reason__descriptor, i);
		if (value)
			vw_buffer_printf(out, "vw_controller_rejections_total{reason=\"%s\"} %" PRId64 "\n",
					 vw_enum_name(&verifywise__v1__rejection_reason__descriptor, i),
					 c->rejections[i]);
	}
}

static void put_fleet(struct vw_buffer *out, const struct vw_fleet_counts *c)
{
	put_metric(out, "vw_controller_organizations", "gauge", "Organizations.", c->organizations);
	put_metric(out, "vw_controller_agents", "gauge", "Enrolled agents.", c->agents);
	put_metric(out, "vw_controller_agents_connected", "gauge", "Agents that are connected, to any replica.",
		   c->agents_connected);
	put_metric(out, "vw_controller_versions", "gauge", "Model versions.", c->versions);
	put_metric(out, "vw_controller_versions_with_gaps", "gauge", "Model versions with open gaps.",
		   c->versions_with_gaps);
	put_metric(out, "vw_controller_ledger_entries", "gauge", "Ledger entries that are stored.", c->entries);
	vw_buffer_puts(out, "# HELP vw_controller_gaps Open gaps, by severity.\n# TYPE vw_controller_gaps gauge\n");
	for (int i = 0; i < VW_SEVERITIES; i++)
		vw_buffer_printf(out, "vw_controller_gaps{severity=\"%s\"} %" PRId64 "\n",
				 vw_enum_name(&verifywise__v1__severity__descriptor, i + 1), c->gaps[i]);
}

static void put_answers(struct vw_buffer *out, struct vw_api *api)
{
	vw_buffer_puts(out,
		       "# HELP vw_controller_http_answers_total Answers of the REST interface, by the first digit of "
		       "their status.\n# TYPE vw_controller_http_answers_total counter\n");
	for (int i = 2; i < 6; i++)
		vw_buffer_printf(out, "vw_controller_http_answers_total{status=\"%dxx\"} %" PRId64 "\n", i,
				 atomic_load_explicit(&api->answers[i], memory_order_relaxed));
}

int api_metrics(struct visit *v, struct vw_error *err)
{
	struct vw_fleet_counts counts;
	struct vw_session_counts sessions;
	struct vw_buffer *out = &v->out->body;
	if (v->who.organization != 0)
		return vw_error_set(err, VW_EFORBIDDEN, "metrics are the operator's: they count every organization");
	int code = vw_fleet_count(v->api->settings.store, 0, &counts, err);
	if (code < 0)
		return code;
	v->out->status = 200;
	v->out->content_type = "text/plain; version=0.0.4; charset=utf-8";
	put_fleet(out, &counts);
	put_answers(out, v->api);
	if (v->api->settings.sessions) {
		vw_session_server_count(v->api->settings.sessions, &sessions);
		put_sessions(out, &sessions);
	}
	put_metric(out, "vw_controller_start_time_seconds", "gauge", "When this process began.",
		   v->api->started_at / 1000);
	return 0;
}

int api_openapi(struct visit *v, struct vw_error *err)
{
	(void)err;
	v->out->status = 200;
	v->out->content_type = "application/yaml";
	vw_buffer_append(&v->out->body, vw_openapi, vw_openapi_len);
	return 0;
}
