/* identity.c: the identity's files: read, changed, forgotten. */
#include "identity_files.h"

#include "base/file.h"
#include "base/limits.h"
#include "proto/message.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A key and its certificates. */
struct pair {
	struct vw_arena *arena; /* its own: pairs come and go while we run */
	struct vw_key *key;     /* NULL: there is none */
	struct vw_bytes *certificates;
	size_t count;
	struct vw_certificate_facts facts;
};

struct vw_identity {
	char *folder;
	struct vw_arena *arena; /* of all that is read once */
	vw_held_identity *held;
	struct vw_key *enrollment;
	struct vw_sealing_key *sealing;
	struct vw_bytes *authorities;
	size_t authority_count;
	struct pair current, pending;
	bool pending_distrusted;
};

char *vw_identity_path(struct vw_arena *arena, const char *state_dir, const char *name)
{
	return vw_arena_printf(arena, "%s/" VW_IDENTITY_FOLDER "%s%s", state_dir, name[0] ? "/" : "", name);
}

char *vw_identity_new_path(struct vw_arena *arena, const char *state_dir, const char *name)
{
	return vw_arena_printf(arena, "%s/" VW_IDENTITY_NEW_FOLDER "%s%s", state_dir, name[0] ? "/" : "", name);
}

static int no_memory(struct vw_error *err)
{
	return vw_error_set(err, VW_ENOMEM, "no memory for the identity");
}

static char *path_in(struct vw_arena *arena, const struct vw_identity *identity, const char *name)
{
	return vw_arena_printf(arena, "%s/%s", identity->folder, name);
}

/* ---- reading ---- */

int vw_identity_read_held(struct vw_arena *arena, const char *path, vw_held_identity **out, struct vw_error *err)
{
	struct vw_buffer bytes;
	vw_buffer_init(&bytes, VW_MAX_FLEET_HELLO);
	int code = vw_file_read(path, VW_MAX_FLEET_HELLO, &bytes, err);
	if (code == 0)
		code = vw_message_unpack(arena, &verifywise__v1__held_identity__descriptor,
					 (const uint8_t *)vw_buffer_text(&bytes), bytes.len, path, (void **)out, err);
	vw_buffer_reset(&bytes);
	if (code < 0)
		return code;
	const vw_issued *issued = (*out)->issued;
	if (!issued || !issued->organization || !issued->agent_id || !vw_agent_id_valid(issued->agent_id) ||
	    !issued->trust_domain || !vw_trust_domain_valid(issued->trust_domain) || !issued->session_endpoint ||
	    !(*out)->url)
		return vw_error_set(err, VW_ECORRUPT, "%s lacks what an identity needs", path);
	return 0;
}

static void drop_pair(struct pair *pair)
{
	vw_key_close(pair->key);
	vw_arena_close(pair->arena);
	memset(pair, 0, sizeof(*pair));
}

static int read_files(const struct vw_identity *identity, const char *name, struct pair *out, struct vw_error *err)
{
	struct vw_bytes public;
	struct vw_arena *arena = out->arena;
	int code = vw_key_read(path_in(arena, identity, vw_arena_printf(arena, "%s.key", name)), &out->key, err);
	if (code == 0)
		code = vw_certificates_read_file(path_in(arena, identity, vw_arena_printf(arena, "%s.pem", name)),
						 arena, &out->certificates, &out->count, err);
	if (code == 0)
		code = vw_certificate_read(out->certificates[0], arena, &out->facts, err);
	if (code == 0)
		code = vw_key_public(out->key, arena, &public, err);
	if (code == 0 && (public.len != out->facts.public_key.len ||
			  memcmp(public.data, out->facts.public_key.data, public.len) != 0 ||
			  strcmp(out->facts.id.agent_id, identity->held->issued->agent_id) != 0))
		code = vw_error_set(err, VW_EINVAL, "%s/%s.key and %s.pem do not belong together, or to this agent",
				    identity->folder, name, name);
	return code;
}

