/* stand.c: the gRPC listener alone, for peers that are not ours (tests/python/test_session_peer.py).
 *
 *	session_stand FOLDER [key=value ...]     heartbeat_ms, max_age_ms, max_sessions, workers, minimum_version, replicas (1, 2), store (a URL; without it, in memory)
 *
 * Makes an authority in FOLDER/authority, prints "port N", and does what it reads, a line for each, with an answer for each:
 * organization N; agent ORG ID SERIAL; pending ORG ID SERIAL; revoke ORG ID; activate ORG ID; disable ORG; enable ORG; command ORG ID COMMAND-ID KIND;
 * state ORG COMMAND-ID; fault CALL CODE COUNT MS; calls CALL; presence ORG ID; agent? ORG ID; counts; lost; reload; end_b (the second replica); stop. */
#include "memory_store.h"

#include "base/buffer.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "proto/message.h"
#include "session/server.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct vw_fleet_store *store;
static const char *url;                      /* of a real store; NULL: the one in memory */
static struct vw_session_server *servers[2]; /* replicas "a" and "b" over one store */
static int server_count = 1;
static pthread_mutex_t servers_lock = PTHREAD_MUTEX_INITIALIZER;
static struct vw_arena *arena;

static void on_change(const struct vw_change *change, void *arg)
{
	(void)arg;
	pthread_mutex_lock(&servers_lock);
	for (int i = 0; i < server_count; i++)
		vw_session_server_change(servers[i], change);
	pthread_mutex_unlock(&servers_lock);
}

static void answer_message(const ProtobufCMessage *message)
{
	struct vw_buffer out;
	struct vw_json_writer w;
	vw_buffer_init(&out, 0);
	vw_json_writer_init(&w, &out, false);
	vw_message_json(&w, message);
	printf("%s\n", vw_buffer_text(&out));
	vw_buffer_reset(&out);
}

static void answer_counts(void)
{
	struct vw_session_counts c;
	vw_session_server_count(servers[0], &c);
	printf("{\"sessions\":%" PRId64 ",\"sessions_opened\":%" PRId64 ",\"rejected\":%" PRId64
	       ",\"batches\":%" PRId64 ",\"entries\":%" PRId64 ",\"duplicates\":%" PRId64 ",\"gaps\":%" PRId64
	       ",\"forks\":%" PRId64 ",\"queued_bytes\":%" PRId64 ",\"stored_batches\":%" PRId64
	       ",\"store_retries\":%" PRId64 ",\"commands_sent\":%" PRId64 ",\"revoked_open\":%" PRId64
	       ",\"stuck_ms\":%" PRId64 "}\n",
	       c.sessions, c.sessions_opened, c.rejected, c.batches, c.entries, c.duplicates, c.gaps, c.forks,
	       c.queued_bytes, c.stored_batches, c.store_retries, c.commands_sent, c.revoked_open, c.stuck_ms);
}

static void create_command(int32_t organization, const char *agent_id, const char *id, int kind, struct vw_error *err)
{
	vw_stored_command stored = VERIFYWISE__V1__STORED_COMMAND__INIT;
	vw_command command = VERIFYWISE__V1__COMMAND__INIT;
	VW_SET(&stored, organization, organization);
	stored.agent_id = (char *)(uintptr_t)agent_id;
	stored.command = &command;
	VW_SET(&stored, state, VW_COMMAND_STATE_QUEUED);
	command.id = (char *)(uintptr_t)id;
	VW_SET(&command, kind, (vw_command_kind)kind);
	VW_SET(&command, issued_at, vw_clock_now());
	VW_SET(&command, expires_at, vw_clock_now() + 3600000);
	vw_fleet_command_create(store, &stored, err);
}

static void ask(const char *word, int32_t organization, const char *id, struct vw_error *err)
{
	vw_agent_presence *presence;
	vw_agent *agent;
	vw_stored_command *command;
	int rc = VW_ENOTFOUND;
	if (strcmp(word, "presence") == 0) {
		rc = vw_fleet_presence_get(store, arena, organization, id, &presence, err);
		if (rc == 0)
			answer_message(&presence->base);
	} else if (strcmp(word, "agent?") == 0) {
		rc = vw_fleet_agent_get(store, arena, organization, id, &agent, err);
		if (rc == 0)
			answer_message(&agent->base);
	} else if (strcmp(word, "state") == 0) {
		rc = vw_fleet_command_get(store, arena, organization, id, &command, err);
		if (rc == 0)
			answer_message(&command->base);
	}
	if (rc < 0)
		printf("null\n");
}

static void stop_second(void)
{
	pthread_mutex_lock(&servers_lock);
	server_count = 1;
	pthread_mutex_unlock(&servers_lock);
	vw_session_server_stop(servers[1]);
}

