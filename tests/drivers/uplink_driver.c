/* uplink_driver.c: an enrolled state folder's uplink alone, steered line by line on standard input; each line is answered by one line.
 *
 *	append COUNT BYTES     that many audit entries, each with a text of so many bytes
 *	wake | look | health N | next | finish ID STATE TEXT | progress ID DONE TOTAL TEXT | quit
 */
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "proto/message.h"
#include "uplink/uplink.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct driver {
	struct vw_store *store;
	struct vw_uplink *uplink;
	struct vw_arena *arena;
};

/* ---- the ledger ---- */

struct append {
	struct vw_store *store;
	struct vw_arena *arena;
	long count;
	char *text;
};

static int append_step(struct vw_txn *txn, void *arg, struct vw_error *err)
{
	struct append *a = arg;
	int code = 0;
	for (long i = 0; i < a->count && code == 0; i++) {
		vw_entry entry = VERIFYWISE__V1__ENTRY__INIT;
		vw_audit audit = VERIFYWISE__V1__AUDIT__INIT;
		VW_SET(&entry, recorded_at, vw_clock_now());
		VW_SET(&audit, kind, VW_AUDIT_CONFIG_CHANGED);
		audit.text = a->text;
		entry.body_case = VERIFYWISE__V1__ENTRY__BODY_AUDIT;
		entry.audit = &audit;
		vw_arena_reset(a->arena);
		code = vw_store_append(txn, a->store, a->arena, &entry, NULL, NULL, err);
	}
	return code;
}

static int append(struct driver *d, long count, long bytes, struct vw_error *err)
{
	struct append a = {.store = d->store, .arena = vw_arena_open(0), .count = count};
	a.text = malloc((size_t)bytes + 1);
	if (!a.arena || !a.text)
		abort();
	memset(a.text, 'x', (size_t)bytes);
	a.text[bytes] = '\0';
	int code = vw_kv_write(vw_store_kv(d->store), append_step, &a, err);
	free(a.text);
	vw_arena_close(a.arena);
	return code;
}

/* ---- answers ---- */

static void say(const struct vw_buffer *line)
{
	puts(vw_buffer_text(line));
	fflush(stdout);
}

static void say_code(int code, const struct vw_error *err)
{
	struct vw_buffer line;
	struct vw_json_writer w;
	vw_buffer_init(&line, 0);
	vw_json_writer_init(&w, &line, false);
	vw_json_begin_object(&w);
	vw_json_key(&w, "code");
	vw_json_put_int64(&w, code);
	vw_json_key(&w, "error");
	vw_json_put_text(&w, code < 0 ? err->message : NULL);
	vw_json_end_object(&w);
	say(&line);
	vw_buffer_reset(&line);
}

static void put(struct vw_json_writer *w, const char *key, int64_t value)
{
	vw_json_key(w, key);
	vw_json_put_int64(w, value);
}

static void look(struct driver *d)
{
	static const char *const phases[] = {"idle", "connecting", "connected", "waiting", "refused"};
	struct vw_uplink_status s;
	struct vw_buffer line;
	struct vw_json_writer w;
	vw_uplink_look(d->uplink, &s);
	vw_buffer_init(&line, 0);
	vw_json_writer_init(&w, &line, false);
	vw_json_begin_object(&w);
	vw_json_key(&w, "phase");
	vw_json_put_text(&w, phases[s.phase]);
	vw_json_key(&w, "error");
	vw_json_put_text(&w, s.last_error.code < 0 ? s.last_error.message : NULL);
	put(&w, "wait_ms", s.next_attempt_at ? s.next_attempt_at - vw_clock_now() : 0);
	put(&w, "last", (int64_t)s.last_sequence);
	put(&w, "sent", (int64_t)s.sent_sequence);
	put(&w, "acknowledged", (int64_t)s.acknowledged_sequence);
	put(&w, "not_after", s.certificate_not_after);
	put(&w, "clock_offset_ms", s.clock_offset_ms);
	put(&w, "rejection", s.rejection);
	put(&w, "connects", (int64_t)s.connects);
	put(&w, "batches", (int64_t)s.batches);
	put(&w, "entries_sent", (int64_t)s.entries_sent);
	put(&w, "receipts", (int64_t)s.receipts);
	put(&w, "duplicates_asked", (int64_t)s.duplicates_asked);
	vw_json_end_object(&w);
	say(&line);
	vw_buffer_reset(&line);
}

