/* authority.c: the certificate authority's folder: made, read, renewed. */
#include "identity/authority.h"

#include "base/clock.h"
#include "base/digest.h"
#include "base/file.h"
#include "base/limits.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DAY_MS       ((int64_t)24 * 3600 * 1000)
#define CA_LIFE_MS   (3650 * DAY_MS)
#define BACKDATE_MS  ((int64_t)5 * 60 * 1000) /* clocks of agents may be a little behind ours */
#define PATH_MAX_LEN 4096

/* A key with its certificate, and those above it that a peer needs. */
struct holder {
	struct vw_key *key;
	struct vw_bytes chain[VW_MAX_CERTIFICATES];
	size_t count;
	struct vw_certificate_facts facts; /* of the first */
};

struct vw_authority {
	pthread_mutex_t lock; /* mbedTLS's keys remember points while they sign; and refresh changes the server's */
	struct vw_authority_settings settings;
	char folder[PATH_MAX_LEN];
	struct vw_arena *arena;
	struct holder ca, server, receipts;
};

static const char *path_in(struct vw_arena *arena, const char *folder, const char *name)
{
	return vw_arena_printf(arena, "%s/%s", folder, name);
}

static int no_memory(struct vw_error *err)
{
	return vw_error_set(err, VW_ENOMEM, "no memory for the certificate authority");
}

/* ---- reading ---- */

static int read_holder(const struct vw_authority *a, const char *name, struct holder *out, struct vw_error *err)
{
	const char *key = path_in(a->arena, a->folder, vw_arena_printf(a->arena, "%s.key", name));
	const char *pem = path_in(a->arena, a->folder, vw_arena_printf(a->arena, "%s.pem", name));
	struct vw_bytes *chain, public;
	if (vw_arena_failed(a->arena))
		return no_memory(err);
	int code = vw_certificates_read_file(pem, a->arena, &chain, &out->count, err);
	if (code < 0)
		return code;
	memcpy(out->chain, chain, out->count * sizeof(*chain));
	code = vw_certificate_read(chain[0], a->arena, &out->facts, err);
	if (code < 0)
		return vw_error_context(err, code, "%s", pem);
	code = vw_key_read(key, &out->key, err);
	if (code == 0)
		code = vw_key_public(out->key, a->arena, &public, err);
	if (code < 0)
		return code;
	if (public.len != out->facts.public_key.len ||
	    memcmp(public.data, out->facts.public_key.data, public.len) != 0)
		return vw_error_set(err, VW_ECONFIG, "%s is not the key of %s", key, pem);
	return 0;
}

static int check_ca(const struct vw_authority *a, struct vw_error *err)
{
	int64_t now = vw_clock_now();
	char at[VW_TIME_TEXT];
	if (!a->ca.facts.is_ca)
		return vw_error_set(err, VW_ECONFIG, "%s/ca.pem: the first certificate may not issue others",
				    a->folder);
	if (a->ca.facts.not_after <= now)
		return vw_error_set(err, VW_ECONFIG, "%s/ca.pem has expired on %s", a->folder,
				    vw_clock_format(a->ca.facts.not_after, at));
	if (a->ca.count == 1)
		return 0;
	return vw_certificate_check(a->ca.chain[0], a->ca.chain + 1, a->ca.count - 2, &a->ca.chain[a->ca.count - 1],
				    1, VW_USE_CA, now, err);
}

/* What goes with a certificate of ours to a peer that trusts the last of the chain. */
static void add_intermediates(const struct vw_authority *a, struct holder *holder)
{
	for (size_t i = 0; i + 1 < a->ca.count && holder->count < VW_MAX_CERTIFICATES; i++)
		holder->chain[holder->count++] = a->ca.chain[i];
}

/* ---- making ---- */

static int write_holder(const struct vw_authority *a, const char *name, const struct vw_key *key,
			struct vw_bytes cert, struct vw_error *err)
{
	const char *key_path = path_in(a->arena, a->folder, vw_arena_printf(a->arena, "%s.key", name));
	const char *pem_path = path_in(a->arena, a->folder, vw_arena_printf(a->arena, "%s.pem", name));
	if (vw_arena_failed(a->arena))
		return no_memory(err);
	int code = vw_key_write(key, key_path, err);
	if (code < 0)
		return code;
	return vw_certificates_write_file(pem_path, &cert, 1, 0644, err);
}

