// Package gcs runs Google Cloud Storage inside the process: fake-gcs-server
// behind an HTTP server of ours on loopback, which can lose replies on request.
//
// The real client needs two options and no environment variable:
//
//	storage.NewClient(ctx,
//		option.WithEndpoint(endpoint+"/storage/v1/"), // endpoint: scheme://host:port
//		option.WithoutAuthentication())
//
// The path is not optional: the client resolves JSON calls against it, and
// derives uploads (/upload/storage/v1/) and XML reads (/bucket/object) from the
// host alone. Reads work with and without storage.WithJSONReads, because the
// fake is told that host:port is also the public (XML) host. STORAGE_EMULATOR_HOST,
// if it happens to be set, does not win over an explicit endpoint.
//
// The client's retries, as the faults show: an upload with ChunkSize 0 is never
// retried; with a larger one it is, if it has a precondition, after 408, 429 and
// 5xx; after a dropped connection only with storage.WithErrorFunc(storage.ShouldRetry),
// for without it an upload follows a list that lacks EOF. A retry after a lost
// reply ends in 412, which the caller must tell from another writer's object.
//
// Differences from GCS that matter here: preconditions are honoured on uploads
// only (not on delete, read, attributes, copy or compose), lifecycle rules are
// dropped, bucket permissions cannot be tested, and every upload is held in
// memory. With a directory, object names are file paths: "x" and "x/y" cannot
// coexist.
package gcs
