/* entry.c: a connection comes in: is there room for it, and its first steps. */
#include "pump.h"

#include "base/limits.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define ACCEPTS       64 /* connections in one turn */
#define FILES_OF_LINK 2  /* its socket, and our end of the pair */

static void write_address(const struct sockaddr_storage *address, socklen_t len, char out[VW_ADDRESS_MAX])
{
	char host[INET6_ADDRSTRLEN + 8] = "?", port[8] = "0";
	getnameinfo((const struct sockaddr *)address, len, host, sizeof(host), port, sizeof(port),
		    NI_NUMERICHOST | NI_NUMERICSERV);
	snprintf(out, VW_ADDRESS_MAX, strchr(host, ':') ? "[%.50s]:%.7s" : "%.50s:%.7s", host, port);
}

static void enter(struct vw_pump *pump, struct vw_pump_link *link)
{
	link->next = pump->links;
	link->at = &pump->links;
	if (pump->links)
		pump->links->at = &link->next;
	pump->links = link;
	link->older = pump->newest;
	*(pump->newest ? &pump->newest->newer : &pump->oldest) = link;
	pump->newest = link;
	pump->count++;
	atomic_fetch_add(&pump->shared->links, 1);
	atomic_fetch_add(&pump->shared->handshakes, 1);
}

static void begin(struct vw_pump *pump, int fd, const struct sockaddr_storage *address, socklen_t len)
{
	static const int on = 1;
	struct vw_pump_link *link = calloc(1, sizeof(*link));
	if (link) {
		link->link.peer.scratch = pump->scratch;
		link->ssl = vw_tls_accept(pump->shared->tls, fd, &link->link.peer);
	}
	if (!link || !link->ssl) {
		free(link);
		close(fd);
		return;
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	link->pump = pump;
	link->tcp = fd;
	link->peer_mark = (struct vw_mark){VW_MARK_PEER, link};
	link->pair_mark = (struct vw_mark){VW_MARK_PAIR, link};
	link->pair = link->plain = -1;
	link->tcp_watched = link->pair_watched = VW_UNWATCHED;
	link->tls_wants = EPOLLIN;
	link->since = pump->now;
	write_address(address, len, link->link.address);
	enter(pump, link);
	vw_link_watch(link);
}

/* Without a descriptor the connection would stay in the queue and be reported again and again. */
static void turn_away(struct vw_pump *pump)
{
	if (pump->spare >= 0)
		close(pump->spare);
	int fd = accept(pump->shared->listener, NULL, NULL);
	if (fd >= 0)
		close(fd);
	pump->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
	vw_tally_add(&pump->shared->settings.tally->turned_away, 1);
}

/* As many handshakes as there may be: those that wait to be accepted go on waiting, in the kernel. */
bool vw_link_crowded(const struct vw_pump *pump)
{
	return atomic_load(&pump->shared->handshakes) >= VW_MAX_HANDSHAKES;
}

/* Its share of descriptors is used up: another thread accepts, or says that there is no room. */
static bool is_full(const struct vw_pump *pump)
{
	const struct vw_front_shared *shared = pump->shared;
	/* of a table that all share, this thread's part; gRPC's ends count too */
	int files =
	    pump->has_own_table ? shared->settings.max_files : shared->settings.max_files / shared->settings.threads;
	int each = pump->has_own_table ? FILES_OF_LINK : FILES_OF_LINK + 1;
	return atomic_load(&shared->links) >= shared->settings.max_links || pump->count >= files / each;
}

void vw_link_accept(struct vw_pump *pump)
{
	struct vw_front_shared *shared = pump->shared;
	for (int i = 0; i < ACCEPTS && !vw_link_crowded(pump); i++) {
		struct sockaddr_storage address;
		socklen_t len = sizeof(address);
		int fd = accept4(shared->listener, (struct sockaddr *)&address, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd < 0 && (errno == EMFILE || errno == ENFILE))
			turn_away(pump);
		if (fd < 0)
			return;
		if (is_full(pump)) {
			close(fd);
			vw_tally_add(&shared->settings.tally->turned_away, 1);
			continue;
		}
		begin(pump, fd, &address, len);
	}
}
