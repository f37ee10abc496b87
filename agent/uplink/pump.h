/* pump.h: a thread that carries bytes between a TLS session and one end of a socket pair, whose other end gRPC core has.
 *
 * One buffer each way, of one TLS record: whoever is slow makes the other wait. Sleeps in poll(2) when there is nothing to carry. */
#ifndef UPLINK_PUMP_H
#define UPLINK_PUMP_H

#include "secure.h"

struct vw_pump;

/* Runs until either side is closed or vw_pump_stop(). All borrowed; both descriptors do not block. */
int vw_pump_start(struct vw_secure *secure, int socket, int plain, struct vw_pump **out, struct vw_error *err);
/* Why it ended; VW_DIAL_NONE while it runs, and when it was our side that closed. Any thread. */
enum vw_dial_failure vw_pump_failure(struct vw_pump *pump, struct vw_error *err);
/* The peer has sent something since the handshake. Any thread. */
bool vw_pump_heard(struct vw_pump *pump);
/* What gRPC wrote before still goes out, as far as the peer takes it within a second. NULL is fine. */
void vw_pump_stop(struct vw_pump *pump);

#endif
