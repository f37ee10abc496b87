#include "base/text.h"

#include "cmocka_all.h"

#include <string.h>

static const char *const pairs[][2] = {
    /* nothing to hide */
    {"", ""},
    {"s3://bucket/path/model", "s3://bucket/path/model"},
    {"mlflow-artifacts:/1/abc/artifacts", "mlflow-artifacts:/1/abc/artifacts"},
    {"runs:/0123/model", "runs:/0123/model"},
    {"models:/churn@champion", "models:/churn@champion"},
    {"/mnt/models/churn", "/mnt/models/churn"},
    {"file:///a:b@c/d", "file:///a:b@c/d"},
    {"hdfs://namenode:8020/a@b", "hdfs://namenode:8020/a@b"},
    {"http://[2001:db8::1]:5000/a@b", "http://[2001:db8::1]:5000/a@b"},
    {"http://[2001:db8::1]/a@b", "http://[2001:db8::1]/a@b"},
    {"dbfs:/databricks/mlflow", "dbfs:/databricks/mlflow"},
    {"git@github.com:acme/churn.git", "git@github.com:acme/churn.git"},
    {"https://h/p?version=3&page=2", "https://h/p?version=3&page=2"},
    {"https://h/p?", "https://h/p?"},
    {"https://h/p?token", "https://h/p?token"},
    {"https://h/p#section", "https://h/p#section"},
    {"https://h/sig=abc", "https://h/sig=abc"},
    {"databricks://profile:prefix", "databricks://profile:prefix"},
    /* user info */
    {"https://user:pw@host:5000/p", "https://host:5000/p"},
    {"https://ghp_token@github.com/acme/x.git", "https://github.com/acme/x.git"},
    {"mysql+pymysql://u:p@ss@db/mlflow", "mysql+pymysql://db/mlflow"},
    {"postgresql://u:a/b@db/mlflow", "postgresql://db/mlflow"},
    {"postgresql://u:a?b#c@db/mlflow", "postgresql://db/mlflow"},
    {"//u:p@host/x", "//host/x"},
    {"https://u:p@x:y/z@host/p", "https://host/p"},
    {"git+ssh://git@github.com:acme/churn.git@v1", "git+ssh://github.com:acme/churn.git@v1"},
    {"u:p@host://x", "host://x"},
    {"u:p@host/x", "host/x"},
    {"https://u:p@", "https://"},
    {"https://u:p@h?x=a@b", "https://h?x=a@b"},
    /* Azure's container is no user, what follows its colon is a password */
    {"wasbs://models@acct.blob.core.windows.net/x", "wasbs://models@acct.blob.core.windows.net/x"},
    {"ABFSS://fs@acct.dfs.core.windows.net/x", "ABFSS://fs@acct.dfs.core.windows.net/x"},
    {"abfss://fs:key@acct.dfs.core.windows.net/x", "abfss://fs@acct.dfs.core.windows.net/x"},
    /* queries */
    {"https://a.blob.core.windows.net/c/b?sv=2022&se=2026&sig=abc%2F",
     "https://a.blob.core.windows.net/c/b?sv=2022&se=2026&sig=***"},
    {"https://b.s3.amazonaws.com/k?X-Amz-Algorithm=A&X-Amz-Credential=AKIA&X-Amz-Signature=ff&x-amz-security-token=t",
     "https://b.s3.amazonaws.com/"
     "k?X-Amz-Algorithm=A&X-Amz-Credential=***&X-Amz-Signature=***&x-amz-security-token=***"},
    {"https://h/p?a=1;TOKEN=x;b=2", "https://h/p?a=1;TOKEN=***;b=2"},
    {"https://h/p?%73ig=x&to%6Ben=y", "https://h/p?%73ig=***&to%6Ben=***"},
    {"https://h/p?AWSAccessKeyId=AK&Signature=s&Expires=1", "https://h/p?AWSAccessKeyId=***&Signature=***&Expires=1"},
    {"https://h/p?api_key=a&apikey=b&key=c&password=d&client_secret=e",
     "https://h/p?api_key=***&apikey=***&key=***&password=***&client_secret=***"},
    {"https://h/p#access_token=x&scope=y", "https://h/p#access_token=***&scope=y"},
    {"https://h/p?next=/x?token=y", "https://h/p?next=/x?token=***"},
    {"dbfs:/x?token=y", "dbfs:/x?token=***"},
    {"s3://b/k?token=a=b=c", "s3://b/k?token=***"},
    {"https://h/p?%7=1&%=2&%zz=3", "https://h/p?%7=1&%=2&%zz=3"},
};

static void redacts(void **state)
{
	(void)state;
	VW_AUTO(vw_arena_cleanup) struct vw_arena *arena = vw_arena_open(0);
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
		assert_string_equal(vw_uri_redact(arena, pairs[i][0]), pairs[i][1]);
	assert_null(vw_uri_redact(arena, NULL));
	assert_false(vw_arena_failed(arena));
}

static void redacting_twice_changes_nothing(void **state)
{
	(void)state;
	VW_AUTO(vw_arena_cleanup) struct vw_arena *arena = vw_arena_open(0);
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
		assert_string_equal(vw_uri_redact(arena, pairs[i][1]), pairs[i][1]);
}

static void long_names_are_judged_too(void **state)
{
	(void)state;
	VW_AUTO(vw_arena_cleanup) struct vw_arena *arena = vw_arena_open(0);
	char uri[400] = "s3://b/k?";
	memset(uri + strlen(uri), 'a', 200);
	strcat(uri, "_token=hunter2");
	assert_null(strstr(vw_uri_redact(arena, uri), "hunter2"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(redacts),
	    cmocka_unit_test(redacting_twice_changes_nothing),
	    cmocka_unit_test(long_names_are_judged_too),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
