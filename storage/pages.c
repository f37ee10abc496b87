#include "pages.h"

#include "base/limits.h"
#include "damage.h"
#include "layout.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_TABLES 32

enum tree_kind { FREE_LIST, TABLE_OF_TABLES, TABLE };

struct tree {
	struct layout_db db;
	enum tree_kind kind;
	char name[64];
	uint64_t entries;  /* seen */
	uint64_t counted;  /* the big-endian u64 at the end of the key before */
	size_t prefix_len; /* of what was in front of it */
	uint8_t prefix[VW_KEY_MAX];
};

struct walk {
	int fd;
	const char *path;
	const char *const *names;
	vw_pages_sound sound;
	struct vw_error *err;
	unsigned page_size;
	uint64_t txn;
	uint64_t file_pages;
	uint64_t last_page;
	bool last_is_free;
	uint8_t *used; /* one bit for each page up to last_page */
	uint8_t *levels[LAYOUT_DEPTH_MAX];
	uint8_t *large;
	size_t large_size;
	struct tree *tree; /* the current one */
	struct tree tables[MAX_TABLES];
	size_t table_count;
};

/* Keys below a branch: not below `low`, below `high`; data NULL is no bound. */
struct bounds {
	struct vw_bytes low;
	struct vw_bytes high;
};

static int damaged(const struct walk *w, uint64_t page, const char *what)
{
	return vw_damage_error(w->err, w->path, "page %" PRIu64 " of %s: %s", page, w->tree ? w->tree->name : "meta",
			       what);
}

static int read_pages(const struct walk *w, uint64_t page, void *out, size_t len)
{
	size_t done = 0;
	while (done < len) {
		ssize_t n = pread(w->fd, (char *)out + done, len - done, (off_t)(page * w->page_size + done));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return vw_error_set(w->err, VW_EIO, "cannot read %s: %s", w->path, strerror(errno));
		if (n == 0)
			return damaged(w, page, "is beyond the end of the file");
		done += (size_t)n;
	}
	return 0;
}

/* Each page has one use. */
static int claim(struct walk *w, uint64_t page, uint64_t count, bool stored)
{
	uint64_t end = page + count;
	if (page < 2 || end < page || end > w->last_page + 1)
		return damaged(w, page, "is no page of this database");
	if (stored && end > w->file_pages)
		return damaged(w, page, "is beyond the end of the file");
	for (; page < end; page++) {
		uint8_t bit = (uint8_t)(1U << (page & 7));
		if (w->used[page >> 3] & bit)
			return damaged(w, page, "is used twice");
		w->used[page >> 3] |= bit;
	}
	return 0;
}

static int compare(enum tree_kind kind, struct vw_bytes a, struct vw_bytes b)
{
	if (kind == FREE_LIST) { /* native 64-bit numbers; the lengths are checked before */
		uint64_t x, y;
		memcpy(&x, a.data, sizeof(x));
		memcpy(&y, b.data, sizeof(y));
		return (x > y) - (x < y);
	}
	size_t shorter = a.len < b.len ? a.len : b.len;
	int diff = memcmp(a.data, b.data, shorter);
	return diff ? diff : (a.len > b.len) - (a.len < b.len);
}

static bool in_bounds(enum tree_kind kind, struct vw_bytes key, const struct bounds *b)
{
	return (!b->low.data || compare(kind, key, b->low) >= 0) &&
	       (!b->high.data || compare(kind, key, b->high) < 0);
}

static bool key_fits(enum tree_kind kind, size_t len)
{
	return kind == FREE_LIST ? len == sizeof(uint64_t) : len > 0 && len <= VW_KEY_MAX;
}

/* Reads a large value into w->large. */
static int read_large(struct walk *w, uint64_t page, size_t len)
{
	size_t size = (size_t)layout_large_pages(len, w->page_size) * w->page_size;
	if (size > w->large_size) {
		uint8_t *bigger = realloc(w->large, size);
		if (!bigger)
			return vw_error_set(w->err, VW_ENOMEM, "no memory to check %s", w->path);
		w->large = bigger;
		w->large_size = size;
	}
	int rc = read_pages(w, page, w->large, LAYOUT_PAGE_HEADER + len);
	if (rc < 0)
		return rc;
	struct layout_large large;
	layout_large_header(w->large, &large);
	uint64_t need = layout_large_pages(len, w->page_size);
	uint64_t have = large.sound && large.number == page ? large.pages : 0;
	/* LMDB shortens a record of the free list in place; vw_kv_put() never does that with a value */
	if (have < need || (have > need && w->tree->kind != FREE_LIST))
		return damaged(w, page, "is not the start of a large value");
	return have > need ? claim(w, page + need, have - need, false) : 0;
}

