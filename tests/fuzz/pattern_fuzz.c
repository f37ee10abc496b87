/* A pattern, a zero byte, a text: neither may take long, and masking keeps what did not match. */
#include "base/pattern.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
	if (!condition)
		abort();
}

static void use(const struct vw_pattern *pattern, const char *text)
{
	struct vw_buffer out;

	vw_buffer_init(&out, 0);
	int matches = vw_pattern_match(pattern, text);
	require(matches == 0 || matches == 1 || matches == VW_ELIMIT);
	int count = vw_pattern_mask(pattern, text, "", &out);
	require(count >= 0 || (count == VW_ELIMIT && out.len == 0));
	require(out.len <= strlen(text));
	if (count == 0)
		require(strcmp(vw_buffer_text(&out), text) == 0);
	vw_buffer_reset(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vw_error err = VW_ERROR_INIT;
	struct vw_pattern *pattern = NULL;
	char *both = calloc(1, size + 2);

	require(both != NULL);
	memcpy(both, data, size);
	const char *text = both + strlen(both) + 1; /* one of the two bytes added, if there was no zero */
	if (vw_pattern_open(both, &pattern, &err) == 0)
		use(pattern, text);
	else
		require((err.code == VW_ECONFIG || err.code == VW_ELIMIT) && err.message[0]);
	vw_pattern_close(pattern);
	vw_glob_match(both, text);
	free(both);
	return 0;
}
