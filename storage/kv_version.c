#include "storage/kv.h"

#include <lmdb.h>

const char *vw_kv_version(void)
{
	return mdb_version(NULL, NULL, NULL);
}
