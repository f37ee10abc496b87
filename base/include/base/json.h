/* json.h: reading JSON that somebody else wrote, and writing our own.
 *
 * The parser is jansson's, behind caps (VW_MAX_RESPONSE, VW_MAX_JSON_DEPTH), with duplicate keys
 * refused and the position of an error in the message. The getters below never fail: they answer
 * what is there if it has, or can be coerced to, the type asked for, and say so if it cannot. */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/error.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* Owned by the caller: json_decref(). `what` names the answer in messages ("registered-models/search"). */
int vw_json_parse(const char *bytes, size_t len, const char *what, json_t **out_root, struct vw_error *err);
void vw_json_cleanup(json_t **root); /* for VW_AUTO */

/* Of an object's member: a copy in the arena, or NULL when absent, null, or neither string nor number
 * (numbers become their decimal text). An embedded U+0000 cannot occur: the parser refuses it. */
char *vw_json_text(struct vw_arena *arena, const json_t *object, const char *key);
/* int64 as a number, as decimal text (MLflow before 1.22), or as a whole real. False when absent or none of these. */
bool vw_json_int64(const json_t *object, const char *key, int64_t *out);
/* A number, or one of the words NaN, Infinity, -Infinity that MLflow's servers send as strings, or decimal text. */
bool vw_json_double(const json_t *object, const char *key, double *out);
/* An array's member; NULL when absent or of another type. Borrowed. */
const json_t *vw_json_array(const json_t *object, const char *key);
const json_t *vw_json_object(const json_t *object, const char *key);

/* ---- Writing ---- */

/* A writer for one document: commas and quotes are its business. Numbers that are no finite number are written as
 * the words "NaN", "Infinity", "-Infinity" in quotes. Ill-formed UTF-8 is written as U+FFFD. */
struct vw_json_writer {
	struct vw_buffer *out; /* borrowed */
	int depth;
	bool pretty; /* two spaces per level */
	bool need_comma;
	bool after_key;
};
void vw_json_writer_init(struct vw_json_writer *w, struct vw_buffer *out, bool pretty);
void vw_json_begin_object(struct vw_json_writer *w);
void vw_json_end_object(struct vw_json_writer *w);
void vw_json_begin_array(struct vw_json_writer *w);
void vw_json_end_array(struct vw_json_writer *w);
void vw_json_key(struct vw_json_writer *w, const char *key);
void vw_json_put_text(struct vw_json_writer *w, const char *text); /* NULL is written as null */
void vw_json_put_int64(struct vw_json_writer *w, int64_t value);
void vw_json_put_uint64(struct vw_json_writer *w, uint64_t value);
void vw_json_put_double(struct vw_json_writer *w, double value); /* shortest text that reads back the same */
void vw_json_put_bool(struct vw_json_writer *w, bool value);
void vw_json_put_null(struct vw_json_writer *w);
void vw_json_put_time(struct vw_json_writer *w, int64_t ms); /* RFC 3339; 0 is written as null */
/* One value that is JSON already, as it is: the caller has seen to that. */
void vw_json_put_raw(struct vw_json_writer *w, const char *text);

/* What vw_json_put_double writes, without quotes: "0.93", "NaN". Returns `out` or a word in static storage. */
#define VW_DOUBLE_TEXT 32
const char *vw_double_format(double value, char out[VW_DOUBLE_TEXT]);

#endif
