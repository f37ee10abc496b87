#include "command.h"

#include "base/json.h"
#include "mlflow/client.h"

#include <cyaml/cyaml.h>
#include <microhttpd.h>
#include <nettle/version.h>
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdio.h>
#include <string.h>
#include <yaml.h>

/* Everything is linked statically, so what a header says is what runs. */
#define TEXT(number)          #number
#define VERSION(major, minor) TEXT(major) "." TEXT(minor)

struct library {
	const char *name;
	const char *version;
};

/* Ends with a NULL name. */
static void list_libraries(struct library out[10])
{
	const struct library list[] = {{"protobuf-c", protobuf_c_version()},
				       {"jansson", JANSSON_VERSION},
				       {"libcyaml", cyaml_version_str},
				       {"libyaml", yaml_get_version_string()},
				       {"pcre2", VERSION(PCRE2_MAJOR, PCRE2_MINOR)},
				       {"nettle", VERSION(NETTLE_VERSION_MAJOR, NETTLE_VERSION_MINOR)},
				       {"lmdb", vw_kv_version()},
				       {"libcurl", vw_mlflow_http_version()},
				       {"microhttpd", MHD_get_version()},
				       {NULL, NULL}};
	memcpy(out, list, sizeof(list));
}

int run_version(struct vw_cli_invocation *in)
{
	struct library libraries[10];
	list_libraries(libraries);
	if (strcmp(vw_cli_value(in, "format"), "json") != 0) {
		puts("vw-agent " VW_AGENT_VERSION);
		for (size_t i = 0; libraries[i].name; i++)
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
	for (size_t i = 0; libraries[i].name; i++) {
		vw_json_key(&w, libraries[i].name);
		vw_json_put_text(&w, libraries[i].version);
	}
	vw_json_end_object(&w);
	vw_json_end_object(&w);
	puts(vw_buffer_text(&out));
	vw_buffer_reset(&out);
	return EXIT_OK;
}
