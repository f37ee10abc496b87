/* health_text.c: what the health server says. Pure. */
#include "health.h"

#include "base/json.h"
#include "command.h"

#include <inttypes.h>

const char *health_depth_name(enum vw_depth depth)
{
	return depth == VW_DEPTH_QUICK ? "quick" : "full";
}

const char *health_outcome_name(enum vw_sync_outcome outcome)
{
	static const char *const names[HEALTH_OUTCOMES] = {"ok", "partial", "failed", "cancelled"};
	return names[outcome];
}

/* ---- /progressz ---- */

unsigned health_troubles(const struct health_facts *facts, int64_t now, int64_t now_mono)
{
	const struct vw_uplink_status *uplink = &facts->uplink;
	unsigned troubles = 0;
	if (!facts->paused && now_mono - facts->alive_mono > facts->stale_ms)
		troubles |= HEALTH_SYNC_OVERDUE;
	if (!facts->enrolled)
		return troubles;
	if (uplink->phase == VW_UPLINK_IDLE && uplink->last_error.code < 0)
		troubles |= HEALTH_UPLINK_DOWN;
	if (uplink->phase == VW_UPLINK_REFUSED)
		troubles |= HEALTH_UPLINK_REFUSED;
	if (uplink->waiting_since && now_mono - uplink->waiting_since > HEALTH_OVERDUE_MS)
		troubles |= HEALTH_ACKNOWLEDGEMENT_OVERDUE;
	if (uplink->certificate_not_after && uplink->certificate_not_after <= now)
		troubles |= HEALTH_CERTIFICATE_EXPIRED;
	return troubles;
}

static void put_troubles(struct vw_json_writer *w, unsigned troubles)
{
	static const char *const names[] = {"sync_overdue", "uplink_down", "uplink_refused",
					    "acknowledgement_overdue", "certificate_expired"};
	vw_json_begin_array(w);
	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (troubles & 1u << i)
			vw_json_put_text(w, names[i]);
	vw_json_end_array(w);
}

static int64_t last_success_at(const struct health_facts *facts)
{
	int64_t quick = facts->success_at[VW_DEPTH_QUICK], full = facts->success_at[VW_DEPTH_FULL];
	return quick > full ? quick : full;
}

static void put_last(struct vw_json_writer *w, const struct health_facts *facts)
{
	if (!facts->last.finished_at) {
		vw_json_put_null(w);
		return;
	}
	vw_json_begin_object(w);
	vw_json_key(w, "finished_at");
	vw_json_put_time(w, facts->last.finished_at);
	vw_json_key(w, "depth");
	vw_json_put_text(w, health_depth_name(facts->last.depth));
	vw_json_key(w, "outcome");
	vw_json_put_text(w, health_outcome_name(facts->last.outcome));
	vw_json_key(w, "error");
	vw_json_put_text(w, facts->last.code < 0 ? vw_code_name(facts->last.code) : NULL);
	vw_json_end_object(w);
}

void health_write_progress(const struct health_facts *facts, int64_t now, int64_t now_mono, struct vw_buffer *out)
{
	struct vw_json_writer w;
	int64_t success = last_success_at(facts);
	unsigned troubles = health_troubles(facts, now, now_mono);
	vw_json_writer_init(&w, out, true);
	vw_json_begin_object(&w);
	vw_json_key(&w, "progressing");
	vw_json_put_bool(&w, troubles == 0);
	vw_json_key(&w, "troubles");
	put_troubles(&w, troubles);
	vw_json_key(&w, "agent_id");
	vw_json_put_text(&w, facts->agent_id);
	vw_json_key(&w, "running");
	vw_json_put_bool(&w, facts->running);
	vw_json_key(&w, "paused");
	vw_json_put_bool(&w, facts->paused);
	vw_json_key(&w, "last_success_at");
	vw_json_put_time(&w, success);
	vw_json_key(&w, "last_success_age_seconds");
	if (success)
		vw_json_put_int64(&w, now > success ? (now - success) / 1000 : 0);
	else
		vw_json_put_null(&w);
	vw_json_key(&w, "stale_after_seconds");
	vw_json_put_int64(&w, facts->stale_ms / 1000);
	vw_json_key(&w, "last_quick_success_at");
	vw_json_put_time(&w, facts->success_at[VW_DEPTH_QUICK]);
	vw_json_key(&w, "last_full_success_at");
	vw_json_put_time(&w, facts->success_at[VW_DEPTH_FULL]);
	vw_json_key(&w, "last_sync");
	put_last(&w, facts);
	vw_json_key(&w, "consecutive_failures");
	vw_json_put_int64(&w, facts->failures);
	vw_json_key(&w, "next_sync_at");
	vw_json_put_time(&w, facts->next_due_at);
	vw_json_key(&w, "controller");
	health_put_uplink(&w, facts, now, now_mono);
	vw_json_end_object(&w);
	vw_buffer_putc(out, '\n');
}

/* ---- /metrics ---- */

