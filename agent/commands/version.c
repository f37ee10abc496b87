/* version.c: what is linked into the agent, for `version`. */
#include "command.h"

#include "base/json.h"
#include "mlflow/client.h"

#include <cyaml/cyaml.h>
#include <grpc/grpc.h>
#include <mbedtls/build_info.h>
#include <microhttpd.h>
#include <nettle/version.h>
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <sodium.h>
#include <string.h>
#include <yaml.h>

/* Everything is linked statically, so what a header says is what runs. */
#define TEXT(number)          #number
#define VERSION(major, minor) TEXT(major) "." TEXT(minor)

void list_libraries(struct vw_cli_library out[VW_CLI_MAX_LIBRARIES])
{
	const struct vw_cli_library list[] = {{"protobuf-c", protobuf_c_version()},
					      {"jansson", JANSSON_VERSION},
					      {"libcyaml", cyaml_version_str},
					      {"libyaml", yaml_get_version_string()},
					      {"pcre2", VERSION(PCRE2_MAJOR, PCRE2_MINOR)},
					      {"nettle", VERSION(NETTLE_VERSION_MAJOR, NETTLE_VERSION_MINOR)},
					      {"lmdb", vw_kv_version()},
					      {"mbedtls", MBEDTLS_VERSION_STRING},
					      {"libsodium", sodium_version_string()},
					      {"grpc core", grpc_version_string()},
					      {"libcurl", vw_mlflow_http_version()},
					      {"microhttpd", MHD_get_version()},
					      {NULL, NULL}};
	memcpy(out, list, sizeof(list));
}
