/* manual.c: the commands' part of vw-controller(1), made from their table. */
#include "command.h"

int main(int argc, char **argv)
{
	return vw_cli_manual_main(&controller_program, argc, argv);
}
