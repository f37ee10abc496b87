#include "presence.h"

#include "base/limits.h"
#include "proto/message.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define AT_ONCE 1024 /* written in one transaction */

struct entry {
	int32_t organization;
	uint8_t id[VW_LMDB_ID];
	char agent_id[VW_AGENT_ID_MAX];
	uint8_t *packed;
	size_t len;
	bool connected;
	bool told;          /* the watcher knows */
	bool waiting;       /* in the queue */
	bool changed;       /* since it was last handed to a transaction */
	struct entry *next; /* of the queue */
};

struct vw_lmdb_presences {
	pthread_mutex_t lock;
	struct entry **entries; /* in order of organization and id */
	size_t count, size;
	struct entry *first, **last; /* to be written */
	size_t waiting;
	size_t in_flight; /* of those, from the first, in the current transaction */
	size_t untold;
};

/* ---- Finding ---- */

static int compare(const struct entry *e, int32_t organization, const uint8_t id[VW_LMDB_ID])
{
	if (e->organization != organization)
		return e->organization < organization ? -1 : 1;
	return memcmp(e->id, id, VW_LMDB_ID);
}

/* Where it is, or belongs. */
static size_t place_of(const struct vw_lmdb_presences *p, int32_t organization, const uint8_t id[VW_LMDB_ID])
{
	size_t low = 0, high = p->count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (compare(p->entries[middle], organization, id) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct entry *find(const struct vw_lmdb_presences *p, int32_t organization, const uint8_t id[VW_LMDB_ID])
{
	size_t place = place_of(p, organization, id);
	return place < p->count && compare(p->entries[place], organization, id) == 0 ? p->entries[place] : NULL;
}

static struct entry *insert(struct vw_lmdb_presences *p, int32_t organization, const uint8_t id[VW_LMDB_ID],
			    const char *agent_id)
{
	if (p->count == p->size) {
		size_t size = p->size ? 2 * p->size : 64;
		struct entry **larger = reallocarray(p->entries, size, sizeof(struct entry *));
		if (!larger)
			return NULL;
		p->entries = larger;
		p->size = size;
	}
	struct entry *e = calloc(1, sizeof(*e));
	if (!e)
		return NULL;
	e->organization = organization;
	e->told = true;
	memcpy(e->id, id, VW_LMDB_ID);
	snprintf(e->agent_id, sizeof(e->agent_id), "%s", agent_id);
	size_t place = place_of(p, organization, id);
	memmove(&p->entries[place + 1], &p->entries[place], (p->count - place) * sizeof(struct entry *));
	p->entries[place] = e;
	p->count++;
	return e;
}

/* ---- Changing ---- */

static bool set(struct entry *e, const vw_agent_presence *presence)
{
	size_t len = protobuf_c_message_get_packed_size(&presence->base);
	uint8_t *packed = malloc(len ? len : 1);
	if (!packed)
		return false;
	protobuf_c_message_pack(&presence->base, packed);
	free(e->packed);
	e->packed = packed;
	e->len = len;
	e->connected = presence->connected;
	return true;
}

static void enqueue(struct vw_lmdb_presences *p, struct entry *e)
{
	e->changed = true;
	if (e->waiting)
		return;
	e->waiting = true;
	e->next = NULL;
	*p->last = e;
	p->last = &e->next;
	p->waiting++;
}

static void note_change(struct vw_lmdb_presences *p, struct entry *e, bool was_connected)
{
	if (e->connected == was_connected || !e->told)
		return;
	e->told = false;
	p->untold++;
}

/* ---- For the writer ---- */

size_t vw_lmdb_presences_waiting(struct vw_lmdb_presences *p)
{
	pthread_mutex_lock(&p->lock);
	size_t waiting = p->waiting;
	pthread_mutex_unlock(&p->lock);
	return waiting;
}

int vw_lmdb_presences_write(struct vw_lmdb_presences *p, struct vw_lmdb_tx *tx, struct vw_error *err)
{
	struct vw_lmdb_key key;
	int rc = 0;
	pthread_mutex_lock(&p->lock);
	p->in_flight = 0;
	for (struct entry *e = p->first; rc == 0 && e && p->in_flight < AT_ONCE; e = e->next) {
		e->changed = false;
		p->in_flight++;
		if (vw_lmdb_key_agent(e->organization, e->agent_id, &key))
			rc = vw_lmdb_put_bytes(tx, VW_LMDB_PRESENCE, &key, (struct vw_bytes){e->packed, e->len}, err);
	}
	pthread_mutex_unlock(&p->lock);
	return rc;
}

void vw_lmdb_presences_written(struct vw_lmdb_presences *p, bool committed)
{
	pthread_mutex_lock(&p->lock);
	size_t handed = p->in_flight;
	p->in_flight = 0;
	for (; handed > 0; handed--) {
		struct entry *e = p->first;
		bool again = !committed || e->changed;
		p->first = e->next;
		if (!p->first)
			p->last = &p->first;
		e->waiting = false;
		p->waiting--;
		if (again)
			enqueue(p, e);
	}
	pthread_mutex_unlock(&p->lock);
}

size_t vw_lmdb_presences_changes(struct vw_lmdb_presences *p, struct vw_change *out, size_t most)
{
	size_t count = 0;
	pthread_mutex_lock(&p->lock);
	for (size_t i = 0; p->untold > 0 && count < most && i < p->count; i++) {
		struct entry *e = p->entries[i];
		if (e->told)
			continue;
		e->told = true;
		p->untold--;
		out[count] = (struct vw_change){.kind = VW_CHANGE_PRESENCE, .organization = e->organization};
		memcpy(out[count++].agent_id, e->agent_id, sizeof(e->agent_id));
	}
	pthread_mutex_unlock(&p->lock);
	return count;
}

/* ---- For everybody ---- */

static int unpack(struct vw_arena *arena, const struct entry *e, vw_agent_presence **out, struct vw_error *err)
{
	void *message;
	int rc = vw_message_unpack(arena, &verifywise__v1__agent_presence__descriptor, e->packed, e->len, "presence",
				   &message, err);
	if (rc == 0)
		*out = message;
	return rc;
}

int vw_lmdb_presence(struct vw_lmdb_presences *p, struct vw_arena *arena, int32_t organization, const char *agent_id,
		     vw_agent_presence **out, struct vw_error *err)
{
	uint8_t id[VW_LMDB_ID];
	vw_agent_presence *empty = vw_message_new(arena, &verifywise__v1__agent_presence__descriptor);
	int rc = 0;
	if (!empty)
		return vw_lmdb_no_memory(err);
	*out = empty;
	pthread_mutex_lock(&p->lock);
	const struct entry *e = vw_lmdb_id(agent_id, id) ? find(p, organization, id) : NULL;
	if (e)
		rc = unpack(arena, e, out, err);
	pthread_mutex_unlock(&p->lock);
	return rc;
}

int64_t vw_lmdb_presences_connected(struct vw_lmdb_presences *p, int32_t organization)
{
	static const uint8_t none[VW_LMDB_ID];
	int64_t connected = 0;
	pthread_mutex_lock(&p->lock);
	size_t from = organization ? place_of(p, organization, none) : 0;
	for (size_t i = from; i < p->count; i++) {
		if (organization && p->entries[i]->organization != organization)
			break;
		connected += p->entries[i]->connected;
	}
	pthread_mutex_unlock(&p->lock);
	return connected;
}

static int put_locked(struct vw_lmdb_presences *p, const vw_agent_presence *presence, const uint8_t id[VW_LMDB_ID],
		      bool add, bool *out_there, struct vw_error *err)
{
	struct entry *e = find(p, presence->organization, id);
	*out_there = e != NULL;
	if (!e && !add)
		return 0;
	if (!e)
		e = insert(p, presence->organization, id, presence->agent_id);
	bool was_connected = e && e->connected;
	if (!e || !set(e, presence))
		return vw_lmdb_no_memory(err);
	enqueue(p, e);
	note_change(p, e, was_connected);
	return 0;
}

/* A heartbeat changes nothing that the watcher is told of. */
static void wake_to_tell(struct vw_lmdb_store *store)
{
	pthread_mutex_lock(&store->presences->lock);
	bool untold = store->presences->untold > 0;
	pthread_mutex_unlock(&store->presences->lock);
	if (untold)
		vw_lmdb_writer_wake(store->writer);
}

static int presence_put(struct vw_fleet_store *base, const vw_agent_presence *presence, struct vw_error *err)
{
	struct vw_lmdb_store *store = vw_lmdb_of(base);
	struct vw_lmdb_presences *p = store->presences;
	uint8_t id[VW_LMDB_ID];
	struct vw_lmdb_key key;
	struct vw_txn *txn;
	bool there;
	if (!vw_lmdb_id(presence->agent_id, id) ||
	    !vw_lmdb_key_agent(presence->organization, presence->agent_id, &key))
		return vw_lmdb_not_found("such agent", err);
	pthread_mutex_lock(&p->lock);
	int rc = put_locked(p, presence, id, false, &there, err);
	pthread_mutex_unlock(&p->lock);
	if (rc == 0 && !there) { /* its first: is there such an agent? */
		rc = vw_txn_begin_read(store->kv, &txn, err);
		if (rc < 0)
			return rc;
		int has = vw_lmdb_has(txn, VW_LMDB_AGENTS, &key, err);
		vw_txn_end(txn);
		if (has <= 0)
			return has < 0 ? has : vw_lmdb_not_found("such agent", err);
		pthread_mutex_lock(&p->lock);
		rc = put_locked(p, presence, id, true, &there, err);
		pthread_mutex_unlock(&p->lock);
	}
	wake_to_tell(store);
	return rc;
}

static int presence_get(struct vw_fleet_store *base, struct vw_arena *arena, int32_t organization,
			const char *agent_id, vw_agent_presence **out, struct vw_error *err)
{
	struct vw_lmdb_presences *p = vw_lmdb_of(base)->presences;
	uint8_t id[VW_LMDB_ID];
	pthread_mutex_lock(&p->lock);
	const struct entry *e = vw_lmdb_id(agent_id, id) ? find(p, organization, id) : NULL;
	int rc = e ? unpack(arena, e, out, err) : vw_lmdb_not_found("presence of such an agent", err);
	pthread_mutex_unlock(&p->lock);
	return rc;
}

static int disconnect(struct vw_lmdb_presences *p, struct entry *e, const char *replica, struct vw_arena *arena,
		      struct vw_error *err)
{
	vw_agent_presence *presence = NULL;
	int rc = unpack(arena, e, &presence, err);
	if (rc < 0 || !presence->replica || strcmp(presence->replica, replica) != 0)
		return rc;
	presence->connected = false;
	if (!set(e, presence))
		return vw_lmdb_no_memory(err);
	enqueue(p, e);
	note_change(p, e, true);
	return 0;
}

static int presence_clear(struct vw_fleet_store *base, const char *replica, struct vw_error *err)
{
	struct vw_lmdb_store *store = vw_lmdb_of(base);
	struct vw_lmdb_presences *p = store->presences;
	VW_AUTO(vw_arena_cleanup) struct vw_arena *arena = vw_arena_open(0);
	int rc = arena ? 0 : vw_lmdb_no_memory(err);
	pthread_mutex_lock(&p->lock);
	for (size_t i = 0; rc == 0 && i < p->count; i++) {
		if (p->entries[i]->connected)
			rc = disconnect(p, p->entries[i], replica, arena, err);
		vw_arena_reset(arena);
	}
	pthread_mutex_unlock(&p->lock);
	wake_to_tell(store);
	return rc;
}

/* ---- Opening ---- */

struct loading {
	struct vw_lmdb_presences *presences;
	struct vw_arena *arena;
};

static int load(struct vw_bytes key, struct vw_bytes value, void *arg, struct vw_error *err)
{
	struct loading *l = arg;
	uint8_t id[VW_LMDB_ID];
	void *message;
	int rc = vw_message_unpack(l->arena, &verifywise__v1__agent_presence__descriptor, value.data, value.len,
				   "presence", &message, err);
	if (rc < 0)
		return rc;
	const vw_agent_presence *presence = message;
	(void)key;
	if (!vw_lmdb_id(presence->agent_id, id))
		return vw_error_set(err, VW_ECORRUPT, "a stored presence names no agent");
	struct entry *e = find(l->presences, presence->organization, id);
	if (!e)
		e = insert(l->presences, presence->organization, id, presence->agent_id);
	rc = e && set(e, presence) ? 0 : vw_lmdb_no_memory(err);
	vw_arena_reset(l->arena);
	return rc;
}

int vw_lmdb_presences_open(struct vw_kv *kv, struct vw_lmdb_presences **out, struct vw_error *err)
{
	struct vw_lmdb_presences *p = calloc(1, sizeof(*p));
	VW_AUTO(vw_arena_cleanup) struct vw_arena *arena = vw_arena_open(0);
	struct loading l = {.presences = p, .arena = arena};
	struct vw_txn *txn = NULL;
	if (!p || !arena) {
		free(p);
		return vw_lmdb_no_memory(err);
	}
	pthread_mutex_init(&p->lock, NULL);
	p->last = &p->first;
	int rc = vw_txn_begin_read(kv, &txn, err);
	if (rc == 0)
		rc = vw_lmdb_walk(txn, VW_LMDB_PRESENCE, (struct vw_bytes){NULL, 0}, (struct vw_bytes){NULL, 0},
				  false, load, &l, err);
	vw_txn_end(txn);
	if (rc < 0) {
		vw_lmdb_presences_close(p);
		return rc;
	}
	*out = p;
	return 0;
}

void vw_lmdb_presences_close(struct vw_lmdb_presences *p)
{
	if (!p)
		return;
	for (size_t i = 0; i < p->count; i++) {
		free(p->entries[i]->packed);
		free(p->entries[i]);
	}
	free(p->entries);
	pthread_mutex_destroy(&p->lock);
	free(p);
}

void vw_lmdb_presence_ops(struct vw_fleet_ops *ops)
{
	ops->presence_put = presence_put;
	ops->presence_get = presence_get;
	ops->presence_clear = presence_clear;
}
