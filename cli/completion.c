/* completion.c: completion scripts, written from a program's tables. */
#include "help.h"

#include <stdio.h>
#include <string.h>

#define SHELLS "bash zsh fish"

struct function_name {
	char text[64];
};

/* The shells' function: "_vw_agent". */
static struct function_name function_of(const struct vw_cli_program *p)
{
	struct function_name name;
	snprintf(name.text, sizeof(name.text), "_%s", p->name);
	for (char *at = name.text; *at; at++)
		*at = *at == '-' ? '_' : *at;
	return name;
}

static void words_of(const struct vw_cli_option *options)
{
	for (; options && options->name; options++)
		printf(" --%s", options->name);
}

static int first_word(const struct vw_cli_command *c)
{
	return (int)strcspn(c->name, " ");
}

static const char *second_word(const struct vw_cli_command *c)
{
	const char *space = strchr(c->name, ' ');
	return space ? space + 1 : NULL;
}

/* First words, each once: "audit" stands for three commands. */
static bool first_of_its_word(const struct vw_cli_program *p, const struct vw_cli_command *c)
{
	int len = first_word(c);
	return c == p->commands || strncmp(c[-1].name, c->name, (size_t)len) != 0 || first_word(c - 1) != len;
}

static void choices(const struct vw_cli_option *option)
{
	for (const char *const *choice = option->choices; *choice; choice++)
		printf("%s%s", choice == option->choices ? "" : " ", *choice);
}

static bool takes(const struct vw_cli_option *option, const char *argument)
{
	return option->argument && strcmp(option->argument, argument) == 0;
}

/* A single-quoted word of any of the shells. */
static void quoted(const char *text)
{
	putchar('\'');
	for (; *text; text++) {
		if (*text == '\'')
			fputs("'\\''", stdout);
		else
			putchar(*text);
	}
	putchar('\'');
}

/* ---- bash ---- */

static void bash_command(const struct vw_cli_program *p, const struct vw_cli_command *c)
{
	for (const struct vw_cli_option *o = c->options; o && o->name; o++) {
		if (!o->choices)
			continue;
		printf("\t\"%s\"*) [ \"$prev\" = --%s ] && { COMPREPLY=($(compgen -W '", c->name, o->name);
		choices(o);
		fputs("' -- \"$cur\")); return; } ;;&\n", stdout);
	}
	printf("\t\"%s\"*) words='", c->name);
	words_of(c->options);
	words_of(p->globals);
	puts(" --help' ;;");
}

static int bash_patterns(const struct vw_cli_option *options, const char *argument, int count)
{
	for (; options && options->name; options++)
		if (takes(options, argument))
			printf("%s--%s", count++ ? "|" : "\t", options->name);
	return count;
}

/* What follows an option that takes a file or folder; `how` as compgen wants it. */
static void bash_files(const struct vw_cli_program *p, const char *argument, const char *how)
{
	int count = bash_patterns(p->globals, argument, 0);
	for (const struct vw_cli_command *c = p->commands; c->name; c++)
		count = bash_patterns(c->options, argument, count);
	if (count)
		printf(") IFS=$'\\n'; compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen %s -- \"$cur\")); "
		       "return ;;\n",
		       how);
}

static void bash_first_words(const struct vw_cli_program *p)
{
	fputs("\tif [ \"$COMP_CWORD\" = 1 ]; then words='", stdout);
	for (const struct vw_cli_command *c = p->commands; c->name; c++)
		if (first_of_its_word(p, c))
			printf("%.*s ", first_word(c), c->name);
	puts("'; fi");
}

static void bash_second_words(const struct vw_cli_program *p)
{
	puts("\tif [ \"$COMP_CWORD\" = 2 ]; then\n\t\tcase ${COMP_WORDS[1]-} in");
	for (const struct vw_cli_command *c = p->commands; c->name; c++) {
		if (second_word(c))
			printf("\t\t%.*s) words+=' %s' ;;&\n", first_word(c), c->name, second_word(c));
		if (c->run == vw_cli_run_completion)
			printf("\t\t%s) words='" SHELLS "' ;;\n", c->name);
	}
	puts("\t\tesac\n\tfi");
}

