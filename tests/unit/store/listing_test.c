/* Versions, gaps and events listed: filters, orders, cursors. */
#include "suite.h"

struct rows {
	vw_version_row **rows;
	size_t count;
	char *cursor;
};

static struct rows versions(struct shop *s, const struct vw_version_query *q, const char *cursor, size_t limit)
{
	struct rows r;
	struct vw_page page = {.cursor = cursor, .limit = limit};
	shop_ok(s, vw_fleet_version_list(s->store, s->arena, ORG, q, &page, &r.rows, &r.count, &r.cursor, &s->err));
	return r;
}

static void append(char *out, size_t size, const char *text)
{
	size_t len = strlen(out);
	snprintf(out + len, size - len, "%s%s", len ? " " : "", text);
}

/* All pages of so many rows, as "model/version …". */
static const char *all_versions(struct shop *s, const struct vw_version_query *q, size_t limit)
{
	static char out[8192];
	const char *cursor = NULL;
	out[0] = 0;
	for (int pages = 0; pages < 1000; pages++) {
		struct rows r = versions(s, q, cursor, limit);
		assert_true(r.count <= limit);
		for (size_t i = 0; i < r.count; i++)
			append(out, sizeof(out),
			       vw_arena_printf(s->arena, "%s/%s", r.rows[i]->model_name, r.rows[i]->version_number));
		cursor = r.cursor;
		if (!cursor)
			return out;
		assert_int_equal(r.count, limit);
	}
	fail_msg("a listing without an end");
	return NULL;
}

static void assert_versions(struct shop *s, const struct vw_version_query *q, const char *expected)
{
	/* the same whatever the pages' size */
	for (size_t limit = 1; limit < 8; limit++) {
		const char *got = all_versions(s, q, limit);
		if (strcmp(got, expected) != 0)
			fail_msg("pages of %zu: '%s', not '%s'", limit, got, expected);
	}
}

/* Two agents, six versions; one was removed. */
static void fill(struct shop *s, struct ledger *a, struct ledger *b)
{
	const struct seen seen[] = {
	    {.model = "churn",
	     .version = "2",
	     .owner = "alice",
	     .stage = "Production",
	     .risk = "high",
	     .description = "Predicts who leaves",
	     .at = NOW + 6,
	     .updated_at = 10,
	     .gap = "owner:low"},
	    {.model = "churn",
	     .version = "10",
	     .owner = "alice",
	     .stage = "Staging",
	     .at = NOW + 1,
	     .updated_at = 30},
	    {.model = "fraud",
	     .version = "1",
	     .owner = "bob",
	     .stage = "Production",
	     .risk = "high",
	     .description = "Cards",
	     .at = NOW + 3,
	     .updated_at = 20,
	     .gap = "metrics:critical owner:high"},
	    {.model = "gone", .version = "1", .at = NOW + 4, .updated_at = 5, .gap = "owner:critical"},
	};
	const struct seen other[] = {
	    {.model = "churn", .version = "2", .owner = "carol", .workspace = "w", .at = NOW + 2, .updated_at = 15},
	    {.model = "zeta", .version = "1", .owner = "", .at = NOW + 5, .updated_at = 25, .gap = "owner:high"},
	};
	ledger_begin(a, s->arena, AGENT_A);
	ledger_begin(b, s->arena, AGENT_B);
	for (size_t i = 0; i < sizeof(seen) / sizeof(seen[0]); i++)
		ingest_one(s, ORG, AGENT_A, a, &seen[i]);
	for (size_t i = 0; i < sizeof(other) / sizeof(other[0]); i++)
		ingest_one(s, ORG, AGENT_B, b, &other[i]);
	uint64_t at = a->chain.head.sequence + 1;
	ingest(s, ORG, AGENT_A, batch_of(s->arena, at, 1, ledger_removal(a, NULL, "gone", "1", NOW + 9)));
}

