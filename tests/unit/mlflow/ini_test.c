/* ~/.mlflow/credentials and ~/.aws/credentials. */
#include "cmocka_all.h"

#include "ini.h"

#include <string.h>

static void expect(const char *text, const char *section, const char *key, bool interpolated, const char *value)
{
	struct vw_secret *secret = vw_ini_get(text, strlen(text), section, key, interpolated);
	if (value) {
		assert_non_null(secret);
		assert_string_equal(vw_secret_text(secret), value);
	} else {
		assert_null(secret);
	}
	vw_secret_close(secret);
}

static const char file[] = "# a comment\n"
			   "top = level\n"
			   "[other]\nuser = no\n"
			   "[mlflow]\n"
			   "; another = comment\n"
			   "User = alice \r\n"
			   "pass:a=b:c # not a comment\n"
			   "twice = 1\ntwice = 2\n"
			   "percent = 50%% %off\n"
			   "empty =\n"
			   "novalue\n"
			   "  indented = yes\n"
			   "[last]\nend = here";

static void finds_values(void **state)
{
	(void)state;
	expect(file, "mlflow", "user", true, "alice");
	expect(file, "mlflow", "PASS", true, "a=b:c # not a comment");
	expect(file, "mlflow", "twice", true, "2");
	expect(file, "mlflow", "indented", true, "yes");
	expect(file, "other", "user", true, "no");
	expect(file, "last", "end", true, "here"); /* no newline at the end */
}

static void percent_signs(void **state)
{
	(void)state;
	expect(file, "mlflow", "percent", true, "50% %off");
	expect(file, "mlflow", "percent", false, "50%% %off");
}

static void finds_nothing(void **state)
{
	(void)state;
	expect(file, "mlflow", "empty", true, NULL);
	expect(file, "mlflow", "novalue", true, NULL);
	expect(file, "mlflow", "another", true, NULL);
	expect(file, "mlflow", "top", true, NULL);
	expect(file, "nosuch", "user", true, NULL);
	expect(file, "MLFLOW", "user", true, NULL); /* sections keep their case */
	expect("", "mlflow", "user", true, NULL);
	expect("[mlflow", "mlflow", "user", true, NULL);
	expect("[mlflow]", "mlflow", "user", true, NULL);
	expect("[", "", "user", true, NULL);
	expect("[mlflow]\n=x\n:\n", "mlflow", "user", true, NULL);
}

static void a_zero_byte_is_no_value(void **state)
{
	(void)state;
	const char text[] = "[s]\nk = a\0b\n";
	assert_null(vw_ini_get(text, sizeof(text) - 1, "s", "k", false));
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(finds_values), cmocka_unit_test(percent_signs),
					   cmocka_unit_test(finds_nothing),
					   cmocka_unit_test(a_zero_byte_is_no_value)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
