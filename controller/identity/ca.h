/* ca.h: the authority from inside: what making it, opening it and renewing its certificates share. */
#ifndef IDENTITY_CA_H
#define IDENTITY_CA_H

#include "holder.h"
#include "identity/authority.h"

#include <pthread.h>
#include <stdbool.h>

#define CA_FOLDER_MAX  4096
#define CA_BACKDATE_MS ((int64_t)5 * 60 * 1000) /* clocks of agents may be a little behind ours */

struct vw_authority {
	struct vw_authority_settings settings;
	char folder[CA_FOLDER_MAX];
	struct holder ca, receipts;
	struct holder server; /* key NULL: there is none of use */
	int64_t from, until;  /* all of the CA's chain is valid */
	pthread_mutex_t issuing,
	    signing; /* mbedTLS's keys remember points while they sign: one thread at a time uses the CA's, the receipts' */
	pthread_mutex_t changing; /* `server` */
};

/* A handle with nothing read yet; vw_authority_close() ends it. VW_ECONFIG: no trust domain, too long a folder. */
int ca_begin(const struct vw_authority_settings *settings, struct vw_authority **out, struct vw_error *err);

/* Each reads and checks one: the CA first. VW_ECONFIG says what does not fit. */
int ca_read(struct vw_authority *a, struct vw_error *err);
int ca_read_receipts(struct vw_authority *a, struct vw_error *err);
/* The server's files, if they are whole and its certificate is our CA's for our trust domain and hosts; else VW_ENOTFOUND or VW_EINVAL: another can be made. */
int ca_read_server(const struct vw_authority *a, struct holder *out, struct vw_error *err);

/* That this chain with its key can be the CA at `now`; with `what` in front of what is wrong. */
int ca_check(const struct holder *ca, const char *what, int64_t now, struct vw_error *err);
/* VW_ECONFIG once the CA, or one above it, has expired. */
int ca_check_time(const struct vw_authority *a, int64_t now, struct vw_error *err);

/* Issues one and writes its files. */
int ca_make_server(const struct vw_authority *a, struct vw_error *err);
int ca_make_receipts(const struct vw_authority *a, struct vw_error *err);

#endif
