/* Server-sent events: what comes, to whom, and what becomes of those who were away. */
#include "cmocka_all.h"
#include "feed.h"

#include "base/clock.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static struct vw_api_feed *feed;
static const struct vw_principal anybody = {.organization = 1};

static int open_feed(void **state)
{
	struct vw_error err = VW_ERROR_INIT;
	(void)state;
	return feed_open(&feed, &err);
}

static int close_feed(void **state)
{
	(void)state;
	feed_close(feed);
	return 0;
}

static struct feed_listener *listen_as(const struct vw_principal *who, int32_t organization, const char *last_id)
{
	struct feed_listener *listener;
	struct vw_error err = VW_ERROR_INIT;
	assert_int_equal(feed_listen(feed, NULL, who, organization, last_id, &listener, &err), 0);
	return listener;
}

static void put(enum vw_change_kind kind, int32_t organization, const char *agent)
{
	struct vw_change change = {.kind = kind, .organization = organization};
	snprintf(change.agent_id, sizeof(change.agent_id), "%s", agent);
	feed_put(feed, &change);
}

/* One call's text, in a buffer of its own; "" when there was nothing. */
static const char *next(struct feed_listener *listener)
{
	static char text[64 * 1024];
	struct vw_buffer out;
	struct vw_error err = VW_ERROR_INIT;
	vw_buffer_init(&out, 0);
	assert_int_equal(feed_next(listener, &out, &err), 1);
	snprintf(text, sizeof(text), "%s", vw_buffer_text(&out));
	vw_buffer_reset(&out);
	return text;
}

static size_t count(const char *text, const char *word)
{
	size_t found = 0;
	for (; (text = strstr(text, word)); text += strlen(word))
		found++;
	return found;
}

/* The last id in a text. */
static void last_id(const char *text, char out[64])
{
	const char *at = NULL;
	for (const char *next_one = text; (next_one = strstr(next_one, "id: ")); next_one++)
		at = next_one;
	assert_non_null(at);
	snprintf(out, 64, "%.*s", (int)strcspn(at + 4, "\n"), at + 4);
}

static void greets_with_an_id(void **state)
{
	(void)state;
	struct feed_listener *listener = listen_as(&anybody, 1, NULL);
	const char *text = next(listener);
	assert_non_null(strstr(text, "retry: 2000\n"));
	assert_non_null(strstr(text, "\nevent: ready\ndata: {}\n\n"));
	feed_leave(listener);
}

static void tells_only_ones_own(void **state)
{
	(void)state;
	struct feed_listener *listener = listen_as(&anybody, 1, NULL);
	next(listener);
	put(VW_CHANGE_AGENT, 1, "a");
	put(VW_CHANGE_RECORDS, 2, "b");
	put(VW_CHANGE_COMMAND, 1, "c");
	put(VW_CHANGE_ORGANIZATION, 1, "");
	const char *text = next(listener);
	assert_non_null(strstr(text, "event: agent\ndata: {\"agent_id\":\"a\"}\n\n"));
	assert_non_null(strstr(text, "event: command\ndata: {\"agent_id\":\"c\"}\n\n"));
	assert_non_null(strstr(text, "event: organization\ndata: {}\n\n"));
	assert_null(strstr(text, "\"b\""));
	assert_int_equal(count(text, "event: "), 3);
	feed_leave(listener);
}

static void says_the_same_once(void **state)
{
	(void)state;
	struct feed_listener *listener = listen_as(&anybody, 1, NULL);
	next(listener);
	for (int i = 0; i < 50; i++)
		put(VW_CHANGE_RECORDS, 1, i % 2 ? "a" : "b");
	const char *text = next(listener);
	assert_int_equal(count(text, "event: records"), 2);
	feed_leave(listener);
}

static void goes_on_where_it_was(void **state)
{
	char id[64];
	(void)state;
	struct feed_listener *listener = listen_as(&anybody, 1, NULL);
	next(listener);
	put(VW_CHANGE_AGENT, 1, "seen");
	last_id(next(listener), id);
	feed_leave(listener);
	put(VW_CHANGE_AGENT, 1, "while-away");
	listener = listen_as(&anybody, 1, id);
	const char *text = next(listener);
	assert_non_null(strstr(text, "while-away"));
	assert_null(strstr(text, "\"seen\""));
	assert_null(strstr(text, "missed"));
	feed_leave(listener);
}

static void assert_missed(const char *id)
{
	struct feed_listener *listener = listen_as(&anybody, 1, id);
	assert_int_equal(count(next(listener), "event: missed\ndata: {}\n\n"), 1);
	feed_leave(listener);
}

static void says_that_some_were_missed(void **state)
{
	char id[64], other[80];
	(void)state;
	struct feed_listener *listener = listen_as(&anybody, 1, NULL);
	last_id(next(listener), id);
	assert_missed("");
	assert_missed("0123456789abcdef"); /* another process' */
	snprintf(other, sizeof(other), "%s0", id);
	assert_missed(other);
	snprintf(other, sizeof(other), "%.15s", id);
	assert_missed(other);
	for (int i = 0; i < 5000; i++)
		put(VW_CHANGE_AGENT, 1, "x");
	assert_missed(id);                                           /* too long ago */
	assert_int_equal(count(next(listener), "event: missed"), 1); /* the one that was too slow too */
	put(VW_CHANGE_LOST, 0, "");
	assert_int_equal(count(next(listener), "event: missed"), 1);
	feed_leave(listener);
}

static void ends_when_the_token_does(void **state)
{
	struct vw_buffer out;
	struct vw_error err = VW_ERROR_INIT;
	struct vw_principal who = {.organization = 1, .expires_at = vw_clock_now() + 300};
	int64_t begun = vw_clock_monotonic();
	int more;
	(void)state;
	struct feed_listener *listener = listen_as(&who, 1, NULL);
	vw_buffer_init(&out, 0);
	do
		more = feed_next(listener, &out, &err);
	while (more == 1 && vw_clock_monotonic() - begun < 20000);
	assert_int_equal(more, 0);
	vw_buffer_reset(&out);
	feed_leave(listener);
}

static void *put_soon(void *arg)
{
	(void)arg;
	usleep(150000);
	put(VW_CHANGE_PRESENCE, 1, "late");
	return NULL;
}

/* It waits, and what comes wakes it. */
static void wakes_at_a_change(void **state)
{
	pthread_t thread;
	(void)state;
	struct feed_listener *listener = listen_as(&anybody, 1, NULL);
	next(listener);
	int64_t begun = vw_clock_monotonic();
	assert_int_equal(pthread_create(&thread, NULL, put_soon, NULL), 0);
	assert_non_null(strstr(next(listener), "late"));
	assert_in_range(vw_clock_monotonic() - begun, 100, 450);
	pthread_join(thread, NULL);
	feed_leave(listener);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(greets_with_an_id, open_feed, close_feed),
	    cmocka_unit_test_setup_teardown(tells_only_ones_own, open_feed, close_feed),
	    cmocka_unit_test_setup_teardown(says_the_same_once, open_feed, close_feed),
	    cmocka_unit_test_setup_teardown(goes_on_where_it_was, open_feed, close_feed),
	    cmocka_unit_test_setup_teardown(says_that_some_were_missed, open_feed, close_feed),
	    cmocka_unit_test_setup_teardown(ends_when_the_token_does, open_feed, close_feed),
	    cmocka_unit_test_setup_teardown(wakes_at_a_change, open_feed, close_feed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
