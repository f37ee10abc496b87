/* manual_test.c: the manual pages name every setting, variable and metric that there is. */
#include "health.h"

#include "base/file.h"
#include "settings.h"

#include "../base/cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct vw_buffer page;

static void read_page(const char *name)
{
	char path[512];
	struct vw_error err = VW_ERROR_INIT;
	snprintf(path, sizeof(path), "%s/%s", VW_MANUAL, name);
	vw_buffer_init(&page, 0);
	if (vw_file_read(path, 1 << 20, &page, &err) < 0)
		fail_msg("%s", err.message);
}

static int free_page(void **state)
{
	(void)state;
	vw_buffer_reset(&page);
	return 0;
}

/* The entry of a list, "\n.It ... name ...", that has the word; up to the next one. Of the part ".Ss section: ..."; NULL: of any. */
static bool entry_has(const char *section, const char *name, const char *word)
{
	char heading[64];
	const char *part = vw_buffer_text(&page);
	snprintf(heading, sizeof(heading), "\n.Ss %s:", section ? section : "");
	part = section ? strstr(part, heading) : part;
	const char *part_end = section && part ? strstr(part + 1, "\n.S") : NULL;
	for (const char *entry = part; entry && (entry = strstr(entry, "\n.It ")); entry++) {
		if (part_end && entry > part_end)
			return false;
		const char *line_end = strchr(entry + 1, '\n'), *end = strstr(entry + 1, "\n.It ");
		const char *found = strstr(entry, name);
		if (!found || found > line_end || !strchr(" ,", found[-1]) || !strchr(" \n", found[strlen(name)]))
			continue;
		const char *where = strstr(entry, word);
		return where && (!end || where < end);
	}
	return false;
}

static void every_setting_is_described(void **state)
{
	(void)state;
	read_page("vw-agent.yaml.5");
	for (size_t i = 0; i < config_settings.count; i++) {
		const struct vw_setting *s = &config_settings.settings[i];
		if (!entry_has(s->section, s->key, ""))
			fail_msg("no entry for %s", s->key);
		if (s->fallback && !entry_has(s->section, s->key, s->fallback))
			fail_msg("the entry for %s does not have its default, %s", s->key, s->fallback);
		for (size_t k = 0; k < 2; k++)
			if (s->env[k] && !entry_has(s->section, s->key, s->env[k]))
				fail_msg("the entry for %s does not name %s", s->key, s->env[k]);
	}
}

static void every_metric_is_described(void **state)
{
	struct health_facts facts = {.enrolled = true};
	struct vw_buffer metrics;
	int count = 0;
	(void)state;
	read_page("vw-agent.1");
	vw_buffer_init(&metrics, 0);
	health_write_metrics(&facts, facts.started_at, facts.alive_mono, &metrics);
	for (const char *line = vw_buffer_text(&metrics); (line = strstr(line, "# HELP ")); line++) {
		char name[128];
		assert_int_equal(sscanf(line, "# HELP %127s", name), 1);
		if (!entry_has(NULL, name, ""))
			fail_msg("no entry for %s", name);
		count++;
	}
	assert_true(count > 15);
	vw_buffer_reset(&metrics);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_teardown(every_setting_is_described, free_page),
	    cmocka_unit_test_teardown(every_metric_is_described, free_page),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