static void orders(void **state)
{
	struct shop *s = shop_of(state);
	struct ledger a, b;
	struct vw_version_query q = {.order = VW_BY_NAME};
	fill(s, &a, &b);
	assert_versions(s, &q, "churn/2 churn/2 churn/10 fraud/1 zeta/1");
	q.descending = true;
	assert_versions(s, &q, "zeta/1 fraud/1 churn/10 churn/2 churn/2");
	q = (struct vw_version_query){.order = VW_BY_RECORDED};
	assert_versions(s, &q, "churn/10 churn/2 fraud/1 zeta/1 churn/2");
	q.descending = true;
	assert_versions(s, &q, "churn/2 zeta/1 fraud/1 churn/2 churn/10");
	q = (struct vw_version_query){.order = VW_BY_UPDATED, .descending = true};
	assert_versions(s, &q, "churn/10 zeta/1 fraud/1 churn/2 churn/2");
	q = (struct vw_version_query){.order = VW_BY_UPDATED};
	assert_versions(s, &q, "churn/2 churn/2 fraud/1 zeta/1 churn/10");
	q = (struct vw_version_query){.order = VW_BY_SEVERITY, .descending = true, .agent_id = AGENT_A};
	assert_versions(s, &q, "fraud/1 churn/2 churn/10");
	q.descending = false;
	assert_versions(s, &q, "churn/10 churn/2 fraud/1");
}

static void filters(void **state)
{
	struct shop *s = shop_of(state);
	struct ledger a, b;
	vw_compliance_status compliant = VW_COMPLIANCE_COMPLIANT;
	vw_severity high = VW_SEVERITY_HIGH, low = VW_SEVERITY_LOW;
	const struct {
		struct vw_version_query query;
		const char *expected;
	} cases[] = {
	    {{.with_removed = true}, "churn/2 churn/2 churn/10 fraud/1 gone/1 zeta/1"},
	    {{.agent_id = AGENT_B}, "churn/2 zeta/1"},
	    {{.agent_id = AGENT_C}, ""},
	    {{.workspace = "w"}, "churn/2"},
	    {{.workspace = ""}, "churn/2 churn/10 fraud/1 zeta/1"},
	    {{.model = "churn"}, "churn/2 churn/2 churn/10"},
	    {{.model = "churn", .agent_id = AGENT_A}, "churn/2 churn/10"},
	    {{.model = "chur"}, ""},
	    {{.stage = "Production"}, "churn/2 fraud/1"},
	    {{.owner = "alice"}, "churn/2 churn/10"},
	    {{.risk = "high", .owner = "bob"}, "fraud/1"},
	    {{.status = &compliant}, "churn/2 churn/10"},
	    {{.severity = &high}, "fraud/1 zeta/1"},
	    {{.severity = &low}, "churn/2 fraud/1 zeta/1"},
	    {{.severity = &low, .with_removed = true}, "churn/2 fraud/1 zeta/1"}, /* what is gone has no gaps */
	    {{.text = "CHUR"}, "churn/2 churn/2 churn/10"},
	    {{.text = "who leaves"}, "churn/2"},
	    {{.text = "leaves  churn"}, "churn/2"},
	    {{.text = "leaves cards"}, ""},
	    {{.text = "%"}, ""},
	    {{.text = "c_urn"}, ""},
	    {{.text = "  "}, "churn/2 churn/2 churn/10 fraud/1 zeta/1"},
	    {{.text = "cards", .order = VW_BY_UPDATED}, "fraud/1"},
	};
	fill(s, &a, &b);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_versions(s, &cases[i].query, cases[i].expected);
}

static void filters_that_are_none(void **state)
{
	struct shop *s = shop_of(state);
	struct vw_version_query q = {.agent_id = "no id"};
	struct vw_page page = {.limit = 10};
	struct rows r;
	shop_fails(s,
		   vw_fleet_version_list(s->store, s->arena, ORG, &q, &page, &r.rows, &r.count, &r.cursor, &s->err),
		   VW_EINVAL);
	q.agent_id = NULL;
	page.limit = 0;
	shop_fails(s,
		   vw_fleet_version_list(s->store, s->arena, ORG, &q, &page, &r.rows, &r.count, &r.cursor, &s->err),
		   VW_EINVAL);
	page.limit = VW_MAX_PAGE + 1;
	shop_fails(s,
		   vw_fleet_version_list(s->store, s->arena, ORG, &q, &page, &r.rows, &r.count, &r.cursor, &s->err),
		   VW_EINVAL);
}

