package model

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
)

// records returns n different messages as PostHog's ingestion writes them for web
// events, of about size bytes each. The same seed gives the same messages.
func records(seed uint64, n, size int) [][]byte {
	r := rand.New(rand.NewPCG(seed, 0))
	out := make([][]byte, n)
	for i := range out {
		out[i] = []byte(webRecord(r, size))
	}
	return out
}

func webRecord(r *rand.Rand, size int) string {
	names := []string{"$pageview", "$autocapture", "$pageleave", "$identify", "order placed"}
	event := names[r.IntN(len(names))]
	elements := ""
	if event == "$autocapture" && size > 2000 {
		elements = `button.btn.btn-primary:attr__class=\"btn btn-primary\"attr__type=\"submit\"nth-child=\"2\"nth-of-type=\"1\"text=\"Add to cart\";div.row:nth-child=\"3\"nth-of-type=\"2\"`
	}
	head := fmt.Sprintf(`{"uuid":%q,"event":%q,"properties":`, uuidText(r), event)
	tail := fmt.Sprintf(`,"timestamp":"2026-09-01 12:%02d:%02d.%03d","team_id":%d,"project_id":2,"distinct_id":%q,`+
		`"elements_chain":"%s","created_at":"2026-09-01 12:59:58.102","captured_at":"2026-09-01 12:59:57.410",`+
		`"person_id":%q,"person_created_at":"2026-08-30 09:10:11","person_mode":"full"}`,
		r.IntN(60), r.IntN(60), r.IntN(1000), 1+r.IntN(100), uuidText(r), elements, uuidText(r))
	return head + escaped(webProperties(r, size-len(head)-len(tail))) + tail
}

// webProperties returns a properties object that takes about size bytes once it
// is escaped.
func webProperties(r *rand.Rand, size int) string {
	titles := []string{"Warenkorb – Übersicht", "Cart", `The \"best\" shoes in São Paulo`, "Checkout", "検索結果"}
	paths := []string{"/cart", "/products/shoes", "/checkout?step=2&utm_source=google&utm_medium=cpc", "/"}
	path := paths[r.IntN(len(paths))]
	var b strings.Builder
	fmt.Fprintf(&b, `{"$ip":"203.0.113.%d","$os":"Mac OS X","$browser":"Chrome","$device_type":"Desktop",`+
		`"$current_url":"https://shop.example.com%s","$host":"shop.example.com","$pathname":%q,"$lib":"web",`+
		`"$lib_version":"1.%d.0","$session_id":%q,"$window_id":%q,"title":"%s","price":%d.%d`,
		r.IntN(255), path, path, r.IntN(250), uuidText(r), uuidText(r), titles[r.IntN(len(titles))], r.IntN(500), r.IntN(100))
	if r.IntN(3) == 0 {
		b.WriteString(`,"$set":{"email":"a@example.com","plan":"pro","seats":12},"$set_once":{"$initial_utm_source":"google"}`)
	}
	more := []func() string{
		func() string {
			return fmt.Sprintf(`"$screen_height":%d,"$screen_width":%d`, r.IntN(2000), r.IntN(4000))
		},
		func() string {
			return fmt.Sprintf(`"$viewport_height":%d,"$is_identified":%t`, r.IntN(2000), r.IntN(2) == 0)
		},
		func() string { return fmt.Sprintf(`"$device_id":%q`, uuidText(r)) },
		func() string {
			return fmt.Sprintf(`"$active_feature_flags":["new-checkout","beta-%d"],"$feature/new-checkout":"test"`, r.IntN(9))
		},
		func() string {
			return `"$raw_user_agent":"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36"`
		},
		func() string { return fmt.Sprintf(`"$geoip_latitude":%v,"$geoip_city_name":"Köln"`, r.Float64()*90) },
		func() string {
			return fmt.Sprintf(`"$time":%d.%03d,"$referrer":null`, 1756000000+r.IntN(1e6), r.IntN(1000))
		},
		func() string { return fmt.Sprintf(`"$prev_pageview_duration":%v`, r.Float64()*100) },
		func() string {
			return `"$referring_domain":"www.google.com","utm_source":"google","utm_campaign":"sale_2026"`
		},
	}
	for i := 0; b.Len()+b.Len()/9 < size-60; i++ {
		item := more[i%len(more)]()
		if i >= len(more) { // names are unique in real objects
			item = strings.ReplaceAll(item, `"$`, `"$`+strconv.Itoa(i/len(more))+"_")
		}
		b.WriteString("," + item)
	}
	return b.String() + "}"
}

func uuidText(r *rand.Rand) string {
	a, b := r.Uint64(), r.Uint64()
	return fmt.Sprintf("%08x-%04x-7%03x-8%03x-%012x", uint32(a), uint16(a>>32), a>>48&0xfff, b>>48&0xfff, b&0xffffffffffff)
}

// escaped returns s as JSON.stringify writes a string.
func escaped(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\t", `\t`, "\b", `\b`).Replace(s) + `"`
}
