#include "http/curl.h"

#include "base/secret.h"

#include <curl/curl.h>
#include <malloc.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static void wiping_free(void *pointer)
{
	if (!pointer)
		return;
	vw_wipe(pointer, malloc_usable_size(pointer));
	free(pointer);
}

static void *wiping_realloc(void *pointer, size_t size)
{
	void *bigger = malloc(size);
	if (!bigger || !pointer)
		return bigger;
	size_t held = malloc_usable_size(pointer);
	memcpy(bigger, pointer, held < size ? held : size);
	wiping_free(pointer);
	return bigger;
}

static CURLcode initialised;

static void initialise(void)
{
	initialised = curl_global_init_mem(CURL_GLOBAL_DEFAULT, malloc, wiping_free, wiping_realloc, strdup, calloc);
}

bool vw_curl_init(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	pthread_once(&once, initialise);
	return initialised == CURLE_OK;
}
