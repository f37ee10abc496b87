/* remote_secrets.c: credentials that an operator handed over, sealed to this agent: taken, and used. */
#include "remote_given.h"

#include "base/clock.h"
#include "base/digest.h"
#include "base/limits.h"
#include "base/log.h"
#include "fleet/seal.h"
#include "proto/message.h"
#include "storage/uplink.h"
#include "uplink/identity.h"

#include <stdio.h>
#include <string.h>

#define FINGERPRINT_BYTES 8

/* "sha256-8:…": keyed, so that a weak secret cannot be guessed from it. */
static char *fingerprint(const vw_agent_identity *identity, const struct vw_secret *secret, struct vw_arena *arena)
{
	uint8_t mac[32];
	char hex[2 * FINGERPRINT_BYTES + 1];
	vw_hmac_sha256(identity->fingerprint_key.data, identity->fingerprint_key.len, vw_secret_text(secret),
		       vw_secret_length(secret), mac);
	char *text = vw_arena_printf(arena, "sha256-8:%s", vw_hex_encode(mac, FINGERPRINT_BYTES, hex));
	vw_wipe(mac, sizeof(mac));
	return text;
}

/* ---- taking ---- */

struct taking {
	struct vw_store *store;
	struct vw_arena *arena;
	vw_held_secret **now;
	size_t count;
};

static const char *const known_names[] = {"mlflow.username", "mlflow.password", "mlflow.token"};

static bool known(const char *name)
{
	for (size_t i = 0; i < sizeof(known_names) / sizeof(known_names[0]); i++)
		if (strcmp(known_names[i], name) == 0)
			return true;
	return false;
}

static const vw_held_secret *named(vw_held_secret *const *list, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(list[i]->secret->name, name) == 0)
			return list[i];
	return NULL;
}

static int note(struct taking *t, struct vw_txn *txn, const char *name, const char *from, const char *to,
		struct vw_error *err)
{
	vw_entry entry = VERIFYWISE__V1__ENTRY__INIT;
	vw_audit audit = VERIFYWISE__V1__AUDIT__INIT;
	uint64_t sequence;
	VW_SET(&entry, recorded_at, vw_clock_now());
	VW_SET(&audit, kind, VW_AUDIT_SECRET_CHANGED);
	audit.subject = (char *)name;
	audit.text = (char *)(to ? "handed over by the controller" : "taken back by the controller");
	audit.from = (char *)from;
	audit.to = (char *)to;
	entry.body_case = VERIFYWISE__V1__ENTRY__BODY_AUDIT;
	entry.audit = &audit;
	return vw_store_append(txn, t->store, t->arena, &entry, NULL, &sequence, err);
}

static int write_secrets(struct vw_txn *txn, void *arg, struct vw_error *err)
{
	struct taking *t = arg;
	vw_held_secret **before;
	size_t count;
	int code = vw_store_secrets(txn, t->arena, &before, &count, err);
	for (size_t i = 0; code == 0 && i < t->count; i++) {
		const vw_held_secret *old = named(before, count, t->now[i]->secret->name);
		if (!old || strcmp(old->fingerprint, t->now[i]->fingerprint) != 0)
			code = note(t, txn, t->now[i]->secret->name, old ? old->fingerprint : NULL,
				    t->now[i]->fingerprint, err);
	}
	for (size_t i = 0; code == 0 && i < count; i++)
		if (!named(t->now, t->count, before[i]->secret->name))
			code = note(t, txn, before[i]->secret->name, before[i]->fingerprint, NULL, err);
	return code < 0 ? code
			: vw_store_put_secrets(txn, t->arena, (const vw_held_secret *const *)t->now, t->count, err);
}

static int keep_secrets(void *arg, struct vw_error *err)
{
	const struct taking *t = arg;
	return vw_kv_write(vw_store_kv(t->store), write_secrets, arg, err);
}

static int hold(struct taking *t, const struct vw_sealing_key *key, vw_sealed_secret *sealed, struct vw_error *err)
{
	struct vw_secret *secret;
	vw_held_secret *held = vw_message_new(t->arena, &verifywise__v1__held_secret__descriptor);
	if (!held)
		return vw_error_set(err, VW_ENOMEM, "no memory for a secret");
	if (!sealed->name || !known(sealed->name))
		return vw_error_set(err, VW_EUNSUPPORTED,
				    "this agent has no use for a secret named %.64s; there are mlflow.username, "
				    "mlflow.password, mlflow.token",
				    sealed->name ? sealed->name : "nothing");
	if (named(t->now, t->count, sealed->name))
		return vw_error_set(err, VW_EINVAL, "%s is there twice", sealed->name);
	int code = vw_seal_open(key, (struct vw_bytes){sealed->sealed.data, sealed->sealed.len}, &secret, err);
	if (code < 0)
		return vw_error_context(err, code, "%s", sealed->name);
	held->secret = sealed;
	held->fingerprint = fingerprint(vw_store_identity(t->store), secret, t->arena);
	VW_SET(held, received_at, vw_clock_now());
	vw_secret_close(secret);
	t->now[t->count++] = held;
	return held->fingerprint ? 0 : vw_error_set(err, VW_ENOMEM, "no memory for a secret");
}

