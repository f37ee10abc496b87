#include "mlflow/client.h"

#include <curl/curl.h>

const char *vw_mlflow_http_version(void)
{
	return curl_version();
}