/* One record of the free list: a count and that many page numbers, falling. */
static int visit_free(struct walk *w, uint64_t page, struct vw_bytes key, struct vw_bytes value)
{
	uint64_t txn, count, number, before = UINT64_MAX;
	memcpy(&txn, key.data, sizeof(txn));
	if (txn == 0 || txn > w->txn || value.len < sizeof(count) || value.len % sizeof(count) != 0)
		return damaged(w, page, "holds a bad list of free pages");
	memcpy(&count, value.data, sizeof(count));
	if (count > value.len / sizeof(count) - 1)
		return damaged(w, page, "holds a list of free pages that is too long");
	for (uint64_t i = 1; i <= count; i++) {
		memcpy(&number, (const uint8_t *)value.data + i * sizeof(number), sizeof(number));
		if (number >= before)
			return damaged(w, page, "holds a list of free pages out of order");
		before = number;
		int rc = claim(w, number, 1, false);
		if (rc < 0)
			return rc;
		w->last_is_free |= number == w->last_page;
	}
	return 0;
}

static int visit_table_record(struct walk *w, uint64_t page, struct vw_bytes key, struct vw_bytes value)
{
	char text[sizeof(w->tables[0].name)];
	struct tree *t = &w->tables[w->table_count];
	if (w->table_count == MAX_TABLES || key.len >= sizeof(t->name) || value.len != sizeof(t->db))
		return damaged(w, page, "holds a bad table");
	memcpy(&t->db, value.data, sizeof(t->db));
	memcpy(t->name, key.data, key.len);
	t->kind = TABLE;
	w->table_count++;
	for (size_t i = 0; w->names[i]; i++)
		if (strcmp(w->names[i], t->name) == 0)
			return 0;
	return vw_error_set(w->err, VW_ECORRUPT,
			    "state database %s holds a table '%s' that this program does not know: a newer one made "
			    "it, or it is damaged",
			    w->path, vw_damage_key(key, text, sizeof(text)));
}

static int visit_value(struct walk *w, uint64_t page, struct vw_bytes key, struct vw_bytes value)
{
	char text[80];
	if (w->sound(key, value))
		return 0;
	return vw_damage_error(w->err, w->path,
			       "table %s, key %s: the value is not what was written (page %" PRIu64 ")",
			       w->tree->name, vw_damage_key(key, text, sizeof(text)), page);
}

/* A ledger's keys count up, from 1 or behind a prefix from a first one whose value was read: a flipped bit in one breaks the row, so that
 * its value need not be read. */
static bool counts_on(struct tree *t, struct vw_bytes key)
{
	const uint8_t *bytes = key.data;
	uint64_t n = 0, before = t->counted;
	if (key.len < sizeof(n))
		return false;
	size_t prefix = key.len - sizeof(n);
	for (size_t i = prefix; i < key.len; i++)
		n = n << 8 | bytes[i];
	bool same = prefix == t->prefix_len && memcmp(t->prefix, bytes, prefix) == 0;
	memcpy(t->prefix, bytes, prefix);
	t->prefix_len = prefix;
	t->counted = n;
	return same && n == before + 1;
}

static int visit_large(struct walk *w, const struct layout_node *node, struct vw_bytes key)
{
	uint64_t first = node->large_page;
	int rc = claim(w, first, layout_large_pages(node->size, w->page_size), true);
	if (rc < 0 || (w->tree->kind == TABLE && counts_on(w->tree, key)))
		return rc;
	rc = read_large(w, first, node->size);
	if (rc < 0)
		return rc;
	struct vw_bytes value = {w->large + LAYOUT_PAGE_HEADER, node->size};
	return w->tree->kind == FREE_LIST ? visit_free(w, first, key, value) : visit_value(w, first, key, value);
}

static int visit_node(struct walk *w, uint64_t page, const struct layout_node *node, struct vw_bytes key)
{
	struct vw_bytes value = {node->data, node->size};
	unsigned expected = w->tree->kind == TABLE_OF_TABLES ? LAYOUT_NODE_TABLE : 0;
	w->tree->entries++;
	if (node->flags == LAYOUT_NODE_LARGE && w->tree->kind != TABLE_OF_TABLES)
		return visit_large(w, node, key);
	if (node->flags != expected)
		return damaged(w, page, "holds a node of an unknown kind");
	if (w->tree->kind == FREE_LIST)
		return visit_free(w, page, key, value);
	if (w->tree->kind == TABLE_OF_TABLES)
		return visit_table_record(w, page, key, value);
	counts_on(w->tree, key);
	return visit_value(w, page, key, value);
}

