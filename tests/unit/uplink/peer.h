/* peer.h: a controller's end of TLS for tests (mbedTLS as a server), in a thread, on a real TCP connection; and the certificates for it. */
#ifndef TEST_UPLINK_PEER_H
#define TEST_UPLINK_PEER_H

#include "cmocka_all.h"

#include "fleet/certificate.h"
#include "secure.h"

#include <mbedtls/ssl.h>

#define DOMAIN "fleet.example.org"

/* Whose certificates are what. */
struct pki {
	struct vw_arena *arena;
	struct vw_key *ca_key, *key, *agent_key;
	struct vw_bytes ca, controller, agent;
	struct vw_identity_pair pair; /* the agent's */
};
void pki_open(struct pki *pki);
void pki_close(struct pki *pki);
/* For the pki's `key`, by its CA; 0, 0: valid now. */
struct vw_bytes pki_issue(struct pki *pki, enum vw_certificate_use use, enum vw_spiffe_kind kind, const char *domain,
			  int64_t not_before, int64_t not_after);
/* For the agent's key. */
struct vw_bytes pki_issue_agent(struct pki *pki, int64_t not_before, int64_t not_after);

struct peer;
/* What the peer does when the handshake is over; the socket is closed afterwards. */
typedef void (*peer_act)(struct peer *peer);

struct peer_order {
	struct vw_bytes certificate; /* NULL data: the pki's controller */
	const char *alpn;            /* NULL: "h2"; "": none */
	bool any_client;             /* does not look at the client's certificate */
	int raw;                     /* no TLS at all: `act` has the socket */
	peer_act act;
};

struct peer {
	int socket; /* its end */
	mbedtls_ssl_context ssl;
	int handshake; /* mbedTLS's result */
	void *arg;
};

/* A connection to a new peer; its socket does not block. The peer's thread runs. */
int peer_connect(struct pki *pki, const struct peer_order *order, void *arg);
/* Waits for the thread. */
void peer_join(void);
/* The result of its handshake, after peer_join(). */
int peer_handshake(void);

/* For acts. */
void peer_send(struct peer *peer, const void *bytes, size_t len);
size_t peer_read(struct peer *peer, void *bytes, size_t len); /* 0: the end */
void peer_alert(struct peer *peer, int alert);
void peer_reset(struct peer *peer); /* RST when it is closed */

#endif
