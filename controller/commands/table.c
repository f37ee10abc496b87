/* table.c: every command and its options, once. */
#include "ask.h"

#include "store/store.h"

#include <curl/curl.h>
#include <grpc/grpc.h>
#include <microhttpd.h>
#include <sodium.h>
#include <string.h>

static const char *const list_formats[] = {"table", "json", "ndjson", NULL};
static const char *const object_formats[] = {"text", "json", NULL};
static const char *const roles[] = {"auditor", "admin", NULL};

#define ORGANIZATION_OPTION                                                                                          \
	{                                                                                                            \
		"organization", "ID", "of this organization (not needed where there is only one)", NULL              \
	}
#define LIST_OPTION                                                                                                  \
	{                                                                                                            \
		"format", "FORMAT", "table, json or ndjson", list_formats                                            \
	}
#define OBJECT_OPTION                                                                                                \
	{                                                                                                            \
		"format", "FORMAT", "text or json", object_formats                                                   \
	}
#define END                                                                                                          \
	{                                                                                                            \
		NULL, NULL, NULL, NULL                                                                               \
	}

static const struct vw_cli_option global_options[] = {
    {"config", "FILE",
     "configuration file (default: ~/.config/verifywise/controller.yaml, then /etc/verifywise/controller.yaml)",
     NULL},
    {"data", "FOLDER", "data folder (default: ~/.local/state/verifywise-controller)", NULL},
    END,
};

static const struct vw_cli_option init_options[] = {
    {"ca-key", "FILE", "the private key of an intermediate of yours, instead of a new CA", NULL},
    {"ca-chain", "FILE", "its certificate and those above it, PEM, up to and with the root", NULL},
    END,
};
static const struct vw_cli_option org_create_options[] = {
    {"id", "ID", "VerifyWise's organization_id (default: the next free one)", NULL}, OBJECT_OPTION, END};
static const struct vw_cli_option plain_list_options[] = {LIST_OPTION, END};
static const struct vw_cli_option token_create_options[] = {
    {"label", "TEXT", "what it is for", NULL},
    {"expires-in", "TIME", "valid for 90m, 24h, 7d (default: 24h)", NULL},
    {"uses", "N", "so many agents may enroll with it (default: 1)", NULL},
    ORGANIZATION_OPTION,
    OBJECT_OPTION,
    END,
};
static const struct vw_cli_option list_options[] = {ORGANIZATION_OPTION, LIST_OPTION, END};
static const struct vw_cli_option object_options[] = {ORGANIZATION_OPTION, OBJECT_OPTION, END};
static const struct vw_cli_option only_organization[] = {ORGANIZATION_OPTION, END};
static const struct vw_cli_option agents_options[] = {
    {"text", "TEXT", "only agents with this in id, host name or source", NULL},
    {"status", "STATUS", "only active, revoked or quarantined ones", NULL},
    ORGANIZATION_OPTION,
    LIST_OPTION,
    END,
};
static const struct vw_cli_option status_options[] = {
    {"reason", "TEXT", "why, for the trail", NULL}, ORGANIZATION_OPTION, END};
static const struct vw_cli_option command_options[] = {
    {"depth", "DEPTH", "of sync: quick, full or reconcile", NULL},
    {"model", "NAME", "of sync: only this registered model", NULL},
    {"file", "FILE", "of set_policy and set_configuration: the YAML; an empty file: back to the agent's own", NULL},
    {"from", "SEQUENCE", "of resend: the first entry", NULL},
    {"wait", NULL, "until it is over, with its progress", NULL},
    ORGANIZATION_OPTION,
    OBJECT_OPTION,
    END,
};
static const struct vw_cli_option records_options[] = {
    {"agent", "ID", "only of this agent", NULL},
    {"model", "NAME", "only of this registered model", NULL},
    {"text", "WORDS", "only with these words in name or description", NULL},
    {"stage", "STAGE", "only of this lifecycle stage", NULL},
    {"owner", "NAME", "only of this owner", NULL},
    {"risk", "RISK", "only of this risk category", NULL},
    {"status", "STATUS", "only compliant, gaps or unknown", NULL},
    {"severity", "SEVERITY", "only with an open gap of at least this severity", NULL},
    {"all", NULL, "removed versions too", NULL},
    ORGANIZATION_OPTION,
    LIST_OPTION,
    END,
};
static const struct vw_cli_option users_create_options[] = {
    {"role", "ROLE", "auditor (reads) or admin", roles},
    {"expires-in", "TIME", "valid for 24h, 90d (default: until it is revoked)", NULL},
    {"all-organizations", NULL, "an operator of the whole controller, of no one organization", NULL},
    ORGANIZATION_OPTION,
    OBJECT_OPTION,
    END,
};
static const struct vw_cli_option secrets_put_options[] = {
    {"file", "FILE", "the secret's first line is in this file (default: standard input)", NULL},
    ORGANIZATION_OPTION,
    OBJECT_OPTION,
    END,
};
static const struct vw_cli_option doctor_options[] = {OBJECT_OPTION, END};
static const struct vw_cli_option version_options[] = {OBJECT_OPTION, END};

