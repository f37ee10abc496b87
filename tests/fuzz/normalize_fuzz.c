/* Bytes that claim to be MLflow's entities: masked, normalised, compared with what was before.
 *
 * The input is a byte of reasons, then up to six pieces, each a length (two bytes, little-endian) and as many bytes: a
 * packed ModelVersion, RegisteredModel, Run, Experiment, LoggedModel, and the Record of before. */
#include "normalize/mask.h"
#include "normalize/normalize.h"

#include "base/json.h"
#include "proto/message.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum piece { VERSION, MODEL, RUN, EXPERIMENT, LOGGED_MODEL, PREVIOUS, PIECES };

static const ProtobufCMessageDescriptor *const types[PIECES] = {
    [VERSION] = &verifywise__v1__model_version__descriptor,
    [MODEL] = &verifywise__v1__registered_model__descriptor,
    [RUN] = &verifywise__v1__run__descriptor,
    [EXPERIMENT] = &verifywise__v1__experiment__descriptor,
    [LOGGED_MODEL] = &verifywise__v1__logged_model__descriptor,
    [PREVIOUS] = &verifywise__v1__record__descriptor,
};

static const char *const codes[] = {VW_REASON_RUN_FORBIDDEN,        VW_REASON_RUN_NOT_FOUND,
				    VW_REASON_RUN_DELETED,          VW_REASON_EXPERIMENT_FORBIDDEN,
				    VW_REASON_VERSION_FETCH_FAILED, VW_REASON_LOGGED_MODEL_FETCH_FAILED,
				    VW_REASON_RESPONSE_INVALID,     VW_REASON_VALUE_TOO_LARGE};

static void require(bool condition)
{
	if (!condition)
		abort();
}

static void unpack_pieces(struct vw_arena *arena, const uint8_t *data, size_t size, void *pieces[PIECES])
{
	for (int i = 0; i < PIECES && size >= 2; i++) {
		struct vw_error err = VW_ERROR_INIT;
		size_t len = (size_t)(data[0] | data[1] << 8);
		data += 2;
		size -= 2;
		len = len < size ? len : size;
		if (len > 0)
			vw_message_unpack(arena, types[i], data, len, "fuzz", &pieces[i], &err);
		data += len;
		size -= len;
	}
}

static void mask(const struct vw_masker *masker, struct vw_arena *arena, void *pieces[PIECES])
{
	int codes_of_all = vw_mask_version(masker, arena, pieces[VERSION]);
	if (pieces[MODEL])
		codes_of_all |= vw_mask_model(masker, arena, pieces[MODEL]);
	if (pieces[RUN])
		codes_of_all |= vw_mask_run(masker, arena, pieces[RUN]);
	if (pieces[EXPERIMENT])
		codes_of_all |= vw_mask_experiment(masker, arena, pieces[EXPERIMENT]);
	if (pieces[LOGGED_MODEL])
		codes_of_all |= vw_mask_logged_model(masker, arena, pieces[LOGGED_MODEL]);
	require(codes_of_all == 0 || vw_arena_failed(arena));
}

/* Masking twice is as masking once. */
static void mask_all(struct vw_arena *arena, void *pieces[PIECES])
{
	static const char *const patterns[] = {"[0-9]{6,}", NULL};
	struct vw_masker *masker = NULL;
	uint8_t once[PREVIOUS][32], twice[32];
	require(vw_masker_open(patterns, &masker, NULL) == 0);
	mask(masker, arena, pieces);
	for (int i = 0; i < PREVIOUS; i++)
		require(!pieces[i] || vw_message_sha256(pieces[i], once[i]) == 0);
	mask(masker, arena, pieces);
	for (int i = 0; i < PREVIOUS && !vw_arena_failed(arena); i++) {
		require(!pieces[i] || vw_message_sha256(pieces[i], twice) == 0);
		require(!pieces[i] || memcmp(once[i], twice, sizeof(twice)) == 0);
	}
	vw_masker_close(masker);
}

static vw_record *normalize(struct vw_arena *arena, const struct vw_normalize_input *in,
			    const struct vw_mapping *mapping, uint8_t out_sha256[32])
{
	struct vw_error err = VW_ERROR_INIT;
	vw_record *record = NULL;
	int code = vw_normalize(arena, in, mapping, &record, &err);
	require(code == 0 || (code == VW_ENOMEM && vw_arena_failed(arena)) || code == VW_ELIMIT);
	if (code == 0)
		require(vw_message_sha256(&record->base, out_sha256) == 0);
	return code == 0 ? record : NULL;
}

/* What comes out can be stored, read back and printed. */
static void read_back(struct vw_arena *arena, const vw_record *record)
{
	struct vw_error err = VW_ERROR_INIT;
	struct vw_json_writer writer;
	struct vw_buffer out;
	void *again = NULL;
	size_t len = 0;
	uint8_t *bytes = vw_message_pack(arena, &record->base, &len);
	if (!bytes)
		return;
	int code = vw_message_unpack(arena, record->base.descriptor, bytes, len, "record", &again, &err);
	require(code == 0 || vw_arena_failed(arena));
	vw_buffer_init(&out, 0);
	vw_json_writer_init(&writer, &out, false);
	vw_message_json(&writer, &record->base);
	json_t *root = json_loads(vw_buffer_text(&out), JSON_DISABLE_EOF_CHECK, NULL);
	require(root != NULL);
	json_decref(root);
	vw_buffer_reset(&out);
}

static void check(struct vw_arena *arena, struct vw_normalize_input *in, const struct vw_mapping *mapping)
{
	uint8_t first[32], second[32];
	vw_deployment_event **events = NULL;
	size_t count = 0;
	vw_record *record = normalize(arena, in, mapping, first);
	if (!record || !normalize(arena, in, mapping, second))
		return;
	require(memcmp(first, second, sizeof(first)) == 0);
	read_back(arena, record);
	if (vw_deployment_events(arena, in->previous, record, &events, &count, NULL) == 0)
		require(count <= 4);
	/* with what was concluded as what was before, nothing changes any more */
	in->previous = record;
	in->previous_at++;
	vw_record *third = normalize(arena, in, mapping, first);
	in->previous = third;
	if (third && normalize(arena, in, mapping, second))
		require(memcmp(first, second, sizeof(first)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	VW_AUTO(vw_arena_cleanup) struct vw_arena *arena = vw_arena_open(32 * 1024 * 1024);
	struct vw_mapping *mapping = arena ? vw_mapping_open(arena) : NULL;
	struct vw_reason_text reasons[8];
	void *pieces[PIECES] = {0};
	if (!mapping || size < 1)
		return 0;
	unpack_pieces(arena, data + 1, size - 1, pieces);
	vw_model_version *version = pieces[VERSION];
	if (!version || !version->name || !version->version)
		return 0;
	mask_all(arena, pieces);
	struct vw_normalize_input in = {.workspace = "fuzz",
					.model = pieces[MODEL],
					.version = version,
					.run = pieces[RUN],
					.experiment = pieces[EXPERIMENT],
					.logged_model = pieces[LOGGED_MODEL],
					.reasons = reasons,
					.previous = pieces[PREVIOUS],
					.previous_at = 1000};
	for (int i = 0; i < 8; i++) {
		if (data[0] & 1 << i)
			reasons[in.reason_count++] = (struct vw_reason_text){codes[i], "text"};
	}
	check(arena, &in, mapping);
	return 0;
}
