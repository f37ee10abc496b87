/* Names of enum values as people see them. */
#include "base/text.h"
#include "proto/message.h"

#include <ctype.h>
#include <pthread.h>
#include <string.h>

/* Far more than the schema has; what is beyond is shown as it stands in the schema. */
enum { MAX_ENUMS = 16, MAX_VALUES = 32, MAX_NAME = 32 };

/* Lower-case names, made when an enum is first met. */
struct enum_names {
	const ProtobufCEnumDescriptor *type;
	char names[MAX_VALUES][MAX_NAME];
};
static struct enum_names known[MAX_ENUMS];
static pthread_mutex_t known_lock = PTHREAD_MUTEX_INITIALIZER;

/* The name behind its prefix: FINDING_STATE_GAP of FindingState is GAP. */
static const char *without_prefix(const ProtobufCEnumDescriptor *type, const char *name)
{
	const char *p = name;

	for (const char *t = type->short_name; *t; t++) {
		if (t > type->short_name && isupper((unsigned char)*t) && *p++ != '_')
			return name;
		if (toupper((unsigned char)*t) != *p++)
			return name;
	}
	return *p == '_' && p[1] ? p + 1 : name;
}

static void lower(char *out, const char *text)
{
	size_t i = 0;

	for (; text[i] && i + 1 < MAX_NAME; i++)
		out[i] = (char)tolower((unsigned char)text[i]);
	out[i] = '\0';
}

/* NULL when there is no room for another enum. */
static const struct enum_names *names_of(const ProtobufCEnumDescriptor *type)
{
	struct enum_names *found = NULL;

	pthread_mutex_lock(&known_lock);
	for (size_t i = 0; i < MAX_ENUMS && !found; i++) {
		if (!known[i].type) {
			for (unsigned v = 0; v < type->n_values && v < MAX_VALUES; v++)
				lower(known[i].names[v], without_prefix(type, type->values[v].name));
			known[i].type = type;
		}
		if (known[i].type == type)
			found = &known[i];
	}
	pthread_mutex_unlock(&known_lock);
	return found;
}

const char *vw_enum_name(const ProtobufCEnumDescriptor *type, int value)
{
	const ProtobufCEnumValue *found = protobuf_c_enum_descriptor_get_value(type, value);

	if (!found)
		return "unknown";
	size_t index = (size_t)(found - type->values);
	const struct enum_names *names = names_of(type);
	return names && index < MAX_VALUES ? names->names[index] : without_prefix(type, found->name);
}

bool vw_enum_value(const ProtobufCEnumDescriptor *type, const char *name, int *out_value)
{
	for (unsigned i = 0; i < type->n_values; i++) {
		if (vw_text_equal_nocase(without_prefix(type, type->values[i].name), name)) {
			*out_value = type->values[i].value;
			return true;
		}
	}
	return false;
}
