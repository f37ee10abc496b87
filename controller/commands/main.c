#include "command.h"

int main(int argc, char **argv)
{
	return vw_cli_main(&controller_program, argc, argv);
}
