#include "secure.h"

#include "base/clock.h"
#include "base/limits.h"
#include "fleet/certificate.h"

#include <errno.h>
#include <mbedtls/error.h>
#include <mbedtls/ssl.h>
#include <poll.h>
#include <psa/crypto.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define POLL_SLICE_MS 250 /* how late a cancellation may be noticed */

struct vw_secure {
	int socket;
	int error; /* errno of the socket's last failure */
	struct vw_arena *arena;
	const char *trust_domain;
	const struct vw_bytes *authorities; /* in the arena */
	size_t authority_count;
	mbedtls_ssl_config config;
	mbedtls_ssl_context session;
	mbedtls_x509_crt own;
	mbedtls_x509_crt trusted;
};

/* ---- the socket ---- */

static int socket_send(void *arg, const unsigned char *bytes, size_t len)
{
	struct vw_secure *secure = arg;
	ssize_t sent = send(secure->socket, bytes, len, MSG_NOSIGNAL);
	if (sent >= 0)
		return (int)sent;
	if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)
		return MBEDTLS_ERR_SSL_WANT_WRITE;
	secure->error = errno;
	return MBEDTLS_ERR_SSL_CONN_EOF;
}

static int socket_receive(void *arg, unsigned char *bytes, size_t len)
{
	struct vw_secure *secure = arg;
	ssize_t got = recv(secure->socket, bytes, len, 0);
	if (got >= 0)
		return (int)got;
	if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)
		return MBEDTLS_ERR_SSL_WANT_READ;
	secure->error = errno;
	return MBEDTLS_ERR_SSL_CONN_EOF;
}

/* ---- opening ---- */

static int parse_all(mbedtls_x509_crt *chain, const struct vw_bytes *list, size_t count)
{
	if (count == 0)
		return MBEDTLS_ERR_X509_BAD_INPUT_DATA;
	for (size_t i = 0; i < count; i++) {
		int result = mbedtls_x509_crt_parse_der(chain, list[i].data, list[i].len);
		if (result != 0)
			return result;
	}
	return 0;
}

static int keep_authorities(struct vw_secure *secure, const struct vw_identity_pair *pair)
{
	struct vw_bytes *list = vw_arena_array(secure->arena, pair->authority_count, sizeof(*list));
	for (size_t i = 0; list && i < pair->authority_count; i++) {
		list[i].data = vw_arena_memdup(secure->arena, pair->authorities[i].data, pair->authorities[i].len);
		list[i].len = pair->authorities[i].len;
	}
	secure->authorities = list;
	secure->authority_count = pair->authority_count;
	return vw_arena_failed(secure->arena) ? MBEDTLS_ERR_SSL_ALLOC_FAILED : 0;
}

/* A controller is known by its SPIFFE id, not by the name under which it was reached. */
static int forgive_host_name(void *arg, mbedtls_x509_crt *certificate, int depth, uint32_t *flags)
{
	(void)arg, (void)certificate;
	if (depth == 0)
		*flags &= ~(uint32_t)MBEDTLS_X509_BADCERT_CN_MISMATCH;
	return 0;
}

/* All three of TLS 1.3 (RFC 8446, 9.1), the cheapest first. */
static const int CIPHERSUITES[] = {MBEDTLS_TLS1_3_AES_128_GCM_SHA256, MBEDTLS_TLS1_3_AES_256_GCM_SHA384,
				   MBEDTLS_TLS1_3_CHACHA20_POLY1305_SHA256, 0};
static const char *ALPN[] = {"h2", NULL};

static int configure(struct vw_secure *secure, const struct vw_secure_order *order)
{
	mbedtls_ssl_config *config = &secure->config;
	int result = mbedtls_ssl_config_defaults(config, MBEDTLS_SSL_IS_CLIENT, MBEDTLS_SSL_TRANSPORT_STREAM,
						 MBEDTLS_SSL_PRESET_DEFAULT);
	if (result == 0)
		result = parse_all(&secure->own, order->pair->certificates, order->pair->certificate_count);
	if (result == 0)
		result = parse_all(&secure->trusted, order->pair->authorities, order->pair->authority_count);
	if (result == 0)
		result = keep_authorities(secure, order->pair);
	if (result != 0)
		return result;
	mbedtls_ssl_conf_min_tls_version(config, MBEDTLS_SSL_VERSION_TLS1_3);
	mbedtls_ssl_conf_max_tls_version(config, MBEDTLS_SSL_VERSION_TLS1_3);
	mbedtls_ssl_conf_ciphersuites(config, CIPHERSUITES);
	mbedtls_ssl_conf_rng(config, vw_key_random, NULL);
	mbedtls_ssl_conf_authmode(config, MBEDTLS_SSL_VERIFY_REQUIRED);
	mbedtls_ssl_conf_ca_chain(config, &secure->trusted, NULL);
	mbedtls_ssl_conf_verify(config, forgive_host_name, NULL);
	mbedtls_ssl_conf_session_tickets(config, MBEDTLS_SSL_SESSION_TICKETS_DISABLED);
	result = mbedtls_ssl_conf_alpn_protocols(config, ALPN);
	if (result == 0)
		result = mbedtls_ssl_conf_own_cert(config, &secure->own, vw_key_context(order->pair->key));
	return result;
}

