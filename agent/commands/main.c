#include "command.h"

int main(int argc, char **argv)
{
	return vw_cli_main(&agent_program, argc, argv);
}
