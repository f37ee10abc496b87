#include "kv_gate.h"

#include <assert.h>
#include <errno.h>
#include <time.h>

void vw_kv_gate_init(struct vw_gate *gate)
{
	pthread_condattr_t attributes;
	*gate = (struct vw_gate){.writing = false};
	pthread_mutex_init(&gate->lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&gate->changed, &attributes);
	pthread_condattr_destroy(&attributes);
}

void vw_kv_gate_destroy(struct vw_gate *gate)
{
	assert(!gate->views && !gate->writing);
	pthread_cond_destroy(&gate->changed);
	pthread_mutex_destroy(&gate->lock);
}

static bool is_ours(const struct vw_kv_gate_view *view)
{
	return pthread_equal(view->thread, pthread_self()) != 0;
}

static bool holds_a_view(const struct vw_gate *gate)
{
	for (const struct vw_kv_gate_view *v = gate->views; v; v = v->next)
		if (is_ours(v))
			return true;
	return false;
}

static void mark_stuck(struct vw_gate *gate, bool stuck)
{
	for (struct vw_kv_gate_view *v = gate->views; v; v = v->next)
		if (is_ours(v))
			v->stuck = stuck;
}

/* One of them will not end while we wait. */
static bool is_hopeless(const struct vw_gate *gate)
{
	for (const struct vw_kv_gate_view *v = gate->views; v; v = v->next)
		if (v->stuck || is_ours(v))
			return true;
	return false;
}

void vw_kv_gate_enter(struct vw_gate *gate, struct vw_kv_gate_view *view)
{
	pthread_mutex_lock(&gate->lock);
	while (gate->cleared && !holds_a_view(gate))
		pthread_cond_wait(&gate->changed, &gate->lock);
	*view = (struct vw_kv_gate_view){.next = gate->views, .link = &gate->views, .thread = pthread_self()};
	if (view->next)
		view->next->link = &view->next;
	gate->views = view;
	pthread_mutex_unlock(&gate->lock);
}

void vw_kv_gate_leave(struct vw_gate *gate, struct vw_kv_gate_view *view)
{
	assert(is_ours(view));
	pthread_mutex_lock(&gate->lock);
	*view->link = view->next;
	if (view->next)
		view->next->link = view->link;
	if (gate->cleared)
		pthread_cond_broadcast(&gate->changed);
	pthread_mutex_unlock(&gate->lock);
}

void vw_kv_gate_take_turn(struct vw_gate *gate)
{
	pthread_mutex_lock(&gate->lock);
	assert(!gate->writing || !pthread_equal(gate->writer, pthread_self()));
	uint64_t mine = gate->next_turn++;
	if (mine != gate->turn) {
		mark_stuck(gate, true);
		pthread_cond_broadcast(&gate->changed);
		while (mine != gate->turn)
			pthread_cond_wait(&gate->changed, &gate->lock);
		mark_stuck(gate, false);
	}
	gate->writing = true;
	gate->writer = pthread_self();
	pthread_mutex_unlock(&gate->lock);
}

void vw_kv_gate_pass_turn(struct vw_gate *gate)
{
	pthread_mutex_lock(&gate->lock);
	gate->writing = false;
	gate->turn++;
	pthread_cond_broadcast(&gate->changed);
	pthread_mutex_unlock(&gate->lock);
}

static struct timespec in_ms(int64_t ms)
{
	struct timespec at;
	clock_gettime(CLOCK_MONOTONIC, &at);
	at.tv_sec += (time_t)(ms / 1000);
	at.tv_nsec += (long)(ms % 1000) * 1000000;
	if (at.tv_nsec >= 1000000000) {
		at.tv_nsec -= 1000000000;
		at.tv_sec++;
	}
	return at;
}

bool vw_kv_gate_clear(struct vw_gate *gate, int64_t patience_ms)
{
	struct timespec deadline = in_ms(patience_ms);
	pthread_mutex_lock(&gate->lock);
	if (is_hopeless(gate)) {
		pthread_mutex_unlock(&gate->lock);
		return false;
	}
	while (gate->cleared)
		pthread_cond_wait(&gate->changed, &gate->lock);
	gate->cleared = true;
	bool patient = true;
	while (gate->views && patient)
		patient =
		    !is_hopeless(gate) && pthread_cond_timedwait(&gate->changed, &gate->lock, &deadline) != ETIMEDOUT;
	bool clear = !gate->views;
	if (!clear) {
		gate->cleared = false;
		pthread_cond_broadcast(&gate->changed);
	}
	pthread_mutex_unlock(&gate->lock);
	return clear;
}

void vw_kv_gate_open(struct vw_gate *gate)
{
	pthread_mutex_lock(&gate->lock);
	gate->cleared = false;
	pthread_cond_broadcast(&gate->changed);
	pthread_mutex_unlock(&gate->lock);
}
