#include "peer.h"

#include "base/clock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <psa/crypto.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HOUR (60 * 60 * 1000LL)

/* ---- certificates ---- */

static struct vw_bytes issue(struct pki *pki, enum vw_certificate_use use, const struct vw_spiffe *id,
			     const struct vw_key *subject, int64_t before, int64_t after)
{
	static const char *const hosts[] = {"localhost", "127.0.0.1", NULL};
	struct vw_error err = VW_ERROR_INIT;
	struct vw_bytes public, out;
	char serial[VW_SERIAL_MAX];
	assert_int_equal(vw_key_public(subject, pki->arena, &public, &err), 0);
	const struct vw_certificate_order order = {.use = use,
						   .id = *id,
						   .common_name = "test",
						   .hosts = use == VW_USE_CONTROLLER ? hosts : NULL,
						   .public_key = public,
						   .not_before = before ? before : vw_clock_now() - HOUR,
						   .not_after = after ? after : vw_clock_now() + 24 * HOUR};
	if (vw_certificate_issue(&order, use == VW_USE_CA ? (struct vw_bytes){0} : pki->ca, pki->ca_key, pki->arena,
				 &out, serial, &err) != 0)
		fail_msg("%s", err.message);
	return out;
}

struct vw_bytes pki_issue(struct pki *pki, enum vw_certificate_use use, enum vw_spiffe_kind kind, const char *domain,
			  int64_t not_before, int64_t not_after)
{
	struct vw_spiffe id = {.kind = kind, .organization = 7};
	snprintf(id.trust_domain, sizeof(id.trust_domain), "%s", domain);
	snprintf(id.agent_id, sizeof(id.agent_id), "00000000-0000-4000-8000-000000000000");
	return issue(pki, use, &id, pki->key, not_before, not_after);
}

struct vw_bytes pki_issue_agent(struct pki *pki, int64_t not_before, int64_t not_after)
{
	struct vw_spiffe id = {.kind = VW_SPIFFE_AGENT, .organization = 7, .trust_domain = DOMAIN};
	snprintf(id.agent_id, sizeof(id.agent_id), "00000000-0000-4000-8000-000000000001");
	return issue(pki, VW_USE_AGENT, &id, pki->agent_key, not_before, not_after);
}

void pki_open(struct pki *pki)
{
	struct vw_error err = VW_ERROR_INIT;
	struct vw_spiffe none = {.trust_domain = DOMAIN};
	memset(pki, 0, sizeof(*pki));
	assert_int_equal(psa_crypto_init(), PSA_SUCCESS);
	pki->arena = vw_arena_open(0);
	assert_int_equal(vw_key_generate(&pki->ca_key, &err), 0);
	assert_int_equal(vw_key_generate(&pki->key, &err), 0);
	assert_int_equal(vw_key_generate(&pki->agent_key, &err), 0);
	pki->ca = issue(pki, VW_USE_CA, &none, pki->ca_key, vw_clock_now() - 24 * HOUR, vw_clock_now() + 100 * HOUR);
	pki->controller = pki_issue(pki, VW_USE_CONTROLLER, VW_SPIFFE_CONTROLLER, DOMAIN, 0, 0);
	pki->agent = pki_issue_agent(pki, 0, 0);
	pki->pair = (struct vw_identity_pair){.key = pki->agent_key,
					      .certificates = &pki->agent,
					      .certificate_count = 1,
					      .authorities = &pki->ca,
					      .authority_count = 1};
}

void pki_close(struct pki *pki)
{
	vw_key_close(pki->ca_key);
	vw_key_close(pki->key);
	vw_key_close(pki->agent_key);
	vw_arena_close(pki->arena);
}

/* ---- the peer ---- */

/* One at a time. */
static struct {
	pthread_t thread;
	struct peer peer;
	struct peer_order order;
	mbedtls_ssl_config config;
	mbedtls_x509_crt own, trusted;
} now;

static int sock_send(void *arg, const unsigned char *bytes, size_t len)
{
	const struct peer *peer = arg;
	ssize_t sent = send(peer->socket, bytes, len, MSG_NOSIGNAL);
	return sent >= 0 ? (int)sent : MBEDTLS_ERR_SSL_CONN_EOF;
}

