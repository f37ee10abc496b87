#include "front.h"

#include "pump.h"

#include "base/clock.h"
#include "base/handover.h"
#include "base/limits.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define EVENTS   256
#define SWEEP_MS 1000
#define BACKLOG  4096

struct vw_front {
	struct vw_front_shared shared;
	struct vw_pump **pumps;
	int port, started;
};

/* ---- A thread ---- */

static int64_t due_in(const struct vw_pump *pump)
{
	bool waits_for_room = !pump->listens && !atomic_load(&pump->shared->deaf);
	if (!pump->oldest && pump->stalled == 0 && !waits_for_room)
		return -1;
	int64_t due = pump->swept_at + SWEEP_MS - pump->now;
	return due > 0 ? due : 0;
}

static void take_event(struct vw_pump *pump, const struct epoll_event *event)
{
	const struct vw_mark *mark = event->data.ptr;
	uint64_t count;
	switch (mark->kind) {
	case VW_MARK_LISTENER:
		vw_link_accept(pump);
		break;
	case VW_MARK_WAKE:
		(void)!read(pump->wake, &count, sizeof(count));
		break;
	case VW_MARK_GIVER:
		vw_link_give(pump);
		break;
	case VW_MARK_PEER:
	case VW_MARK_PAIR:
		vw_link_event(mark->link, mark->kind == VW_MARK_PAIR, event->events);
		break;
	}
}

/* The listener is watched while there is room for a handshake. */
static void watch_listener(struct vw_pump *pump)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLEXCLUSIVE, .data = {.ptr = &pump->listener_mark}};
	bool listens = !vw_link_crowded(pump) && !atomic_load(&pump->shared->deaf);
	if (listens != pump->listens)
		epoll_ctl(pump->epoll, listens ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, pump->shared->listener, &event);
	pump->listens = listens;
}

static void end_all(struct vw_pump *pump)
{
	while (pump->links)
		vw_link_end(pump->links, NULL);
	vw_link_bury(pump);
}

static int compare(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

/* The limit of open files counts for each table of descriptors, and a thread may have its own (Linux 5.9). With one, a connection takes two of this one's,
 * and one of the process'. All others, which it got copies of, it lets go: what is closed elsewhere has to be closed. */
static bool take_own_table(const struct vw_pump *pump)
{
	int kept[] = {STDERR_FILENO, pump->shared->listener, pump->wake, pump->giver};
	unsigned next = 0;
	qsort(kept, sizeof(kept) / sizeof(kept[0]), sizeof(kept[0]), compare);
	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); next = (unsigned)kept[i++] + 1) {
		if ((unsigned)kept[i] > next && close_range(next, (unsigned)kept[i] - 1, CLOSE_RANGE_UNSHARE) < 0)
			return false;
	}
	return close_range(next, ~0u, CLOSE_RANGE_UNSHARE) == 0;
}

static bool watch(struct vw_pump *pump, int fd, struct vw_mark *mark, uint32_t events)
{
	struct epoll_event event = {.events = events, .data = {.ptr = mark}};
	return epoll_ctl(pump->epoll, EPOLL_CTL_ADD, fd, &event) == 0;
}

static void begin(struct vw_pump *pump)
{
	sigset_t pipe_broken;
	/* OpenSSL writes to sockets as to files */
	sigemptyset(&pipe_broken);
	sigaddset(&pipe_broken, SIGPIPE);
	pthread_sigmask(SIG_BLOCK, &pipe_broken, NULL);
	pump->has_own_table = take_own_table(pump);
	pump->listener_mark.kind = VW_MARK_LISTENER;
	pump->wake_mark.kind = VW_MARK_WAKE;
	pump->giver_mark.kind = VW_MARK_GIVER;
	pump->epoll = epoll_create1(EPOLL_CLOEXEC);
	pump->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
	pump->failed = pump->epoll < 0 || pump->spare < 0 || !watch(pump, pump->wake, &pump->wake_mark, EPOLLIN) ||
		       !watch(pump, pump->giver, &pump->giver_mark, EPOLLOUT | EPOLLET);
	pump->now = vw_clock_monotonic();
	sem_post(&pump->ready);
}

static void end(struct vw_pump *pump)
{
	end_all(pump);
	if (pump->epoll >= 0)
		close(pump->epoll);
	if (pump->spare >= 0)
		close(pump->spare);
	close(pump->giver);
}

static void *run(void *arg)
{
	struct vw_pump *pump = arg;
	struct epoll_event events[EVENTS];
	begin(pump);
	while (!pump->failed && !atomic_load(&pump->shared->stop)) {
		watch_listener(pump);
		int count = epoll_wait(pump->epoll, events, EVENTS, (int)due_in(pump));
		pump->now = vw_clock_monotonic();
		for (int i = 0; i < count; i++)
			take_event(pump, &events[i]);
		if (pump->now - pump->swept_at >= SWEEP_MS) {
			pump->swept_at = pump->now;
			vw_link_sweep(pump);
		}
		vw_link_give(pump);
		vw_link_bury(pump);
	}
	end(pump);
	return NULL;
}

static void free_pump(struct vw_pump *pump)
{
	if (pump->wake >= 0)
		close(pump->wake);
	if (pump->taker >= 0)
		close(pump->taker);
	sem_destroy(&pump->ready);
	vw_arena_close(pump->scratch);
	free(pump);
}

static int refuse(struct vw_pump *pump, struct vw_error *err)
{
	free_pump(pump);
	return vw_error_set(err, VW_EIO, "cannot start a thread for connections: %s", strerror(errno));
}

