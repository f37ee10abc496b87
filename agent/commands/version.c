#include "command.h"

#include "base/json.h"
#include "mlflow/client.h"

#include <stdio.h>
#include <string.h>

struct library {
	const char *name;
	char version[64];
};

static size_t list_libraries(struct library *out)
{
	size_t n = 0;
	const struct {
		const char *name;
		const char *version;
	} list[] = {{"protobuf-c", protobuf_c_version()},
		    {"jansson", JANSSON_VERSION},
		    {"libcurl", vw_mlflow_http_version()},
		    {"lmdb", vw_kv_version()}};
	for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++) {
		out[n].name = list[i].name;
		snprintf(out[n++].version, sizeof(out[0].version), "%s", list[i].version);
	}
	return n;
}

int run_version(struct invocation *in)
{
	struct library libraries[8];
	size_t count = list_libraries(libraries);
	if (strcmp(option_value(in, "format"), "json") != 0) {
		puts("vw-agent " VW_AGENT_VERSION);
		for (size_t i = 0; i < count; i++)
			printf("%-12s %s\n", libraries[i].name, libraries[i].version);
		return EXIT_OK;
	}
	struct vw_buffer out;
	struct vw_json_writer w;
	vw_buffer_init(&out, 0);
	vw_json_writer_init(&w, &out, true);
	vw_json_begin_object(&w);
	vw_json_key(&w, "vw_agent");
	vw_json_put_text(&w, VW_AGENT_VERSION);
	vw_json_key(&w, "libraries");
	vw_json_begin_object(&w);
	for (size_t i = 0; i < count; i++) {
		vw_json_key(&w, libraries[i].name);
		vw_json_put_text(&w, libraries[i].version);
	}
	vw_json_end_object(&w);
	vw_json_end_object(&w);
	puts(vw_buffer_text(&out));
	vw_buffer_reset(&out);
	return EXIT_OK;
}
