package probe

import (
	"context"
	"fmt"
	"strings"

	bq "google.golang.org/api/bigquery/v2"
)

// P1: the transaction fence.
var (
	committedFirst = question{
		ID:        "P1a",
		Assumes:   "a transaction whose UPDATE of the fence comes after another one has committed, and that began before, is aborted",
		Confirmed: "two replicas never insert one person twice; the one that is aborted merges again",
		Different: "if the key is there more than once, the fence does not keep two replicas from inserting one person: run one replica, or TIDEMARK_MODELS=events, and report it with the file of --out; if it is there once, transactions wait instead of giving way, which is harmless",
		Unknown:   "tidemark relies on it; a key that is there twice makes the next merge of it fail instead of going unnoticed",
	}
	overlapping = question{
		ID:        "P1b",
		Assumes:   "of two transactions that update the fence at the same time one is aborted",
		Confirmed: "two replicas never insert one person twice; the one that is aborted merges again",
		Different: "if the key is there more than once, the fence does not keep two replicas from inserting one person: run one replica, or TIDEMARK_MODELS=events, and report it with the file of --out; if it is there once, transactions wait instead of giving way, which is harmless",
		Unknown:   "tidemark relies on it; a key that is there twice makes the next merge of it fail instead of going unnoticed",
	}
	queued = question{
		ID:        "P1c",
		Assumes:   "an UPDATE outside of transactions waits for a transaction that has changed the table, and then succeeds",
		Confirmed: "a statement that meets a merge is late and not lost",
		Different: "a statement that meets a merge fails, or makes the merge fail; both are tried again",
		Unknown:   "both are tried again whatever happens",
	}
	arriving = question{
		ID:        "P1d",
		Assumes:   "a transaction that meets an UPDATE outside of transactions is aborted or comes after it; neither is lost",
		Confirmed: "a merge that meets a statement is at worst done again",
		Different: "an update was lost, or a merge fails with a text that tidemark does not know: report it with the file of --out",
		Unknown:   "merges are tried again whatever happens",
	}
	withParameters = question{
		ID:        "P1e",
		Assumes:   "scripts with named parameters behave as those of P1a",
		Confirmed: "what holds for P1a holds for tidemark's own scripts, which have parameters",
		Different: "if the key is there more than once, the fence does not keep two replicas from inserting one person: run one replica, or TIDEMARK_MODELS=events, and report it with the file of --out; if it is there once, transactions wait instead of giving way, which is harmless",
		Unknown:   "tidemark relies on it, as on P1a",
	}
)

func fenceQuestions() []question {
	return []question{committedFirst, overlapping, queued, arriving, withParameters}
}

var (
	fenceSchema = columns("name STRING", "n INTEGER")
	keysSchema  = columns("id STRING", "writer STRING")
)

// fence asks P1. Every case has a key of its own, and waits for the end of the one before.
func (r *run) fence(ctx context.Context) error {
	if err := r.calibrate(ctx); err != nil {
		return err
	}
	if _, err := r.create(ctx, r.fenceName(), &bq.Table{Schema: fenceSchema}); err != nil {
		return err
	}
	if _, err := r.create(ctx, r.keysName(), &bq.Table{Schema: keysSchema}); err != nil {
		return err
	}
	insert := "INSERT INTO " + r.quoted(r.fenceName()) + " (name, n) VALUES ('fence', 0)"
	if _, err := r.must(ctx, query{name: "fence row", sql: insert, tables: 1}); err != nil {
		return err
	}
	for _, ask := range []struct {
		question question
		run      func(context.Context, question) error
	}{
		{committedFirst, r.askCommittedFirst}, {overlapping, r.askOverlapping}, {queued, r.askQueued},
		{arriving, r.askArriving}, {withParameters, r.askCommittedFirst},
	} {
		if err := r.try(ctx, ask.question, func() error { return ask.run(ctx, ask.question) }); err != nil {
			return err
		}
	}
	return nil
}

// fenceName and keysName belong to the group, for P1 runs once more as a part of P4.
func (r *run) fenceName() string { return strings.ToLower(r.group) + "_fence" }
func (r *run) keysName() string  { return strings.ToLower(r.group) + "_keys" }

