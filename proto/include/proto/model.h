/* model.h: the generated structs under names that can be read.
 *
 * The messages themselves are described in proto/verifywise/v1; read those first. Strings that are NULL are
 * missing; optional numbers have a has_ flag beside them. Whoever built a message owns it: usually an arena. */
#ifndef PROTO_MODEL_H
#define PROTO_MODEL_H

#include "verifywise/v1/audit.pb-c.h"
#include "verifywise/v1/control.pb-c.h"
#include "verifywise/v1/fleet.pb-c.h"
#include "verifywise/v1/mlflow.pb-c.h"
#include "verifywise/v1/record.pb-c.h"
#include "verifywise/v1/state.pb-c.h"

typedef Verifywise__V1__KeyValue vw_key_value;
typedef Verifywise__V1__Alias vw_alias;
typedef Verifywise__V1__Identity vw_identity;
typedef Verifywise__V1__Lifecycle vw_lifecycle;
typedef Verifywise__V1__Metric vw_metric;
typedef Verifywise__V1__Training vw_training;
typedef Verifywise__V1__Dataset vw_dataset;
typedef Verifywise__V1__Lineage vw_lineage;
typedef Verifywise__V1__Risk vw_risk;
typedef Verifywise__V1__Artifacts vw_artifacts;
typedef Verifywise__V1__Reason vw_reason;
typedef Verifywise__V1__Completeness vw_completeness;
typedef Verifywise__V1__Provenance vw_provenance;
typedef Verifywise__V1__Warning vw_warning;
typedef Verifywise__V1__Record vw_record;

typedef Verifywise__V1__Clauses vw_clauses;
typedef Verifywise__V1__WaivedBy vw_waived_by;
typedef Verifywise__V1__Finding vw_finding;
typedef Verifywise__V1__PolicyReference vw_policy_reference;
typedef Verifywise__V1__Compliance vw_compliance;

typedef Verifywise__V1__RegisteredModel vw_registered_model;
typedef Verifywise__V1__ModelVersion vw_model_version;
typedef Verifywise__V1__DatasetInput vw_dataset_input;
typedef Verifywise__V1__Run vw_run;
typedef Verifywise__V1__Experiment vw_experiment;
typedef Verifywise__V1__LoggedModel vw_logged_model;

typedef Verifywise__V1__Access vw_access;
typedef Verifywise__V1__DeploymentEvent vw_deployment_event;
typedef Verifywise__V1__VersionRecorded vw_version_recorded;
typedef Verifywise__V1__VersionRemoved vw_version_removed;
typedef Verifywise__V1__SyncCounts vw_sync_counts;
typedef Verifywise__V1__Audit vw_audit;
typedef Verifywise__V1__Entry vw_entry;

typedef Verifywise__V1__EpochStarted vw_epoch_started;
typedef Verifywise__V1__ChainedEntry vw_chained_entry;

typedef Verifywise__V1__VersionIndex vw_version_index;
typedef Verifywise__V1__AgentIdentity vw_agent_identity;
typedef Verifywise__V1__SyncState vw_sync_state;
typedef Verifywise__V1__UplinkState vw_uplink_state;
typedef Verifywise__V1__HeldCommand vw_held_command;
typedef Verifywise__V1__HeldSecret vw_held_secret;
typedef Verifywise__V1__HeldIdentity vw_held_identity;

/* fleet.proto */
typedef Verifywise__V1__AgentMessage vw_agent_message;
typedef Verifywise__V1__ControllerMessage vw_controller_message;
typedef Verifywise__V1__Hello vw_hello;
typedef Verifywise__V1__SecretHeld vw_secret_held;
typedef Verifywise__V1__Welcome vw_welcome;
typedef Verifywise__V1__Rejection vw_rejection;
typedef Verifywise__V1__Reconnect vw_reconnect;
typedef Verifywise__V1__EntryBatch vw_entry_batch;
typedef Verifywise__V1__Acknowledgement vw_acknowledgement;
typedef Verifywise__V1__Resume vw_resume;
typedef Verifywise__V1__ReceiptBody vw_receipt_body;
typedef Verifywise__V1__Receipt vw_receipt;
typedef Verifywise__V1__ReceiptRefused vw_receipt_refused;
typedef Verifywise__V1__Heartbeat vw_heartbeat;
typedef Verifywise__V1__Condition vw_condition;
typedef Verifywise__V1__Health vw_health;
typedef Verifywise__V1__Command vw_command;
typedef Verifywise__V1__CommandUpdate vw_command_update;
typedef Verifywise__V1__DesiredFile vw_desired_file;
typedef Verifywise__V1__Desired vw_desired;
typedef Verifywise__V1__SecretSet vw_secret_set;
typedef Verifywise__V1__SealedSecret vw_sealed_secret;
typedef Verifywise__V1__Applied vw_applied;
typedef Verifywise__V1__EnrollRequest vw_enroll_request;
typedef Verifywise__V1__RenewBody vw_renew_body;
typedef Verifywise__V1__RenewRequest vw_renew_request;
typedef Verifywise__V1__EnrollResponse vw_enroll_response;
typedef Verifywise__V1__Issued vw_issued;

