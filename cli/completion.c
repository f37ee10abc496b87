/* completion.c: completion scripts, written from a program's tables. */
#include "help.h"

#include <stdio.h>
#include <string.h>

typedef const struct vw_cli_program program;

static const char shell_names[] = "bash zsh fish";

/* The shell function's name: "_vw_agent". In bash and zsh. */
static void function_name(program *p)
{
	putchar('_');
	for (const char *at = p->name; *at; at++)
		putchar(*at == '-' ? '_' : *at);
}

static void words_of(const struct vw_cli_option *options)
{
	for (; options && options->name; options++)
		printf(" --%s", options->name);
}

/* First words, each once: "audit" stands for three commands. */
static bool first_of_its_word(const struct vw_cli_command *c)
{
	size_t len = strcspn(c->name, " ");
	return c == commands || strncmp(c[-1].name, c->name, len) != 0 || strcspn(c[-1].name, " ") != len;
}

static void choices(const struct vw_cli_option *option)
{
	for (const char *const *choice = option->choices; *choice; choice++)
		printf("%s%s", choice == option->choices ? "" : " ", *choice);
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

static void bash_command(const struct vw_cli_command *c)
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
	words_of(global_options);
	puts("' ;;");
}

static void bash(void)
{
	fputs("# bash completion for vw-agent\n_vw_agent() {\n\tlocal cur=${COMP_WORDS[COMP_CWORD]} "
	      "prev=${COMP_WORDS[COMP_CWORD-1]} words= IFS=$' \\t\\n'\n\tCOMPREPLY=()\n\tcase $prev in\n"
	      "\t--config|--output) IFS=$'\\n'; compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -f -- "
	      "\"$cur\")); "
	      "return ;;\n"
	      "\t--state) IFS=$'\\n'; compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -d -- \"$cur\")); "
	      "return ;;\n"
	      "\tesac\n\tcase \"${COMP_WORDS[1]-} ${COMP_WORDS[2]-}\" in\n",
	      stdout);
	for (const struct vw_cli_command *c = commands; c->name; c++)
		bash_command(c);
	fputs("\tesac\n\tif [ \"$COMP_CWORD\" = 1 ]; then words='", stdout);
	for (const struct vw_cli_command *c = commands; c->name; c++)
		if (first_of_its_word(c))
			printf("%.*s ", (int)strcspn(c->name, " "), c->name);
	fputs("'; fi\n\tif [ \"$COMP_CWORD\" = 2 ]; then\n\t\tcase ${COMP_WORDS[1]-} in\n", stdout);
	for (const struct vw_cli_command *c = commands; c->name; c++)
		if (strchr(c->name, ' '))
			printf("\t\t%.*s) words+=' %s' ;;&\n", (int)strcspn(c->name, " "), c->name,
			       strchr(c->name, ' ') + 1);
	fputs("\t\tcompletion) words='bash zsh fish' ;;\n\t\tesac\n\tfi\n\tCOMPREPLY=($(compgen -W \"$words\" -- "
	      "\"$cur\"))\n}\n"
	      "complete -F _vw_agent vw-agent\n",
	      stdout);
}

/* ---- fish ---- */

/* When a command is meant: both of its words stand there. */
static void fish_condition(const struct vw_cli_command *c)
{
	const char *second = strchr(c->name, ' ');
	printf("complete -c vw-agent -n '__fish_seen_subcommand_from %.*s", (int)strcspn(c->name, " "), c->name);
	if (second)
		printf("; and __fish_seen_subcommand_from %s", second + 1);
	putchar('\'');
}

