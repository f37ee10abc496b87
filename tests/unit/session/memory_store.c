#include "memory_store.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/limits.h"
#include "proto/message.h"
#include "store/backend.h"
#include "store/join.h"
#include "store/plan.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_AGENTS        20000
#define MAX_ORGANIZATIONS 64
#define CALLS             4

struct packed {
	uint8_t *bytes;
	size_t len;
};

struct one_agent {
	int32_t organization;
	char id[VW_AGENT_ID_MAX];
	struct packed agent, presence;
	uint8_t (*hashes)[VW_LEDGER_HASH]; /* of its ledger, from 1 */
	size_t count, size;
	struct packed commands[VW_MAX_OPEN_COMMANDS];
	size_t command_count;
};

struct memory_store {
	struct vw_fleet_store base;
	pthread_mutex_t lock;
	int32_t organizations[MAX_ORGANIZATIONS];
	bool disabled[MAX_ORGANIZATIONS];
	size_t organization_count;
	struct one_agent *agents;
	size_t agent_count;
	struct {
		const char *name;
		int code, count, ms;
		int64_t calls;
	} faults[CALLS];
	void (*each)(const struct vw_change *change, void *arg);
	void *arg;
};

static struct memory_store *of(const struct vw_fleet_store *store)
{
	return (struct memory_store *)(uintptr_t)store;
}

static void keep(struct packed *place, const ProtobufCMessage *message)
{
	free(place->bytes);
	place->len = protobuf_c_message_get_packed_size(message);
	place->bytes = malloc(place->len + 1);
	protobuf_c_message_pack(message, place->bytes);
}

static void *get(const struct packed *place, const ProtobufCMessageDescriptor *type, struct vw_arena *arena)
{
	void *out = NULL;
	struct vw_error err = VW_ERROR_INIT;
	if (!place->bytes || vw_message_unpack(arena, type, place->bytes, place->len, "kept", &out, &err) < 0)
		return NULL;
	return out;
}

static struct one_agent *find(struct memory_store *s, int32_t organization, const char *id)
{
	for (size_t i = 0; i < s->agent_count; i++) {
		if (s->agents[i].organization == organization && strcmp(s->agents[i].id, id) == 0)
			return &s->agents[i];
	}
	return NULL;
}

static void tell(struct memory_store *s, enum vw_change_kind kind, int32_t organization, const char *agent_id)
{
	struct vw_change change = {.kind = kind, .organization = organization};
	snprintf(change.agent_id, sizeof(change.agent_id), "%s", agent_id);
	if (s->each)
		s->each(&change, s->arg);
}

/* The fault that was asked for, if any; without the lock. */
static int fault(struct memory_store *s, int call, struct vw_error *err)
{
	int code = 0, ms;
	pthread_mutex_lock(&s->lock);
	s->faults[call].calls++;
	ms = s->faults[call].ms;
	if (s->faults[call].count > 0) {
		s->faults[call].count--;
		code = s->faults[call].code;
	}
	pthread_mutex_unlock(&s->lock);
	if (ms > 0)
		usleep((useconds_t)ms * 1000);
	return code < 0 ? vw_error_set(err, code, "as the test wants it") : 0;
}

enum { INGEST, JOIN, UPDATE, PRESENCE };
static const char *const call_names[CALLS] = {"ingest", "join", "update", "presence"};

static void close_store(struct vw_fleet_store *store)
{
	struct memory_store *s = of(store);
	for (size_t i = 0; i < s->agent_count; i++) {
		free(s->agents[i].agent.bytes);
		free(s->agents[i].presence.bytes);
		free(s->agents[i].hashes);
		for (size_t k = 0; k < s->agents[i].command_count; k++)
			free(s->agents[i].commands[k].bytes);
	}
	pthread_mutex_destroy(&s->lock);
	free(s->agents);
	free(s);
}

/* ---- Organizations and agents ---- */

