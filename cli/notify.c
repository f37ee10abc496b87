#include "cli/notify.h"

#include "base/buffer.h"
#include "base/clock.h"
#include "base/text.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static bool address_of(const char *name, struct sockaddr_un *out, socklen_t *out_len)
{
	size_t len = strlen(name);
	if ((name[0] != '/' && name[0] != '@') || len < 2 || len >= sizeof(out->sun_path))
		return false;
	*out = (struct sockaddr_un){.sun_family = AF_UNIX};
	memcpy(out->sun_path, name, len);
	/* An abstract name starts with a zero byte and is as long as the address says; a path ends with one. */
	if (name[0] == '@')
		out->sun_path[0] = '\0';
	*out_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + (name[0] == '/'));
	return true;
}

/* Half of the time after which the service manager gives up on us, as sd_watchdog_enabled(3) advises. */
static int64_t watchdog_interval(void)
{
	const char *usec = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
	int64_t us, whose;
	if (!usec || !vw_text_int64(usec, &us) || us <= 0)
		return 0;
	if (pid && (!vw_text_int64(pid, &whose) || whose != getpid()))
		return 0;
	return us / 2000 > 0 ? us / 2000 : 1;
}

void vw_cli_notify_open(struct vw_cli_notifier *notifier)
{
	const char *name = getenv("NOTIFY_SOCKET");
	*notifier = (struct vw_cli_notifier){.fd = -1};
	if (!name || !address_of(name, &notifier->to, &notifier->to_len))
		return;
	notifier->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	notifier->watchdog_ms = watchdog_interval();
}

void vw_cli_notify_close(struct vw_cli_notifier *notifier)
{
	if (notifier->fd >= 0)
		close(notifier->fd);
	notifier->fd = -1;
}

static void tell(const struct vw_cli_notifier *notifier, const char *text)
{
	if (notifier->fd >= 0)
		(void)sendto(notifier->fd, text, strlen(text), MSG_NOSIGNAL,
			     (const struct sockaddr *)(const void *)&notifier->to, notifier->to_len);
}

/* A line end in a status would begin another assignment: control characters are escaped. */
static void put_status(struct vw_buffer *out, const char *status)
{
	vw_buffer_puts(out, "STATUS=");
	vw_text_append_safe(out, status);
	vw_buffer_putc(out, '\n');
}

void vw_cli_notify_state(const struct vw_cli_notifier *notifier, const char *state, const char *status)
{
	struct vw_buffer text;
	vw_buffer_init(&text, 0);
	vw_buffer_printf(&text, "%s\n", state);
	if (status)
		put_status(&text, status);
	tell(notifier, vw_buffer_text(&text));
	vw_buffer_reset(&text);
}

void vw_cli_notify_status(const struct vw_cli_notifier *notifier, const char *status)
{
	struct vw_buffer text;
	vw_buffer_init(&text, 0);
	put_status(&text, status);
	tell(notifier, vw_buffer_text(&text));
	vw_buffer_reset(&text);
}

void vw_cli_notify_reloading(const struct vw_cli_notifier *notifier)
{
	struct timespec now;
	struct vw_buffer text;
	clock_gettime(CLOCK_MONOTONIC, &now);
	vw_buffer_init(&text, 0);
	vw_buffer_printf(&text, "RELOADING=1\nMONOTONIC_USEC=%lld\n",
			 (long long)now.tv_sec * 1000000 + now.tv_nsec / 1000);
	tell(notifier, vw_buffer_text(&text));
	vw_buffer_reset(&text);
}

void vw_cli_notify_alive(struct vw_cli_notifier *notifier)
{
	int64_t now = vw_clock_monotonic();
	if (notifier->watchdog_ms == 0 || (notifier->last_sign && now - notifier->last_sign < notifier->watchdog_ms))
		return;
	notifier->last_sign = now;
	tell(notifier, "WATCHDOG=1\n");
}