/* control.proto */
typedef Verifywise__V1__Organization vw_organization;
typedef Verifywise__V1__EnrollmentToken vw_enrollment_token;
typedef Verifywise__V1__Agent vw_agent;
typedef Verifywise__V1__AgentPresence vw_agent_presence;
typedef Verifywise__V1__StoredCommand vw_stored_command;
typedef Verifywise__V1__User vw_user;
typedef Verifywise__V1__StoredSecret vw_stored_secret;
typedef Verifywise__V1__StoredFile vw_stored_file;
typedef Verifywise__V1__VersionRow vw_version_row;
typedef Verifywise__V1__GapRow vw_gap_row;
typedef Verifywise__V1__EventRow vw_event_row;
typedef Verifywise__V1__ControllerEvent vw_controller_event;
typedef Verifywise__V1__QuarantinedEntry vw_quarantined_entry;

typedef Verifywise__V1__Severity vw_severity;
typedef Verifywise__V1__FindingState vw_finding_state;
typedef Verifywise__V1__ComplianceStatus vw_compliance_status;
typedef Verifywise__V1__AuditKind vw_audit_kind;
typedef Verifywise__V1__RejectionReason vw_rejection_reason;
typedef Verifywise__V1__CommandKind vw_command_kind;
typedef Verifywise__V1__CommandState vw_command_state;
typedef Verifywise__V1__ApplyState vw_apply_state;
typedef Verifywise__V1__AgentStatus vw_agent_status;
typedef Verifywise__V1__Role vw_role;

#define VW_SEVERITY_INFO     VERIFYWISE__V1__SEVERITY__SEVERITY_INFO
#define VW_SEVERITY_LOW      VERIFYWISE__V1__SEVERITY__SEVERITY_LOW
#define VW_SEVERITY_MEDIUM   VERIFYWISE__V1__SEVERITY__SEVERITY_MEDIUM
#define VW_SEVERITY_HIGH     VERIFYWISE__V1__SEVERITY__SEVERITY_HIGH
#define VW_SEVERITY_CRITICAL VERIFYWISE__V1__SEVERITY__SEVERITY_CRITICAL
#define VW_SEVERITIES        5 /* from info, which is 1 */

#define VW_FINDING_PASS           VERIFYWISE__V1__FINDING_STATE__FINDING_STATE_PASS
#define VW_FINDING_GAP            VERIFYWISE__V1__FINDING_STATE__FINDING_STATE_GAP
#define VW_FINDING_WAIVED         VERIFYWISE__V1__FINDING_STATE__FINDING_STATE_WAIVED
#define VW_FINDING_NOT_APPLICABLE VERIFYWISE__V1__FINDING_STATE__FINDING_STATE_NOT_APPLICABLE
#define VW_FINDING_UNKNOWN        VERIFYWISE__V1__FINDING_STATE__FINDING_STATE_UNKNOWN

#define VW_COMPLIANCE_COMPLIANT VERIFYWISE__V1__COMPLIANCE_STATUS__COMPLIANCE_STATUS_COMPLIANT
#define VW_COMPLIANCE_GAPS      VERIFYWISE__V1__COMPLIANCE_STATUS__COMPLIANCE_STATUS_GAPS
#define VW_COMPLIANCE_UNKNOWN   VERIFYWISE__V1__COMPLIANCE_STATUS__COMPLIANCE_STATUS_UNKNOWN