static vw_organization *organization_of(struct memory_store *s, struct vw_arena *arena, int32_t organization)
{
	for (size_t i = 0; i < s->organization_count; i++) {
		if (s->organizations[i] != organization)
			continue;
		vw_organization *out = vw_message_new(arena, &verifywise__v1__organization__descriptor);
		VW_SET(out, id, organization);
		VW_SET(out, disabled, s->disabled[i]);
		return out;
	}
	return NULL;
}

static int organization_get(struct vw_fleet_store *store, struct vw_arena *arena, int32_t organization,
			    vw_organization **out, struct vw_error *err)
{
	struct memory_store *s = of(store);
	pthread_mutex_lock(&s->lock);
	vw_organization *found = organization_of(s, arena, organization);
	pthread_mutex_unlock(&s->lock);
	if (!found)
		return vw_error_set(err, VW_ENOTFOUND, "no such organization");
	*out = found;
	return 0;
}

static int organization_disable(struct vw_fleet_store *store, int32_t organization, bool disabled,
				struct vw_error *err)
{
	struct memory_store *s = of(store);
	(void)err;
	pthread_mutex_lock(&s->lock);
	for (size_t i = 0; i < s->organization_count; i++) {
		if (s->organizations[i] == organization)
			s->disabled[i] = disabled;
	}
	pthread_mutex_unlock(&s->lock);
	tell(s, VW_CHANGE_ORGANIZATION, organization, "");
	return 0;
}

static int agent_get(struct vw_fleet_store *store, struct vw_arena *arena, int32_t organization, const char *agent_id,
		     vw_agent **out, struct vw_error *err)
{
	struct memory_store *s = of(store);
	pthread_mutex_lock(&s->lock);
	struct one_agent *found = find(s, organization, agent_id);
	vw_agent *agent = found ? get(&found->agent, &verifywise__v1__agent__descriptor, arena) : NULL;
	pthread_mutex_unlock(&s->lock);
	if (!agent)
		return vw_error_set(err, VW_ENOTFOUND, "no such agent");
	*out = agent;
	return 0;
}

static int agent_set_status(struct vw_fleet_store *store, int32_t organization, const char *agent_id,
			    vw_agent_status status, const char *reason, const char *by, int64_t at,
			    struct vw_error *err)
{
	struct memory_store *s = of(store);
	struct vw_arena *arena = vw_arena_open(0);
	(void)err;
	pthread_mutex_lock(&s->lock);
	struct one_agent *found = find(s, organization, agent_id);
	vw_agent *agent = get(&found->agent, &verifywise__v1__agent__descriptor, arena);
	vw_agent_put_status(agent, status, reason, by, at);
	keep(&found->agent, &agent->base);
	pthread_mutex_unlock(&s->lock);
	vw_arena_close(arena);
	tell(s, VW_CHANGE_AGENT, organization, agent_id);
	return 0;
}

static int agent_set_pending_serial(struct vw_fleet_store *store, int32_t organization, const char *agent_id,
				    const char *serial, int64_t not_after, struct vw_error *err)
{
	struct memory_store *s = of(store);
	struct vw_arena *arena = vw_arena_open(0);
	(void)err;
	pthread_mutex_lock(&s->lock);
	struct one_agent *found = find(s, organization, agent_id);
	vw_agent *agent = get(&found->agent, &verifywise__v1__agent__descriptor, arena);
	agent->pending_serial = (char *)(uintptr_t)serial;
	VW_SET(agent, pending_not_after, not_after);
	keep(&found->agent, &agent->base);
	pthread_mutex_unlock(&s->lock);
	vw_arena_close(arena);
	tell(s, VW_CHANGE_AGENT, organization, agent_id);
	return 0;
}

