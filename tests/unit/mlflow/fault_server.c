#include "fault_server.h"

#include "cmocka_all.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static struct fault_shared *shared;
static fault_handler handle;

void fault_send(int fd, const void *bytes, size_t len)
{
	const char *at = bytes;
	while (len) {
		ssize_t sent = send(fd, at, len, MSG_NOSIGNAL);
		if (sent <= 0)
			return;
		at += sent;
		len -= (size_t)sent;
	}
}

bool fault_answer_bytes(int fd, int status, const char *headers, const void *body, size_t len)
{
	char head[2048];
	int n = snprintf(head, sizeof(head), "HTTP/1.1 %d X\r\nContent-Length: %zu\r\n%s\r\n", status, len, headers);
	fault_send(fd, head, (size_t)n);
	fault_send(fd, body, len);
	return true;
}

bool fault_answer(int fd, int status, const char *headers, const char *body)
{
	return fault_answer_bytes(fd, status, headers, body, strlen(body));
}

void fault_sleep(int ms)
{
	struct timespec t = {ms / 1000, (long)(ms % 1000) * 1000000};
	nanosleep(&t, NULL);
}

void fault_reset(int fd)
{
	struct linger linger = {1, 0};
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
}

/* One request with its body; false when the client is gone. */
static bool read_request(int fd, char *out, size_t size)
{
	size_t len = 0;
	char *end = NULL;
	out[0] = '\0';
	while (!(end = strstr(out, "\r\n\r\n"))) {
		ssize_t got = len + 1 < size ? recv(fd, out + len, size - len - 1, 0) : 0;
		if (got <= 0)
			return false;
		len += (size_t)got;
		out[len] = '\0';
	}
	const char *length = strcasestr(out, "\r\nContent-Length:");
	size_t body = length && length < end ? strtoul(length + 17, NULL, 10) : 0;
	size_t head = (size_t)(end - out) + 4;
	while (len < head + body) {
		ssize_t got = len + 1 < size ? recv(fd, out + len, size - len - 1, 0) : 0;
		if (got <= 0)
			return false;
		len += (size_t)got;
		out[len] = '\0';
	}
	return true;
}

static void *serve(void *arg)
{
	int fd = (int)(intptr_t)arg;
	size_t size = 1 << 20;
	char *request = malloc(size);
	bool more = request;
	while (more && read_request(fd, request, size)) {
		int n = atomic_fetch_add(&shared->requests, 1);
		int now = atomic_fetch_add(&shared->in_flight, 1) + 1;
		int most = atomic_load(&shared->most_in_flight);
		while (now > most && !atomic_compare_exchange_weak(&shared->most_in_flight, &most, now))
			;
		if (n < FAULT_LOG)
			snprintf(shared->log[n], FAULT_LOG_BYTES, "%s", request);
		more = handle(fd, n, request);
		atomic_fetch_sub(&shared->in_flight, 1);
	}
	close(fd);
	free(request);
	return NULL;
}

static _Noreturn void accept_all(int listener, pid_t parent)
{
	/* neither outlives a test that crashes nor keeps its output open */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent || !freopen("/dev/null", "w", stdout) || !freopen("/dev/null", "w", stderr))
		_exit(1);
	signal(SIGPIPE, SIG_IGN);
	for (;;) {
		pthread_t thread;
		int fd = accept(listener, NULL, NULL);
		if (fd < 0)
			_exit(0);
		atomic_fetch_add(&shared->connections, 1);
		if (pthread_create(&thread, NULL, serve, (void *)(intptr_t)fd) == 0)
			pthread_detach(thread);
	}
}

void fault_server_start(struct fault_server *server, fault_handler handler)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t len = sizeof(address);
	int listener = socket(AF_INET, SOCK_STREAM, 0);
	assert_true(listener >= 0);
	assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(listener, 64), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &len), 0);
	server->shared =
	    mmap(NULL, sizeof(*server->shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(server->shared, MAP_FAILED);
	shared = server->shared;
	handle = handler;
	server->port = ntohs(address.sin_port);
	snprintf(server->uri, sizeof(server->uri), "http://127.0.0.1:%d", server->port);
	pid_t parent = getpid();
	server->pid = fork();
	assert_true(server->pid >= 0);
	if (server->pid == 0)
		accept_all(listener, parent);
	close(listener);
}

void fault_server_stop(struct fault_server *server)
{
	if (server->pid > 0) {
		kill(server->pid, SIGKILL);
		waitpid(server->pid, NULL, 0);
	}
	if (server->shared)
		munmap(server->shared, sizeof(*server->shared));
	*server = (struct fault_server){.pid = 0};
}
