/* remote.h: the daemon's side of the uplink: what the controller wants done is done here, between syncs, in the main thread.
 *
 * The daemon offers its verbs; remote.c knows commands, their results, and the files that the controller gave: <state>/controller/policy.yaml and
 * configuration.yaml, replaced only once what they say was taken over. */
#ifndef COMMANDS_REMOTE_H
#define COMMANDS_REMOTE_H

#include "command.h"
#include "health.h"
#include "sync/sync.h"
#include "uplink/uplink.h"

struct remote;

/* What a command may ask of the daemon. */
struct remote_host {
	void *arg;
	/* One cycle; `model` NULL: all. The result says how it went; negative: it failed. */
	int (*sync)(void *arg, enum vw_depth depth, const char *model, struct vw_sync_result *out,
		    struct vw_error *err);
	int (*reevaluate)(void *arg, struct vw_sync_result *out, struct vw_error *err);
	/* Reads configuration, policy and credentials again and takes them over; on failure all stays as it was. */
	int (*reload)(void *arg, struct vw_error *err);
	void (*pause)(void *arg, bool paused);
	int (*diagnose)(void *arg, struct vw_buffer *out, struct vw_error *err);
};

/* Starts the uplink if this state is enrolled; otherwise *out is NULL and nothing happens. `config` may go afterwards. */
int remote_open(const struct vw_config *config, struct vw_store *store, const struct remote_host *host,
		struct remote **out, struct vw_error *err);
void remote_close(struct remote *remote); /* NULL is fine; so for all that follows */

/* Readable when something is to be done; -1: never. */
int remote_fd(const struct remote *remote);
/* Does what waits. */
void remote_work(struct remote *remote);
/* The ledger may have grown; and a sign of progress while a command's sync runs. */
void remote_wake(struct remote *remote);
void remote_progress(struct remote *remote, const struct vw_progress *progress);
void remote_health(struct remote *remote, const vw_health *health);
/* The daemon's facts as health; `credential` is its label. */
void remote_tell(struct remote *remote, const struct health_facts *facts, const char *credential, bool paused);
/* Whether a command paused the agent, in an earlier life too. */
bool remote_paused(const struct remote *remote);
/* False when there is no uplink. */
bool remote_status(const struct remote *remote, struct vw_uplink_status *out);

/* Opens what the controller handed over and gives it to the credentials. 0 also when there is nothing. */
int remote_give_secrets(const struct vw_config *config, struct vw_store *store, struct vw_credentials *credentials,
			struct vw_error *err);

#endif
