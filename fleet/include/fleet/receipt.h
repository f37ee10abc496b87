/* receipt.h: the controller's signature under "all entries up to here are stored, and this is the chain's head".
 *
 * With it an agent whose ledger was cut off or put back can be shown to be so, and an auditor need not trust the agent's host.
 * Domain of the signature: "verifywise.receipt.v1". The signer's certificate is issued by the CA for spiffe://<trust-domain>/receipts. */
#ifndef FLEET_RECEIPT_H
#define FLEET_RECEIPT_H

#include "fleet/certificate.h"
#include "proto/model.h"
#include "storage/ledger.h"

#define VW_RECEIPT_DOMAIN "verifywise.receipt.v1"

struct vw_receipt_facts {
	const char *organization; /* decimal */
	const char *agent_id;
	uint64_t epoch;
	struct vw_ledger_head head;
	int64_t stored_at;
};

/* `signer_sha256` is of the signer's certificate. In the arena. */
int vw_receipt_make(const struct vw_receipt_facts *facts, const struct vw_key *key, const uint8_t signer_sha256[32],
		    struct vw_arena *arena, vw_receipt **out, struct vw_error *err);
/* Checks the signature by `signer` (DER), whose own chain the caller has checked, and gives what is signed, in the arena. VW_EAUTH, VW_EINVAL. */
int vw_receipt_read(const vw_receipt *receipt, struct vw_bytes signer, struct vw_arena *arena,
		    struct vw_receipt_facts *out, struct vw_error *err);

#endif
