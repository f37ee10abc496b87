#include "base/arena.h"

#include "base/limits.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_FIRST (16 * VW_KIB)
#define CHUNK_MAX   VW_MIB
#define ALIGNMENT   _Alignof(max_align_t)

/* Chunks come zeroed from calloc: fresh pages of the kernel are then touched only when used. */
struct chunk {
	struct chunk *next;
	size_t used;
	size_t size;
	_Alignas(max_align_t) unsigned char bytes[];
};

struct vw_arena {
	struct chunk *first;   /* lives until close; also the last of current's list */
	struct chunk *current; /* where small allocations go */
	struct chunk *large;   /* one allocation each */
	size_t cap;            /* of all chunks' sizes together */
	size_t reserved;       /* all chunks' sizes */
	size_t used;
	size_t next_size;
	bool failed;
	ProtobufCAllocator allocator;
};

static struct chunk *open_chunk(size_t size)
{
	struct chunk *c = calloc(1, sizeof(*c) + size);
	if (c)
		c->size = size;
	return c;
}

static void *allocator_alloc(void *data, size_t size)
{
	return vw_arena_alloc(data, size);
}

static void allocator_free(void *data, void *pointer)
{
	(void)data;
	(void)pointer;
}

struct vw_arena *vw_arena_open(size_t cap)
{
	struct vw_arena *arena = calloc(1, sizeof(*arena));
	if (!arena)
		return NULL;
	arena->cap = cap == 0 || cap > VW_MAX_ARENA ? VW_MAX_ARENA : cap;
	arena->reserved = arena->cap < CHUNK_FIRST ? arena->cap : CHUNK_FIRST;
	arena->first = open_chunk(arena->reserved);
	if (!arena->first) {
		free(arena);
		return NULL;
	}
	arena->current = arena->first;
	arena->next_size = 2 * CHUNK_FIRST;
	arena->allocator = (ProtobufCAllocator){allocator_alloc, allocator_free, arena};
	return arena;
}

/* Frees a list up to and without `end`, which it returns. */
static struct chunk *free_chunks(struct chunk *list, const struct chunk *end)
{
	while (list != end) {
		struct chunk *next = list->next;
		free(list);
		list = next;
	}
	return list;
}

void vw_arena_reset(struct vw_arena *arena)
{
	arena->large = free_chunks(arena->large, NULL);
	arena->current = free_chunks(arena->current, arena->first);
	memset(arena->first->bytes, 0, arena->first->used);
	arena->first->used = 0;
	arena->reserved = arena->first->size;
	arena->used = 0;
	arena->next_size = 2 * CHUNK_FIRST;
	arena->failed = false;
}

void vw_arena_close(struct vw_arena *arena)
{
	if (!arena)
		return;
	free_chunks(arena->large, NULL);
	free_chunks(arena->current, NULL);
	free(arena);
}

/* Adds a chunk that has at least `size` bytes. NULL when the cap or the machine says no. */
static struct chunk *grow(struct vw_arena *arena, size_t size)
{
	size_t left = arena->cap - arena->reserved;
	if (size > left)
		return NULL;
	/* What is large gets a chunk of its own, so that the rest of the current one is not lost. */
	bool large = size > arena->next_size / 4;
	size_t want = large ? size : arena->next_size;
	struct chunk *c = open_chunk(want < left ? want : left);
	if (!c)
		return NULL;
	struct chunk **list = large ? &arena->large : &arena->current;
	c->next = *list;
	*list = c;
	arena->reserved += c->size;
	if (!large && arena->next_size < CHUNK_MAX)
		arena->next_size *= 2;
	return c;
}

static void *take(struct vw_arena *arena, size_t size, size_t alignment)
{
	if (arena->failed)
		return NULL;
	size = size ? size : 1;
	struct chunk *c = arena->current;
	size_t start = (c->used + alignment - 1) & ~(alignment - 1);
	if (start > c->size || size > c->size - start) {
		c = grow(arena, size);
		start = 0;
	}
	if (!c) {
		arena->failed = true;
		return NULL;
	}
	c->used = start + size;
	arena->used += size;
	return c->bytes + start;
}

void *vw_arena_alloc(struct vw_arena *arena, size_t size)
{
	return take(arena, size, ALIGNMENT);
}

void *vw_arena_array(struct vw_arena *arena, size_t count, size_t size)
{
	size_t total;
	if (__builtin_mul_overflow(count, size, &total)) {
		arena->failed = true;
		return NULL;
	}
	return take(arena, total, ALIGNMENT);
}

static char *copy_text(struct vw_arena *arena, const char *text, size_t len)
{
	char *copy = take(arena, len + 1, 1);
	if (copy)
		memcpy(copy, text, len);
	return copy;
}

char *vw_arena_strdup(struct vw_arena *arena, const char *text)
{
	return text ? copy_text(arena, text, strlen(text)) : NULL;
}

char *vw_arena_strndup(struct vw_arena *arena, const char *text, size_t len)
{
	return text ? copy_text(arena, text, strnlen(text, len)) : NULL;
}

void *vw_arena_memdup(struct vw_arena *arena, const void *bytes, size_t len)
{
	void *copy = vw_arena_alloc(arena, len);
	if (copy && len)
		memcpy(copy, bytes, len);
	return copy;
}

char *vw_arena_printf(struct vw_arena *arena, const char *fmt, ...)
{
	va_list ap, again;
	va_start(ap, fmt);
	va_copy(again, ap);
	int len = vsnprintf(NULL, 0, fmt, ap);
	char *text = NULL;
	if (len < 0)
		arena->failed = true;
	else
		text = take(arena, (size_t)len + 1, 1);
	if (text)
		vsnprintf(text, (size_t)len + 1, fmt, again);
	va_end(again);
	va_end(ap);
	return text;
}

bool vw_arena_failed(const struct vw_arena *arena)
{
	return arena->failed;
}

size_t vw_arena_used(const struct vw_arena *arena)
{
	return arena->used;
}

ProtobufCAllocator *vw_arena_allocator(struct vw_arena *arena)
{
	return &arena->allocator;
}

void vw_arena_cleanup(struct vw_arena **arena)
{
	vw_arena_close(*arena);
}
