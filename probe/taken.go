package probe

import (
	"context"
	"fmt"
	"slices"
)

// P5: an object's name that is taken.
var (
	takenName = question{
		ID:        "P5a",
		Assumes:   "a second upload with ifGenerationMatch=0 is answered 412",
		Confirmed: "an upload whose reply was lost is repeated and recognised",
		Different: "an upload whose reply was lost may stop a replica: report it with the file of --out",
		Unknown:   "an upload that finds its name taken compares the bytes",
	}
	takenWithoutDelete = question{
		ID:        "P5b",
		Assumes:   "so it is for an account without storage.objects.delete, too",
		Confirmed: "the permissions in README suffice",
		Different: "grant storage.objects.delete on the bucket, or a lost reply may stop a replica",
		Unknown:   "grant storage.objects.delete on the bucket to be safe",
	}
)

func takenQuestions() []question { return []question{takenName, takenWithoutDelete} }

// taken asks P5, as the account if one was named.
func (r *run) taken(ctx context.Context) error {
	if r.cfg.Account == "" {
		return r.askTaken(ctx)
	}
	return r.as(ctx, r.cfg.Account, func() error { return r.askTaken(ctx) })
}

func (r *run) askTaken(ctx context.Context) error {
	name := r.object("taken")
	data := []byte("uploaded twice")
	if err := r.put(ctx, name, data); err != nil {
		return fmt.Errorf("upload gs://%s/%s: %w", r.cfg.Loader.Bucket, name, err)
	}
	err := r.upload(ctx, name, data)
	answered := refusal(err)
	if err != nil && answered == nil {
		return err
	}
	found := "the second upload succeeded"
	if answered != nil {
		found = fmt.Sprintf("the second upload was answered %d: %s", answered.Code, answered.Message)
	}
	r.settle(takenName, isTaken(err), "%s", found)
	granted, rightsErr := r.bucketRights(ctx)
	switch {
	case rightsErr != nil:
		r.answer(takenWithoutDelete, CouldNotRun, "whether this identity has %s is not known: %s", objectsDelete, reasonOf(rightsErr))
	case slices.Contains(granted, objectsDelete):
		r.answer(takenWithoutDelete, CouldNotRun, "this identity has %s, so its answer says nothing about others: name an account without it with --impersonate", objectsDelete)
	default:
		r.settle(takenWithoutDelete, isTaken(err), "%s", found)
	}
	return nil
}
