/* fault_server.h: an HTTP server on loopback, in a process of its own, that does to its client what a test tells it to. */
#ifndef TEST_FAULT_SERVER_H
#define TEST_FAULT_SERVER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define FAULT_LOG       128
#define FAULT_LOG_BYTES 8192

/* What the server saw; shared between the processes. */
struct fault_shared {
	atomic_int requests;
	atomic_int connections;
	atomic_int in_flight;
	atomic_int most_in_flight;
	char log[FAULT_LOG][FAULT_LOG_BYTES]; /* head and body of the first requests, zero-terminated, cut */
};

/* Answers request number `n` (from 0) on the connection. False closes it. */
typedef bool (*fault_handler)(int fd, int n, const char *request);

struct fault_server {
	pid_t pid;
	int port;
	struct fault_shared *shared;
	char uri[64];
};

void fault_server_start(struct fault_server *server, fault_handler handler);
void fault_server_stop(struct fault_server *server);

/* For handlers. `headers` are whole lines with their ends, or "". */
void fault_send(int fd, const void *bytes, size_t len);
bool fault_answer(int fd, int status, const char *headers, const char *body);
bool fault_answer_bytes(int fd, int status, const char *headers, const void *body, size_t len);
void fault_sleep(int ms);
/* Closes with a reset instead of an orderly end. */
void fault_reset(int fd);

#endif