static void next(struct driver *d)
{
	struct vw_buffer line;
	struct vw_json_writer w;
	vw_arena_reset(d->arena);
	vw_command *command = vw_uplink_next_command(d->uplink, d->arena);
	vw_buffer_init(&line, 0);
	vw_json_writer_init(&w, &line, false);
	if (command)
		vw_message_json(&w, &command->base);
	else
		vw_json_put_null(&w);
	say(&line);
	vw_buffer_reset(&line);
}

/* ---- orders ---- */

static void finish(struct driver *d, const char *id, const char *state, const char *text)
{
	struct vw_error err = VW_ERROR_INIT;
	int value = 0;
	if (!vw_enum_value(&verifywise__v1__command_state__descriptor, state, &value))
		value = 0;
	int code = vw_uplink_command_finish(d->uplink, id, (vw_command_state)value, text,
					    (struct vw_bytes){"{\"by\":\"driver\"}", 15}, &err);
	say_code(code, &err);
}

static bool obey(struct driver *d, char *line)
{
	struct vw_error err = VW_ERROR_INIT;
	char id[160], word[32], text[400] = "";
	long a = 0, b = 0;
	if (sscanf(line, "append %ld %ld", &a, &b) == 2) {
		int code = append(d, a, b, &err);
		say_code(code, &err);
	} else if (strcmp(line, "wake") == 0) {
		vw_uplink_wake(d->uplink);
		say_code(0, &err);
	} else if (strcmp(line, "look") == 0) {
		look(d);
	} else if (strcmp(line, "next") == 0) {
		next(d);
	} else if (sscanf(line, "health %ld", &a) == 1) {
		vw_health health = VERIFYWISE__V1__HEALTH__INIT;
		VW_SET(&health, models, a);
		vw_uplink_set_health(d->uplink, &health);
		say_code(0, &err);
	} else if (sscanf(line, "finish %159s %31s %399[^\n]", id, word, text) >= 2) {
		finish(d, id, word, text);
	} else if (sscanf(line, "progress %159s %ld %ld %399[^\n]", id, &a, &b, text) >= 3) {
		vw_uplink_command_progress(d->uplink, id, text, a, b);
		say_code(0, &err);
	} else {
		return false;
	}
	return true;
}

/* uplink_driver STATE TIMEOUT_MS SECRETS(0|1) [REFUSED_KIND...] */
int main(int argc, char **argv)
{
	struct vw_error err = VW_ERROR_INIT;
	struct driver d = {.arena = vw_arena_open(0)};
	char line[1024];
	if (argc < 4)
		return 2;
	vw_log_setup(VW_LOG_DEBUG, VW_LOG_TEXT);
	if (vw_store_open(argv[1], VW_KV_WRITE, &d.store, &err) < 0) {
		say_code(err.code, &err);
		return 1;
	}
	struct vw_uplink_settings settings = {
	    .store = d.store,
	    .state_dir = argv[1],
	    .agent_version = "0.1.0-driver",
	    .source_uri = "http://user:hidden@mlflow.example.org:5000",
	    .route = {.connect_timeout_ms = atol(argv[2]), .request_timeout_ms = atol(argv[2])},
	    .refuses = (const char *const *)(argv + 4),
	    .secrets = argv[3][0] == '1'};
	if (vw_uplink_start(&settings, &d.uplink, &err) < 0) {
		say_code(err.code, &err);
		vw_store_close(d.store);
		return 1;
	}
	while (fgets(line, sizeof(line), stdin)) {
		line[strcspn(line, "\n")] = '\0';
		if (!obey(&d, line))
			break;
	}
	vw_uplink_stop(d.uplink);
	vw_store_close(d.store);
	vw_arena_close(d.arena);
	return 0;
}