/* A pair that is not there, half there because its writing was cut off, or damaged is none: the enrolment key gets another. */
static int read_pair(const struct vw_identity *identity, const char *name, struct pair *out, struct vw_error *err)
{
	drop_pair(out);
	out->arena = vw_arena_open(0);
	if (!out->arena)
		return no_memory(err);
	int code = read_files(identity, name, out, err);
	if (code < 0)
		drop_pair(out);
	return code == VW_ENOTFOUND || code == VW_EINVAL || code == VW_ELIMIT ? 0 : code;
}

/* The same for what there is only once. */
static int not_whole(struct vw_error *err, int code)
{
	if (code != VW_ENOTFOUND && code != VW_EINVAL && code != VW_ELIMIT && code != VW_ECORRUPT)
		return code;
	if (err)
		err->code = VW_ECORRUPT;
	return vw_error_context(err, VW_ECORRUPT,
				"the identity is not whole; restore it, or run vw-agent unenroll and then enroll "
				"--new-agent");
}

static int read_all(struct vw_identity *identity, struct vw_error *err)
{
	struct vw_arena *arena = identity->arena;
	int code = vw_identity_read_held(arena, path_in(arena, identity, "controller.pb"), &identity->held, err);
	if (code == 0)
		code = vw_key_read(path_in(arena, identity, "enrollment.key"), &identity->enrollment, err);
	if (code == 0)
		code = vw_sealing_key_read(path_in(arena, identity, "sealing.key"), &identity->sealing, err);
	if (code == 0)
		code = vw_certificates_read_file(path_in(arena, identity, "authorities.pem"), arena,
						 &identity->authorities, &identity->authority_count, err);
	if (code < 0)
		return not_whole(err, code);
	code = read_pair(identity, "pending", &identity->pending, err);
	return code < 0 ? code : read_pair(identity, "current", &identity->current, err);
}

/* The one that is here is not in force any more, or not yet again. */
static int check_none_is_new(struct vw_arena *arena, const char *state_dir, struct vw_error *err)
{
	const char *staged = vw_identity_new_path(arena, state_dir, "controller.pb");
	if (!staged)
		return no_memory(err);
	if (access(staged, F_OK) != 0)
		return 0;
	return vw_error_set(err, VW_ECORRUPT,
			    "%s: an enrolment as a new agent was cut off; run the same vw-agent enroll again, which "
			    "completes it",
			    state_dir);
}

int vw_identity_open(const char *state_dir, struct vw_identity **out, struct vw_error *err)
{
	struct vw_identity *identity = calloc(1, sizeof(*identity));
	if (!identity)
		return no_memory(err);
	identity->arena = vw_arena_open(0);
	if (identity->arena)
		identity->folder = vw_identity_path(identity->arena, state_dir, "");
	int code = identity->folder ? 0 : no_memory(err);
	if (code == 0)
		code = check_none_is_new(identity->arena, state_dir, err);
	if (code == 0 && access(path_in(identity->arena, identity, "controller.pb"), F_OK) != 0)
		code = vw_error_set(err, VW_ENOTFOUND, "%s is not enrolled with a controller", state_dir);
	if (code == 0)
		code = read_all(identity, err);
	if (code < 0) {
		vw_identity_close(identity);
		return code;
	}
	*out = identity;
	return 0;
}

void vw_identity_close(struct vw_identity *identity)
{
	if (!identity)
		return;
	drop_pair(&identity->current);
	drop_pair(&identity->pending);
	vw_key_close(identity->enrollment);
	vw_sealing_key_close(identity->sealing);
	vw_arena_close(identity->arena);
	free(identity);
}

/* ---- what others ask ---- */

const vw_issued *vw_identity_issued(const struct vw_identity *identity)
{
	return identity->held->issued;
}

const struct vw_sealing_key *vw_identity_sealing_key(const struct vw_identity *identity)
{
	return identity->sealing;
}

