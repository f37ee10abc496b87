#include "command.h"

#include "base/limits.h"

#include <malloc.h>

int main(int argc, char **argv)
{
	/* what a batch needs is kept for the next one, and not given back to the kernel in between: a tenth of the time for each entry */
	mallopt(M_TRIM_THRESHOLD, 4 * VW_MIB);
	mallopt(M_MMAP_THRESHOLD, 2 * VW_MIB);
	return vw_cli_main(&controller_program, argc, argv);
}
