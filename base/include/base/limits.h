/* limits.h: every cap of this project on one page.
 *
 * Input is hostile, so each growth has a cap with a name. Reaching one is VW_ELIMIT with that name
 * in the message, never a crash and never silent. Sizes are bytes unless the comment says otherwise. */
#ifndef BASE_LIMITS_H
#define BASE_LIMITS_H

#define VW_KIB ((size_t)1024)
#define VW_MIB (1024 * VW_KIB)

/* Answers of the MLflow server. */
#define VW_MAX_RESPONSE       (64 * VW_MIB)  /* one decoded response body */
#define VW_MAX_JSON_DEPTH     32             /* levels; MLflow's deepest answer has 8 */
#define VW_MAX_PAGES          100000         /* of one listing in one cycle; a server that never ends a listing */
#define VW_MAX_EXPERIMENT_IDS 10000          /* in one runs/search */
#define VW_MAX_ENTRIES        20000          /* tags, params or metrics of one object */
#define VW_MAX_NAME           1024           /* a model's name; MLflow's own cap is 256 characters */
#define VW_MAX_VALUE          (128 * VW_KIB) /* one tag; MLflow's own largest is a registry tag of 100,000 */
#define VW_MAX_RETRY_AFTER_S  300            /* seconds; a longer Retry-After is taken as this */

/* Memory. */
#define VW_MAX_ARENA  (256 * VW_MIB) /* one arena: one batch of a sync, or one command's output */
#define VW_MAX_BUFFER (256 * VW_MIB)

/* Files the operator writes. */
#define VW_MAX_CONFIG_FILE       VW_MIB
#define VW_MAX_POLICY_FILE       VW_MIB
#define VW_MAX_SECRET_FILE       (64 * VW_KIB)
#define VW_MAX_POLICY_RULES      500
#define VW_MAX_POLICY_CONDITIONS 10000 /* in one policy, each operator counts */
#define VW_MAX_CONDITION_DEPTH   8     /* nesting of all/any/not in a policy */
#define VW_MAX_POLICY_TEXT       2000  /* one text of a policy: a title, a reason */
#define VW_MAX_WAIVERS           10000
#define VW_MAX_EVIDENCE          32       /* fields that one finding shows */
#define VW_MAX_EVIDENCE_VALUE    200      /* of one of them; the rest is cut, the record has it all */
#define VW_MAX_PATTERN           1024     /* a regular expression's text */
#define VW_PATTERN_MATCH_LIMIT   100000   /* PCRE2 match steps of one match */
#define VW_PATTERN_DEPTH_LIMIT   1000     /* PCRE2 backtracking depth */
#define VW_PATTERN_HEAP_KIB      1024     /* PCRE2 heap, KiB */
#define VW_PATTERN_COST_LIMIT    50000000 /* characters that one match or masking looks at, and 10 for each step */

/* The database. */
#define VW_MAX_RECORD        (16 * VW_MIB)  /* one packed record */
#define VW_MAX_ENTRY         (17 * VW_MIB)  /* one ledger payload: a record and what was concluded from it */
#define VW_STORE_MAP_INITIAL (256 * VW_MIB) /* sparse; grows by doubling */
#define VW_STORE_MAP_MAX     (1024 * 1024 * VW_MIB)

/* Between agent and controller. */
#define VW_MAX_FLEET_MESSAGE  (18 * VW_MIB) /* one message of the stream: an entry of VW_MAX_ENTRY and its frame */
#define VW_MAX_FLEET_HELLO    (64 * VW_KIB) /* what is read before the peer was let in */
#define VW_MAX_FLEET_CONTROL  (2 * VW_MIB)  /* any message but a batch of entries */
#define VW_MAX_FLEET_HEALTH   (64 * VW_KIB) /* a health report: it is kept while the agent is connected */
#define VW_MAX_MESSAGE_FIELDS 64            /* side by side in one message of the stream, unknown ones included */
#define VW_MAX_HEADER_BLOCK   (8 * VW_KIB)  /* compressed headers of one stream; an agent has a few hundred bytes */
#define VW_MAX_BATCH_ENTRIES  512           /* ledger entries in one batch */
#define VW_MAX_BATCH_BYTES    (1 * VW_MIB)  /* of payload in one batch, unless one entry alone is larger */
#define VW_WINDOW_BYTES       (4 * VW_MIB)  /* payload that one agent may have sent and not acknowledged */
#define VW_WINDOW_BYTES_LEAST (64 * VW_KIB) /* the same, however many agents share VW_MAX_INGEST_QUEUE */
#define VW_MAX_CSR            (8 * VW_KIB)
#define VW_MAX_CERTIFICATE    (16 * VW_KIB) /* one, DER */
#define VW_MAX_CERTIFICATES   8             /* in one chain or file */
#define VW_MAX_HELD_COMMANDS  200           /* finished commands that an agent remembers */
#define VW_MAX_OPEN_COMMANDS  64            /* of one agent, not finished */
#define VW_MAX_COMMAND_RESULT (1 * VW_MIB)
#define VW_MAX_SECRETS        32            /* of one agent */
#define VW_MAX_SEALED         (68 * VW_KIB) /* one sealed secret */

/* The controller. */
#define VW_MAX_SESSIONS           20000          /* open streams of one process */
#define VW_MAX_HANDSHAKES         2048           /* TLS handshakes with agents at once */
#define VW_MAX_INGEST_QUEUE       (256 * VW_MIB) /* payload bytes of all organizations that wait to be stored */
#define VW_MAX_ORGANIZATION_QUEUE (32 * VW_MIB)  /* of one organization */
#define VW_MAX_AGENT_STREAMS      4   /* open streams of one agent: the old, the new, and what is not over yet */
#define VW_MAX_AGENT_CONNECTIONS  8   /* of one agent */
#define VW_MAX_AGENT_QUEUE        16  /* messages of one stream that wait to be stored */
#define VW_MAX_AGENT_CONTROLS     200 /* messages but batches that are read from one stream in a second */
#define VW_MAX_REQUEST_BODY       (2 * VW_MIB) /* of the REST interface and of enrolment */
#define VW_MAX_PAGE               1000         /* rows of one answer */
#define VW_MAX_QUERY              1024         /* bytes of one query parameter */
#define VW_MAX_ROW_TEXT           (2 * VW_KIB) /* one text of a row in a listing; the record has all of it */

#endif
