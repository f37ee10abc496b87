/* health_uplink.c: what the health server says about the controller. Pure. */
#include "base/json.h"
#include "health.h"
#include "proto/message.h"

#include <inttypes.h>

static const char *const phases[] = {"idle", "connecting", "connected", "waiting", "refused"};

static uint64_t queued(const struct vw_uplink_status *u)
{
	return u->last_sequence > u->acknowledged_sequence ? u->last_sequence - u->acknowledged_sequence : 0;
}

static int64_t waited(const struct vw_uplink_status *u, int64_t now_mono)
{
	return u->waiting_since && now_mono > u->waiting_since ? now_mono - u->waiting_since : 0;
}

static const char *rejection_name(int rejection)
{
	return rejection ? vw_enum_name(&verifywise__v1__rejection_reason__descriptor, rejection) : NULL;
}

static void put_number(struct vw_json_writer *w, const char *key, int64_t value)
{
	vw_json_key(w, key);
	vw_json_put_int64(w, value);
}

static void put_text(struct vw_json_writer *w, const char *key, const char *text)
{
	vw_json_key(w, key);
	vw_json_put_text(w, text);
}

static void put_time(struct vw_json_writer *w, const char *key, int64_t at)
{
	vw_json_key(w, key);
	vw_json_put_time(w, at);
}

/* No text of the error: it names addresses, and every user of this host may ask. */
void health_put_uplink(struct vw_json_writer *w, const struct health_facts *facts, int64_t now, int64_t now_mono)
{
	const struct vw_uplink_status *u = &facts->uplink;
	if (!facts->enrolled) {
		vw_json_put_null(w);
		return;
	}
	vw_json_begin_object(w);
	put_text(w, "state", phases[u->phase]);
	put_time(w, "since", u->since);
	put_time(w, "connected_at", u->connected_at);
	put_time(w, "next_attempt_at", u->next_attempt_at);
	put_text(w, "rejection", rejection_name(u->rejection));
	put_text(w, "error", u->last_error.code < 0 ? vw_code_name(u->last_error.code) : NULL);
	put_number(w, "last_sequence", (int64_t)u->last_sequence);
	put_number(w, "sent_sequence", (int64_t)u->sent_sequence);
	put_number(w, "acknowledged_sequence", (int64_t)u->acknowledged_sequence);
	put_number(w, "queued_entries", (int64_t)queued(u));
	put_number(w, "waiting_seconds", waited(u, now_mono) / 1000);
	put_number(w, "overdue_after_seconds", HEALTH_OVERDUE_MS / 1000);
	put_time(w, "acknowledged_at", u->acknowledged_at);
	put_time(w, "certificate_not_after", u->certificate_not_after);
	put_number(w, "certificate_seconds_left",
		   u->certificate_not_after > now ? (u->certificate_not_after - now) / 1000 : 0);
	put_number(w, "clock_offset_ms", u->clock_offset_ms);
	vw_json_end_object(w);
}

/* ---- metrics ---- */

static void put_gauge_seconds(struct vw_buffer *out, const char *name, const char *help, int64_t ms)
{
	health_put_family(out, name, "gauge", help);
	vw_buffer_printf(out, "%s ", name);
	health_put_seconds(out, ms);
}

static void put_phase(struct vw_buffer *out, const struct vw_uplink_status *u)
{
	health_put_family(out, "vw_agent_controller_state", "gauge", "1 for the state that the uplink is in.");
	for (size_t i = 0; i < sizeof(phases) / sizeof(phases[0]); i++)
		vw_buffer_printf(out, "vw_agent_controller_state{state=\"%s\"} %d\n", phases[i],
				 (size_t)u->phase == i);
	const char *rejection = rejection_name(u->rejection);
	health_put_family(out, "vw_agent_controller_rejected", "gauge",
			  "1, with the reason, if the controller ended the last stream or refused it.");
	if (rejection)
		vw_buffer_printf(out, "vw_agent_controller_rejected{reason=\"%s\"} 1\n", rejection);
}

static void put_queue(struct vw_buffer *out, const struct vw_uplink_status *u, int64_t now_mono)
{
	health_put_single(out, "vw_agent_controller_sent_sequence", "gauge", "The newest ledger entry that was sent.",
			  u->sent_sequence);
	health_put_single(out, "vw_agent_controller_acknowledged_sequence", "gauge",
			  "The newest ledger entry that the controller has stored.", u->acknowledged_sequence);
	health_put_single(out, "vw_agent_controller_queued_entries", "gauge",
			  "Ledger entries that the controller has not acknowledged.", queued(u));
	put_gauge_seconds(out, "vw_agent_controller_waiting_seconds",
			  "How long entries have waited without one being acknowledged; 0 if none waits.",
			  waited(u, now_mono));
	put_gauge_seconds(out, "vw_agent_controller_last_acknowledgement_timestamp_seconds",
			  "When the controller acknowledged last; 0 if never.", u->acknowledged_at);
}

static void put_counters(struct vw_buffer *out, const struct vw_uplink_status *u)
{
	health_put_single(out, "vw_agent_controller_connects_total", "counter",
			  "Streams that the controller welcomed.", u->connects);
	health_put_single(out, "vw_agent_controller_batches_total", "counter", "Batches of ledger entries sent.",
			  u->batches);
	health_put_single(out, "vw_agent_controller_entries_total", "counter",
			  "Ledger entries sent, repetitions included.", u->entries_sent);
	health_put_single(out, "vw_agent_controller_sent_bytes_total", "counter", "Bytes of the entries sent.",
			  u->bytes_sent);
	health_put_single(out, "vw_agent_controller_receipts_total", "counter", "Receipts kept.", u->receipts);
	health_put_single(out, "vw_agent_controller_resent_entries_total", "counter",
			  "Ledger entries that the controller asked for once more.", u->duplicates_asked);
}

void health_put_uplink_metrics(struct vw_buffer *out, const struct health_facts *facts, int64_t now_mono)
{
	const struct vw_uplink_status *u = &facts->uplink;
	health_put_single(out, "vw_agent_paused", "gauge", "1 while the controller has syncs paused.", facts->paused);
	health_put_single(out, "vw_agent_enrolled", "gauge", "1 if the agent has a controller.", facts->enrolled);
	if (!facts->enrolled)
		return;
	health_put_single(out, "vw_agent_controller_connected", "gauge",
			  "1 while a stream to the controller is open.", u->connected_at != 0);
	put_phase(out, u);
	put_queue(out, u, now_mono);
	put_gauge_seconds(out, "vw_agent_controller_certificate_expiry_timestamp_seconds",
			  "When the agent's certificate expires.", u->certificate_not_after);
	put_gauge_seconds(out, "vw_agent_controller_clock_offset_seconds",
			  "The controller's clock minus this one, when a stream was last welcomed.",
			  u->clock_offset_ms);
	put_counters(out, u);
}
