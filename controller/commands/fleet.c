/* fleet.c: agents, their commands, records, ledgers, secrets. */
#include "ask.h"

#include "base/digest.h"
#include "base/file.h"
#include "base/limits.h"
#include "base/text.h"
#include "fleet/seal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LOOK_AGAIN_US 300000
#define PROGRESS_MAX  512 /* bytes of a line */

static int begin_agent(struct asking *a, const struct vw_cli_invocation *in, const char *agent, const char *tail)
{
	int code = ask_begin(a, in, "/api/v1/agents");
	if (code != VW_CLI_EXIT_OK)
		return code;
	client_segment(&a->path, agent);
	vw_buffer_puts(&a->path, tail);
	return code;
}

/* ---- agents ---- */

int run_agents_list(struct vw_cli_invocation *in)
{
	static const struct column columns[] = {{"AGENT", "agent_id"},
						{"STATUS", "status"},
						{"CONNECTED", "presence.connected"},
						{"LAST SEEN", "presence.last_seen_at"},
						{"STORED", "sequence"},
						{"VERSION", "presence.agent_version"},
						{"HOST", "hostname"},
						{"SOURCE", "presence.source_uri"}};
	struct asking a;
	int code = ask_begin(&a, in, "/api/v1/agents");
	if (code != VW_CLI_EXIT_OK)
		return code;
	ask_organization(&a);
	client_query(&a.path, "text", vw_cli_value(in, "text"));
	client_query(&a.path, "status", vw_cli_value(in, "status"));
	return ask_end(&a, ask_print_list(&a, columns, 8, 1 << 6 | 1 << 7));
}

int run_agents_show(struct vw_cli_invocation *in)
{
	struct asking a;
	int code = begin_agent(&a, in, in->positional[0], "");
	if (code != VW_CLI_EXIT_OK)
		return code;
	ask_organization(&a);
	code = ask_for(&a, "GET");
	return ask_end(&a, code == VW_CLI_EXIT_OK ? ask_print_object(&a) : code);
}

static int set_status(struct vw_cli_invocation *in, const char *act)
{
	struct asking a;
	int code = begin_agent(&a, in, in->positional[0], act);
	if (code != VW_CLI_EXIT_OK)
		return code;
	ask_organization(&a);
	if (ask_set(&a, "reason", vw_cli_value(in, "reason")) < 0)
		return ask_end(&a, vw_cli_report(in->program, &a.err));
	return ask_end(&a, ask_for(&a, "POST"));
}

int run_agents_revoke(struct vw_cli_invocation *in)
{
	return set_status(in, "/revoke");
}

int run_agents_activate(struct vw_cli_invocation *in)
{
	return set_status(in, "/activate");
}

/* ---- commands ---- */

static int add_file(struct asking *a, const char *path)
{
	struct vw_buffer text;
	vw_buffer_init(&text, VW_MAX_POLICY_FILE);
	int code = vw_file_read(path, VW_MAX_POLICY_FILE, &text, &a->err);
	if (code == 0 && !vw_utf8_valid(vw_buffer_text(&text), text.len))
		code = vw_error_set(&a->err, VW_ECONFIG, "%s is no UTF-8 text", path);
	if (code == 0)
		json_object_set_new(a->body, "content", json_stringn(vw_buffer_text(&text), text.len));
	vw_buffer_reset(&text);
	return ask_file_failed(a, code);
}

static int fill_command(struct asking *a)
{
	const struct vw_cli_invocation *in = a->in;
	const char *file = vw_cli_value(in, "file"), *from = vw_cli_value(in, "from");
	int64_t sequence;
	if (ask_set(a, "kind", in->positional[1]) < 0 || ask_set(a, "depth", vw_cli_value(in, "depth")) < 0 ||
	    ask_set(a, "model", vw_cli_value(in, "model")) < 0)
		return a->err.code;
	if (from) {
		if (!vw_text_int64(from, &sequence) || sequence < 1)
			return vw_error_set(&a->err, VW_EUSAGE, "--from %s is no sequence number", from);
		json_object_set_new(a->body, "from_sequence", json_integer(sequence));
	}
	return file ? add_file(a, file) : 0;
}

static bool is_over(const char *state)
{
	return state && strcmp(state, "queued") != 0 && strcmp(state, "delivered") != 0 &&
	       strcmp(state, "running") != 0;
}

