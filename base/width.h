/* width.h: how many columns of a terminal a character takes. Private to base. */
#ifndef BASE_WIDTH_H
#define BASE_WIDTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* 0 for what combines with the character before it, 2 for wide East Asian characters and emoji, else 1. A
 * static binary has no locale, so wcwidth(3) cannot be asked. */
size_t vw_point_columns(uint32_t point);

#endif
