/* show.c: one registered model, or one version as a page that a person reads. */
#include "views.h"

#include "base/clock.h"
#include "base/text.h"
#include "cli/terminal.h"
#include "proto/message.h"

#include <stdio.h>
#include <string.h>

#define LABEL 28 /* columns of a field's name */

struct page {
	struct vw_buffer out;
	bool colours;
	const char *version; /* NULL: all of the model's */
	const char *model;
	const char *workspace; /* NULL: in any */
	bool json;
	size_t count;
};

static void heading(struct page *p, const char *text)
{
	vw_buffer_putc(&p->out, '\n');
	vw_cli_tone_append(&p->out, VW_CLI_STRONG, p->colours, text);
	vw_buffer_putc(&p->out, '\n');
}

/* Where a value came from, quietly beside it. */
static const char *source_of(const vw_record *record, const char *field)
{
	for (size_t i = 0; i < record->n_provenance; i++)
		if (record->provenance[i]->field && strcmp(record->provenance[i]->field, field) == 0)
			return record->provenance[i]->from;
	return NULL;
}

static void label(struct page *p, const char *name)
{
	vw_buffer_puts(&p->out, "  ");
	vw_text_append_cell(&p->out, name, LABEL);
	vw_buffer_putc(&p->out, ' ');
}

static void field(struct page *p, const vw_record *record, struct vw_arena *arena, const char *path)
{
	struct vw_field_path resolved;
	if (!vw_field_resolve(record->base.descriptor, path, &resolved))
		return;
	const char *name = strrchr(path, '.') + 1, *from = source_of(record, path);
	size_t count = vw_field_count(&record->base, &resolved);
	label(p, name);
	if (count == 0)
		vw_cli_tone_append(&p->out, VW_CLI_QUIET, p->colours, "-");
	for (size_t i = 0; i < count; i++) {
		const char *text = vw_field_text(arena, &record->base, &resolved, i);
		vw_buffer_puts(&p->out, i ? ", " : "");
		vw_cli_tone_append(&p->out, VW_CLI_PLAIN, p->colours, text ? text : "-");
	}
	if (from) {
		vw_buffer_puts(&p->out, "  ");
		vw_cli_tone_append(&p->out, VW_CLI_QUIET, p->colours, vw_arena_printf(arena, "(%s)", from));
	}
	vw_buffer_putc(&p->out, '\n');
}

static void pairs(struct page *p, const char *title, vw_key_value *const *list, size_t count)
{
	if (count == 0)
		return;
	label(p, title);
	vw_buffer_putc(&p->out, '\n');
	for (size_t i = 0; i < count; i++) {
		vw_buffer_puts(&p->out, "    ");
		vw_cli_cell_append(&p->out, list[i]->key, LABEL - 2);
		vw_buffer_putc(&p->out, ' ');
		vw_text_append_safe(&p->out, list[i]->value ? list[i]->value : "");
		vw_buffer_putc(&p->out, '\n');
	}
}

static void metrics(struct page *p, const vw_training *training)
{
	if (!training || training->n_metrics == 0)
		return;
	label(p, "metrics");
	vw_buffer_putc(&p->out, '\n');
	for (size_t i = 0; i < training->n_metrics; i++) {
		const vw_metric *m = training->metrics[i];
		vw_buffer_puts(&p->out, "    ");
		vw_cli_cell_append(&p->out, m->key, LABEL - 2);
		vw_buffer_printf(&p->out, " %.6g", m->value);
		if (m->dataset) {
			vw_buffer_puts(&p->out, "  on ");
			vw_text_append_safe(&p->out, m->dataset);
		}
		vw_buffer_putc(&p->out, '\n');
	}
}

