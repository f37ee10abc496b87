/* doctor.c: what an operator would look at by hand when something is wrong. Changes nothing. */
#include "client.h"

#include "base/clock.h"
#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/statvfs.h>

#define SOON_MS   ((int64_t)30 * 24 * 3600 * 1000)
#define LOW_BYTES ((uint64_t)1 << 30)
#define FILES_OWN 512 /* descriptors for the store, HTTPS and the rest; each stream has one more */
#define TEXT_MAX  1024

struct look {
	const struct vw_controller_config *config;
	json_t *checks; /* NULL: for people, at once */
	int failed;
};

static __attribute__((format(printf, 4, 5))) void say(struct look *look, bool ok, const char *what, const char *fmt,
						      ...)
{
	char text[TEXT_MAX];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	look->failed += !ok;
	struct vw_buffer safe;
	vw_buffer_init(&safe, 0);
	vw_text_append_safe(&safe, text);
	if (look->checks)
		json_array_append_new(look->checks, json_pack("{s:s, s:s, s:s}", "check", what, "result",
							      ok ? "ok" : "fail", "text", vw_buffer_text(&safe)));
	else
		printf("%-5s %-12s %s\n", ok ? "ok" : "FAIL", what, vw_buffer_text(&safe));
	vw_buffer_reset(&safe);
}

/* Renewed by itself while `serve` runs: one that is near its end was not. */
static void look_at_server(struct look *look, const char *folder, struct vw_arena *arena)
{
	char path[4200], at[VW_TIME_TEXT];
	struct vw_bytes *chain;
	struct vw_certificate_facts facts;
	size_t count;
	struct vw_error err = VW_ERROR_INIT;
	snprintf(path, sizeof(path), "%s/server.pem", folder);
	int code = vw_certificates_read_file(path, arena, &chain, &count, &err);
	if (code == 0)
		code = vw_certificate_read(chain[0], arena, &facts, &err);
	if (code < 0)
		say(look, false, "server", "%s; vw-controller serve makes another", err.message);
	else
		say(look, facts.not_after > vw_clock_now(), "server",
		    "certificate for agents and HTTPS, valid until %s", vw_clock_format(facts.not_after, at));
}

static void look_at_authority(struct look *look)
{
	char folder[4096], at[VW_TIME_TEXT];
	size_t count;
	struct vw_error err = VW_ERROR_INIT;
	struct vw_authority *authority;
	struct vw_certificate_facts facts;
	struct vw_arena *arena VW_AUTO(vw_arena_cleanup) = vw_arena_open(0);
	struct vw_authority_settings settings = authority_settings(look->config, folder, sizeof(folder));
	if (!arena || vw_authority_open(&settings, &authority, &err) < 0) {
		say(look, false, "authority", "%s", err.message);
		return;
	}
	if (vw_certificate_read(vw_authority_chain(authority, &count)[0], arena, &facts, &err) < 0)
		say(look, false, "authority", "%s", err.message);
	else
		say(look, facts.not_after - vw_clock_now() > SOON_MS, "authority", "%s, valid until %s",
		    look->config->trust_domain, vw_clock_format(facts.not_after, at));
	vw_authority_close(authority);
	look_at_server(look, folder, arena);
}

/* Through the server when one runs, for the embedded store is its alone then. */
static void look_at_store(struct look *look)
{
	struct vw_error err = VW_ERROR_INIT;
	struct client *client VW_AUTO(client_cleanup) = NULL;
	json_t *data = NULL;
	int code = client_open(look->config, &client, &err);
	if (code == 0)
		code = client_call(client, "GET", "/api/v1/overview", NULL, &data, &err);
	if (code < 0) {
		say(look, false, "store", "%s", err.message);
		return;
	}
	say(look, true, "store", "%lld agents, %lld connected, %lld versions, %lld ledger entries",
	    (long long)json_integer_value(json_object_get(data, "agents")),
	    (long long)json_integer_value(json_object_get(data, "agents_connected")),
	    (long long)json_integer_value(json_object_get(data, "versions")),
	    (long long)json_integer_value(json_object_get(data, "entries")));
	json_decref(data);
}

static void look_at_disk(struct look *look)
{
	struct statvfs fs;
	if (statvfs(look->config->data_dir, &fs) < 0) {
		say(look, false, "disk", "%.400s cannot be looked at; run vw-controller init",
		    look->config->data_dir);
		return;
	}
	uint64_t left = (uint64_t)fs.f_bavail * fs.f_frsize;
	say(look, left > LOW_BYTES, "disk", "%llu MiB free in %.400s", (unsigned long long)(left >> 20),
	    look->config->data_dir);
}

static void look_at_files(struct look *look)
{
	struct rlimit limit;
	rlim_t wanted = (rlim_t)look->config->maximum_sessions + FILES_OWN;
	getrlimit(RLIMIT_NOFILE, &limit);
	say(look, limit.rlim_max >= wanted, "descriptors",
	    "%llu may be open, %llu are wanted for sessions.maximum: raise the limit (ulimit -n, LimitNOFILE=) or "
	    "lower that",
	    (unsigned long long)limit.rlim_max, (unsigned long long)wanted);
}

int run_doctor(struct vw_cli_invocation *in)
{
	struct vw_controller_config *config;
	int code = config_open(in, &config);
	if (code != VW_CLI_EXIT_OK)
		return code;
	bool as_json = strcmp(vw_cli_value(in, "format"), "json") == 0;
	struct look look = {.config = config, .checks = as_json ? json_array() : NULL};
	say(&look, true, "config", "%s", config->path ? config->path : "no file; defaults and environment");
	look_at_disk(&look);
	look_at_authority(&look);
	look_at_store(&look);
	look_at_files(&look);
	if (look.checks) {
		json_dumpf(look.checks, stdout, JSON_INDENT(2));
		putchar('\n');
		json_decref(look.checks);
	}
	vw_controller_config_close(config);
	return look.failed ? VW_CLI_EXIT_FAILED : VW_CLI_EXIT_OK;
}