// merging is a script of the shape that merges have: a transaction that updates the fence, and a MERGE that inserts a key
// unless it is there. slowBefore and slowAfter keep it open before and after its UPDATE.
func (r *run) merging(q question, key, writer string, slowBefore, slowAfter bool) query {
	keyText, name := "'"+key+"'", "'fence'"
	out := query{name: key + " " + writer, tables: 2, refusal: fixtureConflict}
	if q.ID == withParameters.ID {
		keyText, name = "@key", "@name"
		out.params = []*bq.QueryParameter{param("key", key), param("name", "fence")}
	}
	slow := "SELECT " + r.slow.expression()
	statements := []string{"BEGIN TRANSACTION"}
	if slowBefore {
		statements = append(statements, slow)
	}
	statements = append(statements, "UPDATE "+r.quoted(r.fenceName())+" SET n = n + 1 WHERE name = "+name)
	if slowAfter {
		statements = append(statements, slow)
	}
	statements = append(statements,
		fmt.Sprintf("MERGE %s AS t\nUSING (SELECT %s AS id) AS s\nON t.id = s.id\nWHEN NOT MATCHED THEN\n  INSERT (id, writer) VALUES (s.id, '%s')", r.quoted(r.keysName()), keyText, writer),
		"COMMIT TRANSACTION")
	out.sql = strings.Join(statements, ";\n") + ";\n"
	return out
}

// plain is an UPDATE outside of transactions.
func (r *run) plain(key, writer string, slow bool) query {
	more := ""
	if slow {
		more = " + 0 * " + r.slow.expression()
	}
	return query{name: key + " " + writer, tables: 1, sql: "UPDATE " + r.quoted(r.fenceName()) + " SET n = n + 1" + more + " WHERE name = 'fence'"}
}

// askCommittedFirst is P1a and P1e: B begins and is busy, A does all of its work, and only then does B update the fence.
func (r *run) askCommittedFirst(ctx context.Context, q question) error {
	return r.overlapping(ctx, func(n int) (string, bool, error) {
		key := keyOf(q, n)
		o, err := r.race(ctx, r.merging(q, key, "B", true, false), r.merging(q, key, "A", false, false), key)
		switch {
		case err != nil:
			return "", false, err
		case !o.second.ok && !o.second.aborted():
			return "", false, fmt.Errorf("the transaction that nothing was in the way of: %s", o.second)
		case !o.second.ok:
			return o.String(), false, nil // B has updated the fence before A
		case o.first.aborted():
			r.settle(q, o.keys == 1, "B was aborted: %s", o)
		case !o.first.ok:
			r.answer(q, Different, "B was ended in words that tidemark does not take for a conflict: %s", o)
		case o.keys != 1 || o.nested() && n == overlapTries-1:
			r.answer(q, Different, "both committed: %s", o)
		default:
			return o.String(), false, nil // B may have begun after A's commit
		}
		return "", true, nil
	})
}

// askOverlapping is P1b: B has updated the fence and not committed yet when A wants to.
func (r *run) askOverlapping(ctx context.Context, q question) error {
	return r.overlapping(ctx, func(n int) (string, bool, error) {
		key := keyOf(q, n)
		o, err := r.race(ctx, r.merging(q, key, "B", false, true), r.merging(q, key, "A", false, false), key)
		if err != nil || o.apart() {
			return o.String(), false, err
		}
		loser := o.first
		if o.first.ok {
			loser = o.second
		}
		r.settle(q, o.committed() == 1 && loser.aborted() && o.keys == 1, "%s", o)
		return "", true, nil
	})
}

// askQueued is P1c: a transaction has updated the fence when a plain UPDATE comes.
func (r *run) askQueued(ctx context.Context, q question) error {
	return r.overlapping(ctx, func(n int) (string, bool, error) {
		key := keyOf(q, n)
		o, err := r.race(ctx, r.merging(q, key, "transaction", false, true), r.plain(key, "UPDATE", false), key)
		if err != nil || o.apart() {
			return o.String(), false, err
		}
		waited := o.second.job.Statistics.EndTime >= o.first.job.Statistics.EndTime
		r.settle(q, o.committed() == 2 && waited && o.counted == 2, "%s; the UPDATE ended after the transaction: %t", o, waited)
		return "", true, nil
	})
}

// askArriving is P1d: a plain UPDATE runs when a transaction wants to change the same row.
func (r *run) askArriving(ctx context.Context, q question) error {
	return r.overlapping(ctx, func(n int) (string, bool, error) {
		key := keyOf(q, n)
		o, err := r.race(ctx, r.plain(key, "UPDATE", true), r.merging(q, key, "transaction", false, false), key)
		if err != nil || o.apart() {
			return o.String(), false, err
		}
		known := o.first.ok && (o.second.ok || o.second.aborted())
		r.settle(q, known && o.counted == o.committed(), "%s", o)
		return "", true, nil
	})
}
