#include "command.h"

#include <malloc.h>

int main(int argc, char **argv)
{
	/* with an arena for each thread, pieces of what a sync needed stay with all of them: 3 MiB at rest */
	mallopt(M_ARENA_MAX, 1);
	return vw_cli_main(&agent_program, argc, argv);
}
