#include "notice.h"

bool vw_notice(struct vw_notices *notices, const char *peer, int64_t now, uint32_t *out_suppressed)
{
	uint32_t hash = 2166136261u; /* FNV-1a */
	for (; *peer; peer++)
		hash = (hash ^ (uint8_t)*peer) * 16777619u;
	uint32_t place = hash % VW_NOTICE_PLACES;
	*out_suppressed = 0;
	if (notices->places[place].count == 0 || now - notices->places[place].since >= VW_NOTICE_MS) {
		uint32_t count = notices->places[place].count;
		*out_suppressed = count > VW_NOTICE_BURST ? count - VW_NOTICE_BURST : 0;
		notices->places[place].since = now;
		notices->places[place].count = 1;
		return true;
	}
	if (notices->places[place].count < UINT32_MAX)
		notices->places[place].count++;
	return notices->places[place].count <= VW_NOTICE_BURST;
}
