#include "load.h"

#include "base/digest.h"
#include "fleet/token.h"
#include "identity/authority.h"
#include "proto/message.h"
#include "store/store.h"

#include <openssl/pem.h>
#include <openssl/x509.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define THREADS 32 /* the embedded store commits what many wait for together */
#define TOKEN   "00000000000010ad"

struct making {
	const struct load_order *order;
	struct vw_fleet_store *store;
	struct vw_authority *authority;
	struct vw_bytes public_key;
	atomic_size_t next;
	struct vw_bytes *certificates;
	char (*ids)[VW_AGENT_ID_MAX];
	struct vw_arena *arenas[THREADS];
	int64_t now;
};

static int32_t organization_of(const struct load_order *order, size_t number)
{
	return (int32_t)(number % order->organizations) + 1;
}

/* ---- Enrolment ---- */

static void enroll(struct making *m, size_t number, struct vw_arena *arena, struct vw_arena *scratch)
{
	struct vw_error err = VW_ERROR_INIT;
	vw_agent agent = VERIFYWISE__V1__AGENT__INIT;
	char serial[VW_SERIAL_MAX], token[VW_TOKEN_ID_MAX];
	uint8_t key[32] = {1};
	int64_t not_after;
	int32_t organization = organization_of(m->order, number);
	vw_random_uuid(m->ids[number]);
	vw_arena_reset(scratch);
	if (vw_authority_issue(m->authority, organization, m->ids[number], m->public_key, m->now, arena,
			       &m->certificates[number], serial, &not_after, &err) < 0)
		load_fail("%s", err.message);
	VW_SET(&agent, organization, organization);
	agent.agent_id = m->ids[number];
	VW_SET(&agent, status, VW_AGENT_ACTIVE);
	VW_SET_BYTES(&agent, enrollment_key, m->public_key.data, m->public_key.len);
	VW_SET_BYTES(&agent, sealing_key, key, sizeof(key));
	agent.pending_serial = serial;
	VW_SET(&agent, pending_not_after, not_after);
	snprintf(token, sizeof(token), "%s", TOKEN);
	snprintf(token + 8, sizeof(token) - 8, "%08x", (unsigned)organization);
	agent.enrollment_token = token;
	if (vw_fleet_agent_enroll(m->store, token, m->now, &agent, &err) < 0)
		load_fail("%s", err.message);
}

struct thread {
	struct making *making;
	struct vw_arena *arena;
};

static void *enroll_some(void *arg)
{
	struct thread *thread = arg;
	struct making *m = thread->making;
	struct vw_arena *scratch = vw_arena_open(0);
	size_t number;
	while ((number = atomic_fetch_add(&m->next, 1)) < m->order->agents)
		enroll(m, number, thread->arena, scratch);
	vw_arena_close(scratch);
	return NULL;
}

static void enroll_all(struct making *m)
{
	struct thread threads[THREADS];
	pthread_t ids[THREADS];
	for (int i = 0; i < THREADS; i++) {
		threads[i] = (struct thread){m, m->arenas[i] = vw_arena_open(0)};
		if (pthread_create(&ids[i], NULL, enroll_some, &threads[i]) != 0)
			load_fail("cannot start a thread");
	}
	for (int i = 0; i < THREADS; i++)
		pthread_join(ids[i], NULL);
}

static void make_organizations(struct making *m)
{
	struct vw_arena *arena = vw_arena_open(0);
	for (size_t i = 1; i <= m->order->organizations; i++) {
		struct vw_error err = VW_ERROR_INIT;
		vw_organization *organization;
		vw_enrollment_token token = VERIFYWISE__V1__ENROLLMENT_TOKEN__INIT;
		uint8_t digest[32] = {1};
		char id[VW_TOKEN_ID_MAX];
		snprintf(id, sizeof(id), "%.8s%08x", TOKEN, (unsigned)i);
		token.public_id = id;
		VW_SET(&token, organization, (int32_t)i);
		VW_SET_BYTES(&token, secret_sha256, digest, sizeof(digest));
		VW_SET(&token, uses_allowed, 1000000);
		VW_SET(&token, expires_at, m->now + 86400000);
		int rc = vw_fleet_organization_create(m->store, arena, (int32_t)i,
						      vw_arena_printf(arena, "load %zu", i), &organization, &err);
		if (rc == 0 || rc == VW_EBUSY)
			rc = vw_fleet_token_create(m->store, &token, &err);
		if (rc < 0 && rc != VW_EBUSY)
			load_fail("%s", err.message);
	}
	vw_arena_close(arena);
}

