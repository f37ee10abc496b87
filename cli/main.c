#include "help.h"

#include "base/secret.h"

#include <fcntl.h>
#include <getopt.h>
#include <locale.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* What getopt gives: an index of the command's options, one of the program's, or this. */
#define GLOBAL VW_CLI_MAX_OPTIONS
#define HELP   (GLOBAL + VW_CLI_MAX_GLOBALS)

volatile sig_atomic_t vw_cli_cancelled;

static pthread_t main_thread;

/* POSIX lets a handler call pthread_kill() and pthread_self(). */
bool vw_cli_pass_on(int number)
{
	if (pthread_equal(pthread_self(), main_thread))
		return false;
	pthread_kill(main_thread, number);
	return true;
}

static void on_signal(int number)
{
	if (!vw_cli_pass_on(number))
		vw_cli_cancelled = number;
}

/* A database opened under the number of a closed stream would be written over by the next message. Writing to this fails. */
static void reserve_streams(void)
{
	int fd;
	do {
		fd = open("/", O_RDONLY | O_DIRECTORY); /* there in an empty image too */
	} while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

/* What writes or asks a server ends in order. What only reads and prints has nothing to put in order, and ends as any other tool does:
 * at once, and silently when nobody reads on. */
static void catch_signals(const struct vw_cli_command *command)
{
	if (!command->orderly)
		return;
	main_thread = pthread_self();
	struct sigaction action = {.sa_handler = on_signal};
	sigemptyset(&action.sa_mask);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	signal(SIGPIPE, SIG_IGN);
}

static int usage_error(const struct vw_cli_program *program, const char *wrong, const char *what, const char *where)
{
	fprintf(stderr, "%s: %s: %s\nTry: %s%s%s --help\n", program->name, wrong, what, program->name,
		where[0] ? " " : "", where);
	return VW_CLI_EXIT_USAGE;
}

/* "audit" "verify" is one command of two words. Returns how many words of argv it took; 0 for none. */
static int find_command(const struct vw_cli_program *program, int argc, char **argv,
			const struct vw_cli_command **out)
{
	for (const struct vw_cli_command *c = program->commands; c->name; c++) {
		size_t first = strcspn(c->name, " ");
		if (strlen(argv[0]) != first || strncmp(c->name, argv[0], first) != 0)
			continue;
		if (!c->name[first]) {
			*out = c;
			return 1;
		}
		if (argc > 1 && strcmp(c->name + first + 1, argv[1]) == 0) {
			*out = c;
			return 2;
		}
	}
	return 0;
}

static bool in_choices(const char *value, const char *const *choices)
{
	for (; *choices; choices++)
		if (strcmp(value, *choices) == 0)
			return true;
	return false;
}

static int add_longopts(const struct vw_cli_option *options, int cap, int first, struct option *out)
{
	int n = 0;
	for (; options && options[n].name && n < cap; n++)
		out[n] = (struct option){options[n].name, options[n].argument ? required_argument : no_argument, NULL,
					 first + n};
	return n;
}

/* getopt's own table: the command's options, then the global ones. */
static void make_longopts(const struct vw_cli_invocation *in, struct option *out)
{
	int n = add_longopts(in->command->options, VW_CLI_MAX_OPTIONS, 0, out);
	n += add_longopts(in->program->globals, VW_CLI_MAX_GLOBALS, GLOBAL, out + n);
	out[n++] = (struct option){"help", no_argument, NULL, HELP};
	out[n] = (struct option){0};
}

/* Takes the value that getopt found, or "" for a switch. False if the option has no such choice, which was said. */
static bool take_value(const struct vw_cli_invocation *in, const struct vw_cli_option *option, const char **out)
{
	*out = optarg ? optarg : "";
	if (!option->choices || in_choices(*out, option->choices))
		return true;
	fprintf(stderr, "%s: --%s cannot be '%s'; %s\n", in->program->name, option->name, *out, option->help);
	return false;
}

static void set_defaults(const struct vw_cli_option *options, int cap, const char **values)
{
	for (int i = 0; options && options[i].name && i < cap; i++)
		if (!values[i] && options[i].choices)
			values[i] = options[i].choices[0];
}

/* 0 to go on, 1 when help was asked for, negative for a usage error that was printed. */
static int parse_options(int argc, char **argv, struct vw_cli_invocation *in)
{
	const struct vw_cli_program *program = in->program;
	const struct vw_cli_command *command = in->command;
	struct option longopts[VW_CLI_MAX_OPTIONS + VW_CLI_MAX_GLOBALS + 2];
	make_longopts(in, longopts);
	optind = 0; /* glibc: from the beginning, also after another command line */
	for (int which; (which = getopt_long(argc, argv, ":h", longopts, NULL)) != -1;) {
		if (which == 'h' || which == HELP)
			return 1;
		if (which == '?' || which == ':') {
			usage_error(program, which == ':' ? "an argument is missing" : "no such option",
				    argv[optind - 1], command->name);
			return -1;
		}
		bool global = which >= GLOBAL;
		const struct vw_cli_option *option =
		    global ? &program->globals[which - GLOBAL] : &command->options[which];
		if (!take_value(in, option, global ? &in->globals[which - GLOBAL] : &in->values[which]))
			return -1;
	}
	set_defaults(command->options, VW_CLI_MAX_OPTIONS, in->values);
	set_defaults(program->globals, VW_CLI_MAX_GLOBALS, in->globals);
	return 0;
}

static int parse_positional(int argc, char **argv, struct vw_cli_invocation *in)
{
	const struct vw_cli_command *command = in->command;
	for (; optind < argc; optind++) {
		if (in->positional_count >= command->max_positional) {
			usage_error(in->program, "unexpected argument", argv[optind], command->name);
			return -1;
		}
		in->positional[in->positional_count++] = argv[optind];
	}
	if (in->positional_count < command->min_positional) {
		usage_error(in->program, "missing argument", command->positional, command->name);
		return -1;
	}
	return 0;
}

/* The value of argv[at] if it is the option `name`, as "--name VALUE" or "--name=VALUE"; *at moves behind it. */
static const char *take_leading(int argc, char **argv, int *at, const char *name)
{
	size_t len = strlen(name);
	if (*at >= argc || strncmp(argv[*at], "--", 2) != 0 || strncmp(argv[*at] + 2, name, len) != 0)
		return NULL;
	if (argv[*at][2 + len] == '=')
		return argv[(*at)++] + 2 + len + 1;
	if (argv[*at][2 + len] || *at + 1 >= argc)
		return NULL;
	*at += 2;
	return argv[*at - 1];
}

/* Global options with a value may stand in front of the command too. Returns where it stands. */
static int leading_globals(int argc, char **argv, struct vw_cli_invocation *in)
{
	const struct vw_cli_option *globals = in->program->globals;
	int at = 1;
	for (bool found = true; found;) {
		found = false;
		for (int i = 0; globals && globals[i].name; i++) {
			const char *value =
			    globals[i].argument ? take_leading(argc, argv, &at, globals[i].name) : NULL;
			if (value)
				in->globals[i] = value;
			found = found || value;
		}
	}
	return at;
}

/* What was printed has arrived only when it is flushed: a full disk or a closed pipe is a failure. */
static int flush(const struct vw_cli_program *program, int code)
{
	if (fflush(stdout) != 0 || ferror(stdout)) {
		fprintf(stderr, "%s: cannot write to standard output\n", program->name);
		return code == VW_CLI_EXIT_OK ? VW_CLI_EXIT_FAILED : code;
	}
	return code;
}

static bool is_help(const char *word)
{
	return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

/* A word that is no command: perhaps the first of several. */
static int no_command(const struct vw_cli_program *program, int argc, char **argv)
{
	bool asked = argc > 1 && is_help(argv[1]);
	if (!help_group(program, asked ? stdout : stderr, argv[0]))
		return usage_error(program, "no such command", argv[0], "");
	return asked ? flush(program, VW_CLI_EXIT_OK) : VW_CLI_EXIT_USAGE;
}

int vw_cli_main(const struct vw_cli_program *program, int argc, char **argv)
{
	static char version_word[] = "version";
	struct vw_cli_invocation in = {.program = program};
	reserve_streams();
	vw_process_harden();
	setlocale(LC_CTYPE, "C.UTF-8");
	int at = leading_globals(argc, argv, &in);
	if (at >= argc) {
		help_overview(program, stderr);
		return VW_CLI_EXIT_USAGE;
	}
	if (is_help(argv[at]) || strcmp(argv[at], "help") == 0)
		return flush(program, help_topic(program, argc - at - 1, argv + at + 1));
	if (strcmp(argv[at], "--version") == 0)
		argv[at] = version_word;
	int words = find_command(program, argc - at, argv + at, &in.command);
	if (words == 0)
		return no_command(program, argc - at, argv + at);
	int parsed = parse_options(argc - at - words + 1, argv + at + words - 1, &in);
	if (parsed > 0) {
		help_command(program, stdout, in.command);
		return flush(program, VW_CLI_EXIT_OK);
	}
	if (parsed < 0 || parse_positional(argc - at - words + 1, argv + at + words - 1, &in) < 0)
		return VW_CLI_EXIT_USAGE;
	catch_signals(in.command);
	return flush(program, in.command->run(&in));
}