/* Names are longer than any key: they are told apart all the same. */
static void long_names(void **state)
{
	struct shop *s = shop_of(state);
	struct ledger l;
	char names[3][VW_MAX_NAME + 1];
	ledger_begin(&l, s->arena, AGENT_A);
	for (int i = 0; i < 3; i++) {
		memset(names[i], 'x', VW_MAX_NAME);
		names[i][VW_MAX_NAME] = 0;
		names[i][VW_MAX_NAME - 1] = (char)('a' + i);
		struct seen seen = {.model = names[i], .version = "1", .at = NOW};
		ingest_one(s, ORG, AGENT_A, &l, &seen);
	}
	struct vw_version_query q = {.model = names[1]};
	struct rows r = versions(s, &q, NULL, 10);
	assert_int_equal(r.count, 1);
	assert_string_equal(r.rows[0]->model_name, names[1]);
	assert_int_equal(r.rows[0]->sequence, 2);
	q.model = NULL;
	r = versions(s, &q, NULL, 1);
	r = versions(s, &q, r.cursor, 1);
	assert_int_equal(r.count, 1);
	r = versions(s, &q, r.cursor, 1);
	assert_int_equal(r.count, 1);
	assert_null(r.cursor);
	struct vw_version_key key = {AGENT_A, NULL, names[2], "1"};
	vw_version_row *row;
	shop_ok(s, vw_fleet_version_get(s->store, s->arena, ORG, &key, &row, &s->err));
	assert_int_equal(row->sequence, 3);
}

/* ---- Cursors ---- */

static void rows_are_added_meanwhile(void **state)
{
	struct shop *s = shop_of(state);
	struct ledger l;
	struct vw_version_query q = {.order = VW_BY_NAME};
	ledger_begin(&l, s->arena, AGENT_A);
	ingest_versions(s, ORG, AGENT_A, &l, "m", 1, 10);
	struct rows first = versions(s, &q, NULL, 5);
	assert_string_equal(first.rows[4]->version_number, "5");
	ingest_versions(s, ORG, AGENT_A, &l, "a", 1, 3);  /* in front */
	ingest_versions(s, ORG, AGENT_A, &l, "m", 1, 3);  /* again */
	ingest_versions(s, ORG, AGENT_A, &l, "m", 11, 1); /* behind */
	struct rows second = versions(s, &q, first.cursor, 5);
	assert_string_equal(second.rows[0]->version_number, "6");
	assert_string_equal(second.rows[4]->version_number, "10");
	struct rows third = versions(s, &q, second.cursor, 5);
	assert_int_equal(third.count, 1);
	assert_string_equal(third.rows[0]->version_number, "11");
	assert_null(third.cursor);
	/* newest first: what came later is in front of the first page */
	q = (struct vw_version_query){.order = VW_BY_RECORDED, .descending = true, .model = "b"};
	for (int i = 1; i <= 4; i++) {
		struct seen seen = {.model = "b", .version = vw_arena_printf(s->arena, "%d", i), .at = NOW + 100 + i};
		ingest_one(s, ORG, AGENT_A, &l, &seen);
	}
	first = versions(s, &q, NULL, 2);
	struct seen newest = {.model = "b", .version = "5", .at = NOW + 200};
	ingest_one(s, ORG, AGENT_A, &l, &newest);
	second = versions(s, &q, first.cursor, 5);
	assert_int_equal(second.count, 2);
	assert_string_equal(second.rows[0]->version_number, "2");
	assert_string_equal(second.rows[1]->version_number, "1");
}

static void assert_refused(struct shop *s, const struct vw_version_query *q, const char *cursor)
{
	struct vw_page page = {.cursor = cursor, .limit = 10};
	struct rows r;
	shop_fails(s, vw_fleet_version_list(s->store, s->arena, ORG, q, &page, &r.rows, &r.count, &r.cursor, &s->err),
		   VW_EINVAL);
}

