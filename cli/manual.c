/* manual.c: writes the table of commands into vw-agent(1), between its two marks. Built beside the tests, not installed.
 *
 *	vw-agent-manual docs/man/vw-agent.1            # brings the page up to date
 *	vw-agent-manual --check docs/man/vw-agent.1    # fails if it is not */
#include "command.h"

#include "base/arena.h"
#include "base/file.h"
#include "base/limits.h"

#include <stdio.h>
#include <string.h>

#define WIDTH 76 /* columns of a source line */

static const char begin_mark[] = ".\\\" From the table of commands; do not edit: run vw-agent-manual.\n";
static const char end_mark[] = ".\\\" End of what comes from the table.\n";



/* One word as mdoc text: a backslash is roff's, and a dot or quote at a line's start makes it a request. */
static void put_word(struct vw_buffer *out, const char *word, size_t len, bool first)
{
	if (first && (word[0] == '.' || word[0] == '\''))
		vw_buffer_puts(out, "\\&");
	for (size_t i = 0; i < len; i++) {
		if (word[i] == '\\')
			vw_buffer_puts(out, "\\e");
		else
			vw_buffer_putc(out, word[i]);
	}
}

/* A sentence begins a line, as mdoc wants it; an empty line begins a paragraph. */
static void put_text(struct vw_buffer *out, const char *text, const char *end)
{
	size_t column = 0;
	while (*text) {
		if (*text == '\n') {
			vw_buffer_puts(out, column ? "\n.Pp\n" : ".Pp\n");
			text += strspn(text, "\n");
			column = 0;
			continue;
		}
		size_t len = strcspn(text, " \n");
		if (column > 0 && column + 1 + len > WIDTH) {
			vw_buffer_putc(out, '\n');
			column = 0;
		}
		if (column > 0)
			vw_buffer_putc(out, ' ');
		put_word(out, text, len, column == 0);
		column += len + (column > 0);
		text += len;
		if (text[-1] == '.' && *text == ' ') {
			vw_buffer_putc(out, '\n');
			column = 0;
		}
		text += strspn(text, " ");
	}
	vw_buffer_printf(out, "%s\n", end);
}

/* What the table has without capital and full stop. */
static void put_sentence(struct vw_buffer *out, const char *text)
{
	char first = text[0];
	struct vw_buffer sentence;
	if (first >= 'a' && first <= 'z')
		first = (char)(first - 'a' + 'A');
	vw_buffer_init(&sentence, 0);
	vw_buffer_putc(&sentence, first);
	vw_buffer_puts(&sentence, text + 1);
	put_text(out, vw_buffer_text(&sentence), ".");
	vw_buffer_reset(&sentence);
}

static void put_options(struct vw_buffer *out, const struct vw_cli_option *options)
{
	vw_buffer_puts(out, ".Bl -tag -width Ds\n");
	for (; options->name; options++) {
		vw_buffer_printf(out, ".It Fl \\-%s", options->name);
		if (options->argument)
			vw_buffer_printf(out, " Ar %s", options->argument);
		vw_buffer_putc(out, '\n');
		put_sentence(out, options->help);
	}
	vw_buffer_puts(out, ".El\n");
}

/* To be copied into a shell: a minus, not a hyphen. */
static void put_examples(struct vw_buffer *out, const char *examples)
{
	vw_buffer_puts(out, ".Bd -literal -offset indent\n");
	for (bool first = true; *examples; examples++) {
		if (*examples == '-')
			vw_buffer_puts(out, "\\-");
		else
			put_word(out, examples, 1, first);
		first = *examples == '\n';
	}
	vw_buffer_puts(out, ".Ed\n");
}

static void put_command(struct vw_buffer *out, const struct vw_cli_command *command)
{
	vw_buffer_printf(out, ".Ss %s\n.Nm\n.Cm %s\n", command->name, command->name);
	if (command->options)
		vw_buffer_puts(out, ".Op Ar option ...\n");
	if (command->positional)
		vw_buffer_printf(out, ".Ar %s\n", command->positional);
	vw_buffer_puts(out, ".Pp\n");
	put_sentence(out, command->summary);
	if (command->description) {
		vw_buffer_puts(out, ".Pp\n");
		put_text(out, command->description, "");
	}
	if (command->options)
		put_options(out, command->options);
	if (command->examples)
		put_examples(out, command->examples);
}

static void put_table(struct vw_buffer *out)
{
	vw_buffer_puts(out, ".Sh OPTIONS\nOf every command, in front of its name or behind it:\n");
	put_options(out, global_options);
	vw_buffer_puts(out, ".Sh COMMANDS\n");
	for (const struct vw_cli_command *command = commands; command->name; command++)
		put_command(out, command);
}

/* The page with its middle made anew. False when it lacks a mark. */
static bool renew(const char *page, struct vw_buffer *out)
{
	const char *begin = strstr(page, begin_mark), *end = begin ? strstr(begin, end_mark) : NULL;
	if (!end)
		return false;
	vw_buffer_append(out, page, (size_t)(begin - page) + strlen(begin_mark));
	put_table(out);
	vw_buffer_puts(out, end);
	return true;
}

static int fail(const char *path, const char *why)
{
	fprintf(stderr, "vw-agent-manual: %s: %s\n", path, why);
	return EXIT_FAILED;
}

int main(int argc, char **argv)
{
	struct vw_error err = VW_ERROR_INIT;
	struct vw_buffer page, renewed;
	bool check = argc == 3 && strcmp(argv[1], "--check") == 0;
	const char *path = argv[argc - 1];
	if (argc != 2 + check)
		return fail("usage", "vw-agent-manual [--check] PAGE");
	vw_buffer_init(&page, VW_MIB);
	vw_buffer_init(&renewed, VW_MIB);
	if (vw_file_read(path, VW_MIB, &page, &err) < 0)
		return fail(path, err.message);
	if (!renew(vw_buffer_text(&page), &renewed) || vw_buffer_error(&renewed) < 0)
		return fail(path, "the marks are missing");
	bool same = strcmp(vw_buffer_text(&page), vw_buffer_text(&renewed)) == 0;
	if (check && !same)
		return fail(path, "is not what the table of commands makes; run vw-agent-manual on it");
	if (!check && !same && vw_file_write(path, renewed.data, renewed.len, 0644, &err) < 0)
		return fail(path, err.message);
	vw_buffer_reset(&page);
	vw_buffer_reset(&renewed);
	return EXIT_OK;
}
