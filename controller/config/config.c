#include "controller_config/config.h"

#include "base/digest.h"
#include "base/file.h"
#include "base/text.h"
#include "fleet/spiffe.h"
#include "settings/listen.h"
#include "settings/settings.h"

#include <arpa/inet.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define AT(field)      .offset = offsetof(struct vw_controller_config, field)
#define HOURS(n)       ((n)*3600000.0)
#define DAYS(n)        ((n)*86400000.0)
#define FOLDER_MAX_LEN 4000 /* bytes: what is in it has names too */
#define HOST_MAX_LEN   253  /* bytes (RFC 1035) */
#define FIELD(name)    offsetof(struct vw_controller_config, name)

static const struct vw_setting rows[] = {
    {.key = "data_dir", .env = {"VW_CONTROLLER_DATA"}, .type = VW_SETTING_TEXT, AT(data_dir)},
    {.key = "trust_domain", .fallback = "verifywise.local", .type = VW_SETTING_TEXT, AT(trust_domain)},
    {.key = "hosts", .type = VW_SETTING_LIST, AT(hosts)},
    {.key = "replica", .env = {"VW_CONTROLLER_REPLICA"}, .type = VW_SETTING_TEXT, AT(replica)},
    {.section = "store",
     .key = "url",
     .env = {"VW_CONTROLLER_STORE_URL"},
     .type = VW_SETTING_TEXT,
     AT(store_url),
     .flags = VW_SETTING_USERINFO | VW_SETTING_WIPED},
    {.section = "store",
     .key = "connections",
     .fallback = "8",
     .type = VW_SETTING_INT,
     AT(store_connections),
     .min = 1,
     .max = 500},
    {.section = "store", .key = "verifywise", .fallback = "false", .type = VW_SETTING_BOOL, AT(verifywise)},
    {.section = "store", .key = "app_role", .type = VW_SETTING_TEXT, AT(app_role)},
    {.section = "sessions",
     .key = "listen",
     .env = {"VW_CONTROLLER_SESSIONS_LISTEN"},
     .fallback = "127.0.0.1:8444",
     .type = VW_SETTING_LISTEN,
     AT(sessions_listen),
     .flags = VW_SETTING_ANYWHERE},
    {.section = "sessions", .key = "endpoint", .type = VW_SETTING_TEXT, AT(sessions_endpoint)},
    {.section = "sessions",
     .key = "heartbeat",
     .fallback = "30s",
     .type = VW_SETTING_DURATION,
     AT(heartbeat_ms),
     .min = 1000,
     .max = HOURS(1)},
    {.section = "sessions",
     .key = "max_age",
     .fallback = "1h",
     .type = VW_SETTING_DURATION,
     AT(max_age_ms),
     .min = 1000,
     .max = DAYS(7)},
    {.section = "sessions",
     .key = "clock_skew",
     .fallback = "5m",
     .type = VW_SETTING_DURATION,
     AT(clock_skew_ms),
     .min = 1000,
     .max = DAYS(1)},
    {.section = "sessions", .key = "minimum_agent", .type = VW_SETTING_TEXT, AT(minimum_agent)},
    {.section = "sessions",
     .key = "workers",
     .fallback = "8",
     .type = VW_SETTING_INT,
     AT(workers),
     .min = 1,
     .max = 64},
    {.section = "sessions",
     .key = "maximum",
     .fallback = "20000",
     .type = VW_SETTING_INT,
     AT(maximum_sessions),
     .min = 1,
     .max = 20000},
    {.section = "https",
     .key = "listen",
     .env = {"VW_CONTROLLER_HTTPS_LISTEN"},
     .fallback = "127.0.0.1:8443",
     .type = VW_SETTING_LISTEN,
     AT(https_listen),
     .flags = VW_SETTING_ANYWHERE},
    {.section = "https",
     .key = "connections",
     .fallback = "1000",
     .type = VW_SETTING_INT,
     AT(https_connections),
     .min = 1,
     .max = 10000},
    {.section = "http",
     .key = "listen",
     .env = {"VW_CONTROLLER_HTTP_LISTEN"},
     .fallback = "off",
     .type = VW_SETTING_LISTEN,
     AT(http_listen)},
    {.section = "rest",
     .key = "requests_per_second",
     .fallback = "50",
     .type = VW_SETTING_NUMBER,
     AT(requests_per_second),
     .min = 0.1,
     .max = 100000},
    {.section = "rest",
     .key = "burst",
     .fallback = "100",
     .type = VW_SETTING_INT,
     AT(burst),
     .min = 1,
     .max = 100000},
    {.section = "rest", .key = "jwt_secret_file", .type = VW_SETTING_TEXT, AT(jwt_secret_file)},
    {.section = "certificates",
     .key = "agent_life",
     .fallback = "1d",
     .type = VW_SETTING_DURATION,
     AT(agent_life_ms),
     .min = 10000,
     .max = DAYS(400)},
    {.section = "certificates",
     .key = "server_life",
     .fallback = "90d",
     .type = VW_SETTING_DURATION,
     AT(server_life_ms),
     .min = 60000,
     .max = DAYS(825)},
    {.section = "log",
     .key = "level",
     .fallback = "info",
     .type = VW_SETTING_CHOICE,
     AT(log_level),
     .choices = vw_setting_log_levels,
     .flags = VW_SETTING_LIVE},
    {.section = "log",
     .key = "format",
     .fallback = "text",
     .type = VW_SETTING_CHOICE,
     AT(log_format),
     .choices = vw_setting_log_formats,
     .flags = VW_SETTING_LIVE},
};
static const struct vw_settings_table table = {rows, sizeof(rows) / sizeof(rows[0]), "VW_CONTROLLER_CONFIG",
					       "verifywise/controller.yaml"};

