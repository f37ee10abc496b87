/* client.h: one request of the REST interface, as this host's operator. */
#ifndef CONTROLLER_COMMANDS_CLIENT_H
#define CONTROLLER_COMMANDS_CLIENT_H

#include "command.h"

struct client;

/* Over the control socket when a server listens there; else the store is opened in this process. */
int client_open(const struct vw_controller_config *config, struct client **out, struct vw_error *err);
void client_close(struct client *client); /* NULL is fine */
static inline void client_cleanup(struct client **client)
{
	client_close(*client);
}

/* `path` with its query, percent-encoded (client_path). `body` may be NULL. `*out_data` is the envelope's data, to be decref'd; an answer of 400 or more is an
 * error with the envelope's words: VW_ENOTFOUND, VW_EFORBIDDEN, VW_EBUSY, VW_EINVAL, VW_EAGAIN. */
int client_call(struct client *client, const char *method, const char *path, const json_t *body, json_t **out_data,
		struct vw_error *err);
/* A long answer, written to `file` as it comes. */
int client_download(struct client *client, const char *path, FILE *file, struct vw_error *err);

/* Appends to a path: "/name" encoded, and "?name=value" or "&name=value" (nothing when value is NULL). */
void client_segment(struct vw_buffer *path, const char *name);
void client_query(struct vw_buffer *path, const char *name, const char *value);

/* Where the socket of this data folder is. False when the path is too long for one. */
bool control_socket_path(const struct vw_controller_config *config, char *out, size_t size);

#endif
