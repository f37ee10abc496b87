/* sender.c: what a stream sends next: the urgent and small first, then the ledger as far as the window goes, and when there is nothing, a heartbeat. */
#include "uplink_private.h"

#include "base/clock.h"
#include "base/log.h"
#include "proto/message.h"

#include <stdlib.h>
#include <string.h>

#define HEALTH_INTERVAL_MS 5000 /* between two reports */

static vw_agent_message *new_message(struct vw_arena *arena, int body)
{
	vw_agent_message *message = vw_message_new(arena, &verifywise__v1__agent_message__descriptor);
	if (message)
		message->body_case = (__typeof__(message->body_case))body;
	return message;
}

/* ---- a receipt that was refused ---- */

static bool send_receipt_refused(struct session *session)
{
	struct verdict verdict = {.next = NEXT_REFUSED};
	vw_agent_message message = VERIFYWISE__V1__AGENT_MESSAGE__INIT;
	vw_receipt_refused refused = VERIFYWISE__V1__RECEIPT_REFUSED__INIT;
	if (!session->receipt_refused)
		return false;
	message.body_case = VERIFYWISE__V1__AGENT_MESSAGE__BODY_RECEIPT_REFUSED;
	message.receipt_refused = &refused;
	VW_SET(&refused, sequence, session->receipt_refused_sequence);
	refused.text = session->receipt_refused;
	vw_error_set(&verdict.error, VW_EAUTH, "%s", session->receipt_refused);
	bool sent = session_send(session, &message);
	session->receipt_refused = NULL;
	session_leave(session, &verdict);
	return sent;
}

/* ---- commands ---- */

static bool send_update(struct session *session, vw_command_update *update)
{
	vw_agent_message *message = new_message(session->uplink->arena, VERIFYWISE__V1__AGENT_MESSAGE__BODY_COMMAND);
	if (!message)
		return false;
	message->command = update;
	return session_send(session, message);
}

static char *take_told(struct vw_uplink *uplink)
{
	pthread_mutex_lock(&uplink->lock);
	char *id = vw_outbox_take(&uplink->outbox);
	pthread_mutex_unlock(&uplink->lock);
	return id;
}

/* The next id of the outbox, as it stands in the store now. */
static bool send_told(struct session *session)
{
	struct vw_uplink *uplink = session->uplink;
	vw_agent_message *message;
	char *id;
	while ((id = take_told(uplink))) {
		struct vw_error err = VW_ERROR_INIT;
		int code = uplink_command_message(uplink, id, uplink->arena, &message, &err);
		free(id);
		if (code == 0)
			return session_send(session, message);
		if (code != VW_ENOTFOUND)
			vw_log(VW_LOG_ERROR, "command_unreadable", VW_LOG_S("reason", err.message));
	}
	return false;
}

static bool take_progress(struct vw_uplink *uplink, int64_t now, int64_t *due, struct vw_todo_item *out)
{
	pthread_mutex_lock(&uplink->lock);
	struct vw_todo_item *item = vw_todo_report(&uplink->todo, now, due);
	if (item) {
		item->progress = false;
		item->reported_at = now;
		*out = *item;
	}
	pthread_mutex_unlock(&uplink->lock);
	return item != NULL;
}

static bool send_progress(struct session *session, int64_t now, int64_t *due)
{
	struct vw_todo_item item;
	vw_command_update update = VERIFYWISE__V1__COMMAND_UPDATE__INIT;
	do {
		if (!take_progress(session->uplink, now, due, &item))
			return false;
	} while (vw_held_is_desired(item.id)); /* Applied has no progress */
	update.id = item.id;
	update.text = item.text;
	VW_SET(&update, state, VW_COMMAND_STATE_RUNNING);
	VW_SET(&update, at, vw_clock_now());
	VW_SET(&update, done, item.done);
	VW_SET(&update, total, item.total);
	return send_update(session, &update);
}

/* ---- health ---- */

static vw_health *take_health(struct session *session)
{
	struct vw_uplink *uplink = session->uplink;
	void *health = NULL;
	pthread_mutex_lock(&uplink->lock);
	session->health_told = uplink->health_version;
	if (uplink->health)
		vw_message_unpack(uplink->arena, &verifywise__v1__health__descriptor, uplink->health,
				  uplink->health_len, "health", &health, NULL);
	pthread_mutex_unlock(&uplink->lock);
	return health ? health : vw_message_new(uplink->arena, &verifywise__v1__health__descriptor);
}

static bool add_certificate(struct vw_uplink *uplink, vw_health *health)
{
	vw_condition *condition = vw_message_new(uplink->arena, &verifywise__v1__condition__descriptor);
	vw_condition **all = vw_arena_array(uplink->arena, health->n_conditions + 1, sizeof(*all));
	if (!condition || !all)
		return false;
	if (health->n_conditions > 0)
		memcpy(all, health->conditions, health->n_conditions * sizeof(*all));
	condition->name = (char *)"certificate";
	VW_SET(condition, ok, !uplink->renewal_failing);
	if (uplink->renewal_failing)
		condition->text = (char *)"it could not be renewed; the agent's log says why";
	all[health->n_conditions++] = condition;
	health->conditions = all;
	return true;
}

