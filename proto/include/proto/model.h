/* model.h: the generated structs under names that can be read.
 *
 * The messages themselves are described in proto/verifywise/v1; read those first. Strings that are NULL are
 * missing; optional numbers have a has_ flag beside them. Whoever built a message owns it: usually an arena. */
#ifndef PROTO_MODEL_H
#define PROTO_MODEL_H

#include "verifywise/v1/audit.pb-c.h"
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

typedef Verifywise__V1__VersionIndex vw_version_index;
typedef Verifywise__V1__AgentIdentity vw_agent_identity;
typedef Verifywise__V1__SyncState vw_sync_state;

typedef Verifywise__V1__Severity vw_severity;
typedef Verifywise__V1__FindingState vw_finding_state;
typedef Verifywise__V1__ComplianceStatus vw_compliance_status;
typedef Verifywise__V1__AuditKind vw_audit_kind;

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

#endif
