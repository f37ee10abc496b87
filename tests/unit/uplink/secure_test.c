/* Whom the agent talks TLS to, and what it makes of refusals (S4.1). */
#include "peer.h"

#include "base/clock.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define HOUR (60 * 60 * 1000LL)

static struct pki pki;

static int setup(void **state)
{
	(void)state;
	pki_open(&pki);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	pki_close(&pki);
	return 0;
}

struct attempt {
	int code;
	enum vw_dial_failure failure;
	struct vw_error err;
};

static struct attempt attempt(const struct peer_order *order, int64_t patience_ms)
{
	struct attempt a = {.failure = VW_DIAL_NONE};
	struct vw_secure *secure = NULL;
	const struct vw_secure_order ours = {.socket = peer_connect(&pki, order, NULL),
					     .trust_domain = DOMAIN,
					     .server_name = "localhost",
					     .pair = &pki.pair};
	a.code = vw_secure_open(&ours, &secure, &a.err);
	assert_int_equal(a.code, 0);
	a.code = vw_secure_handshake(secure, vw_clock_monotonic() + patience_ms, NULL, &a.failure, &a.err);
	vw_secure_close(secure);
	close(ours.socket);
	peer_join();
	return a;
}

static void test_the_controller_is_taken(void **state)
{
	(void)state;
	struct attempt a = attempt(&(struct peer_order){0}, 5000);
	if (a.code != 0)
		fail_msg("%s", a.err.message);
	assert_int_equal(peer_handshake(), 0);
}

static void untrusted(struct vw_bytes certificate, const char *said)
{
	struct attempt a = attempt(&(struct peer_order){.certificate = certificate}, 5000);
	if (a.code != VW_EAUTH || a.failure != VW_DIAL_UNTRUSTED)
		fail_msg("%d, %d: %s", a.code, (int)a.failure, a.err.message);
	if (!strstr(a.err.message, said))
		fail_msg("\"%s\" does not say \"%s\"", a.err.message, said);
}

static void test_who_is_not_the_controller(void **state)
{
	int64_t now = vw_clock_now();
	(void)state;
	untrusted(pki_issue(&pki, VW_USE_CONTROLLER, VW_SPIFFE_CONTROLLER, "other.example.org", 0, 0),
		  "spiffe://" DOMAIN);
	untrusted(pki_issue(&pki, VW_USE_CONTROLLER, VW_SPIFFE_CONTROLLER, DOMAIN, now - 3 * HOUR, now - HOUR),
		  "expired");
	untrusted(pki_issue(&pki, VW_USE_CONTROLLER, VW_SPIFFE_CONTROLLER, DOMAIN, now + HOUR, now + 3 * HOUR),
		  "not valid yet");
}

static void test_another_authority(void **state)
{
	struct pki other;
	(void)state;
	pki_open(&other);
	const struct vw_bytes *trusted = pki.pair.authorities;
	pki.pair.authorities = &other.ca;
	untrusted(pki.controller, "authority");
	pki.pair.authorities = trusted;
	pki_close(&other);
}

static void test_no_http2(void **state)
{
	(void)state;
	struct attempt a = attempt(&(struct peer_order){.alpn = ""}, 5000);
	assert_int_equal(a.failure, VW_DIAL_UNREACHABLE);
	assert_non_null(strstr(a.err.message, "HTTP/2"));
	a = attempt(&(struct peer_order){.alpn = "http/1.1"}, 5000);
	assert_int_equal(a.failure, VW_DIAL_UNREACHABLE);
}

static void silent(struct peer *peer)
{
	char bytes[64];
	while (recv(peer->socket, bytes, sizeof(bytes), 0) > 0)
		continue;
}

static void test_silence_has_an_end(void **state)
{
	(void)state;
	int64_t before = vw_clock_monotonic();
	struct attempt a = attempt(&(struct peer_order){.raw = 1, .act = silent}, 600);
	assert_int_equal(a.code, VW_ETIMEOUT);
	assert_int_equal(a.failure, VW_DIAL_UNREACHABLE);
	assert_true(vw_clock_monotonic() - before < 2000);
}

static void babble(struct peer *peer)
{
	char bytes[4096];
	memset(bytes, 'A', sizeof(bytes));
	(void)!write(peer->socket, bytes, sizeof(bytes));
	silent(peer);
}

static void test_babble(void **state)
{
	(void)state;
	struct attempt a = attempt(&(struct peer_order){.raw = 1, .act = babble}, 5000);
	assert_true(a.code < 0);
	assert_int_equal(a.failure, VW_DIAL_UNREACHABLE);
}

static void test_cancelled(void **state)
{
	volatile sig_atomic_t cancel = 1;
	enum vw_dial_failure failure;
	struct vw_error err = VW_ERROR_INIT;
	struct vw_secure *secure;
	(void)state;
	const struct vw_secure_order order = {
	    .socket = peer_connect(&pki, &(struct peer_order){.raw = 1, .act = silent}, NULL),
	    .trust_domain = DOMAIN,
	    .pair = &pki.pair};
	assert_int_equal(vw_secure_open(&order, &secure, &err), 0);
	assert_int_equal(vw_secure_handshake(secure, vw_clock_monotonic() + 60000, &cancel, &failure, &err),
			 VW_ECANCELLED);
	vw_secure_close(secure);
	close(order.socket);
	peer_join();
}

static void test_an_identity_that_cannot_be_used(void **state)
{
	struct vw_identity_pair pair = pki.pair;
	struct vw_bytes garbage = {"garbage", 7};
	struct vw_error err = VW_ERROR_INIT;
	struct vw_secure *secure;
	struct vw_secure_order order = {.socket = -1, .trust_domain = DOMAIN, .pair = &pair};
	(void)state;
	pair.certificates = &garbage;
	assert_int_equal(vw_secure_open(&order, &secure, &err), VW_EINVAL);
	pair = pki.pair;
	pair.authorities = &garbage;
	assert_int_equal(vw_secure_open(&order, &secure, &err), VW_EINVAL);
	pair = pki.pair;
	pair.certificate_count = 0;
	assert_int_equal(vw_secure_open(&order, &secure, &err), VW_EINVAL);
}

static void test_what_alerts_say(void **state)
{
	static const int refused[] = {42, 43, 44, 46, 48, 49, 116};
	(void)state;
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
		assert_int_equal(vw_secure_alert_failure(refused[i]), VW_DIAL_REFUSED);
	assert_int_equal(vw_secure_alert_failure(45), VW_DIAL_EXPIRED);
	assert_int_equal(vw_secure_alert_failure(40), VW_DIAL_UNREACHABLE);
	assert_int_equal(vw_secure_alert_failure(80), VW_DIAL_UNREACHABLE);
	assert_int_equal(vw_secure_alert_failure(255), VW_DIAL_UNREACHABLE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_the_controller_is_taken),
	    cmocka_unit_test(test_who_is_not_the_controller),
	    cmocka_unit_test(test_another_authority),
	    cmocka_unit_test(test_no_http2),
	    cmocka_unit_test(test_silence_has_an_end),
	    cmocka_unit_test(test_babble),
	    cmocka_unit_test(test_cancelled),
	    cmocka_unit_test(test_an_identity_that_cannot_be_used),
	    cmocka_unit_test(test_what_alerts_say),
	};
	return cmocka_run_group_tests_name("uplink_secure", tests, setup, teardown);
}
