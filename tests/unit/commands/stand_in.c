#include "stand_in.h"

#include "../base/cmocka_all.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct vw_uplink {
	int fd;
};

struct up up;
static struct vw_uplink stand_in;
static atomic_bool alive;

void stand_in_signal(void)
{
	eventfd_t count;
	if (up.count > 0 || up.unreadable)
		eventfd_write(stand_in.fd, 1);
	else
		(void)eventfd_read(stand_in.fd, &count);
}

int vw_uplink_start(const struct vw_uplink_settings *settings, struct vw_uplink **out, struct vw_error *err)
{
	up.starts++;
	snprintf(up.proxy, sizeof(up.proxy), "%s", settings->route.proxy ? settings->route.proxy : "");
	for (up.refuses = 0; settings->refuses[up.refuses]; up.refuses++)
		assert_string_not_equal(settings->refuses[up.refuses], "all");
	if (up.start_code < 0)
		return vw_error_set(err, up.start_code, "no uplink");
	vw_error_set(err, VW_ENOTFOUND, "what was tried in vain on the way");
	atomic_store(&alive, true);
	*out = &stand_in;
	return 0;
}

void vw_uplink_stop(struct vw_uplink *uplink)
{
	if (!uplink)
		return;
	atomic_store(&alive, false);
	up.stops++;
}

void vw_uplink_wake(struct vw_uplink *uplink)
{
	(void)uplink;
	up.wakes++;
}

void vw_uplink_set_health(struct vw_uplink *uplink, const vw_health *health)
{
	(void)uplink;
	snprintf(up.credential, sizeof(up.credential), "%s", health->credential);
	snprintf(up.outcome, sizeof(up.outcome), "%s", health->last_outcome ? health->last_outcome : "");
	up.versions = health->versions;
	up.gaps = health->versions_with_gaps;
	up.paused = health->paused;
	assert_int_equal(health->n_conditions, 1);
	assert_string_equal(health->conditions[0]->name, "source");
	up.ok = health->conditions[0]->ok;
	assert_true(up.ok ? !health->conditions[0]->text : health->conditions[0]->text != NULL);
}

int vw_uplink_fd(const struct vw_uplink *uplink)
{
	return uplink->fd;
}

vw_command *vw_uplink_next_command(struct vw_uplink *uplink, struct vw_arena *arena)
{
	(void)uplink, (void)arena;
	if (up.unreadable || up.count == 0)
		return NULL;
	vw_command *first = up.waiting[0];
	memmove(up.waiting, up.waiting + 1, --up.count * sizeof(up.waiting[0]));
	stand_in_signal();
	return first;
}

void vw_uplink_command_progress(struct vw_uplink *uplink, const char *id, const char *text, int64_t done,
				int64_t total)
{
	(void)uplink;
	snprintf(up.progress, sizeof(up.progress), "%s %s %lld/%lld", id, text, (long long)done, (long long)total);
}

int vw_uplink_command_finish(struct vw_uplink *uplink, const char *id, vw_command_state state, const char *text,
			     struct vw_bytes result, struct vw_error *err)
{
	(void)uplink;
	if (up.finish_code < 0)
		return vw_error_set(err, up.finish_code, "the disk is full");
	snprintf(up.ends[up.end_count].id, sizeof(up.ends[0].id), "%s", id);
	snprintf(up.ends[up.end_count].text, sizeof(up.ends[0].text), "%s", text);
	snprintf(up.ends[up.end_count].result, sizeof(up.ends[0].result), "%.*s", (int)result.len,
		 (const char *)result.data);
	up.ends[up.end_count++].state = state;
	return 0;
}

void vw_uplink_look(const struct vw_uplink *uplink, struct vw_uplink_status *out)
{
	(void)uplink;
	if (!atomic_load(&alive))
		abort(); /* asked after it was stopped */
	*out = (struct vw_uplink_status){.phase = VW_UPLINK_CONNECTED, .acknowledged_sequence = 7};
}

void stand_in_open(void)
{
	memset(&up, 0, sizeof(up));
	stand_in.fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
}

void stand_in_close(void)
{
	close(stand_in.fd);
}

int stand_in_fd(void)
{
	return stand_in.fd;
}
