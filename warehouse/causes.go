package warehouse

import (
	"slices"
	"strings"
	"time"
)

// class says what becomes of work that BigQuery refused.
type class uint8

const (
	permanent   class = iota // trying again changes nothing until somebody changes something
	transient                // heals by itself: the same request later, or the same work under the job's next ID
	nextAttempt              // the job gave way to another one, or waits behind others: it runs soon under its next ID
)

// cause is one reason why BigQuery refuses, known by its reason and text together: the same reason, "invalid" or
// "accessDenied", stands for very different things.
type cause struct {
	op      string   // the operation; empty means any
	reasons []string // any of these; none means whatever the reason is
	// texts: the message, or the place that comes with it ("load_job_per_table.long"), has any of these, upper and lower case
	// being the same; none means whatever the message is. They are so long that a table's or column's name is hardly one.
	texts []string
	class class
	// pause is how long after the end of such a job nothing is tried again.
	pause time.Duration
	// hint is what an operator can do, in words that stand by themselves on a status page. It may have blanks
	// (credentials.Fill). Where only the reason is known, it says no more than the reason does.
	hint string
}

// causeOf returns the first cause that fits; for a refusal that nothing is known of, one that is permanent and has no hint.
func causeOf(op, reason, message string) cause {
	if i := indexOf(op, reason, message); i >= 0 {
		return causes[i]
	}
	return cause{}
}

func indexOf(op, reason, message string) int {
	message = strings.ToLower(message)
	return slices.IndexFunc(causes, func(c cause) bool { return c.fits(op, reason, message) })
}

// fits takes the message in lower case.
func (c cause) fits(op, reason, message string) bool {
	return (c.op == "" || c.op == op) &&
		(c.reasons == nil || slices.Contains(c.reasons, reason)) &&
		(c.texts == nil || slices.ContainsFunc(c.texts, func(t string) bool { return strings.Contains(message, strings.ToLower(t)) }))
}

// Reasons that several causes share.
var (
	quotas = []string{reasonQuota, "usageQuotaExceeded"} // the second is the word of docs/custom-quotas; issues show the first
	rates  = []string{"rateLimitExceeded", "jobRateLimitExceeded"}
	denied = []string{"accessDenied", "forbidden", "required", "authError"} // "required" and "authError" are those of 401
)

// causes is in order: what a text tells comes before what a reason alone tells. The reasons are those of
// cloud.google.com/bigquery/docs/error-messages (2026-08-22); where a text was seen is in the test, row by row.
var causes = slices.Concat(perimeter, billing, places, partitions, queues, quotaCauses, data, access, missing, reasonsAlone)

// perimeter: what an organization forbids whatever the permissions.
var perimeter = []cause{
	{texts: []string{"prohibited by organization's policy"}, hint: hintPerimeter},
	{reasons: []string{"policyViolation"}, hint: hintPerimeter},
	{texts: []string{"requires that you specify an encryption key"},
		hint: "the organization wants a customer-managed encryption key: set a default key for the project or the dataset (OPTIONS default_kms_key_name), so that what tidemark creates has it"},
	{texts: []string{"Cloud KMS", "using KMS keys from project", "encryption settings"},
		hint: "the table's encryption key cannot be used: grant BigQuery's own service account (the message, or bq show --encryption_service_account, names it) roles/cloudkms.cryptoKeyEncrypterDecrypter on the key, and check that the key is enabled, allowed by the organization and in the dataset's location"},
}

const hintPerimeter = "a VPC Service Controls perimeter refuses the request: with the identifier in the message an administrator finds the denial in the audit log; {account:the service account}, this network, and the projects of bucket and dataset have to be allowed by the perimeter's ingress and egress rules"

