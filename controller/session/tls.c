#include "tls.h"

#include "base/limits.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509_vfy.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct vw_tls {
	struct vw_authority *authority;
	const char *trust_domain; /* the authority's */
	pthread_mutex_t lock;
	SSL_CTX *context; /* of now */
};

static int refuse(struct vw_error *err, const char *what)
{
	unsigned long code = ERR_get_error();
	const char *reason = code ? ERR_reason_error_string(code) : NULL;
	ERR_clear_error();
	return vw_error_set(err, VW_ECONFIG, "the certificate for agents: %s%s%s", what, reason ? ": " : "",
			    reason ? reason : "");
}

/* ---- Who may come in ---- */

/* The last question about a certificate that is of our CA, valid now and for clients: is it an agent's (S4.1)? */
static const char *look_at_leaf(X509 *certificate, struct vw_tls_peer *peer)
{
	struct vw_certificate_facts facts;
	struct vw_error err = VW_ERROR_INIT;
	unsigned char *der = NULL;
	int len = i2d_X509(certificate, &der);
	if (len <= 0)
		return "a certificate that cannot be read";
	vw_arena_reset(peer->scratch);
	int rc = vw_certificate_read((struct vw_bytes){der, (size_t)len}, peer->scratch, &facts, &err);
	OPENSSL_free(der);
	if (rc < 0)
		return "a certificate that cannot be read";
	if (!facts.has_id || facts.is_ca || facts.id.kind != VW_SPIFFE_AGENT ||
	    strcmp(facts.id.trust_domain, peer->trust_domain) != 0)
		return "not an agent's certificate";
	peer->id = facts.id;
	memcpy(peer->serial, facts.serial, sizeof(peer->serial));
	peer->not_after = facts.not_after;
	peer->is_agent = true;
	return NULL;
}

static int verify(int good, X509_STORE_CTX *store)
{
	SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
	struct vw_tls_peer *peer = SSL_get_app_data(ssl);
	if (!good || X509_STORE_CTX_get_error_depth(store) > 0)
		return good;
	peer->flaw = look_at_leaf(X509_STORE_CTX_get_current_cert(store), peer);
	if (peer->flaw)
		X509_STORE_CTX_set_error(store, X509_V_ERR_APPLICATION_VERIFICATION);
	return !peer->flaw;
}

static int choose_protocol(SSL *ssl, const unsigned char **out, unsigned char *out_len, const unsigned char *in,
			   unsigned in_len, void *arg)
{
	static const unsigned char h2[] = {2, 'h', '2'};
	unsigned char *chosen;
	(void)ssl;
	(void)arg;
	if (SSL_select_next_proto(&chosen, out_len, h2, sizeof(h2), in, in_len) != OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	*out = chosen;
	return SSL_TLSEXT_ERR_OK;
}

/* ---- A context ---- */

/* No tickets: a session that is taken up again would not be asked for its certificate. */
static bool set_rules(SSL_CTX *context)
{
	SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
				      SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_options(context, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE);
	SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, verify);
	SSL_CTX_set_verify_depth(context, VW_MAX_CERTIFICATES);
	SSL_CTX_set_max_cert_list(context, VW_MAX_CERTIFICATES * VW_MAX_CERTIFICATE);
	SSL_CTX_set_alpn_select_cb(context, choose_protocol, NULL);
	return SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION) == 1 &&
	       SSL_CTX_set_num_tickets(context, 0) == 1 &&
	       SSL_CTX_set1_groups_list(context, "X25519:P-256:P-384") == 1;
}

static BIO *bio_of(const char *text, size_t len)
{
	return BIO_new_mem_buf(text, (int)len);
}

static bool take_chain(SSL_CTX *context, const char *pem)
{
	BIO *bio = bio_of(pem, strlen(pem));
	X509 *certificate = bio ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;
	bool good = certificate && SSL_CTX_use_certificate(context, certificate) == 1;
	X509_free(certificate);
	while (good && (certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL))) {
		good = SSL_CTX_add1_chain_cert(context, certificate) == 1;
		X509_free(certificate);
	}
	ERR_clear_error(); /* that there was no more of them */
	BIO_free(bio);
	return good;
}