static void set(const char *word, int32_t organization, const char *id, const char *third, int number,
		struct vw_error *err)
{
	if (strcmp(word, "organization") == 0)
		memory_store_organization(store, organization);
	else if (strcmp(word, "agent") == 0)
		memory_store_agent(store, organization, id, third);
	else if (strcmp(word, "pending") == 0)
		vw_fleet_agent_set_pending_serial(store, organization, id, third, 0, err);
	else if (strcmp(word, "revoke") == 0)
		vw_fleet_agent_set_status(store, organization, id, VW_AGENT_REVOKED, "test", "test", 1, err);
	else if (strcmp(word, "activate") == 0)
		vw_fleet_agent_set_status(store, organization, id, VW_AGENT_ACTIVE, "test", "test", 1, err);
	else if (strcmp(word, "disable") == 0 || strcmp(word, "enable") == 0)
		vw_fleet_organization_disable(store, organization, word[0] == 'd', err);
	else if (strcmp(word, "command") == 0)
		create_command(organization, id, third, number, err);
	else if (strcmp(word, "lost") == 0)
		on_change(&(struct vw_change){.kind = VW_CHANGE_LOST}, NULL);
	else if (strcmp(word, "reload") == 0)
		vw_session_server_reload(servers[0], err);
	else if (strcmp(word, "end_b") == 0)
		stop_second();
	else
		vw_error_set(err, VW_EUSAGE, "no such word: %s", word);
	printf("%s\n", err->message[0] ? err->message : "ok");
}

static void obey(const char *line)
{
	char word[32] = "", id[64] = "", third[64] = "";
	int organization = 0, number = 0, count = 0, ms = 0;
	struct vw_error err = VW_ERROR_INIT;
	vw_arena_reset(arena);
	if (sscanf(line, "fault %31s %d %d %d", word, &number, &count, &ms) == 4) {
		memory_store_fault(store, word, number, count, ms);
		printf("ok\n");
	} else if (sscanf(line, "calls %31s", word) == 1) {
		printf("%" PRId64 "\n", memory_store_calls(store, word));
	} else if (strncmp(line, "counts", 6) == 0) {
		answer_counts();
	} else {
		sscanf(line, "%31s %d %63s %63s %d", word, &organization, id, third, &number);
		if (strcmp(word, "presence") == 0 || strcmp(word, "agent?") == 0 || strcmp(word, "state") == 0)
			ask(word, organization, id, &err);
		else
			set(word, organization, id, third, number, &err);
	}
	fflush(stdout);
}

static void take_option(struct vw_session_settings *settings, const char *option)
{
	const char *value = strchr(option, '=') + 1;
	if (strncmp(option, "heartbeat_ms=", 13) == 0)
		settings->heartbeat_ms = atoll(value);
	else if (strncmp(option, "max_age_ms=", 11) == 0)
		settings->max_age_ms = atoll(value);
	else if (strncmp(option, "max_sessions=", 13) == 0)
		settings->max_sessions = atoi(value);
	else if (strncmp(option, "workers=", 8) == 0)
		settings->workers = atoi(value);
	else if (strncmp(option, "minimum_version=", 16) == 0)
		settings->minimum_version = value;
	else if (strncmp(option, "store=", 6) == 0)
		url = value;
	else if (strncmp(option, "replicas=", 9) == 0)
		server_count = atoi(value) > 1 ? 2 : 1;
}

static int start(const char *folder, struct vw_session_settings *settings, struct vw_authority **authority,
		 struct vw_error *err)
{
	static const char *const hosts[] = {"localhost", "127.0.0.1", NULL};
	char path[4096];
	snprintf(path, sizeof(path), "%s/authority", folder);
	struct vw_authority_settings of_authority = {.folder = path,
						     .trust_domain = "fleet.example",
						     .hosts = hosts,
						     .agent_life_ms = 86400000,
						     .server_life_ms = INT64_C(90) * 86400000};
	int rc = vw_authority_create(&of_authority, NULL, NULL, err);
	if (rc == 0 || rc == VW_EBUSY)
		rc = vw_authority_open(&of_authority, authority, err);
	if (rc < 0)
		return rc;
	settings->store = store;
	settings->authority = *authority;
	for (int i = 0; i < server_count && rc == 0; i++) {
		settings->replica = i == 0 ? "a" : "b";
		rc = vw_session_server_start(settings, &servers[i], err);
	}
	return rc;
}

static int open_store(struct vw_error *err)
{
	/* an embedded one is made where there is none */
	bool is_new = url && strncmp(url, "lmdb:", 5) == 0 && access(url + 5, F_OK) != 0;
	struct vw_fleet_store_settings settings = {.url = url, .create = is_new};
	if (url)
		return vw_fleet_store_open(&settings, &store, err);
	store = memory_store_open();
	return 0;
}

int main(int argc, char **argv)
{
	struct vw_error err = VW_ERROR_INIT;
	struct vw_authority *authority = NULL;
	struct vw_session_settings settings = {.listen = "127.0.0.1:0", .replica = "a"};
	char line[512];
	if (argc < 2)
		return 2;
	for (int i = 2; i < argc; i++)
		take_option(&settings, argv[i]);
	vw_log_setup(VW_LOG_INFO, VW_LOG_TEXT);
	if (open_store(&err) < 0) {
		fprintf(stderr, "%s\n", err.message);
		return 1;
	}
	arena = vw_arena_open(0);
	if (start(argv[1], &settings, &authority, &err) < 0) {
		fprintf(stderr, "%s\n", err.message);
		return 1;
	}
	vw_fleet_watch(store, on_change, NULL);
	printf("port %d", vw_session_server_port(servers[0]));
	printf(server_count > 1 ? " %d\n" : "\n", server_count > 1 ? vw_session_server_port(servers[1]) : 0);
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin) && strncmp(line, "stop", 4) != 0)
		obey(line);
	for (int i = server_count; i-- > 0;)
		vw_session_server_stop(servers[i]);
	vw_authority_close(authority);
	vw_fleet_store_close(store);
	vw_arena_close(arena);
	printf("stopped\n");
	return 0;
}
