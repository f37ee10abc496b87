#include "doctor.h"

#include "base/clock.h"
#include "cli/terminal.h"
#include "health.h"
#include "storage/uplink.h"
#include "uplink/identity.h"
#include "uplink/probe.h"

#include <string.h>

#define CLOCK_POOR_MS 30000  /* certificates and receipts name times that people compare */
#define CLOCK_BAD_MS  300000 /* a controller refuses a Hello that is further off, unless it is configured otherwise */

/* ---- the certificate ---- */

static void check_certificate(struct doctor *d, const struct vw_identity *identity)
{
	struct vw_identity_pair pair;
	char end[VW_TIME_TEXT], left[VW_TIME_TEXT];
	int64_t now = vw_clock_now();
	vw_identity_pair(identity, &pair);
	const char *at = vw_clock_format(pair.not_after, end);
	/* half of its life, and a tenth later at most, it is renewed */
	bool late = now > pair.not_before + (pair.not_after - pair.not_before) / 10 * 7;
	if (pair.not_after <= now)
		doctor_fail(
		    d, "certificate", VW_EAUTH,
		    "vw-agent run renews it with the enrolment key, as soon as the controller's HTTPS "
		    "listener answers; if it is refused there, enroll again",
		    vw_arena_printf(d->arena, "it expired at %s", pair.not_after ? at : "no time: there is none"));
	else if (now < pair.not_before)
		doctor_fail(d, "certificate", VW_EAUTH, "this machine's clock is behind: check NTP",
			    "it is not valid yet");
	else
		doctor_add(
		    d, "certificate", late ? POOR : GOOD,
		    late ? "it should have been renewed: does vw-agent run run, and does the controller's HTTPS "
			   "listener answer it?"
			 : NULL,
		    "until %s (%s)", at, vw_clock_format_age(pair.not_after, now, left));
}

/* ---- the two ways ---- */

static const char *hint_of_way(int code)
{
	switch (code) {
	case VW_ECONFIG:
		return "see the message; controller.proxy, or https_proxy, must be http://[user:password@]host:port";
	case VW_EAUTH:
		return "the proxy wants a user and password: controller.proxy: http://user:password@host:port";
	case VW_EINVAL:
		return "something else answers there: check the address given to enroll, and what stands in front of "
		       "it";
	default:
		return "check the name, firewall and proxy (controller.proxy, https_proxy, no_proxy), and that the "
		       "controller runs";
	}
}

static void check_clock(struct doctor *d, int64_t offset_ms)
{
	int64_t size = offset_ms < 0 ? -offset_ms : offset_ms;
	enum doctor_result result = size > CLOCK_BAD_MS ? BAD : size > CLOCK_POOR_MS ? POOR : GOOD;
	if (result == BAD && !d->worst_code)
		d->worst_code = VW_EAUTH;
	doctor_add(d, "controller's clock", result,
		   result == GOOD ? NULL : "set this machine's clock, or the controller's: check NTP on both",
		   "%lld seconds %s this machine's", (long long)size / 1000, offset_ms < 0 ? "behind" : "ahead of");
}

static void check_https(struct doctor *d, const struct vw_identity *identity, const struct vw_uplink_route *route)
{
	struct vw_error err = VW_ERROR_INIT;
	int64_t offset_ms = 0;
	int code = vw_uplink_try_https(identity, route, &offset_ms, &err);
	if (code < 0) {
		doctor_fail(d, "controller's HTTPS", code,
			    code == VW_EAUTH ? "the listener's certificate is of another authority or for another "
					       "name: TLS must not be opened on the way"
					     : hint_of_way(code),
			    err.message);
		return;
	}
	doctor_add(d, "controller's HTTPS", GOOD, NULL, "answers, with a certificate of the authority enrolled with");
	check_clock(d, offset_ms);
}

