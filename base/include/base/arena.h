/* arena.h: memory that is freed all at once.
 *
 * One arena per batch of a sync or per command. Stages allocate and never free; whoever opened the
 * arena resets or closes it. Allocation is zeroed and aligned for any type. An arena that reaches
 * its cap, or a machine without memory, gives NULL from then on and remembers it, so that a long
 * chain of allocations can be checked once at its end with vw_arena_failed(). */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <protobuf-c/protobuf-c.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

struct vw_arena;

/* `cap` in bytes, at most VW_MAX_ARENA; 0 means VW_MAX_ARENA. NULL when there is no memory. */
struct vw_arena *vw_arena_open(size_t cap);

/* Frees everything allocated from it; the first chunk is kept for reuse. */
void vw_arena_reset(struct vw_arena *arena);
void vw_arena_close(struct vw_arena *arena); /* NULL is fine */

void *vw_arena_alloc(struct vw_arena *arena, size_t size);
/* `count` elements of `size` bytes; NULL on overflow. */
void *vw_arena_array(struct vw_arena *arena, size_t count, size_t size);
/* Copies; `text` may be NULL, then so is the result. */
char *vw_arena_strdup(struct vw_arena *arena, const char *text);
char *vw_arena_strndup(struct vw_arena *arena, const char *text, size_t len);
void *vw_arena_memdup(struct vw_arena *arena, const void *bytes, size_t len);
char *vw_arena_printf(struct vw_arena *arena, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* True once any allocation failed since open or reset. */
bool vw_arena_failed(const struct vw_arena *arena);
/* Bytes handed out since open or reset. */
size_t vw_arena_used(const struct vw_arena *arena);

/* An allocator for protobuf-c's unpack functions, its free does nothing. Lives as long as the arena. */
ProtobufCAllocator *vw_arena_allocator(struct vw_arena *arena);

void vw_arena_cleanup(struct vw_arena **arena); /* for VW_AUTO */
/* Closes the handle when the variable goes out of scope. */
#define VW_AUTO(fn) __attribute__((cleanup(fn)))

#endif
