/* A file that somebody wrote, against a schema with a value of each kind. */
#include "base/yaml.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct item {
	char *name;
	int number;
	bool flag;
	double *share;
};

struct document {
	struct item *items;
	unsigned items_count;
	char **texts;
	unsigned texts_count;
};

static const cyaml_schema_field_t item_fields[] = {
    CYAML_FIELD_STRING_PTR("name", CYAML_FLAG_POINTER, struct item, name, 0, 100),
    CYAML_FIELD_INT("number", CYAML_FLAG_OPTIONAL, struct item, number),
    CYAML_FIELD_BOOL("flag", CYAML_FLAG_OPTIONAL, struct item, flag),
    CYAML_FIELD_FLOAT_PTR("share", CYAML_FLAG_POINTER_NULL | CYAML_FLAG_OPTIONAL, struct item, share),
    CYAML_FIELD_IGNORE("extra", CYAML_FLAG_OPTIONAL),
    CYAML_FIELD_END,
};
static const cyaml_schema_value_t item = {CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct item, item_fields)};
static const cyaml_schema_value_t text = {CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char, 0, 20)};
static const cyaml_schema_field_t document_fields[] = {
    CYAML_FIELD_SEQUENCE("items", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct document, items, &item, 0, 20),
    CYAML_FIELD_SEQUENCE("texts", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct document, texts, &text, 1, 20),
    CYAML_FIELD_END,
};
static const cyaml_schema_value_t schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct document, document_fields)};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vw_error err = VW_ERROR_INIT;
	cyaml_data_t *document = NULL;

	if (vw_yaml_load((const char *)data, size, "fuzz.yaml", &schema, &document, &err)) {
		if (err.code != VW_ECONFIG || !err.message[0])
			abort();
		return 0;
	}
	if (!document)
		abort();
	vw_yaml_free(&schema, document);
	return 0;
}
