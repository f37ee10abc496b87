/* stand_in.h: an uplink that a test moves. Its functions are found before the library's. */
#ifndef TEST_COMMANDS_STAND_IN_H
#define TEST_COMMANDS_STAND_IN_H

#include "uplink/uplink.h"

#define MOST 8

struct up {
	int start_code;
	int starts, stops, wakes;
	char proxy[64];
	size_t refuses; /* how many kinds */
	vw_command *waiting[MOST];
	size_t count;
	bool unreadable; /* the oldest cannot be read from the store */
	struct {
		char id[32];
		vw_command_state state;
		char text[256];
		char result[256];
	} ends[MOST];
	size_t end_count;
	int finish_code;
	char progress[64];
	char credential[64], outcome[16];
	int64_t versions, gaps;
	bool paused, ok;
};
extern struct up up;

/* Readable while a command waits; to be called when that may have changed. */
void stand_in_signal(void);
void stand_in_open(void);
void stand_in_close(void);
int stand_in_fd(void);

#endif
