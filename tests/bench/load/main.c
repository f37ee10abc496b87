/* main.c: many simulated agents against one controller; prints what it measured as JSON.
 *
 *	load prepare --store URL --authority FOLDER --trust-domain D --agents N [--organizations K] --file F
 *	load run --file F --connect HOST:PORT --mode connect|idle|send|answer [--agents N] [--seconds S] [--entries N] [--batch N] [--rate N]
 *
 * prepare: in a store and authority that vw-controller init made, while the controller does not run (the embedded store is one process'). Modes: connect all and end; hold on, with heartbeats, for so long;
 * send so many entries of 2 KB each; wait for so long for a command each, and answer it. */
#include "load.h"

#include "base/json.h"
#include "base/limits.h"

#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#define EVENTS 512

void load_fail(const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	fprintf(stderr, "load: ");
	vfprintf(stderr, fmt, ap);
	fprintf(stderr, "\n");
	va_end(ap);
	exit(1);
}

/* ---- Samples ---- */

void samples_add(struct load_samples *samples, double value)
{
	if (samples->count == samples->size) {
		samples->size = samples->size == 0 ? 1024 : 2 * samples->size;
		samples->values = realloc(samples->values, samples->size * sizeof(double));
		if (!samples->values)
			load_fail("no memory");
	}
	samples->values[samples->count++] = value;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

double samples_at(struct load_samples *samples, double part)
{
	if (samples->count == 0)
		return 0;
	qsort(samples->values, samples->count, sizeof(double), compare);
	return samples->values[(size_t)(part * (double)(samples->count - 1))];
}

/* ---- The loop ---- */

static bool is_over(const struct load_run *run, double now)
{
	size_t gone = run->failed + run->lost;
	if (run->started < run->count)
		return false;
	if (run->mode == LOAD_CONNECT)
		return run->welcomed + run->failed >= run->count;
	if (run->mode == LOAD_SEND || run->mode == LOAD_ANSWER)
		return run->done + gone >= run->count || now - run->begun > run->seconds;
	return now - run->begun > run->seconds;
}

static void start_some(struct load_run *run, double now)
{
	size_t due = run->rate > 0 ? (size_t)((now - run->begun) * run->rate) + 1 : run->started + 64;
	while (run->started < run->count && run->started < due)
		agent_start(&run->agents[run->started]);
}

static void go(struct load_run *run)
{
	struct epoll_event events[EVENTS];
	double ticked = 0;
	run->begun = load_now();
	for (double now = run->begun; !is_over(run, now); now = load_now()) {
		start_some(run, now);
		int count = epoll_wait(run->epoll, events, EVENTS, run->started < run->count ? 1 : 100);
		for (int i = 0; i < count; i++) {
			struct load_agent *agent = events[i].data.ptr;
			if (agent->open)
				agent_move(agent);
		}
		if (now - ticked < 0.5)
			continue;
		ticked = now;
		for (size_t i = 0; i < run->started; i++)
			agent_tick(&run->agents[i], now);
	}
}

/* ---- Numbers ---- */

static void put(struct vw_json_writer *w, const char *key, double value)
{
	vw_json_key(w, key);
	vw_json_put_double(w, value);
}

static void put_count(struct vw_json_writer *w, const char *key, uint64_t value)
{
	vw_json_key(w, key);
	vw_json_put_uint64(w, value);
}

static void put_samples(struct vw_json_writer *w, const char *key, struct load_samples *samples)
{
	vw_json_key(w, key);
	vw_json_begin_object(w);
	put_count(w, "count", samples->count);
	put(w, "p50", samples_at(samples, 0.5));
	put(w, "p99", samples_at(samples, 0.99));
	put(w, "max", samples_at(samples, 1));
	vw_json_end_object(w);
}

static void print(struct load_run *run, double ended)
{
	struct vw_buffer out;
	struct vw_json_writer w;
	struct rusage usage;
	vw_buffer_init(&out, 0);
	vw_json_writer_init(&w, &out, true);
	getrusage(RUSAGE_SELF, &usage);
	vw_json_begin_object(&w);
	put_count(&w, "agents", run->count);
	put_count(&w, "welcomed", run->welcomed);
	put_count(&w, "failed", run->failed);
	put_count(&w, "lost", run->lost);
	put_count(&w, "rejected", run->rejected);
	put_count(&w, "done", run->done);
	put(&w, "seconds", ended - run->begun);
	put(&w, "seconds_to_welcome_all", run->all_welcomed_at > 0 ? run->all_welcomed_at - run->begun : 0);
	put_samples(&w, "welcome_ms", &run->welcome_ms);
	put_count(&w, "entries_sent", run->entries_sent);
	put_count(&w, "entries_acknowledged", run->entries_acknowledged);
	put_count(&w, "payload_bytes", run->bytes_sent);
	put_count(&w, "receipts", run->receipts);
	if (run->all_welcomed_at > 0 && run->mode == LOAD_SEND)
		put(&w, "entries_per_second", (double)run->entries_acknowledged / (ended - run->all_welcomed_at));
	put_samples(&w, "acknowledge_ms", &run->acknowledge_ms);
	put_count(&w, "commands", run->commands);
	put_samples(&w, "command_ms", &run->command_ms);
	put(&w, "own_cpu_seconds",
	    (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
		(double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6);
	vw_json_end_object(&w);
	printf("%s\n", vw_buffer_text(&out));
	vw_buffer_reset(&out);
}

/* ---- Options ---- */

static SSL_CTX *make_context(const struct load_fleet *fleet)
{
	SSL_CTX *context = SSL_CTX_new(TLS_client_method());
	SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION);
	SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
				      SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
	X509_STORE_add_cert(SSL_CTX_get_cert_store(context), fleet->authority);
	if (SSL_CTX_set_alpn_protos(context, (const unsigned char *)"\2h2", 3) != 0)
		load_fail("no ALPN");
	return context;
}

static void raise_files(void)
{
	struct rlimit limit;
	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

static int run_load(struct load_run *run, const char *file, char *address)
{
	static struct load_fleet fleet;
	char *colon = address ? strrchr(address, ':') : NULL;
	if (!file || !colon)
		load_fail("run needs --file and --connect HOST:PORT");
	*colon = 0;
	run->host = address;
	run->port = colon + 1;
	raise_files();
	signal(SIGPIPE, SIG_IGN);
	load_read(file, &fleet);
	run->fleet = &fleet;
	run->count = run->count == 0 || run->count > fleet.count ? fleet.count : run->count;
	run->context = make_context(&fleet);
	run->epoll = epoll_create1(EPOLL_CLOEXEC);
	run->agents = calloc(run->count, sizeof(*run->agents));
	run->arena = vw_arena_open(0);
	run->scratch = vw_arena_open(0);
	if (!run->agents || !run->arena || !run->scratch)
		load_fail("no memory");
	for (size_t i = 0; i < run->count; i++) {
		run->agents[i].run = run;
		run->agents[i].identity = &fleet.agents[i];
	}
	go(run);
	print(run, load_now());
	return run->failed + run->lost + run->rejected > 0;
}

static enum load_mode mode_of(const char *word)
{
	static const char *const words[] = {"connect", "idle", "send", "answer"};
	for (int i = 0; i < 4; i++) {
		if (strcmp(words[i], word) == 0)
			return (enum load_mode)i;
	}
	load_fail("no such mode: %s", word);
}

int main(int argc, char **argv)
{
	enum {
		STORE = 1,
		AUTHORITY,
		DOMAIN,
		FILE_,
		AGENTS,
		ORGANIZATIONS,
		CONNECT,
		MODE,
		SECONDS,
		ENTRIES,
		BATCH,
		RATE
	};
	static const struct option options[] = {{"store", 1, NULL, STORE},
						{"authority", 1, NULL, AUTHORITY},
						{"trust-domain", 1, NULL, DOMAIN},
						{"file", 1, NULL, FILE_},
						{"agents", 1, NULL, AGENTS},
						{"organizations", 1, NULL, ORGANIZATIONS},
						{"connect", 1, NULL, CONNECT},
						{"mode", 1, NULL, MODE},
						{"seconds", 1, NULL, SECONDS},
						{"entries", 1, NULL, ENTRIES},
						{"batch", 1, NULL, BATCH},
						{"rate", 1, NULL, RATE},
						{NULL, 0, NULL, 0}};
	struct load_order order = {.organizations = 1, .agents = 100};
	struct load_run run = {.batch = 256, .seconds = 60};
	char *address = NULL;
	int option;
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case STORE:
			order.store = optarg;
			break;
		case AUTHORITY:
			order.authority = optarg;
			break;
		case DOMAIN:
			order.trust_domain = optarg;
			break;
		case FILE_:
			order.file = optarg;
			break;
		case AGENTS:
			order.agents = run.count = strtoul(optarg, NULL, 10);
			break;
		case ORGANIZATIONS:
			order.organizations = strtoul(optarg, NULL, 10);
			break;
		case CONNECT:
			address = optarg;
			break;
		case MODE:
			run.mode = mode_of(optarg);
			break;
		case SECONDS:
			run.seconds = strtod(optarg, NULL);
			break;
		case ENTRIES:
			run.entries = strtoull(optarg, NULL, 10);
			break;
		case BATCH:
			run.batch = strtoul(optarg, NULL, 10);
			break;
		case RATE:
			run.rate = strtod(optarg, NULL);
			break;
		default:
			return 2;
		}
	}
	if (run.batch == 0 || run.batch > VW_MAX_BATCH_ENTRIES || order.organizations == 0 || order.agents == 0)
		load_fail("a number is out of range");
	if (optind + 1 == argc && strcmp(argv[optind], "run") == 0)
		return run_load(&run, order.file, address);
	if (optind + 1 != argc || strcmp(argv[optind], "prepare") != 0 || !order.store || !order.authority ||
	    !order.trust_domain || !order.file)
		load_fail(
		    "prepare --store --authority --trust-domain --agents --file, or run --file --connect --mode");
	load_prepare(&order);
	return 0;
}
