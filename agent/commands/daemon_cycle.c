/* daemon_cycle.c: the daemon's syncs, and what it tells of them. */
#include "daemon.h"

#include "base/clock.h"
#include "base/digest.h"
#include "base/log.h"

#include <malloc.h>
#include <stdio.h>
#include <string.h>

/* ---- what is told to the outside ---- */

static int64_t wall_of(int64_t monotonic)
{
	return vw_clock_now() + monotonic - vw_clock_monotonic();
}

void daemon_publish(struct daemon *d)
{
	d->facts.stale_ms = 3 * daemon_config(d)->quick_interval_ms;
	d->facts.failures = d->schedule.failures;
	d->facts.paused = remote_paused(d->remote);
	d->facts.next_due_at = d->facts.running ? 0 : wall_of(schedule_due(&d->schedule));
	health_publish(d->health, &d->facts);
	remote_tell(d->remote, &d->facts, d->setup->source.label);
}

/* A census that fails leaves the old numbers; the next sync tries again, and says what is wrong with the store itself. */
void daemon_count(struct daemon *d, bool changed)
{
	struct vw_error err = VW_ERROR_INIT;
	int code;
	if (changed)
		d->counted = false;
	if (d->counted) {
		code = census_sizes(d->store, &d->facts.census, &err);
	} else {
		code = census_take(d->store, &d->facts.census, &err);
		d->counted = code == 0;
	}
	if (code < 0 && code != VW_ECANCELLED)
		vw_log(VW_LOG_WARN, "count_failed", VW_LOG_S("error", vw_code_name(code)),
		       VW_LOG_S("reason", err.message));
}

static void tell_status(const struct daemon *d)
{
	char text[256], at[VW_TIME_TEXT];
	const struct census *c = &d->facts.census;
	int64_t versions = 0;
	for (int i = 0; i < CENSUS_STATUSES; i++)
		versions += c->versions[i];
	snprintf(text, sizeof(text), "%lld versions of %lld models; last sync %s%s%s", (long long)versions,
		 (long long)c->models,
		 d->facts.last.finished_at ? health_outcome_name(d->facts.last.outcome) : "not yet",
		 d->facts.last.finished_at ? " at " : "",
		 d->facts.last.finished_at ? vw_clock_format(d->facts.last.finished_at, at) : "");
	vw_cli_notify_status(&d->notifier, text);
}

static void log_sync(enum vw_depth depth, const struct vw_sync_result *r)
{
	const vw_sync_counts *c = &r->counts;
	enum vw_log_level level = VW_LOG_INFO;
	if (r->outcome == VW_SYNC_FAILED)
		level = VW_LOG_ERROR;
	else if (r->outcome == VW_SYNC_SUSPECT)
		level = VW_LOG_WARN;
	vw_log(level, "sync_finished", VW_LOG_S("depth", health_depth_name(depth)),
	       VW_LOG_S("outcome", health_outcome_name(r->outcome)), VW_LOG_S("sync_id", r->sync_id),
	       VW_LOG_S("error", r->reason.code < 0 ? vw_code_name(r->reason.code) : "none"),
	       VW_LOG_S("reason", r->reason.message), VW_LOG_I("models", c->models),
	       VW_LOG_I("versions", c->versions), VW_LOG_I("created", c->created), VW_LOG_I("updated", c->updated),
	       VW_LOG_I("unchanged", c->unchanged), VW_LOG_I("removed", c->removed),
	       VW_LOG_I("incomplete", c->incomplete), VW_LOG_I("skipped", c->skipped),
	       VW_LOG_I("reevaluated", c->reevaluated), VW_LOG_I("requests", c->requests),
	       VW_LOG_I("retries", c->retries), VW_LOG_I("bytes_received", c->bytes_received),
	       VW_LOG_I("duration_ms", r->duration_ms));
}

/* ---- one cycle ---- */

static void take_result(struct daemon *d, enum vw_depth depth, int code, const struct vw_sync_result *r)
{
	struct health_facts *f = &d->facts;
	int64_t now = vw_clock_now();
	f->running = false;
	f->last.finished_at = now;
	f->last.depth = depth;
	f->last.outcome = r->outcome;
	f->last.code = code < 0 ? code : r->reason.code;
	f->duration_ms[depth] = r->duration_ms;
	f->syncs[depth][r->outcome]++;
	f->requests += (uint64_t)r->counts.requests;
	f->retries += (uint64_t)r->counts.retries;
	f->bytes_received += (uint64_t)r->counts.bytes_received;
	if (r->outcome != VW_SYNC_OK)
		return;
	f->success_at[depth] = now;
	f->alive_mono = vw_clock_monotonic();
	f->ready = f->ready || depth == VW_DEPTH_FULL;
}

/* From 0 to 1. */
static double random_part(void)
{
	uint32_t bits;
	vw_random_bytes(&bits, sizeof(bits));
	return (double)bits / 4294967296.0;
}

static bool changed_something(struct daemon *d, const vw_sync_counts *c)
{
	bool models = c->models != d->listed_models;
	d->listed_models = c->models;
	return models || c->created || c->updated || c->removed || c->reevaluated;
}

/* What a sync needed is not needed until the next one: hours may pass. */
static void rest(struct daemon *d)
{
	struct vw_txn *txn;
	malloc_trim(0);
	if (vw_txn_begin_read(vw_store_kv(d->store), &txn, NULL) < 0)
		return;
	vw_txn_spare(txn);
	vw_txn_end(txn);
}

int daemon_sync(struct daemon *d, enum vw_depth depth, const char *model, struct vw_sync_result *result,
		struct vw_error *err)
{
	struct vw_sync_options options = {
	    .depth = depth, .model = model, .connections = daemon_config(d)->mlflow.connections};
	if (setup_refresh(d->setup, err) < 0)
		vw_log(VW_LOG_WARN, "credential_kept", VW_LOG_S("reason", err->message),
		       VW_LOG_S("effect", "the one that was read before is used"));
	d->facts.running = true;
	daemon_publish(d);
	vw_log(VW_LOG_DEBUG, "sync_started", VW_LOG_S("depth", health_depth_name(depth)));
	int code = vw_sync_run(&d->setup->source.context, &options, result, err);
	if (code < 0)
		result->reason = *err;
	log_sync(depth, result);
	take_result(d, depth, code, result);
	if (!model) /* one model is no cycle of the schedule */
		schedule_done(&d->schedule, depth, result->outcome == VW_SYNC_FAILED, vw_clock_monotonic(),
			      random_part());
	daemon_count(d, changed_something(d, &result->counts));
	daemon_publish(d);
	tell_status(d);
	rest(d);
	return code;
}

static void tick(void *arg)
{
	struct daemon *d = arg;
	vw_cli_notify_alive(&d->notifier);
}

static void progress(const struct vw_progress *done, void *arg)
{
	struct daemon *d = arg;
	tick(d);
	remote_progress(d->remote, done);
}

/* Signs of life while a sync runs: when a step is done, and while it waits for the server. */
void daemon_watch(struct daemon *d)
{
	struct source *source = &d->setup->source;
	source->context.progress = progress;
	source->context.progress_arg = d;
	vw_mlflow_on_tick(source->client, tick, d);
}
