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

bool health_progressing(const struct health_facts *facts, int64_t now_mono)
{
	return now_mono - facts->alive_mono <= facts->stale_ms;
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
	vw_json_writer_init(&w, out, true);
	vw_json_begin_object(&w);
	vw_json_key(&w, "progressing");
	vw_json_put_bool(&w, health_progressing(facts, now_mono));
	vw_json_key(&w, "agent_id");
	vw_json_put_text(&w, facts->agent_id);
	vw_json_key(&w, "running");
	vw_json_put_bool(&w, facts->running);
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
	vw_json_end_object(&w);
	vw_buffer_putc(out, '\n');
}

/* ---- /metrics ---- */

static void family(struct vw_buffer *out, const char *name, const char *type, const char *help)
{
	vw_buffer_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void single(struct vw_buffer *out, const char *name, const char *type, const char *help, uint64_t value)
{
	family(out, name, type, help);
	vw_buffer_printf(out, "%s %" PRIu64 "\n", name, value);
}

/* Milliseconds as seconds, exactly. */
static void put_seconds(struct vw_buffer *out, int64_t ms)
{
	vw_buffer_printf(out, "%" PRId64 ".%03d\n", ms / 1000, (int)(ms % 1000));
}

static void put_inventory(struct vw_buffer *out, const struct census *census)
{
	static const char *const statuses[CENSUS_STATUSES] = {"compliant", "gaps", "unknown"};
	static const char *const severities[VW_SEVERITIES] = {"info", "low", "medium", "high", "critical"};
	single(out, "vw_agent_models", "gauge", "Registered models in the inventory.", (uint64_t)census->models);
	family(out, "vw_agent_versions", "gauge", "Model versions in the inventory, by compliance status.");
	for (int i = 0; i < CENSUS_STATUSES; i++)
		vw_buffer_printf(out, "vw_agent_versions{status=\"%s\"} %" PRId64 "\n", statuses[i],
				 census->versions[i]);
	single(out, "vw_agent_versions_incomplete", "gauge", "Model versions of which something could not be read.",
	       (uint64_t)census->incomplete);
	family(out, "vw_agent_gaps", "gauge", "Open compliance gaps, by severity.");
	for (int i = 0; i < VW_SEVERITIES; i++)
		vw_buffer_printf(out, "vw_agent_gaps{severity=\"%s\"} %" PRId64 "\n", severities[i], census->gaps[i]);
	single(out, "vw_agent_unknown_findings", "gauge",
	       "Findings that could not be judged, because what they depend on could not be seen.",
	       (uint64_t)census->unknown);
	single(out, "vw_agent_ledger_sequence", "gauge", "Number of the newest ledger entry.", census->sequence);
	single(out, "vw_agent_store_file_bytes", "gauge", "Size of the state database on disk.", census->file_bytes);
	single(out, "vw_agent_store_used_bytes", "gauge", "Bytes of the state database that are in use.",
	       census->used_bytes);
}

static void put_syncs(struct vw_buffer *out, const struct health_facts *facts)
{
	static const enum vw_depth depths[HEALTH_DEPTHS] = {VW_DEPTH_QUICK, VW_DEPTH_FULL};
	family(out, "vw_agent_syncs_total", "counter", "Syncs that ended, by depth and outcome.");
	for (int d = 0; d < HEALTH_DEPTHS; d++)
		for (int o = 0; o < HEALTH_OUTCOMES; o++)
			vw_buffer_printf(out, "vw_agent_syncs_total{depth=\"%s\",outcome=\"%s\"} %" PRIu64 "\n",
					 health_depth_name(depths[d]), health_outcome_name((enum vw_sync_outcome)o),
					 facts->syncs[depths[d]][o]);
	family(out, "vw_agent_last_sync_success_timestamp_seconds", "gauge",
	       "When the last successful sync ended; 0 if there was none.");
	for (int d = 0; d < HEALTH_DEPTHS; d++) {
		vw_buffer_printf(out, "vw_agent_last_sync_success_timestamp_seconds{depth=\"%s\"} ",
				 health_depth_name(depths[d]));
		put_seconds(out, facts->success_at[depths[d]]);
	}
	family(out, "vw_agent_last_sync_duration_seconds", "gauge", "How long the last sync took.");
	for (int d = 0; d < HEALTH_DEPTHS; d++) {
		if (facts->duration_ms[depths[d]] < 0)
			continue;
		vw_buffer_printf(out, "vw_agent_last_sync_duration_seconds{depth=\"%s\"} ",
				 health_depth_name(depths[d]));
		put_seconds(out, facts->duration_ms[depths[d]]);
	}
	single(out, "vw_agent_sync_running", "gauge", "1 while a sync runs.", facts->running);
	single(out, "vw_agent_sync_consecutive_failures", "gauge", "Syncs that failed since the last that did not.",
	       (uint64_t)facts->failures);
}

void health_write_metrics(const struct health_facts *facts, struct vw_buffer *out)
{
	family(out, "vw_agent_build_info", "gauge", "The version of this agent.");
	vw_buffer_puts(out, "vw_agent_build_info{version=\"" VW_AGENT_VERSION "\"} 1\n");
	family(out, "vw_agent_start_time_seconds", "gauge", "When the agent was started.");
	vw_buffer_puts(out, "vw_agent_start_time_seconds ");
	put_seconds(out, facts->started_at);
	single(out, "vw_agent_ready", "gauge", "1 once a full sync was completed.", facts->ready);
	put_inventory(out, &facts->census);
	put_syncs(out, facts);
	single(out, "vw_agent_mlflow_requests_total", "counter", "Requests sent to the MLflow server.",
	       facts->requests);
	single(out, "vw_agent_mlflow_retries_total", "counter", "Of these, repetitions after a passing fault.",
	       facts->retries);
	single(out, "vw_agent_mlflow_received_bytes_total", "counter",
	       "Bytes of the MLflow server's answers, as on the wire.", facts->bytes_received);
	family(out, "vw_agent_config_reloads_total", "counter", "Reloads of the configuration, by outcome.");
	vw_buffer_printf(out,
			 "vw_agent_config_reloads_total{outcome=\"ok\"} %" PRIu64
			 "\nvw_agent_config_reloads_total{outcome=\"refused\"} %" PRIu64 "\n",
			 facts->reloads, facts->reloads_refused);
	single(out, "vw_agent_config_last_reload_successful", "gauge", "0 if the last reload was refused.",
	       !facts->reload_refused);
}
