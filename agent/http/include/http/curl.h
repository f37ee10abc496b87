/* curl.h: curl's state of the whole process, for every folder of the agent that speaks HTTP. */
#ifndef HTTP_CURL_H
#define HTTP_CURL_H

#include <stdbool.h>

/* curl's global state, with an allocator that wipes what it frees: curl keeps copies of credentials. Whoever uses curl calls this first; any
 * thread, any number of times. False if curl refuses. */
bool vw_curl_init(void);

#endif
