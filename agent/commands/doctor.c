/* doctor.c: looks at everything a sync needs, one line each, and says what to do about what is wrong. */
#include "doctor.h"

#include "base/clock.h"
#include "base/json.h"
#include "cli/terminal.h"
#include "source.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>

#define LOW_DISK_BYTES (256.0 * 1024 * 1024) /* less room than one growth of the database's map */

void doctor_add(struct doctor *d, const char *name, enum doctor_result result, const char *hint, const char *fmt, ...)
{
	struct doctor_check *c = &d->checks[d->count < DOCTOR_CHECKS_MAX ? d->count++ : DOCTOR_CHECKS_MAX - 1];
	va_list ap;
	*c = (struct doctor_check){.name = name, .result = result, .hint = hint};
	va_start(ap, fmt);
	vsnprintf(c->text, sizeof(c->text), fmt, ap);
	va_end(ap);
}

void doctor_fail(struct doctor *d, const char *name, int code, const char *hint, const char *text)
{
	if (!d->worst_code)
		d->worst_code = code;
	doctor_add(d, name, BAD, hint, "%s", text);
}

static const char *hint_of(int code)
{
	switch (code) {
	case VW_EAUTH:
		return "the server does not know this credential: check MLFLOW_TRACKING_USERNAME and _PASSWORD, or "
		       "_TOKEN";
	case VW_EFORBIDDEN:
		return "the credential is known but may not read this: give it READ permission";
	case VW_EAGAIN:
	case VW_ETIMEOUT:
		return "check the address, name resolution, firewall, proxy (HTTPS_PROXY, NO_PROXY), and the CA file "
		       "for a private CA";
	case VW_ENOTFOUND:
	case VW_EUNSUPPORTED:
		return "the address answers, but is it an MLflow server, and is its path prefix part of the tracking "
		       "URI?";
	default:
		return "see the message";
	}
}

/* ---- calls ---- */

enum need {
	NEEDED,
	OPTIONAL, /* servers without it are fine */
	SINGLE    /* about one object, which may be gone or another's: then the call works all the same */
};

struct probe {
	struct doctor *doctor;
	const char *name;
	enum need need;
};

/* A server's version, or the names of its workspaces. */
static const char *said(const struct vw_mlflow_answer *answer, struct vw_arena *arena)
{
	struct vw_buffer text;
	if (!answer->texts || answer->count == 0)
		return "answered";
	vw_buffer_init(&text, 0);
	for (size_t i = 0; i < answer->count && text.len < 200; i++)
		vw_buffer_printf(&text, "%s%s", i ? ", " : "", answer->texts[i]);
	const char *copy = vw_arena_strdup(arena, vw_buffer_text(&text));
	vw_buffer_reset(&text);
	return copy ? copy : "";
}

/* Something to ask for by itself. */
static void remember(struct doctor *d, const struct vw_mlflow_answer *answer)
{
	if (answer->count == 0)
		return;
	if (answer->texts)
		d->text = vw_arena_strdup(d->arena, answer->texts[0]);
	if (answer->experiments && !d->experiment)
		d->experiment = vw_arena_strdup(d->arena, answer->experiments[0]->experiment_id);
	if (answer->models && !d->model)
		d->model = vw_arena_strdup(d->arena, answer->models[0]->name);
	if (answer->versions && !d->version) {
		d->version_of = vw_arena_strdup(d->arena, answer->versions[0]->name);
		d->version = vw_arena_strdup(d->arena, answer->versions[0]->version);
		d->run = vw_arena_strdup(d->arena, answer->versions[0]->run_id);
	}
}

static void answered(void *arg, const struct vw_mlflow_answer *answer)
{
	struct probe *p = arg;
	bool missing = answer->code == VW_ENOTFOUND || answer->code == VW_EUNSUPPORTED;
	if (answer->code == 0) {
		doctor_add(p->doctor, p->name, GOOD, NULL, "%s", said(answer, p->doctor->arena));
		remember(p->doctor, answer);
		return;
	}
	if (missing && p->need == OPTIONAL) {
		doctor_add(p->doctor, p->name, GOOD, NULL, "this server has none");
		return;
	}
	if (p->need == SINGLE && answer->code == VW_ENOTFOUND) {
		doctor_add(p->doctor, p->name, GOOD, NULL, "answered: that one is gone");
		return;
	}
	if (p->need == SINGLE && answer->code == VW_EFORBIDDEN) {
		doctor_add(p->doctor, p->name, POOR,
			   "records of such versions are incomplete: give it READ permission", "%s",
			   answer->error->message);
		return;
	}
	doctor_fail(p->doctor, p->name, answer->code, hint_of(answer->code), answer->error->message);
}