const struct vw_key *vw_identity_enrollment_key(const struct vw_identity *identity)
{
	return identity->enrollment;
}

const char *vw_identity_url(const struct vw_identity *identity)
{
	return identity->held->url;
}

int vw_identity_authorities_pem(const struct vw_identity *identity, struct vw_arena *arena, char **out,
				struct vw_error *err)
{
	struct vw_buffer pem;
	int code = 0;
	vw_buffer_init(&pem, 0);
	for (size_t i = 0; code == 0 && i < identity->authority_count; i++)
		code = vw_certificate_pem(identity->authorities[i], &pem);
	*out = vw_arena_strdup(arena, vw_buffer_text(&pem));
	vw_buffer_reset(&pem);
	return code < 0 || !*out ? no_memory(err) : 0;
}

static const struct pair *shown(const struct vw_identity *identity)
{
	bool pending = identity->pending.key && (!identity->pending_distrusted || !identity->current.key);
	return pending ? &identity->pending : &identity->current;
}

void vw_identity_pair(const struct vw_identity *identity, struct vw_identity_pair *out)
{
	const struct pair *pair = shown(identity);
	*out = (struct vw_identity_pair){.key = pair->key,
					 .certificates = pair->certificates,
					 .certificate_count = pair->count,
					 .authorities = identity->authorities,
					 .authority_count = identity->authority_count,
					 .not_before = pair->facts.not_before,
					 .not_after = pair->facts.not_after,
					 .pending = pair == &identity->pending};
}

int64_t vw_identity_renew_at(const struct vw_identity *identity)
{
	const struct vw_certificate_facts *facts = &shown(identity)->facts;
	int64_t life = facts->not_after - facts->not_before;
	int64_t tenth = life / 10; /* ±10 % of the life, by the certificate's own hash: not all agents at once */
	int64_t at = (facts->sha256[0] << 8 | facts->sha256[1]) * (2 * tenth) / 65535 - tenth;
	return facts->not_before + life / 2 + at;
}

/* ---- changing ---- */

int vw_identity_write_pair(struct vw_arena *arena, const char *folder, const char *name, const struct vw_key *key,
			   const vw_issued *issued, struct vw_error *err)
{
	struct vw_bytes chain[VW_MAX_CERTIFICATES];
	size_t count = issued->n_certificates;
	if (count == 0 || count > VW_MAX_CERTIFICATES)
		return vw_error_set(err, VW_EINVAL, "the controller sent %zu certificates", count);
	for (size_t i = 0; i < count; i++)
		chain[i] = (struct vw_bytes){issued->certificates[i].data, issued->certificates[i].len};
	char *key_path = vw_arena_printf(arena, "%s/%s.key", folder, name);
	char *pem_path = vw_arena_printf(arena, "%s/%s.pem", folder, name);
	if (!key_path || !pem_path)
		return no_memory(err);
	int code = vw_key_write(key, key_path, err);
	return code < 0 ? code : vw_certificates_write_file(pem_path, chain, count, 0600, err);
}

int vw_identity_take_pending(struct vw_identity *identity, const struct vw_key *key, const vw_issued *issued,
			     struct vw_error *err)
{
	struct vw_arena *arena VW_AUTO(vw_arena_cleanup) = vw_arena_open(0);
	if (!arena)
		return no_memory(err);
	int code = vw_identity_write_pair(arena, identity->folder, "pending", key, issued, err);
	if (code < 0)
		return code;
	identity->pending_distrusted = false;
	return read_pair(identity, "pending", &identity->pending, err);
}

static int move(const char *from, const char *to, struct vw_error *err)
{
	if (rename(from, to) < 0)
		return vw_error_set(err, VW_EIO, "cannot rename %s to %s: %s", from, to, strerror(errno));
	return 0;
}

