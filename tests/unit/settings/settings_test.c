/* settings_test.c: a program's table is filled from file and environment exactly, or refused with file, line and key. */
#include "settings/settings.h"

#include "base/log.h"

#include "../base/cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum colour { RED, GREEN, BLUE };
struct values {
	const char *name, *uri, *proxy, *secret, *listen, *inside;
	bool on;
	int count, marks; /* marks: how often prepare() saw something */
	double ratio;
	int64_t timeout_ms;
	enum colour colour;
	enum vw_log_level level;
	const char *const *words, *const *others;
};

/* "left|right": right is put aside. */
static int split(const struct vw_settings *settings, const struct vw_setting *setting, const char **text,
		 struct vw_error *err)
{
	struct values *v = vw_settings_values(settings);
	const char *bar = strchr(*text, '|');
	v->marks++;
	if (strcmp(*text, "bad") == 0)
		return vw_settings_refuse(settings, setting->offset, "anything else", err);
	if (bar)
		*text = vw_arena_strndup(vw_settings_arena(settings), *text, (size_t)(bar - *text));
	return 0;
}

static const char *const colours[] = {"red", "green", "blue", NULL};
#define AT(field) .offset = offsetof(struct values, field)
/* clang-format off */
static const struct vw_setting rows[] = {
    {.key = "name", .env = {"VW_T_NAME", "VW_T_NAME2"}, .fallback = "nobody", .type = VW_SETTING_TEXT, AT(name)},
    {.section = "net", .key = "uri", .type = VW_SETTING_URI, AT(uri)},
    {.section = "net", .key = "proxy", .type = VW_SETTING_TEXT, AT(proxy), .flags = VW_SETTING_USERINFO},
    {.section = "net", .key = "secret", .env = {"VW_T_SECRET"}, .type = VW_SETTING_TEXT, AT(secret), .flags = VW_SETTING_WIPED, .prepare = split},
    {.section = "net", .key = "listen", .env = {"VW_T_LISTEN"}, .fallback = "0.0.0.0:8443", .type = VW_SETTING_LISTEN, AT(listen), .flags = VW_SETTING_ANYWHERE},
    {.section = "inside", .key = "listen", .type = VW_SETTING_LISTEN, AT(inside)},
    {.section = "inside", .key = "on", .fallback = "no", .type = VW_SETTING_BOOL, AT(on)},
    {.section = "inside", .key = "count", .fallback = "3", .type = VW_SETTING_INT, AT(count), .min = 1, .max = 10},
    {.section = "inside", .key = "ratio", .fallback = "0.5", .type = VW_SETTING_NUMBER, AT(ratio), .min = 0, .max = 1},
    {.section = "inside", .key = "timeout", .fallback = "1m", .type = VW_SETTING_DURATION, AT(timeout_ms), .min = 1000, .max = 3600000},
    {.key = "colour", .fallback = "green", .type = VW_SETTING_CHOICE, AT(colour), .choices = colours},
    {.key = "level", .fallback = "info", .type = VW_SETTING_CHOICE, AT(level), .choices = vw_setting_log_levels, .flags = VW_SETTING_LIVE},
    {.section = "inside", .key = "words", .type = VW_SETTING_LIST, AT(words)},
    {.key = "others", .type = VW_SETTING_LIST, AT(others)},
};
/* clang-format on */
static const struct vw_settings_table table = {rows, sizeof(rows) / sizeof(rows[0]), "VW_T_CONFIG", "vw-t/t.yaml"};

static char folder[64], path[96];
static struct values v;
static struct vw_settings *settings;
static struct vw_error err;