static int make_ca(struct vw_authority *a, struct vw_error *err)
{
	int64_t now = vw_clock_now();
	char serial[VW_SERIAL_MAX];
	struct vw_bytes cert, none = {NULL, 0};
	struct vw_key *key VW_AUTO(vw_key_cleanup) = NULL;
	struct vw_certificate_order order = {
	    .use = VW_USE_CA, .not_before = now - BACKDATE_MS, .not_after = now + CA_LIFE_MS};
	order.common_name = vw_arena_printf(a->arena, "VerifyWise fleet CA, %s", a->settings.trust_domain);
	int code = vw_key_generate(&key, err);
	if (code == 0)
		code = vw_key_public(key, a->arena, &order.public_key, err);
	if (code == 0)
		code = vw_certificate_issue(&order, none, key, a->arena, &cert, serial, err);
	return code < 0 ? code : write_holder(a, "ca", key, cert, err);
}

/* An operator's intermediate: copied, so that the folder is all that replicas need. */
static int take_ca(struct vw_authority *a, const char *ca_key, const char *ca_chain, struct vw_error *err)
{
	struct vw_key *key VW_AUTO(vw_key_cleanup) = NULL;
	struct vw_bytes *chain;
	size_t count;
	int code = vw_key_read(ca_key, &key, err);
	if (code == 0)
		code = vw_certificates_read_file(ca_chain, a->arena, &chain, &count, err);
	if (code == 0)
		code = vw_key_write(key, path_in(a->arena, a->folder, "ca.key"), err);
	if (code == 0)
		code = vw_certificates_write_file(path_in(a->arena, a->folder, "ca.pem"), chain, count, 0644, err);
	return code;
}

/* A certificate of our own, with a new key. */
static int make_own(struct vw_authority *a, enum vw_certificate_use use, const char *name, int64_t not_after,
		    struct vw_error *err)
{
	char serial[VW_SERIAL_MAX];
	struct vw_bytes cert;
	struct vw_key *key VW_AUTO(vw_key_cleanup) = NULL;
	struct vw_certificate_order order = {.use = use, .common_name = "verifywise-controller"};
	bool server = use == VW_USE_CONTROLLER;
	order.id.kind = server ? VW_SPIFFE_CONTROLLER : VW_SPIFFE_RECEIPTS;
	snprintf(order.id.trust_domain, sizeof(order.id.trust_domain), "%s", a->settings.trust_domain);
	order.hosts = server ? a->settings.hosts : NULL;
	order.not_before = vw_clock_now() - BACKDATE_MS;
	order.not_after = not_after < a->ca.facts.not_after ? not_after : a->ca.facts.not_after;
	int code = vw_key_generate(&key, err);
	if (code == 0)
		code = vw_key_public(key, a->arena, &order.public_key, err);
	if (code == 0)
		code = vw_certificate_issue(&order, a->ca.chain[0], a->ca.key, a->arena, &cert, serial, err);
	return code < 0 ? code : write_holder(a, name, key, cert, err);
}

/* The names that the server certificate was made for: to notice that the configuration has others now. */
static int hosts_text(const struct vw_authority *a, struct vw_buffer *out, struct vw_error *err)
{
	vw_buffer_init(out, VW_MAX_CONFIG_FILE);
	for (const char *const *host = a->settings.hosts; host && *host; host++)
		vw_buffer_printf(out, "%s\n", *host);
	return vw_buffer_error(out) ? vw_error_set(err, vw_buffer_error(out), "too many hosts") : 0;
}

static int make_server(struct vw_authority *a, struct vw_error *err)
{
	struct vw_buffer hosts;
	int code = make_own(a, VW_USE_CONTROLLER, "server", vw_clock_now() + a->settings.server_life_ms, err);
	if (code < 0)
		return code;
	code = hosts_text(a, &hosts, err);
	if (code == 0)
		code = vw_file_write(path_in(a->arena, a->folder, "server.hosts"), vw_buffer_text(&hosts), hosts.len,
				     0644, err);
	vw_buffer_reset(&hosts);
	return code;
}

static bool same_hosts(const struct vw_authority *a)
{
	struct vw_buffer then, now;
	struct vw_error err;
	bool same = hosts_text(a, &now, &err) == 0;
	vw_buffer_init(&then, VW_MAX_CONFIG_FILE);
	same = same &&
	       vw_file_read(path_in(a->arena, a->folder, "server.hosts"), VW_MAX_CONFIG_FILE, &then, &err) == 0 &&
	       strcmp(vw_buffer_text(&then), vw_buffer_text(&now)) == 0;
	vw_buffer_reset(&then);
	vw_buffer_reset(&now);
	return same;
}