#define VW_AUDIT_SYNC_STARTED       VERIFYWISE__V1__AUDIT_KIND__AUDIT_KIND_SYNC_STARTED
#define VW_AUDIT_SYNC_FINISHED      VERIFYWISE__V1__AUDIT_KIND__AUDIT_KIND_SYNC_FINISHED
#define VW_AUDIT_INGESTED           VERIFYWISE__V1__AUDIT_KIND__AUDIT_KIND_INGESTED
#define VW_AUDIT_INCOMPLETE         VERIFYWISE__V1__AUDIT_KIND__AUDIT_KIND_INCOMPLETE
#define VW_AUDIT_REMOVED            VERIFYWISE__V1__AUDIT_KIND__AUDIT_KIND_REMOVED
#define VW_AUDIT_DEPLOYMENT_EVENT   VERIFYWISE__V1__AUDIT_KIND__AUDIT_KIND_DEPLOYMENT_EVENT
#define VW_AUDIT_POLICY_CHANGED     VERIFYWISE__V1__AUDIT_KIND__AUDIT_KIND_POLICY_CHANGED
#define VW_AUDIT_CONFIG_CHANGED     VERIFYWISE__V1__AUDIT_KIND__AUDIT_KIND_CONFIG_CHANGED
#define VW_AUDIT_CREDENTIAL_CHANGED VERIFYWISE__V1__AUDIT_KIND__AUDIT_KIND_CREDENTIAL_CHANGED

#define VW_AUDIT_COMMAND_RECEIVED VERIFYWISE__V1__AUDIT_KIND__AUDIT_KIND_COMMAND_RECEIVED
#define VW_AUDIT_COMMAND_FINISHED VERIFYWISE__V1__AUDIT_KIND__AUDIT_KIND_COMMAND_FINISHED
#define VW_AUDIT_CHAIN_CHECKPOINT VERIFYWISE__V1__AUDIT_KIND__AUDIT_KIND_CHAIN_CHECKPOINT
#define VW_AUDIT_EPOCH_STARTED    VERIFYWISE__V1__AUDIT_KIND__AUDIT_KIND_EPOCH_STARTED
#define VW_AUDIT_ENROLLED         VERIFYWISE__V1__AUDIT_KIND__AUDIT_KIND_ENROLLED
#define VW_AUDIT_UNENROLLED       VERIFYWISE__V1__AUDIT_KIND__AUDIT_KIND_UNENROLLED
#define VW_AUDIT_SECRET_CHANGED   VERIFYWISE__V1__AUDIT_KIND__AUDIT_KIND_SECRET_CHANGED
#define VW_AUDIT_PAUSED           VERIFYWISE__V1__AUDIT_KIND__AUDIT_KIND_PAUSED
#define VW_AUDIT_RESUMED          VERIFYWISE__V1__AUDIT_KIND__AUDIT_KIND_RESUMED

#define VW_REJECTION_UNKNOWN_AGENT      VERIFYWISE__V1__REJECTION_REASON__REJECTION_REASON_UNKNOWN_AGENT
#define VW_REJECTION_REVOKED            VERIFYWISE__V1__REJECTION_REASON__REJECTION_REASON_REVOKED
#define VW_REJECTION_EXPIRED            VERIFYWISE__V1__REJECTION_REASON__REJECTION_REASON_EXPIRED
#define VW_REJECTION_CLOCK_SKEW         VERIFYWISE__V1__REJECTION_REASON__REJECTION_REASON_CLOCK_SKEW
#define VW_REJECTION_DUPLICATE_INSTANCE VERIFYWISE__V1__REJECTION_REASON__REJECTION_REASON_DUPLICATE_INSTANCE
#define VW_REJECTION_TENANT_DISABLED    VERIFYWISE__V1__REJECTION_REASON__REJECTION_REASON_TENANT_DISABLED
#define VW_REJECTION_VERSION_TOO_OLD    VERIFYWISE__V1__REJECTION_REASON__REJECTION_REASON_VERSION_TOO_OLD
#define VW_REJECTION_ROLLED_BACK        VERIFYWISE__V1__REJECTION_REASON__REJECTION_REASON_ROLLED_BACK
#define VW_REJECTION_FORKED             VERIFYWISE__V1__REJECTION_REASON__REJECTION_REASON_FORKED
#define VW_REJECTION_MALFORMED          VERIFYWISE__V1__REJECTION_REASON__REJECTION_REASON_MALFORMED
#define VW_REJECTION_OVERLOADED         VERIFYWISE__V1__REJECTION_REASON__REJECTION_REASON_OVERLOADED
#define VW_REJECTION_TOKEN              VERIFYWISE__V1__REJECTION_REASON__REJECTION_REASON_TOKEN
#define VW_REJECTION_TAKEN              VERIFYWISE__V1__REJECTION_REASON__REJECTION_REASON_TAKEN

