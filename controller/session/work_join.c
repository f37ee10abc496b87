/* work_join.c: may this stream begin? The store is asked, the Welcome is made. On a worker's thread. */
#include "session.h"

#include "message.h"
#include "work.h"

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "fleet/codec.h"
#include "proto/message.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RETRY_MS 2000 /* after an OVERLOADED, and as much again at random */

/* What is being decided about. */
struct joining {
	struct vw_work *work;
	struct vw_task *task;
	vw_hello *hello;
	vw_agent_presence *before; /* what was known of its connection; NULL: nothing */
	vw_agent *agent;
	struct vw_error err;
};

void vw_work_overload(struct vw_work *work, struct vw_task *task, int code, const struct vw_error *err)
{
	uint32_t random;
	vw_task_fail(work, task, code, err);
	vw_task_reject(task, VW_REJECTION_OVERLOADED, "the controller's store cannot be reached");
	vw_random_bytes(&random, sizeof(random));
	task->retry_after_ms = RETRY_MS + random % RETRY_MS;
}

/* ---- What the Hello itself says ---- */

/* "1.2.3-rc1" is 1, 2, 3; what follows the numbers does not count. */
static void parse_version(const char *text, unsigned long out[3])
{
	memset(out, 0, 3 * sizeof(out[0]));
	for (int i = 0; i < 3 && text && *text >= '0' && *text <= '9'; i++) {
		char *end;
		out[i] = strtoul(text, &end, 10);
		text = *end == '.' ? end + 1 : NULL;
	}
}

bool vw_version_below(const char *version, const char *minimum)
{
	unsigned long a[3], b[3];
	parse_version(version, a);
	parse_version(minimum, b);
	for (int i = 0; i < 3; i++) {
		if (a[i] != b[i])
			return a[i] < b[i];
	}
	return false;
}

static void judge_hello(const struct joining *j)
{
	const struct vw_session_settings *settings = j->work->settings;
	const vw_hello *hello = j->hello;
	char text[160];
	int64_t skew = hello->sent_at - j->task->server_time;
	if (hello->protocol_major != VW_PROTOCOL_MAJOR) {
		snprintf(text, sizeof(text), "it speaks version %u of the protocol, this controller %u",
			 hello->protocol_major, (unsigned)VW_PROTOCOL_MAJOR);
		vw_task_reject(j->task, VW_REJECTION_VERSION_TOO_OLD, text);
	} else if (settings->minimum_version &&
		   (!hello->agent_version || vw_version_below(hello->agent_version, settings->minimum_version))) {
		snprintf(text, sizeof(text), "agents of version %.32s or newer are taken", settings->minimum_version);
		vw_task_reject(j->task, VW_REJECTION_VERSION_TOO_OLD, text);
	} else if (!hello->has_sent_at || skew > settings->clock_skew_ms || skew < -settings->clock_skew_ms) {
		snprintf(text, sizeof(text), "its clock is %lld s from this controller's",
			 (long long)(hello->has_sent_at ? skew / 1000 : 0));
		vw_task_reject(j->task, VW_REJECTION_CLOCK_SKEW, text);
	}
}

/* Another process with this identity is alive at another replica, as far as is known: if that replica is gone, nothing is heard of it any more, and the agent may
 * come in a while. */
static bool is_elsewhere(const struct joining *j)
{
	const struct vw_session_settings *settings = j->work->settings;
	const vw_agent_presence *before = j->before;
	if (!before || !before->connected || !before->replica || strcmp(before->replica, settings->replica) == 0)
		return false;
	bool same = before->instance_id.len == j->hello->instance_id.len &&
		    memcmp(before->instance_id.data, j->hello->instance_id.data, before->instance_id.len) == 0;
	int64_t silence = 3 * settings->heartbeat_ms, left = before->last_seen_at + silence - j->task->server_time;
	if (same || left <= 0)
		return false;
	j->task->retry_after_ms =
	    (uint32_t)(left < silence ? left : silence); /* clocks of replicas differ a little */
	return true;
}

/* ---- Presence ---- */

static void keep_error(const char *error, char **out)
{
	if (error)
		*out = (char *)error;
}

