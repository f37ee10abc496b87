#include "damage.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char way_out[] =
    "restore its folder from a backup, or move it away and begin anew, and keep the damaged one for the record";

/* A signal handler gets no argument of ours, hence the one global of this folder. */
static char guarded[4096];

int vw_damage_error(struct vw_error *err, const char *path, const char *fmt, ...)
{
	char why[512];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	return vw_error_set(err, VW_ECORRUPT, "state database %s is damaged (%s); %s", path, why, way_out);
}

const char *vw_damage_key(struct vw_bytes key, char *out, size_t size)
{
	const uint8_t *bytes = key.data;
	if (key.len == sizeof(uint64_t)) {
		uint64_t n = 0;
		for (size_t i = 0; i < sizeof(n); i++)
			n = n << 8 | bytes[i];
		snprintf(out, size, "%" PRIu64, n);
		return out;
	}
	size_t len = key.len < size - 1 ? key.len : size - 1;
	for (size_t i = 0; i < len; i++)
		out[i] = bytes[i] >= 0x20 && bytes[i] < 0x7f ? (char)bytes[i] : '.';
	out[len] = '\0';
	return out;
}

static void say(const char *text)
{
	ssize_t ignored = write(STDERR_FILENO, text, strlen(text));
	(void)ignored; /* there is nobody left to tell */
}

_Noreturn void vw_damage_exit(const char *why)
{
	say(program_invocation_short_name);
	say(": state database ");
	say(guarded);
	say(" is damaged (");
	say(why);
	say("); ");
	say(way_out);
	say("\n");
	_exit(VW_EXIT_DAMAGED);
}

static void on_bus_error(int signo, siginfo_t *info, void *context)
{
	(void)context;
	/* Only a file's mapping gives BUS_ADRERR, and LMDB's is the only one that can shrink or fail. */
	if (info->si_code == BUS_ADRERR)
		vw_damage_exit("a page cannot be read: the disk fails, or the file was cut while in use");
	signal(signo, SIG_DFL); /* the fault repeats on return */
}

void vw_damage_guard(const char *path)
{
	snprintf(guarded, sizeof(guarded), "%s", path);
	struct sigaction action = {.sa_sigaction = on_bus_error, .sa_flags = SA_SIGINFO};
	sigemptyset(&action.sa_mask);
	sigaction(SIGBUS, &action, NULL);
}
