/* completion.c: completion scripts, written from the table of commands. */
#include "command.h"

#include <stdio.h>
#include <string.h>

static void words_of(const struct option_spec *options)
{
	for (; options && options->name; options++)
		printf(" --%s", options->name);
}

/* First words, each once: "audit" stands for three commands. */
static bool first_of_its_word(const struct command *c)
{
	size_t len = strcspn(c->name, " ");
	return c == commands || strncmp(c[-1].name, c->name, len) != 0 || strcspn(c[-1].name, " ") != len;
}

static void bash(void)
{
	fputs("# bash completion for vw-agent\n_vw_agent() {\n\tlocal cur=${COMP_WORDS[COMP_CWORD]} "
	      "prev=${COMP_WORDS[COMP_CWORD-1]} "
	      "words=\n\tCOMPREPLY=()\n\tcase $prev in\n\t--config|--output) COMPREPLY=($(compgen -f -- \"$cur\")); "
	      "return ;;\n"
	      "\t--state) COMPREPLY=($(compgen -d -- \"$cur\")); return ;;\n\tesac\n"
	      "\tcase \"${COMP_WORDS[1]} ${COMP_WORDS[2]}\" in\n",
	      stdout);
	for (const struct command *c = commands; c->name; c++) {
		for (const struct option_spec *o = c->options; o && o->name; o++) {
			if (!o->choices)
				continue;
			printf("\t\"%s\"*) [ \"$prev\" = --%s ] && { COMPREPLY=($(compgen -W '", c->name, o->name);
			for (const char *const *choice = o->choices; *choice; choice++)
				printf("%s ", *choice);
			fputs("' -- \"$cur\")); return; } ;;&\n", stdout);
		}
		printf("\t\"%s\"*) words='", c->name);
		words_of(c->options);
		words_of(global_options);
		puts("' ;;");
	}
	fputs("\tesac\n\tif [ \"$COMP_CWORD\" = 1 ]; then words='", stdout);
	for (const struct command *c = commands; c->name; c++)
		if (first_of_its_word(c))
			printf("%.*s ", (int)strcspn(c->name, " "), c->name);
	fputs("'; fi\n\tif [ \"$COMP_CWORD\" = 2 ]; then\n\t\tcase ${COMP_WORDS[1]} in\n", stdout);
	for (const struct command *c = commands; c->name; c++)
		if (strchr(c->name, ' '))
			printf("\t\t%.*s) words+=' %s' ;;&\n", (int)strcspn(c->name, " "), c->name,
			       strchr(c->name, ' ') + 1);
	fputs("\t\tcompletion) words='bash zsh fish' ;;\n\t\tesac\n\tfi\n\tCOMPREPLY=($(compgen -W \"$words\" -- "
	      "\"$cur\"))\n}\n"
	      "complete -F _vw_agent vw-agent\n",
	      stdout);
}

/* A single-quoted shell word. */
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

static void fish(void)
{
	puts("# fish completion for vw-agent");
	for (const struct command *c = commands; c->name; c++)
		if (strchr(c->name, ' ') && first_of_its_word(c))
			printf("complete -c vw-agent -f -n __fish_use_subcommand -a %.*s\n",
			       (int)strcspn(c->name, " "), c->name);
	for (const struct command *c = commands; c->name; c++) {
		int first = (int)strcspn(c->name, " ");
		const char *second = c->name[first] ? c->name + first + 1 : NULL;
		if (second)
			printf("complete -c vw-agent -f -n '__fish_seen_subcommand_from %.*s' -a %s -d ", first,
			       c->name, second);
		else
			printf("complete -c vw-agent -f -n __fish_use_subcommand -a %s -d ", c->name);
		quoted(c->summary);
		putchar('\n');
		for (const struct option_spec *o = c->options; o && o->name; o++) {
			printf("complete -c vw-agent -n '__fish_seen_subcommand_from %.*s' -l %s %s", first, c->name,
			       o->name, o->argument ? "-x " : "");
			if (o->choices) {
				fputs("-a '", stdout);
				for (const char *const *choice = o->choices; *choice; choice++)
					printf("%s ", *choice);
				fputs("' ", stdout);
			}
			fputs("-d ", stdout);
			quoted(o->help);
			putchar('\n');
		}
	}
	puts("complete -c vw-agent -l config -r -d 'configuration file'\ncomplete -c vw-agent -l state -x -a "
	     "'(__fish_complete_directories)' -d 'state folder'");
}

static void zsh(void)
{
	puts("#compdef vw-agent\n# zsh completion for vw-agent\n_vw_agent() {\n  local -a commands\n  commands=(");
	for (const struct command *c = commands; c->name; c++) {
		if (!first_of_its_word(c))
			continue;
		printf("    '%.*s:", (int)strcspn(c->name, " "), c->name);
		printf("%s'\n", strchr(c->name, ' ') ? "group of commands" : c->summary);
	}
	puts("  )\n  if (( CURRENT == 2 )); then _describe command commands; return; fi\n  case $words[2] in");
	for (const struct command *c = commands; c->name; c++) {
		if (!first_of_its_word(c))
			continue;
		size_t len = strcspn(c->name, " ");
		printf("  %.*s)\n    if (( CURRENT == 3 )); then\n      compadd --", (int)len, c->name);
		for (const struct command *s = c; s->name && strncmp(s->name, c->name, len) == 0; s++)
			if (s->name[len] == ' ')
				printf(" %s", s->name + len + 1);
		if (strcmp(c->name, "completion") == 0)
			fputs(" bash zsh fish", stdout);
		fputs("\n    fi\n    compadd --", stdout);
		for (const struct command *s = c; s->name && strncmp(s->name, c->name, len) == 0; s++)
			words_of(s->options);
		words_of(global_options);
		puts("\n    ;;");
	}
	puts("  esac\n}\ncompdef _vw_agent vw-agent");
}

int run_completion(struct invocation *in)
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