static bool take_key(SSL_CTX *context, const struct vw_secret *secret)
{
	BIO *bio = bio_of(vw_secret_text(secret), vw_secret_length(secret));
	EVP_PKEY *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL) : NULL;
	bool good = key && SSL_CTX_use_PrivateKey(context, key) == 1 && SSL_CTX_check_private_key(context) == 1;
	EVP_PKEY_free(key);
	BIO_free(bio);
	return good;
}

/* The one that issues agents' certificates, and nothing above it: another CA below the same root may write any name it likes (S4.1, S4.5). */
static bool take_authority(SSL_CTX *context, struct vw_authority *authority)
{
	size_t count;
	const struct vw_bytes *ours = vw_authority_chain(authority, &count);
	const unsigned char *der = ours[0].data;
	X509 *certificate = d2i_X509(NULL, &der, (long)ours[0].len);
	X509_STORE *store = SSL_CTX_get_cert_store(context);
	bool good = certificate && X509_STORE_add_cert(store, certificate) == 1 &&
		    X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN) == 1 &&
		    SSL_CTX_add_client_CA(context, certificate) == 1;
	X509_free(certificate);
	return good;
}

static int make_context(struct vw_authority *authority, SSL_CTX **out, struct vw_error *err)
{
	VW_AUTO(vw_arena_cleanup) struct vw_arena *arena = vw_arena_open(VW_MIB);
	char *chain, *authorities;
	struct vw_secret *key;
	if (!arena)
		return vw_error_set(err, VW_ENOMEM, "no memory for a certificate");
	int rc = vw_authority_server_pem(authority, arena, &chain, &key, &authorities, err);
	if (rc < 0)
		return rc;
	SSL_CTX *context = SSL_CTX_new(TLS_server_method());
	if (!context || !set_rules(context))
		rc = refuse(err, "TLS 1.3 cannot be had");
	else if (!take_chain(context, chain))
		rc = refuse(err, "it cannot be read");
	else if (!take_key(context, key))
		rc = refuse(err, "its key cannot be read or is another one's");
	else if (!take_authority(context, authority))
		rc = refuse(err, "there is no authority");
	vw_secret_close(key);
	if (rc < 0)
		SSL_CTX_free(context);
	else
		*out = context;
	return rc;
}

/* ---- The one of now ---- */

int vw_tls_reload(struct vw_tls *tls, struct vw_error *err)
{
	SSL_CTX *context, *old;
	int rc = make_context(tls->authority, &context, err);
	if (rc < 0)
		return rc;
	pthread_mutex_lock(&tls->lock);
	old = tls->context;
	tls->context = context;
	pthread_mutex_unlock(&tls->lock);
	SSL_CTX_free(old);
	return 0;
}

int vw_tls_open(struct vw_authority *authority, struct vw_tls **out, struct vw_error *err)
{
	struct vw_tls *tls = calloc(1, sizeof(*tls));
	if (!tls)
		return vw_error_set(err, VW_ENOMEM, "no memory for a certificate");
	tls->authority = authority;
	tls->trust_domain = vw_authority_trust_domain(authority);
	pthread_mutex_init(&tls->lock, NULL);
	int rc = vw_tls_reload(tls, err);
	if (rc < 0) {
		vw_tls_close(tls);
		return rc;
	}
	*out = tls;
	return 0;
}

void vw_tls_close(struct vw_tls *tls)
{
	if (!tls)
		return;
	SSL_CTX_free(tls->context);
	pthread_mutex_destroy(&tls->lock);
	free(tls);
}

SSL *vw_tls_accept(struct vw_tls *tls, int fd, struct vw_tls_peer *peer)
{
	pthread_mutex_lock(&tls->lock);
	SSL *ssl = SSL_new(tls->context);
	pthread_mutex_unlock(&tls->lock);
	peer->trust_domain = tls->trust_domain;
	if (!ssl || SSL_set_fd(ssl, fd) != 1) {
		SSL_free(ssl);
		return NULL;
	}
	SSL_set_app_data(ssl, peer);
	SSL_set_accept_state(ssl);
	return ssl;
}

const char *vw_tls_failure(const struct vw_tls_peer *peer)
{
	unsigned long code = ERR_get_error();
	const char *reason = code ? ERR_reason_error_string(code) : NULL;
	ERR_clear_error();
	if (peer->flaw)
		return peer->flaw;
	return reason ? reason : "the connection broke";
}
