/* page.h: cursors of listings: where the last page ended, as text that only its own listing takes back.
 *
 *	base64url( place ‖ 8 bytes of SHA-256 over the listing and the place )
 *
 * The listing is its name, its organization and everything that was asked for, so that a cursor of other filters or of another tenant is
 * refused. That is order, no secret: a place says nothing of an organization, and each store puts the caller's own in front of it. */
#ifndef STORE_PAGE_H
#define STORE_PAGE_H

#include "base/arena.h"
#include "base/digest.h"
#include "base/error.h"
#include "storage/kv.h" /* struct vw_bytes */
#include "store/store.h"

#include <stdint.h>

#define VW_PLACE_MAX 600 /* bytes of a place */

/* What a listing is; everything that was asked for is added in one fixed order. */
struct vw_listing {
	struct vw_sha256 sha;
};
void vw_listing_begin(struct vw_listing *listing, const char *name, int32_t organization);
void vw_listing_add_text(struct vw_listing *listing, const char *text); /* NULL is not "" */
void vw_listing_add_number(struct vw_listing *listing, int64_t number);

/* In the arena; NULL without memory. */
char *vw_page_print(const struct vw_listing *listing, struct vw_bytes place, struct vw_arena *arena);
/* The place of page->cursor, in the arena; empty for the first page. VW_EINVAL: no cursor of this listing, or a limit that is not 1 to
 * VW_MAX_PAGE. */
int vw_page_read(const struct vw_listing *listing, const struct vw_page *page, struct vw_arena *arena,
		 struct vw_bytes *out_place, struct vw_error *err);

#endif
