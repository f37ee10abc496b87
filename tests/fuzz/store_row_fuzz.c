/* What the controller reads off an agent's entries, and what it reads back from its own tables. The first byte says which. */
#include "project.h"
#include "version.h"

#include "base/limits.h"
#include "base/text.h"
#include "proto/message.h"

#include <stdlib.h>
#include <string.h>

static void check_text(const char *text)
{
	if (text && (strlen(text) > VW_MAX_ROW_TEXT || !vw_utf8_valid(text, strlen(text))))
		abort();
}

/* Whatever the entry holds, the rows are such that either store can take them. */
static void project(struct vw_arena *arena, const uint8_t *data, size_t size)
{
	struct vw_error err = VW_ERROR_INIT;
	struct vw_projection p;
	struct vw_bytes packed;
	struct vw_lmdb_version version;
	vw_version_row *again;
	void *entry;
	if (vw_message_unpack(arena, &verifywise__v1__entry__descriptor, data, size, "fuzz", &entry, &err) != 0 ||
	    vw_project(1, "11111111-1111-4111-8111-111111111111", 1, entry, arena, &p, &err) != 0 || !p.row)
		return;
	const char *texts[] = {p.row->model_name,  p.row->workspace,       p.row->version_number,
			       p.row->stage,       p.row->owner,           p.row->risk_category,
			       p.row->description, p.row->experiment_name, p.row->source_uri};
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		check_text(texts[i]);
	for (size_t i = 0; i < p.gap_count; i++)
		check_text(p.gaps[i]->finding->rule);
	for (size_t i = 0; i < p.event_count; i++)
		check_text(p.events[i]->to);
	if (p.is_removal || vw_lmdb_version_pack(p.row, arena, &packed, &err) != 0)
		return;
	if (!vw_lmdb_version_open(packed, &version) || vw_lmdb_version_row(&version, arena, &again, &err) != 0)
		abort();
	/* strings of nothing are strings: a row is read as it was written */
	if (strcmp(again->model_name, p.row->model_name) != 0 || again->n_gaps != p.row->n_gaps)
		abort();
}

static void read_back(struct vw_arena *arena, struct vw_bytes stored)
{
	struct vw_error err = VW_ERROR_INIT;
	const struct vw_version_query query = {.text = "a b", .owner = "x", .with_removed = true};
	struct vw_lmdb_filter filter = {.query = &query};
	struct vw_lmdb_counters counters = {0};
	struct vw_lmdb_version version;
	vw_version_row *row;
	if (vw_lmdb_version_open(stored, &version)) {
		vw_lmdb_version_count(&version, 1, &counters);
		if (vw_lmdb_version_worst(&version) > VW_SEVERITY_CRITICAL)
			abort();
		vw_lmdb_filter_may_want(&filter, stored, &version);
		if (vw_lmdb_version_row(&version, arena, &row, &err) == 0)
			vw_lmdb_filter_wants(&filter, row);
	}
	vw_lmdb_counters_open(stored, &counters);
	vw_lmdb_key_version_agent(stored);
	vw_lmdb_key_sequence(stored);
	vw_lmdb_key_event_at(stored);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vw_arena *arena = vw_arena_open(0);
	if (!arena || size == 0) {
		vw_arena_close(arena);
		return 0;
	}
	if (data[0] & 1)
		project(arena, data + 1, size - 1);
	else
		read_back(arena, (struct vw_bytes){data + 1, size - 1});
	vw_arena_close(arena);
	return 0;
}
