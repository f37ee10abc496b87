/* link.c: one connection: its handshake, and its bytes in both directions. */
#include "pump.h"

#include "base/handover.h"
#include "base/limits.h"
#include "base/log.h"

#include <errno.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define HANDSHAKE_MS 10000 /* from accept() to the end of the handshake */
#define CROWDED_MS   5000  /* the same, while others wait for it */
#define STALL_MS     60000 /* a peer that takes nothing of what is for it */
#define ROUNDS       8     /* records of one connection in one turn */

/* ---- What epoll watches ---- */

static void watch(struct vw_mark *mark, int fd, uint32_t *watched, uint32_t events)
{
	struct epoll_event event = {.events = events, .data = {.ptr = mark}};
	int epoll = mark->link->pump->epoll;
	if (*watched == events)
		return;
	if (events == VW_UNWATCHED)
		epoll_ctl(epoll, EPOLL_CTL_DEL, fd, NULL);
	else
		epoll_ctl(epoll, *watched == VW_UNWATCHED ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, fd, &event);
	*watched = events;
}

/* A side is read while the other takes what comes. The pair is not watched at all while nothing is wanted of it: its end would be reported again
 * and again, and what is for the peer has to be sent first. */
void vw_link_watch(struct vw_pump_link *link)
{
	uint32_t tcp = link->tls_wants, pair = 0;
	if (link->dead)
		return;
	if (link->pair < 0) {
		watch(&link->peer_mark, link->tcp, &link->tcp_watched, tcp);
		return;
	}
	tcp |= link->in.bytes ? 0 : EPOLLIN;
	tcp |= link->out.bytes ? EPOLLOUT : 0;
	pair |= link->out.bytes ? 0 : EPOLLIN;
	pair |= link->in.bytes ? EPOLLOUT : 0;
	watch(&link->peer_mark, link->tcp, &link->tcp_watched, tcp);
	watch(&link->pair_mark, link->pair, &link->pair_watched, pair == 0 ? VW_UNWATCHED : pair);
}

/* ---- The end of a connection ---- */

static void leave_handshakes(struct vw_pump_link *link)
{
	struct vw_pump *pump = link->pump;
	/* behind it the same two pointers are those of another list */
	bool is_over = link->pair >= 0;
	if (is_over || (!link->older && pump->oldest != link))
		return;
	*(link->older ? &link->older->newer : &pump->oldest) = link->newer;
	*(link->newer ? &link->newer->older : &pump->newest) = link->older;
	link->older = link->newer = NULL;
	atomic_fetch_sub(&pump->shared->handshakes, 1);
}

static void leave_givings(struct vw_pump_link *link)
{
	struct vw_pump *pump = link->pump;
	if (link->plain < 0)
		return;
	*(link->older ? &link->older->newer : &pump->first_given) = link->newer;
	*(link->newer ? &link->newer->older : &pump->last_given) = link->older;
	link->older = link->newer = NULL;
	close(link->plain);
	link->plain = -1;
}

static void drop_rest(struct vw_rest *rest)
{
	free(rest->bytes);
	*rest = (struct vw_rest){NULL, 0, 0};
}

static void say(const struct vw_pump_link *link, const char *why)
{
	struct vw_pump *pump = link->pump;
	char host[VW_ADDRESS_MAX];
	uint32_t suppressed;
	snprintf(host, sizeof(host), "%s", link->link.address);
	char *colon = strrchr(host, ':');
	if (colon)
		*colon = 0;
	if (!vw_notice(&pump->notices, host, pump->now, &suppressed))
		return;
	vw_log(VW_LOG_WARN, "connection_refused", VW_LOG_S("address", link->link.address), VW_LOG_S("reason", why),
	       VW_LOG_S("agent", link->link.peer.is_agent ? link->link.peer.id.agent_id : ""),
	       VW_LOG_I("suppressed", suppressed));
}

void vw_link_end(struct vw_pump_link *link, const char *why)
{
	struct vw_pump *pump = link->pump;
	if (link->dead)
		return;
	link->dead = true;
	if (why)
		say(link, why);
	leave_handshakes(link);
	leave_givings(link);
	if (link->out.bytes)
		pump->stalled--;
	*link->at = link->next;
	if (link->next)
		link->next->at = link->at;
	link->next = pump->dead;
	pump->dead = link;
}

