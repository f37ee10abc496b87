/* stand_in.h: a client that answers as the test says. Its functions are found before the library's. */
#ifndef TEST_CONTROLLER_COMMANDS_STAND_IN_H
#define TEST_CONTROLLER_COMMANDS_STAND_IN_H

#include "client.h"

/* The next answers, in order; the last one again and again. `data` is JSON in which ' stands for ". */
void will_answer(const char *data);
void will_fail(int code, const char *message);
void forget_answers(void); /* and questions */

/* What was asked: "METHOD path BODY". */
extern char asked[64][4096];
extern int asked_count;
/* Called for each question, if there is one. */
extern void (*on_question)(void);

#endif
