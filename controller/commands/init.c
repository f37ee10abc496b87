/* init.c: `init` and `migrate`: what must be there before `serve`. */
#include "command.h"

#include "base/clock.h"
#include "base/digest.h"
#include "base/file.h"
#include "identity/authority.h"
#include "store/store.h"

#include <stdio.h>

static int make_store(const struct vw_controller_config *c, bool create, struct vw_error *err)
{
	struct vw_fleet_store *store;
	struct vw_fleet_store_settings settings = {.url = c->store_url,
						   .create = create,
						   .migrate = true,
						   .connections = 1,
						   .verifywise = c->verifywise,
						   .app_role = c->app_role};
	int code = vw_fleet_store_open(&settings, &store, err);
	bool kept = create && code == VW_EBUSY;
	if (kept) {
		settings.create = false;
		code = vw_fleet_store_open(&settings, &store, err);
	}
	if (code < 0)
		return code;
	printf("store: %s is %s\n", vw_fleet_store_kind(store), kept ? "kept" : "ready");
	vw_fleet_store_close(store);
	return 0;
}

/* The authority may be there already: another replica's, copied; then it is only looked at. */
static int make_authority(const struct vw_cli_invocation *in, const struct vw_controller_config *c,
			  struct vw_error *err)
{
	char folder[4096], hex[65];
	uint8_t pin[32];
	struct vw_authority *authority;
	struct vw_authority_settings settings = authority_settings(c, folder, sizeof(folder));
	int code = vw_authority_create(&settings, vw_cli_value(in, "ca-key"), vw_cli_value(in, "ca-chain"), err);
	bool kept = code == VW_EBUSY && !vw_cli_value(in, "ca-key");
	if (code < 0 && !kept)
		return code;
	code = vw_authority_open(&settings, &authority, err);
	if (code < 0)
		return code;
	vw_authority_pin(authority, pin);
	printf("authority: %s in %s, trust domain %s, SHA-256 %s\n", kept ? "kept" : "made", folder, c->trust_domain,
	       vw_hex_encode(pin, sizeof(pin), hex));
	vw_authority_close(authority);
	return 0;
}

int run_init(struct vw_cli_invocation *in)
{
	struct vw_error err = VW_ERROR_INIT;
	struct vw_controller_config *config;
	int code = config_open(in, &config);
	if (code != VW_CLI_EXIT_OK)
		return code;
	if (!vw_cli_value(in, "ca-key") != !vw_cli_value(in, "ca-chain"))
		code = vw_error_set(&err, VW_EUSAGE, "--ca-key and --ca-chain go together");
	if (code == 0)
		code = vw_dir_make_private(config->data_dir, &err);
	if (code == 0)
		code = make_authority(in, config, &err);
	if (code == 0)
		code = make_store(config, true, &err);
	vw_controller_config_close(config);
	return code < 0 ? vw_cli_report(in->program, &err) : VW_CLI_EXIT_OK;
}

int run_migrate(struct vw_cli_invocation *in)
{
	struct vw_error err = VW_ERROR_INIT;
	struct vw_controller_config *config;
	int code = config_open(in, &config);
	if (code != VW_CLI_EXIT_OK)
		return code;
	code = make_store(config, false, &err);
	vw_controller_config_close(config);
	return code < 0 ? vw_cli_report(in->program, &err) : VW_CLI_EXIT_OK;
}