// billing: projects without an account, and limits that somebody has set on costs.
var billing = []cause{
	{texts: []string{"in the free tier", "Billing has not been enabled", "while in sandbox mode", "has billing disabled", "billing account", "not configured billing"}, hint: hintBilling},
	{reasons: []string{"billingNotEnabled", "accountDisabled"}, hint: hintBilling},
	{texts: []string{"free query bytes scanned", "unbilled.analysis"}, class: transient, pause: quotaPause,
		hint: "the project's free query bytes of the month are used up: " + hintBilling},
	{texts: []string{"limit for bytes billed"}, pause: billedPause},
	{reasons: []string{reasonBilled}, pause: billedPause},
	{texts: []string{"QueryUsagePer", "Custom quota exceeded"}, class: transient, pause: quotaPause,
		hint: "the custom quota for query bytes that an administrator has set for the project is used up: it is full again at midnight Pacific time; raise it (IAM & Admin, Quotas), or make merges rarer with TIDEMARK_PERSONS_PERIOD"},
	{reasons: []string{"billingTierLimitExceeded"},
		hint: "the query uses too much CPU for the bytes that it reads, more than on-demand pricing allows: give the project a reservation, or make batches smaller (a shorter TIDEMARK_PERIOD)"},
}

const (
	hintBilling = "enable billing for the project in TIDEMARK_PROJECT (and for that of the bucket): without it, in BigQuery's sandbox, there are no MERGE, UPDATE and INSERT statements, and all tables expire after 60 days"
)

// places: buckets, datasets and jobs in different locations.
var places = []cause{
	{texts: []string{"in different locations"},
		hint: "bucket and dataset are in different locations (the message names both), and BigQuery does not load from the one into the other: use a bucket in the dataset's location (README names those that cost nothing). Batches that are on their way need bucket and dataset as they were; if that cannot be, tidemark batches void gives them up"},
	{texts: []string{"Not found: Dataset"}, hint: hintDataset},
}

const hintDataset = "create the dataset, or, if it exists, check that it was not re-created in another location: batches sealed before look for it in the old one"

// partitions: limits and options of partitioned tables.
var partitions = []cause{
	{texts: []string{"used for partition elimination"},
		hint: "the table requires a filter on its partition column, and a merge has none: ALTER TABLE … SET OPTIONS (require_partition_filter = FALSE)"},
	{texts: []string{"partition modifications", "partition_modifications_per", "load_job_per_partitioned_table"}, class: transient, pause: quotaPause,
		hint: "today's partition modifications of the table are used up: BigQuery allows 30,000 per day and table (11,000 with ingestion-time partitions), each load counts every partition it touches, and that cannot be raised: coarser partitions, a longer TIDEMARK_PERIOD or fewer replicas use up fewer"},
	{texts: []string{"Too many partitions produced"},
		hint: "the batch touches more partitions of the table than the 4,000 that BigQuery allows for one job: the table's partitions are too fine for the times that events have; use a table with coarser ones (month instead of day, day instead of hour)"},
	// What BigQuery says when a table has reached its 10,000 partitions is not known word for word.
	{texts: []string{"partitions when the job finishes", "10000 partitions", "10,000 partitions", "number of partitions", "too many partitions"},
		hint: "a limit on partitions is reached: BigQuery allows 10,000 for a table and 4,000 for one job; delete partitions that nobody needs, or use a table with coarser ones"},
}

// queues: statements that change one table at the same time.
var queues = []cause{
	// A statement in a transaction is cancelled; outside of one it "could not serialize access".
	{texts: []string{"due to concurrent update"}, class: nextAttempt, hint: hintQueue},
	{texts: []string{"Too many DML statements outstanding", "total number of DML jobs", "max_dml_outstanding_per_table", "too many table dml", "quota for table dml"}, class: nextAttempt, hint: hintQueue},
	{texts: []string{"streaming buffer"}, class: transient,
		hint: "another program streams rows into the table, which cannot be changed for up to 90 minutes: this heals by itself once it stops; nothing but tidemark should write persons"},
	{texts: []string{"had UPSERT streams"},
		hint: "another program writes the table by change data capture, and BigQuery merges nothing into such a table: use a table of tidemark's own"},
	{texts: []string{"must match at most one source row"},
		hint: "a key is in a merged table twice, which no merge can repair: find it (GROUP BY its key HAVING COUNT(*) > 1) and delete the older row; if nobody but tidemark writes the table, please report it"},
}

