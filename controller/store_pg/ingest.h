/* ingest.h: what a batch changes, gathered so that each table is written with one statement. */
#ifndef STORE_PG_INGEST_H
#define STORE_PG_INGEST_H

#include "plan.h"
#include "store_pg.h"

/* What becomes of one version by a batch: its last state there. */
struct vw_pg_change {
	const uint8_t *key;                /* VW_PG_KEY bytes */
	vw_version_row *row;               /* NULL: it was only removed */
	const vw_version_row *removal;     /* NULL: it was not removed after that */
	const struct vw_plan_entry *entry; /* that `row` was read off */
	vw_gap_row **gaps;                 /* of `row`, unless it was removed */
	size_t gap_count;
};

struct vw_pg_changes {
	const struct vw_plan *plan;
	const char *agent_id;
	int64_t now;
	const uint8_t **keys;      /* of plan->entries, parallel; NULL: about no version */
	struct vw_pg_change *list; /* one for each version */
	size_t count;
};

/* In the transaction's arena. */
void vw_pg_changes_gather(struct vw_pg_tx *tx, const struct vw_plan *plan, const char *agent_id, int64_t now,
			  struct vw_pg_changes *out);
/* Ledger, versions, gaps and events. */
void vw_pg_changes_write(struct vw_pg_tx *tx, const struct vw_pg_changes *changes);
/* VerifyWise's own table. */
void vw_pg_verifywise_write(struct vw_pg_tx *tx, const struct vw_pg_changes *changes);

#endif
