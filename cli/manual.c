/* manual.c: writes a program's tables into its manual page, each between its two marks. */
#include "help.h"

#include "base/buffer.h"
#include "base/file.h"
#include "base/limits.h"

#include <stdio.h>
#include <string.h>

#define WIDTH 76 /* columns of a source line */

/* One word as mdoc text: a backslash is roff's, and a dot or quote at a line's start makes it a request. Two minus are an
 * option's. */
static void put_word(struct vw_buffer *out, const char *word, size_t len, bool first)
{
	if (first && (word[0] == '.' || word[0] == '\''))
		vw_buffer_puts(out, "\\&");
	for (size_t i = 0; i < len; i++) {
		if (word[i] == '\\')
			vw_buffer_puts(out, "\\e");
		else if (word[i] == '-' && ((i + 1 < len && word[i + 1] == '-') || (i > 0 && word[i - 1] == '-')))
			vw_buffer_puts(out, "\\-");
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

static void put_option(struct vw_buffer *out, const struct vw_cli_option *option)
{
	vw_buffer_printf(out, ".It Fl \\-%s", option->name);
	if (option->argument)
		vw_buffer_printf(out, " Ar %s", option->argument);
	vw_buffer_putc(out, '\n');
	put_sentence(out, option->help);
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
	if (command->options) {
		vw_buffer_puts(out, ".Bl -tag -width Ds\n");
		for (const struct vw_cli_option *option = command->options; option->name; option++)
			put_option(out, option);
		vw_buffer_puts(out, ".El\n");
	}
	if (command->examples)
		put_examples(out, command->examples);
}

static void put_commands(struct vw_buffer *out, const struct vw_cli_program *program)
{
	vw_buffer_puts(out,
		       ".Sh OPTIONS\nOf every command, in front of its name or behind it:\n.Bl -tag -width Ds\n");
	for (const struct vw_cli_option *option = program->globals; option && option->name; option++)
		put_option(out, option);
	put_option(out, &help_option);
	vw_buffer_puts(out, ".El\n.Sh COMMANDS\n");
	for (const struct vw_cli_command *command = program->commands; command->name; command++)
		put_command(out, command);
}

static void put_variables(struct vw_buffer *out, const struct vw_cli_program *program)
{
	vw_buffer_puts(out, ".Bl -tag -width Ds\n");
	for (const struct vw_cli_variable *variable = program->variables; variable->names; variable++) {
		vw_buffer_puts(out, ".It Ev ");
		for (const char *at = variable->names; *at; at++) { /* mdoc has a comma as a word */
			vw_buffer_puts(out, *at == ',' ? " " : "");
			vw_buffer_putc(out, *at);
		}
		vw_buffer_putc(out, '\n');
		put_text(out, variable->text, "");
	}
	vw_buffer_puts(out, ".El\n");
}

static void put_statuses(struct vw_buffer *out, const struct vw_cli_program *program)
{
	vw_buffer_puts(out, ".Bl -tag -width 000 -compact\n");
	for (const struct vw_cli_status *status = program->statuses; status->brief; status++) {
		vw_buffer_printf(out, ".It %d\n", status->code);
		put_text(out, status->text, "");
	}
	vw_buffer_puts(out, ".El\n");
}

/* Makes what stands between the marks of one table anew, and copies what stands in front. Returns what is behind; NULL without its marks. */
static const char *renew_part(const struct vw_cli_program *program, const char *page, const char *table,
			      void (*put)(struct vw_buffer *, const struct vw_cli_program *), struct vw_buffer *out)
{
	char begin_mark[128], end_mark[128];
	snprintf(begin_mark, sizeof(begin_mark), ".\\\" From the table of %s; do not edit: run %s-manual.\n", table,
		 program->name);
	snprintf(end_mark, sizeof(end_mark), ".\\\" End of the table of %s.\n", table);
	const char *begin = strstr(page, begin_mark), *end = begin ? strstr(begin, end_mark) : NULL;
	if (!end)
		return NULL;
	vw_buffer_append(out, page, (size_t)(begin - page) + strlen(begin_mark));
	put(out, program);
	return end;
}

/* The page with its tables made anew. Gives the table whose marks are missing, or NULL. */
static const char *renew(const struct vw_cli_program *program, const char *page, struct vw_buffer *out)
{
	static const struct {
		const char *table;
		void (*put)(struct vw_buffer *, const struct vw_cli_program *);
	} parts[] = {{"commands", put_commands}, {"variables", put_variables}, {"exit codes", put_statuses}};
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		page = renew_part(program, page, parts[i].table, parts[i].put, out);
		if (!page)
			return parts[i].table;
	}
	vw_buffer_puts(out, page);
	return NULL;
}

static int fail(const struct vw_cli_program *program, const char *path, const char *why)
{
	fprintf(stderr, "%s-manual: %s: %s\n", program->name, path, why);
	return VW_CLI_EXIT_FAILED;
}

/* Compares the page with its renewed one, or writes that. */
static int bring_up_to_date(const struct vw_cli_program *program, const char *path, bool check)
{
	struct vw_error err = VW_ERROR_INIT;
	struct vw_buffer page, renewed;
	const char *missing = NULL;
	vw_buffer_init(&page, VW_MIB);
	vw_buffer_init(&renewed, VW_MIB);
	int code = vw_file_read(path, VW_MIB, &page, &err);
	if (code == 0)
		missing = renew(program, vw_buffer_text(&page), &renewed);
	if (missing)
		code = vw_error_set(&err, VW_EINVAL, "the marks of the table of %s are missing", missing);
	if (code == 0 && vw_buffer_error(&renewed) < 0)
		code = vw_error_set(&err, VW_ELIMIT, "the page does not fit");
	bool same = strcmp(vw_buffer_text(&page), vw_buffer_text(&renewed)) == 0;
	if (code == 0 && check && !same)
		code =
		    vw_error_set(&err, VW_EINVAL, "is not what the tables make; run %s-manual on it", program->name);
	if (code == 0 && !same)
		code = vw_file_write(path, renewed.data, renewed.len, 0644, &err);
	vw_buffer_reset(&page);
	vw_buffer_reset(&renewed);
	return code < 0 ? fail(program, path, err.message) : VW_CLI_EXIT_OK;
}

int vw_cli_manual_main(const struct vw_cli_program *program, int argc, char **argv)
{
	bool check = argc == 3 && strcmp(argv[1], "--check") == 0;
	if (argc != 2 + check)
		return fail(program, "usage", "[--check] PAGE");
	return bring_up_to_date(program, argv[argc - 1], check);
}
