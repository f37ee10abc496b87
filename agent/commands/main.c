#include "command.h"

#include "base/secret.h"
#include "help.h"

#include <fcntl.h>
#include <getopt.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>



static void on_signal(int number)
{
	cancelled = number;
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
	if (command->run != run_sync && command->run != run_daemon && command->run != run_evaluate &&
	    command->run != run_doctor)
		return;
	struct sigaction action = {.sa_handler = on_signal};
	sigemptyset(&action.sa_mask);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	signal(SIGPIPE, SIG_IGN);
}

static int usage_error(const char *wrong, const char *what, const char *where)
{
	fprintf(stderr, "vw-agent: %s: %s\nTry: vw-agent%s%s --help\n", wrong, what, where[0] ? " " : "", where);
	return EXIT_USAGE;
}

/* "audit" "verify" is one command of two words. Returns how many words of argv it took; 0 for none. */
static int find_command(int argc, char **argv, const struct vw_cli_command **out)
{
	for (const struct vw_cli_command *c = commands; c->name; c++) {
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

/* getopt's own table: the command's options, then the global ones. */
static void make_longopts(const struct vw_cli_command *command, struct option *out)
{
	int n = 0;
	for (int i = 0; command->options && command->options[i].name; i++)
		out[n++] = (struct option){command->options[i].name,
					   command->options[i].argument ? required_argument : no_argument, NULL, i};
	for (int i = 0; global_options[i].name; i++)
		out[n++] = (struct option){global_options[i].name,
					   global_options[i].argument ? required_argument : no_argument, NULL,
					   MAX_OPTIONS + i};
	out[n] = (struct option){0};
}

static int take_global(struct vw_cli_invocation *in, int which)
{
	const char *name = global_options[which].name;
	if (strcmp(name, "config") == 0)
		in->config_path = optarg;
	else if (strcmp(name, "state") == 0)
		in->state_dir = optarg;
	else
		return 1; /* --help */
	return 0;
}

/* 0 to go on, 1 when help was asked for, negative for a usage error that was printed. */
static int parse_options(int argc, char **argv, struct vw_cli_invocation *in)
{
	const struct vw_cli_command *command = in->command;
	struct option longopts[MAX_OPTIONS + 8];
	make_longopts(command, longopts);
	for (int i = 0; command->options && command->options[i].name; i++)
		in->values[i] = command->options[i].choices ? command->options[i].choices[0] : NULL;
	optind = 1;
	for (int which; (which = getopt_long(argc, argv, ":h", longopts, NULL)) != -1;) {
		if (which == 'h')
			return 1;
		if (which == '?' || which == ':') {
			usage_error(which == ':' ? "an argument is missing" : "no such option", argv[optind - 1],
				    command->name);
			return -1;
		}
		if (which >= MAX_OPTIONS) {
			if (take_global(in, which - MAX_OPTIONS))
				return 1;
			continue;
		}
		in->values[which] = optarg ? optarg : "";
		if (command->options[which].choices && !in_choices(optarg, command->options[which].choices)) {
			fprintf(stderr, "vw-agent: --%s cannot be '%s'; %s\n", command->options[which].name, optarg,
				command->options[which].help);
			return -1;
		}
	}
	for (; optind < argc; optind++) {
		if (in->positional_count >= command->max_positional) {
			usage_error("unexpected argument", argv[optind], command->name);
			return -1;
		}
		in->positional[in->positional_count++] = argv[optind];
	}
	if (in->positional_count < command->min_positional) {
		usage_error("missing argument", command->positional, command->name);
		return -1;
	}
	return 0;
}

/* The value of argv[at] if it is the option `name`, as "--name VALUE" or "--name=VALUE"; *at moves behind it. */
static const char *take_leading(int argc, char **argv, int *at, const char *name)
{
	size_t len = strlen(name);
	if (*at >= argc || strncmp(argv[*at], name, len) != 0)
		return NULL;
	if (argv[*at][len] == '=')
		return argv[(*at)++] + len + 1;
	if (argv[*at][len] || *at + 1 >= argc)
		return NULL;
	*at += 2;
	return argv[*at - 1];
}

/* Global options may stand in front of the command too. */
static int leading_globals(int argc, char **argv, struct vw_cli_invocation *in)
{
	int at = 1;
	for (const char *value = ""; value;) {
		if ((value = take_leading(argc, argv, &at, "--config")))
			in->config_path = value;
		else if ((value = take_leading(argc, argv, &at, "--state")))
			in->state_dir = value;
	}
	return at;
}

/* What was printed has arrived only when it is flushed: a full disk or a closed pipe is a failure. */
static int flush(int code)
{
	if (fflush(stdout) != 0 || ferror(stdout)) {
		fputs("vw-agent: cannot write to standard output\n", stderr);
		return code == EXIT_OK ? EXIT_FAILED : code;
	}
	return code;
}

int main(int argc, char **argv)
{
	struct vw_cli_invocation in = {0};
	reserve_streams();
	vw_process_harden();
	setlocale(LC_CTYPE, "C.UTF-8");
	int at = leading_globals(argc, argv, &in);
	if (at >= argc) {
		help_overview(stderr);
		return EXIT_USAGE;
	}
	if (strcmp(argv[at], "--help") == 0 || strcmp(argv[at], "-h") == 0 || strcmp(argv[at], "help") == 0)
		return flush(help_topic(argc - at - 1, argv + at + 1));
	static char version_word[] = "version";
	if (strcmp(argv[at], "--version") == 0)
		argv[at] = version_word;
	int words = find_command(argc - at, argv + at, &in.command);
	if (words == 0) {
		bool asked =
		    argc - at > 1 && (strcmp(argv[at + 1], "--help") == 0 || strcmp(argv[at + 1], "-h") == 0);
		if (help_group(asked ? stdout : stderr, argv[at]))
			return asked ? flush(EXIT_OK) : EXIT_USAGE;
		return usage_error("no such command", argv[at], "");
	}
	int parsed = parse_options(argc - at - words + 1, argv + at + words - 1, &in);
	if (parsed < 0)
		return EXIT_USAGE;
	if (parsed > 0) {
		help_command(stdout, in.command);
		return flush(EXIT_OK);
	}
	catch_signals(in.command);
	return flush(in.command->run(&in));
}
