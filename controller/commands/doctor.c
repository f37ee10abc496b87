/* doctor.c: what an operator would look at by hand when something is wrong. */
#include "client.h"

#include "base/clock.h"
#include "identity/authority.h"

#include <stdio.h>
#include <sys/resource.h>
#include <sys/statvfs.h>

#define SOON_MS    ((int64_t)30 * 24 * 3600 * 1000)
#define LOW_BYTES  ((uint64_t)1 << 30)
#define FILES_EACH 2 /* descriptors of one stream, and some */

struct look {
	const struct vw_controller_config *config;
	int failed;
};

static void say(struct look *look, bool ok, const char *what, const char *text)
{
	printf("%-5s %-12s %s\n", ok ? "ok" : "FAIL", what, text);
	look->failed += !ok;
}

static void look_at_authority(struct look *look)
{
	char folder[4096], text[512], at[VW_TIME_TEXT];
	size_t count;
	struct vw_error err = VW_ERROR_INIT;
	struct vw_authority *authority;
	struct vw_certificate_facts facts;
	struct vw_arena *arena VW_AUTO(vw_arena_cleanup) = vw_arena_open(0);
	struct vw_authority_settings settings = {.folder = folder,
						 .trust_domain = look->config->trust_domain,
						 .hosts = look->config->hosts,
						 .agent_life_ms = look->config->agent_life_ms,
						 .server_life_ms = look->config->server_life_ms};
	snprintf(folder, sizeof(folder), "%s/authority", look->config->data_dir);
	if (!arena || vw_authority_open(&settings, &authority, &err) < 0) {
		say(look, false, "authority", err.message);
		return;
	}
	if (vw_certificate_read(vw_authority_chain(authority, &count)[0], arena, &facts, &err) < 0) {
		say(look, false, "authority", err.message);
	} else {
		snprintf(text, sizeof(text), "%s, valid until %s", look->config->trust_domain,
			 vw_clock_format(facts.not_after, at));
		say(look, facts.not_after - vw_clock_now() > SOON_MS, "authority", text);
	}
	vw_authority_close(authority);
}

/* Through the server when one runs, for the embedded store is its alone then. */
static void look_at_store(struct look *look)
{
	char text[256];
	struct vw_error err = VW_ERROR_INIT;
	struct client *client VW_AUTO(client_cleanup) = NULL;
	json_t *data = NULL;
	int code = client_open(look->config, &client, &err);
	if (code == 0)
		code = client_call(client, "GET", "/api/v1/overview", NULL, &data, &err);
	if (code < 0) {
		say(look, false, "store", err.message);
		return;
	}
	snprintf(text, sizeof(text), "%lld agents, %lld connected, %lld versions, %lld ledger entries",
		 (long long)json_integer_value(json_object_get(data, "agents")),
		 (long long)json_integer_value(json_object_get(data, "agents_connected")),
		 (long long)json_integer_value(json_object_get(data, "versions")),
		 (long long)json_integer_value(json_object_get(data, "entries")));
	say(look, true, "store", text);
	json_decref(data);
}

static void look_at_disk(struct look *look)
{
	char text[512];
	struct statvfs fs;
	if (statvfs(look->config->data_dir, &fs) < 0) {
		snprintf(text, sizeof(text), "%.400s cannot be looked at; run vw-controller init",
			 look->config->data_dir);
		say(look, false, "disk", text);
		return;
	}
	uint64_t left = (uint64_t)fs.f_bavail * fs.f_frsize;
	snprintf(text, sizeof(text), "%llu MiB free in %.400s", (unsigned long long)(left >> 20),
		 look->config->data_dir);
	say(look, left > LOW_BYTES, "disk", text);
}

static void look_at_files(struct look *look)
{
	char text[256];
	struct rlimit limit;
	getrlimit(RLIMIT_NOFILE, &limit);
	rlim_t wanted = (rlim_t)look->config->maximum_sessions * FILES_EACH;
	snprintf(text, sizeof(text), "%llu descriptors may be open, %llu are wanted for sessions.maximum",
		 (unsigned long long)limit.rlim_max, (unsigned long long)wanted);
	say(look, limit.rlim_max >= wanted, "descriptors", text);
}

int run_doctor(struct vw_cli_invocation *in)
{
	struct vw_controller_config *config;
	int code = config_open(in, &config);
	if (code != VW_CLI_EXIT_OK)
		return code;
	struct look look = {.config = config};
	say(&look, true, "config", config->path ? config->path : "no file; defaults and environment");
	look_at_disk(&look);
	look_at_authority(&look);
	look_at_store(&look);
	look_at_files(&look);
	vw_controller_config_close(config);
	return look.failed ? VW_CLI_EXIT_FAILED : VW_CLI_EXIT_OK;
}