static int visit_leaf(struct walk *w, uint64_t number, const uint8_t *page, const struct bounds *bounds)
{
	struct vw_bytes before = {NULL, 0};
	unsigned count = layout_node_count(page);
	for (unsigned i = 0; i < count; i++) {
		struct layout_node node;
		layout_leaf_node(page, i, &node);
		struct vw_bytes key = {node.key, node.key_len};
		if (!key_fits(w->tree->kind, key.len) || !in_bounds(w->tree->kind, key, bounds) ||
		    (before.data && compare(w->tree->kind, before, key) >= 0))
			return damaged(w, number, "holds keys out of order");
		int rc = visit_node(w, number, &node, key);
		if (rc < 0)
			return rc;
		before = key;
	}
	return 0;
}

static int visit_page(struct walk *w, uint64_t number, unsigned depth, const struct bounds *bounds);

static int visit_branch(struct walk *w, uint64_t number, unsigned depth, const uint8_t *page,
			const struct bounds *bounds)
{
	unsigned count = layout_node_count(page);
	if (count < 2 && w->tree->kind != FREE_LIST) /* LMDB asserts that, and exempts the free list (its ITS#8336) */
		return damaged(w, number, "has a single branch");
	for (unsigned i = 0; i < count; i++) {
		struct layout_node node, next;
		struct bounds inner = *bounds;
		layout_branch_node(page, i, &node);
		if (i > 0)
			inner.low = (struct vw_bytes){node.key, node.key_len};
		if (i + 1 < count) {
			layout_branch_node(page, i + 1, &next);
			inner.high = (struct vw_bytes){next.key, next.key_len};
			if (!key_fits(w->tree->kind, next.key_len) || !in_bounds(w->tree->kind, inner.high, bounds) ||
			    (inner.low.data && compare(w->tree->kind, inner.low, inner.high) >= 0))
				return damaged(w, number, "holds branches out of order");
		}
		int rc = visit_page(w, node.child, depth + 1, &inner);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int visit_page(struct walk *w, uint64_t number, unsigned depth, const struct bounds *bounds)
{
	bool leaf = depth + 1 == w->tree->db.depth;
	if (!w->levels[depth])
		w->levels[depth] = malloc(w->page_size);
	uint8_t *page = w->levels[depth];
	if (!page)
		return vw_error_set(w->err, VW_ENOMEM, "no memory to check %s", w->path);
	int rc = claim(w, number, 1, true);
	if (rc == 0)
		rc = read_pages(w, number, page, w->page_size);
	if (rc < 0)
		return rc;
	const char *fault = layout_page_fault(page, number, w->page_size, leaf);
	if (fault)
		return damaged(w, number, fault);
	return leaf ? visit_leaf(w, number, page, bounds) : visit_branch(w, number, depth, page, bounds);
}

static int visit_tree(struct walk *w, struct tree *tree)
{
	static const uint16_t flags[] = {[FREE_LIST] = LAYOUT_INTEGER_KEYS, [TABLE_OF_TABLES] = 0, [TABLE] = 0};
	const struct layout_db *db = &tree->db;
	const struct bounds all = {{NULL, 0}, {NULL, 0}};
	w->tree = tree;
	if (db->flags != flags[tree->kind])
		return damaged(w, 0, "has unknown flags");
	if (db->root == LAYOUT_NO_PAGE && db->depth == 0 && db->entries == 0)
		return 0;
	if (db->depth == 0 || db->depth > LAYOUT_DEPTH_MAX)
		return damaged(w, db->root, "is a root of no sensible depth");
	int rc = visit_page(w, db->root, 0, &all);
	if (rc < 0)
		return rc;
	if (tree->entries != db->entries)
		return damaged(w, db->root, "is a root whose number of entries is wrong");
	return 0;
}

static int visit_all(struct walk *w, const struct layout_meta *meta)
{
	struct tree list = {.db = meta->free_list, .kind = FREE_LIST, .name = "the free list"};
	struct tree tables = {.db = meta->tables, .kind = TABLE_OF_TABLES, .name = "the list of tables"};
	list.db.pad = 0; /* the page size is kept there */
	int rc = visit_tree(w, &tables);
	for (size_t i = 0; rc == 0 && i < w->table_count; i++)
		rc = visit_tree(w, &w->tables[i]);
	if (rc == 0)
		rc = visit_tree(w, &list);
	/* Pages at the end that were freed before they were ever written are not in the file, but in the list. */
	if (rc == 0 && w->last_page >= w->file_pages && !w->last_is_free)
		rc = damaged(w, w->last_page, "is beyond the end of the file");
	return rc;
}

static int check_snapshot(struct walk *w, const struct layout_meta *meta)
{
	struct stat st;
	if (fstat(w->fd, &st) != 0)
		return vw_error_set(w->err, VW_EIO, "cannot read %s: %s", w->path, strerror(errno));
	w->file_pages = (uint64_t)st.st_size / w->page_size;
	w->last_page = meta->last_page;
	w->used = calloc(1, (size_t)(w->last_page / 8 + 1));
	if (!w->used)
		return vw_error_set(w->err, VW_ENOMEM, "no memory to check %s", w->path);
	int rc = visit_all(w, meta);
	free(w->used);
	free(w->large);
	for (size_t i = 0; i < LAYOUT_DEPTH_MAX; i++)
		free(w->levels[i]);
	return rc;
}

#define HEAD_TRIES 200 /* a writer that commits without a pause leaves room for one of them */

/* Both meta pages as they were at one moment: a writer may have gone on between one and the other. */
static int read_metas(int fd, const char *path, struct layout_meta *a, struct layout_meta *b, struct vw_error *err)
{
	struct layout_meta again;
	for (int i = 0; i < HEAD_TRIES; i++) {
		if (layout_meta_read(fd, 0, 0, a) != 0)
			return vw_damage_error(err, path, "its first page is not that of a database");
		unsigned size = a->free_list.pad;
		if (size < LAYOUT_PAGE_MIN || size > LAYOUT_PAGE_MAX || (size & (size - 1)) != 0)
			return vw_damage_error(err, path, "it has pages of no sensible size");
		if (layout_meta_read(fd, size, 1, b) != 0 || b->free_list.pad != size)
			return vw_damage_error(err, path, "its second page is not that of a database");
		if (layout_meta_read(fd, 0, 0, &again) == 0 && again.txn == a->txn)
			return 0;
	}
	return vw_error_set(err, VW_EBUSY, "%s is being written too fast to be read; try again", path);
}

int vw_pages_head(int fd, const char *path, struct vw_pages_head *out, struct vw_error *err)
{
	struct layout_meta a, b;
	int rc = read_metas(fd, path, &a, &b, err);
	if (rc < 0)
		return rc;
	unsigned size = a.free_list.pad;
	/* Transaction n writes page n mod 2, so that the two are neighbours; both are 0 in a new file. */
	bool neighbours = a.txn % 2 == 0 && b.txn % 2 == 1 && (a.txn == b.txn + 1 || b.txn == a.txn + 1);
	if (!neighbours && (a.txn != 0 || b.txn != 0))
		return vw_damage_error(err, path, "its first two pages contradict each other");
	if (a.free_list.flags != LAYOUT_INTEGER_KEYS || b.free_list.flags != LAYOUT_INTEGER_KEYS)
		return vw_damage_error(err, path, "it has unknown flags");
	const struct layout_meta *newest = a.txn >= b.txn ? &a : &b;
	if (newest->last_page < 1 || newest->last_page >= VW_STORE_MAP_MAX / size)
		return vw_damage_error(err, path, "it has no sensible size");
	*out = (struct vw_pages_head){.page_size = size, .txn = newest->txn, .last_page = newest->last_page};
	return 0;
}

enum vw_pages_place vw_pages_large(int fd, unsigned page_size, size_t key_len, struct vw_bytes stored)
{
	uint8_t there[LAYOUT_PAGE_HEADER + 64];
	if (!layout_is_large(key_len, stored.len, page_size))
		return VW_PAGES_SMALL;
	const uint8_t *page = (const uint8_t *)stored.data - LAYOUT_PAGE_HEADER;
	size_t len = LAYOUT_PAGE_HEADER + (stored.len < 64 ? stored.len : 64);
	struct layout_large large;
	layout_large_header(page, &large);
	/* The page's own number, by which LMDB frees it, must lead back to these very bytes: except in a page of this
	 * transaction, which is in memory and marked so. */
	bool same =
	    pread(fd, there, len, (off_t)(large.number * page_size)) == (ssize_t)len && memcmp(there, page, len) == 0;
	bool sound = large.pages == layout_large_pages(stored.len, page_size) &&
		     ((large.sound && same) || (large.fresh && !same));
	return sound ? VW_PAGES_LARGE : VW_PAGES_BAD;
}

int vw_pages_check(int fd, const char *path, uint64_t txn, const char *const *tables, vw_pages_sound sound,
		   struct vw_error *err)
{
	struct vw_pages_head head;
	struct layout_meta meta;
	int rc = vw_pages_head(fd, path, &head, err);
	if (rc < 0)
		return rc;
	struct walk *w = calloc(1, sizeof(*w));
	if (!w)
		return vw_error_set(err, VW_ENOMEM, "no memory to check %s", path);
	*w = (struct walk){.fd = fd,
			   .path = path,
			   .names = tables,
			   .sound = sound,
			   .err = err,
			   .page_size = head.page_size,
			   .txn = txn};
	rc = layout_meta_read(fd, head.page_size, txn & 1, &meta);
	if (rc != 0)
		rc = damaged(w, txn & 1, "cannot be read");
	else if (meta.txn != txn)
		rc = VW_EAGAIN;
	else
		rc = check_snapshot(w, &meta);
	free(w);
	return rc;
}
