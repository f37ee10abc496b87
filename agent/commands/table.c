/* table.c: every command and its options, once. */
#include "command.h"

static const char *const table_formats[] = {"table", "json", "ndjson", "csv", NULL};
static const char *const page_formats[] = {"text", "json", NULL};
static const char *const gap_formats[] = {"table", "json", "sarif", "junit", NULL};
static const char *const list_formats[] = {"table", "json", "ndjson", NULL};
static const char *const severities[] = {"none", "info", "low", "medium", "high", "critical", NULL};
static const char *const colours[] = {"auto", "always", "never", NULL};

static const struct vw_cli_option global_options[] = {
    {"config", "FILE",
     "configuration file (default: ~/.config/verifywise/agent.yaml, then /etc/verifywise/agent.yaml)", NULL},
    {"state", "FOLDER", "state folder (default: ~/.local/state/verifywise-agent)", NULL},
    {NULL, NULL, NULL, NULL},
};

static const struct vw_cli_option sync_options[] = {
    {"quick", NULL, "only what MLflow's timestamps call new: new versions and stage moves", NULL},
    {"full", NULL, "everything: tags, aliases, run edits and deletions too (the default)", NULL},
    {"model", "GLOB", "only registered models of this name", NULL},
    {"accept-empty", NULL, "believe a listing that is empty where it was not before", NULL},
    {"accept-source", NULL, "go on with a state that was filled from another address of the same server", NULL},
    {"format", "FORMAT", "summary as text or json", page_formats},
    {NULL, NULL, NULL, NULL},
};
static const struct vw_cli_option inventory_options[] = {
    {"format", "FORMAT", "table, json, ndjson or csv", table_formats},
    {"stage", "STAGE", "only versions of this lifecycle stage", NULL},
    {"owner", "GLOB", "only versions of this owner", NULL},
    {"status", "STATUS", "only versions of this compliance status: compliant, gaps, unknown", NULL},
    {"risk", "RISK", "only versions of this risk category", NULL},
    {"model", "GLOB", "only registered models of this name", NULL},
    {"all", NULL, "removed versions too", NULL},
    {"color", "WHEN", "auto, always or never", colours},
    {NULL, NULL, NULL, NULL},
};
static const struct vw_cli_option show_options[] = {
    {"format", "FORMAT", "text or json", page_formats},
    {"workspace", "NAME", "only in this workspace", NULL},
    {"color", "WHEN", "auto, always or never", colours},
    {NULL, NULL, NULL, NULL},
};
static const struct vw_cli_option gaps_options[] = {
    {"format", "FORMAT", "table, json, sarif or junit", gap_formats},
    {"by", "GROUP", "order by severity, rule or model", (const char *const[]){"severity", "rule", "model", NULL}},
    {"model", "GLOB", "only registered models of this name", NULL},
    {"rule", "RULE", "only findings of this rule", NULL},
    {"fail-on", "SEVERITY", "exit with 10 if there is a gap of this severity or a higher one", severities},
    {"unknown", NULL, "show what could not be judged too", NULL},
    {"color", "WHEN", "auto, always or never", colours},
    {NULL, NULL, NULL, NULL},
};
static const struct vw_cli_option events_options[] = {
    {"format", "FORMAT", "table, json or ndjson", list_formats},
    {"model", "GLOB", "only registered models of this name", NULL},
    {"since", "TIME", "only events of the last 90m, 6h, 7d, or since a date (2026-03-01)", NULL},
    {"limit", "N", "at most N events, the newest (default: all)", NULL},
    {NULL, NULL, NULL, NULL},
};
static const struct vw_cli_option audit_list_options[] = {
    {"format", "FORMAT", "table, json or ndjson", list_formats},
    {"kind", "KIND", "only entries of this kind, such as sync_finished or ingested", NULL},
    {"since", "TIME", "only entries of the last 90m, 6h, 7d, or since a date (2026-03-01)", NULL},
    {"limit", "N", "at most N entries, the newest (default: all)", NULL},
    {NULL, NULL, NULL, NULL},
};
static const struct vw_cli_option export_options[] = {
    {"from", "SEQUENCE", "the first entry (default: 1)", NULL},
    {"output", "FILE", "write to this file (default: standard output)", NULL},
    {NULL, NULL, NULL, NULL},
};
static const struct vw_cli_option format_options[] = {
    {"format", "FORMAT", "text or json", page_formats},
    {NULL, NULL, NULL, NULL},
};
static const struct vw_cli_option enroll_options[] = {
    {"token-file", "FILE", "the token's line is in this file; - is standard input", NULL},
    {"new-agent", NULL, "as another agent than before: after a restored snapshot or for a copy of a machine", NULL},
    {NULL, NULL, NULL, NULL},
};
static const struct vw_cli_option diagnose_options[] = {
    {"output", "FILE", "write the bundle to this file (default: standard output)", NULL},
    {NULL, NULL, NULL, NULL},
};