static const struct vw_cli_command commands[] = {
    {"init", NULL, 0, 0, "make what serve needs: certificate authority, server certificate, store",
     "Makes a private certificate authority for ten years, or takes an intermediate of yours. What is there already "
     "is "
     "kept, so that "
     "a second replica can be given a copy of the authority folder and the same command. With PostgreSQL the "
     "store's URL must be the owner's here (VW_CONTROLLER_STORE_URL), and may be the application role's for serve.",
     "vw-controller init\nvw-controller init --ca-key intermediate.key --ca-chain chain.pem\n", init_options,
     run_init, true},
    {"migrate", NULL, 0, 0, "bring the store's schema to this version", NULL, "vw-controller migrate\n", NULL,
     run_migrate, true},
    {"serve", NULL, 0, 0, "run the controller",
     "Listens for agents (gRPC, certificates on both sides) and for HTTPS (enrolment and the REST interface). SIGHUP "
     "checks the "
     "configuration and takes over how much is logged. Tells systemd when it is ready. Prometheus metrics are at "
     "/metrics, health at "
     "/healthz and /readyz.",
     "vw-controller serve --config /etc/verifywise/controller.yaml\n", NULL, run_serve, true},
    {"org create", "NAME", 1, 1, "add an organization (tenant)", NULL, "vw-controller org create 'ACME Bank'\n",
     org_create_options, run_org_create, true},
    {"org list", NULL, 0, 0, "list organizations", NULL, "vw-controller org list\n", plain_list_options, run_org_list,
     false},
    {"org disable", "ID", 1, 1, "turn all of an organization's agents away", NULL, "vw-controller org disable 7\n",
     NULL, run_org_disable, true},
    {"org enable", "ID", 1, 1, "let them in again", NULL, "vw-controller org enable 7\n", NULL, run_org_enable, true},
    {"token create", NULL, 0, 0, "a token with which an agent enrolls",
     "Prints the token, one line, on standard output: it is not shown again, and only a hash of it is stored.",
     "vw-controller token create --organization 7 --uses 20 > token\nvw-agent enroll https://controller:8443 "
     "--token-file token\n",
     token_create_options, run_token_create, true},
    {"token list", NULL, 0, 0, "list tokens for enrolment", NULL, "vw-controller token list\n", list_options,
     run_token_list, false},
    {"token revoke", "ID", 1, 1, "a token that nobody may use any more", NULL,
     "vw-controller token revoke 1f2e3d4c5b6a7988\n", only_organization, run_token_revoke, true},
    {"agents list", NULL, 0, 0, "list agents and how they are", NULL, "vw-controller agents list --text edge\n",
     agents_options, run_agents_list, false},
    {"agents show", "AGENT", 1, 1, "one agent: identity, ledger, health", NULL,
     "vw-controller agents show 0f0e0d0c-... --format json\n", object_options, run_agents_show, false},
    {"agents revoke", "AGENT", 1, 1, "end an agent's access, its open stream too", NULL,
     "vw-controller agents revoke 0f0e0d0c-... --reason 'host was stolen'\n", status_options, run_agents_revoke,
     true},
    {"agents activate", "AGENT", 1, 1, "let a revoked or quarantined agent in again", NULL,
     "vw-controller agents activate 0f0e0d0c-...\n", status_options, run_agents_activate, true},
    {"agents command", "AGENT KIND", 2, 2, "tell an agent to do something",
     "KIND is sync, reevaluate, set_policy, set_configuration, pause, resume, resend, rotate_certificate or "
     "diagnose. An agent that is "
     "away gets it when it comes back, unless it has expired (24 hours). It is done once, however often it is "
     "delivered; the agent's own "
     "configuration can forbid any of them.",
     "vw-controller agents command 0f0e0d0c-... sync --depth full --wait\n"
     "vw-controller agents command 0f0e0d0c-... set_policy --file policy.yaml --wait\n",
     command_options, run_agents_command, true},
    {"agents commands", "[AGENT]", 0, 1, "list commands and what became of them", NULL,
     "vw-controller agents commands\n", list_options, run_agents_commands, false},
    {"records", NULL, 0, 0, "list model versions of all agents, as they are now", NULL,
     "vw-controller records --stage Production --severity high\n", records_options, run_records, false},
    {"ledger verify", "AGENT", 1, 1, "check the hash chain of what an agent sent", "Exit code 7 if it is broken.",
     "vw-controller ledger verify 0f0e0d0c-...\n", object_options, run_ledger_verify, false},
    {"ledger export", "[AGENT]", 0, 1, "a signed export with receipts, for an auditor",
     "Of one agent, or of all agents of an organization. docs/verify_ledger.py checks it offline with nothing of "
     "ours.",
     "vw-controller ledger export --organization 7 > ledger.ndjson\n", only_organization, run_ledger_export, false},
    {"users create", "NAME", 1, 1, "a Bearer token for the REST interface",
     "Prints the token: it is not shown again.",
     "vw-controller users create 'internal audit' --role auditor --organization 7\n", users_create_options,
     run_users_create, true},
    {"users list", NULL, 0, 0, "list users of the REST interface", NULL, "vw-controller users list\n", list_options,
     run_users_list, false},
    {"users revoke", "ID", 1, 1, "a user whose token is not accepted any more", NULL,
     "vw-controller users revoke 1f2e3d4c5b6a7988\n", only_organization, run_users_revoke, true},
    {"secrets put", "AGENT NAME", 2, 2, "hand a credential to one agent",
     "NAME is mlflow.username, mlflow.password or mlflow.token. It is sealed here to the agent's key: the "
     "controller, its database and "
     "its logs only ever hold ciphertext. The agent's own configuration can refuse secrets.",
     "vw-controller secrets put 0f0e0d0c-... mlflow.token --file token\n", secrets_put_options, run_secrets_put,
     true},
    {"secrets list", "AGENT", 1, 1, "which secrets an agent is to have, and has", NULL,
     "vw-controller secrets list 0f0e0d0c-...\n", list_options, run_secrets_list, false},
    {"secrets delete", "AGENT NAME", 2, 2, "take a credential away from an agent", NULL,
     "vw-controller secrets delete 0f0e0d0c-... mlflow.token\n", only_organization, run_secrets_delete, true},
    {"trail", NULL, 0, 0, "what operators and the controller did", NULL, "vw-controller trail --organization 7\n",
     list_options, run_trail, false},
    {"config check", NULL, 0, 0, "check the configuration", NULL, "vw-controller config check\n", NULL,
     run_config_check, false},
    {"config show", NULL, 0, 0, "what is in force and where it comes from", NULL, "vw-controller config show\n", NULL,
     run_config_show, false},
    {"doctor", NULL, 0, 0, "check disk, certificates, store and limits; say what to fix", NULL,
     "vw-controller doctor\n", doctor_options, run_doctor, true},
    {"version", NULL, 0, 0, "versions of the controller and of its libraries", NULL, "vw-controller version\n",
     version_options, vw_cli_run_version, false},
    {"completion", "SHELL", 1, 1, "a completion script for bash, zsh or fish", NULL,
     "vw-controller completion bash > /etc/bash_completion.d/vw-controller\n", NULL, vw_cli_run_completion, false},
    {.name = NULL},
};

