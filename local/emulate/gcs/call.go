package gcs

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// Op is a storage operation as faults name them.
type Op string

// The operations that tidemark uses; everything else is OpOther.
const (
	OpInsert Op = "insert" // any request of an upload, single or resumable
	OpRead   Op = "read"   // of an object's bytes, by the XML or JSON API
	OpAttrs  Op = "attrs"
	OpList   Op = "list"
	OpCopy   Op = "copy"
	OpDelete Op = "delete"
	OpBucket Op = "bucket"
	OpOther  Op = "other"
)

// peekBytes of an upload hold its metadata, which comes first.
const peekBytes = 16 << 10

// call is what a request asks for.
type call struct {
	op     Op
	object string // for a list, the prefix
}

// classify names the operation and object of a request, which it leaves intact.
func classify(r *http.Request) call {
	path := r.URL.EscapedPath()
	if strings.HasPrefix(path, "/upload/") {
		return call{op: OpInsert, object: uploadName(r)}
	}
	if rest, ok := strings.CutPrefix(path, apiPath+"b/"); ok {
		return classifyJSON(r, rest)
	}
	if _, object, ok := strings.Cut(strings.TrimPrefix(path, "/"), "/"); ok && r.Method == http.MethodGet {
		return call{op: OpRead, object: unescape(object)}
	}
	return call{op: OpOther}
}

// classifyJSON reads {bucket}, {bucket}/o or {bucket}/o/{object}[/rewriteTo/…].
func classifyJSON(r *http.Request, rest string) call {
	_, rest, inside := strings.Cut(rest, "/")
	if !inside {
		return call{op: OpBucket}
	}
	object, ok := strings.CutPrefix(rest, "o/")
	if !ok || object == "" {
		return call{op: OpList, object: r.URL.Query().Get("prefix")}
	}
	if from, _, ok := strings.Cut(object, "/rewriteTo/"); ok {
		return call{op: OpCopy, object: unescape(from)}
	}
	switch {
	case r.Method == http.MethodDelete:
		return call{op: OpDelete, object: unescape(object)}
	case r.Method == http.MethodGet && r.URL.Query().Get("alt") == "media":
		return call{op: OpRead, object: unescape(object)}
	case r.Method == http.MethodGet:
		return call{op: OpAttrs, object: unescape(object)}
	}
	return call{op: OpOther, object: unescape(object)}
}

// uploadName finds the object's name: in the query, or in the metadata at the
// start of the body (which the client sends, with and without multipart).
func uploadName(r *http.Request) string {
	if name := r.URL.Query().Get("name"); name != "" {
		return name
	}
	body := bufio.NewReaderSize(r.Body, peekBytes)
	head, _ := body.Peek(peekBytes) // a short body is no error here
	r.Body = struct {
		io.Reader
		io.Closer
	}{body, r.Body}
	_, metadata, ok := strings.Cut(string(head), "{")
	if !ok {
		return ""
	}
	var object struct{ Name string }
	if err := json.NewDecoder(strings.NewReader("{" + metadata)).Decode(&object); err != nil {
		return "" // not ours; the server will say what is wrong with it
	}
	return object.Name
}

// unescape decodes a path segment; one that cannot be decoded is left alone.
func unescape(segment string) string {
	if plain, err := url.PathUnescape(segment); err == nil {
		return plain
	}
	return segment
}

// refuse answers in the form in which the JSON API reports errors.
func refuse(w http.ResponseWriter, status int, message string) {
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	w.WriteHeader(status)
	reason := map[int]string{
		http.StatusBadRequest:         "invalid",
		http.StatusUnauthorized:       "authError",
		http.StatusForbidden:          "forbidden",
		http.StatusNotFound:           "notFound",
		http.StatusPreconditionFailed: "conditionNotMet",
		http.StatusTooManyRequests:    "rateLimitExceeded",
	}[status]
	if reason == "" {
		reason = "backendError"
	}
	// An error means that the client is gone.
	_, _ = fmt.Fprintf(w, `{"error":{"code":%d,"message":%q,"errors":[{"domain":"global","reason":%q,"message":%q}]}}`, status, message, reason, message)
}
