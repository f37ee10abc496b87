/* ini.h: one value of an ini file: "[section]", "key = value" or "key: value", whole-line comments with # and ;.
 *
 * As Python's configparser reads ~/.mlflow/credentials and botocore reads ~/.aws/credentials, without continued lines. */
#ifndef MLFLOW_INI_H
#define MLFLOW_INI_H

#include "base/secret.h"

#include <stdbool.h>
#include <stddef.h>

/* The value of the section's last such key (case of the key does not matter); NULL when there is none, it is empty, or memory is out.
 * `interpolated`: "%%" stands for '%', as configparser has it. */
struct vw_secret *vw_ini_get(const char *text, size_t len, const char *section, const char *key, bool interpolated);

#endif
