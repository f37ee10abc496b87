#include "window.h"

void vw_window_init(struct vw_window *window, uint64_t limit)
{
	*window = (struct vw_window){.limit = limit};
}

uint64_t vw_window_room(const struct vw_window *window)
{
	if (window->count == 0)
		return window->limit ? window->limit : 1;
	return window->used < window->limit ? window->limit - window->used : 0;
}

void vw_window_sent(struct vw_window *window, uint64_t last, uint64_t bytes)
{
	if (window->count < VW_WINDOW_BATCHES)
		window->count++;
	size_t at = (window->first + window->count - 1) % VW_WINDOW_BATCHES;
	if (window->batches[at].last < last)
		window->batches[at].last = last;
	window->batches[at].bytes += bytes;
	window->used += bytes;
}

void vw_window_acknowledged(struct vw_window *window, uint64_t sequence)
{
	while (window->count > 0 && window->batches[window->first].last <= sequence) {
		window->used -= window->batches[window->first].bytes;
		window->batches[window->first].last = 0;
		window->batches[window->first].bytes = 0;
		window->first = (window->first + 1) % VW_WINDOW_BATCHES;
		window->count--;
	}
}

void vw_window_clear(struct vw_window *window)
{
	vw_window_init(window, window->limit);
}
