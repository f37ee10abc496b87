#include "embedded.h"

#include "base/clock.h"
#include "base/limits.h"
#include "base/text.h"
#include "proto/message.h"

#include <inttypes.h>
#include <string.h>

int vw_lmdb_organization(struct vw_txn *txn, struct vw_arena *arena, int32_t organization, vw_organization **out,
			 struct vw_error *err)
{
	struct vw_lmdb_key key;
	void *found;
	vw_lmdb_key_organization(organization, &key);
	int rc = vw_lmdb_get(txn, arena, VW_LMDB_ORGANIZATIONS, &key, &verifywise__v1__organization__descriptor,
			     "such organization", &found, err);
	if (rc == 0)
		*out = found;
	return rc;
}

static int put(struct vw_lmdb_tx *tx, const vw_organization *organization, struct vw_error *err)
{
	struct vw_lmdb_key key;
	vw_lmdb_key_organization(organization->id, &key);
	return vw_lmdb_put(tx, VW_LMDB_ORGANIZATIONS, &key, &organization->base, err);
}

/* ---- Creating ---- */

struct creation {
	struct vw_arena *arena;
	int32_t wanted;
	const char *name;
	vw_organization *organization;
};

static int last_id(struct vw_bytes key, struct vw_bytes value, void *arg, struct vw_error *err)
{
	const uint8_t *bytes = key.data;
	(void)value;
	(void)err;
	if (key.len == VW_LMDB_ORGANIZATION)
		*(uint32_t *)arg =
		    (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
	return 1;
}

static int choose_id(struct vw_lmdb_tx *tx, int32_t wanted, int32_t *out, struct vw_error *err)
{
	struct vw_lmdb_key key;
	uint32_t last = 0;
	if (wanted == 0) {
		int rc = vw_lmdb_walk(tx->txn, VW_LMDB_ORGANIZATIONS, (struct vw_bytes){NULL, 0},
				      (struct vw_bytes){NULL, 0}, true, last_id, &last, err);
		if (rc < 0)
			return rc;
		if (last >= INT32_MAX)
			return vw_error_set(err, VW_ELIMIT, "there is no organization id above %" PRIu32, last);
		*out = (int32_t)last + 1;
		return 0;
	}
	vw_lmdb_key_organization(wanted, &key);
	int has = vw_lmdb_has(tx->txn, VW_LMDB_ORGANIZATIONS, &key, err);
	if (has != 0)
		return has < 0 ? has
			       : vw_error_set(err, VW_EBUSY, "organization %" PRId32 " is there already", wanted);
	*out = wanted;
	return 0;
}

static int create_step(struct vw_lmdb_tx *tx, void *arg, struct vw_error *err)
{
	struct creation *c = arg;
	struct vw_lmdb_key name;
	vw_lmdb_key_name(c->name, &name);
	int has = vw_lmdb_has(tx->txn, VW_LMDB_INDEX, &name, err);
	if (has != 0)
		return has < 0 ? has
			       : vw_error_set(err, VW_EBUSY, "an organization '%.100s' is there already", c->name);
	vw_organization *o = vw_message_new(c->arena, &verifywise__v1__organization__descriptor);
	if (!o || !(o->name = vw_arena_strdup(c->arena, c->name)))
		return vw_lmdb_no_memory(err);
	VW_SET(o, created_at, vw_clock_now());
	VW_SET(o, disabled, false);
	o->has_id = 1;
	int rc = choose_id(tx, c->wanted, &o->id, err);
	if (rc == 0)
		rc = put(tx, o, err);
	if (rc == 0)
		rc = vw_lmdb_put_bytes(tx, VW_LMDB_INDEX, &name, (struct vw_bytes){"", 0}, err);
	c->organization = o;
	return rc;
}

static int organization_create(struct vw_fleet_store *base, struct vw_arena *arena, int32_t organization,
			       const char *name, vw_organization **out, struct vw_error *err)
{
	struct creation c = {.arena = arena, .wanted = organization, .name = name};
	if (organization < 0)
		return vw_error_set(err, VW_EINVAL, "%" PRId32 " is no organization id", organization);
	if (!name || vw_text_blank(name) || strlen(name) > VW_MAX_NAME || !vw_utf8_valid(name, strlen(name)))
		return vw_error_set(err, VW_EINVAL, "an organization needs a name in UTF-8 (VW_MAX_NAME)");
	int rc = vw_lmdb_write(vw_lmdb_of(base), create_step, &c, err);
	if (rc == 0)
		*out = c.organization;
	return rc;
}

/* ---- The rest ---- */

static int organization_get(struct vw_fleet_store *base, struct vw_arena *arena, int32_t organization,
			    vw_organization **out, struct vw_error *err)
{
	struct vw_txn *txn;
	int rc = vw_txn_begin_read(vw_lmdb_of(base)->kv, &txn, err);
	if (rc < 0)
		return rc;
	rc = vw_lmdb_organization(txn, arena, organization, out, err);
	vw_txn_end(txn);
	return rc;
}

struct switching {
	struct vw_arena *arena;
	int32_t organization;
	bool disabled;
};

static int disable_step(struct vw_lmdb_tx *tx, void *arg, struct vw_error *err)
{
	const struct switching *s = arg;
	vw_organization *o;
	int rc = vw_lmdb_organization(tx->txn, s->arena, s->organization, &o, err);
	if (rc < 0)
		return rc;
	VW_SET(o, disabled, s->disabled);
	vw_lmdb_change(tx, VW_CHANGE_ORGANIZATION, s->organization, NULL);
	return put(tx, o, err);
}

static int organization_disable(struct vw_fleet_store *base, int32_t organization, bool disabled,
				struct vw_error *err)
{
	VW_AUTO(vw_arena_cleanup) struct vw_arena *arena = vw_arena_open(0);
	struct switching s = {.arena = arena, .organization = organization, .disabled = disabled};
	return arena ? vw_lmdb_write(vw_lmdb_of(base), disable_step, &s, err) : vw_lmdb_no_memory(err);
}

struct listing {
	struct vw_lmdb_rows rows;
	size_t limit;
};

static int list_one(struct vw_bytes key, struct vw_bytes value, void *arg, struct vw_error *err)
{
	struct listing *l = arg;
	void *organization;
	(void)key;
	if (l->rows.count == l->limit)
		return 1;
	int rc = vw_message_unpack(l->rows.arena, &verifywise__v1__organization__descriptor, value.data, value.len,
				   "organization", &organization, err);
	return rc < 0 ? rc : vw_lmdb_rows_add(&l->rows, organization, err);
}

static int organization_list(struct vw_fleet_store *base, struct vw_arena *arena, int32_t after, size_t limit,
			     vw_organization ***out, size_t *out_count, struct vw_error *err)
{
	struct listing l = {.rows.arena = arena, .limit = limit};
	struct vw_lmdb_key from;
	struct vw_txn *txn;
	bool none = after == INT32_MAX; /* there is no higher one */
	vw_lmdb_key_organization(after < 0 || none ? 0 : after + 1, &from);
	int rc = vw_txn_begin_read(vw_lmdb_of(base)->kv, &txn, err);
	if (rc < 0)
		return rc;
	if (!none)
		rc = vw_lmdb_walk(txn, VW_LMDB_ORGANIZATIONS, (struct vw_bytes){NULL, 0}, vw_lmdb_bytes(&from), false,
				  list_one, &l, err);
	vw_txn_end(txn);
	if (rc < 0)
		return rc;
	*out = (vw_organization **)l.rows.items;
	*out_count = l.rows.count;
	return 0;
}

void vw_lmdb_organization_ops(struct vw_fleet_ops *ops)
{
	ops->organization_create = organization_create;
	ops->organization_get = organization_get;
	ops->organization_disable = organization_disable;
	ops->organization_list = organization_list;
}
