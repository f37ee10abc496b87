/* config.h: what the operator of a controller decided, from one YAML file and the environment (settings/settings.h).
 *
 * All of it is optional: with nothing at all `init` and `serve` work on this host's loopback with the embedded store. The file is the first of --config,
 * $VW_CONTROLLER_CONFIG, $XDG_CONFIG_HOME/verifywise/controller.yaml, /etc/verifywise/controller.yaml. Secrets are never in it.
 *
 *	data_dir: /var/lib/verifywise-controller
 *	trust_domain: fleet.example.org
 *	hosts: [controller.example.org, 192.0.2.7]     # names of the server certificate
 *	replica: a                                     # this process' name; default: host name and data_dir's hash
 *	store:
 *	  url: postgresql://verifywise_fleet_app@db/verifywise   # default: lmdb:<data_dir>/store
 *	  connections: 8       verifywise: false       app_role: ...
 *	sessions:
 *	  listen: 0.0.0.0:8444 endpoint: controller.example.org:8444
 *	  heartbeat: 30s  max_age: 1h  clock_skew: 5m  minimum_agent: 0.1.0  workers: 8  maximum: 10000
 *	https: {listen: 0.0.0.0:8443, connections: 1000}
 *	http: {listen: off}    # plain; loopback addresses only
 *	rest: {requests_per_second: 50, burst: 100, jwt_secret_file: /run/secrets/verifywise-jwt}
 *	certificates: {agent_life: 24h, server_life: 90d}
 *	log: {level: info, format: text}
 */
#ifndef CONTROLLER_CONFIG_CONFIG_H
#define CONTROLLER_CONFIG_CONFIG_H

#include "base/buffer.h"
#include "base/error.h"
#include "base/log.h"

#include <stdbool.h>
#include <stdint.h>

struct vw_settings;

/* Borrowed from the configuration until it is closed. Lists are NULL-terminated, never NULL. */
struct vw_controller_config {
	const char *data_dir; /* default: $XDG_STATE_HOME/verifywise-controller */
	const char *trust_domain;
	const char *const *hosts; /* never empty: this host's name and the loopback addresses by default */
	const char *replica;
	const char *store_url; /* may hold a password */
	int store_connections;
	bool verifywise;
	const char *app_role;
	const char *sessions_listen;
	const char *
	    sessions_endpoint; /* default: the first of hosts that the operator gave, with the port of sessions.listen; else that address; this host's name where it is
				      all of them */
	int64_t heartbeat_ms, max_age_ms, clock_skew_ms;
	const char *minimum_agent;
	int workers, maximum_sessions;
	const char *https_listen;
	int https_connections;
	const char *http_listen; /* NULL: off */
	double requests_per_second;
	int burst;
	const char *jwt_secret_file;
	int64_t agent_life_ms, server_life_ms;
	enum vw_log_level log_level;
	enum vw_log_format log_format;
	const char *path;   /* of the file that was read; NULL: none */
	uint8_t sha256[32]; /* of all but log: of what takes a restart */
	struct vw_settings *settings;
};

/* `path`: --config, or NULL to look in the usual places (then a missing file is fine). `data_dir`: --data, or NULL. VW_ECONFIG. */
int vw_controller_config_load(const char *path, const char *data_dir, struct vw_controller_config **out,
			      struct vw_error *err);
void vw_controller_config_close(struct vw_controller_config *config); /* NULL is fine */
/* What is in force, as YAML with a comment for each value's origin; secrets are shown as "***". */
void vw_controller_config_show(const struct vw_controller_config *config, struct vw_buffer *out);

#endif