int remote_take_secrets(const struct remote_host *host, struct vw_store *store, const char *state_dir,
			const vw_command *command, struct vw_arena *arena, struct vw_error *err)
{
	struct vw_identity *identity;
	struct taking t = {.store = store, .arena = arena};
	if (command->n_secrets > VW_MAX_SECRETS)
		return vw_error_set(err, VW_ELIMIT, "more than %d secrets (VW_MAX_SECRETS)", VW_MAX_SECRETS);
	t.now = vw_arena_array(arena, command->n_secrets + 1, sizeof(vw_held_secret *));
	if (!t.now)
		return vw_error_set(err, VW_ENOMEM, "no memory for secrets");
	int code = vw_identity_open(state_dir, &identity, err);
	if (code < 0)
		return code;
	for (size_t i = 0; code == 0 && i < command->n_secrets; i++)
		code = hold(&t, vw_identity_sealing_key(identity), command->secrets[i], err);
	vw_identity_close(identity);
	if (code < 0)
		return code;
	struct trial trial = {.has_secrets = true, .secrets = t.now, .secret_count = t.count};
	return host->reload(host->arg, &trial, keep_secrets, &t, err);
}

/* ---- using ---- */

static int open_held(const struct vw_identity *identity, vw_held_secret *const *held, size_t count, const char *name,
		     struct vw_secret **out, struct vw_error *err)
{
	const vw_held_secret *found = named(held, count, name);
	if (!found)
		return 0;
	const ProtobufCBinaryData *sealed = &found->secret->sealed;
	int code =
	    vw_seal_open(vw_identity_sealing_key(identity), (struct vw_bytes){sealed->data, sealed->len}, out, err);
	return code < 0 ? vw_error_context(err, code, "%s from the controller", name) : 0;
}

static int give(const struct vw_identity *identity, vw_held_secret *const *held, size_t count,
		struct vw_credentials *credentials, struct vw_error *err)
{
	struct vw_secret *username = NULL, *password = NULL, *token = NULL;
	int code = open_held(identity, held, count, "mlflow.username", &username, err);
	if (code == 0)
		code = open_held(identity, held, count, "mlflow.password", &password, err);
	if (code == 0)
		code = open_held(identity, held, count, "mlflow.token", &token, err);
	if (code == 0)
		code = vw_credentials_give(credentials, username, password, token, err);
	vw_secret_close(username);
	vw_secret_close(password);
	vw_secret_close(token);
	return code < 0 ? code : 0;
}

/* What counts: what is tried, or what is in the store. */
static int look_up(struct vw_store *store, const struct trial *trial, struct vw_arena *arena,
		   vw_held_secret *const **out, size_t *out_count, struct vw_error *err)
{
	struct vw_txn *txn;
	vw_held_secret **held;
	if (trial && trial->has_secrets) {
		*out = trial->secrets;
		*out_count = trial->secret_count;
		return 0;
	}
	int code = vw_txn_begin_read(vw_store_kv(store), &txn, err);
	if (code < 0)
		return code;
	code = vw_store_secrets(txn, arena, &held, out_count, err);
	vw_txn_end(txn);
	*out = held;
	return code;
}

int remote_give_secrets(const struct vw_config *config, struct vw_store *store, const struct trial *trial,
			struct vw_credentials *credentials, struct vw_error *err)
{
	vw_held_secret *const *held;
	size_t count;
	struct vw_identity *identity;
	struct vw_error why = VW_ERROR_INIT;
	struct vw_arena *arena VW_AUTO(vw_arena_cleanup) = vw_arena_open(0);
	if (!arena)
		return vw_error_set(err, VW_ENOMEM, "no memory for secrets");
	if (!config->controller_secrets || vw_config_refuses(config, "set_secrets"))
		return 0;
	int code = look_up(store, trial, arena, &held, &count, err);
	if (code < 0 || count == 0)
		return code;
	code = vw_identity_open(config->state_dir, &identity, err);
	if (code < 0)
		return code == VW_ENOTFOUND ? 0 : code; /* not enrolled: there is nobody whose secrets they were */
	code = give(identity, held, count, credentials, &why);
	vw_identity_close(identity);
	/* sealed to a key of another enrolment: a sync with what else there is shows more than none */
	if (code == VW_EAUTH && !(trial && trial->has_secrets)) {
		vw_log(VW_LOG_WARN, "secrets_unusable", VW_LOG_S("reason", why.message),
		       VW_LOG_S("effect", "what the controller handed over is left out; hand it over again"));
		return 0;
	}
	return code < 0 ? vw_error_set(err, code, "%s", why.message) : 0;
}