/* ---- life ---- */

static int begin(const struct vw_authority_settings *settings, struct vw_authority **out, struct vw_error *err)
{
	if (!vw_trust_domain_valid(settings->trust_domain))
		return vw_error_set(err, VW_ECONFIG,
				    "trust_domain: %.80s is none; use lower-case letters, digits, '.', '-', '_'",
				    settings->trust_domain);
	struct vw_authority *a = calloc(1, sizeof(*a));
	if (!a)
		return no_memory(err);
	pthread_mutex_init(&a->lock, NULL);
	a->settings = *settings;
	a->arena = vw_arena_open(0);
	if (!a->arena ||
	    snprintf(a->folder, sizeof(a->folder), "%s", settings->folder) >= (int)sizeof(a->folder) - 32) {
		vw_authority_close(a);
		return vw_error_set(err, VW_ECONFIG,
				    "the authority's folder has too long a name, or there is no memory");
	}
	*out = a;
	return 0;
}

static void drop(struct holder *holder)
{
	vw_key_close(holder->key);
	memset(holder, 0, sizeof(*holder));
}

void vw_authority_close(struct vw_authority *a)
{
	if (!a)
		return;
	drop(&a->ca);
	drop(&a->server);
	drop(&a->receipts);
	vw_arena_close(a->arena);
	pthread_mutex_destroy(&a->lock);
	free(a);
}

static int create(struct vw_authority *a, const char *ca_key, const char *ca_chain, struct vw_error *err)
{
	if (access(path_in(a->arena, a->folder, "ca.key"), F_OK) == 0)
		return vw_error_set(err, VW_EBUSY, "%s holds a certificate authority already", a->folder);
	int code = vw_dir_make_private(a->folder, err);
	if (code == 0)
		code = ca_key ? take_ca(a, ca_key, ca_chain, err) : make_ca(a, err);
	if (code == 0)
		code = read_holder(a, "ca", &a->ca, err);
	if (code == 0)
		code = check_ca(a, err);
	if (code == 0)
		code = make_server(a, err);
	/* receipts must verify as long as anybody may ask: as long as the CA lives */
	return code < 0 ? code : make_own(a, VW_USE_RECEIPTS, "receipts", a->ca.facts.not_after, err);
}

int vw_authority_create(const struct vw_authority_settings *settings, const char *ca_key, const char *ca_chain,
			struct vw_error *err)
{
	struct vw_authority *a;
	int code = begin(settings, &a, err);
	if (code < 0)
		return code;
	code = create(a, ca_key, ca_chain, err);
	vw_authority_close(a);
	return code;
}

static int read_server(struct vw_authority *a, struct vw_error *err)
{
	int code = read_holder(a, "server", &a->server, err);
	if (code == 0)
		add_intermediates(a, &a->server);
	return code;
}

int vw_authority_open(const struct vw_authority_settings *settings, struct vw_authority **out, struct vw_error *err)
{
	struct vw_authority *a;
	int code = begin(settings, &a, err);
	if (code < 0)
		return code;
	if (access(path_in(a->arena, a->folder, "ca.key"), F_OK) != 0)
		code = vw_error_set(err, VW_ECONFIG,
				    "%s holds no certificate authority; run vw-controller init first", a->folder);
	if (code == 0)
		code = read_holder(a, "ca", &a->ca, err);
	if (code == 0)
		code = check_ca(a, err);
	if (code == 0)
		code = read_server(a, err);
	if (code == 0)
		code = read_holder(a, "receipts", &a->receipts, err);
	if (code < 0) {
		vw_authority_close(a);
		return code;
	}
	add_intermediates(a, &a->receipts);
	*out = a;
	return 0;
}

int vw_authority_refresh(struct vw_authority *a, struct vw_error *err)
{
	int64_t half = a->server.facts.not_before + (a->server.facts.not_after - a->server.facts.not_before) / 2;
	if (vw_clock_now() < half && same_hosts(a))
		return 0;
	pthread_mutex_lock(&a->lock);
	int code = make_server(a, err);
	if (code == 0) {
		drop(&a->server);
		code = read_server(a, err);
	}
	pthread_mutex_unlock(&a->lock);
	return code < 0 ? code : 1;
}

/* ---- what others ask ---- */