static void garbage_cursors(void **state)
{
	struct shop *s = shop_of(state);
	struct ledger a, b;
	struct vw_version_query q = {.order = VW_BY_NAME}, other = {.order = VW_BY_UPDATED};
	fill(s, &a, &b);
	struct rows r = versions(s, &q, NULL, 2);
	assert_non_null(r.cursor);
	assert_refused(s, &q, "");
	assert_refused(s, &q, "0");
	assert_refused(s, &q, "AAAA");
	assert_refused(s, &q, "\xff\xfe");
	assert_refused(s, &q, "' OR 1=1 --");
	char *bent = vw_arena_strdup(s->arena, r.cursor);
	bent[0] = bent[0] == 'A' ? 'B' : 'A';
	assert_refused(s, &q, bent);
	assert_refused(s, &q, vw_arena_printf(s->arena, "%sAAAA", r.cursor));
	assert_refused(s, &other, r.cursor);
	struct vw_gap_query gaps = {0};
	struct vw_page page = {.cursor = r.cursor, .limit = 10};
	vw_gap_row **rows;
	size_t count;
	char *cursor;
	shop_fails(s, vw_fleet_gap_list(s->store, s->arena, ORG, &gaps, &page, &rows, &count, &cursor, &s->err),
		   VW_EINVAL);
	struct vw_event_query events = {0};
	vw_event_row **event_rows;
	shop_fails(
	    s, vw_fleet_event_list(s->store, s->arena, ORG, &events, &page, &event_rows, &count, &cursor, &s->err),
	    VW_EINVAL);
}

/* ---- One version ---- */

static void found(void **state)
{
	struct shop *s = shop_of(state);
	struct ledger a, b;
	const struct vw_version_key none[] = {{AGENT_A, "", "churn", "3"},   {AGENT_A, "x", "churn", "2"},
					      {AGENT_C, "", "churn", "2"},   {"no id", "", "churn", "2"},
					      {AGENT_A, "", "churn", "02"},  {AGENT_A, "", "churn", ""},
					      {AGENT_A, "", "churn\n", "2"}, {AGENT_A, "", "", "2"}};
	struct vw_version_key key = {AGENT_B, "w", "churn", "2"};
	vw_version_row *row;
	fill(s, &a, &b);
	shop_ok(s, vw_fleet_version_get(s->store, s->arena, ORG, &key, &row, &s->err));
	assert_string_equal(row->owner, "carol");
	assert_string_equal(row->workspace, "w");
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
		shop_fails(s, vw_fleet_version_get(s->store, s->arena, ORG, &none[i], &row, &s->err), VW_ENOTFOUND);
}

static void history(void **state)
{
	struct shop *s = shop_of(state);
	struct ledger l;
	struct seen seen = {.model = "m", .version = "1", .at = NOW},
		    other = {.model = "m", .version = "11", .at = NOW};
	struct vw_version_key key = {AGENT_A, NULL, "m", "1"};
	struct vw_page page = {.limit = 2};
	uint64_t *sequences;
	size_t count;
	char *cursor, *first;
	ledger_begin(&l, s->arena, AGENT_A);
	for (int i = 0; i < 3; i++) {
		ingest_one(s, ORG, AGENT_A, &l, &seen);
		ingest_one(s, ORG, AGENT_A, &l, &other);
	}
	ingest(s, ORG, AGENT_A, batch_of(s->arena, 7, 1, ledger_removal(&l, NULL, "m", "1", NOW)));
	shop_ok(s,
		vw_fleet_version_history(s->store, s->arena, ORG, &key, &page, &sequences, &count, &first, &s->err));
	assert_int_equal(count, 2);
	assert_int_equal(sequences[0], 7);
	assert_int_equal(sequences[1], 5);
	page.cursor = first;
	shop_ok(s,
		vw_fleet_version_history(s->store, s->arena, ORG, &key, &page, &sequences, &count, &cursor, &s->err));
	assert_int_equal(count, 2);
	assert_int_equal(sequences[0], 3);
	assert_int_equal(sequences[1], 1);
	assert_null(cursor);
	key.version = "11";
	shop_fails(
	    s, vw_fleet_version_history(s->store, s->arena, ORG, &key, &page, &sequences, &count, &cursor, &s->err),
	    VW_EINVAL);
	page.cursor = NULL;
	key.version = "12";
	shop_ok(s,
		vw_fleet_version_history(s->store, s->arena, ORG, &key, &page, &sequences, &count, &cursor, &s->err));
	assert_int_equal(count, 0);
}

/* ---- Gaps ---- */

static const char *all_gaps(struct shop *s, const struct vw_gap_query *q, size_t limit)
{
	static char out[4096];
	struct vw_page page = {.limit = limit};
	vw_gap_row **rows;
	size_t count;
	out[0] = 0;
	do {
		char *cursor;
		shop_ok(s, vw_fleet_gap_list(s->store, s->arena, ORG, q, &page, &rows, &count, &cursor, &s->err));
		for (size_t i = 0; i < count; i++)
			append(out, sizeof(out),
			       vw_arena_printf(s->arena, "%s/%s:%s", rows[i]->model_name, rows[i]->version_number,
					       rows[i]->finding->rule));
		page.cursor = cursor;
	} while (page.cursor);
	return out;
}

