#include "layout.h"

#include <string.h>
#include <unistd.h>

#define MAGIC        0xBEEFC0DEU /* MDB_MAGIC */
#define DATA_VERSION 1U          /* MDB_DATA_VERSION */

/* mp_flags */
#define PAGE_BRANCH 0x01
#define PAGE_LEAF   0x02
#define PAGE_LARGE  0x04
#define PAGE_META   0x08
#define PAGE_FRESH  0x10 /* P_DIRTY */

#define NODE_HEADER  8
#define PAGE_POINTER 8 /* bytes of a page number in a leaf's node */

_Static_assert(sizeof(size_t) == 8, "LMDB's file format differs on 32-bit machines");
_Static_assert(sizeof(struct layout_db) == 48, "MDB_db");
_Static_assert(sizeof(struct layout_meta) == 136, "MDB_meta");

static uint16_t u16_at(const uint8_t *bytes)
{
	uint16_t v;
	memcpy(&v, bytes, sizeof(v));
	return v;
}

static uint32_t u32_at(const uint8_t *bytes)
{
	uint32_t v;
	memcpy(&v, bytes, sizeof(v));
	return v;
}

static uint64_t u64_at(const uint8_t *bytes)
{
	uint64_t v;
	memcpy(&v, bytes, sizeof(v));
	return v;
}

static uint64_t page_number(const uint8_t *page)
{
	return u64_at(page);
}

static unsigned page_flags(const uint8_t *page)
{
	return u16_at(page + 10);
}

int layout_meta_read(int fd, unsigned page_size, unsigned index, struct layout_meta *out)
{
	uint8_t bytes[LAYOUT_PAGE_HEADER + sizeof(*out)];
	struct layout_meta meta;
	if (pread(fd, bytes, sizeof(bytes), (off_t)index * page_size) != (ssize_t)sizeof(bytes))
		return -1;
	memcpy(&meta, bytes + LAYOUT_PAGE_HEADER, sizeof(meta));
	if (page_number(bytes) != index || page_flags(bytes) != PAGE_META || meta.magic != MAGIC ||
	    meta.version != DATA_VERSION)
		return -1;
	*out = meta;
	return 0;
}

unsigned layout_node_count(const uint8_t *page)
{
	return (unsigned)(u16_at(page + 12) - LAYOUT_PAGE_HEADER) / 2;
}

static unsigned node_offset(const uint8_t *page, unsigned index)
{
	return u16_at(page + LAYOUT_PAGE_HEADER + 2 * (size_t)index);
}

/* Bytes that a node takes up, padded to an even number as LMDB does. Its header must be inside the page. */
static size_t node_size(const uint8_t *node, bool leaf)
{
	size_t size = NODE_HEADER + (size_t)u16_at(node + 6);
	if (leaf)
		size += u16_at(node + 4) & LAYOUT_NODE_LARGE ? (size_t)PAGE_POINTER : (size_t)u32_at(node);
	return (size + 1) & ~(size_t)1;
}

/* True when the nodes fill [upper, page_size) without gap or overlap, as LMDB keeps them. */
static bool nodes_fill(const uint8_t *page, unsigned upper, unsigned page_size, bool leaf)
{
	uint8_t taken[LAYOUT_PAGE_MAX / 2] = {0}; /* one for each two bytes */
	size_t total = 0;
	unsigned count = layout_node_count(page);
	for (unsigned i = 0; i < count; i++) {
		unsigned at = node_offset(page, i);
		if (at < upper || at % 2 != 0 || at + NODE_HEADER > page_size)
			return false;
		size_t size = node_size(page + at, leaf);
		if (size > page_size - at || taken[at / 2])
			return false;
		taken[at / 2] = 1;
		total += size;
	}
	if (count == 0 || total != page_size - upper || !taken[upper / 2])
		return false;
	/* If each node ends where another starts, a row leads from `upper` to the end of the page. It has the right sum
	 * already, so there is no node beside it. */
	for (unsigned i = 0; i < count; i++) {
		unsigned at = node_offset(page, i);
		size_t end = at + node_size(page + at, leaf);
		if (end != page_size && !taken[end / 2])
			return false;
	}
	return true;
}

const char *layout_page_fault(const uint8_t *page, uint64_t number, unsigned page_size, bool leaf)
{
	unsigned lower = u16_at(page + 12), upper = u16_at(page + 14);
	if (page_number(page) != number)
		return "carries another page's number";
	if (page_flags(page) != (leaf ? PAGE_LEAF : PAGE_BRANCH))
		return "is of the wrong kind";
	if (lower <= LAYOUT_PAGE_HEADER || lower % 2 != 0 || lower > upper || upper > page_size)
		return "has bad bounds";
	if (!nodes_fill(page, upper, page_size, leaf))
		return "has nodes out of place";
	return NULL;
}

void layout_branch_node(const uint8_t *page, unsigned index, struct layout_node *out)
{
	const uint8_t *node = page + node_offset(page, index);
	*out = (struct layout_node){.key = node + NODE_HEADER,
				    .key_len = u16_at(node + 6),
				    .child = u32_at(node) | (uint64_t)u16_at(node + 4) << 32};
}

void layout_leaf_node(const uint8_t *page, unsigned index, struct layout_node *out)
{
	const uint8_t *node = page + node_offset(page, index);
	*out = (struct layout_node){
	    .key = node + NODE_HEADER, .key_len = u16_at(node + 6), .flags = u16_at(node + 4), .size = u32_at(node)};
	out->data = out->key + out->key_len;
	if (out->flags & LAYOUT_NODE_LARGE)
		out->large_page = u64_at(out->data);
}

uint64_t layout_large_pages(size_t len, unsigned page_size)
{
	return (LAYOUT_PAGE_HEADER - 1 + (uint64_t)len) / page_size + 1;
}

void layout_large_header(const uint8_t *page, struct layout_large *out)
{
	unsigned flags = page_flags(page);
	*out = (struct layout_large){.number = page_number(page),
				     .pages = u32_at(page + 12),
				     .sound = flags == PAGE_LARGE,
				     .fresh = flags == (PAGE_LARGE | PAGE_FRESH)};
}

bool layout_is_large(size_t key_len, size_t len, unsigned page_size)
{
	size_t most = (((size_t)page_size - LAYOUT_PAGE_HEADER) / 2 & ~(size_t)1) - 2;
	return NODE_HEADER + key_len + len > most;
}
