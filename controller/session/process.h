/* process.h: what the process around the streams is asked for. */
#ifndef SESSION_PROCESS_H
#define SESSION_PROCESS_H

#include "base/error.h"

/* Raises the limit of open files as far as it goes. Says how many connections it suffices for, at most `wanted`; VW_ECONFIG when that is none. */
int vw_process_files(int wanted, int *out_connections, struct vw_error *err);

/* What gRPC has to say goes to our log, a line now and then. */
void vw_process_log(void);

#endif