const hintQueue = "replicas that change one table at the same instant exclude each other, and this job runs again by itself; if it goes on for periods, lengthen TIDEMARK_PERSONS_PERIOD or run fewer replicas, and let no other program update the table"

// quotaCauses: a quota of what.
var quotaCauses = []cause{
	{texts: []string{"imports or query appends per table", "load_job_per_table"}, class: transient, pause: quotaPause,
		hint: "today's load jobs of the table are used up: BigQuery allows 1,500 load jobs per table and day, failed ones included, and that cannot be raised: lengthen TIDEMARK_PERIOD or run fewer replicas"},
	{texts: []string{"imports per project"}, class: transient, pause: quotaPause,
		hint: "today's load jobs of the whole project are used up (100,000 per day): find what else loads in the project, or load in a project of tidemark's own"},
	{reasons: rates, texts: []string{"table update operations", "table.write"}, class: transient,
		hint: "the table is changed too often: BigQuery allows 5 loads, copies and the like in 10 s (50 for a partitioned table); this heals by itself, and sooner with a partitioned table or fewer replicas"},
	{texts: []string{"in the pending state", "queued per project"}, class: transient, pause: quotaPause,
		hint: "too many jobs of the project wait in this region; this heals by itself when they have run: find what submits them"},
	{texts: []string{"concurrent api requests", "too many api requests"}, class: transient, hint: hintRate},
	{texts: []string{"too many concurrent queries"}, class: transient, hint: "too many queries of the project run at a time; this heals by itself when they end"},
	{texts: []string{"total shuffle size"}, reasons: quotas, class: transient, pause: quotaPause,
		hint: "the project's queries together use all the shuffle memory there is: run fewer at a time, or give the project a larger reservation"},
	{reasons: quotas, class: transient, pause: quotaPause, hint: "a quota is used up, and the message says which; quotas of a day fill up again bit by bit"},
	{reasons: rates, class: transient, hint: hintRate},
}

const hintRate = "BigQuery is asked too often; this heals by itself unless another program writes to the same table or project"

// data: rows and columns that do not fit.
var data = []cause{
	{texts: []string{"Row size is larger", "row that is too large"},
		hint: "a row is larger than BigQuery takes: lower TIDEMARK_MAX_RECORD_SIZE, which keeps such rows out of later batches; this batch has to be voided, and its records skipped, if the table cannot take the row"},
	{texts: []string{"generic::out_of_range", "out of range"},
		hint: "a value is outside of what its type can hold, in BigQuery times of the years 1 to 9999: please report it, tidemark is to reject such records; the batch that has it can only be given up (tidemark batches void)"},
	{texts: []string{"with collation"},
		hint: "a collation is set, which clustering does not take and which makes keys that differ in case one: use a dataset and columns without (ALTER SCHEMA … SET OPTIONS (default_collate = ''), for tables made later)"},
	{texts: []string{"Unrecognized name: consumer_group", "Unrecognized name: table_created_at", "Column table_created_at"}, reasons: []string{"invalidQuery"}, // columns of the status table that it has not always had
		hint: "the status table was made by an older tidemark: drop it, and it is made again"},
	{texts: []string{"Schema does not match", "changed type", "Cannot add fields", "changed mode", "target cpp_type", "Unsupported field type", "Required field"},
		hint: "the rows do not fit the table: compare the column that the message names with the table's schema; this batch needs the table as it was, the next one uses it as it is"},
	{texts: []string{"Unrecognized name"}, reasons: []string{"invalidQuery"},
		hint: "a column that the statement needs is gone or was renamed: the message names it; put it back for the batches that are on their way, later ones use the table as it is"},
}

