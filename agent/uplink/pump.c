#include "pump.h"

#include "base/clock.h"
#include "thread.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define CHUNK     16384       /* bytes: what one TLS record holds (RFC 8446, 5.1) */
#define CHUNK_OUT (CHUNK - 1) /* mbedTLS counts the record's inner type among them */
#define LAST_MS   1000        /* for the last bytes of a side that closed */

/* One way: what was taken from one side and not yet given to the other. */
struct way {
	size_t at, len;
	char bytes[CHUNK];
};

struct vw_pump {
	struct vw_secure *secure;
	int socket, plain;
	pthread_t thread;
	pthread_mutex_t lock;
	/* under the lock */
	enum vw_dial_failure failure;
	struct vw_error error;
	bool heard;
	/* the thread's own */
	struct way up, down;
	short read_wants, write_wants;
	bool plain_ended;  /* gRPC closed its end */
	bool write_failed; /* the peer's reason may still be on its way to us */
	int64_t deadline;  /* monotonic; 0: none */
};

static bool empty(const struct way *way)
{
	return way->at == way->len;
}

static void fail(struct vw_pump *pump, enum vw_dial_failure failure, const struct vw_error *why)
{
	pthread_mutex_lock(&pump->lock);
	pump->failure = failure;
	pump->error = *why;
	pthread_mutex_unlock(&pump->lock);
}

/* ---- steps; false: it is over ---- */

static bool take_plain(struct vw_pump *pump)
{
	ssize_t got = recv(pump->plain, pump->up.bytes, CHUNK_OUT, 0);
	if (got > 0) {
		pump->up.at = 0;
		pump->up.len = (size_t)got;
		return true;
	}
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return true;
	pump->plain_ended = true;
	return false;
}

static void give_secure(struct vw_pump *pump)
{
	struct vw_error why = VW_ERROR_INIT;
	struct vw_secure_step step;
	vw_secure_write(pump->secure, pump->up.bytes + pump->up.at, pump->up.len - pump->up.at, &step, &why);
	pump->up.at += step.bytes;
	pump->write_wants = step.wants;
	if (!step.ended)
		return;
	/* TLS 1.3: a refusal of our certificate comes after the handshake, in front of the reset that broke this write */
	pump->write_failed = true;
	pump->deadline = vw_clock_monotonic() + LAST_MS;
	fail(pump, step.failure, &why);
}

static bool take_secure(struct vw_pump *pump)
{
	struct vw_error why = VW_ERROR_INIT;
	struct vw_secure_step step;
	vw_secure_read(pump->secure, pump->down.bytes, sizeof(pump->down.bytes), &step, &why);
	pump->down.at = 0;
	pump->down.len = step.bytes;
	pump->read_wants = step.wants;
	if (step.bytes > 0 && !pump->heard) {
		pthread_mutex_lock(&pump->lock);
		pump->heard = true;
		pthread_mutex_unlock(&pump->lock);
	}
	if (step.ended)
		fail(pump, step.failure, &why);
	return !step.ended;
}

static bool give_plain(struct vw_pump *pump)
{
	ssize_t sent =
	    send(pump->plain, pump->down.bytes + pump->down.at, pump->down.len - pump->down.at, MSG_NOSIGNAL);
	if (sent >= 0) {
		pump->down.at += (size_t)sent;
		return true;
	}
	if (errno == EAGAIN || errno == EINTR)
		return true;
	pump->plain_ended = true;
	return false;
}

/* ---- the loop ---- */

enum { SOCKET, PLAIN };

static void wishes(const struct vw_pump *pump, struct pollfd fds[2])
{
	fds[SOCKET] = (struct pollfd){.fd = pump->socket};
	fds[PLAIN] = (struct pollfd){.fd = pump->plain};
	if (empty(&pump->down))
		fds[SOCKET].events = (short)(fds[SOCKET].events | (pump->read_wants ? pump->read_wants : POLLIN));
	else
		fds[PLAIN].events = (short)(fds[PLAIN].events | POLLOUT);
	if (pump->write_failed)
		return;
	if (empty(&pump->up))
		fds[PLAIN].events = (short)(fds[PLAIN].events | POLLIN);
	else
		fds[SOCKET].events = (short)(fds[SOCKET].events | (pump->write_wants ? pump->write_wants : POLLOUT));
	if (fds[SOCKET].events == 0)
		fds[SOCKET].fd =
		    -1; /* gRPC is slow: that the peer hung up is seen when there is room for its bytes */
}

/* Milliseconds for poll; 0 when there is something to do that no descriptor tells of. */
static int patience(const struct vw_pump *pump)
{
	if (empty(&pump->down) && vw_secure_pending(pump->secure))
		return 0;
	if (pump->deadline == 0)
		return -1;
	int64_t left = pump->deadline - vw_clock_monotonic();
	return left > 0 ? (int)left : 0;
}

