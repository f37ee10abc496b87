/* entries.h: recorded versions of about 2 KB, one in four with open findings, chained: what benchmarks of the controller send. */
#ifndef BENCH_ENTRIES_H
#define BENCH_ENTRIES_H

#include "base/arena.h"
#include "fleet/chain.h"

/* The `number`th version as the chain's next entry, which is moved. In `arena`; `scratch` is reset. */
vw_chained_entry *bench_entry(struct vw_arena *arena, struct vw_chain *chain, struct vw_arena *scratch,
			      size_t number);

#endif
