/* listen.h: an address to listen on, as people write it: "127.0.0.1:9477", "[::1]:9477". */
#ifndef SETTINGS_LISTEN_H
#define SETTINGS_LISTEN_H

#include <netinet/in.h>
#include <stdbool.h>
#include <sys/socket.h>

struct vw_listen_address {
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} at;
	socklen_t len;
	bool loopback; /* reached from this host only */
};

/* An IPv4 address, or an IPv6 address in brackets, and a port from 0 (the kernel chooses) to 65535; no names. False for anything else. */
bool vw_listen_parse(const char *text, struct vw_listen_address *out);

#endif