/* The agent's own words, for a terminal. */
static void show_progress(const json_t *data, char shown[PROGRESS_MAX])
{
	const char *state = json_string_value(json_object_get(data, "state"));
	const char *text = json_string_value(json_object_get(json_object_get(data, "update"), "text"));
	char line[PROGRESS_MAX];
	struct vw_buffer safe;
	vw_buffer_init(&safe, 0);
	vw_text_append_safe(&safe, state ? state : "");
	if (text)
		vw_buffer_puts(&safe, ": ");
	vw_text_append_safe(&safe, text ? text : "");
	snprintf(line, sizeof(line), "%s", vw_buffer_text(&safe));
	vw_buffer_reset(&safe);
	if (strcmp(line, shown) != 0)
		fprintf(stderr, "%s\n", line);
	memcpy(shown, line, sizeof(line));
}

static int stop_waiting(const struct asking *a, const char *id)
{
	fprintf(stderr, "%s: not waited for any longer; the command goes on: agents commands shows %s\n",
		a->in->program->name, id);
	return VW_CLI_EXIT_CANCELLED;
}

/* Until the command is over, with its progress on standard error. */
static int wait_for(struct asking *a, const char *id)
{
	char shown[PROGRESS_MAX] = "";
	for (;;) {
		vw_buffer_clear(&a->path);
		vw_buffer_puts(&a->path, "/api/v1/commands");
		client_segment(&a->path, id);
		ask_organization(a);
		int code = client_call(a->client, "GET", vw_buffer_text(&a->path), NULL, &a->data, &a->err);
		if (vw_cli_cancelled)
			return stop_waiting(a, id);
		if (code < 0)
			return vw_cli_report(a->in->program, &a->err);
		const char *state = json_string_value(json_object_get(a->data, "state"));
		show_progress(a->data, shown);
		if (is_over(state)) {
			code = ask_print_object(a);
			return strcmp(state, "done") == 0 ? code : VW_CLI_EXIT_FAILED;
		}
		json_decref(a->data);
		a->data = NULL;
		usleep(LOOK_AGAIN_US);
	}
}

int run_agents_command(struct vw_cli_invocation *in)
{
	struct asking a;
	char id[64];
	int code = begin_agent(&a, in, in->positional[0], "/commands");
	if (code != VW_CLI_EXIT_OK)
		return code;
	ask_organization(&a);
	if (fill_command(&a) < 0)
		return ask_end(&a, vw_cli_report(in->program, &a.err));
	code = ask_for(&a, "POST");
	if (code != VW_CLI_EXIT_OK || !vw_cli_given(in, "wait"))
		return ask_end(&a, code == VW_CLI_EXIT_OK ? ask_print_object(&a) : code);
	const char *given = json_string_value(json_object_get(a.data, "id"));
	snprintf(id, sizeof(id), "%s", given ? given : "");
	json_decref(a.data);
	a.data = NULL;
	return ask_end(&a, wait_for(&a, id));
}

int run_agents_commands(struct vw_cli_invocation *in)
{
	static const struct column columns[] = {
	    {"COMMAND", "id"},           {"AGENT", "agent_id"},   {"KIND", "kind"},
	    {"STATE", "state"},          {"ISSUED", "issued_at"}, {"BY", "issued_by"},
	    {"FINISHED", "finished_at"}, {"TEXT", "update.text"}};
	struct asking a;
	int code = in->positional_count ? begin_agent(&a, in, in->positional[0], "/commands")
					: ask_begin(&a, in, "/api/v1/commands");
	if (code != VW_CLI_EXIT_OK)
		return code;
	ask_organization(&a);
	return ask_end(&a, ask_print_list(&a, columns, 8, 1 << 7));
}

/* ---- records ---- */

int run_records(struct vw_cli_invocation *in)
{
	static const char *const filters[] = {"agent", "model",  "text",     "stage", "owner",
					      "risk",  "status", "severity", NULL};
	static const struct column columns[] = {{"MODEL", "model_name"},     {"VERSION", "version_number"},
						{"STAGE", "stage"},          {"STATUS", "status"},
						{"OWNER", "owner"},          {"RISK", "risk_category"},
						{"RECORDED", "recorded_at"}, {"AGENT", "agent_id"}};
	struct asking a;
	int code = ask_begin(&a, in, "/api/v1/records");
	if (code != VW_CLI_EXIT_OK)
		return code;
	ask_organization(&a);
	for (const char *const *filter = filters; *filter; filter++)
		client_query(&a.path, *filter, vw_cli_value(in, *filter));
	if (vw_cli_given(in, "all"))
		client_query(&a.path, "with_removed", "true");
	return ask_end(&a, ask_print_list(&a, columns, 8, 1 << 0 | 1 << 4));
}

/* ---- ledgers ---- */

