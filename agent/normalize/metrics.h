/* metrics.h: the run's metrics and the logged model's, as one list. Private. */
#ifndef NORMALIZE_METRICS_H
#define NORMALIZE_METRICS_H

#include "draft.h"

/* Sorted by key, step, timestamp, dataset; of what both say the run's word is taken. */
void vw_metrics_merge(struct vw_draft *draft, vw_training *training);

#endif