static int agent_join(struct vw_fleet_store *store, struct vw_arena *arena, int32_t organization,
		      const char *agent_id, const struct vw_join *join, vw_agent **out, int *out_rejection,
		      struct vw_error *err)
{
	struct memory_store *s = of(store);
	struct vw_join_answer answer;
	int rc = fault(s, JOIN, err);
	if (rc < 0)
		return rc;
	pthread_mutex_lock(&s->lock);
	struct one_agent *found = find(s, organization, agent_id);
	uint64_t acknowledged = join->hello->acknowledged_sequence;
	struct vw_join_facts facts = {.organization = organization_of(s, arena, organization)};
	if (found)
		facts.agent = get(&found->agent, &verifywise__v1__agent__descriptor, arena);
	if (found && acknowledged > 0 && acknowledged <= found->count)
		facts.hash = found->hashes[acknowledged - 1];
	vw_join_decide(&facts, join, &answer);
	if (answer.rejection == 0 || answer.is_quarantine)
		keep(&found->agent, &facts.agent->base);
	*out_rejection = answer.rejection;
	if (found)
		*out = get(&found->agent, &verifywise__v1__agent__descriptor, arena);
	pthread_mutex_unlock(&s->lock);
	return 0;
}

static int presence_put(struct vw_fleet_store *store, const vw_agent_presence *presence, struct vw_error *err)
{
	struct memory_store *s = of(store);
	int rc = fault(s, PRESENCE, err);
	if (rc < 0)
		return rc;
	pthread_mutex_lock(&s->lock);
	struct one_agent *found = find(s, presence->organization, presence->agent_id);
	if (found)
		keep(&found->presence, &presence->base);
	pthread_mutex_unlock(&s->lock);
	tell(s, VW_CHANGE_PRESENCE, presence->organization, presence->agent_id);
	return 0;
}

static int presence_get(struct vw_fleet_store *store, struct vw_arena *arena, int32_t organization,
			const char *agent_id, vw_agent_presence **out, struct vw_error *err)
{
	struct memory_store *s = of(store);
	pthread_mutex_lock(&s->lock);
	struct one_agent *found = find(s, organization, agent_id);
	vw_agent_presence *presence =
	    found ? get(&found->presence, &verifywise__v1__agent_presence__descriptor, arena) : NULL;
	pthread_mutex_unlock(&s->lock);
	if (!presence)
		return vw_error_set(err, VW_ENOTFOUND, "never connected");
	*out = presence;
	return 0;
}

static int presence_clear(struct vw_fleet_store *store, const char *replica, struct vw_error *err)
{
	(void)store;
	(void)replica;
	(void)err;
	return 0;
}

static int count(struct vw_fleet_store *store, int32_t organization, struct vw_fleet_counts *out,
		 struct vw_error *err)
{
	(void)organization;
	(void)err;
	*out = (struct vw_fleet_counts){.agents = (int64_t)of(store)->agent_count};
	return 0;
}

/* ---- Ingest ---- */

static int stored_hash(uint64_t sequence, uint8_t out[VW_LEDGER_HASH], void *arg, struct vw_error *err)
{
	const struct one_agent *agent = arg;
	(void)err;
	memcpy(out, agent->hashes[sequence - 1], VW_LEDGER_HASH);
	return 0;
}

static void append(struct one_agent *agent, const uint8_t *hash)
{
	if (agent->count == agent->size) {
		agent->size = agent->size == 0 ? 64 : 2 * agent->size;
		agent->hashes = realloc(agent->hashes, agent->size * sizeof(*agent->hashes));
	}
	memcpy(agent->hashes[agent->count++], hash, VW_LEDGER_HASH);
}

static int store_plan(struct one_agent *found, const struct vw_ingest_batch *batch, struct vw_arena *arena,
		      struct vw_ingest_result *out, struct vw_error *err)
{
	struct vw_plan plan;
	struct vw_chain chain;
	vw_agent *agent = get(&found->agent, &verifywise__v1__agent__descriptor, arena);
	vw_agent_chain(agent, &chain);
	int rc = vw_plan_make(&chain, batch, stored_hash, found, arena, &plan, err);
	if (rc < 0)
		return rc;
	for (size_t i = 0; i < plan.count; i++)
		append(found, plan.entries[i].chained->chain_sha256.data);
	if (plan.count > 0)
		vw_agent_put_chain(agent, &plan.chain, batch->now);
	keep(&found->agent, &agent->base);
	*out = (struct vw_ingest_result){
	    .outcome = plan.outcome, .chain = plan.chain, .stored = plan.count, .duplicates = plan.duplicates};
	memcpy(out->reason, plan.reason, sizeof(out->reason));
	return 0;
}

