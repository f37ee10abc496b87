/* Cursors that a client made itself: the check in them is no secret. The first byte is the listing, the rest is the place, once as it is and once as the
 * text of a cursor. The store behind it has one version with a gap and an event, a command, a trail. */
#include "page.h"
#include "store/store.h"

#include "base/digest.h"
#include "proto/message.h"
#include "storage/ledger.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define AGENT "11111111-1111-4111-8111-111111111111"
#define NOW   ((int64_t)1700000000000)

static struct vw_fleet_store *store;
static char folder[64];

static void must(int rc)
{
	if (rc != 0)
		abort();
}

/* ---- A store with a little in it ---- */

static void remove_store(void)
{
	vw_fleet_store_close(store);
	DIR *dir = opendir(folder);
	for (struct dirent *e; dir && (e = readdir(dir));)
		unlinkat(dirfd(dir), e->d_name, 0);
	if (dir)
		closedir(dir);
	rmdir(folder);
}

static void enroll(struct vw_arena *arena)
{
	vw_organization *organization;
	vw_enrollment_token token = VERIFYWISE__V1__ENROLLMENT_TOKEN__INIT;
	vw_agent agent = VERIFYWISE__V1__AGENT__INIT;
	uint8_t bytes[32] = {1};
	must(vw_fleet_organization_create(store, arena, 1, "one", &organization, NULL));
	token.public_id = (char *)"0000000000000001";
	VW_SET(&token, organization, 1);
	VW_SET(&token, uses_allowed, 1);
	VW_SET_BYTES(&token, secret_sha256, bytes, sizeof(bytes));
	must(vw_fleet_token_create(store, &token, NULL));
	VW_SET(&agent, organization, 1);
	VW_SET(&agent, status, VW_AGENT_ACTIVE);
	agent.agent_id = (char *)AGENT;
	agent.pending_serial = (char *)"aa";
	VW_SET_BYTES(&agent, enrollment_key, bytes, sizeof(bytes));
	must(vw_fleet_agent_enroll(store, token.public_id, NOW, &agent, NULL));
}

static vw_entry *entry_of(struct vw_arena *arena, const char *version)
{
	vw_entry *entry = vw_message_new(arena, &verifywise__v1__entry__descriptor);
	vw_version_recorded *v = vw_message_new(arena, &verifywise__v1__version_recorded__descriptor);
	vw_deployment_event *event = vw_message_new(arena, &verifywise__v1__deployment_event__descriptor);
	vw_finding *finding = vw_message_new(arena, &verifywise__v1__finding__descriptor);
	vw_record record = VERIFYWISE__V1__RECORD__INIT;
	uint8_t *sha256 = vw_arena_alloc(arena, VW_SHA256_SIZE);
	size_t len;
	record.model_name = (char *)"m";
	record.version_number = (char *)version;
	const uint8_t *packed = vw_message_pack(arena, &record.base, &len);
	vw_sha256_of(packed, len, sha256);
	VW_SET_BYTES(v, record, packed, len);
	VW_SET_BYTES(v, record_sha256, sha256, VW_SHA256_SIZE);
	v->events = vw_arena_memdup(arena, &event, sizeof(event));
	v->n_events = 1;
	VW_SET(finding, severity, VW_SEVERITY_HIGH);
	VW_SET(finding, state, VW_FINDING_GAP);
	v->compliance = vw_message_new(arena, &verifywise__v1__compliance__descriptor);
	v->compliance->findings = vw_arena_memdup(arena, &finding, sizeof(finding));
	v->compliance->n_findings = 1;
	entry->body_case = VERIFYWISE__V1__ENTRY__BODY_VERSION;
	entry->version = v;
	return entry;
}

static void ingest(struct vw_arena *arena)
{
	static const char *const versions[] = {"1", "2", "3"};
	const struct vw_ledger_owner owner = {"", AGENT, 1};
	uint8_t hash[VW_LEDGER_HASH] = {0};
	for (uint64_t i = 1; i <= 3; i++) {
		vw_chained_entry entry = VERIFYWISE__V1__CHAINED_ENTRY__INIT, *entries[] = {&entry};
		vw_entry_batch batch = VERIFYWISE__V1__ENTRY_BATCH__INIT;
		struct vw_ingest_batch b = {.organization = 1, .agent_id = AGENT, .batch = &batch, .now = NOW};
		struct vw_ingest_result result;
		size_t len;
		uint8_t *packed = vw_message_pack(arena, &entry_of(arena, versions[i - 1])->base, &len);
		vw_ledger_hash(&owner, i, hash, packed, len, hash);
		VW_SET_BYTES(&entry, payload, packed, len);
		VW_SET_BYTES(&entry, chain_sha256, hash, sizeof(hash));
		VW_SET(&batch, first_sequence, i);
		batch.entries = entries;
		batch.n_entries = 1;
		must(vw_fleet_ingest(store, arena, &b, &result, NULL));
		must(result.outcome != VW_INGEST_STORED);
	}
}

