/* list.c: what the listings share. */
#include "store_pg.h"

#include "base/digest.h"
#include "base/limits.h"
#include "project.h"

#include <endian.h>
#include <string.h>

int64_t vw_pg_limit(size_t limit)
{
	return limit > VW_MAX_PAGE ? VW_MAX_PAGE : (int64_t)limit;
}

int vw_pg_page_read(const struct vw_listing *listing, const struct vw_page *page, size_t place_len,
		    struct vw_arena *arena, uint8_t *out_place, bool *out_first, struct vw_error *err)
{
	struct vw_bytes place;
	int rc = vw_page_read(listing, page, arena, &place, err);
	if (rc < 0)
		return rc;
	if (place.len != 0 && place.len != place_len)
		return vw_error_set(err, VW_EINVAL, "the cursor is none");
	*out_first = place.len == 0;
	memset(out_place, 0, place_len);
	if (place.len)
		memcpy(out_place, place.data, place.len);
	return 0;
}

int64_t vw_pg_place_int(const uint8_t *place)
{
	uint64_t bits;
	memcpy(&bits, place, sizeof(bits));
	return (int64_t)be64toh(bits);
}

int vw_pg_page_rows(struct vw_pg_tx *tx, const ProtobufCMessageDescriptor *type, const struct vw_listing *listing,
		    const struct vw_page *page, struct vw_arena *arena, struct vw_pg_page *out)
{
	const PGresult *result = vw_pg_result(tx);
	size_t found = result ? (size_t)PQntuples(result) : 0;
	struct vw_pg_page got = {.count = found > page->limit ? page->limit : found};
	got.rows = vw_arena_array(arena, got.count, sizeof(*got.rows));
	if (!got.rows)
		vw_pg_refuse(tx, VW_ENOMEM, "no memory for a page");
	for (size_t i = 0; tx->code == 0 && i < got.count; i++)
		got.rows[i] = vw_pg_row(tx, result, (int)i, type, arena);
	if (tx->code == 0 && found > got.count) {
		int row = (int)got.count - 1, column = PQfnumber(result, "place");
		struct vw_bytes place = {PQgetvalue(result, row, column), (size_t)PQgetlength(result, row, column)};
		got.cursor = vw_page_print(listing, place, arena);
		if (!got.cursor)
			vw_pg_refuse(tx, VW_ENOMEM, "no memory for a page");
	}
	if (tx->code == 0)
		*out = got;
	return tx->code;
}

static void add_name(struct vw_sha256 *sha, const char *name)
{
	uint32_t len = htobe32((uint32_t)strlen(name));
	vw_sha256_update(sha, &len, sizeof(len));
	vw_sha256_update(sha, name, strlen(name));
}

void vw_pg_version_key(const char *workspace, const char *model, const char *version, uint8_t out[VW_PG_KEY])
{
	struct vw_sha256 sha;
	uint8_t digest[VW_SHA256_SIZE];
	vw_sha256_init(&sha);
	add_name(&sha, workspace);
	add_name(&sha, model);
	add_name(&sha, version);
	vw_sha256_final(&sha, digest);
	memcpy(out, digest, VW_PG_KEY);
}

int64_t vw_pg_version_order(const char *version)
{
	uint64_t number = 0;
	vw_version_number(version, &number);
	return (int64_t)(number ^ ((uint64_t)1 << 63));
}
