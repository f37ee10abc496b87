/* Cancelling and deadlines: within a second, each callback exactly once. */
#include "client_fixture.h"

#include "base/clock.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define GOOD "{\"experiment\":{\"experiment_id\":\"7\",\"name\":\"e\"}}"

static bool slow_answer(int fd, int n, const char *request)
{
	(void)n;
	(void)request;
	fault_sleep(30000);
	return fault_answer(fd, 200, "", GOOD);
}

/* ---- cancelling and deadlines ---- */

static volatile sig_atomic_t *cancelled_by_alarm;

static void on_alarm(int signal)
{
	(void)signal;
	*cancelled_by_alarm = 1;
}

static void note_and_ask_again(void *arg, const struct vw_mlflow_answer *answer)
{
	struct fixture *f = arg;
	fixture_note(arg, answer);
	/* a callback that does not look: nothing is queued any more */
	assert_int_equal(vw_mlflow_get_experiment(f->client, "7", fixture_note, f), VW_ECANCELLED);
}

static void cancelled_within_a_second(void **state)
{
	struct fixture *f = *state;
	fixture_start(f, slow_answer, (struct vw_mlflow_settings){.connections = 2});
	for (int i = 0; i < 10; i++)
		assert_int_equal(vw_mlflow_get_experiment(f->client, "7", note_and_ask_again, f), 0);
	cancelled_by_alarm = &f->cancel;
	signal(SIGALRM, on_alarm);
	alarm(1);
	int64_t before = vw_clock_monotonic();
	assert_int_equal(vw_mlflow_run(f->client, &f->err), VW_ECANCELLED);
	int64_t took = vw_clock_monotonic() - before;
	assert_true(took >= 900 && took < 2000);
	assert_int_equal(f->answers, 10); /* each exactly once */
	assert_int_equal(f->code, VW_ECANCELLED);
	/* and the client is good for another cycle */
	f->cancel = 0;
	assert_int_equal(vw_mlflow_run(f->client, &f->err), 0);
}

static void cancelled_while_it_waits_for_a_retry(void **state)
{
	struct fixture *f = *state;
	fixture_start(f, slow_answer, (struct vw_mlflow_settings){0});
	f->cancel = 1;
	assert_int_equal(vw_mlflow_get_experiment(f->client, "7", fixture_note, f), 0);
	assert_int_equal(vw_mlflow_run(f->client, &f->err), VW_ECANCELLED);
	assert_int_equal(f->answers, 1);
	assert_int_equal(fixture_requests(f), 0);
}

static bool always_busy(int fd, int n, const char *request)
{
	(void)n;
	(void)request;
	return fault_answer(fd, 503, "Retry-After: 3600\r\n", "later");
}

static void a_cycle_has_a_deadline(void **state)
{
	struct fixture *f = *state;
	fixture_start(f, always_busy, (struct vw_mlflow_settings){.cycle_timeout_ms = 700});
	vw_mlflow_begin_cycle(f->client);
	assert_int_equal(vw_mlflow_get_experiment(f->client, "7", fixture_note, f), 0);
	int64_t before = vw_clock_monotonic();
	assert_int_equal(vw_mlflow_run(f->client, &f->err), VW_ETIMEOUT);
	assert_true(vw_clock_monotonic() - before < 2000);
	assert_int_equal(f->code, VW_ETIMEOUT);
	assert_int_equal(f->answers, 1);
	assert_int_equal(fixture_requests(f), 1);
}

static void closing_with_calls_outstanding(void **state)
{
	struct fixture *f = *state;
	fixture_start(f, always_busy, (struct vw_mlflow_settings){0});
	for (int i = 0; i < 3; i++)
		assert_int_equal(vw_mlflow_get_experiment(f->client, "7", fixture_note, f), 0);
	vw_mlflow_close(f->client);
	f->client = NULL;
	assert_int_equal(f->answers, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    FIXTURE_TEST(cancelled_within_a_second),
	    FIXTURE_TEST(cancelled_while_it_waits_for_a_retry),
	    FIXTURE_TEST(a_cycle_has_a_deadline),
	    FIXTURE_TEST(closing_with_calls_outstanding),
	};
	fixture_forget_environment();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