static void put_others(void)
{
	vw_controller_event event = VERIFYWISE__V1__CONTROLLER_EVENT__INIT;
	VW_SET(&event, organization, 1);
	event.action = (char *)"x";
	for (int i = 0; i < 3; i++) {
		char id[VW_UUID_TEXT];
		vw_command inner = VERIFYWISE__V1__COMMAND__INIT;
		vw_stored_command command = VERIFYWISE__V1__STORED_COMMAND__INIT;
		inner.id = vw_random_uuid(id);
		VW_SET(&inner, kind, VW_COMMAND_SYNC);
		VW_SET(&inner, issued_at, NOW + i);
		VW_SET(&command, organization, 1);
		command.agent_id = (char *)AGENT;
		command.command = &inner;
		must(vw_fleet_command_create(store, &command, NULL));
		must(vw_fleet_event_put(store, &event, NULL));
	}
}

static void open_store(void)
{
	const char *root = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
	char url[80];
	snprintf(folder, sizeof(folder), "%s/vw-fuzz-store-XXXXXX", root);
	must(mkdtemp(folder) == NULL);
	snprintf(url, sizeof(url), "lmdb:%s", folder);
	struct vw_fleet_store_settings settings = {.url = url, .create = true};
	struct vw_arena *arena = vw_arena_open(0);
	must(vw_fleet_store_open(&settings, &store, NULL));
	atexit(remove_store);
	enroll(arena);
	ingest(arena);
	put_others();
	vw_arena_close(arena);
}

/* ---- Listings ---- */

static const struct vw_version_key key = {AGENT, "", "m", "1"};

/* As the store hashes what was asked for; the first call checks that it does. */
static void listing_of(unsigned which, struct vw_listing *out)
{
	static const char *const names[] = {"versions", "versions", "gaps", "events", "history", "trail", "commands"};
	static const char *const history[] = {AGENT, "", "m", "1"};
	static const int texts[] = {7, 7, 4, 3, 4, 0, 1};
	vw_listing_begin(out, names[which], 1);
	for (int i = 0; i < texts[which]; i++)
		vw_listing_add_text(out, which == 4 ? history[i] : NULL);
	if (which <= 1) {
		vw_listing_add_number(out, -1);
		vw_listing_add_number(out, -1);
		vw_listing_add_number(out, 0);
		vw_listing_add_number(out, which == 0 ? VW_BY_NAME : VW_BY_RECORDED);
		vw_listing_add_number(out, 0);
	}
	if (which == 2)
		vw_listing_add_number(out, -1);
	if (which == 3)
		vw_listing_add_number(out, 0);
}

static int list(unsigned which, struct vw_arena *arena, const char *cursor, char **out_cursor)
{
	const struct vw_page page = {.cursor = cursor, .limit = 2};
	const struct vw_version_query versions = {.order = which == 0 ? VW_BY_NAME : VW_BY_RECORDED};
	const struct vw_gap_query gaps = {0};
	const struct vw_event_query events = {0};
	size_t count;
	void *rows;
	switch (which) {
	case 0:
	case 1:
		return vw_fleet_version_list(store, arena, 1, &versions, &page, (vw_version_row ***)&rows, &count,
					     out_cursor, NULL);
	case 2:
		return vw_fleet_gap_list(store, arena, 1, &gaps, &page, (vw_gap_row ***)&rows, &count, out_cursor,
					 NULL);
	case 3:
		return vw_fleet_event_list(store, arena, 1, &events, &page, (vw_event_row ***)&rows, &count,
					   out_cursor, NULL);
	case 4:
		return vw_fleet_version_history(store, arena, 1, &key, &page, (uint64_t **)&rows, &count, out_cursor,
						NULL);
	case 5:
		return vw_fleet_event_log(store, arena, 1, &page, (vw_controller_event ***)&rows, &count, out_cursor,
					  NULL);
	default:
		return vw_fleet_command_list(store, arena, 1, NULL, &page, (vw_stored_command ***)&rows, &count,
					     out_cursor, NULL);
	}
}

#define LISTINGS 7

/* That the cursors made here are the store's own. */
static void check_listings(struct vw_arena *arena)
{
	for (unsigned which = 0; which < LISTINGS; which++) {
		struct vw_listing listing;
		struct vw_page page = {.limit = 2};
		struct vw_bytes place;
		char *cursor = NULL;
		must(list(which, arena, NULL, &cursor));
		if (!cursor)
			continue; /* a history of one */
		page.cursor = cursor;
		listing_of(which, &listing);
		must(vw_page_read(&listing, &page, arena, &place, NULL));
		must(strcmp(vw_page_print(&listing, place, arena), cursor));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vw_arena *arena = vw_arena_open(0);
	struct vw_listing listing;
	char *cursor;
	if (!store) {
		open_store();
		check_listings(arena);
	}
	if (size > 1) {
		unsigned which = data[0] % LISTINGS;
		listing_of(which, &listing);
		char *forged = vw_page_print(&listing, (struct vw_bytes){data + 1, size - 1}, arena);
		int rc = forged ? list(which, arena, forged, &cursor) : VW_EINVAL;
		must(rc != 0 && rc != VW_EINVAL);
		must(list(which, arena, vw_arena_strndup(arena, (const char *)data + 1, size - 1), &cursor) !=
		     VW_EINVAL);
	}
	vw_arena_close(arena);
	return 0;
}