static int ingest(struct vw_fleet_store *store, struct vw_arena *arena, const struct vw_ingest_batch *batch,
		  struct vw_ingest_result *out, struct vw_error *err)
{
	struct memory_store *s = of(store);
	int rc = fault(s, INGEST, err);
	if (rc < 0)
		return rc;
	pthread_mutex_lock(&s->lock);
	struct one_agent *found = find(s, batch->organization, batch->agent_id);
	rc = found ? store_plan(found, batch, arena, out, err) : vw_error_set(err, VW_ENOTFOUND, "no such agent");
	pthread_mutex_unlock(&s->lock);
	return rc;
}

/* ---- Commands; there are no files and no secrets ---- */

static int command_create(struct vw_fleet_store *store, const vw_stored_command *command, struct vw_error *err)
{
	struct memory_store *s = of(store);
	pthread_mutex_lock(&s->lock);
	struct one_agent *found = find(s, command->organization, command->agent_id);
	int rc = 0;
	if (found->command_count == VW_MAX_OPEN_COMMANDS)
		rc = vw_error_set(err, VW_ELIMIT, "too many commands");
	else
		keep(&found->commands[found->command_count++], &command->base);
	pthread_mutex_unlock(&s->lock);
	tell(s, VW_CHANGE_COMMAND, command->organization, command->agent_id);
	return rc;
}

static int command_open(struct vw_fleet_store *store, struct vw_arena *arena, int32_t organization,
			const char *agent_id, int64_t now, vw_stored_command ***out, size_t *out_count,
			struct vw_error *err)
{
	struct memory_store *s = of(store);
	(void)now;
	(void)err;
	pthread_mutex_lock(&s->lock);
	struct one_agent *found = find(s, organization, agent_id);
	vw_stored_command **list = vw_arena_array(arena, VW_MAX_OPEN_COMMANDS, sizeof(*list));
	*out_count = 0;
	for (size_t i = 0; found && i < found->command_count; i++) {
		vw_stored_command *command =
		    get(&found->commands[i], &verifywise__v1__stored_command__descriptor, arena);
		if (command->state < VW_COMMAND_STATE_DONE)
			list[(*out_count)++] = command;
	}
	*out = list;
	pthread_mutex_unlock(&s->lock);
	return 0;
}

static int command_update(struct vw_fleet_store *store, int32_t organization, const char *agent_id,
			  const vw_command_update *update, struct vw_error *err)
{
	struct memory_store *s = of(store);
	struct vw_arena *arena;
	int rc = fault(s, UPDATE, err);
	if (rc < 0)
		return rc;
	arena = vw_arena_open(0);
	rc = VW_ENOTFOUND;
	pthread_mutex_lock(&s->lock);
	struct one_agent *found = find(s, organization, agent_id);
	for (size_t i = 0; found && i < found->command_count; i++) {
		vw_stored_command *command =
		    get(&found->commands[i], &verifywise__v1__stored_command__descriptor, arena);
		if (strcmp(command->command->id, update->id) != 0)
			continue;
		VW_SET(command, state, update->state);
		command->update = (vw_command_update *)(uintptr_t)update;
		keep(&found->commands[i], &command->base);
		rc = 0;
	}
	pthread_mutex_unlock(&s->lock);
	vw_arena_close(arena);
	tell(s, VW_CHANGE_COMMAND, organization, agent_id);
	return rc;
}

static int command_get(struct vw_fleet_store *store, struct vw_arena *arena, int32_t organization, const char *id,
		       vw_stored_command **out, struct vw_error *err)
{
	struct memory_store *s = of(store);
	vw_stored_command *found = NULL;
	pthread_mutex_lock(&s->lock);
	for (size_t i = 0; i < s->agent_count; i++) {
		for (size_t k = 0; k < s->agents[i].command_count && s->agents[i].organization == organization; k++) {
			vw_stored_command *command =
			    get(&s->agents[i].commands[k], &verifywise__v1__stored_command__descriptor, arena);
			if (strcmp(command->command->id, id) == 0)
				found = command;
		}
	}
	pthread_mutex_unlock(&s->lock);
	*out = found;
	return found ? 0 : vw_error_set(err, VW_ENOTFOUND, "no such command");
}