void vw_link_bury(struct vw_pump *pump)
{
	struct vw_front_settings *settings = &pump->shared->settings;
	while (pump->dead) {
		struct vw_pump_link *link = pump->dead;
		pump->dead = link->next;
		drop_rest(&link->in);
		drop_rest(&link->out);
		SSL_free(link->ssl);
		close(link->tcp);
		atomic_fetch_sub(&pump->shared->links, 1);
		pump->count--;
		if (link->pair >= 0)
			close(link->pair);
		if (link->given)
			settings->closed(&link->link, settings->arg);
		else
			free(link);
	}
}

void vw_link_free(struct vw_link *link)
{
	free((struct vw_pump_link *)link);
}

/* ---- Bytes ---- */

static bool keep(struct vw_pump_link *link, struct vw_rest *rest, const uint8_t *bytes, size_t len)
{
	rest->bytes = malloc(len);
	if (!rest->bytes) {
		vw_link_end(link, NULL);
		return false;
	}
	memcpy(rest->bytes, bytes, len);
	rest->at = 0;
	rest->len = len;
	return true;
}

/* Bytes that the pair took. One whose other end gRPC has closed takes all: its own end is read next. */
static size_t give_pair(const struct vw_pump_link *link, const uint8_t *bytes, size_t len)
{
	ssize_t n = send(link->pair, bytes, len, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (n < 0)
		return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? 0 : len;
	return (size_t)n;
}

/* The outcome of an operation of OpenSSL that did not succeed: false when the connection is over. */
static bool can_wait(struct vw_pump_link *link, int result)
{
	int error = SSL_get_error(link->ssl, result);
	if (error == SSL_ERROR_WANT_READ)
		link->tls_wants = EPOLLIN;
	else if (error == SSL_ERROR_WANT_WRITE)
		link->tls_wants = EPOLLOUT;
	else
		return false;
	return true;
}

static void read_peer(struct vw_pump_link *link)
{
	struct vw_pump *pump = link->pump;
	for (int i = 0; i < ROUNDS && !link->in.bytes && !link->dead; i++) {
		ERR_clear_error();
		int n = SSL_read(link->ssl, pump->buffer, sizeof(pump->buffer));
		if (n <= 0) {
			if (!can_wait(link, n))
				vw_link_end(link, NULL);
			return;
		}
		uint64_t before = link->frames.data;
		const char *flaw = vw_frames_look(&link->frames, pump->buffer, (size_t)n, pump->now);
		if (link->frames.data != before)
			atomic_store_explicit(&link->link.heard_at, pump->now, memory_order_relaxed);
		if (flaw) {
			vw_link_end(link, flaw);
			return;
		}
		size_t given = give_pair(link, pump->buffer, (size_t)n);
		if (given < (size_t)n)
			keep(link, &link->in, pump->buffer + given, (size_t)n - given);
	}
}

static void flush_in(struct vw_pump_link *link)
{
	struct vw_rest *rest = &link->in;
	rest->at += give_pair(link, rest->bytes + rest->at, rest->len - rest->at);
	if (rest->at == rest->len)
		drop_rest(rest);
}

static void flush_out(struct vw_pump_link *link)
{
	struct vw_rest *rest = &link->out;
	while (rest->at < rest->len) {
		ERR_clear_error();
		int n = SSL_write(link->ssl, rest->bytes + rest->at, (int)(rest->len - rest->at));
		if (n <= 0) {
			if (!can_wait(link, n))
				vw_link_end(link, NULL);
			return;
		}
		rest->at += (size_t)n;
		link->since = link->pump->now;
	}
	drop_rest(rest);
	link->pump->stalled--;
}

/* All of it, or what is left is kept. */
static void give_peer(struct vw_pump_link *link, const uint8_t *bytes, size_t len)
{
	size_t at = 0;
	while (at < len) {
		ERR_clear_error();
		int n = SSL_write(link->ssl, bytes + at, (int)(len - at));
		if (n > 0) {
			at += (size_t)n;
			continue;
		}
		if (!can_wait(link, n)) {
			vw_link_end(link, NULL);
		} else if (keep(link, &link->out, bytes + at, len - at)) {
			link->since = link->pump->now;
			link->pump->stalled++;
		}
		return;
	}
}

static void read_pair(struct vw_pump_link *link)
{
	struct vw_pump *pump = link->pump;
	for (int i = 0; i < ROUNDS && !link->out.bytes && !link->dead; i++) {
		ssize_t n = recv(link->pair, pump->buffer, sizeof(pump->buffer), MSG_DONTWAIT);
		if (n > 0) {
			give_peer(link, pump->buffer, (size_t)n);
		} else if (n == 0 || (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)) {
			SSL_shutdown(link->ssl);
			vw_link_end(link, NULL);
		} else {
			return;
		}
	}
}

/* ---- Handshake ---- */

static bool speaks_h2(const SSL *ssl)
{
	const unsigned char *name;
	unsigned len;
	SSL_get0_alpn_selected(ssl, &name, &len);
	return len == 2 && memcmp(name, "h2", 2) == 0;
}

/* A message of its own, with the descriptor beside it. */
static bool give(struct vw_pump_link *link)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = {.bytes = {0}};
	struct iovec word = {&link, sizeof(link)};
	struct msghdr message = {
	    .msg_iov = &word, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof(control.bytes)};
	struct cmsghdr *rights = CMSG_FIRSTHDR(&message);
	rights->cmsg_level = SOL_SOCKET;
	rights->cmsg_type = SCM_RIGHTS;
	rights->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(rights), &link->plain, sizeof(int));
	vw_hand_over(link);
	return sendmsg(link->pump->giver, &message, MSG_DONTWAIT | MSG_NOSIGNAL) > 0;
}