const char *vw_authority_trust_domain(const struct vw_authority *a)
{
	return a->settings.trust_domain;
}

const struct vw_bytes *vw_authority_chain(const struct vw_authority *a, size_t *out_count)
{
	*out_count = a->ca.count;
	return a->ca.chain;
}

const struct vw_bytes *vw_authority_receipt_chain(const struct vw_authority *a, size_t *out_count)
{
	*out_count = a->receipts.count;
	return a->receipts.chain;
}

void vw_authority_pin(const struct vw_authority *a, uint8_t out[32])
{
	const struct vw_bytes *root = &a->ca.chain[a->ca.count - 1];
	vw_sha256_of(root->data, root->len, out);
}

static int pem_of(const struct vw_bytes *chain, size_t count, struct vw_arena *arena, char **out,
		  struct vw_error *err)
{
	struct vw_buffer pem;
	int code = 0;
	vw_buffer_init(&pem, VW_MAX_CONFIG_FILE);
	for (size_t i = 0; i < count && code == 0; i++)
		code = vw_certificate_pem(chain[i], &pem);
	*out = vw_arena_strdup(arena, vw_buffer_text(&pem));
	vw_buffer_reset(&pem);
	return code < 0 || !*out ? no_memory(err) : 0;
}

int vw_authority_server_pem(struct vw_authority *a, struct vw_arena *arena, char **out_chain,
			    struct vw_secret **out_key, char **out_ca, struct vw_error *err)
{
	struct vw_buffer key;
	pthread_mutex_lock(&a->lock);
	int code = pem_of(a->server.chain, a->server.count, arena, out_chain, err);
	if (code == 0)
		code = pem_of(a->ca.chain, a->ca.count, arena, out_ca, err);
	if (code == 0) {
		vw_buffer_init_secret(&key, VW_MAX_SECRET_FILE);
		code = vw_file_read(path_in(arena, a->folder, "server.key"), VW_MAX_SECRET_FILE, &key, err);
		if (code == 0 && !(*out_key = vw_secret_open(vw_buffer_text(&key), key.len)))
			code = no_memory(err);
		vw_buffer_reset(&key);
	}
	pthread_mutex_unlock(&a->lock);
	return code;
}

int vw_authority_issue(struct vw_authority *a, int32_t organization, const char *agent_id, struct vw_bytes public_key,
		       int64_t now, struct vw_arena *arena, struct vw_bytes *out, char out_serial[VW_SERIAL_MAX],
		       int64_t *out_not_after, struct vw_error *err)
{
	struct vw_certificate_order order = {
	    .use = VW_USE_AGENT, .public_key = public_key, .common_name = "vw-agent"};
	order.id.kind = VW_SPIFFE_AGENT;
	order.id.organization = organization;
	snprintf(order.id.trust_domain, sizeof(order.id.trust_domain), "%s", a->settings.trust_domain);
	snprintf(order.id.agent_id, sizeof(order.id.agent_id), "%s", agent_id);
	order.not_before = now - BACKDATE_MS;
	order.not_after = now + a->settings.agent_life_ms;
	if (order.not_after > a->ca.facts.not_after)
		order.not_after = a->ca.facts.not_after;
	pthread_mutex_lock(&a->lock);
	int code = vw_certificate_issue(&order, a->ca.chain[0], a->ca.key, arena, out, out_serial, err);
	pthread_mutex_unlock(&a->lock);
	if (code == 0)
		*out_not_after = order.not_after;
	return code;
}

int vw_authority_receipt(struct vw_authority *a, const struct vw_receipt_facts *facts, struct vw_arena *arena,
			 vw_receipt **out, struct vw_error *err)
{
	pthread_mutex_lock(&a->lock);
	int code = vw_receipt_make(facts, a->receipts.key, a->receipts.facts.sha256, arena, out, err);
	pthread_mutex_unlock(&a->lock);
	return code;
}

int vw_authority_sign(struct vw_authority *a, const char *domain, struct vw_bytes bytes,
		      uint8_t out[VW_SIGNATURE_MAX], size_t *out_len, uint8_t out_signer_sha256[32],
		      struct vw_error *err)
{
	struct vw_bytes none = {NULL, 0};
	pthread_mutex_lock(&a->lock);
	int code = vw_key_sign(a->receipts.key, domain, bytes, none, out, out_len, err);
	pthread_mutex_unlock(&a->lock);
	memcpy(out_signer_sha256, a->receipts.facts.sha256, 32);
	return code;
}
