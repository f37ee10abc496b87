/* held.h: commands in the store: what came, what became of it, and the two audit entries of each.
 *
 * Each function that writes is one transaction. The command's own text is the controller's: it is made safe before it is stored. */
#ifndef UPLINK_HELD_H
#define UPLINK_HELD_H

#include "proto/model.h"
#include "storage/uplink.h"

#define VW_IN_FORCE_PREFIX                                                                                           \
	"applied:" /* in front of "policy", "configuration", "secrets": that what is in force is to be told */
#define VW_DESIRED_PREFIX "desired:" /* in front of the hash: the id of what is desired rather than commanded */

/* What decides about a command at once; borrowed. */
struct vw_held_rules {
	const char *agent_version;
	const char *const *refuses; /* NULL-terminated, may be NULL */
	bool secrets;
	int64_t now; /* the controller's, as far as it is known: its expiries are by its clock */
};

enum vw_held_outcome {
	VW_HELD_NEW,     /* put down as RUNNING: it is to be done */
	VW_HELD_KNOWN,   /* it came before and is not over: its state is to be told again */
	VW_HELD_ANSWERED /* over, now or before: its update is to be told */
};
/* VW_EINVAL: it cannot even be answered, for it has no id or an impossible one. */
int vw_held_take(struct vw_store *store, const struct vw_held_rules *rules, const vw_command *command,
		 enum vw_held_outcome *out, struct vw_error *err);

struct vw_held_end {
	const char *id;
	vw_command_state state; /* DONE, FAILED, REFUSED, EXPIRED */
	const char *text;       /* may be NULL */
	struct vw_bytes result;
};
/* VW_ENOTFOUND: it never came; VW_EINVAL: it is over already, or the state is none to end in. What the controller gave is in force from then on, or failed:
 * UplinkState's hashes and `paused` change in the same transaction. */
int vw_held_finish(struct vw_store *store, const char *agent_version, const struct vw_held_end *end,
		   struct vw_error *err);

bool vw_held_is_over(const vw_held_command *held);
/* "desired:<hash>" */
bool vw_held_is_desired(const char *id);
/* One of the prefixes above. */
bool vw_held_is_reserved(const char *id);
/* Applied.what of a kind: "policy", "configuration", "secrets"; NULL for others. Static storage. */
const char *vw_held_what(vw_command_kind kind);
/* "set_policy"; "unknown" for a kind that is none of ours. */
const char *vw_held_kind_name(const vw_command *command);
bool vw_held_refused(const struct vw_held_rules *rules, const vw_command *command);

#endif
