/* object.c: registered models and experiments as last read, each kept under its hash. */
#include "store_private.h"

#include "base/digest.h"
#include "proto/message.h"

#include <string.h>

typedef Verifywise__V1__SourceObject source_object;

static int unpack(struct vw_arena *arena, struct vw_bytes value, const ProtobufCMessageDescriptor *type,
		  const char *what, void **out, struct vw_error *err)
{
	void *object;
	int rc = vw_message_unpack(arena, &verifywise__v1__source_object__descriptor, value.data, value.len, what,
				   &object, err);
	if (rc < 0)
		return rc;
	const source_object *o = object;
	return vw_message_unpack(arena, type, o->content.data, o->content.len, what, out, err);
}

static int get(struct vw_txn *txn, struct vw_arena *arena, int table, const char *workspace, const char *name,
	       const ProtobufCMessageDescriptor *type, const char *what, void **out, struct vw_error *err)
{
	struct vw_key key;
	struct vw_bytes value;
	int rc = vw_key_object(workspace, name, &key, err);
	if (rc < 0)
		return rc;
	rc = vw_kv_get(txn, table, vw_key_bytes(&key), &value, err);
	if (rc == VW_ENOTFOUND)
		return vw_error_set(err, VW_ENOTFOUND, "there is no %s '%.256s' here", what, name);
	return rc < 0 ? rc : unpack(arena, value, type, what, out, err);
}

/* True when what is stored has this hash already. */
static int same_as_stored(struct vw_txn *txn, struct vw_arena *arena, int table, const struct vw_key *key,
			  const uint8_t sha256[VW_SHA256_SIZE], bool *out, struct vw_error *err)
{
	void *stored;
	*out = false;
	int rc = vw_store_get_message(txn, arena, table, key, &verifywise__v1__source_object__descriptor, "object",
				      &stored, err);
	if (rc == VW_ENOTFOUND)
		return 0;
	if (rc < 0)
		return rc;
	const source_object *o = stored;
	*out = o->content_sha256.len == VW_SHA256_SIZE && memcmp(o->content_sha256.data, sha256, VW_SHA256_SIZE) == 0;
	return 0;
}

static int put(struct vw_txn *txn, struct vw_arena *arena, int table, const char *workspace, const char *name,
	       const ProtobufCMessage *message, bool *out_changed, struct vw_error *err)
{
	uint8_t sha256[VW_SHA256_SIZE];
	struct vw_key key;
	bool same;
	size_t len;
	source_object object = VERIFYWISE__V1__SOURCE_OBJECT__INIT;
	int rc = vw_key_object(workspace, name, &key, err);
	if (rc < 0)
		return rc;
	const uint8_t *bytes = vw_message_pack(arena, message, &len);
	if (!bytes)
		return vw_error_set(err, VW_ENOMEM, "no memory to pack '%.256s'", name);
	vw_sha256_of(bytes, len, sha256);
	rc = same_as_stored(txn, arena, table, &key, sha256, &same, err);
	if (rc < 0)
		return rc;
	VW_SET_BYTES(&object, content, bytes, len);
	VW_SET_BYTES(&object, content_sha256, sha256, sizeof(sha256));
	if (!same)
		rc = vw_store_put_message(txn, arena, table, &key, &object.base, err);
	if (rc == 0 && out_changed)
		*out_changed = !same;
	return rc;
}

int vw_store_model(struct vw_txn *txn, struct vw_arena *arena, const char *workspace, const char *name,
		   vw_registered_model **out, struct vw_error *err)
{
	void *model;
	int rc = get(txn, arena, VW_TABLE_MODELS, workspace, name, &verifywise__v1__registered_model__descriptor,
		     "model", &model, err);
	if (rc == 0)
		*out = model;
	return rc;
}

int vw_store_experiment(struct vw_txn *txn, struct vw_arena *arena, const char *workspace, const char *id,
			vw_experiment **out, struct vw_error *err)
{
	void *experiment;
	int rc = get(txn, arena, VW_TABLE_EXPERIMENTS, workspace, id, &verifywise__v1__experiment__descriptor,
		     "experiment", &experiment, err);
	if (rc == 0)
		*out = experiment;
	return rc;
}

int vw_store_put_model(struct vw_txn *txn, struct vw_arena *arena, const char *workspace,
		       const vw_registered_model *model, bool *out_changed, struct vw_error *err)
{
	return put(txn, arena, VW_TABLE_MODELS, workspace, model->name, &model->base, out_changed, err);
}

int vw_store_put_experiment(struct vw_txn *txn, struct vw_arena *arena, const char *workspace,
			    const vw_experiment *experiment, bool *out_changed, struct vw_error *err)
{
	return put(txn, arena, VW_TABLE_EXPERIMENTS, workspace, experiment->experiment_id, &experiment->base,
		   out_changed, err);
}

int vw_store_delete_model(struct vw_txn *txn, const char *workspace, const char *name, struct vw_error *err)
{
	struct vw_key key;
	int rc = vw_key_object(workspace, name, &key, err);
	return rc < 0 ? rc : vw_kv_delete(txn, VW_TABLE_MODELS, vw_key_bytes(&key), err);
}

struct walk {
	vw_each_model each;
	void *arg;
};

static int walk_model(struct vw_bytes key, struct vw_bytes value, struct vw_arena *arena, void *arg,
		      struct vw_error *err)
{
	const struct walk *w = arg;
	void *model;
	const char *workspace = vw_key_workspace(key);
	if (!workspace)
		return vw_error_set(err, VW_ECORRUPT, "the list of models has a key that is none");
	int rc = unpack(arena, value, &verifywise__v1__registered_model__descriptor, "registered model", &model, err);
	return rc < 0 ? rc : w->each(workspace, model, arena, w->arg, err);
}

int vw_store_each_model(struct vw_txn *txn, vw_each_model each, void *arg, struct vw_error *err)
{
	struct walk w = {.each = each, .arg = arg};
	return vw_store_each_pair(txn, VW_TABLE_MODELS, (struct vw_bytes){NULL, 0}, false, walk_model, &w, err);
}
