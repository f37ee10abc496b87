/* process.h: what the process around the streams is asked for. */
#ifndef SESSION_PROCESS_H
#define SESSION_PROCESS_H

#include "base/error.h"

/* Raises the limit of open files as far as it goes, and gives it. VW_ECONFIG: too few for any agent. */
int vw_process_files(int *out_files, struct vw_error *err);

/* What gRPC has to say goes to our log, a line now and then. */
void vw_process_log(void);

#endif
