#include "load.h"

#include "../entries.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/limits.h"
#include "proto/message.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define HEARTBEAT_S 25
#define BODY(name)  VERIFYWISE__V1__AGENT_MESSAGE__BODY_##name

double load_now(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* ---- What it says ---- */

static void say(struct load_agent *agent, int body, void *message)
{
	vw_agent_message all = VERIFYWISE__V1__AGENT_MESSAGE__INIT;
	all.body_case = (Verifywise__V1__AgentMessage__BodyCase)body;
	all.hello = message; /* all members are pointers in one place */
	wire_send(&agent->wire, &all.base);
}

/* Of an agent that has entries to send, or of one whose ledger is empty. */
static void say_hello(struct load_agent *agent)
{
	static char capability[] = "commands", version[] = "9.9.9";
	char *capabilities[] = {capability};
	uint8_t none[32] = {0};
	vw_hello hello = VERIFYWISE__V1__HELLO__INIT;
	VW_SET(&hello, protocol_major, 1);
	hello.capabilities = capabilities;
	hello.n_capabilities = 1;
	vw_random_bytes(agent->instance, sizeof(agent->instance));
	VW_SET_BYTES(&hello, instance_id, agent->instance, sizeof(agent->instance));
	hello.agent_version = version;
	hello.genesis_agent_id = (char *)(uintptr_t)agent->identity->agent_id;
	VW_SET(&hello, epoch, 1);
	VW_SET(&hello, last_sequence, agent->run->entries);
	VW_SET_BYTES(&hello, last_chain_sha256, none, sizeof(none));
	VW_SET(&hello, join_sequence, agent->join_sequence);
	VW_SET(&hello, sent_at, vw_clock_now());
	say(agent, BODY(HELLO), &hello);
}

static void say_heartbeat(struct load_agent *agent)
{
	vw_heartbeat heartbeat = VERIFYWISE__V1__HEARTBEAT__INIT;
	VW_SET(&heartbeat, sent_at, vw_clock_now());
	say(agent, BODY(HEARTBEAT), &heartbeat);
}

static void say_batch(struct load_agent *agent)
{
	struct load_run *run = agent->run;
	vw_chained_entry *entries[VW_MAX_BATCH_ENTRIES];
	vw_entry_batch batch = VERIFYWISE__V1__ENTRY_BATCH__INIT;
	uint64_t first = agent->chain.head.sequence + 1;
	vw_arena_reset(run->arena);
	VW_SET(&batch, first_sequence, first);
	batch.entries = entries;
	while (batch.n_entries < run->batch && agent->chain.head.sequence < run->entries) {
		vw_chained_entry *entry =
		    bench_entry(run->arena, &agent->chain, run->scratch, agent->chain.head.sequence);
		entries[batch.n_entries++] = entry;
		agent->in_flight += entry->payload.len;
		run->bytes_sent += entry->payload.len;
	}
	run->entries_sent += batch.n_entries;
	say(agent, BODY(BATCH), &batch);
	if (agent->mark == 0) {
		agent->mark = agent->chain.head.sequence;
		agent->sent_at = load_now();
	}
}

/* Within the window that it was given, and not more ahead than the connection takes. */
static void send_more(struct load_agent *agent)
{
	struct load_run *run = agent->run;
	if (run->mode != LOAD_SEND || !agent->welcomed)
		return;
	while (agent->chain.head.sequence < run->entries && agent->in_flight < agent->window &&
	       wire_waiting(&agent->wire) < VW_MIB / 4)
		say_batch(agent);
}

/* ---- What it hears ---- */

static void on_welcome(struct load_agent *agent, const vw_welcome *welcome)
{
	struct load_run *run = agent->run;
	agent->welcomed = true;
	agent->window = welcome->window_bytes;
	agent->join_sequence = welcome->join_sequence;
	samples_add(&run->welcome_ms, (load_now() - agent->started_at) * 1000);
	if (++run->welcomed == run->count)
		run->all_welcomed_at = load_now();
	if (welcome->resume_sequence != 1 && run->mode == LOAD_SEND)
		load_fail("this fleet has sent already: prepare a new one");
}

static void on_acknowledgement(struct load_agent *agent, const vw_acknowledgement *acknowledgement)
{
	struct load_run *run = agent->run;
	uint64_t count = acknowledgement->sequence - agent->acknowledged;
	uint64_t sent = agent->chain.head.sequence - agent->acknowledged;
	agent->in_flight -= sent > 0 ? agent->in_flight * count / sent : 0;
	agent->acknowledged = acknowledgement->sequence;
	run->entries_acknowledged += count;
	run->receipts++;
	if (agent->mark > 0 && agent->acknowledged >= agent->mark) {
		samples_add(&run->acknowledge_ms, (load_now() - agent->sent_at) * 1000);
		agent->mark = 0;
	}
	if (agent->acknowledged == run->entries && !agent->is_done) {
		agent->is_done = true;
		run->done++;
	}
}

static void on_command(struct load_agent *agent, const vw_command *command)
{
	struct load_run *run = agent->run;
	vw_command_update update = VERIFYWISE__V1__COMMAND_UPDATE__INIT;
	samples_add(&run->command_ms, (double)(vw_clock_now() - command->issued_at));
	run->commands++;
	update.id = command->id;
	VW_SET(&update, state, VW_COMMAND_STATE_DONE);
	VW_SET(&update, at, vw_clock_now());
	say(agent, BODY(COMMAND), &update);
	if (!agent->is_done) {
		agent->is_done = true;
		run->done++;
	}
}

static void on_message(const uint8_t *bytes, size_t len, void *arg)
{
	struct load_agent *agent = arg;
	vw_controller_message *message = verifywise__v1__controller_message__unpack(NULL, len, bytes);
	if (!message)
		load_fail("a message that is none");
	switch (message->body_case) {
	case VERIFYWISE__V1__CONTROLLER_MESSAGE__BODY_WELCOME:
		on_welcome(agent, message->welcome);
		break;
	case VERIFYWISE__V1__CONTROLLER_MESSAGE__BODY_ACKNOWLEDGEMENT:
		on_acknowledgement(agent, message->acknowledgement);
		break;
	case VERIFYWISE__V1__CONTROLLER_MESSAGE__BODY_COMMAND:
		on_command(agent, message->command);
		break;
	case VERIFYWISE__V1__CONTROLLER_MESSAGE__BODY_REJECTION:
		if (agent->run->rejected++ == 0)
			fprintf(stderr, "load: rejected: %s\n", message->rejection->text);
		break;
	default:
		break;
	}
	verifywise__v1__controller_message__free_unpacked(message, NULL);
}

/* ---- Its connection ---- */

static int connect_to(const char *host, const char *port)
{
	static struct addrinfo *found;
	static const int on = 1;
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
	if (!found && getaddrinfo(host, port, &hints, &found) != 0)
		load_fail("%s:%s is no address", host, port);
	int fd = socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		load_fail("no descriptor is left: raise ulimit -n");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (connect(fd, found->ai_addr, found->ai_addrlen) == 0 || errno == EINPROGRESS)
		return fd;
	close(fd);
	return -1;
}

static void watch(struct load_agent *agent, int operation)
{
	struct epoll_event event = {.events = agent->wire.wants, .data = {.ptr = agent}};
	if (agent->watched != agent->wire.wants || operation == EPOLL_CTL_ADD)
		epoll_ctl(agent->run->epoll, operation, agent->wire.fd, &event);
	agent->watched = agent->wire.wants;
}

bool agent_start(struct load_agent *agent)
{
	struct load_run *run = agent->run;
	int fd = connect_to(run->host, run->port);
	SSL *ssl = SSL_new(run->context);
	agent->started_at = load_now();
	agent->heartbeat_at = agent->started_at + HEARTBEAT_S * (0.5 + 0.5 * drand48());
	run->started++;
	if (fd < 0 || !ssl || !wire_open(&agent->wire, fd, ssl)) {
		run->failed++;
		return false;
	}
	SSL_use_certificate(ssl, agent->identity->certificate);
	SSL_use_PrivateKey(ssl, run->fleet->key);
	SSL_set_connect_state(ssl);
	agent->open = true;
	vw_chain_begin(&agent->chain, agent->identity->agent_id);
	wire_call(&agent->wire, "localhost");
	say_hello(agent);
	watch(agent, EPOLL_CTL_ADD);
	return true;
}

static void end(struct load_agent *agent)
{
	struct load_run *run = agent->run;
	if (agent->welcomed)
		run->lost++;
	else
		run->failed++;
	agent->open = false;
	wire_close(&agent->wire);
}

void agent_move(struct load_agent *agent)
{
	bool alive = wire_move(&agent->wire, on_message, agent);
	if (alive && agent->run->mode == LOAD_SEND) {
		send_more(agent);
		alive = wire_move(&agent->wire, on_message, agent);
	}
	if (!alive) {
		end(agent);
		return;
	}
	if (wire_waiting(&agent->wire) > 0 && agent->wire.out.len > agent->wire.out_at)
		agent->wire.wants |= EPOLLOUT;
	watch(agent, EPOLL_CTL_MOD);
}

void agent_tick(struct load_agent *agent, double now)
{
	if (!agent->open || !agent->welcomed || now < agent->heartbeat_at)
		return;
	agent->heartbeat_at = now + HEARTBEAT_S;
	say_heartbeat(agent);
	agent_move(agent);
}