/* The calls for one object, with the first that the searches found: a sync needs them where a search does not say enough. */
static void check_single_reads(struct doctor *d, struct vw_mlflow *client)
{
	struct probe experiment = {d, "experiments/get", SINGLE}, model = {d, "registered-models/get", SINGLE},
		     version = {d, "model-versions/get", SINGLE}, run = {d, "runs/get", SINGLE};
	struct vw_error err = VW_ERROR_INIT;
	if (d->experiment)
		vw_mlflow_get_experiment(client, d->experiment, answered, &experiment);
	if (d->model)
		vw_mlflow_get_model(client, d->model, answered, &model);
	if (d->version_of && d->version)
		vw_mlflow_get_model_version(client, d->version_of, d->version, answered, &version);
	if (d->run)
		vw_mlflow_get_run(client, d->run, answered, &run);
	vw_mlflow_run(client, &err);
}

/* As a sync does it, in a workspace that is offered: the default one may not be this credential's. */
static void choose_workspace(struct doctor *d, struct vw_mlflow *client, const char *configured)
{
	struct probe workspaces = {d, "workspaces", OPTIONAL};
	struct vw_error err = VW_ERROR_INIT;
	d->text = NULL;
	vw_mlflow_list_workspaces(client, answered, &workspaces);
	vw_mlflow_run(client, &err);
	if (!configured && d->text)
		vw_mlflow_use_workspace(client, d->text);
}

static void check_calls(struct doctor *d, struct vw_mlflow *client, const char *workspace)
{
	struct probe version = {d, "server's version", OPTIONAL}, models = {d, "registered-models/search", NEEDED},
		     versions = {d, "model-versions/search", NEEDED}, experiments = {d, "experiments/search", NEEDED},
		     runs = {d, "runs/search", NEEDED};
	struct vw_mlflow_query one = {.order = VW_ORDER_NAME, .max_results = 1};
	struct vw_error err = VW_ERROR_INIT;
	vw_mlflow_begin_cycle(client);
	vw_mlflow_get_version(client, answered, &version);
	vw_mlflow_run(client, &err);
	if (d->worst_code == VW_EAGAIN || d->worst_code == VW_ETIMEOUT)
		return; /* the others would only say the same again */
	choose_workspace(d, client, workspace);
	vw_mlflow_search_models(client, &one, answered, &models);
	vw_mlflow_search_versions(client, &one, answered, &versions);
	vw_mlflow_search_experiments(client, NULL, answered, &experiments);
	vw_mlflow_run(client, &err);
	if (d->experiment) {
		const char *ids[] = {d->experiment}, *none[] = {"00000000000000000000000000000abc"};
		vw_mlflow_search_runs(client, ids, 1, none, 1, answered, &runs);
		vw_mlflow_run(client, &err);
	}
	check_single_reads(d, client);
}

/* ---- this machine ---- */

static void check_disk(struct doctor *d, const char *dir)
{
	struct statvfs fs;
	if (statvfs(dir, &fs) != 0)
		return;
	double free_bytes = (double)fs.f_bavail * (double)fs.f_frsize;
	bool low = free_bytes < LOW_DISK_BYTES;
	doctor_add(d, "disk", low ? POOR : GOOD, low ? "make room, or move the state with state_dir" : NULL,
		   "%.1f GB free in %s", free_bytes / 1e9, dir);
}

static void check_clock(struct doctor *d, struct vw_store *store)
{
	char time[VW_TIME_TEXT], last[VW_TIME_TEXT];
	struct vw_error err = VW_ERROR_INIT;
	struct vw_txn *txn;
	vw_sync_state *state;
	int64_t now = vw_clock_now(), before = 0;
	if (vw_txn_begin_read(vw_store_kv(store), &txn, &err) == 0) {
		if (vw_store_sync_state(txn, d->arena, &state, &err) == 0)
			before = state->last_finished_at;
		vw_txn_end(txn);
	}
	bool back = before > now;
	doctor_add(d, "clock", back ? POOR : GOOD, back ? "the clock went back since the last sync: check NTP" : NULL,
		   "%s%s%s", vw_clock_format(now, time), back ? ", but the last sync was at " : "",
		   back ? vw_clock_format(before, last) : "");
}