void health_put_family(struct vw_buffer *out, const char *name, const char *type, const char *help)
{
	vw_buffer_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

void health_put_single(struct vw_buffer *out, const char *name, const char *type, const char *help, uint64_t value)
{
	health_put_family(out, name, type, help);
	vw_buffer_printf(out, "%s %" PRIu64 "\n", name, value);
}

void health_put_seconds(struct vw_buffer *out, int64_t ms)
{
	uint64_t size = ms < 0 ? -(uint64_t)ms : (uint64_t)ms;
	vw_buffer_printf(out, "%s%" PRIu64 ".%03d\n", ms < 0 ? "-" : "", size / 1000, (int)(size % 1000));
}

static void put_inventory(struct vw_buffer *out, const struct census *census)
{
	static const char *const statuses[CENSUS_STATUSES] = {"compliant", "gaps", "unknown"};
	static const char *const severities[VW_SEVERITIES] = {"info", "low", "medium", "high", "critical"};
	health_put_single(out, "vw_agent_models", "gauge", "Registered models in the inventory.",
			  (uint64_t)census->models);
	health_put_family(out, "vw_agent_versions", "gauge",
			  "Model versions in the inventory, by compliance status.");
	for (int i = 0; i < CENSUS_STATUSES; i++)
		vw_buffer_printf(out, "vw_agent_versions{status=\"%s\"} %" PRId64 "\n", statuses[i],
				 census->versions[i]);
	health_put_single(out, "vw_agent_versions_incomplete", "gauge",
			  "Model versions of which something could not be read.", (uint64_t)census->incomplete);
	health_put_family(out, "vw_agent_gaps", "gauge", "Open compliance gaps, by severity.");
	for (int i = 0; i < VW_SEVERITIES; i++)
		vw_buffer_printf(out, "vw_agent_gaps{severity=\"%s\"} %" PRId64 "\n", severities[i], census->gaps[i]);
	health_put_single(out, "vw_agent_unknown_findings", "gauge",
			  "Findings that could not be judged, because what they depend on could not be seen.",
			  (uint64_t)census->unknown);
	health_put_single(out, "vw_agent_ledger_sequence", "gauge", "Number of the newest ledger entry.",
			  census->sequence);
	health_put_single(out, "vw_agent_store_file_bytes", "gauge", "Size of the state database on disk.",
			  census->file_bytes);
	health_put_single(out, "vw_agent_store_used_bytes", "gauge", "Bytes of the state database that are in use.",
			  census->used_bytes);
}

static void put_syncs(struct vw_buffer *out, const struct health_facts *facts)
{
	static const enum vw_depth depths[HEALTH_DEPTHS] = {VW_DEPTH_QUICK, VW_DEPTH_FULL};
	health_put_family(out, "vw_agent_syncs_total", "counter", "Syncs that ended, by depth and outcome.");
	for (int d = 0; d < HEALTH_DEPTHS; d++)
		for (int o = 0; o < HEALTH_OUTCOMES; o++)
			vw_buffer_printf(out, "vw_agent_syncs_total{depth=\"%s\",outcome=\"%s\"} %" PRIu64 "\n",
					 health_depth_name(depths[d]), health_outcome_name((enum vw_sync_outcome)o),
					 facts->syncs[depths[d]][o]);
	health_put_family(out, "vw_agent_last_sync_success_timestamp_seconds", "gauge",
			  "When the last successful sync ended; 0 if there was none.");
	for (int d = 0; d < HEALTH_DEPTHS; d++) {
		vw_buffer_printf(out, "vw_agent_last_sync_success_timestamp_seconds{depth=\"%s\"} ",
				 health_depth_name(depths[d]));
		health_put_seconds(out, facts->success_at[depths[d]]);
	}
	health_put_family(out, "vw_agent_last_sync_duration_seconds", "gauge", "How long the last sync took.");
	for (int d = 0; d < HEALTH_DEPTHS; d++) {
		if (facts->duration_ms[depths[d]] < 0)
			continue;
		vw_buffer_printf(out, "vw_agent_last_sync_duration_seconds{depth=\"%s\"} ",
				 health_depth_name(depths[d]));
		health_put_seconds(out, facts->duration_ms[depths[d]]);
	}
	health_put_single(out, "vw_agent_sync_running", "gauge", "1 while a sync runs.", facts->running);
	health_put_single(out, "vw_agent_sync_consecutive_failures", "gauge",
			  "Syncs that failed since the last that did not.", (uint64_t)facts->failures);
}

void health_write_metrics(const struct health_facts *facts, int64_t now, int64_t now_mono, struct vw_buffer *out)
{
	health_put_family(out, "vw_agent_build_info", "gauge", "The version of this agent.");
	vw_buffer_puts(out, "vw_agent_build_info{version=\"" VW_AGENT_VERSION "\"} 1\n");
	health_put_family(out, "vw_agent_start_time_seconds", "gauge", "When the agent was started.");
	vw_buffer_puts(out, "vw_agent_start_time_seconds ");
	health_put_seconds(out, facts->started_at);
	health_put_single(out, "vw_agent_ready", "gauge", "1 once a full sync was completed.", facts->ready);
	health_put_single(out, "vw_agent_progressing", "gauge", "1 while /progressz answers with 200.",
			  health_troubles(facts, now, now_mono) == 0);
	put_inventory(out, &facts->census);
	put_syncs(out, facts);
	health_put_single(out, "vw_agent_mlflow_requests_total", "counter", "Requests sent to the MLflow server.",
			  facts->requests);
	health_put_single(out, "vw_agent_mlflow_retries_total", "counter",
			  "Of these, repetitions after a passing fault.", facts->retries);
	health_put_single(out, "vw_agent_mlflow_received_bytes_total", "counter",
			  "Bytes of the MLflow server's answers, as on the wire.", facts->bytes_received);
	health_put_family(out, "vw_agent_config_reloads_total", "counter",
			  "Reloads of the configuration, by outcome.");
	vw_buffer_printf(out,
			 "vw_agent_config_reloads_total{outcome=\"ok\"} %" PRIu64
			 "\nvw_agent_config_reloads_total{outcome=\"refused\"} %" PRIu64 "\n",
			 facts->reloads, facts->reloads_refused);
	health_put_single(out, "vw_agent_config_last_reload_successful", "gauge", "0 if the last reload was refused.",
			  !facts->reload_refused);
	health_put_uplink_metrics(out, facts, now_mono);
}
