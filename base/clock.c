#include "base/clock.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define MS_PER_DAY  INT64_C(86400000)
#define MAX_YEARS   10 /* of a duration */
#define YEAR_0001   INT64_C(-62135596800000)
#define YEAR_10000  INT64_C(253402300800000)
#define NOT_FROZEN  INT64_C(-1)
#define DAYS_OF_ERA 146097 /* 400 years of the Gregorian calendar */

static _Atomic int64_t frozen = NOT_FROZEN;

static int64_t read_clock(clockid_t id)
{
	struct timespec ts = {0};
	clock_gettime(id, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int64_t vw_clock_now(void)
{
	int64_t ms = atomic_load(&frozen);
	return ms >= 0 ? ms : read_clock(CLOCK_REALTIME);
}

int64_t vw_clock_monotonic(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

void vw_clock_freeze(int64_t ms)
{
	atomic_store(&frozen, ms < 0 ? NOT_FROZEN : ms);
}

struct date {
	int year, month, day;
};

/* Days since 1970-01-01 and back, in years that begin in March, so that the leap day is the last
 * (Howard Hinnant, "chrono-compatible low-level date algorithms"). */
static int64_t days_of_date(struct date d)
{
	int64_t year = d.month <= 2 ? d.year - 1 : d.year;
	int64_t era = (year >= 0 ? year : year - 399) / 400;
	int64_t year_of_era = year - era * 400;
	int64_t day_of_year = (153 * (d.month > 2 ? d.month - 3 : d.month + 9) + 2) / 5 + d.day - 1;
	int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
	return era * DAYS_OF_ERA + day_of_era - 719468;
}

static struct date date_of_days(int64_t days)
{
	days += 719468;
	int64_t era = (days >= 0 ? days : days - (DAYS_OF_ERA - 1)) / DAYS_OF_ERA;
	int64_t day_of_era = days - era * DAYS_OF_ERA;
	int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
	int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	int64_t month = (5 * day_of_year + 2) / 153;
	struct date d;
	d.day = (int)(day_of_year - (153 * month + 2) / 5 + 1);
	d.month = (int)(month < 10 ? month + 3 : month - 9);
	d.year = (int)(year_of_era + era * 400 + (d.month <= 2));
	return d;
}

static int64_t floor_days(int64_t ms)
{
	return (ms >= 0 ? ms : ms - (MS_PER_DAY - 1)) / MS_PER_DAY;
}

const char *vw_clock_format(int64_t ms, char out[VW_TIME_TEXT])
{
	if (ms < YEAR_0001 || ms >= YEAR_10000)
		return memcpy(out, "invalid-time", sizeof("invalid-time"));
	struct date d = date_of_days(floor_days(ms));
	unsigned rest = (unsigned)(ms - floor_days(ms) * MS_PER_DAY);
	snprintf(out, VW_TIME_TEXT, "%04u-%02u-%02uT%02u:%02u:%02u.%03uZ", (unsigned)d.year % 10000,
		 (unsigned)d.month % 100, (unsigned)d.day % 100, rest / 3600000 % 24, rest / 60000 % 60,
		 rest / 1000 % 60, rest % 1000);
	return out;
}

const char *vw_clock_format_date(int64_t ms, char out[VW_TIME_TEXT])
{
	vw_clock_format(ms, out);
	if (out[0] != 'i')
		out[strlen("YYYY-MM-DD")] = '\0';
	return out;
}

bool vw_clock_parse_date(const char *text, int64_t *out_ms)
{
	static const char form[] = "dddd-dd-dd";
	int part[3] = {0};
	if (!text || strlen(text) != strlen(form))
		return false;
	for (size_t i = 0, n = 0; form[i]; i++) {
		if (form[i] == '-' && text[i] != '-')
			return false;
		if (form[i] == '-') {
			n++;
			continue;
		}
		if (text[i] < '0' || text[i] > '9')
			return false;
		part[n] = part[n] * 10 + (text[i] - '0');
	}
	struct date d = {part[0], part[1], part[2]};
	if (d.year < 1 || d.month < 1 || d.month > 12 || d.day < 1 || d.day > 31)
		return false;
	/* there and back: 30 February comes back as March */
	int64_t days = days_of_date(d);
	if (date_of_days(days).day != d.day)
		return false;
	*out_ms = days * MS_PER_DAY;
	return true;
}

bool vw_clock_parse_duration(const char *text, int64_t *out_ms)
{
	const int64_t most = MAX_YEARS * 365 * (MS_PER_DAY / 1000);
	int64_t value = 0;
	const char *p = text;
	if (!p || *p < '0' || *p > '9')
		return false;
	for (; *p >= '0' && *p <= '9'; p++) {
		value = value * 10 + (*p - '0');
		if (value > most)
			return false;
	}
	int64_t unit = 1;
	switch (*p) {
	case '\0':
		break;
	case 's':
		p++;
		break;
	case 'm':
		unit = 60;
		p++;
		break;
	case 'h':
		unit = 3600;
		p++;
		break;
	case 'd':
		unit = 86400;
		p++;
		break;
	default:
		return false;
	}
	if (*p || value > most / unit)
		return false;
	*out_ms = value * unit * 1000;
	return true;
}

const char *vw_clock_format_age(int64_t ms, int64_t now_ms, char out[VW_TIME_TEXT])
{
	/* a unit is used up to `below` seconds; months are 30 days */
	static const struct {
		const char *name;
		uint64_t seconds, below;
	} units[] = {
	    {"second", 1, 60},
	    {"minute", 60, 3600},
	    {"hour", 3600, 86400},
	    {"day", 86400, 60 * 86400},
	    {"month", 30 * 86400, 2 * 365 * 86400},
	    {"year", 365 * 86400, UINT64_MAX},
	};
	bool past = ms <= now_ms;
	uint64_t distance = past ? (uint64_t)now_ms - (uint64_t)ms : (uint64_t)ms - (uint64_t)now_ms;
	uint64_t seconds = distance / 1000;
	if (seconds == 0)
		return memcpy(out, "now", sizeof("now"));
	size_t i = 0;
	while (seconds >= units[i].below)
		i++;
	unsigned n = (unsigned)(seconds / units[i].seconds); /* INT64_MAX - INT64_MIN is 584,942,417 years */
	snprintf(out, VW_TIME_TEXT, "%s%u %s%s%s", past ? "" : "in ", n, units[i].name, n == 1 ? "" : "s",
		 past ? " ago" : "");
	return out;
}
