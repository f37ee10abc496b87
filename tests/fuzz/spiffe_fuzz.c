/* SPIFFE ids: what is accepted is what would be printed, byte for byte. */
#include "fleet/spiffe.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vw_error err = VW_ERROR_INIT;
	struct vw_spiffe id;
	char printed[VW_SPIFFE_MAX];
	if (vw_spiffe_parse((const char *)data, size, &id, &err) != 0)
		return 0;
	vw_spiffe_print(&id, printed);
	if (strlen(printed) != size || memcmp(printed, data, size) != 0 || !vw_trust_domain_valid(id.trust_domain) ||
	    (id.kind == VW_SPIFFE_AGENT && (!vw_agent_id_valid(id.agent_id) || id.organization < 1)))
		abort();
	return 0;
}
