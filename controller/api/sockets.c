#include "sockets.h"

#include "settings/listen.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define UNIX      "unix:"
#define BACKLOG   511
#define USER_TEXT 4096 /* of one user in the system's database */

const char *sockets_path(const char *listen)
{
	return strncmp(listen, UNIX, strlen(UNIX)) == 0 ? listen + strlen(UNIX) : NULL;
}

static int fail(int fd, struct vw_error *err, int code, const char *what)
{
	vw_error_set(err, code, "cannot listen at %s: %s", what, strerror(errno));
	if (fd >= 0)
		close(fd);
	return code;
}

/* ---- Unix ---- */

static bool is_alive(const struct sockaddr_un *at)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool alive = fd >= 0 && connect(fd, (const struct sockaddr *)at, sizeof(*at)) == 0;
	if (fd >= 0)
		close(fd);
	return alive;
}

/* Only what a process that is gone left behind. */
static int make_room(const struct sockaddr_un *at, struct vw_error *err)
{
	struct stat there;
	if (lstat(at->sun_path, &there) < 0)
		return 0;
	if (!S_ISSOCK(there.st_mode))
		return vw_error_set(err, VW_ECONFIG, "%s is there and no socket; move it away", at->sun_path);
	if (is_alive(at))
		return vw_error_set(err, VW_EBUSY, "%s: another process answers there", at->sun_path);
	unlink(at->sun_path);
	return 0;
}

static int listen_unix(const char *path, struct vw_error *err)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	if (snprintf(at.sun_path, sizeof(at.sun_path), "%s", path) >= (int)sizeof(at.sun_path))
		return vw_error_set(err, VW_ECONFIG, "%s is too long a name for a socket", path);
	int code = make_room(&at, err);
	if (code < 0)
		return code;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	/* Linux gives the file the mode of the socket; a umask would be every thread's */
	if (fd < 0 || fchmod(fd, 0600) < 0 || bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0 ||
	    listen(fd, BACKLOG) < 0)
		return fail(fd, err, VW_EIO, path);
	return fd;
}

void sockets_name_peer(int fd, char *out, size_t size)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);
	struct passwd user, *found = NULL;
	char text[USER_TEXT];
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0) {
		snprintf(out, size, "local:unknown");
		return;
	}
	if (getpwuid_r(peer.uid, &user, text, sizeof(text), &found) == 0 && found)
		snprintf(out, size, "local:%s", user.pw_name);
	else
		snprintf(out, size, "local:%u", (unsigned)peer.uid);
}

/* ---- TCP ---- */

static int listen_tcp(const char *listen_at, bool plain, struct vw_error *err)
{
	struct vw_listen_address at;
	int one = 1, zero = 0;
	if (!vw_listen_parse(listen_at, &at))
		return vw_error_set(err, VW_ECONFIG, "%s is no address and port", listen_at);
	if (plain && !at.loopback)
		return vw_error_set(err, VW_ECONFIG, "%s: plain HTTP only on a loopback address; use https.listen",
				    listen_at);
	int fd = socket(at.at.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return fail(fd, err, VW_EIO, listen_at);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (at.at.any.sa_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof(zero));
	if (bind(fd, &at.at.any, at.len) < 0 || listen(fd, BACKLOG) < 0)
		return fail(fd, err, VW_ECONFIG, listen_at);
	return fd;
}

int sockets_listen(const char *listen_at, bool plain, struct vw_error *err)
{
	const char *path = sockets_path(listen_at);
	return path ? listen_unix(path, err) : listen_tcp(listen_at, plain, err);
}