static void findings(struct page *p, const struct vw_record_view *view, struct vw_arena *arena)
{
	const vw_compliance *c = view->entry->compliance;
	if (!c)
		return;
	heading(p, vw_arena_printf(arena, "Compliance: %s (policy %s version %lld)", view_status(view),
				   c->policy && c->policy->id ? c->policy->id : "-",
				   c->policy ? (long long)c->policy->version : 0));
	for (size_t i = 0; i < c->n_findings; i++) {
		const vw_finding *f = c->findings[i];
		const char *state = vw_enum_name(&verifywise__v1__finding_state__descriptor, (int)f->state);
		const char *severity = vw_enum_name(&verifywise__v1__severity__descriptor, (int)f->severity);
		if (f->state == VW_FINDING_NOT_APPLICABLE)
			continue;
		vw_buffer_puts(&p->out, "  ");
		vw_cli_tone_append(&p->out, vw_cli_tone_of_status(state), p->colours,
				   vw_arena_printf(arena, "%-8s", state));
		vw_cli_tone_append(&p->out, VW_CLI_PLAIN, p->colours,
				   vw_arena_printf(arena, "%-9s %-33s ", severity, f->rule ? f->rule : ""));
		vw_cli_tone_append(&p->out, VW_CLI_PLAIN, p->colours,
				   f->state == VW_FINDING_PASS ? f->title : f->message);
		vw_buffer_putc(&p->out, '\n');
	}
}

static void completeness(struct page *p, const vw_record *r, struct vw_arena *arena)
{
	char time[VW_TIME_TEXT];
	const vw_completeness *c = r->completeness;
	for (size_t i = 0; i < r->n_warnings; i++) {
		if (i == 0)
			heading(p, "Warnings");
		vw_cli_tone_append(&p->out, VW_CLI_WARN, p->colours,
				   vw_arena_printf(arena, "  %s %s: %s", r->warnings[i]->code,
						   r->warnings[i]->field ? r->warnings[i]->field : "",
						   r->warnings[i]->text));
		vw_buffer_putc(&p->out, '\n');
	}
	if (!c || c->n_reasons == 0)
		return;
	heading(p, vw_arena_printf(arena, "What could not be seen: %s", c->state));
	for (size_t i = 0; i < c->n_reasons; i++)
		vw_buffer_printf(&p->out, "  %s: %s\n", c->reasons[i]->code, c->reasons[i]->text);
	for (size_t i = 0; i < c->n_stale; i++)
		vw_buffer_printf(&p->out, "  %s is as last read on %s\n", c->stale[i],
				 vw_clock_format(c->stale_since_at, time));
}

static const char *const sections[][16] = {
    {"Identity", "identity.description", "identity.business_purpose", "identity.owner", NULL},
    {"Lifecycle", "lifecycle.lifecycle_stage", "lifecycle.mlflow_stage", "lifecycle.aliases",
     "lifecycle.deployment_status", "lifecycle.version_status", "lifecycle.version_description",
     "lifecycle.created_at", "lifecycle.last_updated_at", "lifecycle.source_run_id", "lifecycle.source_artifact_uri",
     NULL},
    {"Training", "training.training_status", "training.training_started_at", "training.training_ended_at", NULL},
    {"Lineage", "lineage.experiment_name", "lineage.experiment_id", "lineage.code_commit", "lineage.code_repository",
     "lineage.code_branch", "lineage.code_dirty", "lineage.training_entrypoint", "lineage.dataset_reference",
     "lineage.parent_run_id", "lineage.logged_model_id", "lineage.artifact_uri", NULL},
    {"Risk", "risk.risk_category", "risk.regulatory_scope", "risk.data_sensitivity", "risk.privacy_assessment_status",
     "risk.compliance_approver", "risk.security_assessment_version", NULL},
};

