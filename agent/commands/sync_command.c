/* sync_command.c: `sync` and `evaluate`. */
#include "source.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/text.h"
#include "proto/message.h"

#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define PROGRESS_TERMINAL_MS 100
#define PROGRESS_PLAIN_MS    10000

struct meter {
	bool terminal;
	bool drawn;
	int64_t last;
	const char *step;
};

static void describe(const struct vw_progress *p, struct vw_buffer *out)
{
	double seconds = (double)p->elapsed_ms / 1000.0;
	vw_text_append_safe(out, p->workspace ? p->workspace : "");
	vw_buffer_printf(out, "%s%s %lld", p->workspace ? ": " : "", p->step, (long long)p->done);
	if (p->total >= 0)
		vw_buffer_printf(out, "/%lld", (long long)p->total);
	if (p->pages > 0)
		vw_buffer_printf(out, ", %lld pages, %lld runs", (long long)p->pages, (long long)p->runs);
	vw_buffer_printf(out, ", %lld requests", (long long)p->requests);
	if (seconds > 0.5)
		vw_buffer_printf(out, ", %.0f/s", (double)p->done / seconds);
	if (p->total > p->done && p->done > 0)
		vw_buffer_printf(out, ", %.0f s left", seconds * (double)(p->total - p->done) / (double)p->done);
}

/* One line that the next one overwrites, so it must not be wider than the terminal. */
static void draw_over(const struct vw_buffer *line)
{
	struct winsize size;
	struct vw_buffer cut;
	size_t columns = ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
	vw_buffer_init(&cut, 0);
	if (vw_text_columns(vw_buffer_text(line)) >= columns)
		vw_text_append_cell(&cut, vw_buffer_text(line), columns - 1);
	fprintf(stderr, "\r\033[K%s", vw_buffer_text(cut.len > 0 ? &cut : line));
	vw_buffer_reset(&cut);
}

static void draw(const struct vw_progress *p, void *arg)
{
	struct meter *meter = arg;
	struct vw_buffer line;
	int64_t now = vw_clock_monotonic();
	bool due = now - meter->last >= (meter->terminal ? PROGRESS_TERMINAL_MS : PROGRESS_PLAIN_MS);
	if (!due && !(meter->terminal && meter->step != p->step))
		return;
	meter->last = now;
	meter->step = p->step;
	vw_buffer_init(&line, 0);
	describe(p, &line);
	if (meter->terminal)
		draw_over(&line);
	else
		fprintf(stderr, "%s\n", vw_buffer_text(&line));
	vw_buffer_reset(&line);
	meter->drawn = meter->terminal;
	fflush(stderr);
}

static void meter_end(struct meter *meter)
{
	if (meter->drawn)
		fputs("\r\033[K", stderr);
	meter->drawn = false;
}

static void print_summary(const struct vw_sync_result *r)
{
	const vw_sync_counts *c = &r->counts;
	static const char *const outcomes[] = {"ok", "partial", "failed", "cancelled"};
	printf("%lld versions of %lld models: %lld new, %lld changed, %lld unchanged, %lld removed",
	       (long long)c->versions, (long long)c->models, (long long)c->created, (long long)c->updated,
	       (long long)c->unchanged, (long long)c->removed);
	if (c->reevaluated)
		printf(", %lld judged anew", (long long)c->reevaluated);
	if (c->incomplete)
		printf(", %lld incomplete", (long long)c->incomplete);
	if (c->skipped)
		printf(", %lld could not be recorded (see audit list --kind incomplete)", (long long)c->skipped);
	if (c->models_excluded || c->versions_excluded)
		printf("\nleft out by configuration: %lld models, %lld versions", (long long)c->models_excluded,
		       (long long)c->versions_excluded);
	if (c->prompts)
		printf("\nleft out: %lld prompts (not models)", (long long)c->prompts);
	printf("\n%s in %.1f s, %lld requests, %.1f MB received\n", outcomes[r->outcome],
	       (double)r->duration_ms / 1000.0, (long long)c->requests, (double)c->bytes_received / 1e6);
}

