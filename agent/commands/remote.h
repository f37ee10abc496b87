/* remote.h: the daemon's side of the uplink: what the controller wants done is done here, between syncs, in the main thread.
 *
 * The daemon offers its verbs; remote.c knows commands and their results, remote_given.c what the controller gave: <state>/controller/policy.yaml and
 * configuration.yaml, and secrets in the store. What is given is tried first, and kept only when all that is made of it was opened: a crash at any point
 * leaves the old or the new one, and never one that cannot be used. A command that was cut off is done again in the next life; doing one twice is
 * doing it once. */
#ifndef COMMANDS_REMOTE_H
#define COMMANDS_REMOTE_H

#include "command.h"
#include "health.h"
#include "source.h"
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
	/* Opens configuration, policy and credentials anew with `trial`, calls `keep` when all of it is good, and takes it over; on failure, of `keep` too, all
	 * stays as it was. */
	int (*reload)(void *arg, const struct trial *trial, int (*keep)(void *keep_arg, struct vw_error *err),
		      void *keep_arg, struct vw_error *err);
	void (*pause)(void *arg);
	int (*diagnose)(void *arg, struct vw_buffer *out, struct vw_error *err);
};

/* Starts the uplink if this state is enrolled; otherwise *out is NULL and nothing happens. `config` may go afterwards. */
int remote_open(const struct vw_config *config, struct vw_store *store, const struct remote_host *host,
		struct remote **out, struct vw_error *err);
/* The uplink begins anew with other settings. When it cannot be started, which is logged, remote_work() tries again. */
void remote_restart(struct remote *remote,
		    const struct vw_config *config); /* NULL is fine; so for all that follows */
void remote_close(struct remote *remote);

/* Readable when something is to be done; -1: never. */
int remote_fd(const struct remote *remote);
/* Does what waits. */
void remote_work(struct remote *remote);
/* The ledger may have grown; and a sign of progress while a command's sync runs. */
void remote_wake(struct remote *remote);
void remote_progress(struct remote *remote, const struct vw_progress *progress);
/* The daemon's facts as health; `credential` is its label. */
void remote_health(struct remote *remote, const vw_health *health);
void remote_tell(struct remote *remote, const struct health_facts *facts, const char *credential);
/* Whether a command paused the agent, in an earlier life too. */
bool remote_paused(const struct remote *remote);
/* From any thread. False when there is no controller; an uplink that could not be started is IDLE, with the error. */
bool remote_status(struct remote *remote, struct vw_uplink_status *out);

/* Opens what the controller handed over, or what `trial` (may be NULL) has in its place, and gives it to the credentials. 0 also when there is
 * nothing, and when what is held was sealed to another key: then it is left out, with a warning. */
int remote_give_secrets(const struct vw_config *config, struct vw_store *store, const struct trial *trial,
			struct vw_credentials *credentials, struct vw_error *err);
/* For one who joins or leaves a controller: what the last one gave, and its pause, are no more. With `other` the agent is another one now: receipts and
 * join sequence are not its own. */
int remote_forget(struct vw_store *store, const char *state_dir, bool other, struct vw_error *err);

#endif
