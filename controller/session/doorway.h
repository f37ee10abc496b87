/* doorway.h: the listening socket, its TLS, and the calls that come in.
 *
 * TLS 1.3 only, a certificate of our CA is demanded and verified before anything else is read. gRPC core 1.51 closes its listening socket's
 * ear for good when accept() fails (no descriptor left): vw_doorway_deaf() tells, and a second doorway takes the address over. */
#ifndef SESSION_DOORWAY_H
#define SESSION_DOORWAY_H

#include "session.h"
#include "tls.h"

/* Listens; `*port` in and out. The doorway is the first of server->doorways, also when it fails: it is shut then. VW_ECONFIG: the address cannot be listened on. */
int vw_doorway_open(struct vw_session_server *server, struct vw_tls *tls, const char *host, int *port,
		    struct vw_error *err);
/* An arrival or the end of one; true when this doorway is over and was freed. */
bool vw_doorway_event(struct vw_tag *tag, bool ok);
/* This one and those behind it in the list: no new connections and calls; streams go on. */
void vw_doorway_shut(struct vw_doorway *first);
/* The same: ends whatever call is still open there. */
void vw_doorway_cancel(struct vw_doorway *first);
/* gRPC stopped listening since this was asked last, in this process. */
bool vw_doorway_deaf(void);

/* Raises the limit of open files as far as it goes. Says how many streams it suffices for, at most `sessions`; VW_ECONFIG when that is none. */
int vw_doorway_raise_files(int sessions, int *out_sessions, struct vw_error *err);
/* What gRPC has to say goes to our log, at most a few lines a minute. Once for a process. */
void vw_doorway_log(void);

#endif
