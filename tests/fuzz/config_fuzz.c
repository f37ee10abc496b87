/* The configuration's file: taken or refused with a reason, and what is shown of it means the same when it is read again. */
#include "config/config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Without a disk: the file lives in memory. */
static int load(const void *bytes, size_t size, struct vw_config **out, struct vw_error *err)
{
	char path[64];
	int fd = memfd_create("agent.yaml", MFD_CLOEXEC);
	if (fd < 0 || write(fd, bytes, size) != (ssize_t)size)
		abort();
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	int code = vw_config_load(path, NULL, out, err);
	close(fd);
	return code;
}

static void show_and_load(const struct vw_config *config)
{
	struct vw_config *again = NULL;
	struct vw_error err = VW_ERROR_INIT;
	struct vw_buffer shown;
	vw_buffer_init(&shown, 0);
	vw_config_show(config, &shown);
	if (load(shown.data, shown.len, &again, &err) != 0) {
		fprintf(stderr, "%s\n%s\n", err.message, vw_buffer_text(&shown));
		abort();
	}
	if (memcmp(again->sha256, config->sha256, sizeof(again->sha256)) != 0)
		abort(); /* another meaning */
	vw_config_close(again);
	vw_buffer_reset(&shown);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vw_config *config = NULL;
	struct vw_error err = VW_ERROR_INIT;

	clearenv();
	setenv("VW_STATE_DIR", "/state", 1);
	if (load(data, size, &config, &err) != 0) {
		if (err.code != VW_ECONFIG || !err.message[0])
			abort();
		return 0;
	}
	if (!config->state_dir || !config->include || !config->mask_patterns)
		abort();
	show_and_load(config);
	vw_config_close(config);
	return 0;
}
