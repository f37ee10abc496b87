/* remote_health.c: how the agent is, as its controller hears it. */
#include "health.h"
#include "proto/message.h"
#include "remote.h"

static void put_condition(vw_condition *condition, const char *name, bool ok, const char *text, int64_t since)
{
	verifywise__v1__condition__init(condition);
	condition->name = (char *)name;
	VW_SET(condition, ok, ok);
	condition->text = (char *)(ok ? NULL : text);
	if (since)
		VW_SET(condition, since, since);
}

void remote_tell(struct remote *remote, const struct health_facts *f, const char *credential)
{
	vw_health health = VERIFYWISE__V1__HEALTH__INIT;
	vw_condition source, *conditions[] = {&source};
	int64_t versions = 0;
	for (int i = 0; i < CENSUS_STATUSES; i++)
		versions += f->census.versions[i];
	put_condition(&source, "source", f->last.code == 0, f->last.code ? vw_code_name(f->last.code) : NULL,
		      f->last.finished_at);
	health.conditions = conditions;
	health.n_conditions = 1;
	if (f->last.finished_at) {
		VW_SET(&health, last_source_read_at, f->last.finished_at);
		health.last_outcome = (char *)health_outcome_name(f->last.outcome);
	}
	VW_SET(&health, models, f->census.models);
	VW_SET(&health, versions, versions);
	VW_SET(&health, versions_with_gaps, f->census.versions[CENSUS_GAPS]);
	VW_SET(&health, incomplete, f->census.incomplete);
	VW_SET(&health, store_bytes, (int64_t)f->census.file_bytes);
	VW_SET(&health, next_sync_at, f->next_due_at);
	VW_SET(&health, paused, f->paused);
	health.credential = (char *)credential;
	remote_health(remote, &health);
	remote_wake(remote);
}
