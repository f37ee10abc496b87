/* keys.h: the keys of the store's tables, each built here and nowhere else. Private to storage.
 *
 * Numbers are big-endian, so that the order of keys is that of numbers. */
#ifndef STORAGE_KEYS_H
#define STORAGE_KEYS_H

#include "storage/kv.h"

struct vw_key {
	size_t len;
	uint8_t bytes[VW_KEY_MAX];
};

struct vw_bytes vw_key_bytes(const struct vw_key *key);

/* Of a registered model or an experiment: workspace, 0, the name's first 255 bytes, 0, 8 bytes of SHA-256 over (workspace, 0, name).
 * `workspace` may be NULL. VW_ELIMIT for one longer than VW_STORE_WORKSPACE_MAX, VW_EINVAL without a name. */
int vw_key_object(const char *workspace, const char *name, struct vw_key *out, struct vw_error *err);
/* The same, then the version as u64. VW_EINVAL when it is no decimal uint64. */
int vw_key_version(const char *workspace, const char *model, const char *version, struct vw_key *out,
		   struct vw_error *err);
/* The workspace in front of such a key: zero-terminated, in the key. NULL if it is no such key. */
const char *vw_key_workspace(struct vw_bytes key);

void vw_key_sequence(uint64_t sequence, struct vw_key *out);
bool vw_key_read_sequence(struct vw_bytes key, uint64_t *out);
void vw_key_kind(unsigned kind, uint64_t sequence, struct vw_key *out);
bool vw_key_read_kind(struct vw_bytes key, unsigned *out_kind, uint64_t *out_sequence);
void vw_key_text(const char *text, struct vw_key *out);

#endif
