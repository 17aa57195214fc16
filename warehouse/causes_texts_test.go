package warehouse

// real is a text that BigQuery has given, or that its documentation says it gives.
type real struct {
	code         int // of the answer; 0 is the error of a job that failed
	reason, text string
	source       string // a page below docs.cloud.google.com/bigquery/docs of 2026-08-22, or an issue on GitHub
	class        class
	hint         string // a part of it; what is between | must all be there
}

const (
	mlab       = "mlab-sandbox:tmp_ndt.ndt5"
	perCloud   = ". For more information, see https://cloud.google.com/bigquery/docs/troubleshoot-quotas"
	keyDenied  = "Access Denied: BigQuery BigQuery: Cloud KMS Error: Permission 'cloudkms.cryptoKeyVersions.useToEncrypt' denied on resource 'projects/ci-test/locations/global/keyRings/ring-1/cryptoKeys/key-1' (or it may not exist). Please grant Cloud KMS CryptoKey Encrypter/Decrypter role to BigQuery service account: bq-653407317329@bigquery-encryption.iam.gserviceaccount.com"
	tagged     = "Access denied: User does not have permission to access policy tag projects/p/locations/eu/taxonomies/1/policyTags/2 on column p.ds.persons.properties."
	freeTier   = "Billing has not been enabled for this project. Enable billing at https://console.cloud.google.com/billing. DML queries are not allowed in the free tier. Set up a billing account to remove this restriction."
	tooManyDML = "Resources exceeded during query execution: Too many DML statements outstanding against table " + mlab + ", limit is 20"
)