static void gaps(void **state)
{
	struct shop *s = shop_of(state);
	struct ledger a, b;
	vw_severity high = VW_SEVERITY_HIGH, critical = VW_SEVERITY_CRITICAL;
	const struct {
		struct vw_gap_query query;
		const char *expected;
	} cases[] = {
	    {{0}, "churn/2:owner fraud/1:metrics fraud/1:owner zeta/1:owner"},
	    {{.agent_id = AGENT_B}, "zeta/1:owner"},
	    {{.model = "fraud"}, "fraud/1:metrics fraud/1:owner"},
	    {{.rule = "owner"}, "churn/2:owner fraud/1:owner zeta/1:owner"},
	    {{.rule = "nothing"}, ""},
	    {{.severity = &high}, "fraud/1:metrics fraud/1:owner zeta/1:owner"},
	    {{.severity = &critical}, "fraud/1:metrics"},
	    {{.framework = "iso_42001"}, "churn/2:owner"},
	    {{.framework = "eu_ai_act", .rule = "owner"}, "fraud/1:owner zeta/1:owner"},
	};
	fill(s, &a, &b);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		for (size_t limit = 1; limit < 5; limit++)
			assert_string_equal(all_gaps(s, &cases[i].query, limit), cases[i].expected);
	struct seen better = {.model = "fraud", .version = "1", .at = NOW + 20, .gap = "metrics:low"};
	uint64_t sequence = ingest_one(s, ORG, AGENT_A, &a, &better);
	struct vw_gap_query q = {.model = "fraud"};
	struct vw_page page = {.limit = 10};
	vw_gap_row **rows;
	size_t count;
	char *cursor;
	shop_ok(s, vw_fleet_gap_list(s->store, s->arena, ORG, &q, &page, &rows, &count, &cursor, &s->err));
	assert_int_equal(count, 1);
	assert_int_equal(rows[0]->sequence, sequence);
	assert_int_equal(rows[0]->recorded_at, NOW + 20);
	assert_string_equal(rows[0]->agent_id, AGENT_A);
	assert_string_equal(rows[0]->finding->clauses[0]->framework, "iso_42001");
}

/* ---- Events ---- */

static const char *all_events(struct shop *s, const struct vw_event_query *q, size_t limit)
{
	static char out[4096];
	struct vw_page page = {.limit = limit};
	vw_event_row **rows;
	size_t count;
	out[0] = 0;
	do {
		char *cursor;
		shop_ok(s, vw_fleet_event_list(s->store, s->arena, ORG, q, &page, &rows, &count, &cursor, &s->err));
		for (size_t i = 0; i < count; i++)
			append(out, sizeof(out),
			       vw_arena_printf(s->arena, "%s:%s", rows[i]->model_name,
					       rows[i]->to ? rows[i]->to : rows[i]->field));
		page.cursor = cursor;
	} while (page.cursor);
	return out;
}