// access: permissions.
var access = []cause{
	{texts: []string{"fineGrainedGet", "fine-grained reader", "policy tag"},
		hint: "a column has a policy tag, and a merge reads every column: grant {account:the service account} Fine-Grained Reader (roles/datacatalog.categoryFineGrainedReader) on the tag"},
	// What BigQuery says for want of the TRUE filter is not known word for word.
	{texts: []string{"row access polic", "row-level access", "rowAccessPolicies"},
		hint: "the table has row access policies, and a merge has to see every row: grant {account:the service account} one that is true for all (CREATE ROW ACCESS POLICY … FILTER USING (TRUE))"},
	{texts: []string{"tables.setCategory"},
		hint: "the table's columns have policy tags: grant {account:the service account} bigquery.tables.setCategory on the dataset, or leave the columns to a table that tidemark does not write"},
	{texts: []string{"API has not been used", "has not enabled BigQuery"},
		hint: "enable the BigQuery API in the project that the message names; it takes some minutes to hold"},
	{reasons: denied, texts: []string{"bigquery.jobs.create"}, hint: "grant {account:the service account} bigquery.jobs.create on the project in TIDEMARK_PROJECT (roles/bigquery.jobUser)"},
	{reasons: denied, op: opReadJob,
		hint: "the job was submitted by another account; run tidemark with the account that sealed the batch until its batches are committed, or grant bigquery.jobs.get (roles/bigquery.admin has it)"},
	{reasons: denied, texts: []string{"storage.objects.", "storage.buckets.", "gs://"},
		hint: "grant {account:the service account} storage.objects.get and storage.buckets.get on the bucket (roles/storage.objectViewer and roles/storage.legacyBucketReader): load jobs read the parts as the account that runs the job"},
	{reasons: []string{"accessDenied"},
		hint: "grant {account:the service account} {permission:what the message asks for} (roles/bigquery.dataEditor on the dataset and roles/bigquery.jobUser on the project have all that tidemark needs)"},
	{reasons: denied, hint: "check the service account's credentials and its access to the project"},
}

// missing: the text names what is gone, "Not found: Table …", "Not found: URI gs://…".
var missing = []cause{
	{texts: []string{"URI gs://"}, reasons: []string{reasonNotFound},
		hint: "a part of the batch is gone from the bucket: check its lifecycle rules, which must keep objects for longer than the longest outage; restore the object if it can be (soft delete)"},
	{texts: []string{"Not found: Table"},
		hint: "the table is gone: dropped, or expired (check the expirations of table and dataset); restore it if it can be (time travel); a table of persons is made, and derived, again by itself, and one of events waits for `tidemark tables accept`"},
	{texts: []string{"was not found in location"}, hint: hintDataset},
	{reasons: []string{reasonNotFound}, hint: "what the message names does not exist, or the service account may not see it"},
}

// reasonsAlone: nothing is known of the text.
var reasonsAlone = []cause{
	// "retry with a new job ID", as the list of reasons says, and storage that is not available at the moment.
	{reasons: []string{"backendError", "internalError", "jobBackendError", "jobInternalError", "tableUnavailable"}, class: transient},
	{texts: []string{"timed out"}, class: transient, hint: hintTimeout},
	{reasons: []string{"timeout"}, class: transient, hint: hintTimeout},
	{reasons: []string{"stopped"}, hint: "somebody cancelled the job; it is run again"},
	{reasons: []string{"duplicate"}, hint: "the table was not empty or exists already; another program may be writing to it"},
	{reasons: []string{"resourcesExceeded", "responseTooLarge"},
		hint: "the job needs more than BigQuery grants: smaller batches (a shorter TIDEMARK_PERIOD) or a reservation help"},
	{reasons: []string{"blocked"}, hint: "Google has blocked this operation for the project: contact its support"},
	{reasons: []string{"invalid"}, hint: "BigQuery refuses the job as it is, and the message says what it found"},
	{reasons: []string{"invalidQuery"}, hint: "BigQuery refuses the statement, and the message says what it found and where"},
	{reasons: []string{""}, hint: "BigQuery did not answer; check the network and, if it is set, TIDEMARK_BIGQUERY_ENDPOINT"},
}

const hintTimeout = "the job did not start or end within TIDEMARK_JOB_TIMEOUT, and the next attempt is made; where jobs wait for long, a reservation helps, and where merges take long, a longer TIDEMARK_JOB_TIMEOUT"
