/* ca.c: the CA's own chain, and what it issues to the controller itself. */
#include "ca.h"

#include "base/clock.h"
#include "base/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HOSTS_FILE "server.hosts"

static int recode(struct vw_error *err, int code)
{
	if (err)
		err->code = code;
	return code;
}

/* What is wrong with our own files is for the operator to put right. */
static int as_config(struct vw_error *err, int code)
{
	bool wrong = code == VW_ENOTFOUND || code == VW_EINVAL || code == VW_EAUTH || code == VW_ELIMIT;
	return wrong ? recode(err, VW_ECONFIG) : code;
}

/* ---- the CA ---- */

int ca_check(const struct holder *ca, const char *what, int64_t now, struct vw_error *err)
{
	const struct vw_bytes *root = &ca->chain[ca->count - 1];
	int code = vw_certificate_check(*root, NULL, 0, root, 1, VW_USE_CA, now, err);
	if (code < 0)
		return vw_error_context(err, as_config(err, code),
					"%s: its last certificate must be a root that is valid", what);
	if (ca->count > 1)
		code = vw_certificate_check(ca->chain[0], ca->chain + 1, ca->count - 2, root, 1, VW_USE_CA, now, err);
	return code < 0 ? vw_error_context(err, as_config(err, code), "%s: its first certificate", what) : 0;
}

int ca_check_time(const struct vw_authority *a, int64_t now, struct vw_error *err)
{
	char at[VW_TIME_TEXT];
	if (now < a->until)
		return 0;
	return vw_error_set(
	    err, VW_ECONFIG,
	    "%s/ca.pem, or a certificate above it, expired on %s: agents have to be enrolled again with "
	    "another authority",
	    a->folder, vw_clock_format(a->until, at));
}

/* What we issue is valid only while all above it is. */
static int find_times(struct vw_authority *a, struct vw_error *err)
{
	struct vw_certificate_facts facts;
	a->from = INT64_MIN;
	a->until = INT64_MAX;
	for (size_t i = 0; i < a->ca.count; i++) {
		int code = vw_certificate_read(a->ca.chain[i], a->ca.arena, &facts, err);
		if (code < 0)
			return as_config(err, code);
		a->from = facts.not_before > a->from ? facts.not_before : a->from;
		a->until = facts.not_after < a->until ? facts.not_after : a->until;
	}
	return 0;
}

int ca_read(struct vw_authority *a, struct vw_error *err)
{
	char what[CA_FOLDER_MAX + 16];
	int64_t now = vw_clock_now();
	snprintf(what, sizeof(what), "%s/ca.pem", a->folder);
	int code = holder_read(a->folder, "ca", &a->ca, err);
	if (code < 0)
		return as_config(err, code);
	code = find_times(a, err);
	if (code == 0)
		code = ca_check_time(a, now, err);
	return code < 0 ? code : ca_check(&a->ca, what, now, err);
}

/* ---- what is issued to ourselves ---- */

static int read_own(const struct vw_authority *a, const char *name, enum vw_certificate_use use, struct holder *out,
		    struct vw_error *err)
{
	struct holder own = {0};
	int code = holder_read(a->folder, name, &own, err);
	if (code == 0 &&
	    vw_certificate_check(own.chain[0], NULL, 0, a->ca.chain, 1, use, own.facts.not_before + 1000, err) < 0)
		code = vw_error_context(err, recode(err, VW_EINVAL), "%s/%s.pem was not issued by ca.pem", a->folder,
					name);
	if (code < 0) {
		holder_close(&own);
		return code;
	}
	holder_append(&own, a->ca.chain, a->ca.count - 1);
	holder_close(out);
	*out = own;
	return 0;
}

static bool is_of_our_domain(const struct vw_authority *a, const struct holder *own)
{
	return strcmp(own->facts.id.trust_domain, a->settings.trust_domain) == 0;
}

int ca_read_receipts(struct vw_authority *a, struct vw_error *err)
{
	int code = read_own(a, "receipts", VW_USE_RECEIPTS, &a->receipts, err);
	if (code == VW_EINVAL)
		return vw_error_context(
		    err, as_config(err, code),
		    "put the right one back from a backup, or, for another signer, rename receipts.key and "
		    "receipts.pem "
		    "(and keep them: older receipts are checked with them) and run vw-controller init");
	if (code == VW_ENOTFOUND)
		return vw_error_context(
		    err, as_config(err, code),
		    "%s is not whole; put it back from a backup, or run vw-controller init, which "
		    "makes what was never there",
		    a->folder);
	if (code < 0 || is_of_our_domain(a, &a->receipts))
		return as_config(err, code);
	return vw_error_set(err, VW_ECONFIG,
			    "%s was made for the trust domain %s, which all its agents are in, and not for %s: put "
			    "trust_domain back, or use another data folder",
			    a->folder, a->receipts.facts.id.trust_domain, a->settings.trust_domain);
}