static void events(void **state)
{
	struct shop *s = shop_of(state);
	struct ledger a, b;
	const struct seen seen[] = {{.model = "m", .version = "1", .at = NOW + 1, .event = "Staging"},
				    {.model = "n", .version = "1", .at = NOW + 3, .event = "Production"},
				    {.model = "m", .version = "1", .at = -5, .event = "Archived"}};
	const struct {
		struct vw_event_query query;
		const char *expected;
	} cases[] = {
	    {{0}, "m:removed n:Production m:Staging2 m:Staging m:Archived"},
	    {{.agent_id = AGENT_B}, "m:Staging2"},
	    {{.model = "n"}, "n:Production"},
	    {{.field = "removed"}, "m:removed"},
	    {{.since = NOW + 2}, "m:removed n:Production m:Staging2"},
	    {{.since = NOW + 2, .model = "m"}, "m:removed m:Staging2"},
	    {{.agent_id = AGENT_C}, ""},
	};
	struct seen other = {.model = "m", .version = "1", .at = NOW + 2, .event = "Staging2"};
	ledger_begin(&a, s->arena, AGENT_A);
	ledger_begin(&b, s->arena, AGENT_B);
	for (size_t i = 0; i < 3; i++)
		ingest_one(s, ORG, AGENT_A, &a, &seen[i]);
	ingest_one(s, ORG, AGENT_B, &b, &other);
	ingest(s, ORG, AGENT_A, batch_of(s->arena, 4, 1, ledger_removal(&a, NULL, "m", "1", NOW + 4)));
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		for (size_t limit = 1; limit < 6; limit++)
			assert_string_equal(all_events(s, &cases[i].query, limit), cases[i].expected);
	struct vw_event_query q = {.agent_id = AGENT_B};
	struct vw_page page = {.limit = 10};
	vw_event_row **rows;
	size_t count;
	char *cursor;
	shop_ok(s, vw_fleet_event_list(s->store, s->arena, ORG, &q, &page, &rows, &count, &cursor, &s->err));
	assert_string_equal(rows[0]->agent_id, AGENT_B);
	assert_int_equal(rows[0]->sequence, 1);
	assert_int_equal(rows[0]->part, 1);
	assert_string_equal(rows[0]->field, "lifecycle_stage");
	q.agent_id = "no id";
	shop_fails(s, vw_fleet_event_list(s->store, s->arena, ORG, &q, &page, &rows, &count, &cursor, &s->err),
		   VW_EINVAL);
}

/* ---- The controller's trail ---- */

static void trail(void **state)
{
	struct shop *s = shop_of(state);
	struct vw_page page = {.limit = 2};
	vw_controller_event e = VERIFYWISE__V1__CONTROLLER_EVENT__INIT, **events;
	size_t count;
	char *first, *cursor;
	const struct {
		int32_t organization;
		const char *action;
	} put[] = {{ORG, "a"}, {OTHER, "b"}, {ORG, "c"}, {0, "d"}, {ORG, "e"}};
	e.actor = (char *)"user:alice";
	for (size_t i = 0; i < 5; i++) {
		VW_SET(&e, organization, put[i].organization);
		e.action = (char *)put[i].action;
		VW_SET(&e, at, NOW + (int64_t)i);
		shop_ok(s, vw_fleet_event_put(s->store, &e, &s->err));
	}
	shop_ok(s, vw_fleet_event_log(s->store, s->arena, ORG, &page, &events, &count, &first, &s->err));
	assert_int_equal(count, 2);
	assert_string_equal(events[0]->action, "e");
	assert_string_equal(events[0]->actor, "user:alice");
	assert_int_equal(events[0]->at, NOW + 4);
	assert_string_equal(events[1]->action, "c");
	assert_true(events[0]->id > events[1]->id && events[1]->id > 0);
	e.action = (char *)"f";
	VW_SET(&e, organization, ORG);
	shop_ok(s, vw_fleet_event_put(s->store, &e, &s->err));
	page.cursor = first;
	shop_ok(s, vw_fleet_event_log(s->store, s->arena, ORG, &page, &events, &count, &cursor, &s->err));
	assert_int_equal(count, 1);
	assert_string_equal(events[0]->action, "a");
	assert_null(cursor);
	shop_fails(s, vw_fleet_event_log(s->store, s->arena, OTHER, &page, &events, &count, &cursor, &s->err),
		   VW_EINVAL);
	page = (struct vw_page){.limit = 100};
	shop_ok(s, vw_fleet_event_log(s->store, s->arena, 0, &page, &events, &count, &cursor, &s->err));
	assert_int_equal(count, 6);
	assert_string_equal(events[2]->action, "d");
	assert_int_equal(events[2]->organization, 0);
	shop_ok(s, vw_fleet_event_log(s->store, s->arena, OTHER, &page, &events, &count, &cursor, &s->err));
	assert_int_equal(count, 1);
	e.action = NULL;
	shop_fails(s, vw_fleet_event_put(s->store, &e, &s->err), VW_EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    suite_test_agents(orders),
	    suite_test_agents(filters),
	    suite_test_agents(filters_that_are_none),
	    suite_test_agents(long_names),
	    suite_test_agents(rows_are_added_meanwhile),
	    suite_test_agents(garbage_cursors),
	    suite_test_agents(found),
	    suite_test_agents(history),
	    suite_test_agents(gaps),
	    suite_test_agents(events),
	    suite_test_agents(trail),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
