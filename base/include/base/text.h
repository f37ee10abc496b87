/* text.h: small questions about strings, none of which allocates unless it takes an arena. */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include "base/arena.h"
#include "base/buffer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Equal without regard to ASCII case. NULL equals only NULL. */
bool vw_text_equal_nocase(const char *a, const char *b);
/* Equal as tag keys: without case, and '-', '_', '.', ' ' are one character ("Risk Category" equals "risk_category"). */
bool vw_key_equal(const char *a, const char *b);
/* As vw_key_equal, for the first strlen(prefix) characters of `key`. */
bool vw_key_has_prefix(const char *key, const char *prefix);
/* True if `word` occurs in `text` as vw_key_equal would compare it, at word boundaries. */
bool vw_key_contains_word(const char *text, const char *word);
/* NULL, empty, or only white space (Unicode's White_Space, as Python's str.strip() has it). */
bool vw_text_blank(const char *text);
/* A copy without white space at both ends; NULL when blank. */
char *vw_text_trim(struct vw_arena *arena, const char *text);

/* The whole text is one decimal int64 ("-12"); nothing else, no overflow. */
bool vw_text_int64(const char *text, int64_t *out);
/* The whole text is one number as strtod reads it in the C locale. */
bool vw_text_double(const char *text, double *out);

/* The first character of `bytes`: its length in bytes, 1 to 4, and its code point; 0 when `len` is 0 or the bytes
 * are ill-formed there (RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF). */
size_t vw_utf8_decode(const char *bytes, size_t len, uint32_t *out_point);
/* True for well-formed UTF-8 (RFC 3629). */
bool vw_utf8_valid(const char *bytes, size_t len);
/* Appends `text` so that a terminal or a log line is safe: control characters (C0, C1, DEL), the
 * bidirectional controls U+061C, U+202A-202E and U+2066-2069, line separators U+2028-2029, zero-width
 * U+200B-200F and U+FEFF become \u{XX}, ill-formed bytes become \xXX, and what may be one of the others'
 * beginning stays as it is. */
void vw_text_append_safe(struct vw_buffer *out, const char *text);
/* Appends one cell of CSV (RFC 4180), quoted, and what comes behind it: a comma or, for the `last`, the line's end. What a spreadsheet would take for a
 * formula gets an apostrophe in front; control characters but tab and line ends become \u{XX}. NULL is an empty cell. */
void vw_text_append_csv(struct vw_buffer *out, const char *text, bool last);
/* Columns that well-formed, safe text takes on a terminal: 0 for combining marks, 2 for wide East Asian characters and emoji. */
size_t vw_text_columns(const char *text);
/* Appends at most `columns` columns of safe `text`, with U+2026 in place of what was cut, padded with spaces to exactly `columns`. */
void vw_text_append_cell(struct vw_buffer *out, const char *text, size_t columns);

/* The URI without user info and without a query's secret values: user:pw@ is dropped, `sig`, `X-Amz-Signature`,
 * `token` and the like get the value "***". The container in Azure's abfss://container@account stays. In the arena.
 * NULL stays NULL. */
char *vw_uri_redact(struct vw_arena *arena, const char *uri);

#endif