static const struct vw_cli_command commands[] = {
    {"sync", NULL, 0, 0, "read the MLflow registry once and record what changed",
     "Reads all registered models, their versions, the runs and experiments behind them; makes one record of each "
     "version, "
     "judges it by the policy, and stores what is new. MLflow is only read, never changed. With nothing changed it "
     "writes "
     "one audit entry and nothing else.\n\n"
     "MLFLOW_TRACKING_URI is all that is needed; MLflow's own variables for credentials and TLS work unchanged.",
     "MLFLOW_TRACKING_URI=https://mlflow.example.org vw-agent sync\n"
     "vw-agent sync --quick\n"
     "vw-agent sync --model 'credit-*'\n",
     sync_options, run_sync, true},
    {"run", NULL, 0, 0, "stay and sync on a schedule (daemon)",
     "Syncs quickly every few minutes and fully every few hours (configuration: schedule). SIGHUP checks the "
     "configuration and "
     "then takes it over. Tells systemd when it is ready. Health (/livez, /readyz, /progressz) and Prometheus "
     "metrics (/metrics) are on "
     "loopback only (configuration: listen). Once enrolled it streams the ledger to its controller and does what "
     "that "
     "asks for, as far as the configuration lets it (controller).",
     "vw-agent run --config /etc/verifywise/agent.yaml\n", NULL, run_daemon, true},
    {"evaluate", NULL, 0, 0, "judge what is stored again, without asking MLflow",
     "For a policy that was edited: every stored record is judged anew and findings that differ are recorded.",
     "vw-agent evaluate\n", NULL, run_evaluate, true},
    {"inventory", NULL, 0, 0, "list the model versions that were recorded", NULL,
     "vw-agent inventory --stage Production\nvw-agent inventory --format json | jq '.[].identity.owner'\n",
     inventory_options, run_inventory, false},
    {"show", "MODEL [VERSION]", 1, 2, "one model, or one version with its record and findings", NULL,
     "vw-agent show credit-scoring\nvw-agent show credit-scoring 12 --format json\n", show_options, run_show, false},
    {"gaps", NULL, 0, 0, "what the policy misses, with the clauses it comes from",
     "With --fail-on the exit code is 10 if a gap of that severity or a higher one is open: for pipelines.",
     "vw-agent gaps --by rule\nvw-agent gaps --format sarif --fail-on high > gaps.sarif\n", gaps_options, run_gaps,
     false},
    {"events", NULL, 0, 0, "deployment events: stages, aliases, first sight, removal", NULL,
     "vw-agent events --since 7d\n", events_options, run_events, false},
    {"audit list", NULL, 0, 0, "what was read, when, with which credential", NULL,
     "vw-agent audit list --kind sync_finished\n", audit_list_options, run_audit_list, false},
    {"audit verify", NULL, 0, 0, "check the hash chain of the whole ledger, offline",
     "Exit code 7 and the first bad entry if the chain is broken.", "vw-agent audit verify\n", format_options,
     run_audit_verify, false},
    {"audit export", NULL, 0, 0, "the ledger as NDJSON for an independent verifier",
     "docs/verify_ledger.py checks such a file with nothing of ours.",
     "vw-agent audit export --output ledger.ndjson\n", export_options, run_audit_export, false},
    {"enroll", "URL", 1, 1, "join a controller with a token",
     "URL is the controller's HTTPS address. The token names the controller's certificate authority, so that no "
     "other can take its "
     "place. Keys are made here and never leave this machine. From then on `run` streams the ledger to the "
     "controller, all that is "
     "there already included, and does what it is told; the configuration can forbid that (controller.refuse).\n\n"
     "If the answer was lost, say it again: the same keys are used.",
     "vw-agent enroll https://controller.example.org:8443 --token-file token\n", enroll_options, run_enroll, true},
    {"unenroll", NULL, 0, 0, "leave the controller; the ledger stays",
     "Deletes the identity's keys and certificates. Revoke the agent at the controller as well.",
     "vw-agent unenroll\n", NULL, run_unenroll, true},
    {"status", NULL, 0, 0, "the state, the last syncs and what is open", NULL, "vw-agent status\n", format_options,
     run_status, false},
    {"doctor", NULL, 0, 0, "check name, TLS, credential, permissions, clock, disk; say what to fix",
     "Looks at all that a sync needs, and when the agent is enrolled at the way to its controller: name, proxy, TLS, "
     "both certificates, clock, what waits to be sent. Nothing is changed.",
     "vw-agent doctor\n", format_options, run_doctor, true},
    {"diagnose", NULL, 0, 0, "a bundle for support, with secrets and names left out", NULL,
     "vw-agent diagnose --output bundle.json\n", diagnose_options, run_diagnose, false},
    {"config check", NULL, 0, 0, "check the configuration and the policy", NULL,
     "vw-agent config check --config agent.yaml\n", NULL, run_config_check, false},
    {"config show", NULL, 0, 0, "what is in force and where it comes from", NULL, "vw-agent config show\n", NULL,
     run_config_show, false},
    {"config policy", NULL, 0, 0, "print the policy in force", NULL, "vw-agent config policy > policy.yaml\n", NULL,
     run_config_policy, false},
    {"version", NULL, 0, 0, "versions of the agent and of its libraries", NULL, "vw-agent version\n", format_options,
     vw_cli_run_version, false},
    {"completion", "SHELL", 1, 1, "a completion script for bash, zsh or fish", NULL,
     "vw-agent completion bash > /etc/bash_completion.d/vw-agent\n", NULL, vw_cli_run_completion, false},
    {.name = NULL},
};

