#include "stand_in.h"

#include "../base/cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST 64

static struct {
	char *data;
	int code;
	const char *message;
} answers[MOST];
static int answer_count, next_answer;

char asked[MOST][4096];
int asked_count;
void (*on_question)(void);

void will_answer(const char *data)
{
	char *copy = strdup(data);
	for (char *at = copy; *at; at++)
		*at = *at == '\'' ? '"' : *at;
	answers[answer_count].data = copy;
	answers[answer_count++].code = 0;
}

void will_fail(int code, const char *message)
{
	answers[answer_count].data = NULL;
	answers[answer_count].message = message;
	answers[answer_count++].code = code;
}

void forget_answers(void)
{
	for (int i = 0; i < answer_count; i++)
		free(answers[i].data);
	answer_count = next_answer = asked_count = 0;
	on_question = NULL;
}

/* ---- client.h ---- */

int client_open(const struct vw_controller_config *config, struct client **out, struct vw_error *err)
{
	(void)config, (void)err;
	*out = NULL;
	return 0;
}

void client_close(struct client *client)
{
	(void)client;
}

bool control_socket_path(const struct vw_controller_config *config, char *out, size_t size)
{
	return (size_t)snprintf(out, size, "%s/control.sock", config->data_dir) < size;
}

void client_segment(struct vw_buffer *path, const char *name)
{
	vw_buffer_printf(path, "/%s", name);
}

void client_query(struct vw_buffer *path, const char *name, const char *value)
{
	if (value)
		vw_buffer_printf(path, "%c%s=%s", strchr(vw_buffer_text(path), '?') ? '&' : '?', name, value);
}

int client_call(struct client *client, const char *method, const char *path, const json_t *body, json_t **out_data,
		struct vw_error *err)
{
	char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
	(void)client;
	assert_true(asked_count < MOST && answer_count > 0);
	snprintf(asked[asked_count++], sizeof(asked[0]), "%s %s %s", method, path, text ? text : "");
	free(text);
	if (on_question)
		on_question();
	int at = next_answer + 1 < answer_count ? next_answer++ : next_answer;
	if (answers[at].code < 0)
		return vw_error_set(err, answers[at].code, "%s", answers[at].message);
	*out_data = json_loads(answers[at].data, JSON_DECODE_ANY, NULL);
	assert_non_null(*out_data);
	return 0;
}

int client_download(struct client *client, const char *path, FILE *file, struct vw_error *err)
{
	(void)client;
	snprintf(asked[asked_count++], sizeof(asked[0]), "GET %s", path);
	if (answers[0].code < 0)
		return vw_error_set(err, answers[0].code, "%s", answers[0].message);
	fputs(answers[0].data, file);
	return 0;
}
