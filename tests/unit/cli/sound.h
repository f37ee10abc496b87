/* sound.h: what holds for the table of any program: its parts fit together, and help and completion name all of it. Each
 * program's own test of its table runs these. Needs cli's private headers. */
#ifndef TEST_CLI_SOUND_H
#define TEST_CLI_SOUND_H

#include "cli/program.h"
#include "help.h"

#include "capture.h"

static inline char *sound_help(const struct vw_cli_program *program, const struct vw_cli_command *command)
{
	struct capture c = capture_begin(0);
	if (command)
		help_command(program, stdout, command);
	else
		help_overview(program, stdout);
	capture_end(&c);
	return c.text;
}

static inline void the_overview_lists_every_command(const struct vw_cli_program *program)
{
	char *text = sound_help(program, NULL);
	for (const struct vw_cli_command *command = program->commands; command->name; command++) {
		char line[64];
		snprintf(line, sizeof(line), "\n  %-16s ", command->name);
		if (!strstr(text, line) || !strstr(text, command->summary))
			fail_msg("%s is not listed", command->name);
	}
	free(text);
}

static inline void help_has_option(const char *text, const char *of, const struct vw_cli_option *o)
{
	char wanted[128];
	snprintf(wanted, sizeof(wanted), "  --%s%s%s", o->name, o->argument ? " " : "",
		 o->argument ? o->argument : "");
	if (!strstr(text, wanted) || !strstr(text, o->help))
		fail_msg("%s: %s", of, wanted);
}

static inline void help_names_every_option(const struct vw_cli_program *program)
{
	for (const struct vw_cli_command *command = program->commands; command->name; command++) {
		char *text = sound_help(program, command), wanted[128];
		snprintf(wanted, sizeof(wanted), "usage: %s %s", program->name, command->name);
		assert_int_equal(strncmp(text, wanted, strlen(wanted)), 0);
		for (const struct vw_cli_option *o = command->options; o && o->name; o++)
			help_has_option(text, command->name, o);
		for (const struct vw_cli_option *o = program->globals; o && o->name; o++)
			help_has_option(text, command->name, o);
		for (const struct vw_cli_status *s = program->statuses; s->brief; s++) {
			snprintf(wanted, sizeof(wanted), "%d", s->code);
			assert_non_null(strstr(text, wanted));
		}
		free(text);
	}
}

static inline int count_options(const struct vw_cli_option *options)
{
	int count = 0;
	for (; options && options->name; options++, count++)
		assert_true(options->argument || !options->choices); /* a switch has nothing to choose */
	return count;
}

/* What main and getopt rely on. */
static inline void the_table_is_sound(const struct vw_cli_program *program)
{
	assert_in_range(count_options(program->globals), 0, VW_CLI_MAX_GLOBALS);
	for (const struct vw_cli_command *c = program->commands; c->name; c++) {
		assert_non_null(c->run);
		assert_non_null(c->summary);
		assert_in_range(c->max_positional, c->min_positional, VW_CLI_MAX_POSITIONAL);
		assert_int_equal(c->max_positional > 0, c->positional != NULL);
		assert_in_range(count_options(c->options), 0, VW_CLI_MAX_OPTIONS);
		for (const struct vw_cli_option *o = c->options; o && o->name; o++) {
			assert_string_not_equal(o->name, help_option.name);
			for (const struct vw_cli_option *g = program->globals; g && g->name; g++)
				assert_string_not_equal(o->name, g->name);
		}
		/* no name twice, a group stands together, and no command's name is the first word of others */
		size_t first = strcspn(c->name, " ");
		for (const struct vw_cli_command *other = program->commands; other < c; other++) {
			bool same = strcspn(other->name, " ") == first && strncmp(other->name, c->name, first) == 0;
			assert_string_not_equal(other->name, c->name);
			assert_true(!same || (c->name[first] && other->name[first]));
			assert_true(!same || strncmp(c[-1].name, c->name, first) == 0);
		}
	}
}

static inline void sound_completion_has(const char *shell, const char *text, const char *option_format,
					const struct vw_cli_command *c)
{
	char word[80];
	const char *space = strchr(c->name, ' ');
	if (!strstr(text, space ? space + 1 : c->name))
		fail_msg("%s: %s", shell, c->name);
	for (const struct vw_cli_option *o = c->options; o && o->name; o++) {
		int before = (int)(strchr(option_format, '%') - option_format);
		snprintf(word, sizeof(word), "%.*s%s", before, option_format, o->name);
		if (!strstr(text, word))
			fail_msg("%s: %s --%s", shell, c->name, o->name);
		for (const char *const *choice = o->choices; choice && *choice; choice++)
			if (!strstr(text, *choice))
				fail_msg("%s: --%s %s", shell, o->name, *choice);
	}
}

static inline char *sound_completion(const struct vw_cli_program *program, const char *shell)
{
	struct vw_cli_invocation in = {.program = program, .positional = {shell}, .positional_count = 1};
	struct capture c = capture_begin(0);
	int code = vw_cli_run_completion(&in);
	capture_end(&c);
	assert_int_equal(code, VW_CLI_EXIT_OK);
	return c.text;
}

static inline void completion_has_all_of_it(const struct vw_cli_program *program)
{
	static const struct {
		const char *shell, *option; /* how one is written there */
	} shells[] = {{"bash", " --%s"}, {"zsh", "'--%s"}, {"fish", " -l %s "}};
	for (size_t i = 0; i < 3; i++) {
		char *text = sound_completion(program, shells[i].shell);
		for (const struct vw_cli_command *c = program->commands; c->name; c++)
			sound_completion_has(shells[i].shell, text, shells[i].option, c);
		free(text);
	}
}

#endif
