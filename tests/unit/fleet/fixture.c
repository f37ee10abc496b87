#include "fixture.h"

#include "base/buffer.h"
#include "base/file.h"

#include <ftw.h>
#include <unistd.h>

struct vw_arena *arena;
static char folder[64];

int enter_folder(void **state)
{
	(void)state;
	strcpy(folder, "/tmp/vw_fleet_test.XXXXXX");
	arena = vw_arena_open(0);
	return arena && mkdtemp(folder) && chdir(folder) == 0 ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

int leave_folder(void **state)
{
	(void)state;
	vw_arena_close(arena);
	return chdir("/") == 0 ? nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS) : -1;
}

static __attribute__((format(printf, 1, 0))) int run(const char *fmt, va_list ap)
{
	char command[2048] = "{ ";
	int len = vsnprintf(command + 2, sizeof(command) - 32, fmt, ap);
	assert_true(len > 0 && len < (int)sizeof(command) - 32);
	strcat(command, "; } >log 2>&1");
	return system(command);
}

void sh(const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	int rc = run(fmt, ap);
	va_end(ap);
	if (rc != 0)
		fail_msg("%s: %s", fmt, (const char *)slurp("log").data);
}

bool sh_says(const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	int rc = run(fmt, ap);
	va_end(ap);
	return rc == 0;
}

struct vw_bytes slurp(const char *path)
{
	struct vw_buffer buf;
	struct vw_error err = VW_ERROR_INIT;
	vw_buffer_init(&buf, 0);
	assert_ok(vw_file_read(path, 1 << 24, &buf, &err), err);
	struct vw_bytes bytes = {vw_arena_memdup(arena, vw_buffer_text(&buf), buf.len + 1), buf.len};
	vw_buffer_reset(&buf);
	return bytes;
}

void spill(const char *path, struct vw_bytes bytes)
{
	struct vw_error err = VW_ERROR_INIT;
	assert_ok(vw_file_write(path, bytes.data, bytes.len, 0600, &err), err);
}

struct vw_bytes bytes_of(const char *text)
{
	return (struct vw_bytes){text, strlen(text)};
}

bool same_bytes(struct vw_bytes a, struct vw_bytes b)
{
	return a.len == b.len && memcmp(a.data, b.data, a.len) == 0;
}

struct vw_bytes with_flip(struct vw_bytes bytes, size_t at)
{
	uint8_t *copy = vw_arena_memdup(arena, bytes.data, bytes.len);
	copy[at] ^= 1;
	return (struct vw_bytes){copy, bytes.len};
}

struct vw_bytes with_tail(struct vw_bytes bytes, const char *tail)
{
	uint8_t *copy = vw_arena_alloc(arena, bytes.len + strlen(tail) + 1);
	memcpy(copy, bytes.data, bytes.len);
	memcpy(copy + bytes.len, tail, strlen(tail) + 1);
	return (struct vw_bytes){copy, bytes.len + strlen(tail)};
}

void make_authority(const char *name, struct authority *out)
{
	char serial[VW_SERIAL_MAX];
	struct vw_error err = VW_ERROR_INIT;
	struct vw_certificate_order order = {
	    .use = VW_USE_CA, .common_name = name, .not_before = NOON, .not_after = NOON + 3650 * DAY};
	assert_ok(vw_key_generate(&out->key, &err), err);
	assert_ok(vw_key_public(out->key, arena, &order.public_key, &err), err);
	assert_ok(vw_certificate_issue(&order, (struct vw_bytes){NULL, 0}, out->key, arena, &out->der, serial, &err),
		  err);
}

struct vw_bytes issue(const struct authority *ca, enum vw_certificate_use use, struct vw_key **out_key)
{
	static const char *const hosts[] = {"controller.example", "127.0.0.1", "::1", NULL};
	char serial[VW_SERIAL_MAX];
	struct vw_bytes der;
	struct vw_key *key;
	struct vw_error err = VW_ERROR_INIT;
	struct vw_certificate_order order = {.use = use,
					     .common_name = "a name for people",
					     .hosts = use == VW_USE_CONTROLLER ? hosts : NULL,
					     .not_before = NOON,
					     .not_after = NOON + DAY};
	static const char *const ids[] = {[VW_USE_AGENT] = AGENT_ID,
					  [VW_USE_CONTROLLER] = "spiffe://" DOMAIN "/controller",
					  [VW_USE_RECEIPTS] = "spiffe://" DOMAIN "/receipts"};
	if (use != VW_USE_CA)
		assert_ok(vw_spiffe_parse(ids[use], strlen(ids[use]), &order.id, &err), err);
	assert_ok(vw_key_generate(&key, &err), err);
	assert_ok(vw_key_public(key, arena, &order.public_key, &err), err);
	assert_ok(vw_certificate_issue(&order, ca->der, ca->key, arena, &der, serial, &err), err);
	if (out_key)
		*out_key = key;
	else
		vw_key_close(key);
	return der;
}
