/* operator.c: organizations, tokens, users, the trail: what an operator sets up. */
#include "ask.h"

#include "base/clock.h"
#include "base/text.h"

#include <stdio.h>
#include <string.h>

/* A duration of an option in seconds, as the interface takes it. Says what is wrong. */
static bool set_duration(struct asking *a, const char *option, const char *field)
{
	int64_t ms;
	const char *text = vw_cli_value(a->in, option);
	if (!text)
		return true;
	if (vw_clock_parse_duration(text, &ms) && ms >= 1000) {
		json_object_set_new(a->body, field, json_integer(ms / 1000));
		return true;
	}
	fprintf(stderr, "%s: --%s %s is no time such as 90s, 24h or 7d\n", a->in->program->name, option, text);
	return false;
}

static bool set_number(struct asking *a, const char *text, const char *field, int64_t least, const char *what)
{
	int64_t number;
	if (!text)
		return true;
	if (vw_text_int64(text, &number) && number >= least && number <= INT32_MAX) {
		json_object_set_new(a->body, field, json_integer(number));
		return true;
	}
	fprintf(stderr, "%s: %s is no %s\n", a->in->program->name, text, what);
	return false;
}

/* ---- organizations ---- */

int run_org_create(struct vw_cli_invocation *in)
{
	struct asking a;
	int code = ask_begin(&a, in, "/api/v1/organizations");
	if (code != VW_CLI_EXIT_OK)
		return code;
	if (ask_set(&a, "name", in->positional[0]) < 0)
		return ask_end(&a, vw_cli_report(in->program, &a.err));
	if (!set_number(&a, vw_cli_value(in, "id"), "id", 1, "id of an organization"))
		return ask_end(&a, VW_CLI_EXIT_USAGE);
	code = ask_for(&a, "POST");
	return ask_end(&a, code == VW_CLI_EXIT_OK ? ask_print_object(&a) : code);
}

int run_org_list(struct vw_cli_invocation *in)
{
	static const struct column columns[] = {
	    {"ID", "id"}, {"NAME", "name"}, {"DISABLED", "disabled"}, {"CREATED", "created_at"}};
	struct asking a;
	int code = ask_begin(&a, in, "/api/v1/organizations");
	return code != VW_CLI_EXIT_OK ? code : ask_end(&a, ask_print_list(&a, columns, 4, 1 << 1));
}

static int switch_organization(struct vw_cli_invocation *in, const char *act)
{
	struct asking a;
	int code = ask_begin(&a, in, "/api/v1/organizations");
	if (code != VW_CLI_EXIT_OK)
		return code;
	client_segment(&a.path, in->positional[0]);
	client_segment(&a.path, act);
	return ask_end(&a, ask_for(&a, "POST"));
}

int run_org_disable(struct vw_cli_invocation *in)
{
	return switch_organization(in, "disable");
}

int run_org_enable(struct vw_cli_invocation *in)
{
	return switch_organization(in, "enable");
}

/* ---- tokens ---- */

/* The line alone on standard output, for a pipe or a file; what it is good for on standard error. */
static int print_token(struct asking *a)
{
	const char *token = json_string_value(json_object_get(a->data, "token"));
	const char *id = json_string_value(json_object_get(a->data, "public_id"));
	const char *expires = json_string_value(json_object_get(a->data, "expires_at"));
	if (strcmp(vw_cli_value(a->in, "format"), "json") == 0)
		return ask_print_object(a);
	printf("%s\n", token ? token : "");
	fprintf(stderr, "token %s%s%s; this is the only time that it is shown\n", id ? id : "",
		expires ? ", until " : "", expires ? expires : "");
	return VW_CLI_EXIT_OK;
}

