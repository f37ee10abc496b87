#include "fixture.h"

#include "base/digest.h"
#include "proto/message.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

char *make_dir(void)
{
	const char *root = getenv("TMPDIR");
	char path[PATH_MAX];
	if (!root)
		root = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
	snprintf(path, sizeof(path), "%s/vw-storage-XXXXXX", root);
	assert_non_null(mkdtemp(path));
	return strdup(path);
}

char *path_in(const char *dir, const char *name)
{
	char path[PATH_MAX];
	assert_true(snprintf(path, sizeof(path), "%s/%s", dir, name) < PATH_MAX);
	return strdup(path);
}

void drop_dir(char *dir)
{
	DIR *d = opendir(dir);
	assert_non_null(d);
	for (struct dirent *e; (e = readdir(d));) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		char *path = path_in(dir, e->d_name);
		if (e->d_type == DT_DIR)
			drop_dir(path);
		else {
			assert_int_equal(unlink(path), 0);
			free(path);
		}
	}
	closedir(d);
	assert_int_equal(rmdir(dir), 0);
	free(dir);
}

static void run_child(int (*step)(void *arg), void *arg, int said)
{
	/* the default ending, not the test runner's handlers */
	const int signals[] = {SIGSEGV, SIGBUS, SIGABRT, SIGILL, SIGFPE, SIGALRM};
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		signal(signals[i], SIG_DFL);
	dup2(said, STDERR_FILENO);
	_exit(step(arg));
}

struct ending in_child(int (*step)(void *arg), void *arg)
{
	struct ending end = {.exit_code = -1};
	int fds[2], status;
	assert_int_equal(pipe(fds), 0);
	fflush(NULL);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		run_child(step, arg, fds[1]);
	close(fds[1]);
	size_t len = 0;
	for (ssize_t n; len < sizeof(end.said) - 1; len += (size_t)n)
		if ((n = read(fds[0], end.said + len, sizeof(end.said) - 1 - len)) <= 0)
			break;
	close(fds[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status))
		end.exit_code = WEXITSTATUS(status);
	else
		end.signal = WTERMSIG(status);
	return end;
}

int read_whole_store(void *arg)
{
	struct vw_error err = VW_ERROR_INIT;
	struct vw_store *store;
	struct vw_ledger_check check;
	STEP(vw_store_open(arg, VW_KV_READ, &store, &err) == 0);
	STEP(vw_store_verify(store, &check, NULL, NULL, &err) == 0);
	STEP(check.first_bad == 0 && check.entries > 0);
	vw_store_close(store);
	return 0;
}

void read_bytes(const char *path, uint8_t **out, size_t *out_len)
{
	struct stat st;
	FILE *f = fopen(path, "rb");
	assert_non_null(f);
	assert_int_equal(fstat(fileno(f), &st), 0);
	*out_len = (size_t)st.st_size;
	*out = malloc(*out_len + 1);
	assert_non_null(*out);
	assert_int_equal(fread(*out, 1, *out_len, f), *out_len);
	fclose(f);
}