/* The pending pair stays whole until the current one is: a crash in between leaves at least one of them. */
static int copy_pending(const struct vw_identity *identity, struct vw_arena *arena, struct vw_error *err)
{
	const char *next_key = path_in(arena, identity, "next.key"), *next_pem = path_in(arena, identity, "next.pem");
	const char *key = path_in(arena, identity, "current.key"), *pem = path_in(arena, identity, "current.pem");
	if (vw_arena_failed(arena))
		return no_memory(err);
	int code = vw_key_write(identity->pending.key, next_key, err);
	if (code == 0)
		code = vw_certificates_write_file(next_pem, identity->pending.certificates, identity->pending.count,
						  0600, err);
	if (code == 0)
		code = move(next_key, key, err);
	return code < 0 ? code : move(next_pem, pem, err);
}

int vw_identity_confirm(struct vw_identity *identity, struct vw_error *err)
{
	struct vw_arena *arena VW_AUTO(vw_arena_cleanup) = vw_arena_open(0);
	if (!arena)
		return no_memory(err);
	if (shown(identity) != &identity->pending)
		return 0;
	int code = copy_pending(identity, arena, err);
	if (code == 0)
		code = read_pair(identity, "current", &identity->current, err);
	if (code < 0)
		return code;
	unlink(path_in(arena, identity, "pending.key"));
	unlink(path_in(arena, identity, "pending.pem"));
	return read_pair(identity, "pending", &identity->pending, err);
}

void vw_identity_distrust_pending(struct vw_identity *identity)
{
	identity->pending_distrusted = true;
}

/* ---- forgetting ---- */

static int cannot_delete(const char *what, struct vw_error *err)
{
	return vw_error_set(err, VW_EIO, "cannot delete %s: %s", what, strerror(errno));
}

/* All files but one: keys too that a write which was cut off has left. */
static int empty_folder(const char *folder, const char *but, struct vw_error *err)
{
	struct dirent *entry;
	int code = 0;
	DIR *dir = opendir(folder);
	if (!dir)
		return errno == ENOENT ? 0 : cannot_delete(folder, err);
	while (code == 0 && (entry = readdir(dir))) {
		bool kept = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
			    (but && strcmp(entry->d_name, but) == 0);
		if (!kept && unlinkat(dirfd(dir), entry->d_name, 0) < 0 && errno != ENOENT)
			code = cannot_delete(folder, err);
	}
	closedir(dir);
	return code;
}

/* controller.pb goes last: until then all of it can be done again. */
static int delete_files(struct vw_arena *arena, const char *state_dir, struct vw_error *err)
{
	const char *folder = vw_identity_path(arena, state_dir, "");
	const char *new_folder = vw_identity_new_path(arena, state_dir, "");
	const char *held = vw_identity_path(arena, state_dir, "controller.pb");
	if (!folder || !new_folder || !held)
		return no_memory(err);
	int code = empty_folder(folder, "controller.pb", err);
	if (code == 0)
		code = empty_folder(new_folder, NULL, err);
	if (code == 0 && rmdir(new_folder) < 0 && errno != ENOENT)
		code = cannot_delete(new_folder, err);
	if (code == 0 && unlink(held) < 0 && errno != ENOENT)
		code = cannot_delete(held, err);
	return code;
}

int vw_identity_forget(struct vw_store *store, const char *state_dir, struct vw_error *err)
{
	struct vw_arena *arena VW_AUTO(vw_arena_cleanup) = vw_arena_open(0);
	if (!arena)
		return no_memory(err);
	const char *held = vw_identity_path(arena, state_dir, "controller.pb");
	const char *staged = vw_identity_new_path(arena, state_dir, "controller.pb");
	if (!held || !staged)
		return no_memory(err);
	if (access(held, F_OK) != 0 && access(staged, F_OK) != 0)
		return vw_error_set(err, VW_ENOTFOUND, "%s is not enrolled with a controller", state_dir);
	int code = vw_identity_note(store, VW_AUDIT_UNENROLLED, vw_store_identity(store)->organization,
				    "the identity's keys and certificates were deleted by vw-agent unenroll", err);
	return code < 0 ? code : delete_files(arena, state_dir, err);
}