static const struct vw_cli_status statuses[] = {
    {VW_CLI_EXIT_OK, "ok", "Success."},
    {VW_CLI_EXIT_FAILED, "failed", "It failed; a command of an agent did not end well; doctor found something."},
    {VW_CLI_EXIT_USAGE, "usage", "The command line cannot be understood."},
    {VW_CLI_EXIT_CONFIG, "configuration",
     "The configuration, or a file that it or the command line names, is wrong; an address cannot be listened at."},
    {EXIT_REFUSED, "refused", "There is no such object, it exists already, or the request is not valid."},
    {EXIT_STORE, "store",
     "The store or the running controller cannot be reached, another process has the store, or it is damaged."},
    {EXIT_CHAIN, "chain", "A ledger does not verify."},
    {VW_CLI_EXIT_CANCELLED, "cancelled", "A signal ended it."},
    {0, NULL, NULL},
};

static const struct vw_cli_variable variables[] = {
    {"VW_CONTROLLER_CONFIG", "The configuration file."},
    {"VW_CONTROLLER_DATA", "The data folder."},
    {"VW_CONTROLLER_STORE_URL", "The store; may hold a password, and is wiped once read."},
    {"VW_CONTROLLER_SESSIONS_LISTEN, VW_CONTROLLER_HTTPS_LISTEN, VW_CONTROLLER_HTTP_LISTEN, VW_CONTROLLER_REPLICA",
     "As in the file."},
    {"NO_COLOR, COLUMNS", "As everywhere."},
    {NULL, NULL},
};

static void list_libraries(struct vw_cli_library out[VW_CLI_MAX_LIBRARIES])
{
	const struct vw_cli_library list[] = {{"protobuf-c", protobuf_c_version()},
					      {"grpc", grpc_version_string()},
					      {"lmdb", vw_kv_version()},
					      {"libcurl", curl_version_info(CURLVERSION_NOW)->version},
					      {"jansson", JANSSON_VERSION},
					      {"microhttpd", MHD_get_version()},
					      {"libsodium", sodium_version_string()},
					      {NULL, NULL}};
	memcpy(out, list, sizeof(list));
}

const struct vw_cli_program controller_program = {
    .name = "vw-controller",
    .version = CONTROLLER_VERSION,
    .about = "Runs a fleet of vw-agent for many organizations: takes in their ledgers over mutually\n"
	     "authenticated gRPC, keeps them verifiable, shows them, and sends commands back.\n",
    .first_steps =
	"vw-controller init\n"
	"vw-controller serve &\n"
	"vw-controller org create 'ACME Bank'\n"
	"vw-controller token create > token        # then: vw-agent enroll https://HOST:8443 --token-file token\n",
    .globals = global_options,
    .commands = commands,
    .statuses = statuses,
    .variables = variables,
    .exit_code = controller_exit_code,
    .libraries = list_libraries,
};