static void describe(const struct joining *j, vw_agent_presence *presence)
{
	const vw_hello *hello = j->hello;
	const struct vw_stream *stream = j->task->stream;
	presence->replica = (char *)j->work->settings->replica;
	presence->session_id = (char *)stream->session_id;
	presence->has_instance_id = hello->has_instance_id;
	presence->instance_id = hello->instance_id;
	VW_SET(presence, connected, true);
	VW_SET(presence, connected_at, j->task->server_time);
	VW_SET(presence, last_seen_at, j->task->server_time);
	presence->agent_version = hello->agent_version;
	VW_SET(presence, protocol_minor, hello->protocol_minor);
	presence->hostname = hello->hostname;
	presence->source_uri = hello->source_uri;
	presence->has_policy_sha256 = hello->has_policy_sha256;
	presence->policy_sha256 = hello->policy_sha256;
	presence->has_config_sha256 = hello->has_config_sha256;
	presence->config_sha256 = hello->config_sha256;
	VW_SET(presence, last_sequence, hello->last_sequence);
	VW_SET(presence, clock_offset_ms, hello->sent_at - j->task->server_time);
	presence->n_secrets = hello->n_secrets;
	presence->secrets = hello->secrets;
}

static void put_presence(const struct joining *j, vw_agent_presence *presence)
{
	const struct vw_peer *peer = j->task->peer;
	struct vw_error err = VW_ERROR_INIT;
	VW_SET(presence, organization, peer->tenant->organization);
	presence->agent_id = (char *)peer->agent_id;
	int rc = vw_fleet_presence_put(j->work->settings->store, presence, &err);
	if (rc < 0)
		vw_task_fail(j->work, j->task, rc, &err);
}

/* An agent that was not let in: why, for its operator. What is known of it stays. */
static void put_rejection(struct joining *j)
{
	vw_agent_presence empty = VERIFYWISE__V1__AGENT_PRESENCE__INIT;
	vw_agent_presence *presence = j->before ? j->before : &empty;
	if (j->task->rejection == VW_REJECTION_UNKNOWN_AGENT)
		return;
	presence->last_rejection =
	    vw_arena_printf(j->work->arena, "%s: %s", vw_rejection_name(j->task->rejection), j->task->text);
	VW_SET(presence, last_rejection_at, j->task->server_time);
	put_presence(j, presence);
}

static void put_joined(struct joining *j)
{
	vw_agent_presence presence = VERIFYWISE__V1__AGENT_PRESENCE__INIT;
	if (j->before) {
		presence.health = j->before->health;
		presence.last_rejection = j->before->last_rejection;
		presence.has_last_rejection_at = j->before->has_last_rejection_at;
		presence.last_rejection_at = j->before->last_rejection_at;
		keep_error(j->before->policy_error, &presence.policy_error);
		keep_error(j->before->config_error, &presence.config_error);
	}
	describe(j, &presence);
	put_presence(j, &presence);
	j->task->presence_len = protobuf_c_message_get_packed_size(&presence.base);
	j->task->presence = malloc(j->task->presence_len);
	if (j->task->presence)
		protobuf_c_message_pack(&presence.base, j->task->presence);
}

/* ---- The Welcome ---- */

static bool put_certificates(const struct joining *j, vw_welcome *welcome)
{
	size_t count;
	const struct vw_bytes *chain = vw_authority_receipt_chain(j->work->settings->authority, &count);
	welcome->receipt_certificates = vw_arena_array(j->work->arena, count, sizeof(*welcome->receipt_certificates));
	if (!welcome->receipt_certificates)
		return false;
	for (size_t i = 0; i < count; i++) {
		welcome->receipt_certificates[i].data = (uint8_t *)chain[i].data;
		welcome->receipt_certificates[i].len = chain[i].len;
	}
	welcome->n_receipt_certificates = count;
	return true;
}

/* Up to a fifth of the age is taken off at random: streams that began together do not end together. */
static uint32_t jittered_age(int64_t max_age_ms)
{
	uint32_t random;
	vw_random_bytes(&random, sizeof(random));
	int64_t age = max_age_ms - (int64_t)(random % 1000) * (max_age_ms / 5) / 1000;
	return age > UINT32_MAX ? UINT32_MAX : (uint32_t)age;
}