var reals = []real{
	// Locations.
	{0, "invalid", "Cannot read and write in different locations: source: EU, destination: US", "GoogleCloudPlatform/DataflowPythonSDK#44", permanent, "different locations|bucket in the dataset's location"},
	{0, "invalid", "Cannot read and write in different locations: source: US, destination: us-east4", "airbytehq/airbyte#17013", permanent, "different locations"},
	{404, "notFound", "Not found: Dataset mybqproject:mybqtable", "apache/airflow#4324", permanent, "create the dataset|another location"},
	{0, "notFound", "Not found: Dataset proj:ds was not found in location US", "troubleshoot-queries", permanent, "another location"},
	{0, "notFound", "Dataset proj:ds was not found in location us-east1", "troubleshoot-queries", permanent, "another location"},

	// What an organization forbids.
	{403, "policyViolation", "VPC Service Controls: Request is prohibited by organization's policy. vpcServiceControlsUniqueIdentifier: XlFLBBM_Wstu6u3Qn5s1K", "hafenkran/duckdb-bigquery#203, dust-tt/dust#31983", permanent, "VPC Service Controls|identifier"},
	{403, "accessDenied", "VPC Service Controls: Request is prohibited by organization's policy. vpcServiceControlsUniqueIdentifier:", "MicrosoftDocs/powerbi-docs#1822", permanent, "VPC Service Controls"},
	{403, "policyViolation", "Forbidden", "googleapis/python-bigquery#1131", permanent, "VPC Service Controls"},
	{403, "accessDenied", keyDenied, "hashicorp/terraform-provider-google#20267", permanent, "encryption key|roles/cloudkms.cryptoKeyEncrypterDecrypter"},
	{0, "invalid", "Existing table encryption settings don't match encryption settings specified in the request", "customer-managed-encryption", permanent, "encryption key"},
	{403, "accessDenied", "Your administrator prevents using KMS keys from project keys to protect resources in project proj.", "customer-managed-encryption", permanent, "encryption key"},
	{403, "accessDenied", "Your administrator requires that you specify an encryption key for queries in project project-id. See https://cloud.google.com/bigquery/docs/customer-managed-encryption#services_constraint for more info.", "dataform-co/dataform#1793", permanent, "default_kms_key_name"},

	// Money.
	{403, "billingNotEnabled", freeTier, "dlt-hub/dlt, troubleshooting of BigQuery", permanent, "enable billing|MERGE"},
	{403, "billingNotEnabled", "BigQuery: Streaming insert is not allowed in the free tier", "error-messages", permanent, "enable billing"},
	{0, "billingNotEnabled", "Partition expiration time must be less than 60 days while in sandbox mode.", "seen in a public project's notes", permanent, "60 days"},
	{403, "forbidden", "Project charming-module-137923 (#808448574146) has billing disabled. Please enable it.", "GoogleCloudPlatform/java-docs-samples#276", permanent, "enable billing"},
	{403, "billingNotEnabled", "This error returns when billing isn't enabled", "error-messages", permanent, "enable billing"},
	{403, "quotaExceeded", "Quota exceeded: Your project exceeded quota for free query bytes scanned" + perCloud, "xlang-ai/Spider2#5", transient, "free query bytes|enable billing"},
	{403, "quotaExceeded", "Custom quota exceeded: Your usage exceeded the custom quota for QueryUsagePerDay, which is set by your administrator. For more information, see https://cloud.google.com/bigquery/cost-controls", "HTTPArchive/har.fyi#10", transient, "custom quota|midnight Pacific"},
	{403, "usageQuotaExceeded", "Custom quota exceeded: Your usage exceeded the custom quota for QueryUsagePerUserPerDay, which is set by your administrator.", "custom-quotas", transient, "custom quota"},
	{0, "bytesBilledLimitExceeded", "Query exceeded limit for bytes billed: 163595928. 164626432 or higher required.", "exmergo/dex#320", permanent, "TIDEMARK_MAX_BYTES_BILLED"},
	{0, "bytesBilledLimitExceeded", "over the limit", "exmergo/dex#320", permanent, "TIDEMARK_MAX_BYTES_BILLED"},
	{400, "billingTierLimitExceeded", "Query exceeded resource limits.", "error-messages", permanent, "CPU|reservation"},

	// Partitions.
	{0, "invalidQuery", "Cannot query over table 'sandbox-project.logs.event__dbt_tmp' without a filter over column(s) 'event_time' that can be used for partition elimination at [75:46]", "dbt-labs/dbt-bigquery#64", permanent, "require_partition_filter = FALSE"},
	{0, "invalidQuery", "Cannot query over table 'project_id.dataset.table' without a filter that can be used for partition elimination", "querying-partitioned-tables", permanent, "require_partition_filter"},
	{0, "invalidQuery", "Too many partitions produced by query, allowed 4000, query produces at least 4001 partitions", "GoogleCloudPlatform/cortex-dag-generator#5", permanent, "4,000|month instead of day"},
	{0, "invalid", "Too many partitions produced by query, allowed 4000, query produces at least 6389 partitions", "a load job's; its reason is a guess", permanent, "4,000"},
	{0, "quotaExceeded", "Quota exceeded: Your table exceeded quota for Number of partition modifications to a column partitioned table. For more information, see https://cloud.google.com/bigquery/troubleshooting-errors", "troubleshoot-quotas, m-lab/etl-gardener", transient, "30,000|partition modifications"},
	{0, "quotaExceeded", "Quota exceeded: Your table exceeded quota for Number of partition modifications during ingestion-time to a partitioned table.", "a guess after the one above", transient, "11,000"},
	{0, "invalid", "Table p:ds.t will have 10001 partitions when the job finishes, exceeding limit 10000.", "no real text is known: quotas#partitioned_tables has only the number", permanent, "10,000"},

	// Statements that change one table at a time.
	{0, "invalidQuery", "Query error: Transaction is aborted due to concurrent update against table acmeCo:dataset.flow_checkpoints_v1. Transaction ID: 61e30eea-0000-2dab-8e60-94eb2c1b1a92 at [24:9]", "estuary/connectors#111", nextAttempt, "exclude each other"},
	{0, "invalidQuery", "Could not serialize access to table xxxx.yyyyy due to concurrent update", "confluentinc/kafka-connect-bigquery#279", nextAttempt, "exclude each other"},
	{400, "resourcesExceeded", tooManyDML, "m-lab/etl-gardener#293", nextAttempt, "exclude each other"},
	{0, "resourcesExceeded", "Query error: " + tooManyDML + " at [3:1]", "m-lab/etl-gardener#293", nextAttempt, "exclude each other"},
	{0, "quotaExceeded", "Quota exceeded: Your table exceeded quota for total number of dml jobs writing to a table, pending + running. For more information, see https://cloud.google.com/bigquery/troubleshooting-errors", "troubleshoot-queries, with the location max_dml_outstanding_per_table in a public project", nextAttempt, "exclude each other"},
	{0, "invalidQuery", "UPDATE or DELETE statement over table proj.ds.persons would affect rows in the streaming buffer, which is not supported", "glific/glific#820", transient, "streams|90 minutes"},
	{400, "badRequest", "UPDATE or DELETE statement over table proj.ds.persons would affect rows in the streaming buffer, which is not supported", "error-messages", transient, "90 minutes"},
	{0, "invalid", "DELETE/UPDATE/MERGE DMLs are currently not supported over tables that had UPSERT streams.", "artie-labs/transfer#1035", permanent, "change data capture"},
	{0, "invalidQuery", "UPDATE/MERGE must match at most one source row for each target row at [7:1]", "seen in public projects", permanent, "HAVING COUNT(*) > 1"},

	// A quota of what.
	{0, "quotaExceeded", "Quota exceeded: Your table exceeded quota for imports or query appends per table" + perCloud, "pingcap-inc/tidb2dw#91", transient, "1,500 load jobs"},
	{0, "quotaExceeded", "Quota exceeded: Your project exceeded quota for imports per project", "transfer-troubleshooting", transient, "100,000"},
	{0, "rateLimitExceeded", "Exceeded rate limits: too many table update operations for this table" + perCloud, "pingcap-inc/tidb2dw#89", transient, "changed too often"},
	{0, "rateLimitExceeded", "Exceeded rate limits: too many partitioned table update operations for this table", "quotas#partitioned_tables", transient, "changed too often"},
	{0, "jobRateLimitExceeded", "Job exceeded rate limits: Your table exceeded quota for table dml insert operations", "seen in public projects", nextAttempt, "exclude each other"},
	{0, "rateLimitExceeded", "Exceeded rate limits: too many table dml insert operations for this table", "seen in public projects", nextAttempt, "exclude each other"},
	{403, "quotaExceeded", "Quota exceeded: concurrent number of jobs that can be in the pending state", "troubleshoot-quotas", transient, "wait in this region"},
	{403, "quotaExceeded", "Quota exceeded: Your project and region exceeded quota for max number of jobs that can be queued per project.", "troubleshoot-quotas", transient, "wait in this region"},
	{403, "quotaExceeded", "Quota exceeded: Your user_method exceeded quota for concurrent api requests per user per method.", "troubleshoot-quotas", transient, "asked too often"},
	{403, "rateLimitExceeded", "Exceeded rate limits: too many api requests per user per method for this user_method.", "troubleshoot-quotas", transient, "asked too often"},
	{403, "rateLimitExceeded", "Exceeded rate limits: too many concurrent queries for this project", "nodejs-bigquery", transient, "run at a time"},
	{0, "quotaExceeded", "Quota exceeded: Your project exceeded quota for total shuffle size limit.", "troubleshoot-quotas", transient, "shuffle"},
	{403, "quotaExceeded", "Quota exceeded: ...", "troubleshoot-quotas", transient, "the message says which"},
	{403, "rateLimitExceeded", "Exceeded rate limits", "error-messages", transient, "asked too often"},

	// Rows and columns.
	{0, "invalid", "Error while reading data, error message: JSON parsing error in row starting at position 116704618: Row size is larger than: 104857600. File: gs://etl-mlab-oti/x.jsonl", "m-lab/etl#1133", permanent, "TIDEMARK_MAX_RECORD_SIZE"},
	{0, "resourcesExceeded", "Resources exceeded during query execution: UDF out of memory.; Failed to read Parquet file . This might happen if the file contains a row that is too large, or if the total size of the pages loaded for the queried columns is too large.", "astronomer/astro-sdk#979", permanent, "TIDEMARK_MAX_RECORD_SIZE"},
	{0, "invalid", "Provided Schema does not match Table cluster-fuzz:afl_stats.TestcaseRun. Field seconds_executed has changed type from FLOAT to INTEGER", "google/clusterfuzz", permanent, "compare the column"},
	{0, "invalid", "Provided Schema does not match Table p:ds.t. Cannot add fields (field: b)", "seen in public projects", permanent, "compare the column"},
	{400, "invalid", "Provided Schema does not match Table p:ds.t. Field _source_record_id has changed mode from NULLABLE to REQUIRED", "seen in a public changelog", permanent, "compare the column"},
	{0, "invalid", "Error while reading data, error message: Parquet column 'released' has type INT64 which does not match the target cpp_type INT32. reason: invalid", "seen in public projects", permanent, "compare the column"},
	{0, "invalid", "Unsupported field type: JSON", "loading-data-cloud-storage-parquet", permanent, "compare the column"},
	{0, "invalid", "Error while reading data, error message: Invalid datetime value -62135596800000000 for field 'dt_col' of type 'INT64' (logical type 'TIMESTAMP_MICROS'): generic::out_of_range: Cannot return an invalid datetime value", "googleapis/python-bigquery#61", permanent, "1 to 9999"},
	{0, "invalid", "CLUSTER BY STRING column word with collation und:ci isn't supported", "reference/standard-sql/collation-concepts", permanent, "default_collate"},
	{0, "invalidQuery", "Unrecognized name: consumer_group at [1:17]", "GoogleSQL's own text", permanent, "older tidemark"},
	{0, "invalidQuery", "Unrecognized name: table_created_at at [3:3]", "GoogleSQL's own text", permanent, "older tidemark"},
	{0, "invalidQuery", "Unrecognized name: uid at [3:5]", "GoogleSQL's own text", permanent, "gone or was renamed"},

	// Permissions.
	{403, "accessDenied", "Access Denied: BigQuery BigQuery: Requires fineGrainedGet permission on the read columns to execute the DML statements", "autotraderuk/dbt-dry-run#85, troubleshoot-queries", permanent, "Fine-Grained Reader"},
	{0, "accessDenied", tagged, "troubleshoot-queries", permanent, "Fine-Grained Reader"},
	{403, "accessDenied", "Access Denied: BigQuery BigQuery: User does not have permission to access data protected by policy tag", "troubleshoot-queries", permanent, "Fine-Grained Reader"},
	{403, "accessDenied", "Access Denied: Table proj:ds.events: Permission bigquery.tables.setCategory denied on table proj:ds.events (or it may not exist).", "googleapis/python-bigquery#397 names the permission", permanent, "policy tags|bigquery.tables.setCategory"},
	{0, "accessDenied", "Access Denied: Table proj:ds.persons: User does not have full access to a table with row access policies", "no real text is known: using-row-level-security-with-features has the rule", permanent, "FILTER USING (TRUE)"},
	{403, "accessNotConfigured", "Access Not Configured. BigQuery API has not been used in project 4 before or it is disabled. Enable it by visiting https://console.developers.google.com/apis/api/bigquery.googleapis.com/overview?project=4 then retry.", "googleapis/google-cloud-python#4140", permanent, "enable the BigQuery API"},
	{403, "accessDenied", "Access Denied: Project moz-fx: The user beam-stage-sink@moz-b5f4.iam.gserviceaccount.com does not have bigquery.jobs.create permission in project moz-fx.", "mozilla/gcp-ingestion#377", permanent, "grant beam-stage-sink@moz-b5f4.iam.gserviceaccount.com bigquery.jobs.create|roles/bigquery.jobUser"},
	{0, "accessDenied", "Access Denied: File gs://bucket/x.parquet: Access Denied: sa@proj.iam.gserviceaccount.com does not have storage.objects.get access to the Google Cloud Storage object.", "GoogleCloudPlatform/data-science-on-gcp#170", permanent, "grant sa@proj.iam.gserviceaccount.com storage.objects.get"},
	{0, "accessDenied", "Access Denied: File gs://ds-on-gcp-401703-cf-staging/flights/raw/201603.csv.gz: Access Denied", "GoogleCloudPlatform/data-science-on-gcp#170", permanent, "storage.objects.get"},
	{403, "accessDenied", "Access Denied: Dataset proj:ds: Permission bigquery.datasets.get denied on dataset proj:ds (or it may not exist).", "troubleshoot-queries", permanent, "bigquery.datasets.get|roles/bigquery.dataEditor"},
	{0, "accessDenied", "Access Denied: Table proj:ds.events: Permission bigquery.tables.update denied on table proj:ds.events (or it may not exist).", "PostHog/posthog.com#18849", permanent, "grant the service account bigquery.tables.update"},
	{0, "accessDenied", "Access Denied: Table proj:ds.events: User does not have permission to query table proj:ds.events, or perhaps it does not exist.", "troubleshoot-queries", permanent, "roles/bigquery.dataEditor"},
	{401, "authError", "Invalid Credentials", "error-messages", permanent, "credentials"},

	// What is gone.
	{0, "notFound", "Not found: URI gs://bucket/tidemark/parts/x/00001.parquet", "seen in public projects", permanent, "lifecycle"},
	{0, "notFound", "Not found: Table proj:ds.events was not found in location EU", "troubleshoot-queries", permanent, "the table is gone|expired"},
	{404, "notFound", "Not found: Job proj:EU.x", "spotify/scio#5106", permanent, "does not exist"},

	// The reason alone.
	{0, "backendError", "Error encountered during execution. Retrying may solve the problem.", "error-messages", transient, ""},
	{0, "internalError", "An internal error occurred and the request could not be completed.", "error-messages", transient, ""},
	{0, "jobBackendError", "The job failed. Retry with a new job ID.", "error-messages", transient, ""},
	{503, "backendError", "Service is unavailable. Please retry.", "error-messages", transient, ""},
	{400, "timeout", "The job timed out.", "error-messages", transient, "TIDEMARK_JOB_TIMEOUT"},
	{400, "timeout", "", "error-messages", transient, "TIDEMARK_JOB_TIMEOUT"},
	{0, "stopped", "Job timed out after 600 sec.", "no real text is known", transient, "TIDEMARK_JOB_TIMEOUT"},
	{0, "invalidQuery", "Operation timed out after 6.0 hours. Consider reducing the amount of work performed by your operation so that it can complete within this limit.", "mozilla/redash#991, its reason is a guess", transient, "TIDEMARK_JOB_TIMEOUT"},
	{0, "stopped", "Job execution was cancelled: User requested cancellation", "error-messages", permanent, "cancelled"},
	{409, "duplicate", "Already Exists: Table proj:ds.stage", "error-messages", permanent, "not empty"},
	{0, "resourcesExceeded", "Resources exceeded during query execution: The query could not be executed in the allotted memory.", "troubleshoot-queries", permanent, "smaller batches"},
	{403, "blocked", "", "error-messages", permanent, "support"},
	{0, "invalid", "Something that nobody has seen", "unknown", permanent, "the message says what"},
	{0, "invalidQuery", "Something that nobody has seen at [1:1]", "unknown", permanent, "the message says what"},
	{403, "forbidden", "Forbidden", "unknown", permanent, "access to the project"},
	{502, "", "Bad Gateway", "a front end", transient, "did not answer"},
	{429, "", "Too Many Requests", "a front end", transient, ""},
	{403, "somethingNew", "Something that nobody has seen", "unknown", permanent, ""},
}