void vw_link_give(struct vw_pump *pump)
{
	struct vw_front_settings *settings = &pump->shared->settings;
	bool any = false;
	while (pump->first_given && give(pump->first_given)) {
		any = true;
		pump->first_given->given = true;
		leave_givings(pump->first_given);
	}
	if (any)
		settings->opened(settings->arg);
}

/* From here on it is gRPC's too. */
static void open_link(struct vw_pump_link *link)
{
	struct vw_pump *pump = link->pump;
	int pair[2];
	leave_handshakes(link);
	if (!link->link.peer.is_agent || !speaks_h2(link->ssl)) {
		vw_link_end(link, "not HTTP/2");
		return;
	}
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) < 0) {
		vw_link_end(link, "no file descriptor is left");
		return;
	}
	link->pair = pair[0];
	link->plain = pair[1];
	link->older = pump->last_given;
	*(pump->last_given ? &pump->last_given->newer : &pump->first_given) = link;
	pump->last_given = link;
	link->tls_wants = 0;
	vw_frames_begin(&link->frames, pump->now);
	read_peer(link);
}

static void shake_hands(struct vw_pump_link *link)
{
	ERR_clear_error();
	int n = SSL_accept(link->ssl);
	if (n == 1)
		open_link(link);
	else if (!can_wait(link, n))
		vw_link_end(link, vw_tls_failure(&link->link.peer));
}

void vw_link_event(struct vw_pump_link *link, bool is_pair, uint32_t events)
{
	if (link->dead)
		return;
	if (link->pair < 0) {
		shake_hands(link);
	} else if (is_pair) {
		if (link->in.bytes)
			flush_in(link);
		if (!link->out.bytes)
			read_pair(link);
	} else {
		link->tls_wants = 0;
		if (link->out.bytes)
			flush_out(link);
		if (!link->dead && !link->in.bytes)
			read_peer(link);
		else if (events & (EPOLLERR | EPOLLHUP))
			vw_link_end(link, NULL);
	}
	vw_link_watch(link);
}

/* ---- Time ---- */

void vw_link_sweep(struct vw_pump *pump)
{
	int64_t patience = vw_link_crowded(pump) ? CROWDED_MS : HANDSHAKE_MS;
	while (pump->oldest && pump->now - pump->oldest->since >= patience)
		vw_link_end(pump->oldest, "no handshake in time");
	if (pump->stalled == 0)
		return;
	for (struct vw_pump_link *link = pump->links, *next; link; link = next) {
		next = link->next;
		if (link->out.bytes && pump->now - link->since >= STALL_MS)
			vw_link_end(link, "it does not read");
	}
}
