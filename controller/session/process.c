#include "process.h"

#include "base/clock.h"
#include "base/log.h"

#include <grpc/support/log.h>
#include <limits.h>
#include <stdatomic.h>
#include <sys/resource.h>

#define FILES_LEAST 256   /* for the store, HTTPS and a few agents */
#define LOG_MS      10000 /* between two lines of gRPC's */

int vw_process_files(int *out_files, struct vw_error *err)
{
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return vw_error_set(err, VW_EIO, "cannot ask for the limit of open files");
	if (limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
		getrlimit(RLIMIT_NOFILE, &limit);
	}
	if (limit.rlim_cur < FILES_LEAST)
		return vw_error_set(err, VW_ECONFIG,
				    "this process may open %llu files, too few for any agent: raise the limit "
				    "(ulimit -n, LimitNOFILE=)",
				    (unsigned long long)limit.rlim_cur);
	*out_files = limit.rlim_cur > INT_MAX ? INT_MAX : (int)limit.rlim_cur;
	return 0;
}

/* From gRPC's threads. */
static void on_log(gpr_log_func_args *args)
{
	static atomic_llong logged_at, unlogged;
	long long now = vw_clock_monotonic(), last = atomic_load(&logged_at);
	if (args->severity < GPR_LOG_SEVERITY_ERROR)
		return;
	if ((last > 0 && now - last < LOG_MS) || !atomic_compare_exchange_strong(&logged_at, &last, now)) {
		atomic_fetch_add(&unlogged, 1);
		return;
	}
	vw_log(VW_LOG_WARN, "grpc", VW_LOG_S("message", args->message),
	       VW_LOG_I("unlogged", atomic_exchange(&unlogged, 0)));
}

void vw_process_log(void)
{
	gpr_set_log_function(on_log);
}
