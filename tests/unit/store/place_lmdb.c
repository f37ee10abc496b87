#include "suite.h"

#include <dirent.h>
#include <limits.h>
#include <unistd.h>

struct place {
	char root[PATH_MAX - 64];
	char folder[PATH_MAX - 32];
	char url[PATH_MAX];
};

struct place *place_make(void)
{
	struct place *place = calloc(1, sizeof(*place));
	const char *root = getenv("TMPDIR");
	if (!root)
		root = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
	snprintf(place->root, sizeof(place->root), "%s/vw-store-XXXXXX", root);
	assert_non_null(mkdtemp(place->root));
	snprintf(place->folder, sizeof(place->folder), "%s/store", place->root);
	snprintf(place->url, sizeof(place->url), "lmdb:%s", place->folder);
	return place;
}

struct vw_fleet_store_settings place_settings(const struct place *place)
{
	return (struct vw_fleet_store_settings){.url = place->url};
}

bool place_is_shared(void)
{
	return false;
}

void place_drop(struct place *place)
{
	DIR *dir = opendir(place->folder);
	for (struct dirent *e; dir && (e = readdir(dir));)
		unlinkat(dirfd(dir), e->d_name, 0);
	if (dir)
		closedir(dir);
	rmdir(place->folder);
	assert_int_equal(rmdir(place->root), 0);
	free(place);
}
