#include "help.h"

#include "base/buffer.h"

#include <string.h>

static void wrap(FILE *out, const char *text, int indent, int width)
{
	int column = indent;
	fprintf(out, "%*s", indent, "");
	while (*text) {
		if (*text == '\n') {
			fprintf(out, "\n%*s", indent, "");
			column = indent;
			text++;
			continue;
		}
		int word = (int)strcspn(text, " \n");
		if (column > indent && column + 1 + word > width) {
			fprintf(out, "\n%*s", indent, "");
			column = indent;
		} else if (column > indent) {
			fputc(' ', out);
			column++;
		}
		fprintf(out, "%.*s", word, text);
		column += word;
		text += word;
		text += *text == ' ';
	}
	fputc('\n', out);
}

const struct vw_cli_option help_option = {"help", NULL, "help on a command", NULL};

static void print_option(FILE *out, const struct vw_cli_option *option)
{
	char left[64];
	snprintf(left, sizeof(left), "--%s%s%s", option->name, option->argument ? " " : "",
		 option->argument ? option->argument : "");
	fprintf(out, "  %-22s ", left);
	if (strlen(left) > 22)
		fprintf(out, "\n%25s", "");
	fprintf(out, "%s\n", option->help);
}

static void print_commands(const struct vw_cli_program *program, FILE *out)
{
	for (const struct vw_cli_command *c = program->commands; c->name; c++)
		fprintf(out, "  %-16s %s\n", c->name, c->summary);
}

static void print_indented(FILE *out, const char *lines)
{
	while (*lines) {
		int len = (int)strcspn(lines, "\n");
		fprintf(out, "  %.*s\n", len, lines);
		lines += len + (lines[len] == '\n');
	}
}

void help_overview(const struct vw_cli_program *program, FILE *out)
{
	fprintf(out, "%s\n\nusage: %s", program->about, program->name);
	for (const struct vw_cli_option *o = program->globals; o && o->name; o++)
		fprintf(out, " [--%s%s%s]", o->name, o->argument ? " " : "", o->argument ? o->argument : "");
	fputs(" COMMAND [OPTION...]\n\nCommands:\n", out);
	print_commands(program, out);
	fputs("\nBegin with:\n", out);
	print_indented(out, program->first_steps);
	fprintf(out, "\n%s COMMAND --help says more about each.\n", program->name);
}

static void print_statuses(const struct vw_cli_program *program, FILE *out)
{
	struct vw_buffer text;
	vw_buffer_init(&text, 0);
	vw_buffer_puts(&text, "Exit codes:");
	for (const struct vw_cli_status *s = program->statuses; s->brief; s++)
		vw_buffer_printf(&text, " %d %s%s", s->code, s->brief, s[1].brief ? "," : ".");
	fputc('\n', out);
	wrap(out, vw_buffer_text(&text), 0, 100);
	vw_buffer_reset(&text);
}

void help_command(const struct vw_cli_program *program, FILE *out, const struct vw_cli_command *c)
{
	fprintf(out, "usage: %s %s%s%s%s\n\n", program->name, c->name, c->options ? " [OPTION...]" : "",
		c->positional ? " " : "", c->positional ? c->positional : "");
	wrap(out, c->summary, 0, 100);
	if (c->description) {
		fputc('\n', out);
		wrap(out, c->description, 0, 100);
	}
	if (c->options)
		fputs("\nOptions:\n", out);
	for (const struct vw_cli_option *o = c->options; o && o->name; o++)
		print_option(out, o);
	fputs("\nGlobal options:\n", out);
	for (const struct vw_cli_option *o = program->globals; o && o->name; o++)
		print_option(out, o);
	print_option(out, &help_option);
	if (c->examples)
		fprintf(out, "\nExamples:\n%s", c->examples);
	print_statuses(program, out);
}

int help_topic(const struct vw_cli_program *program, int argc, char **argv)
{
	if (argc == 0) {
		help_overview(program, stdout);
		return VW_CLI_EXIT_OK;
	}
	for (const struct vw_cli_command *c = program->commands; c->name; c++) {
		char words[64];
		snprintf(words, sizeof(words), "%s%s%s", argv[0], argc > 1 ? " " : "", argc > 1 ? argv[1] : "");
		if (strcmp(c->name, words) == 0) {
			help_command(program, stdout, c);
			return VW_CLI_EXIT_OK;
		}
	}
	if (help_group(program, stdout, argv[0]))
		return VW_CLI_EXIT_OK;
	fprintf(stderr, "%s: no such command: %s\n", program->name, argv[0]);
	return VW_CLI_EXIT_USAGE;
}

bool help_group(const struct vw_cli_program *program, FILE *out, const char *first)
{
	bool found = false;
	size_t len = strlen(first);
	for (const struct vw_cli_command *c = program->commands; c->name; c++) {
		if (strncmp(c->name, first, len) != 0 || c->name[len] != ' ')
			continue;
		if (!found)
			fprintf(out, "usage: %s %s COMMAND\n\n", program->name, first);
		fprintf(out, "  %-16s %s\n", c->name, c->summary);
		found = true;
	}
	return found;
}