static void write_file(const char *name, const char *text)
{
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static int open_settings(const char *file)
{
	vw_settings_close(settings);
	settings = NULL;
	memset(&v, 0, sizeof(v));
	err = (struct vw_error)VW_ERROR_INIT;
	return vw_settings_open(&table, file, &v, &settings, &err);
}

static int load(const char *text)
{
	write_file("t.yaml", text);
	return open_settings(path);
}

static void says(const char *text)
{
	if (!strstr(err.message, text))
		fail_msg("'%s' is not in: %s", text, err.message);
}

static void refused(const char *text, const char *where, const char *key, const char *why)
{
	assert_int_equal(load(text), VW_ECONFIG);
	assert_int_equal(err.code, VW_ECONFIG);
	assert_null(settings);
	says(where);
	says(key);
	says(why);
}

static char *shown(void)
{
	struct vw_buffer out;
	vw_buffer_init(&out, 0);
	vw_settings_show(settings, &out);
	char *text = strdup(vw_buffer_text(&out));
	vw_buffer_reset(&out);
	return text;
}

static int begin(void **state)
{
	static const char *const names[] = {"VW_T_NAME", "VW_T_NAME2", "VW_T_LISTEN", "VW_T_CONFIG",
					    "XDG_CONFIG_HOME"};
	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		unsetenv(names[i]);
	setenv("VW_T_SECRET", "", 1); /* forgets what was kept */
	strcpy(folder, "/tmp/vw-settings-XXXXXX");
	assert_non_null(mkdtemp(folder));
	setenv("HOME", folder, 1);
	return 0;
}

static int end(void **state)
{
	(void)state;
	vw_settings_close(settings);
	settings = NULL;
	snprintf(path, sizeof(path), "rm -r %s", folder);
	return system(path);
}

static void defaults_are_enough(void **state)
{
	(void)state;
	assert_int_equal(open_settings(NULL), 0);
	assert_null(vw_settings_path(settings));
	assert_string_equal(v.name, "nobody");
	assert_null(v.uri);
	assert_string_equal(v.listen, "0.0.0.0:8443");
	assert_null(v.inside);
	assert_false(v.on);
	assert_int_equal(v.count, 3);
	assert_true(v.ratio == 0.5);
	assert_int_equal(v.timeout_ms, 60000);
	assert_int_equal(v.colour, GREEN);
	assert_int_equal(v.level, VW_LOG_INFO);
	assert_null(v.words[0]);
	assert_null(v.others[0]);
	assert_string_equal(vw_settings_origin(settings, offsetof(struct values, name)), "default");
	assert_int_equal(load(""), 0); /* an empty file says nothing */
	assert_string_equal(v.name, "nobody");
	assert_int_equal(load("name:\ninside: {words: []}\n"), 0); /* nor does an empty value */
	assert_string_equal(v.name, "nobody");
}

static void the_file_sets_every_type(void **state)
{
	(void)state;
	assert_int_equal(load("name: n\ncolour: Blue\nlevel: debug\nothers: ['1', two]\n"
			      "net: {uri: 'https://h.example.org/p//', proxy: p, secret: s, listen: '[::]:1'}\n"
			      "inside:\n  listen: '[::1]:9'\n  on: YES\n  count: 10\n  ratio: 1e-1\n  timeout: 2s\n"
			      "  words: [a, b c]\n"),
			 0);
	assert_string_equal(v.name, "n");
	assert_int_equal(v.colour, BLUE);
	assert_int_equal(v.level, VW_LOG_DEBUG);
	assert_string_equal(v.others[1], "two");
	assert_null(v.others[2]);
	assert_string_equal(v.uri, "https://h.example.org/p");
	assert_string_equal(v.secret, "s");
	assert_string_equal(v.listen, "[::]:1");
	assert_string_equal(v.inside, "[::1]:9");
	assert_true(v.on);
	assert_int_equal(v.count, 10);
	assert_true(v.ratio == 0.1);
	assert_int_equal(v.timeout_ms, 2000);
	assert_string_equal(v.words[1], "b c");
	assert_string_equal(vw_settings_path(settings), path);
	assert_ptr_equal(vw_settings_values(settings), &v);
	assert_int_equal(load("net: {listen: OFF}\n"), 0);
	assert_null(v.listen);
}

static void bad_values_are_named_with_file_line_and_key(void **state)
{
	(void)state;
	refused("net: {uri: sqlite:///x}\n", "t.yaml:1: ", "net.uri is \"sqlite:///x\"", "http:// or https://");
	refused("net: {uri: 'https:///x'}\n", "t.yaml:1: ", "net.uri", "http:// or https://");
	refused("net: {uri: 'https://u:s3cr3t@h.example.org'}\n", "t.yaml:1: ", "net.uri", "without user name");
	assert_null(strstr(err.message, "s3cr3t"));
	refused("net: {listen: 'localhost:80'}\n", "t.yaml:1: ", "net.listen", "0.0.0.0:8443");
	refused("net: {listen: '0.0.0.0:0'}\n", "t.yaml:1: ", "net.listen", "0.0.0.0:8443");
	refused("inside: {listen: '0.0.0.0:80'}\n", "t.yaml:1: ", "inside.listen", "a loopback address");
	refused("inside: {on: perhaps}\n", "t.yaml:1: ", "inside.on", "true or false");
	refused("inside: {count: 11}\n", "t.yaml:1: ", "inside.count", "a whole number from 1 to 10");
	refused("inside: {count: 2.5}\n", "t.yaml:1: ", "inside.count", "a whole number");
	refused("inside: {ratio: nan}\n", "t.yaml:1: ", "inside.ratio", "a number from 0 to 1");
	refused("inside: {timeout: 2h}\n", "t.yaml:1: ", "inside.timeout", "from 1s to 3600s");
	refused("colour: pink\n", "t.yaml:1: ", "colour is \"pink\"", "red, green or blue");
	refused("net: {secret: bad}\n", "t.yaml:1: ", "net.secret is \"bad\"", "anything else");
	setenv("VW_T_LISTEN", "nowhere", 1);
	assert_int_equal(open_settings(NULL), VW_ECONFIG);
	says("VW_T_LISTEN: net.listen is \"nowhere\"");
}

/* The same key in another section, or in a comment, is not the one. */
static void the_line_is_that_of_the_right_section(void **state)
{
	(void)state;
	refused("net:\n  listen: 0.0.0.0:1\n\n# inside: listen: x\ninside:\n  # listen: 127.0.0.1:1\n  on: no\n  "
		"listen: 0.0.0.0:1\n",
		"t.yaml:8: ", "inside.listen", "loopback");
	refused("name: x\nnet: {uri: 'http://h', listen: x}\n", "t.yaml:2: ", "net.listen", "an address");
}

static void unknown_keys_and_wrong_shapes_are_refused(void **state)
{
	(void)state;
	refused("nmae: x\n", "t.yaml", "nmae", "");
	refused("inside: {nmae: x}\n", "t.yaml", "nmae", "");
	refused("listen: 0.0.0.0:1\n", "t.yaml", "listen", ""); /* a section's key at the top */
	refused("inside: {words: a}\n", "t.yaml", "", "");
	refused("name: [a]\n", "t.yaml", "", "");
	refused("name: {a: b}\n", "t.yaml", "", "");
	refused("- a\n", "t.yaml", "", "");
	refused("a: [\n", "t.yaml", "", "");
}

static void precedence(void **state)
{
	(void)state;
	setenv("VW_T_NAME2", "second", 1);
	assert_int_equal(load("name: file\n"), 0);
	assert_string_equal(v.name, "second");
	setenv("VW_T_NAME", "first", 1);
	assert_int_equal(load("name: file\n"), 0);
	assert_string_equal(v.name, "first");
	assert_string_equal(vw_settings_origin(settings, offsetof(struct values, name)), "VW_T_NAME");
	assert_int_equal(vw_settings_set(settings, offsetof(struct values, name), "line", "--name", &err), 0);
	assert_string_equal(v.name, "line");
	assert_string_equal(vw_settings_origin(settings, offsetof(struct values, name)), "--name");
	assert_int_equal(vw_settings_set(settings, offsetof(struct values, count), "99", "--count", &err),
			 VW_ECONFIG);
	says("--count: inside.count is \"99\"");
	setenv("VW_T_NAME", "", 1);
	setenv("VW_T_NAME2", "", 1);
	assert_int_equal(load("name: file\n"), 0);
	assert_string_equal(v.name, "file");
	assert_string_equal(vw_settings_origin(settings, offsetof(struct values, name)), path);
}

static void the_file_is_found(void **state)
{
	char named[96];
	(void)state;
	assert_int_equal(open_settings("/nowhere/t.yaml"), VW_ECONFIG);
	says("/nowhere/t.yaml");
	snprintf(path, sizeof(path), "%s/.config", folder);
	mkdir(path, 0700);
	snprintf(path, sizeof(path), "%s/.config/vw-t", folder);
	mkdir(path, 0700);
	write_file(".config/vw-t/t.yaml", "name: usual\n");
	assert_int_equal(open_settings(NULL), 0);
	assert_string_equal(v.name, "usual");
	write_file("named.yaml", "name: named\n");
	strcpy(named, path);
	setenv("VW_T_CONFIG", named, 1);
	assert_int_equal(open_settings(NULL), 0);
	assert_string_equal(v.name, "named");
	write_file("line.yaml", "name: line\n");
	assert_int_equal(open_settings(path), 0);
	assert_string_equal(v.name, "line");
	setenv("VW_T_CONFIG", "/nowhere/env.yaml", 1);
	assert_int_equal(open_settings(NULL), VW_ECONFIG);
	says("/nowhere/env.yaml");
}

/* The variable is gone at once, and known to the next one that opens; prepare() sees it whole. */
static void a_secret_variable_is_wiped(void **state)
{
	(void)state;
	setenv("VW_T_SECRET", "left|r1ght", 1);
	const char *there = getenv("VW_T_SECRET");
	for (int i = 0; i < 3; i++) {
		assert_int_equal(load("net: {secret: file}\n"), 0);
		assert_string_equal(v.secret, "left");
		assert_int_equal(v.marks, 1);
		assert_null(getenv("VW_T_SECRET"));
		assert_null(strstr(there, "r1ght"));
		char *text = shown();
		assert_null(strstr(text, "r1ght"));
		free(text);
	}
	setenv("VW_T_SECRET", "other", 1);
	assert_int_equal(load(""), 0);
	assert_string_equal(v.secret, "other");
	setenv("VW_T_SECRET", "", 1);
	assert_int_equal(load("net: {secret: file}\n"), 0);
	assert_string_equal(v.secret, "file");
}

static void user_info_is_neither_shown_nor_hashed(void **state)
{
	static const char *const files[] = {"net: {proxy: 'http://bob:s3cr3t@h.example.org:3128'}\n",
					    "net: {proxy: 'http://bob:oth3r@h.example.org:3128'}\n",
					    "net: {proxy: 'http://h.example.org:3128'}\n"};
	uint8_t hash[3][32];
	(void)state;
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(load(files[i]), 0);
		vw_settings_hash(settings, hash[i]);
		char *text = shown();
		assert_null(strstr(text, "bob"));
		assert_non_null(strstr(text, i < 2 ? "***@h.example.org:3128" : "http://h.example.org:3128"));
		free(text);
	}
	assert_memory_equal(hash[0], hash[1], 32);
	assert_memory_not_equal(hash[0], hash[2], 32);
	static const char *const others[] = {"bob:s3cr3t@h.example.org", "postgresql://h/db?password=s3cr3t",
					     "postgresql://u:s3cr3t@h/db?password=s3cr3t",
					     "http:?token=s3cr3t://u:p@h", "u:s3cr3t@h://x"};
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		char file[128];
		snprintf(file, sizeof(file), "net: {proxy: '%s'}\n", others[i]);
		assert_int_equal(load(file), 0);
		assert_string_equal(v.proxy, others[i]);
		char *text = shown();
		if (strstr(text, "s3cr3t"))
			fail_msg("%s", text);
		free(text);
	}
}

