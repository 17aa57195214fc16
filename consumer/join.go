package consumer

import (
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
)

// JoinError means that the group refuses this member, and will until the configuration of tidemark or of the brokers is
// changed: waiting does not help.
type JoinError struct {
	Variable string // to look at
	Found    string // its value
	Want     string // what is allowed
	Err      error  // Kafka's word
}

// Error names the variable, what was found and what is allowed.
func (e *JoinError) Error() string {
	return fmt.Sprintf("join the consumer group: %s is %q; want %s: %v", e.Variable, e.Found, e.Want, e.Err)
}

func (e *JoinError) Unwrap() error { return e.Err }

// Hint says what an operator can do.
func (e *JoinError) Hint() string {
	return "change " + e.Variable + ", or what the brokers allow: " + e.Want
}

// joinError returns a [*JoinError] if that is what err is about, else err.
func joinError(err error, cfg *Config) error {
	for _, r := range []struct {
		code                  *kerr.Error
		variable, found, want string
	}{
		{kerr.InvalidSessionTimeout, "TIDEMARK_SESSION_TIMEOUT", cfg.SessionTimeout.String(),
			"a time between the brokers' group.min.session.timeout.ms and group.max.session.timeout.ms (6s and 30m by default)"},
		{kerr.InconsistentGroupProtocol, "TIDEMARK_GROUP", cfg.Group,
			"a group whose members are all tidemark: another kind of consumer, or one with another assignment strategy, is in it"},
		{kerr.GroupAuthorizationFailed, "TIDEMARK_GROUP", cfg.Group, "a group that the user may read (ACL Read on the group)"},
		{kerr.InvalidGroupID, "TIDEMARK_GROUP", cfg.Group, "a name that Kafka takes for a consumer group"},
		{kerr.GroupMaxSizeReached, "TIDEMARK_GROUP", cfg.Group, "a group with fewer members than the brokers' group.max.size"},
		{kerr.FencedInstanceID, "TIDEMARK_INSTANCE_ID", cfg.InstanceID, "a name that no other replica has"},
	} {
		if errors.Is(err, r.code) {
			return &JoinError{r.variable, r.found, r.want, err}
		}
	}
	return err
}