#define VW_COMMAND_SYNC               VERIFYWISE__V1__COMMAND_KIND__COMMAND_KIND_SYNC
#define VW_COMMAND_REEVALUATE         VERIFYWISE__V1__COMMAND_KIND__COMMAND_KIND_REEVALUATE
#define VW_COMMAND_SET_POLICY         VERIFYWISE__V1__COMMAND_KIND__COMMAND_KIND_SET_POLICY
#define VW_COMMAND_SET_CONFIGURATION  VERIFYWISE__V1__COMMAND_KIND__COMMAND_KIND_SET_CONFIGURATION
#define VW_COMMAND_PAUSE              VERIFYWISE__V1__COMMAND_KIND__COMMAND_KIND_PAUSE
#define VW_COMMAND_RESUME             VERIFYWISE__V1__COMMAND_KIND__COMMAND_KIND_RESUME
#define VW_COMMAND_RESEND             VERIFYWISE__V1__COMMAND_KIND__COMMAND_KIND_RESEND
#define VW_COMMAND_ROTATE_CERTIFICATE VERIFYWISE__V1__COMMAND_KIND__COMMAND_KIND_ROTATE_CERTIFICATE
#define VW_COMMAND_DIAGNOSE           VERIFYWISE__V1__COMMAND_KIND__COMMAND_KIND_DIAGNOSE
#define VW_COMMAND_SET_SECRETS        VERIFYWISE__V1__COMMAND_KIND__COMMAND_KIND_SET_SECRETS

#define VW_COMMAND_STATE_QUEUED      VERIFYWISE__V1__COMMAND_STATE__COMMAND_STATE_QUEUED
#define VW_COMMAND_STATE_DELIVERED   VERIFYWISE__V1__COMMAND_STATE__COMMAND_STATE_DELIVERED
#define VW_COMMAND_STATE_RUNNING     VERIFYWISE__V1__COMMAND_STATE__COMMAND_STATE_RUNNING
#define VW_COMMAND_STATE_DONE        VERIFYWISE__V1__COMMAND_STATE__COMMAND_STATE_DONE
#define VW_COMMAND_STATE_FAILED      VERIFYWISE__V1__COMMAND_STATE__COMMAND_STATE_FAILED
#define VW_COMMAND_STATE_REFUSED     VERIFYWISE__V1__COMMAND_STATE__COMMAND_STATE_REFUSED
#define VW_COMMAND_STATE_EXPIRED     VERIFYWISE__V1__COMMAND_STATE__COMMAND_STATE_EXPIRED
#define VW_COMMAND_STATE_UNSUPPORTED VERIFYWISE__V1__COMMAND_STATE__COMMAND_STATE_UNSUPPORTED

#define VW_APPLY_APPLYING VERIFYWISE__V1__APPLY_STATE__APPLY_STATE_APPLYING
#define VW_APPLY_APPLIED  VERIFYWISE__V1__APPLY_STATE__APPLY_STATE_APPLIED
#define VW_APPLY_FAILED   VERIFYWISE__V1__APPLY_STATE__APPLY_STATE_FAILED

#define VW_AGENT_ACTIVE      VERIFYWISE__V1__AGENT_STATUS__AGENT_STATUS_ACTIVE
#define VW_AGENT_REVOKED     VERIFYWISE__V1__AGENT_STATUS__AGENT_STATUS_REVOKED
#define VW_AGENT_QUARANTINED VERIFYWISE__V1__AGENT_STATUS__AGENT_STATUS_QUARANTINED

#define VW_ROLE_ADMIN   VERIFYWISE__V1__ROLE__ROLE_ADMIN
#define VW_ROLE_AUDITOR VERIFYWISE__V1__ROLE__ROLE_AUDITOR

#endif