static void the_hash_follows_what_is_in_force(void **state)
{
	static const char *const files[] = {"inside: {count: 2}\n", "# said otherwise\ninside:\n  count: 2\n",
					    "inside: {count: 4}\n", "inside: {words: [others, a]}\n",
					    "others: [a, others]\n"};
	uint8_t hash[5][32];
	(void)state;
	for (size_t i = 0; i < 5; i++) {
		assert_int_equal(load(files[i]), 0);
		vw_settings_hash(settings, hash[i]);
	}
	assert_memory_equal(hash[0], hash[1], 32);
	assert_memory_not_equal(hash[0], hash[2], 32);
	assert_memory_not_equal(hash[3], hash[4], 32);
	uint8_t after[32];
	assert_int_equal(vw_settings_set(settings, offsetof(struct values, level), "debug", "--level", &err), 0);
	vw_settings_hash(settings, after);
	assert_memory_equal(hash[4], after, 32); /* it may change while the program runs */
	assert_int_equal(vw_settings_set(settings, offsetof(struct values, name), "x", "--name", &err), 0);
	vw_settings_hash(settings, after);
	assert_memory_not_equal(hash[4], after, 32);
}

static void what_is_shown_reads_back(void **state)
{
	uint8_t before[32], after[32];
	(void)state;
	assert_int_equal(load("name: 'it''s: #here'\ncolour: red\nnet: {uri: 'http://h.example.org'}\n"
			      "inside: {words: ['a b', \"c'd\", '-', \"\\e[31m\\x9bü\"], timeout: 5s}\n"),
			 0);
	vw_settings_hash(settings, before);
	char *text = shown();
	assert_null(strpbrk(text, "\x1b\x9b")); /* a terminal obeys neither */
	assert_non_null(strstr(text, "  # secret: not set\n"));
	assert_non_null(strstr(text, "  count: 3  # default\n"));
	assert_int_equal(load(text), 0);
	free(text);
	assert_string_equal(v.name, "it's: #here");
	assert_string_equal(v.words[3], "\x1b[31m\xc2\x9bü");
	vw_settings_hash(settings, after);
	assert_memory_equal(before, after, 32);
}