static int no_memory(struct vw_error *err)
{
	return vw_error_set(err, VW_ENOMEM, "no memory for a configuration");
}

static int set_default(struct vw_controller_config *c, size_t offset, const char *value, struct vw_error *err)
{
	return value ? vw_settings_set(c->settings, offset, value, "default", err) : no_memory(err);
}

static const char *own_name(struct vw_arena *arena)
{
	char name[256] = "";
	if (gethostname(name, sizeof(name) - 1) < 0 || !name[0])
		return "localhost";
	return vw_arena_strdup(arena, name);
}

static int find_folder(struct vw_controller_config *c, const char *data_dir, struct vw_error *err)
{
	struct vw_arena *arena = vw_settings_arena(c->settings);
	if (data_dir)
		return vw_settings_set(c->settings, FIELD(data_dir), data_dir, "--data", err);
	if (c->data_dir)
		return 0;
	const char *home = vw_dir_state_home(arena);
	if (!home)
		return vw_error_set(err, VW_ECONFIG,
				    "there is no HOME; say where to keep data: --data FOLDER or data_dir");
	return set_default(c, FIELD(data_dir), vw_arena_printf(arena, "%s/verifywise-controller", home), err);
}

/* What a certificate must be good for when nobody said so: this host, from itself. */
static int find_hosts(struct vw_controller_config *c, struct vw_error *err)
{
	struct vw_arena *arena = vw_settings_arena(c->settings);
	const char **hosts = vw_arena_array(arena, 5, sizeof(*hosts));
	if (!hosts)
		return no_memory(err);
	hosts[0] = "localhost";
	hosts[1] = "127.0.0.1";
	hosts[2] = "::1";
	hosts[3] = own_name(arena);
	c->hosts = hosts;
	return 0;
}

static bool is_anywhere(const char *listen)
{
	struct vw_listen_address at;
	return vw_listen_parse(listen, &at) &&
	       (at.at.any.sa_family == AF_INET6 ? IN6_IS_ADDR_UNSPECIFIED(&at.at.v6.sin6_addr)
						: at.at.v4.sin_addr.s_addr == htonl(INADDR_ANY));
}

/* Where agents are told to come: to the name that the operator gave; to the one address that is listened at; to this host. */
static int find_endpoint(struct vw_controller_config *c, bool named, struct vw_error *err)
{
	struct vw_arena *arena = vw_settings_arena(c->settings);
	const char *port = strrchr(c->sessions_listen, ':');
	const char *host = named ? c->hosts[0] : own_name(arena);
	if (!named && !is_anywhere(c->sessions_listen))
		return set_default(c, FIELD(sessions_endpoint), c->sessions_listen, err);
	return set_default(c, FIELD(sessions_endpoint),
			   strchr(host, ':') ? vw_arena_printf(arena, "[%s]%s", host, port)
					     : vw_arena_printf(arena, "%s%s", host, port),
			   err);
}

/* Two processes on one host with different folders are two replicas. */
static int find_replica(struct vw_controller_config *c, struct vw_error *err)
{
	uint8_t digest[32];
	char hex[65];
	struct vw_arena *arena = vw_settings_arena(c->settings);
	if (c->replica)
		return 0;
	vw_sha256_of(c->data_dir, strlen(c->data_dir), digest);
	vw_hex_encode(digest, 4, hex);
	return set_default(c, FIELD(replica), vw_arena_printf(arena, "%s-%s", own_name(arena), hex), err);
}

