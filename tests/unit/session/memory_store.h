/* memory_store.h: a store in memory that does what it is told: slow, away, full. For faults that no real store makes on demand. What it decides
 * about agents and batches, the real stores' own code decides (join.h, plan.h). */
#ifndef TEST_SESSION_MEMORY_STORE_H
#define TEST_SESSION_MEMORY_STORE_H

#include "store/store.h"

struct vw_fleet_store *memory_store_open(void);

/* An organization; an agent of it with this serial. */
void memory_store_organization(struct vw_fleet_store *store, int32_t organization);
void memory_store_agent(struct vw_fleet_store *store, int32_t organization, const char *agent_id, const char *serial);

/* The next `count` calls of "ingest", "join" or "update" give `code`; each takes `ms`. */
void memory_store_fault(struct vw_fleet_store *store, const char *call, int code, int count, int ms);
/* Calls of a kind since the start: "ingest", "join", "update", "presence". */
int64_t memory_store_calls(const struct vw_fleet_store *store, const char *call);

#endif