static int begin(struct vw_secure *secure, const struct vw_secure_order *order)
{
	int result = psa_crypto_init() == PSA_SUCCESS ? 0 : MBEDTLS_ERR_SSL_INTERNAL_ERROR;
	if (result == 0)
		result = configure(secure, order);
	if (result == 0)
		result = mbedtls_ssl_setup(&secure->session, &secure->config);
	if (result == 0)
		result = mbedtls_ssl_set_hostname(&secure->session, order->server_name);
	if (result == 0)
		mbedtls_ssl_set_bio(&secure->session, secure, socket_send, socket_receive, NULL);
	return result;
}

int vw_secure_open(const struct vw_secure_order *order, struct vw_secure **out, struct vw_error *err)
{
	char why[128];
	struct vw_secure *secure = calloc(1, sizeof(*secure));
	if (!secure)
		return vw_error_set(err, VW_ENOMEM, "no memory for a TLS session");
	secure->socket = order->socket;
	mbedtls_ssl_config_init(&secure->config);
	mbedtls_ssl_init(&secure->session);
	mbedtls_x509_crt_init(&secure->own);
	mbedtls_x509_crt_init(&secure->trusted);
	secure->arena = vw_arena_open(VW_MIB);
	secure->trust_domain = secure->arena ? vw_arena_strdup(secure->arena, order->trust_domain) : NULL;
	int result = secure->trust_domain ? begin(secure, order) : MBEDTLS_ERR_SSL_ALLOC_FAILED;
	if (result == 0) {
		*out = secure;
		return 0;
	}
	vw_secure_close(secure);
	mbedtls_strerror(result, why, sizeof(why));
	return vw_error_set(err, result == MBEDTLS_ERR_SSL_ALLOC_FAILED ? VW_ENOMEM : VW_EINVAL,
			    "this agent's key, certificate and authorities cannot be used: %s", why);
}

void vw_secure_close(struct vw_secure *secure)
{
	if (!secure)
		return;
	mbedtls_ssl_free(&secure->session);
	mbedtls_ssl_config_free(&secure->config);
	mbedtls_x509_crt_free(&secure->own);
	mbedtls_x509_crt_free(&secure->trusted);
	vw_arena_close(secure->arena);
	free(secure);
}

/* ---- what went wrong ---- */

enum { ALERT_BAD_CERTIFICATE = 42, ALERT_EXPIRED = 45, ALERT_REQUIRED = 116 };

static const struct alert {
	int number;
	enum vw_dial_failure failure;
	const char *text;
} ALERTS[] = {
    {40, VW_DIAL_UNREACHABLE, "no common TLS parameters"},
    {ALERT_BAD_CERTIFICATE, VW_DIAL_REFUSED, "bad certificate"},
    {43, VW_DIAL_REFUSED, "unsupported certificate"},
    {44, VW_DIAL_REFUSED, "certificate revoked"},
    {ALERT_EXPIRED, VW_DIAL_EXPIRED, "certificate expired"},
    {46, VW_DIAL_REFUSED, "certificate unknown"},
    {48, VW_DIAL_REFUSED, "unknown certificate authority"},
    {49, VW_DIAL_REFUSED, "access denied"},
    {70, VW_DIAL_UNREACHABLE, "no TLS 1.3"},
    {ALERT_REQUIRED, VW_DIAL_REFUSED, "certificate required"},
    {120, VW_DIAL_UNREACHABLE, "no HTTP/2"},
};

static const struct alert *find_alert(int number)
{
	for (size_t i = 0; i < sizeof(ALERTS) / sizeof(ALERTS[0]); i++) {
		if (ALERTS[i].number == number)
			return &ALERTS[i];
	}
	return NULL;
}

enum vw_dial_failure vw_secure_alert_failure(int number)
{
	const struct alert *alert = find_alert(number);
	return alert ? alert->failure : VW_DIAL_UNREACHABLE;
}

