#include "founding.h"

struct vw_error err;

struct vw_authority_settings settings_of(const char *folder)
{
	static const char *const hosts[] = {"localhost", "127.0.0.1", NULL};
	return (struct vw_authority_settings){.folder = folder,
					      .trust_domain = DOMAIN,
					      .hosts = hosts,
					      .agent_life_ms = 24 * HOUR,
					      .server_life_ms = 90 * 24 * HOUR};
}

struct vw_authority *reopen(const struct vw_authority_settings *settings)
{
	struct vw_authority *authority;
	assert_ok(vw_authority_open(settings, &authority, &err), err);
	return authority;
}

struct vw_authority *found(const struct vw_authority_settings *settings)
{
	assert_ok(vw_authority_create(settings, NULL, NULL, &err), err);
	return reopen(settings);
}

void make_corporation(void)
{
	sh("openssl req -x509 -newkey rsa:2048 -nodes -keyout root.key -out root.pem -days 100 -subj "
	   "'/O=Corporation/CN=Root' "
	   "-addext basicConstraints=critical,CA:true -addext keyUsage=critical,keyCertSign");
	sh("openssl ecparam -name prime256v1 -genkey -noout -out ca.key && chmod 600 ca.key && "
	   "openssl req -new -key ca.key -subj '/O=Corporation/CN=Models' -out ca.csr && "
	   "printf 'basicConstraints=critical,CA:true,pathlen:0\nkeyUsage=critical,keyCertSign,cRLSign\n"
	   "subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n' >ca.ext && "
	   "openssl x509 -req -in ca.csr -CA root.pem -CAkey root.key -CAcreateserial -days 50 -extfile ca.ext -out "
	   "ca.pem && "
	   "cat ca.pem root.pem >chain.pem");
}

void write_ca(const char *folder, int64_t from, int64_t until)
{
	char serial[VW_SERIAL_MAX], path[256];
	struct vw_bytes der;
	struct vw_key *key;
	struct vw_certificate_order order = {
	    .use = VW_USE_CA, .common_name = "CA", .not_before = from, .not_after = until};
	assert_ok(vw_key_generate(&key, &err), err);
	assert_ok(vw_key_public(key, arena, &order.public_key, &err), err);
	assert_ok(vw_certificate_issue(&order, (struct vw_bytes){NULL, 0}, key, arena, &der, serial, &err), err);
	sh("mkdir -p -m 700 %s", folder);
	snprintf(path, sizeof(path), "%s/ca.key", folder);
	assert_ok(vw_key_write(key, path, &err), err);
	snprintf(path, sizeof(path), "%s/ca.pem", folder);
	assert_ok(vw_certificates_write_file(path, &der, 1, 0644, &err), err);
	vw_key_close(key);
}

struct vw_bytes issue_agent(struct vw_authority *authority, int64_t now)
{
	char serial[VW_SERIAL_MAX];
	int64_t not_after;
	struct vw_bytes public, der;
	struct vw_key *key;
	assert_ok(vw_key_generate(&key, &err), err);
	assert_ok(vw_key_public(key, arena, &public, &err), err);
	assert_ok(vw_authority_issue(authority, 7, AGENT, public, now, arena, &der, serial, &not_after, &err), err);
	vw_key_close(key);
	return der;
}

struct vw_bytes content(const char *folder, const char *file)
{
	char path[256];
	snprintf(path, sizeof(path), "%s/%s", folder, file);
	return slurp(path);
}