static void fill_welcome(const struct joining *j, vw_welcome *welcome)
{
	const struct vw_session_settings *settings = j->work->settings;
	const vw_agent *agent = j->agent;
	uint64_t window = j->task->window;
	VW_SET(welcome, protocol_minor, VW_PROTOCOL_MINOR);
	welcome->session_id = (char *)j->task->stream->session_id;
	VW_SET(welcome, resume_sequence, agent->sequence + 1);
	VW_SET(welcome, join_sequence, agent->pending_join_sequence);
	VW_SET(welcome, server_time, vw_clock_now());
	VW_SET(welcome, heartbeat_ms, (uint32_t)settings->heartbeat_ms);
	VW_SET(welcome, max_age_ms, jittered_age(settings->max_age_ms));
	VW_SET(welcome, window_bytes, window);
	VW_SET(welcome, batch_entries, VW_MAX_BATCH_ENTRIES);
	VW_SET(welcome, batch_bytes, (uint32_t)(window < VW_MAX_BATCH_BYTES ? window : VW_MAX_BATCH_BYTES));
	welcome->has_acknowledged_chain_sha256 = agent->has_chain_sha256;
	welcome->acknowledged_chain_sha256 = agent->chain_sha256;
}

static int make_welcome(struct joining *j)
{
	vw_welcome welcome = VERIFYWISE__V1__WELCOME__INIT;
	struct vw_wanted wanted = {.agent = j->agent, .hello = j->hello, .before = j->before};
	int rc = vw_desired_find(j->work, j->task, &wanted, &j->err);
	if (rc < 0)
		return rc;
	fill_welcome(j, &welcome);
	if (!put_certificates(j, &welcome))
		return vw_error_set(&j->err, VW_ENOMEM, "no memory for a welcome");
	rc = vw_desired_attach(j->work, &wanted, &welcome, j->task, &j->err);
	if (rc < 0)
		return rc;
	j->task->answer = vw_message_wrap(VERIFYWISE__V1__CONTROLLER_MESSAGE__BODY_WELCOME, &welcome);
	return j->task->answer ? 0 : vw_error_set(&j->err, VW_ENOMEM, "no memory for a welcome");
}

/* ---- In order ---- */

static int ask_store(struct joining *j)
{
	const struct vw_peer *peer = j->task->peer;
	struct vw_fleet_store *store = j->work->settings->store;
	struct vw_join join = {.serial = j->task->stream->serial, .hello = j->hello, .now = j->task->server_time};
	int rejection = 0;
	int rc = vw_fleet_presence_get(store, j->work->arena, peer->tenant->organization, peer->agent_id, &j->before,
				       &j->err);
	if (rc < 0 && rc != VW_ENOTFOUND)
		return rc;
	if (is_elsewhere(j)) {
		vw_task_reject(j->task, VW_REJECTION_DUPLICATE_INSTANCE, NULL);
		return 0;
	}
	rc = vw_fleet_agent_join(store, j->work->arena, peer->tenant->organization, peer->agent_id, &join, &j->agent,
				 &rejection, &j->err);
	if (rc == 0 && rejection != 0)
		vw_task_reject(j->task, rejection, NULL);
	return rc;
}

void vw_work_join(struct vw_work *work, struct vw_task *task)
{
	struct joining j = {.work = work, .task = task, .err = VW_ERROR_INIT};
	void *message;
	if (vw_codec_read(task->message, VW_MAX_FLEET_HELLO, &verifywise__v1__agent_message__descriptor, "hello",
			  work->arena, &message, &j.err) < 0) {
		vw_task_reject(task, VW_REJECTION_MALFORMED, j.err.message);
		return;
	}
	j.hello = ((vw_agent_message *)message)->hello;
	judge_hello(&j);
	int rc = task->rejection == 0 ? ask_store(&j) : 0;
	if (rc == 0 && task->rejection == 0)
		rc = make_welcome(&j);
	if (rc < 0) {
		vw_work_overload(work, task, rc, &j.err);
		return;
	}
	if (task->rejection != 0)
		put_rejection(&j);
	else
		put_joined(&j);
}