static enum vw_dial_failure alert_received(const struct vw_secure *secure, struct vw_error *err)
{
	/* 3.6 has no call that gives the number; the message that was read last is the alert: level, description */
	int number = secure->session.MBEDTLS_PRIVATE(in_msg)[1];
	const struct alert *alert = find_alert(number);
	enum vw_dial_failure failure = vw_secure_alert_failure(number);
	if (failure == VW_DIAL_UNREACHABLE)
		vw_error_set(err, VW_EAGAIN, "the peer ended the TLS session (alert %d%s%s)", number,
			     alert ? ": " : "", alert ? alert->text : "");
	else
		vw_error_set(err, VW_EAUTH, "the peer refuses this agent's certificate (alert %d: %s)", number,
			     alert->text);
	return failure;
}

static enum vw_dial_failure untrusted(uint32_t flags, struct vw_error *err)
{
	const char *why = "it is not of an authority that this agent trusts";
	if (flags & MBEDTLS_X509_BADCERT_MISSING)
		why = "there is none";
	else if (flags & MBEDTLS_X509_BADCERT_EXPIRED)
		why = "it has expired (or this machine's clock is wrong)";
	else if (flags & MBEDTLS_X509_BADCERT_FUTURE)
		why = "it is not valid yet (or this machine's clock is wrong)";
	else if (flags & (MBEDTLS_X509_BADCERT_KEY_USAGE | MBEDTLS_X509_BADCERT_EXT_KEY_USAGE))
		why = "it is not for a server";
	else if (flags & (MBEDTLS_X509_BADCERT_BAD_MD | MBEDTLS_X509_BADCERT_BAD_PK | MBEDTLS_X509_BADCERT_BAD_KEY))
		why = "its algorithms are too weak";
	vw_error_set(err, VW_EAUTH, "the peer's certificate is not the controller's: %s", why);
	return VW_DIAL_UNTRUSTED;
}

static enum vw_dial_failure explain(const struct vw_secure *secure, int result, struct vw_error *err)
{
	char why[128];
	uint32_t flags = mbedtls_ssl_get_verify_result(&secure->session);
	if (result == MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE)
		return alert_received(secure, err);
	if (flags != 0 && flags != UINT32_MAX)
		return untrusted(flags, err);
	if (result == MBEDTLS_ERR_SSL_CONN_EOF || result == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY || result == 0) {
		vw_error_set(err, VW_EAGAIN, "the connection was %s%s%s",
			     result == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY ? "closed by the peer" : "cut",
			     secure->error ? ": " : "", secure->error ? strerror(secure->error) : "");
		return VW_DIAL_UNREACHABLE;
	}
	mbedtls_strerror(result, why, sizeof(why));
	vw_error_set(err, VW_EAGAIN, "the peer does not speak TLS 1.3 as it should: %s", why);
	return VW_DIAL_UNREACHABLE;
}

/* ---- handshake ---- */

static int check_chain(struct vw_secure *secure, const mbedtls_x509_crt *peer, struct vw_bytes leaf,
		       struct vw_error *err)
{
	struct vw_bytes intermediates[VW_MAX_CERTIFICATES];
	size_t count = 0;
	for (const mbedtls_x509_crt *next = peer->next; next; next = next->next) {
		if (count == VW_MAX_CERTIFICATES)
			return vw_error_set(err, VW_ELIMIT, "more than %d certificates (VW_MAX_CERTIFICATES)",
					    VW_MAX_CERTIFICATES);
		intermediates[count++] = (struct vw_bytes){next->raw.p, next->raw.len};
	}
	return vw_certificate_check(leaf, intermediates, count, secure->authorities, secure->authority_count,
				    VW_USE_CONTROLLER, vw_clock_now(), err);
}

/* Beyond what mbedTLS checked: that it is for a controller, and of this trust domain. */
static int check_peer(struct vw_secure *secure, struct vw_error *err)
{
	struct vw_certificate_facts facts;
	const mbedtls_x509_crt *peer = mbedtls_ssl_get_peer_cert(&secure->session);
	if (!peer)
		return vw_error_set(err, VW_EAUTH, "there is none");
	struct vw_bytes leaf = {peer->raw.p, peer->raw.len};
	int code = check_chain(secure, peer, leaf, err);
	if (code == 0)
		code = vw_certificate_read(leaf, secure->arena, &facts, err);
	if (code < 0)
		return code;
	if (!facts.has_id || facts.id.kind != VW_SPIFFE_CONTROLLER ||
	    strcmp(facts.id.trust_domain, secure->trust_domain) != 0)
		return vw_error_set(err, VW_EAUTH, "its name is not spiffe://%s/controller", secure->trust_domain);
	return 0;
}