int run_token_create(struct vw_cli_invocation *in)
{
	struct asking a;
	int code = ask_begin(&a, in, "/api/v1/tokens");
	if (code != VW_CLI_EXIT_OK)
		return code;
	ask_organization(&a);
	if (ask_set(&a, "label", vw_cli_value(in, "label")) < 0)
		return ask_end(&a, vw_cli_report(in->program, &a.err));
	if (!set_duration(&a, "expires-in", "expires_in_s") ||
	    !set_number(&a, vw_cli_value(in, "uses"), "uses", 1, "number of uses"))
		return ask_end(&a, VW_CLI_EXIT_USAGE);
	code = ask_for(&a, "POST");
	return ask_end(&a, code == VW_CLI_EXIT_OK ? print_token(&a) : code);
}

int run_token_list(struct vw_cli_invocation *in)
{
	static const struct column columns[] = {{"ID", "public_id"},       {"LABEL", "label"},
						{"USES", "uses"},          {"ALLOWED", "uses_allowed"},
						{"CREATED", "created_at"}, {"EXPIRES", "expires_at"},
						{"REVOKED", "revoked_at"}};
	struct asking a;
	int code = ask_begin(&a, in, "/api/v1/tokens");
	if (code != VW_CLI_EXIT_OK)
		return code;
	ask_organization(&a);
	return ask_end(&a, ask_print_list(&a, columns, 7, 1 << 1));
}

static int delete_one(struct vw_cli_invocation *in, const char *path)
{
	struct asking a;
	int code = ask_begin(&a, in, path);
	if (code != VW_CLI_EXIT_OK)
		return code;
	client_segment(&a.path, in->positional[0]);
	ask_organization(&a);
	return ask_end(&a, ask_for(&a, "DELETE"));
}

int run_token_revoke(struct vw_cli_invocation *in)
{
	return delete_one(in, "/api/v1/tokens");
}

/* ---- users ---- */

int run_users_create(struct vw_cli_invocation *in)
{
	struct asking a;
	int code = ask_begin(&a, in, "/api/v1/users");
	if (code != VW_CLI_EXIT_OK)
		return code;
	ask_organization(&a);
	if (ask_set(&a, "name", in->positional[0]) < 0 || ask_set(&a, "role", vw_cli_value(in, "role")) < 0)
		return ask_end(&a, vw_cli_report(in->program, &a.err));
	if (vw_cli_given(in, "all-organizations"))
		json_object_set_new(a.body, "all_organizations", json_true());
	if (!set_duration(&a, "expires-in", "expires_in_s"))
		return ask_end(&a, VW_CLI_EXIT_USAGE);
	code = ask_for(&a, "POST");
	return ask_end(&a, code == VW_CLI_EXIT_OK ? print_token(&a) : code);
}

int run_users_list(struct vw_cli_invocation *in)
{
	static const struct column columns[] = {
	    {"ID", "public_id"},       {"ORG", "organization"},   {"NAME", "name"},         {"ROLE", "role"},
	    {"CREATED", "created_at"}, {"EXPIRES", "expires_at"}, {"REVOKED", "revoked_at"}};
	struct asking a;
	int code = ask_begin(&a, in, "/api/v1/users");
	if (code != VW_CLI_EXIT_OK)
		return code;
	ask_organization(&a);
	return ask_end(&a, ask_print_list(&a, columns, 7, 1 << 2));
}

int run_users_revoke(struct vw_cli_invocation *in)
{
	return delete_one(in, "/api/v1/users");
}

/* ---- the trail ---- */

int run_trail(struct vw_cli_invocation *in)
{
	static const struct column columns[] = {{"AT", "at"},         {"ORG", "organization"}, {"ACTOR", "actor"},
						{"ACTION", "action"}, {"OBJECT", "object"},    {"TEXT", "text"}};
	struct asking a;
	int code = ask_begin(&a, in, "/api/v1/trail");
	if (code != VW_CLI_EXIT_OK)
		return code;
	ask_organization(&a);
	return ask_end(&a, ask_print_list(&a, columns, 6, 1 << 5 | 1 << 2));
}
