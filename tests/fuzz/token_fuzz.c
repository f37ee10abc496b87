/* Tokens: what is accepted is what would be printed, byte for byte; what is not is not repeated in the message. */
#include "fleet/token.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vw_error err = VW_ERROR_INIT;
	struct vw_token token;
	struct vw_secret *line;
	if (vw_token_parse((const char *)data, size, &token, &err) != 0)
		return 0;
	if (vw_token_print(&token, &line, &err) != 0)
		return 0;
	if (vw_secret_length(line) != size || memcmp(vw_secret_text(line), data, size) != 0)
		abort();
	vw_secret_close(line);
	return 0;
}