static void bash(const struct vw_cli_program *p)
{
	struct function_name function = function_of(p);
	printf("# bash completion for %s\n%s() {\n\tlocal cur=${COMP_WORDS[COMP_CWORD]} "
	       "prev=${COMP_WORDS[COMP_CWORD-1]} words= IFS=$' \\t\\n'\n\tCOMPREPLY=()\n\tcase $prev in\n",
	       p->name, function.text);
	bash_files(p, "FILE", "-f");
	bash_files(p, "FOLDER", "-d");
	puts("\tesac\n\tcase \"${COMP_WORDS[1]-} ${COMP_WORDS[2]-}\" in");
	for (const struct vw_cli_command *c = p->commands; c->name; c++)
		bash_command(p, c);
	puts("\tesac");
	bash_first_words(p);
	bash_second_words(p);
	printf("\tCOMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n}\ncomplete -F %s %s\n", function.text, p->name);
}

/* ---- fish ---- */

static void fish_option(const struct vw_cli_option *o)
{
	printf(" -l %s ", o->name);
	if (takes(o, "FILE"))
		fputs("-r -F ", stdout);
	else if (takes(o, "FOLDER"))
		fputs("-x -a '(__fish_complete_directories)' ", stdout);
	else if (o->argument)
		fputs("-x ", stdout);
	if (o->choices) {
		fputs("-a '", stdout);
		choices(o);
		fputs("' ", stdout);
	}
	fputs("-d ", stdout);
	quoted(o->help);
	putchar('\n');
}

/* When a command is meant: both of its words stand there. */
static void fish_condition(const struct vw_cli_program *p, const struct vw_cli_command *c)
{
	printf("complete -c %s -n '__fish_seen_subcommand_from %.*s", p->name, first_word(c), c->name);
	if (second_word(c))
		printf("; and __fish_seen_subcommand_from %s", second_word(c));
	putchar('\'');
}

static void fish_command(const struct vw_cli_program *p, const struct vw_cli_command *c)
{
	const char *second = second_word(c);
	if (second && first_of_its_word(p, c))
		printf("complete -c %s -f -n __fish_use_subcommand -a %.*s\n", p->name, first_word(c), c->name);
	if (second)
		printf("complete -c %s -f -n '__fish_seen_subcommand_from %.*s' -a %s -d ", p->name, first_word(c),
		       c->name, second);
	else
		printf("complete -c %s -f -n __fish_use_subcommand -a %s -d ", p->name, c->name);
	quoted(c->summary);
	putchar('\n');
	for (const struct vw_cli_option *o = c->options; o && o->name; o++) {
		fish_condition(p, c);
		fish_option(o);
	}
	if (c->run == vw_cli_run_completion)
		printf("complete -c %s -n '__fish_seen_subcommand_from %s' -a '" SHELLS "'\n", p->name, c->name);
}

static void fish(const struct vw_cli_program *p)
{
	printf("# fish completion for %s\ncomplete -c %s -f\n", p->name, p->name);
	for (const struct vw_cli_command *c = p->commands; c->name; c++)
		fish_command(p, c);
	for (const struct vw_cli_option *o = p->globals; o && o->name; o++) {
		printf("complete -c %s", p->name);
		fish_option(o);
	}
	printf("complete -c %s", p->name);
	fish_option(&help_option);
}

/* ---- zsh ---- */

