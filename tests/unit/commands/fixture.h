/* fixture.h: a state folder with a ledger that a test writes entry by entry. */
#ifndef TEST_COMMANDS_FIXTURE_H
#define TEST_COMMANDS_FIXTURE_H

#include "proto/model.h"
#include "storage/store.h"

/* What of a version matters to the commands; NULL and 0 are left out. */
struct fixture_version {
	const char *workspace, *model, *number, *stage, *owner;
	const char *completeness; /* "partial" with one reason */
	const char *reason;
	const char *changed;      /* one field's name */
	const char *events[3][3]; /* field, from, to */
	struct {
		const char *rule, *message;
		vw_severity severity;
		vw_finding_state state;
	} findings[5]; /* ends with a NULL rule */
};

extern struct vw_store *fixture_store;
extern char fixture_folder[];

int fixture_open(void **state); /* for cmocka_unit_test_setup_teardown */
int fixture_close(void **state);
/* Closes the store, so that a command can open it by itself. */
void fixture_release(void);

/* `at`: ms, the time of the entry. */
void fixture_put(const struct fixture_version *version, int64_t at);
void fixture_remove(const char *model, const char *number, const char *stage, int64_t at);
void fixture_audit(vw_audit_kind kind, const char *subject, const char *text, const char *from, const char *to,
		   int64_t at);
void fixture_finish(const char *outcome, int64_t created, int64_t at);

#endif