static int sock_recv(void *arg, unsigned char *bytes, size_t len)
{
	const struct peer *peer = arg;
	ssize_t got = recv(peer->socket, bytes, len, 0);
	return got >= 0 ? (int)got : MBEDTLS_ERR_SSL_CONN_EOF;
}

static void configure(struct pki *pki)
{
	static const char *protocols[2];
	const struct vw_bytes *own = now.order.certificate.data ? &now.order.certificate : &pki->controller;
	mbedtls_ssl_config *config = &now.config;
	mbedtls_ssl_config_init(config);
	mbedtls_x509_crt_init(&now.own);
	mbedtls_x509_crt_init(&now.trusted);
	mbedtls_ssl_init(&now.peer.ssl);
	assert_int_equal(mbedtls_ssl_config_defaults(config, MBEDTLS_SSL_IS_SERVER, MBEDTLS_SSL_TRANSPORT_STREAM,
						     MBEDTLS_SSL_PRESET_DEFAULT),
			 0);
	assert_int_equal(mbedtls_x509_crt_parse_der(&now.own, own->data, own->len), 0);
	assert_int_equal(mbedtls_x509_crt_parse_der(&now.trusted, pki->ca.data, pki->ca.len), 0);
	mbedtls_ssl_conf_rng(config, vw_key_random, NULL);
	mbedtls_ssl_conf_ca_chain(config, &now.trusted, NULL);
	mbedtls_ssl_conf_authmode(config,
				  now.order.any_client ? MBEDTLS_SSL_VERIFY_OPTIONAL : MBEDTLS_SSL_VERIFY_REQUIRED);
	assert_int_equal(mbedtls_ssl_conf_own_cert(config, &now.own, vw_key_context(pki->key)), 0);
	protocols[0] = now.order.alpn ? now.order.alpn : "h2";
	if (protocols[0][0])
		assert_int_equal(mbedtls_ssl_conf_alpn_protocols(config, protocols), 0);
	assert_int_equal(mbedtls_ssl_setup(&now.peer.ssl, config), 0);
	mbedtls_ssl_set_bio(&now.peer.ssl, &now.peer, sock_send, sock_recv, NULL);
}

static void *serve(void *arg)
{
	(void)arg;
	if (!now.order.raw)
		now.peer.handshake = mbedtls_ssl_handshake(&now.peer.ssl);
	if (now.peer.handshake == 0 && now.order.act)
		now.order.act(&now.peer);
	close(now.peer.socket);
	return NULL;
}

int peer_connect(struct pki *pki, const struct peer_order *order, void *arg)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(address);
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(listener, (struct sockaddr *)&address, len), 0);
	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &len), 0);
	int ours = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(ours, (struct sockaddr *)&address, len), 0);
	now.order = *order;
	now.peer.arg = arg;
	now.peer.handshake = 0;
	now.peer.socket = accept(listener, NULL, NULL);
	close(listener);
	configure(pki);
	assert_int_equal(pthread_create(&now.thread, NULL, serve, NULL), 0);
	assert_int_equal(fcntl(ours, F_SETFL, O_NONBLOCK), 0);
	return ours;
}

void peer_join(void)
{
	pthread_join(now.thread, NULL);
	mbedtls_ssl_free(&now.peer.ssl);
	mbedtls_ssl_config_free(&now.config);
	mbedtls_x509_crt_free(&now.own);
	mbedtls_x509_crt_free(&now.trusted);
}

int peer_handshake(void)
{
	return now.peer.handshake;
}

/* ---- for acts ---- */

void peer_send(struct peer *peer, const void *bytes, size_t len)
{
	for (size_t at = 0; at < len;) {
		int sent = mbedtls_ssl_write(&peer->ssl, (const unsigned char *)bytes + at, len - at);
		if (sent <= 0)
			return;
		at += (size_t)sent;
	}
}

size_t peer_read(struct peer *peer, void *bytes, size_t len)
{
	int got = mbedtls_ssl_read(&peer->ssl, bytes, len);
	return got > 0 ? (size_t)got : 0;
}

void peer_alert(struct peer *peer, int alert)
{
	mbedtls_ssl_send_alert_message(&peer->ssl, MBEDTLS_SSL_ALERT_LEVEL_FATAL, (unsigned char)alert);
}

void peer_reset(struct peer *peer)
{
	const struct linger at_once = {.l_onoff = 1};
	setsockopt(peer->socket, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
}