void write_bytes(const char *path, const uint8_t *bytes, size_t len)
{
	FILE *f = fopen(path, "wb");
	assert_non_null(f);
	assert_int_equal(fwrite(bytes, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(chmod(path, 0600), 0);
}

void copy_store(const char *from, const char *to)
{
	static const char *const names[] = {"data.mdb", "last-commit"};
	for (size_t i = 0; i < 2; i++) {
		char *source = path_in(from, names[i]), *target = path_in(to, names[i]);
		uint8_t *bytes;
		size_t len;
		read_bytes(source, &bytes, &len);
		write_bytes(target, bytes, len);
		free(bytes);
		free(source);
		free(target);
	}
}

/* ---- Entries ---- */

static char *padding(struct vw_arena *arena, size_t len)
{
	char *out = vw_arena_alloc(arena, len + 1);
	for (size_t i = 0; i < len; i++)
		out[i] = (char)('a' + i % 26);
	return out;
}

static void fill_record(struct vw_arena *arena, const struct seen *seen, vw_record *record)
{
	vw_identity *identity = vw_message_new(arena, &verifywise__v1__identity__descriptor);
	vw_lifecycle *lifecycle = vw_message_new(arena, &verifywise__v1__lifecycle__descriptor);
	verifywise__v1__record__init(record);
	record->workspace = (char *)seen->workspace;
	record->model_name = (char *)seen->model;
	record->version_number = (char *)seen->version;
	record->identity = identity;
	record->lifecycle = lifecycle;
	identity->owner = (char *)seen->owner;
	identity->description = seen->padding ? padding(arena, seen->padding) : NULL;
	VW_SET(lifecycle, created_at, seen->at);
}

int append_version(struct vw_txn *txn, struct vw_store *store, const struct seen *seen, uint64_t *out_sequence,
		   struct vw_error *err)
{
	struct vw_arena *arena = vw_arena_open(0);
	vw_record record;
	uint8_t sha256[VW_SHA256_SIZE];
	size_t len;
	fill_record(arena, seen, &record);
	uint8_t *bytes = vw_message_pack(arena, &record.base, &len);
	vw_sha256_of(bytes, len, sha256);
	vw_version_recorded body = VERIFYWISE__V1__VERSION_RECORDED__INIT;
	vw_compliance compliance = VERIFYWISE__V1__COMPLIANCE__INIT;
	VW_SET(&compliance, status, VW_COMPLIANCE_GAPS);
	body.compliance = &compliance;
	VW_SET_BYTES(&body, record, bytes, len);
	VW_SET_BYTES(&body, record_sha256, sha256, sizeof(sha256));
	VW_SET(&body, first_seen_at, seen->at);
	VW_SET(&body, life, seen->life ? seen->life : 1);
	vw_entry entry = VERIFYWISE__V1__ENTRY__INIT;
	VW_SET(&entry, recorded_at, seen->at);
	entry.body_case = VERIFYWISE__V1__ENTRY__BODY_VERSION;
	entry.version = &body;
	int rc = vw_store_append(txn, store, arena, &entry, &record, out_sequence, err);
	vw_arena_close(arena);
	return rc;
}

int append_audit(struct vw_txn *txn, struct vw_store *store, const char *said, struct vw_error *err)
{
	struct vw_arena *arena = vw_arena_open(0);
	vw_audit audit = VERIFYWISE__V1__AUDIT__INIT;
	vw_entry entry = VERIFYWISE__V1__ENTRY__INIT;
	VW_SET(&audit, kind, VW_AUDIT_SYNC_STARTED);
	audit.text = (char *)said;
	entry.body_case = VERIFYWISE__V1__ENTRY__BODY_AUDIT;
	entry.audit = &audit;
	int rc = vw_store_append(txn, store, arena, &entry, NULL, NULL, err);
	vw_arena_close(arena);
	return rc;
}

struct job {
	struct vw_store *store;
	const struct seen *seen;
	const char *said;
	const vw_entry *entry;
	int first, count;
	size_t padding;
	uint64_t sequence;
};

static int version_step(struct vw_txn *txn, void *arg, struct vw_error *err)
{
	struct job *job = arg;
	return append_version(txn, job->store, job->seen, &job->sequence, err);
}

static int audit_step(struct vw_txn *txn, void *arg, struct vw_error *err)
{
	struct job *job = arg;
	struct vw_ledger_head head;
	int rc = append_audit(txn, job->store, job->said, err);
	if (rc == 0)
		rc = vw_store_head(txn, &head, err);
	job->sequence = rc == 0 ? head.sequence : 0;
	return rc;
}

static int removal_step(struct vw_txn *txn, void *arg, struct vw_error *err)
{
	struct job *job = arg;
	struct vw_arena *arena = vw_arena_open(0);
	int rc = vw_store_append(txn, job->store, arena, job->entry, NULL, &job->sequence, err);
	vw_arena_close(arena);
	return rc;
}

static int many_step(struct vw_txn *txn, void *arg, struct vw_error *err)
{
	struct job *job = arg;
	for (int i = 0; i < job->count; i++) {
		char number[16];
		snprintf(number, sizeof(number), "%d", job->first + i);
		struct seen seen = {
		    .model = job->said, .version = number, .owner = "o", .padding = job->padding, .at = 7};
		int rc = append_version(txn, job->store, &seen, NULL, err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static uint64_t run(struct job *job, int (*step)(struct vw_txn *, void *, struct vw_error *))
{
	struct vw_error err = VW_ERROR_INIT;
	assert_ok(vw_kv_write(vw_store_kv(job->store), step, job, &err), err);
	return job->sequence;
}

uint64_t record_version(struct vw_store *store, const struct seen *seen)
{
	struct job job = {.store = store, .seen = seen};
	return run(&job, version_step);
}

uint64_t record_audit(struct vw_store *store, const char *said)
{
	struct job job = {.store = store, .said = said};
	return run(&job, audit_step);
}

uint64_t record_removal(struct vw_store *store, const char *workspace, const char *model, const char *version,
			int64_t at)
{
	vw_version_removed body = VERIFYWISE__V1__VERSION_REMOVED__INIT;
	vw_entry entry = VERIFYWISE__V1__ENTRY__INIT;
	body.workspace = (char *)workspace;
	body.model_name = (char *)model;
	body.version_number = (char *)version;
	VW_SET(&entry, recorded_at, at);
	entry.body_case = VERIFYWISE__V1__ENTRY__BODY_REMOVAL;
	entry.removal = &body;
	struct job job = {.store = store, .entry = &entry};
	return run(&job, removal_step);
}

void record_many(struct vw_store *store, const char *model, int first, int count, size_t padding)
{
	struct job job = {.store = store, .said = model, .first = first, .count = count, .padding = padding};
	run(&job, many_step);
}

/* ---- Reading everything ---- */

struct digesting {
	struct vw_sha256 sha;
	struct vw_txn *txn;
};

static void add_message(struct digesting *d, struct vw_arena *arena, const ProtobufCMessage *message)
{
	size_t len;
	const uint8_t *bytes = vw_message_pack(arena, message, &len);
	vw_sha256_update(&d->sha, bytes, len);
}

static int add_version(const vw_version_index *index, struct vw_arena *arena, void *arg, struct vw_error *err)
{
	struct digesting *d = arg;
	vw_version_index *found;
	add_message(d, arena, &index->base);
	/* an index that can be walked to but not looked up would be a wrong answer */
	return vw_store_version(d->txn, arena, index->workspace, index->model_name, index->version_number, &found,
				err);
}

static int add_model(const char *workspace, const vw_registered_model *model, struct vw_arena *arena, void *arg,
		     struct vw_error *err)
{
	struct digesting *d = arg;
	vw_registered_model *found;
	vw_sha256_update(&d->sha, workspace, strlen(workspace));
	add_message(d, arena, &model->base);
	return vw_store_model(d->txn, arena, workspace, model->name, &found, err);
}

static int add_entry(uint64_t sequence, const vw_entry *entry, struct vw_arena *arena, void *arg,
		     struct vw_error *err)
{
	struct digesting *d = arg;
	struct vw_bytes payload;
	const uint8_t *hash;
	(void)entry;
	(void)arena;
	int rc = vw_store_entry_bytes(d->txn, sequence, &payload, &hash, err);
	if (rc < 0)
		return rc;
	vw_sha256_update(&d->sha, payload.data, payload.len);
	vw_sha256_update(&d->sha, hash, VW_LEDGER_HASH);
	return 0;
}

static int digest_all(struct digesting *d, struct vw_error *err)
{
	static const unsigned kinds[] = {VW_LEDGER_ALL, VW_LEDGER_VERSION, VW_LEDGER_REMOVAL, VW_LEDGER_AUDIT};
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < 4; i++)
		rc = vw_store_each_entry(d->txn, kinds[i], 0, i % 2, add_entry, d, err);
	if (rc == 0)
		rc = vw_store_each_version(d->txn, true, add_version, d, err);
	return rc == 0 ? vw_store_each_model(d->txn, add_model, d, err) : rc;
}

int digest_store(struct vw_store *store, uint8_t out[32], struct vw_error *err)
{
	struct digesting d;
	struct vw_arena *arena = vw_arena_open(0);
	vw_sync_state *state;
	int rc = vw_txn_begin_read(vw_store_kv(store), &d.txn, err);
	if (rc < 0) {
		vw_arena_close(arena);
		return rc;
	}
	vw_sha256_init(&d.sha);
	add_message(&d, arena, &vw_store_identity(store)->base);
	rc = vw_store_sync_state(d.txn, arena, &state, err);
	if (rc == 0) {
		add_message(&d, arena, &state->base);
		rc = digest_all(&d, err);
	}
	vw_sha256_final(&d.sha, out);
	vw_txn_end(d.txn);
	vw_arena_close(arena);
	return rc;
}

/* ---- For others to check ---- */

static void export_entries(struct vw_txn *view, uint64_t count, FILE *f)
{
	struct vw_error err = VW_ERROR_INIT;
	char hex[65];
	for (uint64_t n = 1; n <= count; n++) {
		struct vw_bytes payload;
		const uint8_t *hash;
		assert_ok(vw_store_entry_bytes(view, n, &payload, &hash, &err), err);
		char *base64 = malloc(4 * ((payload.len + 2) / 3) + 1);
		fprintf(f, "{\"sequence\":%d,\"payload\":\"%s\",\"chain_sha256\":\"%s\",\"entry\":{}}\n", (int)n,
			vw_base64_encode(payload.data, payload.len, base64), vw_hex_encode(hash, 32, hex));
		free(base64);
	}
}

static void export_store(struct vw_store *store, const char *path)
{
	struct vw_arena *arena = vw_arena_open(0);
	struct vw_error err = VW_ERROR_INIT;
	struct vw_ledger_head head;
	struct vw_txn *view;
	vw_agent_identity *id;
	char hex[65];
	FILE *f = fopen(path, "w");
	assert_ok(vw_txn_begin_read(vw_store_kv(store), &view, &err), err);
	assert_ok(vw_store_identity_now(view, arena, &id, &err), err);
	assert_ok(vw_store_head(view, &head, &err), err);
	fprintf(f, "{\"ledger\":\"%s\",\"organization\":\"%s\",\"agent\":\"%s\",\"epoch\":%d,", VW_LEDGER_DOMAIN,
		id->organization, id->agent_id, (int)id->epoch);
	fprintf(f, "\"genesis_agent\":\"%s\",", id->genesis_agent_id ? id->genesis_agent_id : id->agent_id);
	fprintf(f, "\"head\":{\"sequence\":%d,\"chain_sha256\":\"%s\"}}\n", (int)head.sequence,
		vw_hex_encode(head.hash, 32, hex));
	export_entries(view, head.sequence, f);
	vw_txn_end(view);
	vw_arena_close(arena);
	assert_int_equal(fclose(f), 0);
}

int python_verifies(struct vw_store *store)
{
	char *dir = make_dir(), *path = path_in(dir, "export.ndjson"), command[2 * PATH_MAX];
	export_store(store, path);
	snprintf(command, sizeof(command), "python3 %s/../../../../docs/verify_ledger.py %s >/dev/null 2>&1",
		 VW_TEST_DATA, path);
	int status = system(command);
	assert_true(status == 0 || status == 1 << 8);
	free(path);
	drop_dir(dir);
	return status >> 8;
}
