/* Bytes from a peer as a request, a certificate, a certificate to be checked, or a public key. */
#include "fleet/certificate.h"

#include "base/limits.h"

#include <stdlib.h>
#include <string.h>

/* A key that was taken is written in the one form: taken again, it is the same. */
static void read_request(struct vw_bytes bytes, struct vw_arena *arena)
{
	struct vw_error err = VW_ERROR_INIT;
	struct vw_bytes public;
	const struct vw_bytes none = {NULL, 0};
	if (vw_csr_public(bytes, arena, &public, &err) != 0)
		return;
	if (vw_signature_check(public, "fuzz", none, none, bytes, &err) != VW_EAUTH)
		abort();
}

static void read_certificate(struct vw_bytes bytes, struct vw_arena *arena)
{
	struct vw_error err = VW_ERROR_INIT;
	struct vw_certificate_facts facts;
	if (vw_certificate_read(bytes, arena, &facts, &err) != 0)
		return;
	if (strlen(facts.serial) < 2 || strlen(facts.serial) >= VW_SERIAL_MAX || facts.public_key.len == 0)
		abort();
}

/* As the peer's own, below itself, and below an authority that did not issue it: nobody is let in. */
static void check_certificate(struct vw_bytes bytes, struct vw_arena *arena)
{
	static struct vw_bytes authority;
	static uint8_t der[2048];
	struct vw_error err = VW_ERROR_INIT;
	if (!authority.data) {
		struct vw_key *key;
		struct vw_certificate_order order = {
		    .use = VW_USE_CA, .common_name = "CA", .not_before = 0, .not_after = INT64_C(4000000000000)};
		char serial[VW_SERIAL_MAX];
		struct vw_bytes made;
		if (vw_key_generate(&key, &err) != 0 || vw_key_public(key, arena, &order.public_key, &err) != 0 ||
		    vw_certificate_issue(&order, authority, key, arena, &made, serial, &err) != 0)
			abort();
		memcpy(der, made.data, made.len);
		authority = (struct vw_bytes){der, made.len};
		vw_key_close(key);
	}
	if (vw_certificate_check(bytes, &bytes, 1, &authority, 1, VW_USE_AGENT, INT64_C(1772366400000), &err) == 0)
		abort();
	vw_certificate_check(bytes, NULL, 0, &bytes, 1, VW_USE_CA, INT64_C(1772366400000), &err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vw_arena *arena = vw_arena_open(VW_MIB);
	struct vw_error err = VW_ERROR_INIT;
	if (!arena || size == 0) {
		vw_arena_close(arena);
		return 0;
	}
	struct vw_bytes bytes = {data + 1, size - 1}, none = {NULL, 0};
	if (data[0] == 'r')
		read_request(bytes, arena);
	else if (data[0] == 'c')
		read_certificate(bytes, arena);
	else if (data[0] == 'v')
		check_certificate(bytes, arena);
	else
		vw_signature_check(bytes, "fuzz", none, none, bytes, &err);
	vw_arena_close(arena);
	return 0;
}
