/* listener.c: libmicrohttpd's life: sockets, TLS, threads. What is said on a connection is exchange.c's. */
#include "base/clock.h"
#include "base/limits.h"
#include "exchange.h"
#include "sockets.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STACK_BYTES (512 * VW_KIB) /* of the thread that each connection has */
#define HEAD_BYTES  (32 * VW_KIB)  /* of a request's line and headers */

#define DRAIN_MS      5000 /* for answers under way, when the listener stops */
#define DRAIN_STEP_US 20000

/* TLS 1.2 and 1.3 with forward secrecy and authenticated encryption, nothing older. */
#define TLS                                                                                                          \
	"NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:-RSA:-DHE-RSA:-CIPHER-ALL:+AES-256-GCM:+AES-128-GCM:"            \
	"+CHACHA20-POLY1305"

/* Path and query as they were sent: they are decoded piece by piece, so that %2F is no separator. */
static size_t keep_encoded(void *cls, struct MHD_Connection *connection, char *text)
{
	(void)cls, (void)connection;
	return strlen(text);
}

/* GnuTLS' callback is told its session alone, of which libmicrohttpd made the connection known to it. */
static int show_certificate(gnutls_session_t session, const gnutls_datum_t *authorities, int authority_count,
			    const gnutls_pk_algorithm_t *algorithms, int algorithm_count, gnutls_pcert_st **chain,
			    unsigned *count, gnutls_privkey_t *key)
{
	(void)authorities, (void)authority_count, (void)algorithms, (void)algorithm_count;
	struct MHD_Connection *connection = gnutls_session_get_ptr(session);
	const struct guest *guest = connection ? exchange_guest(connection) : NULL;
	if (!guest)
		return -1;
	const struct vw_listener *listener = guest_host(guest);
	handshake_show(listener->handshake, chain, count, key);
	return 0;
}

static struct MHD_Daemon *start_daemon(struct vw_listener *l, int fd)
{
	int connections = l->settings.connections;
	/* one address may not take all; behind a proxy, on loopback, all have one */
	int of_one = l->handshake && connections > 1 ? connections / 2 : 0;
	/* POSIX lets a pointer to a function be one to void; C does not say so. NOLINTNEXTLINE(performance-no-int-to-ptr) */
	void *callback = (void *)(uintptr_t)show_certificate;
	struct MHD_OptionItem tls[] = {{MHD_OPTION_HTTPS_CERT_CALLBACK, 0, callback},
				       {MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)TLS},
				       {MHD_OPTION_END, 0, NULL}};
	struct MHD_OptionItem none[] = {{MHD_OPTION_END, 0, NULL}};
	/* a thread for each connection: answers wait for the store, and exports and events take their time. Slow peers are shown out by guests.c,
	 * which unlike a timeout of silence knows whom they are waiting for. */
	unsigned flags = MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_THREAD_PER_CONNECTION | MHD_USE_POLL | MHD_USE_ITC;
	return MHD_start_daemon(
	    flags | (l->handshake ? MHD_USE_TLS : 0), 0, NULL, NULL, exchange_request, l, MHD_OPTION_LISTEN_SOCKET,
	    fd, MHD_OPTION_CONNECTION_LIMIT, (unsigned)connections, MHD_OPTION_PER_IP_CONNECTION_LIMIT,
	    (unsigned)of_one, MHD_OPTION_CONNECTION_TIMEOUT, 0u, MHD_OPTION_THREAD_STACK_SIZE, (size_t)STACK_BYTES,
	    MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HEAD_BYTES, MHD_OPTION_STRICT_FOR_CLIENT, 1,
	    MHD_OPTION_NOTIFY_CONNECTION, exchange_connection, l, MHD_OPTION_URI_LOG_CALLBACK, exchange_begin, l,
	    MHD_OPTION_NOTIFY_COMPLETED, exchange_end, l, MHD_OPTION_UNESCAPE_CALLBACK, keep_encoded, NULL,
	    MHD_OPTION_ARRAY, l->handshake ? tls : none, MHD_OPTION_END);
}

/* ---- life ---- */

static int start(struct vw_listener *l, struct vw_error *err)
{
	const char *path = sockets_path(l->settings.listen);
	int code = guests_open(l, &l->guests, err);
	if (code == 0 && l->settings.authority)
		code = handshake_open(l->settings.authority, &l->handshake, err);
	if (code < 0)
		return code;
	int fd = sockets_listen(l->settings.listen, !l->settings.authority, err);
	if (fd < 0)
		return fd;
	snprintf(l->unix_path, sizeof(l->unix_path), "%s", path ? path : "");
	l->daemon = start_daemon(l, fd);
	if (l->daemon)
		return 0;
	close(fd);
	return vw_error_set(err, VW_EIO, "cannot serve at %s", l->settings.listen);
}

int vw_listener_start(const struct vw_listener_settings *settings, struct vw_listener **out, struct vw_error *err)
{
	struct vw_listener *l = calloc(1, sizeof(*l));
	if (!l)
		return vw_error_set(err, VW_ENOMEM, "no memory for a listener");
	l->settings = *settings;
	int code = start(l, err);
	l->settings.listen = NULL; /* borrowed for the call */
	if (code < 0) {
		vw_listener_stop(l);
		return code;
	}
	*out = l;
	return 0;
}

int vw_listener_port(const struct vw_listener *l)
{
	const union MHD_DaemonInfo *info = MHD_get_daemon_info(l->daemon, MHD_DAEMON_INFO_BIND_PORT);
	return info ? info->port : 0;
}

int vw_listener_renew(struct vw_listener *l, struct vw_error *err)
{
	return l->handshake ? handshake_renew(l->handshake, err) : 0;
}

/* Nobody new is let in; answers under way are written to their ends, as far as the peers take them. */
static void drain(struct vw_listener *l)
{
	int64_t until = vw_clock_monotonic() + DRAIN_MS;
	int fd = MHD_quiesce_daemon(l->daemon);
	if (fd >= 0)
		close(fd);
	while (l->exchanges > 0 && vw_clock_monotonic() < until)
		usleep(DRAIN_STEP_US);
}

void vw_listener_stop(struct vw_listener *l)
{
	if (!l)
		return;
	l->stopping = true;
	if (l->daemon) {
		drain(l);
		MHD_stop_daemon(l->daemon);
	}
	if (l->unix_path[0])
		unlink(l->unix_path);
	guests_close(l->guests);
	handshake_close(l->handshake);
	free(l);
}