static void check_credential(struct doctor *d, const struct source *source, const struct vw_config *config)
{
	bool none = vw_credentials_kind(source->credentials) == VW_CREDENTIAL_NONE;
	bool plain = !none && strncmp(config->mlflow.tracking_uri, "http://", 7) == 0 &&
		     !strstr(config->mlflow.tracking_uri, "//127.") &&
		     !strstr(config->mlflow.tracking_uri, "//localhost");
	const char *origin = vw_credentials_origin(source->credentials);
	doctor_add(d, "credential", plain ? POOR : GOOD, plain ? "it travels unencrypted: use https" : NULL, "%s%s%s",
		   source->label, origin && !none ? " from " : "", origin && !none ? origin : "");
	const char *exposed = vw_credentials_exposed_file(source->credentials);
	if (exposed)
		doctor_add(d, "credential file", POOR, "chmod 0600 the file, or 0640 with a group of its own",
			   "%s can be read or changed by others", exposed);
	if (config->mlflow.insecure_tls)
		doctor_add(d, "TLS", POOR, "give the CA's file instead: MLFLOW_TRACKING_SERVER_CERT_PATH",
			   "the server's certificate is not checked");
}

/* ---- printing ---- */

static void print_text(const struct doctor *d)
{
	static const char *const words[] = {"ok", "warning", "FAILED"};
	static const enum vw_cli_tone tones[] = {VW_CLI_GOOD, VW_CLI_WARN, VW_CLI_BAD};
	struct vw_buffer out;
	bool colours = vw_cli_colours("auto");
	vw_buffer_init(&out, 0);
	for (size_t i = 0; i < d->count; i++) {
		const struct doctor_check *c = &d->checks[i];
		vw_cli_tone_append(&out, tones[c->result], colours, words[c->result]);
		vw_buffer_printf(&out, "%*s  %-24s ", 7 - (int)strlen(words[c->result]), "", c->name);
		vw_cli_tone_append(&out, VW_CLI_PLAIN, colours, c->text);
		vw_buffer_putc(&out, '\n');
		if (c->hint)
			vw_buffer_printf(&out, "%34s-> %s\n", "", c->hint);
	}
	fputs(vw_buffer_text(&out), stdout);
	vw_buffer_reset(&out);
}

static void print_json(const struct doctor *d)
{
	static const char *const words[] = {"ok", "warning", "failed"};
	struct vw_buffer out;
	struct vw_json_writer w;
	vw_buffer_init(&out, 0);
	vw_json_writer_init(&w, &out, true);
	vw_json_begin_array(&w);
	for (size_t i = 0; i < d->count; i++) {
		vw_json_begin_object(&w);
		vw_json_key(&w, "check");
		vw_json_put_text(&w, d->checks[i].name);
		vw_json_key(&w, "result");
		vw_json_put_text(&w, words[d->checks[i].result]);
		vw_json_key(&w, "text");
		vw_json_put_text(&w, d->checks[i].text);
		vw_json_key(&w, "hint");
		vw_json_put_text(&w, d->checks[i].hint);
		vw_json_end_object(&w);
	}
	vw_json_end_array(&w);
	puts(vw_buffer_text(&out));
	vw_buffer_reset(&out);
}

static void examine(struct doctor *d, const struct vw_cli_invocation *in)
{
	struct session session = {0};
	struct source source;
	struct vw_error err = VW_ERROR_INIT;
	int code = config_load(in, &session.config, &err);
	if (code < 0) {
		doctor_fail(d, "configuration", code, "correct the file", err.message);
		return;
	}
	doctor_add(d, "configuration", GOOD, NULL, "%s", session.config->path ? session.config->path : "no file");
	/* reading is enough, and goes beside a running daemon; a state that is not there yet shows whether it can be made */
	code = vw_store_open(session.config->state_dir, VW_KV_READ, &session.store, &err);
	if (code == VW_ENOTFOUND)
		code = vw_store_open(session.config->state_dir, VW_KV_WRITE, &session.store, &err);
	if (code < 0) {
		doctor_fail(d, "state", code, "see the message", err.message);
		session_close(&session);
		return;
	}
	doctor_add(d, "state", GOOD, NULL, "%s", session.config->state_dir);
	check_disk(d, session.config->state_dir);
	check_clock(d, session.store);
	code = source_open(&session, true, &source, &err);
	if (code < 0) {
		doctor_fail(d, "tracking server", code, "see the message", err.message);
	} else {
		doctor_add(d, "tracking server", GOOD, NULL, "%s", session.config->mlflow.tracking_uri);
		check_credential(d, &source, session.config);
		check_calls(d, source.client, session.config->mlflow.workspace);
		source_close(&source);
	}
	doctor_check_controller(d, &session);
	session_close(&session);
}

int run_doctor(struct vw_cli_invocation *in)
{
	struct doctor doctor = {.arena = vw_arena_open(0)};
	if (!doctor.arena)
		return EXIT_FAILED;
	examine(&doctor, in);
	if (strcmp(vw_cli_value(in, "format"), "json") == 0)
		print_json(&doctor);
	else
		print_text(&doctor);
	vw_arena_close(doctor.arena);
	return doctor.worst_code ? exit_code_of(doctor.worst_code) : EXIT_OK;
}