static int print_json(const struct vw_sync_result *r)
{
	static const char *const outcomes[] = {"ok", "partial", "failed", "cancelled"};
	struct vw_buffer out;
	struct vw_json_writer w;
	vw_buffer_init(&out, 0);
	vw_json_writer_init(&w, &out, true);
	vw_json_begin_object(&w);
	vw_json_key(&w, "sync_id");
	vw_json_put_text(&w, r->sync_id);
	vw_json_key(&w, "outcome");
	vw_json_put_text(&w, outcomes[r->outcome]);
	vw_json_key(&w, "reason");
	vw_json_put_text(&w, r->outcome == VW_SYNC_OK ? NULL : r->reason.message);
	vw_json_key(&w, "duration_ms");
	vw_json_put_int64(&w, r->duration_ms);
	vw_json_key(&w, "counts");
	vw_message_json(&w, &r->counts.base);
	vw_json_end_object(&w);
	printf("%s\n", vw_buffer_text(&out));
	vw_buffer_reset(&out);
	return EXIT_OK;
}

static int report(const struct vw_cli_invocation *in, const struct vw_sync_result *result, int code,
		  const struct vw_error *err)
{
	if (strcmp(vw_cli_value(in, "format"), "json") == 0)
		print_json(result);
	else
		print_summary(result);
	if (code < 0) {
		fflush(stdout);
		return report_error(err);
	}
	if (result->outcome != VW_SYNC_SUSPECT)
		return EXIT_OK;
	fflush(stdout);
	report_error(&result->reason);
	return EXIT_SUSPECT;
}

int run_sync(struct vw_cli_invocation *in)
{
	struct session session;
	struct source source;
	struct vw_error err = VW_ERROR_INIT;
	struct vw_sync_result result;
	if (vw_cli_given(in, "quick") && vw_cli_given(in, "full")) {
		fputs("vw-agent: --quick and --full exclude each other\n", stderr);
		return EXIT_USAGE;
	}
	int code = session_open(in, VW_KV_WRITE, &session);
	if (code != EXIT_OK)
		return code;
	code = source_open(&session, true, &source, &err);
	if (code < 0) {
		session_close(&session);
		return report_error(&err);
	}
	struct meter meter = {.terminal = isatty(STDERR_FILENO), .last = vw_clock_monotonic()};
	source.context.progress = draw;
	source.context.progress_arg = &meter;
	struct vw_sync_options options = {.depth = vw_cli_given(in, "quick") ? VW_DEPTH_QUICK : VW_DEPTH_FULL,
					  .model = vw_cli_value(in, "model"),
					  .accept_empty = vw_cli_given(in, "accept-empty"),
					  .accept_source = vw_cli_given(in, "accept-source"),
					  .connections = session.config->mlflow.connections};
	code = vw_sync_run(&source.context, &options, &result, &err);
	meter_end(&meter);
	code = report(in, &result, code, &err);
	source_close(&source);
	session_close(&session);
	return code;
}

int run_evaluate(struct vw_cli_invocation *in)
{
	struct session session;
	struct source source;
	struct vw_error err = VW_ERROR_INIT;
	struct vw_sync_result result;
	int code = session_open(in, VW_KV_WRITE, &session);
	if (code != EXIT_OK)
		return code;
	code = source_open(&session, false, &source, &err);
	if (code == 0)
		code = vw_sync_reevaluate(&source.context, &result, &err);
	if (code == 0)
		printf("policy %s version %lld: the findings of %lld versions changed\n", vw_policy_id(source.policy),
		       (long long)vw_policy_version(source.policy), (long long)result.counts.reevaluated);
	source_close(&source);
	session_close(&session);
	return code < 0 ? report_error(&err) : EXIT_OK;
}
