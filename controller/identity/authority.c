/* authority.c: the certificate authority while it is open: what is asked of it, from any thread. */
#include "ca.h"

#include "base/clock.h"
#include "base/digest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- life ---- */

int ca_begin(const struct vw_authority_settings *settings, struct vw_authority **out, struct vw_error *err)
{
	if (!vw_trust_domain_valid(settings->trust_domain))
		return vw_error_set(err, VW_ECONFIG,
				    "trust_domain: %.80s is none; use lower-case letters, digits, '.', '-', '_'",
				    settings->trust_domain);
	if (strlen(settings->folder) >= CA_FOLDER_MAX)
		return vw_error_set(err, VW_ECONFIG, "the authority's folder has too long a name");
	struct vw_authority *a = calloc(1, sizeof(*a));
	if (!a)
		return vw_error_set(err, VW_ENOMEM, "no memory for the certificate authority");
	pthread_mutex_init(&a->issuing, NULL);
	pthread_mutex_init(&a->signing, NULL);
	pthread_mutex_init(&a->changing, NULL);
	a->settings = *settings;
	snprintf(a->folder, sizeof(a->folder), "%s", settings->folder);
	a->settings.folder = a->folder;
	*out = a;
	return 0;
}

void vw_authority_close(struct vw_authority *a)
{
	if (!a)
		return;
	holder_close(&a->server);
	holder_close(&a->receipts);
	holder_close(&a->ca);
	pthread_mutex_destroy(&a->issuing);
	pthread_mutex_destroy(&a->signing);
	pthread_mutex_destroy(&a->changing);
	free(a);
}

/* A server's certificate that is not whole is no reason to stay closed: refresh makes another. */
static int read_all(struct vw_authority *a, struct vw_error *err)
{
	struct vw_error unused;
	if (!holder_has(a->folder, "ca", "key") && !holder_has(a->folder, "ca", "pem"))
		return vw_error_set(err, VW_ECONFIG,
				    "%s holds no certificate authority; run vw-controller init first", a->folder);
	int code = ca_read(a, err);
	if (code == 0)
		code = ca_read_receipts(a, err);
	if (code == 0)
		ca_read_server(a, &a->server, &unused);
	return code;
}

int vw_authority_open(const struct vw_authority_settings *settings, struct vw_authority **out, struct vw_error *err)
{
	struct vw_authority *a;
	int code = ca_begin(settings, &a, err);
	if (code < 0)
		return code;
	code = read_all(a, err);
	if (code < 0) {
		vw_authority_close(a);
		return code;
	}
	*out = a;
	return 0;
}

/* ---- the server's certificate ---- */

static bool is_fresh(const struct holder *server)
{
	const struct vw_certificate_facts *facts = &server->facts;
	return server->key && vw_clock_now() < facts->not_before + (facts->not_after - facts->not_before) / 2;
}

/* Another process on the same folder may have been first. */
static int renew_server(struct vw_authority *a, struct vw_error *err)
{
	int code = ca_read_server(a, &a->server, err);
	if (code == 0 && is_fresh(&a->server))
		return 0;
	if (code < 0 && code != VW_ENOTFOUND && code != VW_EINVAL)
		return code;
	code = ca_check_time(a, vw_clock_now(), err);
	if (code == 0)
		code = ca_make_server(a, err);
	return code < 0 ? code : ca_read_server(a, &a->server, err);
}

int vw_authority_refresh(struct vw_authority *a, struct vw_error *err)
{
	pthread_mutex_lock(&a->changing);
	int code = 0;
	if (!is_fresh(&a->server)) {
		pthread_mutex_lock(&a->issuing);
		code = renew_server(a, err);
		pthread_mutex_unlock(&a->issuing);
		code = code < 0 ? code : 1;
	}
	pthread_mutex_unlock(&a->changing);
	return code;
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
	return code < 0 || !*out ? vw_error_set(err, VW_ENOMEM, "no memory for certificates") : 0;
}

static int check_server(const struct vw_authority *a, struct vw_error *err)
{
	char at[VW_TIME_TEXT];
	if (!a->server.key)
		return vw_error_set(err, VW_ECONFIG,
				    "%s holds no server certificate for these hosts; may this user write there?",
				    a->folder);
	if (a->server.facts.not_after > vw_clock_now())
		return 0;
	return vw_error_set(err, VW_ECONFIG, "%s/server.pem expired on %s; may this user write there?", a->folder,
			    vw_clock_format(a->server.facts.not_after, at));
}

int vw_authority_server_pem(struct vw_authority *a, struct vw_arena *arena, char **out_chain,
			    struct vw_secret **out_key, char **out_ca, struct vw_error *err)
{
	char *chain, *ca;
	pthread_mutex_lock(&a->changing);
	int code = check_server(a, err);
	if (code == 0)
		code = pem_of(a->server.chain, a->server.count, arena, &chain, err);
	if (code == 0)
		code = pem_of(a->ca.chain, a->ca.count, arena, &ca, err);
	if (code == 0)
		code = vw_key_pem(a->server.key, out_key, err);
	pthread_mutex_unlock(&a->changing);
	if (code < 0)
		return code;
	*out_chain = chain;
	*out_ca = ca;
	return 0;
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

/* What half of a certificate's life is must not be shifted much: agents renew then. */
static int64_t backdate(int64_t life_ms)
{
	return life_ms / 10 < CA_BACKDATE_MS ? life_ms / 10 : CA_BACKDATE_MS;
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
	order.not_before = now - backdate(a->settings.agent_life_ms);
	order.not_before = order.not_before > a->from ? order.not_before : a->from;
	order.not_after = now + a->settings.agent_life_ms < a->until ? now + a->settings.agent_life_ms : a->until;
	int code = ca_check_time(a, now, err);
	if (code < 0)
		return code;
	pthread_mutex_lock(&a->issuing);
	code = vw_certificate_issue(&order, a->ca.chain[0], a->ca.key, arena, out, out_serial, err);
	pthread_mutex_unlock(&a->issuing);
	if (code == 0)
		*out_not_after = order.not_after;
	return code;
}

int vw_authority_receipt(struct vw_authority *a, const struct vw_receipt_facts *facts, struct vw_arena *arena,
			 vw_receipt **out, struct vw_error *err)
{
	pthread_mutex_lock(&a->signing);
	int code = vw_receipt_make(facts, a->receipts.key, a->receipts.facts.sha256, arena, out, err);
	pthread_mutex_unlock(&a->signing);
	return code;
}

int vw_authority_sign(struct vw_authority *a, const char *domain, struct vw_bytes bytes,
		      uint8_t out[VW_SIGNATURE_MAX], size_t *out_len, uint8_t out_signer_sha256[32],
		      struct vw_error *err)
{
	struct vw_bytes none = {NULL, 0};
	pthread_mutex_lock(&a->signing);
	int code = vw_key_sign(a->receipts.key, domain, bytes, none, out, out_len, err);
	pthread_mutex_unlock(&a->signing);
	if (code == 0)
		memcpy(out_signer_sha256, a->receipts.facts.sha256, 32);
	return code;
}
