/* pages.h: is this a data file that LMDB can be let loose on? Private to storage.
 *
 * LMDB trusts its pages: a flipped bit in a page's header, a node's pointer or a page number makes it read or write
 * outside its memory, or hand out pages that are in use. So before it gets the file, all of the structure is read here
 * with pread(2) into a buffer and nothing is believed: the meta pages, every branch and leaf page, the table of tables,
 * the list of free pages; that no page has two uses; that keys are in order. Values in leaf pages are checked against
 * their checksums on the way, so that a flipped key cannot pass for a missing one. Large values live in pages of their
 * own that are only read when asked for; their keys are checked by their value too, unless the keys count 1, 2, 3 …
 * as a ledger's do, or several ledgers', each behind a prefix of its own. The cost is that of reading the branch and leaf pages: some 3 % of a ledger.
 *
 * The format is LMDB's data version 1 (0.9.x), on 64-bit machines, as in its mdb.c: MDB_meta, MDB_page, MDB_node, MDB_db. */
#ifndef STORAGE_PAGES_H
#define STORAGE_PAGES_H

#include "storage/kv.h"

/* What the two meta pages say together. */
struct vw_pages_head {
	unsigned page_size; /* bytes */
	uint64_t txn;       /* the newest committed one; 0 in a file just made */
	uint64_t last_page; /* the highest that is or was in use */
};

/* True if `stored` is what was once put under `key`. */
typedef bool (*vw_pages_sound)(struct vw_bytes key, struct vw_bytes stored);

/* Reads both meta pages. VW_ECORRUPT names `path` and the way out. */
int vw_pages_head(int fd, const char *path, struct vw_pages_head *out, struct vw_error *err);
/* Checks all that the snapshot of transaction `txn` consists of. It must be kept from being overwritten, by a view or by being
 * the writer. `tables` (NULL-terminated) are the names that may occur: nothing else protects them. VW_EAGAIN when its meta page is gone
 * already. */
int vw_pages_check(int fd, const char *path, uint64_t txn, const char *const *tables, vw_pages_sound sound,
		   struct vw_error *err);

enum vw_pages_place {
	VW_PAGES_SMALL, /* in a leaf page, where vw_pages_check() has seen all there is */
	VW_PAGES_LARGE, /* in pages of its own, behind a header that is right */
	VW_PAGES_BAD    /* behind a header that is not */
};
/* Where a value in the map is. LMDB frees as many pages as the header of a large one says, and vw_pages_check() does not read
 * those of a ledger. */
enum vw_pages_place vw_pages_large(int fd, unsigned page_size, size_t key_len, struct vw_bytes stored);

#endif
