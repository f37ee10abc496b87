#include "help.h"

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

static void print_options(FILE *out, const struct vw_cli_option *options)
{
	for (; options && options->name; options++) {
		char left[64];
		snprintf(left, sizeof(left), "--%s%s%s", options->name, options->argument ? " " : "",
			 options->argument ? options->argument : "");
		fprintf(out, "  %-22s ", left);
		if (strlen(left) > 22)
			fprintf(out, "\n%25s", "");
		fprintf(out, "%s\n", options->help);
	}
}

void help_overview(FILE *out)
{
	fputs("vw-agent reads an MLflow registry, without ever changing it, and keeps a record of every model "
	      "version,\n"
	      "its compliance gaps and an audit trail.\n\n"
	      "usage: vw-agent [--config FILE] [--state FOLDER] COMMAND [OPTION...]\n\nCommands:\n",
	      out);
	for (const struct vw_cli_command *c = commands; c->name; c++)
		fprintf(out, "  %-16s %s\n", c->name, c->summary);
	fputs("\nBegin with:\n  MLFLOW_TRACKING_URI=http://127.0.0.1:5000 vw-agent sync\n  vw-agent inventory\n  "
	      "vw-agent gaps\n\n"
	      "vw-agent COMMAND --help says more about each.\n",
	      out);
}

void help_command(FILE *out, const struct vw_cli_command *c)
{
	fprintf(out, "usage: vw-agent %s%s%s%s\n\n", c->name, c->options ? " [OPTION...]" : "",
		c->positional ? " " : "", c->positional ? c->positional : "");
	wrap(out, c->summary, 0, 100);
	if (c->description) {
		fputc('\n', out);
		wrap(out, c->description, 0, 100);
	}
	if (c->options) {
		fputs("\nOptions:\n", out);
		print_options(out, c->options);
	}
	fputs("\nGlobal options:\n", out);
	print_options(out, global_options);
	if (c->examples)
		fprintf(out, "\nExamples:\n%s", c->examples);
	fputs("\nExit codes: 0 done, 1 failed, 2 usage, 3 configuration, 4 MLflow unreachable or refusing, 5 state "
	      "database,\n"
	      "6 suspiciously empty listing, 7 audit chain broken, 10 gaps found (gaps --fail-on), 130 cancelled.\n",
	      out);
}

int help_topic(int argc, char **argv)
{
	if (argc == 0) {
		help_overview(stdout);
		return EXIT_OK;
	}
	for (const struct vw_cli_command *c = commands; c->name; c++) {
		char words[64];
		snprintf(words, sizeof(words), "%s%s%s", argv[0], argc > 1 ? " " : "", argc > 1 ? argv[1] : "");
		if (strcmp(c->name, words) == 0) {
			help_command(stdout, c);
			return EXIT_OK;
		}
	}
	if (help_group(stdout, argv[0]))
		return EXIT_OK;
	fprintf(stderr, "vw-agent: no such command: %s\n", argv[0]);
	return EXIT_USAGE;
}

bool help_group(FILE *out, const char *first)
{
	bool found = false;
	size_t len = strlen(first);
	for (const struct vw_cli_command *c = commands; c->name; c++) {
		if (strncmp(c->name, first, len) != 0 || c->name[len] != ' ')
			continue;
		if (!found)
			fprintf(out, "usage: vw-agent %s COMMAND\n\n", first);
		fprintf(out, "  %-16s %s\n", c->name, c->summary);
		found = true;
	}
	return found;
}
