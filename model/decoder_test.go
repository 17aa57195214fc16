package model

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/stretchr/testify/require"
)

const (
	testUUID  = "0198f0a3-1b2c-7f00-8d11-5a0d2f4e6c77"
	testTime  = int64(1788266096789000) // 2026-09-01 12:34:56.789
	nodeEvent = `{"uuid":"0198f0a3-1b2c-7f00-8d11-5a0d2f4e6c77","event":"$pageview","properties":"{\"$ip\":\"203.0.113.7\",\"$current_url\":\"https://shop.example.com/cart?utm_source=google\",\"$session_id\":\"0198f0a2-7c1e-7d4b-9a51-3f6f0c2b9e11\",\"$browser\":\"Chrome\",\"$set\":{\"email\":\"a@example.com\"},\"$set_once\":{\"$initial_utm_source\":\"google\"},\"$lib\":\"web\",\"price\":12.5}","timestamp":"2026-09-01 12:34:56.789","team_id":2,"project_id":2,"distinct_id":"0198f0a2-7c1e-7aaa-bbbb-0123456789ab","elements_chain":"","created_at":"2026-09-01 12:34:58.102","captured_at":"2026-09-01 12:34:57.410","person_id":"0198f0a2-9d00-7c31-8f7e-1d2c3b4a5968","person_properties":"{\"email\":\"a@example.com\",\"$initial_utm_source\":\"google\"}","person_created_at":"2026-08-30 09:10:11","person_mode":"full"}`
)

// with returns a small message with further members. They come first, so that they
// count instead of the small message's own.
func with(members string) string {
	return withMembers(`"uuid":"`+testUUID+`","team_id":2,"timestamp":"2026-09-01 12:34:56.789"}`, members)
}

// properties returns a small message whose properties are the given text.
func properties(text string) string { return with(`"properties":` + escaped(text)) }

func TestDecode_Shapes(t *testing.T) {
	d := NewDecoder(1 << 20)
	for _, c := range messageCases() {
		t.Run(c.name, func(t *testing.T) {
			requireAgreement(t, d, []byte(c.message)) // the oracle is right about these
			var got Event
			err := d.Decode([]byte(c.message), &got)
			require.Equal(t, c.reason, reasonOf(err))
			if c.reason != "" {
				return
			}
			want := Event{TeamID: 2, UUIDText: []byte(testUUID), Timestamp: testTime, Event: []byte{}, DistinctID: []byte{},
				UUID: [16]byte{0x01, 0x98, 0xf0, 0xa3, 0x1b, 0x2c, 0x7f, 0x00, 0x8d, 0x11, 0x5a, 0x0d, 0x2f, 0x4e, 0x6c, 0x77}}
			c.check(&want)
			require.Empty(t, cmp.Diff(want, got, cmpopts.IgnoreUnexported(Event{})))
		})
	}
}

func TestDecode_TruncatedAnywhereIsRejected(t *testing.T) {
	d := NewDecoder(0)
	for n := range len(nodeEvent) {
		var e Event
		require.Error(t, d.Decode([]byte(nodeEvent[:n]), &e), "the first %d bytes", n)
	}
}

func TestDecode_TooLarge(t *testing.T) {
	var e Event
	message := []byte(with(""))
	require.NoError(t, NewDecoder(len(message)).Decode(message, &e))
	err := NewDecoder(len(message)-1).Decode(message, &e)
	require.EqualError(t, err, "too_large: message has 97 bytes; want at most 96")
}

func TestDecode_RejectsQuoteNoValues(t *testing.T) {
	d := NewDecoder(1 << 20)
	for _, m := range []string{
		`{"secret":"hunter2"x}`, `{"team_id":"hunter2"}`, `{"team_id":1,"uuid":"hunter2"}`,
		`{"team_id":1,"uuid":"` + testUUID + `","timestamp":"hunter2"}`,
	} {
		var e Event
		err := d.Decode([]byte(m), &e)
		require.Error(t, err)
		require.NotContains(t, err.Error(), "hunter2")
	}
}

func TestDecode_DoesNotAllocate(t *testing.T) {
	messages := records(1, 50, 2600)
	messages = append(messages, []byte(nodeEvent), []byte(`{"uuid":"`+strings.ToUpper(testUUID)+`","person_id":"`+strings.ToUpper(testPersonID)+`",`+with("")[1:]), []byte(with(`"event":"\ud83d\n","properties":{"a":[1.5e3]}`)))
	d := NewDecoder(1 << 20)
	var e Event
	decode := func() {
		for _, m := range messages {
			if err := d.Decode(m, &e); err != nil {
				t.Fatal(err)
			}
		}
	}
	decode()
	require.Zero(t, testing.AllocsPerRun(10, decode))
}

// A decoder grows with its messages; none may be written past its end.
func TestDecode_AnyLengthFits(t *testing.T) {
	d := NewDecoder(0)
	for n := range 2000 {
		requireAgreement(t, d, []byte(with(`"event":"\n`+strings.Repeat("x", n)+`"`)))
	}
}

func TestDecode_MendsOnlyWhereNeeded(t *testing.T) {
	d := NewDecoder(0)
	for _, c := range []struct {
		text string
		want Documents
	}{
		{`{"$set":{"a":"\ud83d"}}`, PropertiesDocument | SetDocument},
		{`{"$set":{"a":"b"}}`, 0},
		{"[\"\n\"]", PropertiesDocument},
		{`{"a":"\ud83d\ude00\n"}`, 0},
	} {
		var e Event
		require.NoError(t, d.Decode([]byte(properties(c.text)), &e))
		require.Equal(t, c.want, e.mend, c.text)
	}
}

func TestDecode_DeepNestingNeedsNoStack(t *testing.T) {
	const depth = 1 << 20
	message := with(`"a":` + strings.Repeat(`[{"a":`, depth) + "1" + strings.Repeat("}]", depth))
	var e Event
	require.NoError(t, NewDecoder(0).Decode([]byte(message), &e))
}

func TestReasons_HasEachReasonOfTheTable(t *testing.T) {
	reasons := Reasons()
	for _, c := range rejectCases() {
		require.Contains(t, reasons, c.reason)
	}
}
