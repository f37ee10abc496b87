/* create.c: the authority's folder is made, or what an attempt that was cut off has left is completed. */
#include "ca.h"

#include "base/clock.h"
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define DAY_MS     ((int64_t)24 * 3600 * 1000)
#define CA_LIFE_MS (3650 * DAY_MS)

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

/* Two at a time would mix two authorities. */
static int lock_folder(const char *folder, int *out, struct vw_error *err)
{
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0) {
		*out = fd;
		return 0;
	}
	int number = errno;
	close_fd(&fd);
	return vw_error_set(err, number == EWOULDBLOCK ? VW_EAGAIN : VW_EIO, "%s: %s", folder,
			    number == EWOULDBLOCK ? "another process is making it" : strerror(number));
}

/* The certificate goes first: one without a key has issued nothing, a key without its certificate may have. */
static int write_ca(const struct vw_authority *a, const struct vw_key *key, const struct vw_bytes *chain,
		    size_t count, struct vw_error *err)
{
	int code = holder_write_chain(a->folder, "ca", chain, count, err);
	return code < 0 ? code : holder_write_key(a->folder, "ca", key, err);
}

static int make_ca(const struct vw_authority *a, struct vw_error *err)
{
	char serial[VW_SERIAL_MAX], name[VW_TRUST_DOMAIN_MAX + 32];
	int64_t now = vw_clock_now();
	struct vw_bytes cert, none = {NULL, 0};
	struct vw_key *key VW_AUTO(vw_key_cleanup) = NULL;
	struct vw_arena *arena VW_AUTO(vw_arena_cleanup) = vw_arena_open(0);
	struct vw_certificate_order order = {
	    .use = VW_USE_CA, .common_name = name, .not_before = now - CA_BACKDATE_MS, .not_after = now + CA_LIFE_MS};
	if (!arena)
		return vw_error_set(err, VW_ENOMEM, "no memory for a certificate");
	snprintf(name, sizeof(name), "VerifyWise fleet CA, %s", a->settings.trust_domain);
	int code = vw_key_generate(&key, err);
	if (code == 0)
		code = vw_key_public(key, arena, &order.public_key, err);
	if (code == 0)
		code = vw_certificate_issue(&order, none, key, arena, &cert, serial, err);
	return code < 0 ? code : write_ca(a, key, &cert, 1, err);
}

/* An operator's intermediate, once it was looked at: copied, so that the folder is all that replicas need. */
static int take_ca(const struct vw_authority *a, const struct holder *given, struct vw_error *err)
{
	return write_ca(a, given->key, given->chain, given->count, err);
}

static int read_given(const char *ca_key, const char *ca_chain, struct holder *out, struct vw_error *err)
{
	int code = holder_read_files(ca_key, ca_chain, out, err);
	if (code == 0)
		return ca_check(out, ca_chain, vw_clock_now(), err);
	if (err && (code == VW_ENOTFOUND || code == VW_EINVAL || code == VW_ELIMIT))
		err->code = code = VW_ECONFIG;
	return code;
}

/* Of what is there nothing is written over that may have issued or signed something. */
static int check_remains(const struct vw_authority *a, struct vw_error *err)
{
	bool has_key = holder_has(a->folder, "ca", "key"), has_pem = holder_has(a->folder, "ca", "pem");
	bool used = holder_has(a->folder, "receipts", "pem");
	if ((has_key && !has_pem) || (!has_key && used))
		return vw_error_set(err, VW_ECONFIG, "%s: ca.%s is missing; put it back from a backup", a->folder,
				    has_key ? "pem" : "key");
	if (used && !holder_has(a->folder, "receipts", "key"))
		return vw_error_set(
		    err, VW_ECONFIG,
		    "%s: receipts.key is missing; put it back from a backup, or rename receipts.pem (and keep "
		    "it: older receipts are checked with it) and run vw-controller init for another signer",
		    a->folder);
	return 0;
}

static int settle_ca(struct vw_authority *a, const struct holder *given, bool *out_made, struct vw_error *err)
{
	int code = check_remains(a, err);
	if (code == 0 && !holder_has(a->folder, "ca", "key")) {
		code = given->key ? take_ca(a, given, err) : make_ca(a, err);
		*out_made = true;
	}
	if (code == 0)
		code = ca_read(a, err);
	if (code == 0 && given->key &&
	    memcmp(given->facts.sha256, a->ca.facts.sha256, sizeof(given->facts.sha256)) != 0)
		code = vw_error_set(err, VW_EBUSY, "%s holds another certificate authority already", a->folder);
	return code;
}

/* One after the other; the receipts' certificate last. */
static int settle(struct vw_authority *a, const struct holder *given, struct vw_error *err)
{
	bool made = false;
	int code = settle_ca(a, given, &made, err);
	if (code < 0)
		return code;
	code = ca_read_server(a, &a->server, err);
	if (code == VW_ENOTFOUND || code == VW_EINVAL) {
		code = ca_make_server(a, err);
		made = true;
	}
	if (code == 0 && !holder_has(a->folder, "receipts", "pem")) {
		code = ca_make_receipts(a, err);
		made = true;
	}
	if (code == 0)
		code = ca_read_receipts(a, err);
	if (code == 0 && !made)
		code = vw_error_set(err, VW_EBUSY, "%s holds a certificate authority already", a->folder);
	return code;
}

int vw_authority_create(const struct vw_authority_settings *settings, const char *ca_key, const char *ca_chain,
			struct vw_error *err)
{
	int fd VW_AUTO(close_fd) = -1;
	struct vw_authority *a;
	struct holder given = {0};
	int code = ca_begin(settings, &a, err);
	if (code < 0)
		return code;
	if (ca_key)
		code = read_given(ca_key, ca_chain, &given, err);
	if (code == 0)
		code = vw_dir_make_private(a->folder, err);
	if (code == 0)
		code = lock_folder(a->folder, &fd, err);
	if (code == 0)
		code = settle(a, &given, err);
	holder_close(&given);
	vw_authority_close(a);
	return code;
}