static const struct vw_cli_status statuses[] = {
    {EXIT_OK, "done", "Done."},
    {EXIT_FAILED, "failed", "Failed for another reason than those below."},
    {EXIT_USAGE, "usage", "The command line cannot be understood."},
    {EXIT_CONFIG, "configuration", "Configuration, policy or a file of credentials is wrong."},
    {EXIT_SOURCE, "MLflow or the controller unreachable or refusing",
     "MLflow, or the controller, cannot be reached, or refuses."},
    {EXIT_STORE, "state database", "The state cannot be read or written, or another process holds it."},
    {EXIT_SUSPECT, "suspiciously empty listing",
     "The listing was empty where it was not before; nothing was removed."},
    {EXIT_CHAIN, "audit chain broken", "The audit chain is broken."},
    {EXIT_GAPS, "gaps found (gaps --fail-on)", "There are gaps (gaps --fail-on)."},
    {EXIT_CANCELLED, "cancelled", "Cancelled by a signal."},
    {0, NULL, NULL},
};

static const struct vw_cli_variable variables[] = {
    {"MLFLOW_TRACKING_URI",
     "Address of the tracking server, with its path prefix. May hold user:password@ in front of the host."},
    {"MLFLOW_TRACKING_USERNAME, MLFLOW_TRACKING_PASSWORD, MLFLOW_TRACKING_TOKEN",
     "With what the agent shows itself."},
    {"AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, AWS_PROFILE",
     "The same for a server behind AWS Signature Version 4."},
    {"HTTP_PROXY, HTTPS_PROXY, NO_PROXY", "As curl reads them."},
    {"SSL_CERT_FILE", "Certificates of the authorities that are trusted, in PEM."},
    {"VW_CONFIG", "Configuration file."},
    {"CREDENTIALS_DIRECTORY", "Where systemd puts credentials; see vw-agent.yaml(5)."},
    {"NO_COLOR, COLUMNS", "No colours; the width of tables."},
    {NULL, NULL},
};

const struct vw_cli_program agent_program = {
    .name = "vw-agent",
    .version = VW_AGENT_VERSION,
    .about =
	"vw-agent reads an MLflow registry, without ever changing it, and keeps a record of every model version,\n"
	"its compliance gaps and an audit trail.",
    .first_steps = "MLFLOW_TRACKING_URI=http://127.0.0.1:5000 vw-agent sync\nvw-agent inventory\nvw-agent gaps\n",
    .globals = global_options,
    .commands = commands,
    .statuses = statuses,
    .variables = variables,
    .exit_code = exit_code_of,
    .libraries = list_libraries,
};
