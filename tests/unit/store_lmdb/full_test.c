/* A disk that is full: what does not fit is refused as a whole and said, what was acknowledged stays, and with room again it goes on. */
#include "suite.h"

#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

static char disk[] = "/tmp/vw-store-full-XXXXXX";

/* A small file system of this process alone, so that nothing stays behind; needs root. */
static int mount_disk(void **state)
{
	(void)state;
	if (geteuid() != 0)
		return 0;
	if (!mkdtemp(disk) || unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
	    mount("tmpfs", disk, "tmpfs", 0, "size=4m") != 0)
		return -1;
	return setenv("TMPDIR", disk, 1);
}

static int unmount_disk(void **state)
{
	(void)state;
	if (geteuid() == 0 && (umount(disk) != 0 || rmdir(disk) != 0))
		return -1;
	return 0;
}

static void it_goes_on_with_room(void **state)
{
	struct shop *s = shop_of(state);
	struct ledger l;
	if (geteuid() != 0)
		skip();
	vw_chained_entry *refused = NULL;
	uint64_t stored = 0;
	struct vw_fleet_counts c;
	ledger_begin(&l, s->arena, AGENT_A);
	for (int i = 0; !refused && i < 100; i++) {
		struct seen seen = {.model = "m",
				    .version = vw_arena_printf(s->arena, "%d", i + 1),
				    .padding = 100 * VW_KIB,
				    .at = NOW};
		vw_chained_entry *entry = ledger_version(&l, &seen);
		struct vw_ingest_result r;
		struct vw_ingest_batch b = {.organization = ORG,
					    .agent_id = AGENT_A,
					    .batch = batch_of(s->arena, stored + 1, 1, entry),
					    .now = NOW};
		int rc = vw_fleet_ingest(s->store, s->arena, &b, &r, &s->err);
		if (rc == 0)
			stored += r.stored;
		else
			refused = entry;
		assert_true(rc == 0 || rc == VW_EFULL);
	}
	assert_non_null(refused);
	assert_says(s->err, "no space left");
	assert_true(stored > 3);
	/* reading goes on */
	assert_int_equal(get_agent(s, ORG, AGENT_A)->sequence, stored);
	shop_ok(s, vw_fleet_count(s->store, ORG, &c, &s->err));
	assert_int_equal(c.entries, stored);
	assert_int_equal(mount("none", disk, NULL, MS_REMOUNT, "size=64m"), 0);
	struct vw_ingest_result r = ingest(s, ORG, AGENT_A, batch_of(s->arena, stored + 1, 1, refused));
	assert_int_equal(r.outcome, VW_INGEST_STORED);
	assert_int_equal(r.stored, 1);
	shop_reopen(s);
	assert_int_equal(get_agent(s, ORG, AGENT_A)->sequence, stored + 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {suite_test_agents(it_goes_on_with_room)};
	return cmocka_run_group_tests(tests, mount_disk, unmount_disk);
}
