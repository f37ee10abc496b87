#include "settings/listen.h"

#include "base/text.h"

#include <arpa/inet.h>
#include <string.h>

static bool parse_v6(const char *host, struct vw_listen_address *out)
{
	out->at.v6.sin6_family = AF_INET6;
	out->len = sizeof(out->at.v6);
	if (inet_pton(AF_INET6, host, &out->at.v6.sin6_addr) != 1)
		return false;
	out->loopback = IN6_IS_ADDR_LOOPBACK(&out->at.v6.sin6_addr);
	return true;
}

static bool parse_v4(const char *host, struct vw_listen_address *out)
{
	out->at.v4.sin_family = AF_INET;
	out->len = sizeof(out->at.v4);
	if (inet_pton(AF_INET, host, &out->at.v4.sin_addr) != 1)
		return false;
	out->loopback = ntohl(out->at.v4.sin_addr.s_addr) >> 24 == 127;
	return true;
}

bool vw_listen_parse(const char *text, struct vw_listen_address *out)
{
	struct vw_listen_address address;
	char host[64];
	int64_t port;
	const char *colon = strrchr(text, ':');
	bool v6 = text[0] == '[';
	if (!colon || !vw_text_int64(colon + 1, &port) || port < 0 || port > 65535)
		return false;
	const char *from = text + v6;
	size_t len = (size_t)(colon - text) - v6;
	if (colon < from || (v6 && (len == 0 || from[--len] != ']')) || len >= sizeof(host))
		return false;
	memcpy(host, from, len);
	host[len] = '\0';
	memset(&address, 0, sizeof(address));
	if (!(v6 ? parse_v6(host, &address) : parse_v4(host, &address)))
		return false;
	/* the port is at the same place of both */
	address.at.v4.sin_port = htons((uint16_t)port);
	*out = address;
	return true;
}
