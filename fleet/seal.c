#include "fleet/seal.h"

#include "base/digest.h"
#include "base/file.h"
#include "base/limits.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define KEY_TEXT (sodium_base64_ENCODED_LEN(VW_SEALING_KEY, sodium_base64_VARIANT_ORIGINAL)) /* with the zero */

_Static_assert(VW_SEALING_KEY == crypto_box_PUBLICKEYBYTES, "a public key of X25519");
_Static_assert(VW_SEALING_KEY == crypto_box_SECRETKEYBYTES, "a private key of X25519");

struct vw_sealing_key {
	uint8_t public[VW_SEALING_KEY];
	struct vw_secret *private;
};

static int from_private(const uint8_t private[VW_SEALING_KEY], struct vw_sealing_key **out, struct vw_error *err)
{
	struct vw_sealing_key *key = calloc(1, sizeof(*key));
	if (key)
		key->private = vw_secret_open((const char *)private, VW_SEALING_KEY);
	if (!key || !key->private) {
		free(key);
		return vw_error_set(err, VW_ENOMEM, "no memory for a sealing key");
	}
	crypto_scalarmult_base(key->public, private);
	*out = key;
	return 0;
}

int vw_sealing_key_generate(struct vw_sealing_key **out, struct vw_error *err)
{
	uint8_t private[VW_SEALING_KEY];
	vw_random_bytes(private, sizeof(private));
	int rc = from_private(private, out, err);
	vw_wipe(private, sizeof(private));
	return rc;
}

static void encode(const uint8_t private[VW_SEALING_KEY], char out[KEY_TEXT])
{
	sodium_bin2base64(out, KEY_TEXT, private, VW_SEALING_KEY, sodium_base64_VARIANT_ORIGINAL);
}

/* Encoded anew and compared, since libsodium reads some bytes that are in no alphabet. */
static bool decode(const struct vw_secret *text, uint8_t out[VW_SEALING_KEY])
{
	char again[KEY_TEXT];
	size_t len = 0;
	if (vw_secret_length(text) != KEY_TEXT - 1 ||
	    sodium_base642bin(out, VW_SEALING_KEY, vw_secret_text(text), KEY_TEXT - 1, NULL, &len, NULL,
			      sodium_base64_VARIANT_ORIGINAL) != 0 ||
	    len != VW_SEALING_KEY)
		return false;
	encode(out, again);
	bool same = sodium_memcmp(again, vw_secret_text(text), KEY_TEXT) == 0;
	vw_wipe(again, sizeof(again));
	return same;
}

int vw_sealing_key_read(const char *path, struct vw_sealing_key **out, struct vw_error *err)
{
	uint8_t private[VW_SEALING_KEY];
	struct vw_secret *text;
	bool is_open;
	int rc = vw_file_check_private(path, err);
	if (rc == 0)
		rc = vw_secret_read_file(path, &text, &is_open, err);
	if (rc)
		return rc;
	if (!decode(text, private))
		rc =
		    vw_error_set(err, VW_EINVAL, "%s holds no sealing key: %d bytes in base64", path, VW_SEALING_KEY);
	else
		rc = from_private(private, out, err);
	vw_wipe(private, sizeof(private));
	vw_secret_close(text);
	return rc;
}

int vw_sealing_key_write(const struct vw_sealing_key *key, const char *path, struct vw_error *err)
{
	char text[KEY_TEXT + 1];
	encode((const uint8_t *)vw_secret_text(key->private), text);
	text[KEY_TEXT - 1] = '\n';
	int rc = vw_file_write(path, text, KEY_TEXT, 0600, err);
	vw_wipe(text, sizeof(text));
	return rc;
}

void vw_sealing_key_close(struct vw_sealing_key *key)
{
	if (!key)
		return;
	vw_secret_close(key->private);
	free(key);
}

const uint8_t *vw_sealing_key_public(const struct vw_sealing_key *key)
{
	return key->public;
}

int vw_seal(const uint8_t public_key[VW_SEALING_KEY], const struct vw_secret *secret, struct vw_arena *arena,
	    struct vw_bytes *out, struct vw_error *err)
{
	size_t len = vw_secret_length(secret) + crypto_box_SEALBYTES;
	if (len > VW_MAX_SEALED)
		return vw_error_set(err, VW_ELIMIT, "a secret of %zu bytes (VW_MAX_SEALED)",
				    vw_secret_length(secret));
	uint8_t *sealed = vw_arena_alloc(arena, len);
	if (!sealed || sodium_init() < 0)
		return vw_error_set(err, VW_ENOMEM, "no memory to seal a secret");
	if (crypto_box_seal(sealed, (const uint8_t *)vw_secret_text(secret), vw_secret_length(secret), public_key) !=
	    0)
		return vw_error_set(err, VW_EINVAL, "nothing can be sealed to this key");
	*out = (struct vw_bytes){sealed, len};
	return 0;
}

int vw_seal_open(const struct vw_sealing_key *key, struct vw_bytes sealed, struct vw_secret **out,
		 struct vw_error *err)
{
	if (sealed.len < crypto_box_SEALBYTES || sealed.len > VW_MAX_SEALED)
		return vw_error_set(err, VW_EAUTH, "a sealed secret cannot have %zu bytes", sealed.len);
	size_t len = sealed.len - crypto_box_SEALBYTES;
	uint8_t *opened = sodium_init() < 0 ? NULL : sodium_malloc(len + 1);
	if (!opened)
		return vw_error_set(err, VW_ENOMEM, "no memory to open a sealed secret");
	int rc = 0;
	struct vw_secret *secret = NULL;
	if (crypto_box_seal_open(opened, sealed.data, sealed.len, key->public,
				 (const uint8_t *)vw_secret_text(key->private)) != 0)
		rc = vw_error_set(err, VW_EAUTH,
				  "a secret is not sealed to this agent's key, or was changed on its way");
	else if (!(secret = vw_secret_open((const char *)opened, len)))
		rc = vw_error_set(err, VW_ENOMEM, "no memory for a secret, or it is too large (VW_MAX_SECRET_FILE)");
	sodium_free(opened); /* wipes */
	if (rc == 0)
		*out = secret;
	return rc;
}
