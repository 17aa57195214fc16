package model

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/stretchr/testify/require"
)

func TestDecodeChange_Shapes(t *testing.T) {
	for _, k := range changeKinds() {
		d := NewDecoder(1 << 20)
		for _, c := range k.cases() {
			t.Run(k.name+"/"+c.name, func(t *testing.T) {
				requireSameChange(t, k, d, []byte(c.message)) // the oracle is right about these
				var got Change
				err := k.decode(d, []byte(c.message), &got)
				require.Equal(t, c.reason, reasonOf(err))
				if c.reason != "" {
					require.Contains(t, Reasons(), c.reason)
					return
				}
				want := k.small
				c.check(&want)
				require.Empty(t, cmp.Diff(want, got, cmpopts.IgnoreUnexported(Change{})))
			})
		}
	}
}

// Whatever is nasty in an event is nasty in a person's members too.
func TestDecodeChange_AgreesWithOracleOnShapesOfEvents(t *testing.T) {
	d := NewDecoder(0)
	for _, c := range messageCases() {
		requireSameChange(t, personKind(), d, []byte(personOf(c.message)))
		requireSameChange(t, mappingKind(), d, []byte(mappingOf(c.message)))
	}
}

func TestDecodeChange_TruncatedAnywhereIsRejected(t *testing.T) {
	d := NewDecoder(0)
	for message, k := range map[string]changeKind{nodePerson: personKind(), pythonPerson: personKind(), nodeMapping: mappingKind()} {
		for n := range len(message) {
			var c Change
			require.Error(t, k.decode(d, []byte(message[:n]), &c), "the first %d bytes", n)
		}
	}
}

func TestDecodeChange_TooLarge(t *testing.T) {
	for _, k := range changeKinds() {
		var c Change
		message := []byte(k.with(""))
		require.NoError(t, k.decode(NewDecoder(len(message)), message, &c))
		require.Equal(t, ReasonTooLarge, reasonOf(k.decode(NewDecoder(len(message)-1), message, &c)))
	}
}

func TestDecodeChange_RejectsSayWhatIsWantedAndNoValues(t *testing.T) {
	const integer = "; want an integer from 0 to 9223372036854775807"
	d := NewDecoder(0)
	for _, c := range []struct {
		kind          changeKind
		members, want string
	}{
		{personKind(), `"secret":"hunter2"x`, "not_json: message is not one JSON object: fault at byte 19 of 77"},
		{personKind(), `"team_id":"hunter2"`, "no_team: team_id is no such text; want a positive integer"},
		{personKind(), `"id":"hunter2"`, "bad_uuid: id is no such text; want 36 characters of a UUID"},
		{personKind(), `"version":"hunter2"`, "bad_version: version is no such text" + integer},
		{mappingKind(), `"person_id":null`, "bad_person_id: person_id is null; want 36 characters of a UUID"},
		{mappingKind(), `"version":-1`, "bad_version: version is another number" + integer},
		{mappingKind(), `"version":{"hunter2":2}`, "bad_version: version is an object" + integer},
		{mappingKind(), `"distinct_id":null`, "no_distinct_id: distinct_id is missing, null or empty; want a text"},
	} {
		var got Change
		require.EqualError(t, c.kind.decode(d, []byte(c.kind.with(c.members)), &got), c.want)
	}
}

func TestDecodeChange_DoesNotAllocate(t *testing.T) {
	persons := append(personRecords(1, 50, 2600), []byte(nodePerson), []byte(pythonPerson),
		[]byte(withPerson(`"id":"`+strings.ToUpper(testPersonID)+`","version":"9223372036854775807","properties":{"a":["\ud83d",1.5e3]}`)), []byte(withPerson(`"properties":"{\"a\":\"\ud83d\n\"}"`)))
	mappings := append(mappingRecords(1, 50), []byte(nodeMapping), []byte(withMapping(`"distinct_id":"\ud83d\n","version":"12"`)), []byte(withMapping(`"distinct_id":[1]`)))
	d := NewDecoder(1 << 20)
	var c Change
	decode := func() {
		for _, m := range persons {
			if err := d.DecodePerson(m, &c); err != nil {
				t.Fatal(err)
			}
		}
		for _, m := range mappings {
			if err := d.DecodeMapping(m, &c); err != nil {
				t.Fatal(err)
			}
		}
	}
	decode()
	require.Zero(t, testing.AllocsPerRun(10, decode))
}

// A decoder grows with its messages; none may be written past its end.
func TestDecodeChange_AnyLengthFits(t *testing.T) {
	for _, k := range changeKinds() {
		d := NewDecoder(0)
		for n := range 1000 {
			requireSameChange(t, k, d, []byte(k.with(`"properties":"[\"`+strings.Repeat("x", n)+`\n\"]","distinct_id":"\n`+strings.Repeat("y", n)+`"`)))
		}
	}
}

// One decoder takes all three topics in turn, and nothing of one is seen in another.
func TestDecoder_TakesAllTopicsInTurn(t *testing.T) {
	d := NewDecoder(0)
	events, persons, mappings := records(1, 100, 1015), personRecords(1, 100, 600), mappingRecords(1, 100)
	for i := range events {
		requireAgreement(t, d, events[i])
		requireSameChange(t, personKind(), d, persons[i])
		requireAgreement(t, d, events[i])
		requireSameChange(t, mappingKind(), d, mappings[i])
		requireSameChange(t, personKind(), d, persons[i])
	}
}

func TestDecodeChange_KeepsTheUUIDOfTheMessage(t *testing.T) {
	message := strings.ToUpper(testPersonID)
	value := []byte(strings.Replace(nodePerson, testPersonID, message, 1))
	var c Change
	require.NoError(t, NewDecoder(0).DecodePerson(value, &c))
	require.Equal(t, testPersonID, string(c.PersonID))
	require.Contains(t, string(value), message, "the message was written to")
}