/* Section by section, in the table's order; the top of the file last. */
static void it_is_shown_in_order(void **state)
{
	(void)state;
	assert_int_equal(open_settings(NULL), 0);
	char *text = shown();
	assert_int_equal(strncmp(text, "# file: none\nnet:\n", 18), 0);
	const char *net = strstr(text, "\nnet:\n"), *inside = strstr(text, "\ninside:\n"),
		   *name = strstr(text, "\nname: ");
	assert_true(net && inside && name && net < inside && inside < name);
	assert_true(strstr(text, "\n  words: []  # default\n") > inside);
	free(text);
}

static bool may_inside(void *context, const char *key)
{
	return strncmp(key, context, strlen(context)) == 0;
}

static int overlay(const char *text)
{
	static char prefix[] = "inside.";
	return vw_settings_overlay(settings, text, strlen(text), "controller", may_inside, prefix, &err);
}

static void settings_come_from_elsewhere_if_they_may(void **state)
{
	(void)state;
	assert_int_equal(load("inside: {count: 2, words: [a]}\n"), 0);
	assert_int_equal(overlay("inside: {count: 5, words: [b, c]}\n"), 0);
	assert_int_equal(v.count, 5);
	assert_string_equal(v.words[1], "c");
	assert_int_equal(v.timeout_ms, 60000); /* what it does not say stays */
	char *text = shown();
	assert_non_null(strstr(text, "  count: 5  # controller\n"));
	free(text);
	assert_int_equal(overlay(""), 0);
	assert_int_equal(overlay("inside: {count: 2}\nname: x\n"), VW_EFORBIDDEN);
	says("controller: name");
	assert_int_equal(v.count, 5); /* nothing of it */
	assert_int_equal(overlay("inside:\n  count: 77\n"), VW_ECONFIG);
	says("controller:2: inside.count is \"77\"");
	assert_int_equal(overlay("inside: {no: 1}\n"), VW_ECONFIG);
	says("controller");
	size_t len = 2 << 20;
	char *big = malloc(len);
	memset(big, '#', len);
	assert_int_equal(vw_settings_overlay(settings, big, len, "controller", may_inside, NULL, &err), VW_ELIMIT);
	free(big);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)
	const struct CMUnitTest tests[] = {
	    TEST(defaults_are_enough),
	    TEST(the_file_sets_every_type),
	    TEST(bad_values_are_named_with_file_line_and_key),
	    TEST(the_line_is_that_of_the_right_section),
	    TEST(unknown_keys_and_wrong_shapes_are_refused),
	    TEST(precedence),
	    TEST(the_file_is_found),
	    TEST(a_secret_variable_is_wiped),
	    TEST(user_info_is_neither_shown_nor_hashed),
	    TEST(the_hash_follows_what_is_in_force),
	    TEST(what_is_shown_reads_back),
	    TEST(it_is_shown_in_order),
	    TEST(settings_come_from_elsewhere_if_they_may),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