static int file_get(struct vw_fleet_store *store, struct vw_arena *arena, int32_t organization,
		    const uint8_t sha256[32], vw_stored_file **out, struct vw_error *err)
{
	(void)store;
	(void)arena;
	(void)organization;
	(void)sha256;
	(void)out;
	return vw_error_set(err, VW_ENOTFOUND, "no such file");
}

static int secret_list(struct vw_fleet_store *store, struct vw_arena *arena, int32_t organization,
		       const char *agent_id, vw_stored_secret ***out, size_t *out_count, struct vw_error *err)
{
	(void)store;
	(void)arena;
	(void)organization;
	(void)agent_id;
	(void)err;
	*out = NULL;
	*out_count = 0;
	return 0;
}

static void watch(struct vw_fleet_store *store, void (*each)(const struct vw_change *change, void *arg), void *arg)
{
	of(store)->each = each;
	of(store)->arg = arg;
}

/* "memory": as a store that several replicas share. */
static const struct vw_fleet_ops ops = {.kind = "memory",
					.close = close_store,
					.organization_get = organization_get,
					.organization_disable = organization_disable,
					.agent_get = agent_get,
					.agent_set_status = agent_set_status,
					.agent_set_pending_serial = agent_set_pending_serial,
					.agent_join = agent_join,
					.presence_put = presence_put,
					.presence_get = presence_get,
					.presence_clear = presence_clear,
					.count = count,
					.ingest = ingest,
					.command_create = command_create,
					.command_open = command_open,
					.command_get = command_get,
					.command_update = command_update,
					.file_get = file_get,
					.secret_list = secret_list,
					.watch = watch};

/* ---- What the test says ---- */

struct vw_fleet_store *memory_store_open(void)
{
	struct memory_store *s = calloc(1, sizeof(*s));
	s->base.ops = &ops;
	s->agents = calloc(MAX_AGENTS, sizeof(*s->agents));
	pthread_mutex_init(&s->lock, NULL);
	for (int i = 0; i < CALLS; i++)
		s->faults[i].name = call_names[i];
	return &s->base;
}

void memory_store_organization(struct vw_fleet_store *store, int32_t organization)
{
	struct memory_store *s = of(store);
	pthread_mutex_lock(&s->lock);
	s->organizations[s->organization_count++] = organization;
	pthread_mutex_unlock(&s->lock);
}

void memory_store_agent(struct vw_fleet_store *store, int32_t organization, const char *agent_id, const char *serial)
{
	struct memory_store *s = of(store);
	vw_agent agent = VERIFYWISE__V1__AGENT__INIT;
	pthread_mutex_lock(&s->lock);
	struct one_agent *one = &s->agents[s->agent_count++];
	one->organization = organization;
	snprintf(one->id, sizeof(one->id), "%s", agent_id);
	VW_SET(&agent, organization, organization);
	agent.agent_id = one->id;
	VW_SET(&agent, status, VW_AGENT_ACTIVE);
	agent.serial = (char *)(uintptr_t)serial;
	keep(&one->agent, &agent.base);
	pthread_mutex_unlock(&s->lock);
}

void memory_store_fault(struct vw_fleet_store *store, const char *call, int code, int count_, int ms)
{
	struct memory_store *s = of(store);
	pthread_mutex_lock(&s->lock);
	for (int i = 0; i < CALLS; i++) {
		if (strcmp(s->faults[i].name, call) == 0) {
			s->faults[i].code = code;
			s->faults[i].count = count_;
			s->faults[i].ms = ms;
		}
	}
	pthread_mutex_unlock(&s->lock);
}

int64_t memory_store_calls(const struct vw_fleet_store *store, const char *call)
{
	struct memory_store *s = of(store);
	int64_t calls = 0;
	pthread_mutex_lock(&s->lock);
	for (int i = 0; i < CALLS; i++) {
		if (strcmp(s->faults[i].name, call) == 0)
			calls = s->faults[i].calls;
	}
	pthread_mutex_unlock(&s->lock);
	return calls;
}
