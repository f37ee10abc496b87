/* mask_text.h: secrets in keys and in text (S11.1). Pure, linear in the text. Private. */
#ifndef NORMALIZE_MASK_TEXT_H
#define NORMALIZE_MASK_TEXT_H

#include "base/buffer.h"

#include <stdbool.h>
#include <stddef.h>

#define VW_MASK_BEGIN "***masked:"
#define VW_MASK_END   "***"

/* The length of the mask that `text` begins with; 0 when it begins with none. */
size_t vw_mask_length(const char *text);

/* Why the values of this key are secrets: "password", "api_key", …; NULL when they are not. Keys are split into words, so
 * that "hfToken" is one and "max_tokens", "tokenizer" and "pad_token" are none. */
const char *vw_secret_key_kind(const char *key, size_t len);
/* True for what is no secret whatever the key says: nothing, a truth value, a placeholder; for tokens numbers too. */
bool vw_secret_value_harmless(const char *kind, const char *value, size_t len);

/* Copies `text` to `out` with its secrets masked; returns how many there were. With none, `out` is not touched. */
size_t vw_mask_secrets(const char *text, struct vw_buffer *out);
/* The same for e-mail addresses. */
size_t vw_mask_emails(const char *text, struct vw_buffer *out);

/* Appends the mask of a kind. */
void vw_mask_append(struct vw_buffer *out, const char *kind);

#endif