/* gRPC closed its end while its last bytes wait for a peer that takes none. */
static bool abandoned(const struct pollfd fds[2])
{
	return fds[PLAIN].events == 0 && fds[PLAIN].revents & (POLLERR | POLLHUP);
}

static bool step_down(struct vw_pump *pump, const struct pollfd fds[2])
{
	if (empty(&pump->down) && (fds[SOCKET].revents || vw_secure_pending(pump->secure)) && !take_secure(pump))
		return false;
	return empty(&pump->down) || give_plain(pump);
}

static bool step_up(struct vw_pump *pump, const struct pollfd fds[2])
{
	if (empty(&pump->up) && fds[PLAIN].revents && !take_plain(pump))
		return false;
	if (!empty(&pump->up))
		give_secure(pump);
	return true;
}

static bool step(struct vw_pump *pump)
{
	struct pollfd fds[2];
	wishes(pump, fds);
	if (poll(fds, 2, patience(pump)) < 0 && errno != EINTR)
		return false;
	if (pump->deadline && vw_clock_monotonic() >= pump->deadline)
		return false;
	if (abandoned(fds)) {
		pump->plain_ended = true;
		return false;
	}
	return step_down(pump, fds) && (pump->write_failed || step_up(pump, fds));
}

/* What was taken off gRPC's end goes out, as far as the peer takes it in time. */
static bool flush(struct vw_pump *pump, int64_t deadline)
{
	while (!empty(&pump->up) && !pump->write_failed) {
		give_secure(pump);
		int64_t left = deadline - vw_clock_monotonic();
		if (empty(&pump->up) || left <= 0)
			break;
		if (!pump->write_wants)
			continue;
		struct pollfd fd = {.fd = pump->socket, .events = pump->write_wants};
		if (poll(&fd, 1, (int)left) < 0 && errno != EINTR)
			break;
	}
	return empty(&pump->up);
}

/* Closing over bytes that were not read would be a reset, which takes from the peer what it has not read yet. */
static void linger(struct vw_pump *pump, int64_t deadline)
{
	int64_t left;
	shutdown(pump->socket, SHUT_WR);
	while ((left = deadline - vw_clock_monotonic()) > 0) {
		struct pollfd fd = {.fd = pump->socket, .events = POLLIN};
		if (poll(&fd, 1, (int)left) <= 0 || recv(pump->socket, pump->down.bytes, CHUNK, 0) <= 0)
			return;
	}
}

/* gRPC closed its end; what it wrote last is still there. */
static void finish(struct vw_pump *pump)
{
	int64_t deadline = vw_clock_monotonic() + LAST_MS;
	while (flush(pump, deadline)) {
		if (take_plain(pump) && !empty(&pump->up))
			continue;
		vw_secure_goodbye(pump->secure);
		linger(pump, deadline);
		return;
	}
}

static void *run(void *arg)
{
	struct vw_pump *pump = arg;
	while (step(pump))
		continue;
	if (pump->plain_ended)
		finish(pump);
	shutdown(pump->plain, SHUT_RDWR); /* gRPC sees the end */
	shutdown(pump->socket, SHUT_RDWR);
	return NULL;
}

/* ---- life ---- */

int vw_pump_start(struct vw_secure *secure, int socket, int plain, struct vw_pump **out, struct vw_error *err)
{
	struct vw_pump *pump = calloc(1, sizeof(*pump));
	if (!pump)
		return vw_error_set(err, VW_ENOMEM, "no memory for the connection to the controller");
	pump->secure = secure;
	pump->socket = socket;
	pump->plain = plain;
	pthread_mutex_init(&pump->lock, NULL);
	int code = vw_thread_start(run, pump, &pump->thread, err);
	if (code < 0) {
		pthread_mutex_destroy(&pump->lock);
		free(pump);
		return code;
	}
	*out = pump;
	return 0;
}

enum vw_dial_failure vw_pump_failure(struct vw_pump *pump, struct vw_error *err)
{
	pthread_mutex_lock(&pump->lock);
	enum vw_dial_failure failure = pump->failure;
	if (failure != VW_DIAL_NONE)
		vw_error_set(err, pump->error.code, "%s", pump->error.message);
	pthread_mutex_unlock(&pump->lock);
	return failure;
}

bool vw_pump_heard(struct vw_pump *pump)
{
	pthread_mutex_lock(&pump->lock);
	bool heard = pump->heard;
	pthread_mutex_unlock(&pump->lock);
	return heard;
}

void vw_pump_stop(struct vw_pump *pump)
{
	if (!pump)
		return;
	shutdown(pump->plain, SHUT_RDWR); /* what is queued there can still be read, then comes the end */
	pthread_join(pump->thread, NULL);
	pthread_mutex_destroy(&pump->lock);
	free(pump);
}
