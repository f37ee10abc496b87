/* exchange.h: what libmicrohttpd calls for each connection and each request on it: the request is read whole, answered by api.h, and written. */
#ifndef API_EXCHANGE_H
#define API_EXCHANGE_H

#include "api/listener.h"
#include "guests.h"
#include "handshake.h"

#include <microhttpd.h>
#include <sys/un.h>

struct vw_listener {
	struct vw_listener_settings settings;
	struct MHD_Daemon *daemon;
	struct guests *guests;
	struct handshake *handshake;                                 /* NULL: plain */
	char unix_path[sizeof(((struct sockaddr_un *)0)->sun_path)]; /* "": none */
	_Atomic bool stopping;
	_Atomic int exchanges; /* requests under way */
};

/* NULL: there was no memory for it. */
struct guest *exchange_guest(struct MHD_Connection *connection);

/* The listener is `cls` of all of them. In the order of a connection's life: */
void exchange_connection(void *cls, struct MHD_Connection *connection, void **guest,
			 enum MHD_ConnectionNotificationCode code);
void *exchange_begin(void *cls, const char *uri, struct MHD_Connection *connection);
enum MHD_Result exchange_request(void *cls, struct MHD_Connection *connection, const char *url, const char *method,
				 const char *version, const char *data, size_t *size, void **state);
void exchange_end(void *cls, struct MHD_Connection *connection, void **state, enum MHD_RequestTerminationCode how);

#endif
