#include "metrics.h"

#include "base/limits.h"
#include "base/text.h"
#include "proto/message.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A metric and who gave it: of two that are the same, the run's comes first. */
struct item {
	vw_metric *metric;
	int origin; /* 0: run, 1: logged model */
};

struct items {
	struct item *items;
	size_t count;
};

static int compare_texts(const char *a, const char *b)
{
	return strcmp(a ? a : "", b ? b : "");
}

static int compare_int64(int64_t a, int64_t b)
{
	return (a > b) - (a < b);
}

static int compare_observations(const vw_metric *x, const vw_metric *y)
{
	int order = compare_texts(x->key, y->key);
	order = order ? order : compare_int64(x->step, y->step);
	order = order ? order : compare_int64(x->timestamp, y->timestamp);
	return order ? order : compare_texts(x->dataset, y->dataset);
}

/* A total order, so that the order in which a server lists does not matter. */
static int compare_items(const void *a, const void *b)
{
	const struct item *x = a;
	const struct item *y = b;
	int order = compare_observations(x->metric, y->metric);
	order = order ? order : x->origin - y->origin;
	/* values last, as bit patterns: NaN has no order */
	return order ? order : memcmp(&x->metric->value, &y->metric->value, sizeof(x->metric->value));
}

static void warn_not_finite(struct vw_draft *draft, const vw_metric *metric)
{
	const char *what = NULL;
	if (!metric->has_value)
		what = "has no value";
	else if (isnan(metric->value))
		what = "is NaN";
	else if (isinf(metric->value))
		what = metric->value > 0 ? "is Infinity" : "is -Infinity";
	else if (fabs(metric->value) == DBL_MAX)
		what = "has the largest number there is, as which MLflow's database keeps an infinity";
	if (what)
		vw_draft_warn(draft, "metric_not_finite", "training.metrics", "%.200s %s", metric->key, what);
}

static vw_metric *copy_metric(struct vw_draft *draft, const vw_metric *metric)
{
	vw_metric *copy = VW_NEW(draft, metric);
	if (!copy)
		return NULL;
	*copy = *metric;
	copy->base.n_unknown_fields = 0;
	copy->base.unknown_fields = NULL;
	/* a time that is none is no time of this observation */
	copy->timestamp = 0;
	copy->has_timestamp =
	    vw_draft_time(draft, "training.metrics", metric->has_timestamp, metric->timestamp, &copy->timestamp);
	copy->key = vw_draft_clean(draft, "training.metrics", metric->key);
	copy->dataset = vw_draft_text(draft, "training.metrics", metric->dataset);
	if (copy->has_value && isnan(copy->value)) {
		/* one bit pattern for all of them, so that equal records have equal bytes */
		static const uint64_t quiet = UINT64_C(0x7ff8000000000000);
		memcpy(&copy->value, &quiet, sizeof(copy->value));
	}
	return copy->key ? copy : NULL;
}

static void add_metrics(struct vw_draft *draft, struct items *items, vw_metric *const *metrics, size_t count,
			int origin)
{
	for (size_t i = 0; i < count; i++) {
		vw_metric *copy = vw_non_empty(metrics[i]->key) ? copy_metric(draft, metrics[i]) : NULL;
		if (copy)
			items->items[items->count++] = (struct item){copy, origin};
	}
}

static bool same_value(const vw_metric *x, const vw_metric *y)
{
	return x->has_value == y->has_value && memcmp(&x->value, &y->value, sizeof(x->value)) == 0;
}

/* Keeps one of each observation: of key, step, timestamp and dataset. */
static void remove_repeated(struct vw_draft *draft, struct items *all)
{
	size_t kept = 0;
	for (size_t i = 0; i < all->count; i++) {
		const vw_metric *last = kept > 0 ? all->items[kept - 1].metric : NULL;
		const vw_metric *metric = all->items[i].metric;
		if (!last || compare_observations(last, metric) != 0) {
			all->items[kept++] = all->items[i];
			continue;
		}
		if (!same_value(last, metric))
			vw_draft_warn(draft, "duplicate_key", "training.metrics",
				      "%.200s has several values at one step and time: one was taken", metric->key);
	}
	all->count = kept;
}

void vw_metrics_merge(struct vw_draft *draft, vw_training *training)
{
	const vw_run *run = draft->run;
	const vw_logged_model *logged = draft->logged_model;
	size_t most = (run ? run->n_metrics : 0) + (logged ? logged->n_metrics : 0);
	struct items all = {vw_arena_array(draft->arena, most + 1, sizeof(struct item)), 0};
	if (!all.items)
		return;
	if (run)
		add_metrics(draft, &all, run->metrics, run->n_metrics, 0);
	if (logged)
		add_metrics(draft, &all, logged->metrics, logged->n_metrics, 1);
	if (all.count > 0)
		qsort(all.items, all.count, sizeof(*all.items), compare_items);
	remove_repeated(draft, &all);
	if (all.count > VW_MAX_ENTRIES) {
		vw_draft_reason(draft, VW_REASON_VALUE_TOO_LARGE, "there are more metrics than a record can hold");
		all.count = VW_MAX_ENTRIES;
	}
	training->metrics = vw_arena_array(draft->arena, all.count + 1, sizeof(*training->metrics));
	for (size_t i = 0; training->metrics && i < all.count; i++) {
		training->metrics[i] = all.items[i].metric;
		warn_not_finite(draft, all.items[i].metric);
		training->n_metrics++;
	}
}
