/* JSON from a server: parsed, asked for everything, and its texts written back. */
#include "base/json.h"

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
	if (!condition)
		abort();
}

static void ask(struct vw_arena *arena, const json_t *object, const char *key, struct vw_json_writer *w)
{
	int64_t whole;
	double real;

	vw_json_key(w, key);
	vw_json_begin_array(w);
	vw_json_put_text(w, vw_json_text(arena, object, key));
	if (vw_json_int64(object, key, &whole))
		vw_json_put_time(w, whole);
	if (vw_json_double(object, key, &real))
		vw_json_put_double(w, real);
	vw_json_put_bool(w, vw_json_array(object, key) != NULL);
	vw_json_put_bool(w, vw_json_object(object, key) != NULL);
	vw_json_end_array(w);
}

static void visit(struct vw_arena *arena, json_t *value, struct vw_json_writer *w)
{
	const char *key;
	json_t *member;
	size_t index;

	vw_json_begin_array(w);
	json_object_foreach(value, key, member)
	{
		vw_json_begin_object(w);
		ask(arena, value, key, w);
		vw_json_end_object(w);
		visit(arena, member, w);
	}
	json_array_foreach(value, index, member)
	{
		visit(arena, member, w);
	}
	vw_json_end_array(w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vw_error err = VW_ERROR_INIT;
	VW_AUTO(vw_json_cleanup) json_t *root = NULL;

	if (vw_json_parse((const char *)data, size, "fuzz", &root, &err)) {
		require(err.code < 0 && err.message[0]);
		return 0;
	}
	VW_AUTO(vw_arena_cleanup) struct vw_arena *arena = vw_arena_open(0);
	struct vw_json_writer w;
	struct vw_buffer buf;
	vw_buffer_init(&buf, 0);
	vw_json_writer_init(&w, &buf, size & 1);
	visit(arena, root, &w);
	json_t *back = json_loadb(vw_buffer_text(&buf), buf.len, 0, NULL);
	require(back != NULL); /* what we write is JSON */
	json_decref(back);
	vw_buffer_reset(&buf);
	return 0;
}
