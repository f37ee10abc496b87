#include "handshake.h"

#include "base/limits.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* One certificate with those above it, and its key. */
struct material {
	gnutls_pcert_st chain[VW_MAX_CERTIFICATES];
	unsigned count;
	gnutls_privkey_t key;
};

struct handshake {
	struct vw_authority *authority;
	pthread_mutex_t lock;
	struct material *now, *before; /* handshakes under way may still use the one before */
};

static void material_close(struct material *m)
{
	if (!m)
		return;
	for (unsigned i = 0; i < m->count; i++)
		gnutls_pcert_deinit(&m->chain[i]);
	if (m->key)
		gnutls_privkey_deinit(m->key);
	free(m);
}

static gnutls_datum_t datum_of(const char *text, size_t len)
{
	return (gnutls_datum_t){(unsigned char *)text, (unsigned)len};
}

static int fill(struct material *m, const char *chain, const struct vw_secret *key)
{
	gnutls_datum_t pem = datum_of(chain, strlen(chain));
	gnutls_datum_t key_pem = datum_of(vw_secret_text(key), vw_secret_length(key));
	m->count = VW_MAX_CERTIFICATES;
	int rc = gnutls_pcert_list_import_x509_raw(m->chain, &m->count, &pem, GNUTLS_X509_FMT_PEM, 0);
	if (rc < 0) {
		m->count = 0;
		return rc;
	}
	rc = gnutls_privkey_init(&m->key);
	return rc < 0 ? rc : gnutls_privkey_import_x509_raw(m->key, &key_pem, GNUTLS_X509_FMT_PEM, NULL, 0);
}

static int material_open(struct vw_authority *authority, struct material **out, struct vw_error *err)
{
	char *chain, *ca;
	struct vw_secret *key = NULL;
	struct vw_arena *arena VW_AUTO(vw_arena_cleanup) = vw_arena_open(0);
	struct material *m = calloc(1, sizeof(*m));
	int code = arena && m ? vw_authority_server_pem(authority, arena, &chain, &key, &ca, err)
			      : vw_error_set(err, VW_ENOMEM, "no memory for a listener");
	if (code == 0) {
		int rc = fill(m, chain, key);
		if (rc < 0)
			code =
			    vw_error_set(err, VW_ECONFIG, "the server's certificate or key: %s", gnutls_strerror(rc));
	}
	vw_secret_close(key);
	if (code < 0) {
		material_close(m);
		return code;
	}
	*out = m;
	return 0;
}

int handshake_open(struct vw_authority *authority, struct handshake **out, struct vw_error *err)
{
	struct handshake *h = calloc(1, sizeof(*h));
	if (!h)
		return vw_error_set(err, VW_ENOMEM, "no memory for a listener");
	h->authority = authority;
	pthread_mutex_init(&h->lock, NULL);
	int code = material_open(authority, &h->now, err);
	if (code < 0) {
		handshake_close(h);
		return code;
	}
	*out = h;
	return 0;
}

void handshake_close(struct handshake *h)
{
	if (!h)
		return;
	material_close(h->now);
	material_close(h->before);
	pthread_mutex_destroy(&h->lock);
	free(h);
}

int handshake_renew(struct handshake *h, struct vw_error *err)
{
	struct material *next;
	int code = material_open(h->authority, &next, err);
	if (code < 0)
		return code;
	pthread_mutex_lock(&h->lock);
	struct material *old = h->before;
	h->before = h->now;
	h->now = next;
	pthread_mutex_unlock(&h->lock);
	material_close(old);
	return 0;
}

void handshake_show(struct handshake *h, gnutls_pcert_st **out_chain, unsigned *out_count, gnutls_privkey_t *out_key)
{
	pthread_mutex_lock(&h->lock);
	*out_chain = h->now->chain;
	*out_count = h->now->count;
	*out_key = h->now->key;
	pthread_mutex_unlock(&h->lock);
}