/* ---- what only we can check ---- */

static bool is_host(const char *text)
{
	unsigned char address[16];
	size_t len = strlen(text);
	if (inet_pton(AF_INET, text, address) == 1 || inet_pton(AF_INET6, text, address) == 1)
		return true;
	for (size_t i = 0; i < len; i++)
		if (text[i] <= ' ' || text[i] > '~' || strchr(":/@[]?#", text[i]))
			return false;
	return len > 0 && len <= HOST_MAX_LEN;
}

static bool is_endpoint(const char *text)
{
	int64_t port;
	const char *colon = strrchr(text, ':');
	char host[HOST_MAX_LEN + 1];
	if (!colon || !vw_text_int64(colon + 1, &port) || port < 1 || port > 65535)
		return false;
	size_t len = (size_t)(colon - text);
	bool bracketed = len > 2 && text[0] == '[' && text[len - 1] == ']';
	len -= bracketed ? 2 : 0;
	if (len >= sizeof(host))
		return false;
	memcpy(host, text + bracketed, len);
	host[len] = 0;
	return is_host(host) && bracketed == (strchr(host, ':') != NULL);
}

/* "1.2", "0.1.0" */
static bool is_version(const char *text)
{
	int dots = 0;
	for (const char *at = text; *at; at++) {
		bool dot = *at == '.';
		if ((!dot && (*at < '0' || *at > '9')) || (dot && (at == text || at[-1] == '.' || !at[1])))
			return false;
		dots += dot;
	}
	return text[0] && dots <= 2;
}

static int check(const struct vw_controller_config *c, struct vw_error *err)
{
	if (strlen(c->data_dir) > FOLDER_MAX_LEN)
		return vw_error_set(err, VW_ECONFIG, "data_dir (%s) is longer than %d bytes",
				    vw_settings_origin(c->settings, FIELD(data_dir)), FOLDER_MAX_LEN);
	for (const char *const *host = c->hosts; *host; host++)
		if (!is_host(*host))
			return vw_settings_refuse(c->settings, FIELD(hosts),
						  "names and addresses of this controller, without ports", err);
	if (!vw_trust_domain_valid(c->trust_domain))
		return vw_settings_refuse(c->settings, FIELD(trust_domain),
					  "a name of lower-case letters, digits, '.', '-' and '_'", err);
	if (!is_endpoint(c->sessions_endpoint))
		return vw_settings_refuse(c->settings, FIELD(sessions_endpoint), "HOST:PORT", err);
	if (c->minimum_agent && !is_version(c->minimum_agent))
		return vw_settings_refuse(c->settings, FIELD(minimum_agent), "a version such as 0.1.0", err);
	return 0;
}

static int find_defaults(struct vw_controller_config *c, const char *data_dir, struct vw_error *err)
{
	bool named = c->hosts[0] != NULL;
	int code = find_folder(c, data_dir, err);
	if (code == 0 && !c->store_url)
		code =
		    set_default(c, FIELD(store_url),
				vw_arena_printf(vw_settings_arena(c->settings), "lmdb:%s/store", c->data_dir), err);
	if (code == 0 && !named)
		code = find_hosts(c, err);
	if (code == 0 && !c->sessions_listen)
		code = vw_settings_refuse(c->settings, FIELD(sessions_listen),
					  "an address and port, for agents to connect to", err);
	if (code == 0 && !c->https_listen)
		code = vw_settings_refuse(c->settings, FIELD(https_listen),
					  "an address and port, for agents to enroll at", err);
	if (code == 0 && !c->sessions_endpoint)
		code = find_endpoint(c, named, err);
	if (code == 0)
		code = find_replica(c, err);
	return code < 0 ? code : check(c, err);
}

int vw_controller_config_load(const char *path, const char *data_dir, struct vw_controller_config **out,
			      struct vw_error *err)
{
	struct vw_controller_config *c = calloc(1, sizeof(*c));
	if (!c)
		return no_memory(err);
	int code = vw_settings_open(&table, path, c, &c->settings, err);
	if (code == 0)
		code = find_defaults(c, data_dir, err);
	if (code < 0) {
		vw_controller_config_close(c);
		return code;
	}
	c->path = vw_settings_path(c->settings);
	vw_settings_hash(c->settings, c->sha256);
	*out = c;
	return 0;
}

void vw_controller_config_close(struct vw_controller_config *config)
{
	if (!config)
		return;
	vw_settings_close(config->settings);
	free(config);
}

void vw_controller_config_show(const struct vw_controller_config *config, struct vw_buffer *out)
{
	vw_settings_show(config->settings, out);
}
