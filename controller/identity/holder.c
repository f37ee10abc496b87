#include "holder.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PATH_SIZE 4352 /* a folder of PATH_MAX and a name of ours */

/* The folder's length was looked at when the authority was opened. */
static const char *path_of(const char *folder, const char *name, const char *kind, char out[PATH_SIZE])
{
	snprintf(out, PATH_SIZE, "%s/%s.%s", folder, name, kind);
	return out;
}

static int fill(const char *key_path, const char *pem_path, struct holder *h, struct vw_error *err)
{
	struct vw_bytes *chain, public;
	int code = vw_certificates_read_file(pem_path, h->arena, &chain, &h->count, err);
	if (code < 0)
		return code;
	memcpy(h->chain, chain, h->count * sizeof(*chain));
	code = vw_certificate_read(chain[0], h->arena, &h->facts, err);
	if (code < 0)
		return vw_error_context(err, code, "%s", pem_path);
	code = vw_key_read(key_path, &h->key, err);
	if (code == 0)
		code = vw_key_public(h->key, h->arena, &public, err);
	if (code < 0)
		return code;
	if (public.len != h->facts.public_key.len || memcmp(public.data, h->facts.public_key.data, public.len) != 0)
		return vw_error_set(err, VW_EINVAL, "%s is not the key of the first certificate in %s", key_path,
				    pem_path);
	return 0;
}

int holder_read_files(const char *key_path, const char *pem_path, struct holder *out, struct vw_error *err)
{
	struct holder next = {.arena = vw_arena_open(0)};
	int code = next.arena ? fill(key_path, pem_path, &next, err)
			      : vw_error_set(err, VW_ENOMEM, "no memory for a certificate");
	if (code < 0) {
		holder_close(&next);
		return code;
	}
	holder_close(out);
	*out = next;
	return 0;
}

int holder_read(const char *folder, const char *name, struct holder *out, struct vw_error *err)
{
	char key[PATH_SIZE], pem[PATH_SIZE];
	return holder_read_files(path_of(folder, name, "key", key), path_of(folder, name, "pem", pem), out, err);
}

void holder_close(struct holder *holder)
{
	vw_key_close(holder->key);
	vw_arena_close(holder->arena);
	memset(holder, 0, sizeof(*holder));
}

void holder_append(struct holder *holder, const struct vw_bytes *above, size_t count)
{
	for (size_t i = 0; i < count && holder->count < VW_MAX_CERTIFICATES; i++)
		holder->chain[holder->count++] = above[i];
}

bool holder_has(const char *folder, const char *name, const char *kind)
{
	char path[PATH_SIZE];
	return access(path_of(folder, name, kind, path), F_OK) == 0;
}

int holder_write_key(const char *folder, const char *name, const struct vw_key *key, struct vw_error *err)
{
	char path[PATH_SIZE];
	return vw_key_write(key, path_of(folder, name, "key", path), err);
}

int holder_write_chain(const char *folder, const char *name, const struct vw_bytes *chain, size_t count,
		       struct vw_error *err)
{
	char path[PATH_SIZE];
	return vw_certificates_write_file(path_of(folder, name, "pem", path), chain, count, 0644, err);
}
