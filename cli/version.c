/* version.c: `version`: of the program and of what is linked into it. */
#include "cli/program.h"

#include "base/json.h"

#include <stdio.h>
#include <string.h>

/* A key as other keys are: vw-agent is "vw_agent". */
static void put_key(struct vw_json_writer *w, const char *name)
{
	char key[64];
	size_t len = 0;
	for (; name[len] && len + 1 < sizeof(key); len++)
		key[len] = name[len] == '-' ? '_' : name[len];
	key[len] = '\0';
	vw_json_key(w, key);
}

static void print_text(const struct vw_cli_program *program, const struct vw_cli_library *libraries)
{
	printf("%s %s\n", program->name, program->version);
	for (; libraries->name; libraries++)
		printf("%-12s %s\n", libraries->name, libraries->version);
}

static void print_json(const struct vw_cli_program *program, const struct vw_cli_library *libraries)
{
	struct vw_buffer out;
	struct vw_json_writer w;
	vw_buffer_init(&out, 0);
	vw_json_writer_init(&w, &out, true);
	vw_json_begin_object(&w);
	put_key(&w, program->name);
	vw_json_put_text(&w, program->version);
	vw_json_key(&w, "libraries");
	vw_json_begin_object(&w);
	for (; libraries->name; libraries++) {
		vw_json_key(&w, libraries->name);
		vw_json_put_text(&w, libraries->version);
	}
	vw_json_end_object(&w);
	vw_json_end_object(&w);
	puts(vw_buffer_text(&out));
	vw_buffer_reset(&out);
}

int vw_cli_run_version(struct vw_cli_invocation *in)
{
	struct vw_cli_library libraries[VW_CLI_MAX_LIBRARIES] = {{NULL, NULL}};
	if (in->program->libraries)
		in->program->libraries(libraries);
	if (strcmp(vw_cli_value(in, "format"), "json") == 0)
		print_json(in->program, libraries);
	else
		print_text(in->program, libraries);
	return VW_CLI_EXIT_OK;
}
