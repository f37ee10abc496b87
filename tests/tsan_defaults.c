/* Linked into each program that is built with the thread sanitizer: gRPC's libraries are not, and what they do among
 * themselves would be reported. What they hand to our threads is told by base/handover.h. */
const char *__tsan_default_options(void);

const char *__tsan_default_options(void)
{
	return "ignore_noninstrumented_modules=1";
}