/* ---- The file: key and authority as PEM, then a line and a certificate for each ---- */

static void write_file(const struct making *m, EVP_PKEY *key)
{
	size_t count;
	const struct vw_bytes *chain = vw_authority_chain(m->authority, &count);
	FILE *f = fopen(m->order->file, "w");
	if (!f)
		load_fail("cannot write %s", m->order->file);
	PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL);
	const unsigned char *der = chain[count - 1].data;
	X509 *authority = d2i_X509(NULL, &der, (long)chain[count - 1].len);
	PEM_write_X509(f, authority);
	X509_free(authority);
	for (size_t i = 0; i < m->order->agents; i++) {
		der = m->certificates[i].data;
		X509 *certificate = d2i_X509(NULL, &der, (long)m->certificates[i].len);
		fprintf(f, "%d %s\n", organization_of(m->order, i), m->ids[i]);
		PEM_write_X509(f, certificate);
		X509_free(certificate);
	}
	if (fclose(f) != 0)
		load_fail("cannot write %s", m->order->file);
}

void load_prepare(const struct load_order *order)
{
	static const char *const hosts[] = {"localhost", "127.0.0.1", NULL};
	struct vw_error err = VW_ERROR_INIT;
	struct making m = {.order = order, .now = (int64_t)time(NULL) * 1000};
	struct vw_authority_settings authority = {.folder = order->authority,
						  .trust_domain = order->trust_domain,
						  .hosts = hosts,
						  .agent_life_ms = 86400000,
						  .server_life_ms = INT64_C(90) * 86400000};
	struct vw_fleet_store_settings store = {.url = order->store, .connections = THREADS};
	EVP_PKEY *key = EVP_EC_gen("P-256");
	unsigned char *public_key = NULL;
	int len = i2d_PUBKEY(key, &public_key);
	m.public_key = (struct vw_bytes){public_key, (size_t)len};
	m.certificates = calloc(order->agents, sizeof(*m.certificates));
	m.ids = calloc(order->agents, sizeof(*m.ids));
	if (vw_authority_open(&authority, &m.authority, &err) < 0 || vw_fleet_store_open(&store, &m.store, &err) < 0)
		load_fail("%s", err.message);
	make_organizations(&m);
	enroll_all(&m);
	write_file(&m, key);
	for (int i = 0; i < THREADS; i++)
		vw_arena_close(m.arenas[i]);
	vw_fleet_store_close(m.store);
	vw_authority_close(m.authority);
	OPENSSL_free(public_key);
	EVP_PKEY_free(key);
	free(m.certificates);
	free(m.ids);
}

void load_read(const char *file, struct load_fleet *out)
{
	size_t size = 0;
	FILE *f = fopen(file, "r");
	struct load_identity one;
	memset(out, 0, sizeof(*out));
	if (!f || !(out->key = PEM_read_PrivateKey(f, NULL, NULL, NULL)) ||
	    !(out->authority = PEM_read_X509(f, NULL, NULL, NULL)))
		load_fail("%s cannot be read", file);
	while (fscanf(f, "%d %36s\n", &one.organization, one.agent_id) == 2) {
		one.certificate = PEM_read_X509(f, NULL, NULL, NULL);
		if (out->count == size) {
			size = size == 0 ? 1024 : 2 * size;
			out->agents = realloc(out->agents, size * sizeof(*out->agents));
		}
		if (!one.certificate || !out->agents)
			load_fail("%s cannot be read", file);
		out->agents[out->count++] = one;
	}
	fclose(f);
}