/* With an existing key a certificate for it. */
static int make_own(const struct vw_authority *a, enum vw_certificate_use use, const char *name, int64_t until,
		    const struct vw_key *key, struct vw_error *err)
{
	char serial[VW_SERIAL_MAX];
	struct vw_bytes cert;
	struct vw_arena *arena VW_AUTO(vw_arena_cleanup) = vw_arena_open(0);
	int64_t from = vw_clock_now() - CA_BACKDATE_MS;
	struct vw_certificate_order order = {.use = use, .common_name = "verifywise-controller"};
	bool server = use == VW_USE_CONTROLLER;
	if (!arena)
		return vw_error_set(err, VW_ENOMEM, "no memory for a certificate");
	order.id.kind = server ? VW_SPIFFE_CONTROLLER : VW_SPIFFE_RECEIPTS;
	snprintf(order.id.trust_domain, sizeof(order.id.trust_domain), "%s", a->settings.trust_domain);
	order.hosts = server ? a->settings.hosts : NULL;
	order.not_before = from > a->from ? from : a->from;
	order.not_after = until < a->until ? until : a->until;
	int code = vw_key_public(key, arena, &order.public_key, err);
	if (code == 0)
		code = vw_certificate_issue(&order, a->ca.chain[0], a->ca.key, arena, &cert, serial, err);
	return code < 0 ? code : holder_write_chain(a->folder, name, &cert, 1, err);
}

/* Receipts must verify as long as anybody may ask: as long as the CA lives. A key without a certificate has signed nothing yet. */
int ca_make_receipts(const struct vw_authority *a, struct vw_error *err)
{
	char path[CA_FOLDER_MAX + 16];
	struct vw_key *key VW_AUTO(vw_key_cleanup) = NULL;
	snprintf(path, sizeof(path), "%s/receipts.key", a->folder);
	int code = vw_key_read(path, &key, err);
	if (code == VW_ENOTFOUND) {
		code = vw_key_generate(&key, err);
		if (code == 0)
			code = holder_write_key(a->folder, "receipts", key, err);
	}
	return code < 0 ? code : make_own(a, VW_USE_RECEIPTS, "receipts", a->until, key, err);
}

/* ---- the server's certificate ---- */

/* The names that it was made for, one a line: to notice that the configuration has others now. */
static int hosts_text(const struct vw_authority *a, struct vw_buffer *out, struct vw_error *err)
{
	vw_buffer_init(out, VW_MAX_CONFIG_FILE);
	for (const char *const *host = a->settings.hosts; host && *host; host++)
		vw_buffer_printf(out, "%s\n", *host);
	return vw_buffer_error(out) ? vw_error_set(err, vw_buffer_error(out), "too many hosts") : 0;
}

static void hosts_path(const struct vw_authority *a, char out[CA_FOLDER_MAX + 16])
{
	snprintf(out, CA_FOLDER_MAX + 16, "%s/" HOSTS_FILE, a->folder);
}

int ca_make_server(const struct vw_authority *a, struct vw_error *err)
{
	char path[CA_FOLDER_MAX + 16];
	struct vw_buffer hosts;
	struct vw_key *key VW_AUTO(vw_key_cleanup) = NULL;
	int code = vw_key_generate(&key, err);
	if (code == 0)
		code = holder_write_key(a->folder, "server", key, err);
	if (code == 0)
		code =
		    make_own(a, VW_USE_CONTROLLER, "server", vw_clock_now() + a->settings.server_life_ms, key, err);
	if (code < 0)
		return code;
	hosts_path(a, path);
	code = hosts_text(a, &hosts, err);
	if (code == 0)
		code = vw_file_write(path, vw_buffer_text(&hosts), hosts.len, 0644, err);
	vw_buffer_reset(&hosts);
	return code;
}

static int check_hosts(const struct vw_authority *a, struct vw_error *err)
{
	char path[CA_FOLDER_MAX + 16];
	struct vw_buffer then, now;
	hosts_path(a, path);
	vw_buffer_init(&then, VW_MAX_CONFIG_FILE);
	int code = hosts_text(a, &now, err);
	if (code == 0)
		code = vw_file_read(path, VW_MAX_CONFIG_FILE, &then, err);
	if (code == 0 && strcmp(vw_buffer_text(&then), vw_buffer_text(&now)) != 0)
		code = vw_error_set(err, VW_EINVAL, "%s/server.pem is for other hosts", a->folder);
	vw_buffer_reset(&then);
	vw_buffer_reset(&now);
	return code;
}

int ca_read_server(const struct vw_authority *a, struct holder *out, struct vw_error *err)
{
	struct holder server = {0};
	int code = check_hosts(a, err);
	if (code == 0)
		code = read_own(a, "server", VW_USE_CONTROLLER, &server, err);
	if (code == 0 && !is_of_our_domain(a, &server))
		code = vw_error_set(err, VW_EINVAL, "%s/server.pem is for another trust domain", a->folder);
	if (code < 0) {
		holder_close(&server);
		return code;
	}
	holder_close(out);
	*out = server;
	return 0;
}
