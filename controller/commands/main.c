#include "command.h"

#include <curl/curl.h>

int main(int argc, char **argv)
{
	curl_global_init(CURL_GLOBAL_DEFAULT);
	return vw_cli_main(&controller_program, argc, argv);
}
