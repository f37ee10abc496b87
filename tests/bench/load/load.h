/* load.h: many simulated agents in one process, for benchmarks of the controller (tests/bench/load/main.c).
 *
 * Each has a certificate of the CA, a TLS 1.3 connection and a gRPC stream of its own. HTTP/2 is written by hand, so that ten thousand of them leave the
 * processors to the controller: one thread, one epoll. */
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include "base/arena.h"
#include "base/buffer.h"
#include "fleet/chain.h"
#include "proto/model.h"

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdint.h>

/* ---- identities.c: who the agents are, in a file ---- */

struct load_identity {
	int32_t organization;
	char agent_id[VW_AGENT_ID_MAX];
	X509 *certificate;
};
struct load_fleet {
	EVP_PKEY *key; /* one for all: what is measured is not its making */
	X509 *authority;
	struct load_identity *agents;
	size_t count;
};
/* Enrolls agents of so many organizations in a store that nobody serves now, with certificates of its authority, and writes the file. */
struct load_order {
	const char *store, *authority, *trust_domain, *file;
	size_t agents, organizations;
};
void load_prepare(const struct load_order *order);
void load_read(const char *file, struct load_fleet *out);

/* ---- wire.c: one connection: TLS, HTTP/2, gRPC's frames ---- */

struct load_wire {
	int fd;
	SSL *ssl;
	bool connected, shaken;
	uint32_t wants;       /* of epoll */
	struct vw_buffer out; /* HTTP/2 that TLS did not take yet, from out_at on */
	size_t out_at;
	struct vw_buffer pending; /* gRPC messages that the windows did not take yet, from pending_at on */
	size_t pending_at;
	struct vw_buffer in, message;                  /* a frame that is not whole; a gRPC message that is not */
	int64_t window, stream_window, initial_window; /* that the controller gave */
	uint32_t consumed;                             /* that it was not told of */
	bool ended;
};
bool wire_open(struct load_wire *wire, int fd, SSL *ssl);
void wire_close(struct load_wire *wire);
/* Begins the call. */
void wire_call(struct load_wire *wire, const char *authority);
void wire_send(struct load_wire *wire, const ProtobufCMessage *message);
/* Bytes of messages that wait. */
size_t wire_waiting(const struct load_wire *wire);
/* Moves what can be moved; `each` gets every message. False: it is over. */
bool wire_move(struct load_wire *wire, void (*each)(const uint8_t *bytes, size_t len, void *arg), void *arg);

/* ---- agent.c: what an agent does ---- */

enum load_mode { LOAD_CONNECT, LOAD_IDLE, LOAD_SEND, LOAD_ANSWER };

struct load_samples {
	double *values; /* ms */
	size_t count, size;
};
void samples_add(struct load_samples *samples, double value);
/* Sorts. 0 when there are none. */
double samples_at(struct load_samples *samples, double part);

struct load_run {
	const struct load_fleet *fleet;
	const char *host, *port;
	enum load_mode mode;
	uint64_t entries; /* of each agent, to be sent */
	size_t batch;     /* entries in one */
	double seconds;   /* to hold on */
	double rate;      /* connections a second; 0: as fast as it can */
	size_t count;     /* agents */
	SSL_CTX *context;
	int epoll;
	struct load_agent *agents;
	struct vw_arena *arena, *scratch;
	double begun;           /* s, monotonic */
	double all_welcomed_at; /* s, monotonic; 0: not yet */
	size_t started, welcomed, failed, lost, done, rejected;
	uint64_t entries_sent, entries_acknowledged, bytes_sent, receipts, commands;
	struct load_samples welcome_ms, acknowledge_ms, command_ms;
};

struct load_agent {
	struct load_run *run;
	const struct load_identity *identity;
	struct load_wire wire;
	double started_at, heartbeat_at; /* s, monotonic */
	bool open, welcomed, is_done;
	uint32_t watched;           /* what epoll was told */
	uint64_t window, in_flight; /* bytes */
	uint64_t join_sequence;
	uint8_t instance[16];
	struct vw_chain chain; /* of what was sent */
	uint64_t acknowledged;
	double sent_at; /* of the batch that `mark` ends */
	uint64_t mark;
};
double load_now(void);
bool agent_start(struct load_agent *agent);
void agent_move(struct load_agent *agent);
void agent_tick(struct load_agent *agent, double now);

void load_fail(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));

#endif
