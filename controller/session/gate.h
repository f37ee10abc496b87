/* gate.h: the listening socket, its TLS, and the calls that come in.
 *
 * TLS 1.3 only, a certificate of our CA is demanded and verified before anything else is read. gRPC core 1.51 closes its listening socket's
 * ear for good when accept() fails (no descriptor left): vw_gate_deaf() tells, and a second gate takes the address over. */
#ifndef SESSION_GATE_H
#define SESSION_GATE_H

#include "session.h"
#include "tls.h"

/* Listens; `*port` in and out. The gate is the first of server->gates, also when it fails: it is shut then. VW_ECONFIG: the address cannot be listened on. */
int vw_gate_open(struct vw_session_server *server, struct vw_tls *tls, const char *host, int *port,
		 struct vw_error *err);
/* An arrival or the end of one; true when this gate is over and was freed. */
bool vw_gate_event(struct vw_tag *tag, bool ok);
/* This one and those behind it in the list: no new connections and calls; streams go on. */
void vw_gate_shut(struct vw_gate *first);
/* The same: ends whatever call is still open there. */
void vw_gate_cancel(struct vw_gate *first);
/* gRPC stopped listening since this was asked last, in this process. */
bool vw_gate_deaf(void);

/* Raises the limit of open files as far as it goes. Says how many streams it suffices for, at most `sessions`; VW_ECONFIG when that is none. */
int vw_gate_raise_files(int sessions, int *out_sessions, struct vw_error *err);
/* What gRPC has to say goes to our log, at most a few lines a minute. Once for a process. */
void vw_gate_log(void);

#endif