int run_ledger_verify(struct vw_cli_invocation *in)
{
	struct asking a;
	int code = begin_agent(&a, in, in->positional[0], "/ledger/verify");
	if (code != VW_CLI_EXIT_OK)
		return code;
	ask_organization(&a);
	code = ask_for(&a, "GET");
	if (code == VW_CLI_EXIT_OK) {
		ask_print_object(&a);
		code = json_is_true(json_object_get(a.data, "sound")) ? VW_CLI_EXIT_OK : EXIT_CHAIN;
	}
	return ask_end(&a, code);
}

int run_ledger_export(struct vw_cli_invocation *in)
{
	struct asking a;
	int code = in->positional_count ? begin_agent(&a, in, in->positional[0], "/ledger/export")
					: ask_begin(&a, in, "/api/v1/ledger/export");
	if (code != VW_CLI_EXIT_OK)
		return code;
	ask_organization(&a);
	code = client_download(a.client, vw_buffer_text(&a.path), stdout, &a.err);
	if (code == 0 && fflush(stdout) != 0)
		code = vw_error_set(&a.err, VW_EIO, "cannot write to standard output");
	return ask_end(&a, code < 0 ? vw_cli_report(in->program, &a.err) : VW_CLI_EXIT_OK);
}

/* ---- secrets ---- */

/* Read here, sealed here: what leaves this process only the agent can open (S4.5, S11.1). */
static int seal_for(struct asking *a, const char *sealing_key)
{
	struct vw_error *err = &a->err;
	uint8_t key[VW_SEALING_KEY];
	bool open_to_others;
	struct vw_bytes sealed;
	struct vw_secret *secret = NULL;
	const char *file = vw_cli_value(a->in, "file");
	struct vw_arena *arena VW_AUTO(vw_arena_cleanup) = vw_arena_open(0);
	if (!arena)
		return vw_error_set(err, VW_ENOMEM, "no memory for a secret");
	if (!sealing_key || !vw_hex_decode(sealing_key, key, sizeof(key)))
		return vw_error_set(err, VW_EINVAL, "the agent has no sealing key");
	int code =
	    file ? vw_secret_read_file(file, &secret, &open_to_others, err) : vw_secret_read_input(&secret, err);
	if (code < 0)
		return ask_file_failed(a, code);
	if (file && open_to_others)
		fprintf(stderr, "%s: warning: others can read %s; chmod 600 it, or delete it when this is done\n",
			a->in->program->name, file);
	code = vw_seal(key, secret, arena, &sealed, err);
	if (code == 0) {
		char *text = vw_arena_alloc(arena, 4 * ((sealed.len + 2) / 3) + 1);
		if (text)
			json_object_set_new(a->body, "sealed",
					    json_string(vw_base64_encode(sealed.data, sealed.len, text)));
		else
			code = vw_error_set(err, VW_ENOMEM, "no memory for a secret");
	}
	vw_secret_close(secret);
	return code;
}

int run_secrets_put(struct vw_cli_invocation *in)
{
	struct asking a;
	int code = begin_agent(&a, in, in->positional[0], "");
	if (code != VW_CLI_EXIT_OK)
		return code;
	ask_organization(&a);
	code = ask_for(&a, "GET");
	if (code != VW_CLI_EXIT_OK)
		return ask_end(&a, code);
	a.body = json_object();
	if (seal_for(&a, json_string_value(json_object_get(a.data, "sealing_key_hex"))) < 0)
		return ask_end(&a, vw_cli_report(in->program, &a.err));
	vw_buffer_clear(&a.path);
	vw_buffer_puts(&a.path, "/api/v1/agents");
	client_segment(&a.path, in->positional[0]);
	client_segment(&a.path, "secrets");
	client_segment(&a.path, in->positional[1]);
	ask_organization(&a);
	code = ask_for(&a, "PUT");
	return ask_end(&a, code == VW_CLI_EXIT_OK ? ask_print_object(&a) : code);
}

int run_secrets_list(struct vw_cli_invocation *in)
{
	static const struct column columns[] = {{"NAME", "name"},          {"VERSION", "version"},
						{"CREATED", "created_at"}, {"BY", "created_by"},
						{"HELD", "held_version"},  {"FINGERPRINT", "fingerprint"}};
	struct asking a;
	int code = begin_agent(&a, in, in->positional[0], "/secrets");
	if (code != VW_CLI_EXIT_OK)
		return code;
	ask_organization(&a);
	return ask_end(&a, ask_print_list(&a, columns, 6, 0));
}

int run_secrets_delete(struct vw_cli_invocation *in)
{
	struct asking a;
	int code = begin_agent(&a, in, in->positional[0], "/secrets");
	if (code != VW_CLI_EXIT_OK)
		return code;
	client_segment(&a.path, in->positional[1]);
	ask_organization(&a);
	return ask_end(&a, ask_for(&a, "DELETE"));
}