static bool send_health(struct session *session, int64_t now, int64_t *due)
{
	struct vw_uplink *uplink = session->uplink;
	pthread_mutex_lock(&uplink->lock);
	bool changed = uplink->health_version != session->health_told;
	pthread_mutex_unlock(&uplink->lock);
	if (!changed)
		return false;
	if (session->health_at && now < session->health_at + HEALTH_INTERVAL_MS) {
		if (session->health_at + HEALTH_INTERVAL_MS < *due)
			*due = session->health_at + HEALTH_INTERVAL_MS;
		return false;
	}
	session->health_at = now;
	vw_agent_message *message = new_message(uplink->arena, VERIFYWISE__V1__AGENT_MESSAGE__BODY_HEALTH);
	vw_health *health = take_health(session);
	if (!message || !health || !add_certificate(uplink, health))
		return false;
	VW_SET(health, certificate_not_after, uplink->certificate_not_after);
	VW_SET(health, last_sequence, uplink_ledger_end(uplink));
	message->health = health;
	return session_send(session, message);
}

/* ---- the ledger ---- */

static int read_batch(struct session *session, vw_entry_batch *batch, uint64_t *out_bytes, struct vw_error *err)
{
	struct vw_uplink *uplink = session->uplink;
	struct vw_txn *txn;
	uint64_t room = vw_window_room(&session->window);
	size_t most = room < session->batch_bytes ? (size_t)room : session->batch_bytes;
	int code = vw_txn_begin_read(vw_store_kv(uplink->settings.store), &txn, err);
	if (code < 0)
		return code;
	code = vw_store_chained_entries(txn, uplink->arena, session->next_sequence, session->batch_entries, most,
					&batch->entries, &batch->n_entries, err);
	vw_txn_end(txn);
	*out_bytes = 0;
	for (size_t i = 0; code == 0 && i < batch->n_entries; i++)
		*out_bytes += batch->entries[i]->payload.len;
	return code;
}

/* An end that is in the batch may be in the outbox only now: it goes first, since who has acknowledged its entry counts as told. */
static bool something_to_tell(struct vw_uplink *uplink)
{
	pthread_mutex_lock(&uplink->lock);
	bool any = uplink->finishing > 0 || uplink->outbox.count > 0; /* who finishes wakes us */
	pthread_mutex_unlock(&uplink->lock);
	return any;
}

static void count_sent(struct vw_uplink *uplink, const vw_entry_batch *batch, uint64_t bytes)
{
	struct vw_uplink_status *status = uplink_status_begin(uplink);
	status->batches++;
	status->entries_sent += batch->n_entries;
	status->bytes_sent += bytes;
	uplink->sent_since_rest += bytes;
	status->sent_sequence = batch->first_sequence + batch->n_entries - 1;
	uplink_status_end(uplink);
}

static bool send_entries(struct session *session)
{
	struct vw_uplink *uplink = session->uplink;
	struct vw_error err = VW_ERROR_INIT;
	uint64_t bytes;
	vw_agent_message message = VERIFYWISE__V1__AGENT_MESSAGE__INIT;
	vw_entry_batch batch = VERIFYWISE__V1__ENTRY_BATCH__INIT;
	if (!session->more || session->window_full || vw_window_room(&session->window) == 0)
		return false;
	if (read_batch(session, &batch, &bytes, &err) < 0) {
		session_fail(session, NEXT_RETRY, &err);
		return false;
	}
	if (something_to_tell(uplink))
		return send_told(session);
	session->more = batch.n_entries > 0;
	if (!session->more)
		return false;
	if (session->window.count > 0 && bytes > vw_window_room(&session->window)) {
		session->window_full = true;
		return false;
	}
	VW_SET(&batch, first_sequence, session->next_sequence);
	message.body_case = VERIFYWISE__V1__AGENT_MESSAGE__BODY_BATCH;
	message.batch = &batch;
	if (!session_send(session, &message))
		return false;
	session->next_sequence += batch.n_entries;
	if (session->highest_sent < session->next_sequence - 1)
		session->highest_sent = session->next_sequence - 1;
	vw_window_sent(&session->window, session->next_sequence - 1, bytes);
	count_sent(uplink, &batch, bytes);
	return true;
}

/* ---- a sign of life ---- */

static bool send_heartbeat(struct session *session, int64_t now, int64_t *due)
{
	vw_agent_message message = VERIFYWISE__V1__AGENT_MESSAGE__INIT;
	vw_heartbeat heartbeat = VERIFYWISE__V1__HEARTBEAT__INIT;
	int64_t when = session->last_sent_at + session->heartbeat_ms;
	if (now < when) {
		if (when < *due)
			*due = when;
		return false;
	}
	message.body_case = VERIFYWISE__V1__AGENT_MESSAGE__BODY_HEARTBEAT;
	message.heartbeat = &heartbeat;
	VW_SET(&heartbeat, sent_at, vw_clock_now());
	VW_SET(&heartbeat, last_sequence, uplink_ledger_end(session->uplink));
	session->more = session->more || heartbeat.last_sequence >= session->next_sequence;
	return session_send(session, &message);
}

bool session_send_next(struct session *session, int64_t now, int64_t *due)
{
	vw_arena_reset(session->uplink->arena);
	if (send_receipt_refused(session))
		return true;
	if (session->phase != SESSION_OPEN)
		return false;
	return send_told(session) || send_progress(session, now, due) || send_health(session, now, due) ||
	       send_entries(session) || send_heartbeat(session, now, due);
}
