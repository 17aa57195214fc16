package probe

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// P4: P1 and P2 as an account that has the permissions of README's list, and no others.
var (
	accountMerges = question{
		ID:        "P4a",
		Assumes:   "the permissions in README suffice for tables, scripts and transactions",
		Confirmed: "an account with README's list can merge",
		Different: "the account that was impersonated cannot do what P1 does; if it has README's list, that lacks something: see what was refused",
		Unknown:   "grant the predefined roles that README names",
	}
	accountLoads = question{
		ID:        "P4b",
		Assumes:   "the permissions in README suffice for objects and load jobs",
		Confirmed: "an account with README's list can load",
		Different: "the account that was impersonated cannot do what P2 does; if it has README's list, that lacks something: see what was refused",
		Unknown:   "grant the predefined roles that README names",
	}
)

func accountQuestions() []question { return []question{accountMerges, accountLoads} }

// errNoAccount is why P4 cannot run without the flag.
var errNoAccount = errors.New("no account was named: make a service account with exactly README's permissions, and name it with --impersonate")

// account asks P4.
func (r *run) account(ctx context.Context) error {
	if r.cfg.Account == "" {
		return errNoAccount
	}
	return r.as(ctx, r.cfg.Account, func() error {
		for _, part := range []struct {
			question question
			step     step
		}{
			{accountMerges, step{questions: fenceQuestions(), ask: (*run).fence}},
			{accountLoads, step{questions: encoderQuestions(), ask: (*run).encoder}},
		} {
			if err := r.try(ctx, part.question, func() error { return r.part(ctx, part.question, part.step) }); err != nil {
				return err
			}
		}
		return nil
	})
}

// as does something with the clients of another identity.
func (r *run) as(ctx context.Context, account string, do func() error) error {
	other, err := r.connect(ctx, account)
	if err != nil {
		return err
	}
	own := r.svc
	r.svc = other
	defer func() {
		r.svc = own
		_ = other.Close() // nothing is lost if it fails
	}()
	return do()
}

// part runs another probe's questions as a part of this one, whose answer is what they come to.
func (r *run) part(ctx context.Context, q question, s step) error {
	whole, own := r.report.Answers, r.step
	r.report.Answers, r.step = nil, s
	err := s.ask(r, ctx)
	r.rest(ctx, err)
	parts := r.report.Answers
	r.report.Answers, r.step = whole, own
	if ctx.Err() != nil {
		return ctx.Err()
	}
	verdict := Confirmed
	var found []string
	for _, a := range parts {
		found = append(found, fmt.Sprintf("%s %s", a.Question, a.Verdict))
		if a.Verdict != Confirmed {
			found[len(found)-1] += " (" + a.Found + ")"
		}
		verdict = worse(verdict, a)
	}
	r.answer(q, verdict, "%s", strings.Join(found, "; "))
	return nil
}

// worse is what a verdict becomes with one more answer. A question that could not be asked because something was refused to the
// account is a difference: the permissions do not suffice.
func worse(v Verdict, a Answer) Verdict {
	denied := !strings.Contains(a.Found, "impersonate") && slices.ContainsFunc([]string{"Access Denied", "accessDenied", "does not have", "Error 403", "forbidden"}, func(s string) bool { return strings.Contains(a.Found, s) })
	switch {
	case v == Different || a.Verdict == Different || a.Verdict == CouldNotRun && denied:
		return Different
	case v == CouldNotRun || a.Verdict == CouldNotRun && !strings.Contains(a.Found, "not covered"):
		return CouldNotRun
	}
	return v
}
