/* settings.h: every setting of the agent in one table. Reading, showing, hashing and documenting all walk it. */
#ifndef CONFIG_SETTINGS_H
#define CONFIG_SETTINGS_H

#include "config/config.h"
#include "settings/settings.h"

extern const struct vw_settings_table config_settings;

/* mlflow.tracking_uri without user:password@, which is a secret and kept apart. */
int config_take_userinfo(const struct vw_settings *settings, const struct vw_setting *setting, const char **text,
			 struct vw_error *err);

#endif
