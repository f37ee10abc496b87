#include "page.h"

#include "base/limits.h"

#include <sodium/utils.h>
#include <string.h>

#define CHECK   8 /* bytes */
#define VARIANT sodium_base64_VARIANT_URLSAFE_NO_PADDING

void vw_listing_begin(struct vw_listing *listing, const char *name, int32_t organization)
{
	vw_sha256_init(&listing->sha);
	vw_listing_add_text(listing, name);
	vw_listing_add_number(listing, organization);
}

void vw_listing_add_number(struct vw_listing *listing, int64_t number)
{
	uint8_t bytes[sizeof(number)];
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)((uint64_t)number >> (56 - 8 * i));
	vw_sha256_update(&listing->sha, bytes, sizeof(bytes));
}

void vw_listing_add_text(struct vw_listing *listing, const char *text)
{
	vw_listing_add_number(listing, text ? (int64_t)strlen(text) : -1);
	if (text)
		vw_sha256_update(&listing->sha, text, strlen(text));
}

static void check_of(const struct vw_listing *listing, struct vw_bytes place, uint8_t out[CHECK])
{
	struct vw_sha256 sha = listing->sha;
	uint8_t digest[VW_SHA256_SIZE];
	vw_sha256_update(&sha, place.data, place.len);
	vw_sha256_final(&sha, digest);
	memcpy(out, digest, CHECK);
}

char *vw_page_print(const struct vw_listing *listing, struct vw_bytes place, struct vw_arena *arena)
{
	uint8_t bytes[VW_PLACE_MAX + CHECK];
	size_t len = place.len + CHECK, size = sodium_base64_ENCODED_LEN(len, VARIANT);
	char *text = place.len <= VW_PLACE_MAX ? vw_arena_alloc(arena, size) : NULL;
	if (!text)
		return NULL;
	memcpy(bytes, place.data, place.len);
	check_of(listing, place, bytes + place.len);
	return sodium_bin2base64(text, size, bytes, len, VARIANT);
}

/* libsodium takes some bytes outside of ASCII for letters: a text is a cursor if it is the one that is printed. */
static bool decode(const char *cursor, uint8_t *out, size_t size, size_t *out_len)
{
	char again[sodium_base64_ENCODED_LEN(VW_PLACE_MAX + CHECK, VARIANT)];
	return sodium_base642bin(out, size, cursor, strlen(cursor), NULL, out_len, NULL, VARIANT) == 0 &&
	       strcmp(sodium_bin2base64(again, sizeof(again), out, *out_len, VARIANT), cursor) == 0;
}

int vw_page_read(const struct vw_listing *listing, const struct vw_page *page, struct vw_arena *arena,
		 struct vw_bytes *out_place, struct vw_error *err)
{
	uint8_t bytes[VW_PLACE_MAX + CHECK], check[CHECK];
	size_t len = 0;
	if (page->limit == 0 || page->limit > VW_MAX_PAGE)
		return vw_error_set(err, VW_EINVAL, "a page has 1 to %d rows (VW_MAX_PAGE)", VW_MAX_PAGE);
	if (!page->cursor) {
		*out_place = (struct vw_bytes){NULL, 0};
		return 0;
	}
	if (!decode(page->cursor, bytes, sizeof(bytes), &len) || len <= CHECK)
		return vw_error_set(err, VW_EINVAL, "the cursor is none");
	struct vw_bytes place = {bytes, len - CHECK};
	check_of(listing, place, check);
	if (memcmp(check, bytes + place.len, CHECK) != 0)
		return vw_error_set(err, VW_EINVAL, "the cursor is of another listing");
	place.data = vw_arena_memdup(arena, bytes, place.len);
	if (!place.data)
		return vw_error_set(err, VW_ENOMEM, "no memory for a page");
	*out_place = place;
	return 0;
}
