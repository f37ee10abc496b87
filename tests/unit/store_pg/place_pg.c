/* place_pg.c: where the tests of a store find an empty one in PostgreSQL: a database of its own. */
#include "suite.h"

#include "server.h"

struct place {
	char database[64];
	char url[SERVER_URL_MAX];
};

struct place *place_make(void)
{
	if (!server_use())
		return NULL;
	struct place *place = calloc(1, sizeof(*place));
	assert_non_null(place);
	server_make_database(place->database);
	server_url(place->database, SERVER_OWNER, place->url);
	return place;
}

struct vw_fleet_store_settings place_settings(const struct place *place)
{
	return (struct vw_fleet_store_settings){.url = place->url, .connections = 4, .app_role = SERVER_APP};
}

bool place_is_shared(void)
{
	return true;
}

void place_drop(struct place *place)
{
	server_drop_database(place->database);
	free(place);
}