static const char *hint_of_stream(bool connected, enum vw_dial_failure failure, int code)
{
	if (!connected)
		return hint_of_way(code);
	switch (failure) {
	case VW_DIAL_UNTRUSTED:
		return "another controller answers there, or something opens TLS on the way: the stream must pass "
		       "through as it is";
	case VW_DIAL_EXPIRED:
		return "vw-agent run renews the certificate";
	case VW_DIAL_REFUSED:
		return "ask the controller's operator: vw-controller agents show says whether this agent is revoked";
	default:
		return "something on the way cuts TLS 1.3 or HTTP/2: a proxy that looks into it, or a balancer "
		       "without "
		       "passthrough";
	}
}

static void check_stream(struct doctor *d, const struct vw_identity *identity, const struct vw_uplink_route *route)
{
	struct vw_error err = VW_ERROR_INIT;
	enum vw_dial_failure failure;
	bool connected;
	const char *endpoint = vw_cli_safe(d->arena, vw_identity_issued(identity)->session_endpoint);
	int code = vw_uplink_try_stream(identity, route, &connected, &failure, &err);
	if (connected || code == 0)
		doctor_add(d, "controller's address", GOOD, NULL, "%s is reached", endpoint);
	if (code < 0)
		doctor_fail(d, connected ? "controller's TLS" : "controller's address", code,
			    hint_of_stream(connected, failure, code),
			    vw_arena_printf(d->arena, "%s: %s", endpoint, err.message));
	else
		doctor_add(d, "controller's TLS", GOOD, NULL, "both certificates are accepted");
}

/* ---- what has arrived ---- */

static void check_queue(struct doctor *d, struct vw_store *store)
{
	struct vw_error err = VW_ERROR_INIT;
	struct vw_txn *txn;
	struct vw_ledger_head head;
	vw_uplink_state *state;
	char at[VW_TIME_TEXT];
	int code = vw_txn_begin_read(vw_store_kv(store), &txn, &err);
	if (code < 0)
		return;
	code = vw_store_uplink(txn, d->arena, &state, &err);
	if (code == 0)
		code = vw_store_head(txn, &head, &err);
	vw_txn_end(txn);
	if (code < 0)
		return;
	uint64_t acknowledged = state->acknowledged_sequence;
	bool late = head.sequence > acknowledged && vw_clock_now() - state->acknowledged_at > HEALTH_OVERDUE_MS;
	doctor_add(d, "acknowledged", late ? POOR : GOOD,
		   late ? "entries wait for the controller: does vw-agent run run? Its log says why they are not sent"
			: NULL,
		   "%llu of %llu entries%s%s", (unsigned long long)acknowledged, (unsigned long long)head.sequence,
		   state->acknowledged_at ? ", last at " : "",
		   state->acknowledged_at ? vw_clock_format(state->acknowledged_at, at) : "");
	if (state->paused)
		doctor_add(d, "paused", POOR, "vw-controller agents command AGENT resume lets syncs go on",
			   "the controller paused this agent");
}

void doctor_check_controller(struct doctor *d, const struct session *session)
{
	struct vw_error err = VW_ERROR_INIT;
	struct vw_identity *identity;
	const struct vw_config *config = session->config;
	struct vw_uplink_route route = {.proxy = config->controller_proxy,
					.connect_timeout_ms = config->controller_connect_timeout_ms,
					.request_timeout_ms = config->controller_request_timeout_ms,
					.cancel = &vw_cli_cancelled};
	int code = vw_identity_open(config->state_dir, &identity, &err);
	if (code == VW_ENOTFOUND)
		return;
	if (code < 0) {
		doctor_fail(d, "controller", code, "vw-agent unenroll, then enroll again", err.message);
		return;
	}
	doctor_add(d, "controller", GOOD, NULL, "organization %s",
		   vw_cli_safe(d->arena, vw_identity_issued(identity)->organization));
	check_certificate(d, identity);
	check_https(d, identity, &route);
	check_stream(d, identity, &route);
	check_queue(d, session->store);
	vw_identity_close(identity);
}