static void fish_command(const struct vw_cli_command *c)
{
	int first = (int)strcspn(c->name, " ");
	const char *second = c->name[first] ? c->name + first + 1 : NULL;
	if (second && first_of_its_word(c))
		printf("complete -c vw-agent -f -n __fish_use_subcommand -a %.*s\n", first, c->name);
	if (second)
		printf("complete -c vw-agent -f -n '__fish_seen_subcommand_from %.*s' -a %s -d ", first, c->name,
		       second);
	else
		printf("complete -c vw-agent -f -n __fish_use_subcommand -a %s -d ", c->name);
	quoted(c->summary);
	putchar('\n');
	for (const struct vw_cli_option *o = c->options; o && o->name; o++) {
		fish_condition(c);
		printf(" -l %s %s", o->name,
		       !o->argument ? "" : (strcmp(o->argument, "FILE") == 0 ? "-r -F " : "-x "));
		if (o->choices) {
			fputs("-a '", stdout);
			choices(o);
			fputs("' ", stdout);
		}
		fputs("-d ", stdout);
		quoted(o->help);
		putchar('\n');
	}
}

static void fish(void)
{
	puts("# fish completion for vw-agent\ncomplete -c vw-agent -f");
	for (const struct vw_cli_command *c = commands; c->name; c++)
		fish_command(c);
	puts("complete -c vw-agent -n '__fish_seen_subcommand_from completion' -a 'bash zsh fish'\n"
	     "complete -c vw-agent -l config -r -F -d 'configuration file'\n"
	     "complete -c vw-agent -l state -x -a '(__fish_complete_directories)' -d 'state folder'\n"
	     "complete -c vw-agent -l help -d 'help on a command'");
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
	} else if (o->argument && strcmp(o->argument, "FILE") == 0) {
		fputs("_files", stdout);
	} else if (o->argument && strcmp(o->argument, "FOLDER") == 0) {
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

static void zsh_first_words(void)
{
	puts("  local -a words_of_command\n  words_of_command=(");
	for (const struct vw_cli_command *c = commands; c->name; c++)
		if (first_of_its_word(c))
			zsh_word(c->name, strcspn(c->name, " "),
				 strchr(c->name, ' ') ? "group of commands" : c->summary);
	puts("  )\n  if (( CURRENT == 2 )); then _describe command words_of_command; return; fi");
}

/* The second words of a group; then both words are the command's name. */
static void zsh_group(const struct vw_cli_command *first)
{
	size_t len = strcspn(first->name, " ");
	printf("  %.*s)\n  words_of_command=(\n", (int)len, first->name);
	for (const struct vw_cli_command *c = first; c->name && strncmp(c->name, first->name, len + 1) == 0; c++)
		zsh_word(c->name + len + 1, strlen(c->name + len + 1), c->summary);
	puts("  )\n    if (( CURRENT == 3 )); then _describe command words_of_command; return; fi\n"
	     "    name=\"$name $words[3]\" ;;");
}

static void zsh(void)
{
	puts("#compdef vw-agent\n# zsh completion for vw-agent\n_vw_agent() {\n  local name=$words[2]");
	zsh_first_words();
	puts("  case $name in");
	for (const struct vw_cli_command *c = commands; c->name; c++)
		if (strchr(c->name, ' ') && first_of_its_word(c))
			zsh_group(c);
	puts("  completion) (( CURRENT == 3 )) && compadd bash zsh fish ;;\n  esac\n  case $name in");
	for (const struct vw_cli_command *c = commands; c->name; c++) {
		printf("  '%s') _arguments", c->name);
		for (const struct vw_cli_option *o = c->options; o && o->name; o++)
			zsh_option(o);
		for (const struct vw_cli_option *o = global_options; o->name; o++)
			zsh_option(o);
		puts(" '*: :' ;;");
	}
	/* as a file of $fpath this is the body of a function; sourced, it is not */
	puts("  esac\n}\nif [[ $funcstack[1] = _vw-agent ]]; then _vw_agent \"$@\"; else compdef _vw_agent vw-agent; "
	     "fi");
}

int run_completion(struct vw_cli_invocation *in)
{
	static const struct {
		const char *name;
		void (*print)(void);
	} shells[] = {{"bash", bash}, {"zsh", zsh}, {"fish", fish}};
	for (size_t i = 0; i < sizeof(shells) / sizeof(shells[0]); i++) {
		if (strcmp(in->positional[0], shells[i].name) == 0) {
			shells[i].print();
			return EXIT_OK;
		}
	}
	fprintf(stderr, "vw-agent: no completion for '%s'; bash, zsh or fish\n", in->positional[0]);
	return EXIT_USAGE;
}