static void page_of(struct page *p, const struct vw_record_view *view, struct vw_arena *arena)
{
	const vw_record *r = view->record;
	char hex[65] = "-", time[VW_TIME_TEXT];
	vw_cli_tone_append(&p->out, VW_CLI_STRONG, p->colours,
			   vw_arena_printf(arena, "%s%s%s version %s", r->workspace ? r->workspace : "",
					   r->workspace ? "/" : "", r->model_name, r->version_number));
	if (view->removed_at)
		vw_cli_tone_append(
		    &p->out, VW_CLI_BAD, p->colours,
		    vw_arena_printf(arena, "  removed, seen gone on %s", vw_clock_format(view->removed_at, time)));
	vw_buffer_putc(&p->out, '\n');
	for (size_t s = 0; s < sizeof(sections) / sizeof(sections[0]); s++) {
		heading(p, sections[s][0]);
		for (size_t i = 1; sections[s][i]; i++)
			field(p, r, arena, sections[s][i]);
		if (strcmp(sections[s][0], "Lifecycle") == 0 && r->lifecycle)
			pairs(p, "tags", r->lifecycle->tags, r->lifecycle->n_tags);
		if (strcmp(sections[s][0], "Training") == 0 && r->training) {
			metrics(p, r->training);
			pairs(p, "hyperparameters", r->training->hyperparameters, r->training->n_hyperparameters);
			pairs(p, "evaluation_tags", r->training->evaluation_tags, r->training->n_evaluation_tags);
		}
	}
	findings(p, view, arena);
	completeness(p, r, arena);
	heading(p, "Record");
	for (size_t i = 0; i < 32 && view->entry->record_sha256.len == 32; i++)
		snprintf(hex + 2 * i, 3, "%02x", view->entry->record_sha256.data[i]);
	vw_buffer_printf(&p->out, "  sha256 %s\n  first seen %s", hex,
			 vw_clock_format(view->entry->first_seen_at, time));
	int64_t seen =
	    view->last_full_started_at > view->recorded_at ? view->last_full_started_at : view->recorded_at;
	vw_buffer_printf(&p->out, ", last synced %s\n", vw_clock_format(seen, time));
}

static bool is_meant(const struct page *p, const char *workspace, const char *model)
{
	return strcmp(model, p->model) == 0 &&
	       (!p->workspace || strcmp(workspace ? workspace : "", p->workspace) == 0);
}

static int show_one(const struct vw_record_view *view, struct vw_arena *arena, void *arg, struct vw_error *err)
{
	struct page *p = arg;
	if (p->version && strcmp(view->record->version_number, p->version) != 0)
		return 0;
	if (p->json && p->version && p->count > 0)
		return vw_error_set(err, VW_EUSAGE,
				    "%s version %s is in more than one workspace; name one with --workspace",
				    p->model, p->version);
	if (p->json) {
		struct vw_json_writer w;
		vw_buffer_puts(&p->out, p->version ? "" : (p->count ? ",\n" : "[\n"));
		vw_json_writer_init(&w, &p->out, p->version != NULL);
		vw_record_json(&w, view);
	} else if (p->version) {
		if (p->count)
			vw_buffer_putc(&p->out, '\n');
		page_of(p, view, arena);
	}
	p->count++;
	if (vw_buffer_error(&p->out) < 0)
		return vw_error_set(err, vw_buffer_error(&p->out), "a record is too large to print");
	/* one version is printed when it is sure that there is no other; of many, none is held */
	if (!p->version) {
		fputs(vw_buffer_text(&p->out), stdout);
		vw_buffer_clear(&p->out);
	}
	return 0;
}

/* ---- a model: what the registry says of it, and its versions in a table ---- */

struct model_page {
	struct page *page;
	struct vw_cli_table table;
};

static int model_line(const char *workspace, const vw_registered_model *model, struct vw_arena *arena, void *arg,
		      struct vw_error *err)
{
	struct page *p = arg;
	char time[VW_TIME_TEXT];
	(void)err;
	if (!is_meant(p, workspace, model->name))
		return 0;
	vw_cli_tone_append(&p->out, VW_CLI_STRONG, p->colours,
			   vw_arena_printf(arena, "%s%s%s", workspace ? workspace : "",
					   workspace && workspace[0] ? "/" : "", model->name));
	vw_buffer_putc(&p->out, '\n');
	label(p, "description");
	vw_text_append_safe(&p->out, model->description && model->description[0] ? model->description : "-");
	vw_buffer_putc(&p->out, '\n');
	label(p, "last updated");
	vw_buffer_printf(&p->out, "%s\n", vw_clock_format(model->last_updated_timestamp, time));
	for (size_t i = 0; i < model->n_aliases; i++) {
		label(p, i ? "" : "aliases");
		vw_cli_tone_append(
		    &p->out, VW_CLI_PLAIN, p->colours,
		    vw_arena_printf(arena, "%s -> version %s", model->aliases[i]->alias, model->aliases[i]->version));
		vw_buffer_putc(&p->out, '\n');
	}
	pairs(p, "tags", model->tags, model->n_tags);
	vw_buffer_putc(&p->out, '\n');
	return 0;
}