int vw_pump_start(struct vw_front_shared *shared, struct vw_pump **out, struct vw_error *err)
{
	struct vw_pump *pump = calloc(1, sizeof(*pump));
	int ends[2] = {-1, -1};
	if (!pump)
		return vw_error_set(err, VW_ENOMEM, "no memory for connections");
	pump->shared = shared;
	sem_init(&pump->ready, 0, 0);
	pump->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	pump->scratch = vw_arena_open(VW_MIB);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) < 0)
		ends[0] = ends[1] = -1;
	pump->taker = ends[0];
	pump->giver = ends[1];
	if (pump->wake < 0 || !pump->scratch || ends[0] < 0 || pthread_create(&pump->thread, NULL, run, pump) != 0) {
		if (ends[1] >= 0)
			close(ends[1]);
		return refuse(pump, err);
	}
	while (sem_wait(&pump->ready) < 0)
		;
	if (pump->has_own_table)
		close(ends[1]);
	if (pump->failed) {
		pthread_join(pump->thread, NULL);
		return refuse(pump, err);
	}
	*out = pump;
	return 0;
}

void vw_pump_wake(struct vw_pump *pump)
{
	static const uint64_t one = 1;
	(void)!write(pump->wake, &one, sizeof(one));
}

void vw_pump_join(struct vw_pump *pump)
{
	pthread_join(pump->thread, NULL);
	free_pump(pump);
}

/* ---- All of them ---- */

static int try_address(const struct addrinfo *address)
{
	static const int on = 1;
	int fd = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, address->ai_addr, address->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0)
		return fd;
	int saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

static int port_of(int fd)
{
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} address = {.any = {0}};
	socklen_t len = sizeof(address);
	if (getsockname(fd, &address.any, &len) < 0)
		return 0;
	return ntohs(address.any.sa_family == AF_INET6 ? address.v6.sin6_port : address.v4.sin_port);
}

static int open_listener(struct vw_front *front, struct vw_error *err)
{
	const struct vw_front_settings *settings = &front->shared.settings;
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV}, *found = NULL;
	char port[8];
	snprintf(port, sizeof(port), "%d", settings->port);
	int rc = getaddrinfo(settings->host, port, &hints, &found);
	if (rc != 0)
		return vw_error_set(err, VW_ECONFIG, "%s is no address to listen on: %s", settings->host,
				    gai_strerror(rc));
	front->shared.listener = try_address(found);
	freeaddrinfo(found);
	if (front->shared.listener < 0)
		return vw_error_set(err, VW_ECONFIG, "cannot listen on %s:%d for agents: %s", settings->host,
				    settings->port, strerror(errno));
	front->port = port_of(front->shared.listener);
	return 0;
}

int vw_front_open(const struct vw_front_settings *settings, struct vw_front **out, struct vw_error *err)
{
	struct vw_front *front = calloc(1, sizeof(*front));
	if (!front)
		return vw_error_set(err, VW_ENOMEM, "no memory for connections");
	front->shared.settings = *settings;
	front->shared.listener = -1;
	front->pumps = calloc((size_t)settings->threads, sizeof(struct vw_pump *));
	int rc = front->pumps ? 0 : vw_error_set(err, VW_ENOMEM, "no memory for connections");
	if (rc == 0)
		rc = vw_tls_open(settings->authority, &front->shared.tls, err);
	if (rc == 0)
		rc = open_listener(front, err);
	for (int i = 0; i < settings->threads && rc == 0; i++) {
		rc = vw_pump_start(&front->shared, &front->pumps[i], err);
		front->started += rc == 0;
	}
	if (rc < 0) {
		vw_front_close(front);
		return rc;
	}
	*out = front;
	return 0;
}

int vw_front_port(const struct vw_front *front)
{
	return front->port;
}

/* False when there is no more. */
static bool take_one(int taker, void (*each)(struct vw_link *link, int plain, void *arg), void *arg)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	struct vw_link *link;
	struct iovec word = {&link, sizeof(link)};
	struct msghdr message = {
	    .msg_iov = &word, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof(control.bytes)};
	int plain = -1;
	if (recvmsg(taker, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) != (ssize_t)sizeof(link))
		return false;
	vw_take_over(link);
	struct cmsghdr *rights = CMSG_FIRSTHDR(&message);
	if (rights && rights->cmsg_level == SOL_SOCKET && rights->cmsg_type == SCM_RIGHTS)
		memcpy(&plain, CMSG_DATA(rights), sizeof(int));
	each(link, plain, arg);
	return true;
}

void vw_front_take(struct vw_front *front, void (*each)(struct vw_link *link, int plain, void *arg), void *arg)
{
	for (int i = 0; i < front->started; i++) {
		while (take_one(front->pumps[i]->taker, each, arg))
			;
	}
}

int vw_front_reload(struct vw_front *front, struct vw_error *err)
{
	return vw_tls_reload(front->shared.tls, err);
}

/* The socket listens no more, but its number is not another one's as long as a thread may accept from it. */
void vw_front_deafen(struct vw_front *front)
{
	atomic_store(&front->shared.deaf, true);
	shutdown(front->shared.listener, SHUT_RD);
	for (int i = 0; i < front->started; i++)
		vw_pump_wake(front->pumps[i]);
}

void vw_front_close(struct vw_front *front)
{
	if (!front)
		return;
	atomic_store(&front->shared.stop, true);
	for (int i = 0; i < front->started; i++)
		vw_pump_wake(front->pumps[i]);
	for (int i = 0; i < front->started; i++)
		vw_pump_join(front->pumps[i]);
	if (front->shared.listener >= 0)
		close(front->shared.listener);
	vw_tls_close(front->shared.tls);
	free(front->pumps);
	free(front);
}
