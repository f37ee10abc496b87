/* layout.h: LMDB's file format, byte by byte: pages, nodes, meta. Private to storage.
 *
 * Everything here takes a page that was read into a buffer. layout_page_fault() has to be asked first; what it passed can be
 * taken apart by the others without reading outside the page. Names as in LMDB 0.9's mdb.c are given in parentheses. */
#ifndef STORAGE_LAYOUT_H
#define STORAGE_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LAYOUT_PAGE_HEADER  16         /* bytes (PAGEHDRSZ) */
#define LAYOUT_DEPTH_MAX    32         /* levels of a tree (CURSOR_STACK) */
#define LAYOUT_NO_PAGE      UINT64_MAX /* the root of an empty tree (P_INVALID) */
#define LAYOUT_PAGE_MIN     4096       /* bytes; smaller machine pages do not exist here */
#define LAYOUT_PAGE_MAX     32768      /* bytes (MAX_PAGESIZE) */
#define LAYOUT_INTEGER_KEYS 0x08       /* flag of the free list (MDB_INTEGERKEY) */
#define LAYOUT_NODE_LARGE   0x01       /* the value is in pages of its own (F_BIGDATA) */
#define LAYOUT_NODE_TABLE   0x02       /* the value is a layout_db (F_SUBDATA) */

/* A tree's root (MDB_db). */
struct layout_db {
	uint32_t pad;
	uint16_t flags;
	uint16_t depth;
	uint64_t branch_pages;
	uint64_t leaf_pages;
	uint64_t large_pages;
	uint64_t entries;
	uint64_t root;
};

/* Behind the header of pages 0 and 1 (MDB_meta). The page size is free_list.pad. */
struct layout_meta {
	uint32_t magic;
	uint32_t version;
	uint64_t address;
	uint64_t map_size;
	struct layout_db free_list;
	struct layout_db tables;
	uint64_t last_page;
	uint64_t txn;
};

/* One node (MDB_node): key and value point into the page. */
struct layout_node {
	const uint8_t *key;
	size_t key_len;
	uint64_t child; /* branches only */
	unsigned flags; /* leaves only, as what follows */
	size_t size;    /* of the value */
	const uint8_t *data;
	uint64_t large_page;
};

/* The header of the first page of a large value. */
struct layout_large {
	uint64_t number; /* of that page */
	uint64_t pages;
	bool sound; /* it is such a page, as on disk */
	bool fresh; /* it is such a page, made in this transaction and still in memory */
};

/* Reads meta page 0 or 1. 0, or -1 when it is not there or not a meta page of a format we know. */
int layout_meta_read(int fd, unsigned page_size, unsigned index, struct layout_meta *out);

/* What is wrong with a branch or leaf page: NULL when every node lies inside it and none on another. */
const char *layout_page_fault(const uint8_t *page, uint64_t number, unsigned page_size, bool leaf);
unsigned layout_node_count(const uint8_t *page);
void layout_branch_node(const uint8_t *page, unsigned index, struct layout_node *out);
void layout_leaf_node(const uint8_t *page, unsigned index, struct layout_node *out);

/* Pages of a large value of `len` bytes (OVPAGES). */
uint64_t layout_large_pages(size_t len, unsigned page_size);
void layout_large_header(const uint8_t *page, struct layout_large *out);
/* True if LMDB puts such a value in pages of its own (me_nodemax). */
bool layout_is_large(size_t key_len, size_t len, unsigned page_size);

#endif
