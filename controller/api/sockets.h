/* sockets.h: listening sockets: TCP, and the control socket of this host's operator. */
#ifndef API_SOCKETS_H
#define API_SOCKETS_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

/* "unix:PATH" gives PATH, else NULL. */
const char *sockets_path(const char *listen);
/* The descriptor, or an error: VW_ECONFIG (no address; `plain` and not loopback; it is taken), VW_EBUSY (somebody answers at this path), VW_EIO. A socket of a process that
 * is gone is replaced; the new one has mode 0600 from its first moment on. */
int sockets_listen(const char *listen, bool plain, struct vw_error *err);
/* Who is at the other end of a Unix socket: "local:root", or "local:1000" when the user has no name. */
void sockets_name_peer(int fd, char *out, size_t size);

#endif