static int version_row(const struct vw_record_view *view, struct vw_arena *arena, void *arg, struct vw_error *err)
{
	struct model_page *m = arg;
	const vw_record *r = view->record;
	struct vw_buffer aliases;
	vw_buffer_init(&aliases, 0);
	for (size_t i = 0; r->lifecycle && i < r->lifecycle->n_aliases; i++)
		vw_buffer_printf(&aliases, "%s%s", i ? ", " : "", r->lifecycle->aliases[i]);
	bool told_apart = r->workspace && !m->page->workspace;
	const char *cells[] = {told_apart ? vw_arena_printf(arena, "%s/%s", r->workspace, r->version_number)
					  : r->version_number,
			       r->lifecycle ? r->lifecycle->lifecycle_stage : NULL,
			       vw_buffer_text(&aliases),
			       view->removed_at ? "removed" : view_status(view),
			       vw_arena_printf(arena, "%zu", view_count(view, VW_FINDING_GAP)),
			       r->training ? r->training->training_status : NULL};
	enum vw_cli_tone tones[] = {VW_CLI_STRONG, vw_cli_tone_of_stage(cells[1]),
				    VW_CLI_PLAIN,  vw_cli_tone_of_status(cells[3]),
				    VW_CLI_PLAIN,  VW_CLI_PLAIN};
	bool added = vw_cli_table_add(&m->table, cells, tones);
	vw_buffer_reset(&aliases);
	m->page->count++;
	return added ? 0 : vw_error_set(err, VW_ENOMEM, "no memory for the table");
}

static int show_model(struct session *session, const struct view_filter *wanted, struct page *p, struct vw_error *err)
{
	static const char *const columns[] = {"VERSION", "STAGE", "ALIASES", "STATUS", "GAPS", "TRAINING"};
	struct model_page m = {.page = p};
	struct vw_txn *txn;
	int code = vw_txn_begin_read(vw_store_kv(session->store), &txn, err);
	if (code < 0)
		return code;
	code = vw_store_each_model(txn, model_line, p, err);
	vw_txn_end(txn);
	if (code < 0)
		return code;
	bool known = p->out.len > 0;
	fputs(vw_buffer_text(&p->out), stdout);
	vw_buffer_clear(&p->out);
	vw_cli_table_begin(&m.table, columns, 6, 1 << 2, p->colours);
	code = views_each(session->store, wanted, version_row, &m, err);
	if (code == 0 && (known || p->count > 0))
		vw_cli_table_end(&m.table);
	vw_cli_table_drop(&m.table);
	p->count += known;
	return code;
}

int run_show(struct vw_cli_invocation *in)
{
	struct session session;
	struct vw_error err = VW_ERROR_INIT;
	struct view_filter wanted = {
	    .model = in->positional[0], .workspace = vw_cli_value(in, "workspace"), .with_removed = true};
	int code = session_open(in, VW_KV_READ, &session);
	if (code != EXIT_OK)
		return code;
	struct page page = {.model = in->positional[0],
			    .version = in->positional_count > 1 ? in->positional[1] : NULL,
			    .workspace = vw_cli_value(in, "workspace"),
			    .json = strcmp(vw_cli_value(in, "format"), "json") == 0,
			    .colours = vw_cli_colours(vw_cli_value(in, "color"))};
	vw_buffer_init(&page.out, 0);
	if (page.json || page.version)
		code = views_each(session.store, &wanted, show_one, &page, &err);
	else
		code = show_model(&session, &wanted, &page, &err);
	if (code == 0 && page.count > 0)
		printf("%s%s", vw_buffer_text(&page.out), page.json ? (page.version ? "\n" : "\n]\n") : "");
	if (code == 0 && page.count == 0) {
		fprintf(stderr, "vw-agent: %s%s%s is not in the inventory; vw-agent inventory lists what is\n",
			page.model, page.version ? " version " : "", page.version ? page.version : "");
		vw_buffer_reset(&page.out);
		session_close(&session);
		return EXIT_FAILED;
	}
	vw_buffer_reset(&page.out);
	session_close(&session);
	return code < 0 ? report_error(&err) : EXIT_OK;
}
