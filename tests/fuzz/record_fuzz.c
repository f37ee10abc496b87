/* Bytes that claim to be a record: unpacked, printed, compared and packed again. */
#include "proto/message.h"
#include "proto/model.h"

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
	if (!condition)
		abort();
}

static vw_record *unpack(struct vw_arena *arena, const uint8_t *bytes, size_t len)
{
	struct vw_error err = VW_ERROR_INIT;
	void *out = NULL;

	if (vw_message_unpack(arena, &verifywise__v1__record__descriptor, bytes, len, "fuzz", &out, &err)) {
		require(err.code == VW_ECORRUPT || err.code == VW_ELIMIT);
		return NULL;
	}
	return out;
}

/* What is printed is JSON, whatever the texts hold. */
static void print(const vw_record *record)
{
	struct vw_json_writer w;
	struct vw_buffer buf;

	vw_buffer_init(&buf, 0);
	vw_json_writer_init(&w, &buf, true);
	vw_message_json(&w, &record->base);
	json_t *back = json_loadb(vw_buffer_text(&buf), buf.len, 0, NULL);
	require(back != NULL);
	json_decref(back);
	vw_buffer_reset(&buf);
}

static void look_up(struct vw_arena *arena, const vw_record *record)
{
	static const char *const paths[] = {"lifecycle.tags.team", "lifecycle.created_at", "risk.regulatory_scope",
					    "training.metrics", "artifacts.runtime_environment.sha256"};

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		struct vw_field_path path;
		require(vw_field_resolve(record->base.descriptor, paths[i], &path));
		vw_field_text(arena, &record->base, &path, 0);
	}
}

/* Packing what was unpacked, and again, gives the same bytes: a hash over them means something. */
static void pack_again(struct vw_arena *arena, const vw_record *record)
{
	size_t len = 0, again_len = 0, count = 0;
	char **names = NULL;

	uint8_t *bytes = vw_message_pack(arena, &record->base, &len);
	if (!bytes)
		return;
	vw_record *back = unpack(arena, bytes, len);
	if (!back)
		return;
	uint8_t *again = vw_message_pack(arena, &back->base, &again_len);
	if (!again)
		return;
	require(len == again_len && memcmp(bytes, again, len) == 0);
	require(vw_message_diff(arena, &record->base, &back->base, NULL, &names, &count) == 0 && count == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	VW_AUTO(vw_arena_cleanup) struct vw_arena *arena = vw_arena_open(16 * 1024 * 1024);
	vw_record *record = unpack(arena, data, size);

	if (!record)
		return 0;
	print(record);
	look_up(arena, record);
	pack_again(arena, record);
	if (record->lifecycle) {
		vw_key_values_sort(record->lifecycle->tags, &record->lifecycle->n_tags);
		vw_texts_sort(record->lifecycle->aliases, &record->lifecycle->n_aliases);
	}
	return 0;
}