/* One option as _arguments wants it: '--name=[help]:ARGUMENT:values'. */
static void zsh_option(const struct vw_cli_option *o)
{
	printf(" '--%s%s[", o->name, o->argument ? "=" : "");
	for (const char *at = o->help; *at; at++) {
		if (strchr("[]:\\", *at))
			putchar('\\');
		fputs(*at == '\'' ? "'\\''" : "", stdout);
		if (*at != '\'')
			putchar(*at);
	}
	putchar(']');
	if (o->argument)
		printf(":%s:", o->argument);
	if (o->choices) {
		putchar('(');
		choices(o);
		putchar(')');
	} else if (takes(o, "FILE")) {
		fputs("_files", stdout);
	} else if (takes(o, "FOLDER")) {
		fputs("_files -/", stdout);
	}
	putchar('\'');
}

static void zsh_word(const char *word, size_t len, const char *what)
{
	char text[200];
	snprintf(text, sizeof(text), "%.*s:%s", (int)len, word, what);
	fputs("    ", stdout);
	quoted(text);
	putchar('\n');
}

static void zsh_first_words(const struct vw_cli_program *p)
{
	puts("  local -a words_of_command\n  words_of_command=(");
	for (const struct vw_cli_command *c = p->commands; c->name; c++)
		if (first_of_its_word(p, c))
			zsh_word(c->name, (size_t)first_word(c), second_word(c) ? "group of commands" : c->summary);
	puts("  )\n  if (( CURRENT == 2 )); then _describe command words_of_command; return; fi");
}

/* The second words of a group; then both words are the command's name. */
static void zsh_group(const struct vw_cli_command *first)
{
	int len = first_word(first);
	printf("  %.*s)\n  words_of_command=(\n", len, first->name);
	for (const struct vw_cli_command *c = first; c->name && strncmp(c->name, first->name, (size_t)len + 1) == 0;
	     c++)
		zsh_word(second_word(c), strlen(second_word(c)), c->summary);
	puts("  )\n    if (( CURRENT == 3 )); then _describe command words_of_command; return; fi\n"
	     "    name=\"$name $words[3]\" ;;");
}

static void zsh_arguments(const struct vw_cli_program *p, const struct vw_cli_command *c)
{
	printf("  '%s') _arguments", c->name);
	for (const struct vw_cli_option *o = c->options; o && o->name; o++)
		zsh_option(o);
	for (const struct vw_cli_option *o = p->globals; o && o->name; o++)
		zsh_option(o);
	zsh_option(&help_option);
	puts(" '*: :' ;;");
}

static void zsh(const struct vw_cli_program *p)
{
	struct function_name function = function_of(p);
	printf("#compdef %s\n# zsh completion for %s\n%s() {\n  local name=$words[2]\n", p->name, p->name,
	       function.text);
	zsh_first_words(p);
	puts("  case $name in");
	for (const struct vw_cli_command *c = p->commands; c->name; c++) {
		if (second_word(c) && first_of_its_word(p, c))
			zsh_group(c);
		if (c->run == vw_cli_run_completion)
			printf("  %s) (( CURRENT == 3 )) && compadd " SHELLS " ;;\n", c->name);
	}
	puts("  esac\n  case $name in");
	for (const struct vw_cli_command *c = p->commands; c->name; c++)
		zsh_arguments(p, c);
	/* as a file of $fpath this is the body of a function; sourced, it is not */
	printf("  esac\n}\nif [[ $funcstack[1] = _%s ]]; then %s \"$@\"; else compdef %s %s; fi\n", p->name,
	       function.text, function.text, p->name);
}

int vw_cli_run_completion(struct vw_cli_invocation *in)
{
	static const struct {
		const char *name;
		void (*print)(const struct vw_cli_program *);
	} shells[] = {{"bash", bash}, {"zsh", zsh}, {"fish", fish}};
	for (size_t i = 0; i < sizeof(shells) / sizeof(shells[0]); i++) {
		if (strcmp(in->positional[0], shells[i].name) == 0) {
			shells[i].print(in->program);
			return VW_CLI_EXIT_OK;
		}
	}
	fprintf(stderr, "%s: no completion for '%s'; bash, zsh or fish\n", in->program->name, in->positional[0]);
	return VW_CLI_EXIT_USAGE;
}
