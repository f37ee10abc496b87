/* census.h: what is stored, counted, for metrics. */
#ifndef COMMANDS_CENSUS_H
#define COMMANDS_CENSUS_H

#include "base/error.h"
#include "storage/store.h"

#include <stdint.h>

enum census_status { CENSUS_COMPLIANT, CENSUS_GAPS, CENSUS_UNKNOWN, CENSUS_STATUSES };

/* Of versions that are not removed. */
struct census {
	int64_t models;
	int64_t versions[CENSUS_STATUSES];
	int64_t incomplete;              /* versions of which something could not be read */
	int64_t gaps[VW_SEVERITIES];     /* findings, by severity from info to critical */
	int64_t unknown;                 /* findings that could not be judged */
	uint64_t sequence;               /* of the newest ledger entry */
	uint64_t file_bytes, used_bytes; /* the state database, on disk and in use */
};

/* Reads the index of versions, no record. VW_ECANCELLED when a signal came in between. */
int census_take(struct vw_store *store, struct census *out, struct vw_error *err);
/* Only what needs no walk: the last three. */
int census_sizes(struct vw_store *store, struct census *out, struct vw_error *err);

#endif