static int accept_peer(struct vw_secure *secure, enum vw_dial_failure *out_failure, struct vw_error *err)
{
	struct vw_error why = VW_ERROR_INIT;
	const char *protocol = mbedtls_ssl_get_alpn_protocol(&secure->session);
	if (check_peer(secure, &why) < 0) {
		mbedtls_ssl_send_alert_message(&secure->session, MBEDTLS_SSL_ALERT_LEVEL_FATAL,
					       ALERT_BAD_CERTIFICATE);
		*out_failure = VW_DIAL_UNTRUSTED;
		return vw_error_set(err, VW_EAUTH, "the peer's certificate is not the controller's: %s", why.message);
	}
	if (!protocol || strcmp(protocol, ALPN[0]) != 0) {
		*out_failure = VW_DIAL_UNREACHABLE;
		return vw_error_set(err, VW_EUNSUPPORTED, "the controller does not speak HTTP/2 here (ALPN)");
	}
	return 0;
}

/* 0: the socket is ready, or a slice of the time is over. */
static int await(const struct vw_secure *secure, int result, int64_t deadline, const volatile sig_atomic_t *cancel,
		 struct vw_error *err)
{
	struct pollfd fd = {.fd = secure->socket, .events = result == MBEDTLS_ERR_SSL_WANT_WRITE ? POLLOUT : POLLIN};
	int64_t left = deadline - vw_clock_monotonic();
	if (cancel && __atomic_load_n(cancel, __ATOMIC_RELAXED))
		return vw_error_set(err, VW_ECANCELLED, "cancelled");
	if (left <= 0)
		return vw_error_set(err, VW_ETIMEOUT, "the TLS handshake took too long");
	if (poll(&fd, 1, (int)(left < POLL_SLICE_MS ? left : POLL_SLICE_MS)) < 0 && errno != EINTR)
		return vw_error_set(err, VW_EIO, "poll: %s", strerror(errno));
	return 0;
}

int vw_secure_handshake(struct vw_secure *secure, int64_t deadline, const volatile sig_atomic_t *cancel,
			enum vw_dial_failure *out_failure, struct vw_error *err)
{
	for (;;) {
		int result = mbedtls_ssl_handshake(&secure->session);
		if (result == 0)
			return accept_peer(secure, out_failure, err);
		if (result != MBEDTLS_ERR_SSL_WANT_READ && result != MBEDTLS_ERR_SSL_WANT_WRITE) {
			struct vw_error why = VW_ERROR_INIT;
			*out_failure = explain(secure, result, &why);
			return vw_error_set(err, why.code, "%s", why.message);
		}
		int code = await(secure, result, deadline, cancel, err);
		if (code < 0) {
			*out_failure = VW_DIAL_UNREACHABLE;
			return code;
		}
	}
}

/* ---- steps ---- */

static bool passes(int result, struct vw_secure_step *step)
{
	step->wants = result == MBEDTLS_ERR_SSL_WANT_WRITE ? POLLOUT : POLLIN;
	return result == MBEDTLS_ERR_SSL_WANT_WRITE || result == MBEDTLS_ERR_SSL_WANT_READ ||
	       result == MBEDTLS_ERR_SSL_RECEIVED_NEW_SESSION_TICKET;
}

void vw_secure_read(struct vw_secure *secure, void *out, size_t size, struct vw_secure_step *step,
		    struct vw_error *err)
{
	*step = (struct vw_secure_step){0};
	int result = mbedtls_ssl_read(&secure->session, out, size);
	if (result > 0) {
		step->bytes = (size_t)result;
		return;
	}
	if (passes(result, step))
		return;
	step->wants = 0;
	step->ended = true;
	step->failure = explain(secure, result, err);
}

void vw_secure_write(struct vw_secure *secure, const void *bytes, size_t len, struct vw_secure_step *step,
		     struct vw_error *err)
{
	*step = (struct vw_secure_step){0};
	int result = mbedtls_ssl_write(&secure->session, bytes, len);
	if (result >= 0) {
		step->bytes = (size_t)result;
		return;
	}
	if (passes(result, step))
		return;
	step->wants = 0;
	step->ended = true;
	step->failure = explain(secure, result, err);
}

bool vw_secure_pending(const struct vw_secure *secure)
{
	return mbedtls_ssl_check_pending(&secure->session) != 0;
}

void vw_secure_goodbye(struct vw_secure *secure)
{
	mbedtls_ssl_close_notify(&secure->session);
}
