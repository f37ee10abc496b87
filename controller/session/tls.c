#include "tls.h"

#include "base/arena.h"
#include "base/limits.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct vw_tls {
	struct vw_authority *authority;
	pthread_mutex_t lock; /* of what follows: handshakes are on gRPC's threads */
	char *chain, *authorities;
	struct vw_secret *key;
	uint64_t generation;
};

/* gRPC core 1.51 lets nobody say in C that TLS 1.2 is not wanted. But its list of cipher suites, which is read from here, counts only for TLS 1.2 (those of 1.3
 * are apart), and a suite for pre-shared keys is never agreed on by a server that has none. In a constructor: the environment may be written only while there is
 * one thread. */
__attribute__((constructor)) static void demand_tls_1_3(void)
{
	setenv("GRPC_SSL_CIPHER_SUITES", "PSK-AES128-GCM-SHA256", 1);
}

int vw_tls_reload(struct vw_tls *tls, struct vw_error *err)
{
	VW_AUTO(vw_arena_cleanup) struct vw_arena *arena = vw_arena_open(VW_MIB);
	char *chain, *authorities;
	struct vw_secret *key;
	if (!arena)
		return vw_error_set(err, VW_ENOMEM, "no memory for a certificate");
	int rc = vw_authority_server_pem(tls->authority, arena, &chain, &key, &authorities, err);
	if (rc < 0)
		return rc;
	chain = strdup(chain);
	authorities = strdup(authorities);
	if (!chain || !authorities) {
		free(chain);
		free(authorities);
		vw_secret_close(key);
		return vw_error_set(err, VW_ENOMEM, "no memory for a certificate");
	}
	pthread_mutex_lock(&tls->lock);
	free(tls->chain);
	free(tls->authorities);
	vw_secret_close(tls->key);
	tls->chain = chain;
	tls->authorities = authorities;
	tls->key = key;
	tls->generation++;
	pthread_mutex_unlock(&tls->lock);
	return 0;
}

int vw_tls_open(struct vw_authority *authority, struct vw_tls **out, struct vw_error *err)
{
	struct vw_tls *tls = calloc(1, sizeof(*tls));
	if (!tls)
		return vw_error_set(err, VW_ENOMEM, "no memory for a certificate");
	tls->authority = authority;
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
	free(tls->chain);
	free(tls->authorities);
	vw_secret_close(tls->key);
	pthread_mutex_destroy(&tls->lock);
	free(tls);
}

/* Before each handshake. */
static grpc_ssl_certificate_config_reload_status fetch(void *arg, grpc_ssl_server_certificate_config **out)
{
	struct vw_tls_view *view = arg;
	struct vw_tls *tls = view->tls;
	grpc_ssl_certificate_config_reload_status status = GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_UNCHANGED;
	pthread_mutex_lock(&tls->lock);
	if (view->generation != tls->generation) {
		grpc_ssl_pem_key_cert_pair pair = {.private_key = vw_secret_text(tls->key), .cert_chain = tls->chain};
		*out = grpc_ssl_server_certificate_config_create(tls->authorities, &pair, 1);
		status = *out ? GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_NEW : GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_FAIL;
		view->generation = tls->generation;
	}
	pthread_mutex_unlock(&tls->lock);
	return status;
}

grpc_server_credentials *vw_tls_credentials(struct vw_tls *tls, struct vw_tls_view *view)
{
	view->tls = tls;
	view->generation = 0;
	grpc_ssl_server_credentials_options *options =
	    grpc_ssl_server_credentials_create_options_using_config_fetcher(
		GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY, fetch, view);
	return options ? grpc_ssl_server_credentials_create_with_options(options) : NULL;
}
