/* version_row.c: a version's row as it is stored, and what a listing wants of it. */
#include "version.h"

#include "proto/message.h"

#include <string.h>

#define FORMAT 1
#define HEADER (3 + 5 * 2 + 2 * 8) /* bytes */

static void put(uint8_t **at, uint64_t number, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		*(*at)++ = (uint8_t)(number >> (8 * (bytes - 1 - i)));
}

static uint64_t take(const uint8_t **at, size_t bytes)
{
	uint64_t number = 0;
	for (size_t i = 0; i < bytes; i++)
		number = number << 8 | *(*at)++;
	return number;
}

bool vw_lmdb_version_open(struct vw_bytes stored, struct vw_lmdb_version *out)
{
	const uint8_t *at = stored.data;
	if (stored.len < HEADER || at[0] != FORMAT || at[1] > 1)
		return false;
	out->is_removed = at[1];
	out->status = at[2];
	at += 3;
	for (size_t i = 0; i < 5; i++)
		out->gaps[i] = (uint16_t)take(&at, 2);
	out->recorded_at = (int64_t)take(&at, 8);
	out->updated_at = (int64_t)take(&at, 8);
	out->row = (struct vw_bytes){at, stored.len - HEADER};
	return true;
}

int vw_lmdb_version_pack(const vw_version_row *row, struct vw_arena *arena, struct vw_bytes *out,
			 struct vw_error *err)
{
	size_t len = protobuf_c_message_get_packed_size(&row->base);
	uint8_t *bytes = vw_arena_alloc(arena, HEADER + len), *at = bytes;
	if (!bytes)
		return vw_lmdb_no_memory(err);
	put(&at, FORMAT, 1);
	put(&at, row->has_removed_at != 0, 1);
	put(&at, row->has_status ? (uint64_t)row->status : 0, 1);
	for (size_t i = 0; i < 5; i++)
		put(&at, i < row->n_gaps ? row->gaps[i] : 0, 2);
	put(&at, (uint64_t)row->recorded_at, 8);
	put(&at, (uint64_t)row->updated_at, 8);
	protobuf_c_message_pack(&row->base, at);
	*out = (struct vw_bytes){bytes, HEADER + len};
	return 0;
}

int vw_lmdb_version_row(const struct vw_lmdb_version *version, struct vw_arena *arena, vw_version_row **out,
			struct vw_error *err)
{
	void *row;
	int rc = vw_message_unpack(arena, &verifywise__v1__version_row__descriptor, version->row.data,
				   version->row.len, "version row", &row, err);
	if (rc < 0)
		return rc;
	const vw_version_row *read = row;
	if (!read->agent_id || !read->workspace || !read->model_name || !read->version_number)
		return vw_error_set(err, VW_ECORRUPT, "a version's row names no version");
	*out = row;
	return 0;
}

int vw_lmdb_version_worst(const struct vw_lmdb_version *version)
{
	for (int severity = VW_SEVERITY_CRITICAL; !version->is_removed && severity >= VW_SEVERITY_INFO; severity--)
		if (version->gaps[severity - VW_SEVERITY_INFO] > 0)
			return severity;
	return 0;
}

void vw_lmdb_version_count(const struct vw_lmdb_version *version, int sign, struct vw_lmdb_counters *to)
{
	if (version->is_removed)
		return;
	to->versions += sign;
	to->with_gaps += vw_lmdb_version_worst(version) > 0 ? sign : 0;
	for (size_t i = 0; i < 5; i++)
		to->gaps[i] += sign * version->gaps[i];
}

/* ---- Filters ---- */

int vw_lmdb_filter_open(const struct vw_version_query *query, struct vw_lmdb_filter *out, struct vw_error *err)
{
	out->query = query;
	if (query->agent_id && !vw_lmdb_id(query->agent_id, out->agent))
		return vw_error_set(err, VW_EINVAL, "what is asked for is no agent's id");
	return 0;
}

bool vw_lmdb_filter_may_want(const struct vw_lmdb_filter *filter, struct vw_bytes key,
			     const struct vw_lmdb_version *version)
{
	const struct vw_version_query *q = filter->query;
	const uint8_t *agent = vw_lmdb_key_version_agent(key);
	return (q->with_removed || !version->is_removed) &&
	       (!q->agent_id || (agent && memcmp(agent, filter->agent, VW_LMDB_ID) == 0)) &&
	       (!q->status || (int)version->status == (int)*q->status) &&
	       (!q->severity ||
		(vw_lmdb_version_worst(version) >= (int)*q->severity && vw_lmdb_version_worst(version) > 0));
}

bool vw_lmdb_filter_needs_row(const struct vw_lmdb_filter *filter)
{
	const struct vw_version_query *q = filter->query;
	return q->workspace || q->model || q->text || q->stage || q->owner || q->risk;
}

static bool is_text(const char *wanted, const char *text)
{
	return !wanted || strcmp(wanted, text ? text : "") == 0;
}

/* Each word is in the model's name or its description. */
static bool has_words(const char *words, const vw_version_row *row)
{
	static const char spaces[] = " \t\r\n";
	char word[256];
	if (!words)
		return true;
	for (words += strspn(words, spaces); *words; words += strspn(words, spaces)) {
		size_t len = strcspn(words, spaces), kept = len < sizeof(word) ? len : sizeof(word) - 1;
		memcpy(word, words, kept);
		word[kept] = 0;
		words += len;
		if (!strcasestr(row->model_name, word) && !(row->description && strcasestr(row->description, word)))
			return false;
	}
	return true;
}

bool vw_lmdb_filter_wants(const struct vw_lmdb_filter *filter, const vw_version_row *row)
{
	const struct vw_version_query *q = filter->query;
	return is_text(q->workspace, row->workspace) && is_text(q->model, row->model_name) &&
	       is_text(q->stage, row->stage) && is_text(q->owner, row->owner) &&
	       is_text(q->risk, row->risk_category) && has_words(q->text, row);
}
