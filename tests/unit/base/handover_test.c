/* What goes from one thread to another through code that the thread sanitizer does not see, is no race when it is handed
 * over. Only the build with that sanitizer can fail here. */
#include "base/handover.h"

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

struct parcel {
	int content;
};

static struct parcel *on_the_way;

/* The library in the middle: it synchronizes, and nobody looks. */
__attribute__((no_sanitize("thread"), noinline)) static void library_put(struct parcel *p)
{
	__atomic_store_n(&on_the_way, p, __ATOMIC_RELEASE);
}

__attribute__((no_sanitize("thread"), noinline)) static struct parcel *library_get(void)
{
	struct parcel *p = NULL;
	while ((p = __atomic_load_n(&on_the_way, __ATOMIC_ACQUIRE)) == NULL)
		sched_yield();
	return p;
}

static void *receive(void *arg)
{
	struct parcel *p = library_get();
	vw_take_over(p);
	*(int *)arg = p->content++;
	return NULL;
}

static void a_parcel_arrives(void **state)
{
	(void)state;
	struct parcel parcel = {0};
	int seen = 0;
	pthread_t receiver;
	assert_int_equal(pthread_create(&receiver, NULL, receive, &seen), 0);
	parcel.content = 42;
	vw_hand_over(&parcel);
	library_put(&parcel);
	assert_int_equal(pthread_join(receiver, NULL), 0);
	assert_int_equal(seen, 42);
	assert_int_equal(parcel.content, 43);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(a_parcel_arrives)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
