#include "enrolled.h"

#include "base/file.h"
#include "fleet/certificate.h"
#include "proto/message.h"
#include "storage/uplink.h"

#include "../base/cmocka_all.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define AGENT "0b5c1f5e-7f6e-4d0a-9f0e-3d2c1b0a9f8e"

static const char *path_of(const char *name)
{
	static char paths[4][160];
	static int next;
	char *path = paths[next++ % 4];
	snprintf(path, sizeof(paths[0]), "%s/%s", fixture_folder, name);
	return path;
}

static void good(int code, const struct vw_error *err)
{
	if (code < 0)
		fail_msg("%s", err->message);
}

static void write_held(void)
{
	struct vw_error err = VW_ERROR_INIT;
	struct vw_arena *arena VW_AUTO(vw_arena_cleanup) = vw_arena_open(0);
	vw_held_identity held = VERIFYWISE__V1__HELD_IDENTITY__INIT;
	vw_issued issued = VERIFYWISE__V1__ISSUED__INIT;
	size_t len;
	issued.organization = (char *)"7";
	issued.organization_name = (char *)"Test";
	issued.trust_domain = (char *)"fleet.example";
	issued.agent_id = (char *)AGENT;
	issued.session_endpoint = (char *)"127.0.0.1:1";
	held.issued = &issued;
	held.url = (char *)"https://127.0.0.1:1";
	const uint8_t *packed = vw_message_pack(arena, &held.base, &len);
	good(vw_file_write(path_of("identity/controller.pb"), packed, len, 0600, &err), &err);
}

void enrolled_write(void)
{
	struct vw_error err = VW_ERROR_INIT;
	struct vw_key *key;
	struct vw_sealing_key *sealing;
	struct vw_buffer pem;
	good(vw_dir_make_private(path_of("identity"), &err), &err);
	good(vw_key_generate(&key, &err), &err);
	good(vw_key_write(key, path_of("identity/enrollment.key"), &err), &err);
	vw_key_close(key);
	good(vw_sealing_key_generate(&sealing, &err), &err);
	good(vw_sealing_key_write(sealing, path_of("identity/sealing.key"), &err), &err);
	vw_sealing_key_close(sealing);
	vw_buffer_init(&pem, 0);
	good(vw_file_read(TEST_AUTHORITY, 65536, &pem, &err), &err);
	good(vw_file_write(path_of("identity/authorities.pem"), vw_buffer_text(&pem), pem.len, 0600, &err), &err);
	vw_buffer_reset(&pem);
	write_held();
}

vw_sealed_secret *enrolled_seal(struct vw_arena *arena, const char *name, const char *text)
{
	struct vw_error err = VW_ERROR_INIT;
	struct vw_sealing_key *key;
	struct vw_bytes sealed;
	struct vw_secret *secret = vw_secret_open(text, strlen(text));
	vw_sealed_secret *out = vw_message_new(arena, &verifywise__v1__sealed_secret__descriptor);
	good(vw_sealing_key_read(path_of("identity/sealing.key"), &key, &err), &err);
	good(vw_seal(vw_sealing_key_public(key), secret, arena, &sealed, &err), &err);
	vw_sealing_key_close(key);
	vw_secret_close(secret);
	out->name = vw_arena_strdup(arena, name);
	VW_SET(out, version, 1);
	VW_SET_BYTES(out, sealed, (uint8_t *)(uintptr_t)sealed.data, sealed.len);
	return out;
}

static struct vw_txn *look(void)
{
	struct vw_error err = VW_ERROR_INIT;
	struct vw_txn *txn;
	good(vw_txn_begin_read(vw_store_kv(fixture_store), &txn, &err), &err);
	return txn;
}

vw_uplink_state *enrolled_state(struct vw_arena *arena)
{
	struct vw_error err = VW_ERROR_INIT;
	vw_uplink_state *state;
	struct vw_txn *txn = look();
	good(vw_store_uplink(txn, arena, &state, &err), &err);
	vw_txn_end(txn);
	return state;
}

static int put_state(struct vw_txn *txn, void *arg, struct vw_error *err)
{
	struct vw_arena *arena VW_AUTO(vw_arena_cleanup) = vw_arena_open(0);
	return vw_store_put_uplink(txn, arena, arg, err);
}

void enrolled_put_state(const vw_uplink_state *state)
{
	struct vw_error err = VW_ERROR_INIT;
	good(vw_kv_write(vw_store_kv(fixture_store), put_state, (void *)(uintptr_t)state, &err), &err);
}

size_t enrolled_secrets(struct vw_arena *arena, vw_held_secret ***out)
{
	struct vw_error err = VW_ERROR_INIT;
	size_t count;
	struct vw_txn *txn = look();
	good(vw_store_secrets(txn, arena, out, &count, &err), &err);
	vw_txn_end(txn);
	return count;
}

size_t enrolled_count(vw_audit_kind kind)
{
	struct vw_error err = VW_ERROR_INIT;
	struct vw_arena *arena VW_AUTO(vw_arena_cleanup) = vw_arena_open(0);
	vw_chained_entry **entries;
	size_t count, found = 0;
	struct vw_txn *txn = look();
	good(vw_store_chained_entries(txn, arena, 1, 1000, 1 << 20, &entries, &count, &err), &err);
	vw_txn_end(txn);
	for (size_t i = 0; i < count; i++) {
		vw_entry *entry;
		good(vw_message_unpack(arena, &verifywise__v1__entry__descriptor, entries[i]->payload.data,
				       entries[i]->payload.len, "entry", (void **)&entry, &err),
		     &err);
		found += entry->body_case == VERIFYWISE__V1__ENTRY__BODY_AUDIT && entry->audit->kind == kind;
	}
	return found;
}

void enrolled_write_file(const char *name, const char *text)
{
	struct vw_error err = VW_ERROR_INIT;
	good(vw_dir_make_private(path_of("controller"), &err), &err);
	good(vw_file_write(path_of(name), text, strlen(text), 0600, &err), &err);
}

char *enrolled_read_file(struct vw_arena *arena, const char *name)
{
	struct vw_buffer text;
	char *copy = NULL;
	vw_buffer_init(&text, 0);
	if (vw_file_read(path_of(name), 1 << 20, &text, NULL) == 0)
		copy = vw_arena_strdup(arena, vw_buffer_text(&text));
	vw_buffer_reset(&text);
	return copy;
}
