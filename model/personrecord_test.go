package model

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// personRecords returns n different messages as PostHog's ingestion writes them
// for persons, of about size bytes each, some of them by its Python code, some
// tombstones. The same seed gives the same messages.
func personRecords(seed uint64, n, size int) [][]byte {
	r := rand.New(rand.NewPCG(seed, 2))
	out := make([][]byte, n)
	for i := range out {
		id, team, version, identified := uuidText(r), 1+r.IntN(100), r.IntN(1000), r.IntN(2)
		deleted := max(0, r.IntN(10)-8)
		created := fmt.Sprintf("2026-08-%02d 09:%02d:%02d", 1+r.IntN(28), r.IntN(60), r.IntN(60))
		properties := escaped(personProperties(r, size-250))
		if r.IntN(8) > 0 {
			out[i] = fmt.Appendf(nil, `{"id":%q,"created_at":%q,"properties":%s,"team_id":%d,"is_identified":%d,"is_deleted":%d,"version":%d,"last_seen_at":"2026-09-01 12:00:00"}`,
				id, created, properties, team, identified, deleted, version)
			continue
		}
		out[i] = fmt.Appendf(nil, `{"id": %q, "team_id": %d, "properties": %s, "is_identified": %d, "is_deleted": %d, "created_at": "%s.%06d", "version": %d, "_timestamp": "2026-09-01 12:00:00"}`,
			id, team, properties, identified, deleted, created, r.IntN(1e6), version)
	}
	return out
}

func personProperties(r *rand.Rand, size int) string {
	var b strings.Builder
	fmt.Fprintf(&b, `{"email":"user%d@example.com","name":"Zoë \"Z\" Müller","plan":"pro","$initial_referrer":"$direct","$geoip_city_name":"São Paulo"`, r.IntN(1e6))
	for i := 0; b.Len() < size*8/9; i++ {
		fmt.Fprintf(&b, `,"trait_%d":%q,"count_%d":%d,"seen_%d":%t,"rate_%d":%v`, i, uuidText(r), i, r.IntN(1e9), i, r.IntN(2) == 0, i, r.Float64())
	}
	return b.String() + "}"
}

// mappingRecords returns n different messages as PostHog's ingestion writes them
// for distinct ids, some of them tombstones. The same seed gives the same messages.
func mappingRecords(seed uint64, n int) [][]byte {
	r := rand.New(rand.NewPCG(seed, 3))
	out := make([][]byte, n)
	for i := range out {
		distinctID := uuidText(r)
		if r.IntN(3) == 0 {
			distinctID = fmt.Sprintf(`user\"%d@example.com`, r.IntN(1e6))
		}
		out[i] = fmt.Appendf(nil, `{"distinct_id":"%s","person_id":%q,"team_id":%d,"version":%d,"is_deleted":%d}`,
			distinctID, uuidText(r), 1+r.IntN(100), r.IntN(3), max(0, r.IntN(10)-8))
	}
	return out
}
